//! The commands, one file each.

mod backfill;
mod check;
mod contract;
mod dead_letters;
mod down;
mod drop;
mod receipt;
mod reconcile;
mod rejects;
mod replay;
mod republish;
mod runtime;
mod sentinel;
mod status;
mod up;
mod withdraw;

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
    /// Print the receipt of a file or a batch
    Receipt(receipt::ReceiptCommand),
    /// Show the rejected rows of a batch with their reasons
    Rejects(rejects::RejectsCommand),
    /// Run the local stack's sentinel now: late sources, missed drops, stuck batches
    Sentinel(sentinel::SentinelCommand),
    /// Process files again, for example under a corrected contract
    Replay(replay::ReplayCommand),
    /// Process files that were in the bucket before the pipeline
    Backfill(backfill::BackfillCommand),
    /// Send the chunks of a batch again that the ledger lacks
    Republish(republish::RepublishCommand),
    /// After a restore of the database, find what it lacks and send it again
    Reconcile(reconcile::ReconcileCommand),
    /// Delete the rows of a batch and restore those that they replaced
    Withdraw(withdraw::WithdrawCommand),
    /// List, show, redrive and drop the messages of the dead-letter queues
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
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
        Command::Receipt(receipt) => block_on(receipt.run()),
        Command::Replay(replay) => block_on(replay.run()),
        Command::Backfill(backfill) => block_on(backfill.run()),
        Command::Republish(republish) => block_on(republish.run()),
        Command::Reconcile(reconcile) => block_on(reconcile.run()),
        Command::Withdraw(withdraw) => block_on(withdraw.run()),
        Command::DeadLetters(letters) => letters.run(),
        Command::Contract(contract) => contract.run(),
    }
}
