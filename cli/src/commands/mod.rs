//! The commands, a file each.

mod check;
mod contract;
mod down;
mod drop;
mod rejects;
mod sentinel;
mod status;
mod up;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// Drop a file in S3, get clean rows in PostgreSQL, and know what became of each.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 done · 1 some rows or contracts have faults, or a change is breaking · 2 refused by a rule · 3 unreadable or \
                  failed · 4 not ended in time · 64 the command could not do its work"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the local stack
    Up(up::Up),
    /// Stop the local stack
    Down(down::Down),
    /// Upload a file as a drop of a source
    Drop(drop::DropFile),
    /// Show recent receipts, and what waits in the queues
    Status(status::Status),
    /// Take files through a contract here, without a stack
    Check(check::Check),
    /// Show a batch's rejected rows and why
    Rejects(rejects::Rejects),
    /// Look for late sources, missed drops and stuck batches now (local stack)
    Sentinel(sentinel::Sentinel),
    /// Infer contracts, check, compare, explain and publish them
    #[command(subcommand)]
    Contract(contract::Contract),
}

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> Result<Exit> {
    match cli.command {
        Command::Up(up) => up.run(),
        Command::Down(down) => down.run(),
        Command::Drop(drop) => block_on(drop.run()),
        Command::Status(status) => block_on(status.run()),
        Command::Check(check) => check.run(),
        Command::Rejects(rejects) => block_on(rejects.run()),
        Command::Sentinel(sentinel) => block_on(sentinel.run()),
        Command::Contract(contract) => contract.run(),
    }
}

/// Runs a command that talks to AWS.
fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(command)
}

/// What waits for AWS.
fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("starting the runtime")
}
