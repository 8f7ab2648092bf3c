//! The pseudonym key, which is read when the first contract needs it.

use penstock_aws::secrets::{ReadSecret, SecretError};
use penstock_engine::PseudonymKey;
use tokio::sync::OnceCell;

/// The secret with the key, and the key after it was read. The key is cached for the life of the execution environment:
/// it cannot be rotated by itself, because with another key, equal values would get other pseudonyms.
pub(crate) struct Pseudonyms {
    secrets: Box<dyn ReadSecret>,
    secret_arn: Option<String>,
    key: OnceCell<PseudonymKey>,
}

impl Pseudonyms {
    pub(crate) fn new(secrets: impl ReadSecret + 'static, secret_arn: Option<String>) -> Self {
        Self { secrets: Box::new(secrets), secret_arn, key: OnceCell::new() }
    }

    /// Returns the key, or `None` if no secret is configured.
    ///
    /// # Errors
    /// Returns an error if the secret cannot be read, or is too short for a key.
    pub(crate) async fn key(&self) -> Result<Option<&PseudonymKey>, SecretError> {
        let Some(arn) = &self.secret_arn else { return Ok(None) };
        self.key.get_or_try_init(|| self.read(arn)).await.map(Some)
    }

    async fn read(&self, arn: &str) -> Result<PseudonymKey, SecretError> {
        let text = self.secrets.text(arn).await?;
        PseudonymKey::new(text.trim().as_bytes()).map_err(|_| SecretError::Malformed {
            id: arn.to_owned(),
            problem: "is too short for a key: generate one with `openssl rand -hex 32`",
        })
    }
}
