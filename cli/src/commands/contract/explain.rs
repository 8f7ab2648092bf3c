//! `penstock contract explain`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use penstock_contract::{Explanation, explain};
use serde_json::json;

use crate::contracts::{self, OverlayArg};
use crate::exit::{Exit, SUCCESS};

#[derive(Debug, Args)]
pub(crate) struct ExplainCommand {
    /// An ODCS file
    file: PathBuf,
    #[command(flatten)]
    overlay: OverlayArg,
    /// Explain this source only, for a contract that describes several
    #[arg(long)]
    source: Option<String>,
    /// Print JSON, a list when the contract describes several sources
    #[arg(long)]
    json: bool,
}

impl ExplainCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        let document = contracts::read_valid(&self.file, &self.overlay, self.source.as_deref())?;
        let explanations: Vec<Explanation> = match &self.source {
            Some(source) => vec![explain(&contracts::select(document, Some(source))?)],
            None => document.contracts.iter().map(explain).collect(),
        };
        match explanations.as_slice() {
            [only] if self.json => outln!("{:#}", json!(only)),
            all if self.json => outln!("{:#}", json!(all)),
            all => {
                for (index, explanation) in all.iter().enumerate() {
                    if index > 0 {
                        outln!();
                    }
                    out!("{explanation}");
                }
            }
        }
        Ok(SUCCESS)
    }
}
