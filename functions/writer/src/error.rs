//! Why a chunk was not applied.

use penstock_aws::commit::CommitError;
use penstock_aws::database::DatabaseError;
use penstock_aws::store::StoreError;
use penstock_pipeline::{DeadReason, MessageError, Outcome};

/// Why a chunk was not applied, or its batch not closed. No row values.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The body is no load message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The object store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A manifest or a receipt.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The contract version that the message names cannot be used.
    #[error("contract {source_name} {version}: {problem}")]
    Contract {
        /// The source.
        source_name: String,
        /// The contract's version.
        version: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The target table is not what the contract needs.
    #[error("table {table}: {problem}")]
    TableMismatch {
        /// The table, quoted.
        table: String,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// The chunk's bytes are not those that its message tells of.
    #[error("{place}: SHA-256 {found}, but the message says {expected}")]
    Checksum {
        /// URI, or that it came inline.
        place: String,
        /// As the message says.
        expected: String,
        /// Of the bytes.
        found: String,
    },
    /// The chunk's bytes cannot be read as what its message says.
    #[error("{place}: {problem}")]
    Chunk {
        /// URI, or that it came inline.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The batch has no manifest, though its chunks are there.
    #[error("s3://{bucket}/{key}: the manifest is gone; the rows are loaded, the batch cannot be closed")]
    NoManifest {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// The counts of a transaction contradict each other; it was rolled back.
    #[error("table {table}: {problem}")]
    Miscounted {
        /// The table, quoted.
        table: String,
        /// Which counts.
        problem: String,
    },
    /// The invocation's time is over.
    #[error("no time left in this invocation")]
    OutOfTime,
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl LoadError {
    /// True when the same message may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Database(error) => error.is_transient(),
            Self::Commit(error) => error.is_transient(),
            Self::OutOfTime => true,
            Self::Message(error) => error.is_newer(),
            Self::Contract { .. }
            | Self::TableMismatch { .. }
            | Self::Checksum { .. }
            | Self::Chunk { .. }
            | Self::NoManifest { .. }
            | Self::Miscounted { .. } => false,
        }
    }

    /// The stable code that a dead letter carries.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Message(_) => "invalid_message",
            Self::Store(StoreError::NotFound { .. }) => "chunk_missing",
            Self::Store(_) => "store_refused",
            Self::Commit(_) => "batch_not_closed",
            Self::Contract { .. } => "contract_unusable",
            Self::TableMismatch { .. } => "table_mismatch",
            Self::Checksum { .. } => "checksum_mismatch",
            Self::Chunk { .. } => "invalid_chunk",
            Self::NoManifest { .. } => "manifest_missing",
            Self::Miscounted { .. } => "miscounted",
            Self::OutOfTime => "out_of_time",
            Self::Database(error) => match error.sql().map(|failure| &failure.sqlstate[..]) {
                Some(sqlstate) if sqlstate.starts_with("23") => "constraint_violated",
                Some(sqlstate) if sqlstate.starts_with("22") => "invalid_data",
                Some("42501") => "permission_denied",
                Some(_) | None => "database_refused",
            },
        }
    }

    /// What becomes of a message that was delivered `receive_count` times.
    pub fn outcome(&self, receive_count: u32) -> Outcome {
        if self.is_transient() {
            return Outcome::retry_after(receive_count);
        }
        Outcome::Dead(DeadReason { code: self.code(), message: self.to_string() })
    }
}
