//! Secrets in memory.

use std::collections::BTreeMap;

use crate::secrets::{ReadSecret, SecretError, SecretFuture};

/// Secrets by name. A missing secret is refused permanently; reading an empty one fails as if throttled.
#[derive(Debug, Default)]
pub struct MemorySecrets(BTreeMap<String, String>);

impl MemorySecrets {
    /// Returns these secrets, given as pairs of name and text.
    pub fn new<const N: usize>(secrets: [(&str, &str); N]) -> Self {
        Self(secrets.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect())
    }
}

impl ReadSecret for MemorySecrets {
    fn text<'a>(&'a self, id: &'a str) -> SecretFuture<'a> {
        let id_owned = || id.to_owned();
        let text = match self.0.get(id).map(String::as_str) {
            None => Err(SecretError::Refused { id: id_owned(), message: "no such secret".to_owned() }),
            Some("") => Err(SecretError::Transient { id: id_owned(), message: "throttled".to_owned() }),
            Some(text) => Ok(text.to_owned()),
        };
        Box::pin(std::future::ready(text))
    }
}
