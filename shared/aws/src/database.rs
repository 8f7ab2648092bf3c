//! PostgreSQL: opening connections, and the meaning of errors.

mod config;
mod credentials;
mod error;
mod iam_token;
mod tls;

use std::time::Duration;

use penstock_pipeline::log_events;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, NoTls, Socket};

pub use self::config::{Auth, DatabaseConfig, Password, Tls};
use self::credentials::CredentialSource;
pub use self::credentials::Login;
pub use self::error::{DatabaseError, SqlFailure};
use self::tls::Trust;
use crate::clients::Aws;

/// Timeout of the TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of opening the session: connection, TLS and login.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection is closed if the server acknowledges no data for this time: after a failover, nothing responds at the
/// old address.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(20);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// Opens connections. Credentials and certificates are only read when the first connection is opened.
#[derive(Debug)]
pub struct Connector {
    config: DatabaseConfig,
    credentials: CredentialSource,
    trust: Trust,
    application_name: &'static str,
}

impl Connector {
    /// Returns a connector whose sessions have this `application_name`.
    pub fn new(config: DatabaseConfig, aws: Option<&Aws>, application_name: &'static str) -> Self {
        let credentials = CredentialSource::new(&config, aws);
        Self { config, credentials, trust: Trust::default(), application_name }
    }

    /// Opens a session. If the login is refused, the credentials are read again and the login is retried once, because
    /// the secret may have been rotated.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached, cannot be authenticated, or refuses the login.
    pub async fn connect(&self) -> Result<Client, DatabaseError> {
        let login = self.credentials.login().await?;
        match self.connect_as(&login).await {
            Err(DatabaseError::Login { message, .. }) if self.credentials.forget(&login).await => {
                tracing::warn!(message, "{}", log_events::LOGIN_REFUSED);
                let login = self.credentials.login().await?;
                self.connect_as(&login).await
            }
            result => result,
        }
    }

    /// Opens a session that can write.
    ///
    /// The name of the host is resolved again for each session. For some seconds after a failover, or longer where a
    /// name is cached, it is still the address of the former primary, which is now a standby.
    ///
    /// # Errors
    /// Returns an error as [`Connector::connect`] does, and if the server or its settings do not permit writes.
    pub async fn connect_to_primary(&self) -> Result<Client, DatabaseError> {
        let client = self.connect().await?;
        let state = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
        let row = tokio::time::timeout(LOGIN_TIMEOUT, client.query_one(state, &[])).await;
        let row = row.map_err(|_| self.no_session())??;
        let read_only = |reason| DatabaseError::ReadOnly { host: self.config.host.clone(), reason };
        match (row.try_get(0)?, row.try_get(1)?) {
            (true, _) => {
                Err(read_only("is a standby, which accepts no writes; use the endpoint of the primary"))
            }
            (false, true) => {
                Err(read_only("default_transaction_read_only is on for the role or the database"))
            }
            (false, false) => Ok(client),
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
        let result = tokio::time::timeout(LOGIN_TIMEOUT, config.connect(tls)).await;
        let result = result.map_err(|_| self.no_session())?;
        let (client, connection) =
            result.map_err(|error| DatabaseError::of_login(&self.config.host, &error))?;
        tokio::spawn(async move {
            // The user of the client gets the same error and handles it.
            if let Err(error) = connection.await {
                tracing::debug!(error = %DatabaseError::from(error), "database connection ended");
            }
        });
        Ok(client)
    }

    fn no_session(&self) -> DatabaseError {
        self.unreachable(format!("no session within {} s", LOGIN_TIMEOUT.as_secs()))
    }

    fn unreachable(&self, message: String) -> DatabaseError {
        DatabaseError::Unreachable { host: self.config.host.clone(), message }
    }
}
