//! The key that pseudonyms are made with, read when the first contract asks for it.

use penstock_aws::secrets::{ReadSecret, SecretError};
use penstock_engine::PseudonymKey;
use tokio::sync::OnceCell;

/// Where the key is, and the key once it was read. It stays for the life of the execution environment: another key would give
/// equal values other pseudonyms, so that it is changed with all that was made with it, or not at all.
pub(crate) struct Pseudonyms {
    secrets: Box<dyn ReadSecret>,
    secret_arn: Option<String>,
    key: OnceCell<PseudonymKey>,
}

impl Pseudonyms {
    pub(crate) fn new(secrets: impl ReadSecret + 'static, secret_arn: Option<String>) -> Self {
        Self { secrets: Box::new(secrets), secret_arn, key: OnceCell::new() }
    }

    /// The key; `None` where the environment names no secret.
    ///
    /// # Errors
    /// When the secret cannot be read, or is too short for a key.
    pub(crate) async fn key(&self) -> Result<Option<&PseudonymKey>, SecretError> {
        let Some(arn) = &self.secret_arn else { return Ok(None) };
        self.key.get_or_try_init(|| self.read(arn)).await.map(Some)
    }

    async fn read(&self, arn: &str) -> Result<PseudonymKey, SecretError> {
        let text = self.secrets.text(arn).await?;
        PseudonymKey::new(text.trim().as_bytes()).map_err(|_| SecretError::Malformed {
            id: arn.to_owned(),
            problem: "is too short for a key: make one with `openssl rand -hex 32`",
        })
    }
}
