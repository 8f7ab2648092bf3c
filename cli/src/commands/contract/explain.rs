//! `penstock contract explain`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::read;
use crate::exit::{Exit, SUCCESS};

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// An ODCS file
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Exit> {
        let explanation = penstock_contract::explain(&read(&self.file)?);
        if self.json {
            outln!("{:#}", json!(explanation));
        } else {
            out!("{explanation}");
        }
        Ok(SUCCESS)
    }
}
