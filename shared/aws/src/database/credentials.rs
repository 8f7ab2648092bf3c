//! The login of a database session.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_types::SdkConfig;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::config::{Auth, DatabaseConfig, Password};
use super::error::DatabaseError;
use super::iam_token::iam_token;
use crate::clients::Aws;
use crate::secrets::{ReadSecret as _, SecretError, Secrets};

/// The user and the password with which a session is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub user: String,
    /// Password or token.
    pub password: Password,
}

/// The fields of an RDS secret that are needed. RDS also writes `engine`, `host`, `port` and `dbname`.
#[derive(Deserialize)]
struct SecretJson {
    username: Option<String>,
    password: String,
}

/// Returns logins, and caches the login of a secret until the server refuses it.
#[derive(Debug)]
pub(super) struct CredentialSource {
    config: DatabaseConfig,
    sdk: Option<SdkConfig>,
    secrets: Option<Secrets>,
    cached: Mutex<Option<Login>>,
}

impl CredentialSource {
    pub(super) fn new(config: &DatabaseConfig, aws: Option<&Aws>) -> Self {
        Self {
            config: config.clone(),
            sdk: aws.map(|aws| aws.config().clone()),
            secrets: aws.map(Secrets::new),
            cached: Mutex::default(),
        }
    }

    pub(super) async fn login(&self) -> Result<Login, DatabaseError> {
        match &self.config.auth {
            Auth::Iam => self.token(SystemTime::now()).await,
            Auth::Secret { arn } => {
                let mut cached = self.cached.lock().await;
                if let Some(login) = &*cached {
                    return Ok(login.clone());
                }
                let login = self.read_secret(arn).await?;
                *cached = Some(login.clone());
                Ok(login)
            }
            Auth::Fixed(password) => Ok(Login { user: self.config.user.clone(), password: password.clone() }),
        }
    }

    /// Removes a login that was refused from the cache. Returns whether the next login may differ.
    pub(super) async fn forget(&self, refused: &Login) -> bool {
        let mut cached = self.cached.lock().await;
        let was_cached = cached.as_ref() == Some(refused);
        *cached = None;
        was_cached
    }

    /// Returns a token that is valid from `now` for 15 minutes. Tokens are not cached, because they are signed without a
    /// request. A session outlives the token with which it was opened.
    async fn token(&self, now: SystemTime) -> Result<Login, DatabaseError> {
        let failed = |message: String| DatabaseError::Unreachable {
            host: self.config.host.clone(),
            message: format!("cannot create an IAM token: {message}"),
        };
        let sdk = self.sdk.as_ref().ok_or_else(|| failed("no AWS credentials".to_owned()))?;
        let provider = sdk.credentials_provider().expect("`Aws` sets credentials");
        let credentials = provider.provide_credentials().await.map_err(|error| failed(error.to_string()))?;
        let region = sdk.region().expect("`Aws` sets the region").as_ref();
        let address = (self.config.host.as_str(), self.config.port);
        let token = iam_token(credentials, region, address, &self.config.user, now)
            .map_err(|error| failed(error.to_string()))?;
        Ok(Login { user: self.config.user.clone(), password: Password::new(token) })
    }

    async fn read_secret(&self, arn: &str) -> Result<Login, DatabaseError> {
        let malformed = |problem| SecretError::Malformed { id: arn.to_owned(), problem };
        let secrets = self.secrets.as_ref().ok_or(malformed("cannot be read without AWS credentials"))?;
        let text = secrets.text(arn).await?;
        login_of(&text, &self.config.user).map_err(|problem| malformed(problem).into())
    }
}

fn login_of(secret: &str, default_user: &str) -> Result<Login, &'static str> {
    // The error of serde_json would quote the secret.
    let secret: SecretJson =
        serde_json::from_str(secret).map_err(|_| "is not a JSON object with the string `password`")?;
    let user = secret.username.unwrap_or_else(|| default_user.to_owned());
    Ok(Login { user, password: Password::new(secret.password) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::config::Tls;
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
    fn a_secret_of_rds_is_parsed() {
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
    async fn each_login_has_a_token_of_its_own_time() {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = CredentialSource::new(&config(Auth::Iam), Some(&Aws::new(variables).unwrap()));
        let earlier = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_842_772);
        for (now, date) in [
            (earlier, "X-Amz-Date=20261128T051252Z"),
            (earlier + Duration::from_secs(20 * 60), "X-Amz-Date=20261128T053252Z"),
        ] {
            let login = source.token(now).await.unwrap();
            assert!(login.password.reveal().contains(date), "{}", login.password.reveal());
        }
        let login = source.login().await.unwrap();
        assert_eq!(*source.cached.lock().await, None);
        // A refused token is not retried with the same one.
        assert!(!source.forget(&login).await);
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
