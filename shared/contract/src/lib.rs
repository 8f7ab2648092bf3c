//! Open Data Contract Standard (ODCS v3.1) files, read into a typed [`Contract`].
//!
//! Pure: no file system, no network, no clock. [`parse`] takes the text and returns the contract or
//! every error at once, each with its path, line and fix. How a contract is written: `docs/contract.md`.
//!
//! ```
//! let errors = penstock_contract::parse(
//!     "shop.yaml",
//!     "apiVersion: v3.1.0\nkind: DataContract\nid: shop\nname: My Shop\nversion: 1.0.0\nstatus: active\nserver: []\n",
//! )
//! .expect_err("it has faults");
//! assert!(errors.to_string().contains("shop.yaml:1: needs more: add `schema` with an object"));
//! assert!(errors.to_string().contains("shop.yaml:7: server: `server` is not a key of ODCS v3.1 here; did you mean `servers`?"));
//! ```
//!
//! The way of a text: `node` reads YAML into a tree whose nodes know their line; `overlay` merges a second tree into it;
//! `validate` reports what the standard (`odcs`, in the terms of `shape`) does not allow, and custom properties that Penstock
//! (`custom`) does not have; `read`, with `source`, `server` and `property` under it, makes the types of `model`, and reports what
//! Penstock needs beyond the standard.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

mod at;
pub mod civil;
mod custom;
mod date_format;
pub mod ddl;
mod decimal;
pub mod diff;
mod error;
pub mod explain;
mod impossible;
pub mod iso8601;
mod literal;
mod model;
mod names;
mod nested;
mod node;
mod notes;
mod numeric_time;
mod odcs;
mod options;
mod overlay;
mod property;
mod quality;
mod read;
pub mod row_size;
mod server;
mod shape;
mod sla;
mod source;
mod sql_type;
mod validate;
mod write;

pub use custom::{CUSTOM_PROPERTIES, CustomProperty, Level};
pub use diff::{Change, ChangeKind, diff};
pub use error::{ContractError, ContractErrors, FaultKind, FileLine, Note};
pub use explain::{Explanation, explain};
pub use model::*;

/// A YAML file: its name, which is only for messages, and its text.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'t> {
    /// The file, as messages name it.
    pub name: &'t str,
    /// What is in it.
    pub text: &'t str,
}

/// The contracts of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// One for each object of the schema, or for the one that was asked for, in the order of the file; at least one, and no two of one source.
    pub contracts: Vec<Contract>,
    /// What is valid but has no effect, in the order of the file.
    pub notes: Vec<Note>,
    /// The contract with its overlay merged into it, as YAML; `None` without an overlay. The same two files give the same
    /// text.
    pub merged: Option<String>,
}

/// Reads every contract of a file, or that of one `source` whatever the others lack, completed by an overlay: a partial
/// contract with what Penstock needs beyond the producer's.
///
/// # Errors
/// Everything that is wrong with the two files, in their order.
pub fn parse_document(
    contract: SourceFile<'_>,
    overlay: Option<SourceFile<'_>>,
    source: Option<&str>,
) -> Result<Document, ContractErrors> {
    let mut errors = error::Errors::default();
    let files = [Some(contract.name), overlay.map(|overlay| overlay.name)];
    let files: Vec<&str> = files.into_iter().flatten().collect();
    let root = node::read(contract.text, 0, &mut errors);
    let root = match overlay {
        None => root,
        Some(overlay) => {
            let overlay = node::read(overlay.text, 1, &mut errors);
            root.and_then(|root| overlay::merge(root, &overlay?, &mut errors))
        }
    };
    let read = root.and_then(|root| {
        let at = at::At::root(&root);
        notes::add(&at, read::is_v3_0(&at), &mut errors);
        let contracts = read::contracts(&at, source, &mut errors)?;
        Ok((contracts, overlay.map(|_| write::yaml(&root))))
    });
    let ((contracts, merged), notes) = errors.finish(&files, read)?;
    Ok(Document { contracts, notes, merged })
}

/// Reads the contract of one source from a file that may describe others, too. A file with one object has that one,
/// whatever its source.
///
/// # Errors
/// Everything that is wrong with the contract, in the order of the file.
pub fn parse_source(file_name: &str, text: &str, source: &str) -> Result<Contract, ContractErrors> {
    one(file_name, text, Some(source))
}

/// Reads the one contract of a file. `file_name` is only for the errors.
///
/// # Errors
/// Everything that is wrong with the contract, in the order of the file. That it describes several sources.
pub fn parse(file_name: &str, text: &str) -> Result<Contract, ContractErrors> {
    one(file_name, text, None)
}

fn one(file_name: &str, text: &str, source: Option<&str>) -> Result<Contract, ContractErrors> {
    let mut errors = error::Errors::default();
    let root = node::read(text, 0, &mut errors);
    let contract = root.and_then(|root| {
        let at = at::At::root(&root);
        let contracts = read::contracts(&at, source, &mut errors)?;
        match <[Contract; 1]>::try_from(contracts) {
            Ok([contract]) => Ok(contract),
            Err(contracts) => {
                let sources: Vec<&str> = contracts.iter().map(|contract| contract.source.as_str()).collect();
                let message = format!("describes several sources: `{}`; choose one", sources.join("`, `"));
                Err(at.clone().strict().report(&mut errors, message))
            }
        }
    });
    errors.finish(&[file_name], contract).map(|(contract, _)| contract)
}
