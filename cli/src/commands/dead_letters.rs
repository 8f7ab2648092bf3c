//! `penstock dead-letters`

mod letter;
mod list;
mod queue;
mod redrive;
mod remove;
mod selection;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::commands::runtime::block_on;
use crate::exit::Exit;

/// List, show, redrive and drop the messages of the dead-letter queues
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List the dead letters with their reasons
    List(list::ListCommand),
    /// Show one dead letter
    Show(show::ShowCommand),
    /// Send dead letters to the queues that they came from
    Redrive(redrive::RedriveCommand),
    /// Delete dead letters
    Drop(remove::RemoveCommand),
}

impl DeadLettersCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::List(list) => block_on(list.run()),
            Self::Show(show) => block_on(show.run()),
            Self::Redrive(redrive) => block_on(redrive.run()),
            Self::Drop(remove) => block_on(remove.run()),
        }
    }
}
