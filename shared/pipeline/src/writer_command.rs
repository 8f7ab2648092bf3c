//! Commands of an operator that need the database. The CLI invokes the writer with one; the response is the answer.
//!
//! The writer alone has a connection to the database. An invocation with a command is synchronous and does not pass
//! through a queue, so it does not wait behind chunks.
//!
//! ```
//! use penstock_pipeline::writer_command::{WriterCommand, WriterRequest};
//!
//! let request = WriterRequest { command: WriterCommand::Ledger { batches: Vec::new() } };
//! let json = r#"{"penstock_command":{"ledger":{"batches":[]}}}"#;
//! assert_eq!(serde_json::to_string(&request).unwrap(), json);
//! ```

use serde::{Deserialize, Serialize};

use crate::{BatchId, MissingChunk};

/// The payload of an invocation with a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterRequest {
    /// The command.
    #[serde(rename = "penstock_command")]
    pub command: WriterCommand,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriterCommand {
    /// Returns what the ledger has of batches. Answer: [`WriterAnswer::Ledger`].
    Ledger {
        /// At most [`MAX_LEDGER_BATCHES`] batches.
        batches: Vec<BatchId>,
    },
    /// Withdraws a batch: deletes its rows, and restores the rows that they replaced. Answer: [`WriterAnswer::Withdrawn`].
    Withdraw {
        /// The batch.
        batch: BatchId,
        /// Only counts the rows.
        dry_run: bool,
    },
    /// Compares a published contract with the target table. Answer: [`WriterAnswer::Table`].
    CheckTable {
        /// The text of the contract.
        contract: String,
        /// The source, whose part of the contract is checked.
        source: String,
    },
}

/// The maximum number of batches of one `ledger` command.
pub const MAX_LEDGER_BATCHES: usize = 500;

/// The answer of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriterAnswer {
    /// The batches that the ledger has, in the order of the command.
    Ledger(Vec<LedgerBatch>),
    /// The withdrawn batch.
    Withdrawn(WithdrawnRows),
    /// The differences between the contract and the table.
    Table(TableCheck),
    /// The command failed.
    Failed {
        /// The reason, and what to do.
        message: String,
        /// Whether the same command may succeed later.
        transient: bool,
    },
}

/// What the ledger has of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerBatch {
    /// The batch.
    pub batch_id: BatchId,
    /// The state in `penstock.batch`; `None` if the batch is not in it.
    pub state: Option<String>,
    /// The batch that replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<BatchId>,
    /// Whether no further chunk of it is applied.
    #[serde(default)]
    pub stopped: bool,
    /// Indexes of the applied chunks, from 0, in ascending order.
    pub chunks: Vec<u32>,
    /// Rows of those chunks that were inserted or replaced an older row.
    pub loaded: u64,
    /// Rows of those chunks that lost to another row of the batch.
    pub deduplicated: u64,
    /// Rows of those chunks that lost to a newer row of another batch.
    pub superseded: u64,
    /// Chunks that were moved to the dead-letter queue.
    #[serde(default)]
    pub missing: Vec<MissingChunk>,
}

/// The rows that a withdrawal changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawnRows {
    /// Rows of the batch that are deleted.
    pub deleted: u64,
    /// Rows of other batches that they had replaced and that are restored; `None` in a dry run, which does not read the
    /// chunks of other batches.
    pub restored: Option<u64>,
}

/// The differences between a contract and its target table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCheck {
    /// Whether the table exists.
    pub exists: bool,
    /// Columns that the writer will add.
    pub added_columns: Vec<String>,
    /// The reason why the table cannot take the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
