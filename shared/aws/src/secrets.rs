//! Secrets: Secrets Manager, and what of it the pipeline needs.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use aws_sdk_secretsmanager::Client;

use crate::clients::Aws;
use crate::fault::Fault;

/// Why a secret could not be had. No part of its value is ever in here.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Refused for good: access denied, no such secret.
    #[error("secret {id}: {message}")]
    Refused {
        /// Name or ARN.
        id: String,
        /// What the service said.
        message: String,
    },
    /// Throttled, timed out or the service's own fault: worth another try.
    #[error("secret {id}: {message}")]
    Transient {
        /// Name or ARN.
        id: String,
        /// What the service or the connection said.
        message: String,
    },
    /// Not the JSON that was expected of it.
    #[error("secret {id}: {problem}")]
    Malformed {
        /// Name or ARN.
        id: String,
        /// What is wrong with it, without its value.
        problem: &'static str,
    },
}

impl SecretError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::Refused { .. } | Self::Malformed { .. } => false,
        }
    }
}

/// An answer that is on its way.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<String, SecretError>> + Send + 'a>>;

/// What the pipeline asks of secrets. Implemented over Secrets Manager, and in memory by tests.
pub trait ReadSecret: Send + Sync {
    /// The current text of a secret, never empty.
    fn text<'a>(&'a self, id: &'a str) -> Answer<'a>;
}

/// Secrets Manager, or what speaks like it at `AWS_ENDPOINT_URL_SECRETS_MANAGER`. The client is made on first use.
#[derive(Debug, Clone)]
pub struct Secrets {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

impl Secrets {
    /// Secrets; nothing is connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    async fn read(&self, id: &str) -> Result<String, SecretError> {
        let answer = self.client().get_secret_value().secret_id(id).send().await;
        let secret = answer.map_err(|error| secret_error(id, Fault::of(&error)))?;
        let text = secret.secret_string.filter(|text| !text.is_empty());
        text.ok_or(SecretError::Malformed { id: id.to_owned(), problem: "holds no text" })
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
    fn text<'a>(&'a self, id: &'a str) -> Answer<'a> {
        Box::pin(self.read(id))
    }
}

fn secret_error(id: &str, fault: Fault) -> SecretError {
    let (id, message) = (id.to_owned(), fault.message);
    if fault.transient {
        SecretError::Transient { id, message }
    } else {
        SecretError::Refused { id, message }
    }
}
