//! The commands, one file each.

mod check;
mod contract;
mod down;
mod drop;
mod rejects;
mod runtime;
mod sentinel;
mod status;
mod up;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::exit::Exit;
use runtime::block_on;

/// Drop a file in S3, get clean rows in PostgreSQL, and account for every row.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status:\n   \
                  0  success\n   \
                  1  some rows or contracts have errors, or a change is breaking\n   \
                  2  refused by a rule, or an incomplete contract\n   \
                  3  unreadable or failed\n   \
                  4  not finished within the time limit\n  \
                  64  the command could not run"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the local stack
    Up(up::UpCommand),
    /// Stop the local stack
    Down(down::DownCommand),
    /// Upload a file as a drop of a source
    Drop(drop::DropCommand),
    /// Show recent receipts and queue depths
    Status(status::StatusCommand),
    /// Check files against a contract on this machine, without a stack
    Check(check::CheckCommand),
    /// Show the rejected rows of a batch with their reasons
    Rejects(rejects::RejectsCommand),
    /// Run the local stack's sentinel now: late sources, missed drops, stuck batches
    Sentinel(sentinel::SentinelCommand),
    /// Infer, check, compare, explain and publish contracts
    #[command(subcommand)]
    Contract(contract::ContractCommand),
}

/// Runs the command of the command line.
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
