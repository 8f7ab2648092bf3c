//! Errors of archives.

use std::io;

/// A well-formed archive that uses an unsupported feature.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::input) struct UnsupportedFeature(String);

pub(super) fn unsupported(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, UnsupportedFeature(message.into()))
}

pub(super) fn corrupt(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
