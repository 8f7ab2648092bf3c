//! `penstock contract`

mod catalog;
mod diff;
mod explain;
mod infer;
mod lint;
mod publish;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use penstock_contract::{ContractErrors, FaultKind};
use penstock_engine::{Plan, PlanError, PseudonymKey};
use serde_json::json;

use crate::commands::block_on;
use crate::contracts::{self, ContractFile, OverlayArg};
use crate::exit::Exit;

/// Check contracts, compare, explain and publish them.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Check contracts: exit status 0 ready, 1 not valid, 2 valid but Penstock needs more
    Lint(Files),
    /// Print what changed from one contract to the next: exit status 1 when a change is breaking
    Diff(diff::Diff),
    /// Print the lake's tables for Terraform's catalog, as these contracts make them
    Catalog(catalog::Catalog),
    /// Write a contract from a sample, which that contract then accepts
    Infer(infer::Infer),
    /// Describe a contract in words, with the table that it makes
    Explain(explain::Explain),
    /// Make contracts the ones that new drops are processed with
    Publish(Files),
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// ODCS files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overlay: OverlayArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is wrong with a contract.
#[derive(Debug, thiserror::Error)]
enum Faults {
    #[error(transparent)]
    Contract(ContractErrors),
    #[error("{1}")]
    Plan(FaultKind, String),
}

impl Faults {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Contract(errors) => json!(errors),
            Self::Plan(kind, message) => json!([{ "kind": kind, "message": message }]),
        }
    }

    /// True when the contract is valid and only incomplete.
    fn only_need_more(&self) -> bool {
        match self {
            Self::Contract(errors) => errors.only_need_more(),
            Self::Plan(kind, _) => *kind == FaultKind::NeedsMore,
        }
    }
}

impl Contract {
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

impl Files {
    /// Checks each file.
    fn check(&self) -> Result<Vec<(&Path, Result<ContractFile, Faults>)>> {
        let is_one = self.files.len() == 1;
        ensure!(self.overlay.overlay.is_none() || is_one, "--overlay completes one contract: name one file");
        self.files.iter().map(|file| Ok((file.as_path(), check(file, &self.overlay)?))).collect()
    }
}

/// Reads and compiles the contracts of a file; the outer error is the file's, the inner one the contract's.
fn check(file: &Path, overlay: &OverlayArg) -> Result<Result<ContractFile, Faults>> {
    let read = match contracts::read(file, overlay, None)? {
        Ok(read) => read,
        Err(errors) => return Ok(Err(Faults::Contract(errors))),
    };
    // Whatever the key, the plan is the same: the environment has its own.
    let any_key = PseudonymKey::new(&[0; PseudonymKey::MIN_BYTES])?;
    for contract in &read.document.contracts {
        if let Err(error) = Plan::compile_with(contract, Some(&any_key)) {
            let kind = match error {
                PlanError::UnknownEncoding(_) => FaultKind::Invalid,
                PlanError::NoPseudonymKey(_)
                | PlanError::ShortPseudonymKey { .. }
                | PlanError::Column { .. } => FaultKind::NeedsMore,
            };
            return Ok(Err(Faults::Plan(kind, format!("{}: {}: {error}", file.display(), contract.source))));
        }
    }
    Ok(Ok(read))
}
