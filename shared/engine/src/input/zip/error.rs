//! Errors of archives.

use std::io;

/// An archive that is well-formed but uses a feature that is not supported.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::input) struct UnsupportedFeature(String);

pub(super) fn unsupported(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, UnsupportedFeature(message.into()))
}

pub(super) fn corrupt(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
