//! Open Data Contract Standard (ODCS v3.1) files, read into a typed [`Contract`].
//!
//! Pure: no file system, no network, no clock. [`parse`] takes the text and answers with the contract or
//! with every error at once, each with its path, line and mend. How a contract is written: `docs/contract.md`.
//!
//! ```
//! let errors = penstock_contract::parse(
//!     "shop.yaml",
//!     "apiVersion: v3.1.0\nkind: DataContract\nid: shop\nname: My Shop\nversion: 1.0.0\nstatus: active\nserver: []\n",
//! )
//! .expect_err("it has faults");
//! assert!(errors.to_string().contains("shop.yaml:4: name: `My Shop` cannot name a source"));
//! assert!(errors.to_string().contains("shop.yaml:7: server: `server` is not a key of ODCS v3.1 here; did you mean `servers`?"));
//! ```
//!
//! The way of a text: `node` reads YAML into a tree whose nodes know their line; `shape` tells every key that the
//! standard (`odcs`) or Penstock (`custom`) does not have; `read`, with `server` and `property` under it, makes the
//! types of `model`.

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
pub mod iso8601;
mod literal;
mod model;
mod nested;
mod node;
mod numeric_time;
mod odcs;
mod options;
mod property;
mod quality;
mod read;
mod server;
mod shape;
mod sla;
mod sql_type;

pub use custom::{CUSTOM_PROPERTIES, CustomProperty, Level};
pub use diff::{Change, ChangeKind, diff};
pub use error::{ContractError, ContractErrors};
pub use explain::{Explanation, explain};
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
