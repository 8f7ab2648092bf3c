//! The arguments of the commands that check contract files.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use penstock_contract::{ContractErrors, FaultKind};
use penstock_engine::{Plan, PlanError, PseudonymKey};
use serde_json::json;

use crate::contracts::{self, ContractFile, OverlayArg};

#[derive(Debug, Args)]
pub(crate) struct ContractFiles {
    /// ODCS files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overlay: OverlayArg,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The errors of a contract.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContractProblems {
    /// The contract cannot be parsed.
    #[error(transparent)]
    Contract(ContractErrors),
    /// The contract cannot be compiled.
    #[error("{1}")]
    Plan(FaultKind, String),
}

impl ContractFiles {
    /// Checks each file.
    pub(super) fn check(&self) -> Result<Vec<(&Path, Result<ContractFile, ContractProblems>)>> {
        let has_one = self.files.len() == 1;
        ensure!(self.overlay.overlay.is_none() || has_one, "--overlay needs exactly one contract file");
        self.files.iter().map(|file| Ok((file.as_path(), check(file, &self.overlay)?))).collect()
    }
}

/// Parses and compiles the contracts of a file. The outer error is about the file, the inner one about its content.
fn check(file: &Path, overlay: &OverlayArg) -> Result<Result<ContractFile, ContractProblems>> {
    let parsed = match contracts::read(file, overlay, None)? {
        Ok(parsed) => parsed,
        Err(errors) => return Ok(Err(ContractProblems::Contract(errors))),
    };
    // The plan does not depend on the key, and each environment has its own.
    let any_key = PseudonymKey::new(&[0; PseudonymKey::MIN_BYTES])?;
    for contract in &parsed.document.contracts {
        if let Err(error) = Plan::compile_with(contract, Some(&any_key)) {
            let kind = match error {
                PlanError::UnknownEncoding(_) => FaultKind::Invalid,
                PlanError::NoPseudonymKey(_)
                | PlanError::ShortPseudonymKey { .. }
                | PlanError::Column { .. } => FaultKind::NeedsMore,
            };
            let message = format!("{}: {}: {error}", file.display(), contract.source);
            return Ok(Err(ContractProblems::Plan(kind, message)));
        }
    }
    Ok(Ok(parsed))
}

impl ContractProblems {
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Contract(errors) => json!(errors),
            Self::Plan(kind, message) => json!([{ "kind": kind, "message": message }]),
        }
    }

    /// Returns whether the contract is valid and only incomplete.
    pub(super) fn only_need_more(&self) -> bool {
        match self {
            Self::Contract(errors) => errors.only_need_more(),
            Self::Plan(kind, _) => *kind == FaultKind::NeedsMore,
        }
    }
}
