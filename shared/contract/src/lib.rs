//! Open Data Contract Standard (ODCS v3.1) files, read into a typed [`Contract`].
//!
//! Pure: no file system, no network, no clock. [`parse`] takes the text and answers with the contract or
//! with every error at once, each with its path, line and mend.

mod at;
mod custom;
mod date_format;
mod decimal;
mod error;
mod literal;
mod model;
mod node;
mod odcs;
mod options;
mod property;
mod quality;
mod read;
mod server;
mod shape;
mod sql_type;

pub use custom::{CUSTOM_PROPERTIES, CustomProperty, Level};
pub use error::{ContractError, ContractErrors};
pub use model::*;

/// Reads a contract. `file_name` is only for the errors.
///
/// # Errors
/// Everything that is wrong with the contract, in the order of the file.
pub fn parse(file_name: &str, text: &str) -> Result<Contract, ContractErrors> {
    let mut errors = error::Errors::default();
    let contract =
        node::read(text, &mut errors).and_then(|root| read::contract(&at::At::root(&root), &mut errors));
    errors.finish(file_name, contract)
}
