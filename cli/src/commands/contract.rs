//! `penstock contract`

mod catalog;
mod diff;
mod explain;
mod files;
mod infer;
mod lint;
mod publish;

use anyhow::Result;
use clap::Subcommand;

use super::runtime::block_on;
use crate::exit::Exit;
use files::ContractFiles;

/// Infer, check, compare, explain and publish contracts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// Check contracts: exit status 0 ready, 1 invalid, 2 valid but incomplete for Penstock
    Lint(ContractFiles),
    /// Print the changes between two contracts: exit status 1 when a change is breaking
    Diff(diff::DiffCommand),
    /// Print the tables of the lake that these contracts create, for Terraform's catalog
    Catalog(catalog::CatalogCommand),
    /// Write a contract that accepts a sample
    Infer(infer::InferCommand),
    /// Describe a contract in words, with the table that it creates
    Explain(explain::ExplainCommand),
    /// Publish contracts: new drops are processed with them
    Publish(ContractFiles),
}

impl ContractCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Lint(files) => lint::run(&files),
            Self::Diff(diff) => diff.run(),
            Self::Catalog(catalog) => catalog.run(),
            Self::Infer(infer) => infer.run(),
            Self::Explain(explain) => explain.run(),
            Self::Publish(files) => block_on(publish::run(files)),
        }
    }
}
