//! `penstock down`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use penstock_local::LocalError;

use crate::exit::{Exit, SUCCESS};
use crate::settings;

/// Stop the local stack. Its folder and logs remain.
#[derive(Debug, Args)]
pub(crate) struct DownCommand {
    /// The stack's folder [default: the nearest .penstock]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl DownCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        let state_dir = self.state_dir.map_or_else(settings::state_dir, Ok)?;
        match penstock_local::down(&state_dir) {
            Ok(()) => errln!("stopped"),
            // Stopping a stopped stack is not an error.
            Err(LocalError::NotRunning { .. }) => errln!("nothing is running in {}", state_dir.display()),
            Err(error) => return Err(error.into()),
        }
        Ok(SUCCESS)
    }
}
