#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

pub mod civil;
mod column_checks;
mod custom;
mod date_format;
pub mod ddl;
mod decimal;
mod declared_type;
pub mod diff;
mod entity;
mod error;
pub mod explain;
mod harmonise;
mod impossible;
pub mod iso8601;
mod literal;
mod logical_name;
mod model;
mod names;
mod nested;
mod node;
mod node_ref;
mod notes;
mod numeric_time;
mod odcs;
mod options;
mod overlay;
mod pattern;
mod property;
mod quality;
mod read;
pub mod row_size;
mod server;
mod settings;
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

use node_ref::NodeRef;

/// A YAML file.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'t> {
    /// The name of the file, used only in messages.
    pub name: &'t str,
    /// The text of the file.
    pub text: &'t str,
}

/// The contracts of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// One contract for each object of the schema, or only that of the requested source, in the order of the file. There is
    /// at least one, and each has its own source.
    pub contracts: Vec<Contract>,
    /// The parts that are valid but have no effect, in the order of the file.
    pub notes: Vec<Note>,
    /// The contract merged with its overlay, as YAML, or `None` without an overlay. The same two files always yield the
    /// same text.
    pub merged: Option<String>,
}

/// Reads the contracts of a file, completed by an overlay, which is a partial contract with the parts that the producer's
/// contract lacks. With a `source`, only its contract is read, even if others are incomplete.
///
/// # Errors
/// Returns every error in the two files, in their order.
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
        let at = NodeRef::root(&root);
        notes::add(&at, read::is_v3_0(&at), &mut errors);
        let contracts = read::contracts(&at, source, &mut errors)?;
        Ok((contracts, overlay.map(|_| write::yaml(&root))))
    });
    let ((contracts, merged), notes) = errors.finish(&files, read)?;
    Ok(Document { contracts, notes, merged })
}

/// Reads the contract of one source from a file that may describe several. If the file has only one object, its contract
/// is returned regardless of its source.
///
/// # Errors
/// Returns every error in the contract, in the order of the file.
pub fn parse_source(file_name: &str, text: &str, source: &str) -> Result<Contract, ContractErrors> {
    parse_single(file_name, text, Some(source))
}

/// Reads the only contract of a file. `file_name` is used only in errors.
///
/// # Errors
/// Returns every error in the contract, in the order of the file. A contract of several sources is an error.
pub fn parse(file_name: &str, text: &str) -> Result<Contract, ContractErrors> {
    parse_single(file_name, text, None)
}

fn parse_single(file_name: &str, text: &str, source: Option<&str>) -> Result<Contract, ContractErrors> {
    let mut errors = error::Errors::default();
    let root = node::read(text, 0, &mut errors);
    let contract = root.and_then(|root| {
        let at = NodeRef::root(&root);
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
