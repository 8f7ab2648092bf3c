//! `penstock contract diff`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use penstock_contract::diff::{is_breaking, version_fault};
use serde_json::json;

use super::read;
use crate::exit::{Exit, REJECTS, SUCCESS};

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The contract as it was
    old: PathBuf,
    /// The contract as it shall be
    new: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(crate) fn run(self) -> Result<Exit> {
        let (old, new) = (read(&self.old)?, read(&self.new)?);
        let changes = penstock_contract::diff(&old, &new);
        let breaking = is_breaking(&changes);
        let fault = version_fault(&old, &new, &changes);
        if self.json {
            let answer = json!({
                "old": old.version,
                "new": new.version,
                "breaking": breaking,
                "changes": changes,
                "version_fault": fault,
            });
            outln!("{answer:#}");
        } else {
            for change in &changes {
                outln!("{change}");
            }
            if changes.is_empty() {
                outln!("no change that has an effect");
            }
            if let Some(fault) = fault {
                errln!("{fault}");
            }
        }
        Ok(if breaking { REJECTS } else { SUCCESS })
    }
}
