//! Secrets, from Secrets Manager.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use aws_sdk_secretsmanager::Client;

use crate::clients::Aws;
use crate::fault::SdkFault;

/// The reason why a secret could not be read. It never contains a part of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A permanent failure: access denied, no such secret.
    #[error("secret {id}: {message}")]
    Refused {
        /// Name or ARN.
        id: String,
        /// The service's message.
        message: String,
    },
    /// A transient failure: throttling, a timeout, or an internal error of the service.
    #[error("secret {id}: {message}")]
    Transient {
        /// Name or ARN.
        id: String,
        /// The message of the service or of the connection.
        message: String,
    },
    /// The secret does not have the expected format.
    #[error("secret {id}: {problem}")]
    Malformed {
        /// Name or ARN.
        id: String,
        /// The fault, without the value.
        problem: &'static str,
    },
}

impl SecretError {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::Refused { .. } | Self::Malformed { .. } => false,
        }
    }
}

/// The future of a secret's text.
pub type SecretFuture<'a> = Pin<Box<dyn Future<Output = Result<String, SecretError>> + Send + 'a>>;

/// Reads secrets. Implemented over Secrets Manager, and in memory for tests.
pub trait ReadSecret: Send + Sync {
    /// Returns the current text of a secret, which is never empty.
    fn text<'a>(&'a self, id: &'a str) -> SecretFuture<'a>;
}

/// Secrets Manager, or a compatible service at `AWS_ENDPOINT_URL_SECRETS_MANAGER`. The client is created on first use.
#[derive(Debug, Clone)]
pub struct Secrets {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

impl Secrets {
    /// Returns secrets that are not connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    async fn read(&self, id: &str) -> Result<String, SecretError> {
        let response = self.client().get_secret_value().secret_id(id).send().await;
        let secret = response.map_err(|error| secret_error(id, SdkFault::of(&error)))?;
        let text = secret.secret_string.filter(|text| !text.is_empty());
        text.ok_or(SecretError::Malformed { id: id.to_owned(), problem: "has no text" })
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let mut config = aws_sdk_secretsmanager::config::Builder::from(self.aws.config());
            if let Some(endpoint) = self.aws.endpoint("SECRETS_MANAGER") {
                config = config.endpoint_url(endpoint);
            }
            Client::from_conf(config.build())
        })
    }
}

impl ReadSecret for Secrets {
    fn text<'a>(&'a self, id: &'a str) -> SecretFuture<'a> {
        Box::pin(self.read(id))
    }
}

fn secret_error(id: &str, fault: SdkFault) -> SecretError {
    let (id, message) = (id.to_owned(), fault.message);
    if fault.transient {
        SecretError::Transient { id, message }
    } else {
        SecretError::Refused { id, message }
    }
}
