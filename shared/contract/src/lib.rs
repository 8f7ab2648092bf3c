//! Open Data Contract Standard (ODCS v3.1) files, read into a typed [`Contract`].
//!
//! Pure: no file system, no network, no clock. [`parse`] takes the text and answers with the contract or
//! with every error at once, each with its path, line and mend.

mod model;

pub use model::*;
