//! PostgreSQL: how a connection comes about, and what its errors mean.

mod credentials;
mod error;
mod iam_token;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use penstock_pipeline::log_events;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, NoTls, Socket};

use crate::clients::Aws;
use crate::config::Variables;
use credentials::CredentialSource;
pub use credentials::{Auth, Login, Password};
pub use error::{DatabaseError, SqlFailure};
use tls::Trust;

/// To an open TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// To a session that is logged in, TLS included.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that takes no byte for so long is taken for dead: after a failover nobody answers at the old address.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(20);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// Which database, as whom, and how well guarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// Host name; the one that the server's certificate must be for.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub name: String,
    /// User; a secret that names one goes before it.
    pub user: String,
    /// How the user proves who it is.
    pub auth: Auth,
    /// Whether the connection is encrypted and the server proves who it is.
    pub tls: Tls,
}

/// Whether the connection is encrypted and the server proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// TLS with a certificate for the host's name, by an authority that is trusted.
    VerifyFull {
        /// PEM file of the only authorities to trust; those of the machine when `None`.
        ca_file: Option<PathBuf>,
    },
    /// Plain TCP: for a database on this machine.
    Disable,
}

impl DatabaseConfig {
    /// Takes the `PENSTOCK_DATABASE_*` variables.
    pub fn take(variables: &mut Variables) -> Self {
        let secret_arn = variables.optional("PENSTOCK_DATABASE_SECRET_ARN");
        let ca_file = variables.optional("PENSTOCK_DATABASE_CA_FILE").map(PathBuf::from);
        let auth = match variables.one_of("PENSTOCK_DATABASE_AUTH", &[("iam", false), ("secret", true)]) {
            false => Auth::Iam,
            true => Auth::Secret {
                arn: secret_arn.unwrap_or_else(|| {
                    variables.problem(
                        "PENSTOCK_DATABASE_SECRET_ARN is not set, but PENSTOCK_DATABASE_AUTH is secret",
                    );
                    String::new()
                }),
            },
        };
        let tls = variables.one_of("PENSTOCK_DATABASE_TLS", &[("verify-full", true), ("disable", false)]);
        Self {
            host: variables.required("PENSTOCK_DATABASE_HOST"),
            port: variables.number("PENSTOCK_DATABASE_PORT"),
            name: variables.required("PENSTOCK_DATABASE_NAME"),
            user: variables.required("PENSTOCK_DATABASE_USER"),
            auth,
            tls: if tls { Tls::VerifyFull { ca_file } } else { Tls::Disable },
        }
    }
}

/// Makes connections. Nothing is connected, read or parsed before the first one is asked for.
#[derive(Debug)]
pub struct Connector {
    config: DatabaseConfig,
    credentials: CredentialSource,
    trust: Trust,
    application_name: &'static str,
}

impl Connector {
    /// A connector whose sessions call themselves `application_name`.
    pub fn new(config: DatabaseConfig, aws: Option<&Aws>, application_name: &'static str) -> Self {
        let credentials = CredentialSource::new(&config, aws);
        Self { config, credentials, trust: Trust::default(), application_name }
    }

    /// Opens a session. A login that is refused is tried once more with credentials read afresh: the secret may
    /// have been rotated since.
    ///
    /// # Errors
    /// When the server cannot be reached, is not who it should be, or refuses the login.
    pub async fn connect(&self) -> Result<Client, DatabaseError> {
        let login = self.credentials.login().await?;
        match self.connect_as(&login).await {
            Err(DatabaseError::Login { message, .. }) if self.credentials.forget(&login).await => {
                tracing::warn!(message, "{}", log_events::LOGIN_REFUSED);
                let login = self.credentials.login().await?;
                self.connect_as(&login).await
            }
            answer => answer,
        }
    }

    async fn connect_as(&self, login: &Login) -> Result<Client, DatabaseError> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.config.host)
            .port(self.config.port)
            .dbname(&self.config.name)
            .user(&login.user)
            .password(login.password.reveal())
            .application_name(self.application_name)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(UNACKNOWLEDGED_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
        match &self.config.tls {
            Tls::Disable => self.open(config.ssl_mode(SslMode::Disable), NoTls).await,
            Tls::VerifyFull { ca_file } => {
                let tls = self.trust.connector(ca_file.as_deref());
                let tls = tls.map_err(|message| self.unreachable(message))?;
                self.open(config.ssl_mode(SslMode::Require), tls).await
            }
        }
    }

    async fn open<T>(&self, config: &tokio_postgres::Config, tls: T) -> Result<Client, DatabaseError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let answer = tokio::time::timeout(LOGIN_TIMEOUT, config.connect(tls)).await;
        let answer = answer.map_err(|_| self.unreachable("no answer in time".to_owned()))?;
        let (client, connection) =
            answer.map_err(|error| DatabaseError::of_login(&self.config.host, &error))?;
        tokio::spawn(async move {
            // Whoever uses the client meets the same error and handles it.
            if let Err(error) = connection.await {
                tracing::debug!(error = %DatabaseError::from(error), "database connection ended");
            }
        });
        Ok(client)
    }

    fn unreachable(&self, message: String) -> DatabaseError {
        DatabaseError::Unreachable { host: self.config.host.clone(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(changes: &[(&str, &str)]) -> Result<DatabaseConfig, crate::config::ConfigError> {
        let mut pairs = vec![
            ("PENSTOCK_DATABASE_HOST", "db.example.com"),
            ("PENSTOCK_DATABASE_PORT", "5432"),
            ("PENSTOCK_DATABASE_NAME", "penstock"),
            ("PENSTOCK_DATABASE_USER", "writer"),
            ("PENSTOCK_DATABASE_AUTH", "iam"),
            ("PENSTOCK_DATABASE_TLS", "verify-full"),
        ];
        pairs.extend(changes);
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut variables = Variables::new(pairs);
        let config = DatabaseConfig::take(&mut variables);
        variables.finish(config)
    }

    #[test]
    fn the_environment_says_all_of_it() {
        let config = config(&[
            ("PENSTOCK_DATABASE_AUTH", "secret"),
            ("PENSTOCK_DATABASE_SECRET_ARN", "arn:secret"),
            ("PENSTOCK_DATABASE_CA_FILE", "/opt/rds-ca.pem"),
        ])
        .unwrap();
        assert_eq!(config.auth, Auth::Secret { arn: "arn:secret".into() });
        assert_eq!(config.tls, Tls::VerifyFull { ca_file: Some("/opt/rds-ca.pem".into()) });
    }

    #[test]
    fn a_secret_needs_its_arn() {
        let error = config(&[("PENSTOCK_DATABASE_AUTH", "secret")]).unwrap_err();
        assert!(error.to_string().contains("PENSTOCK_DATABASE_SECRET_ARN is not set"), "{error}");
    }
}
