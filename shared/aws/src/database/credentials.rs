//! Who logs in, and with what.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_types::SdkConfig;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::iam_token::iam_token;
use super::{DatabaseConfig, DatabaseError};
use crate::clients::Aws;
use crate::secrets::{ReadSecret as _, SecretError, Secrets};

/// How the user proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// An RDS IAM token, signed here for each login and good for 15 minutes.
    Iam,
    /// A secret with `password`, and `username` where it goes before the configured one.
    Secret {
        /// Name or ARN.
        arn: String,
    },
    /// This password: for a database on this machine. The functions' environment does not offer it.
    Fixed(Password),
}

/// A password; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes it.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a session is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password or token.
    pub password: Password,
}

/// The part of an RDS secret that is read; RDS itself writes `engine`, `host`, `port` and `dbname` beside it.
#[derive(Deserialize)]
struct SecretJson {
    username: Option<String>,
    password: String,
}

/// Gives logins, and remembers the secret's until it is refused.
#[derive(Debug)]
pub(super) struct CredentialSource {
    config: DatabaseConfig,
    sdk: Option<SdkConfig>,
    secrets: Option<Secrets>,
    read: Mutex<Option<Login>>,
}

impl CredentialSource {
    pub(super) fn new(config: &DatabaseConfig, aws: Option<&Aws>) -> Self {
        Self {
            config: config.clone(),
            sdk: aws.map(|aws| aws.config().clone()),
            secrets: aws.map(Secrets::new),
            read: Mutex::default(),
        }
    }

    pub(super) async fn login(&self) -> Result<Login, DatabaseError> {
        match &self.config.auth {
            Auth::Iam => self.token().await,
            Auth::Secret { arn } => {
                let mut read = self.read.lock().await;
                if let Some(login) = &*read {
                    return Ok(login.clone());
                }
                let login = self.read_secret(arn).await?;
                *read = Some(login.clone());
                Ok(login)
            }
            Auth::Fixed(password) => Ok(Login { user: self.config.user.clone(), password: password.clone() }),
        }
    }

    /// Forgets a login that was refused. True when a fresh one may differ.
    pub(super) async fn forget(&self, refused: &Login) -> bool {
        let mut read = self.read.lock().await;
        let was_remembered = read.as_ref() == Some(refused);
        *read = None;
        was_remembered
    }

    /// Signing takes no request, so that a token is not worth remembering.
    async fn token(&self) -> Result<Login, DatabaseError> {
        let failed = |message: String| DatabaseError::Unreachable {
            host: self.config.host.clone(),
            message: format!("no IAM token: {message}"),
        };
        let sdk = self.sdk.as_ref().ok_or_else(|| failed("no AWS credentials".to_owned()))?;
        let provider = sdk.credentials_provider().expect("`Aws` sets credentials");
        let credentials = provider.provide_credentials().await.map_err(|error| failed(error.to_string()))?;
        let region = sdk.region().expect("`Aws` sets the region").as_ref();
        let address = (self.config.host.as_str(), self.config.port);
        let token = iam_token(credentials, region, address, &self.config.user, SystemTime::now())
            .map_err(|error| failed(error.to_string()))?;
        Ok(Login { user: self.config.user.clone(), password: Password::new(token) })
    }

    async fn read_secret(&self, arn: &str) -> Result<Login, DatabaseError> {
        let malformed = |problem| SecretError::Malformed { id: arn.to_owned(), problem };
        let secrets = self.secrets.as_ref().ok_or(malformed("no AWS credentials to read it with"))?;
        let text = secrets.text(arn).await?;
        login_of(&text, &self.config.user).map_err(|problem| malformed(problem).into())
    }
}

fn login_of(secret: &str, default_user: &str) -> Result<Login, &'static str> {
    // serde_json's error would quote the secret.
    let secret: SecretJson =
        serde_json::from_str(secret).map_err(|_| "not a JSON object with `password` as text")?;
    let user = secret.username.unwrap_or_else(|| default_user.to_owned());
    Ok(Login { user, password: Password(secret.password) })
}

#[cfg(test)]
mod tests {
    use super::super::Tls;
    use super::*;

    fn config(auth: Auth) -> DatabaseConfig {
        DatabaseConfig {
            host: "db.example.com".into(),
            port: 5432,
            name: "penstock".into(),
            user: "writer".into(),
            auth,
            tls: Tls::Disable,
        }
    }

    #[test]
    fn a_secret_of_rds_is_read() {
        let login =
            login_of(r#"{"engine":"postgres","username":"u","password":"p","port":5432}"#, "d").unwrap();
        assert_eq!((login.user.as_str(), login.password.reveal()), ("u", "p"));
        assert_eq!(login_of(r#"{"password":"p"}"#, "d").unwrap().user, "d");
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_password() {
        let login = Login { user: "u".into(), password: Password::new("hunter2") };
        assert!(!format!("{login:?}").contains("hunter2"));
        assert!(!login_of(r#"{"password":"hunter2""#, "d").unwrap_err().contains("hunter2"));
    }

    #[tokio::test]
    async fn an_iam_token_is_a_signed_url_without_its_scheme() {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "session"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let aws = Aws::new(variables).unwrap();
        let login = CredentialSource::new(&config(Auth::Iam), Some(&aws)).login().await.unwrap();
        let token = login.password.reveal();
        assert!(token.starts_with("db.example.com:5432/?Action=connect&DBUser=writer&"), "{token}");
        for part in ["X-Amz-Expires=900", "X-Amz-Security-Token=session", "X-Amz-Signature="] {
            assert!(token.contains(part), "{part} in {token}");
        }
    }
}
