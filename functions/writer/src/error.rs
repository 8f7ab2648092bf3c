//! The reasons why a chunk is not applied.

use penstock_aws::commit::CommitError;
use penstock_aws::database::{DatabaseError, SqlFailure};
use penstock_aws::store::StoreError;
use penstock_pipeline::{DeadCode, MessageError, Outcome};

/// The reason why a chunk was not applied, or its batch not closed. Messages contain no row values.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The body is not a load message.
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
        /// The problem.
        problem: String,
    },
    /// The target table does not match the contract.
    #[error("table {table}: {problem}")]
    TableMismatch {
        /// The table, quoted.
        table: String,
        /// The difference, and what to do.
        problem: String,
    },
    /// The target table was changed while the chunk was loaded.
    #[error("table {table} was changed while the chunk was being loaded")]
    TableChanged {
        /// The table, quoted.
        table: String,
    },
    /// The target table is left alone for a moment.
    #[error(
        "table {table} is left alone for a moment: it was locked, or is slow and loaded by another writer"
    )]
    TableBusy {
        /// The table, quoted.
        table: String,
    },
    /// The chunk's bytes do not have the SHA-256 of its message.
    #[error("{location}: SHA-256 is {found}, but the message has {expected}")]
    Checksum {
        /// The URI, or that the chunk was inline.
        location: String,
        /// The message's SHA-256.
        expected: String,
        /// The SHA-256 of the bytes.
        found: String,
    },
    /// The chunk, or its description in the message, is invalid.
    #[error("{location}: {problem}")]
    Chunk {
        /// The URI, or which chunk it is.
        location: String,
        /// The problem.
        problem: String,
    },
    /// The batch has chunks but no manifest.
    #[error(
        "s3://{bucket}/{key}: the manifest does not exist; the rows are loaded, but the batch cannot be closed"
    )]
    NoManifest {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// The counts of a transaction contradict each other. It was rolled back.
    #[error("table {table}: {problem}")]
    Miscounted {
        /// The table, quoted.
        table: String,
        /// The contradiction.
        problem: String,
    },
    /// The database refuses more rows of the batch than the contract allows.
    #[error("{problem}")]
    TooManyRejects {
        /// The counts and the limit.
        problem: String,
    },
    /// RDS reports that the instance is not available. No connection was attempted.
    #[error("the database instance is not available: RDS reports its status as {status}")]
    InstanceNotAvailable {
        /// RDS's name of the status.
        status: String,
    },
    /// The invocation's time has run out.
    #[error("no time left in this invocation")]
    OutOfTime,
}

impl From<tokio_postgres::Error> for LoadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl LoadError {
    /// Returns true when the same message may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Database(error) => error.is_transient(),
            Self::Commit(error) => error.is_transient(),
            Self::TableChanged { .. }
            | Self::TableBusy { .. }
            | Self::InstanceNotAvailable { .. }
            | Self::OutOfTime => true,
            Self::Message(error) => error.is_newer(),
            Self::Contract { .. }
            | Self::TableMismatch { .. }
            | Self::Checksum { .. }
            | Self::Chunk { .. }
            | Self::NoManifest { .. }
            | Self::TooManyRejects { .. }
            | Self::Miscounted { .. } => false,
        }
    }

    /// Returns true when the session must not be used again.
    pub fn breaks_session(&self) -> bool {
        match self {
            Self::Database(error) => error.breaks_session(),
            Self::Store(_)
            | Self::Commit(_)
            | Self::InstanceNotAvailable { .. }
            | Self::OutOfTime
            | Self::Message(_)
            | Self::Contract { .. }
            | Self::TableMismatch { .. }
            | Self::TableChanged { .. }
            | Self::TableBusy { .. }
            | Self::Checksum { .. }
            | Self::Chunk { .. }
            | Self::NoManifest { .. }
            | Self::TooManyRejects { .. }
            | Self::Miscounted { .. } => false,
        }
    }

    /// Returns whether the database is down, restarting or replaced by another, as far as the error shows.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => error.is_outage(),
            Self::InstanceNotAvailable { .. } => true,
            Self::Store(_)
            | Self::Commit(_)
            | Self::OutOfTime
            | Self::Message(_)
            | Self::Contract { .. }
            | Self::TableMismatch { .. }
            | Self::TableChanged { .. }
            | Self::TableBusy { .. }
            | Self::Checksum { .. }
            | Self::Chunk { .. }
            | Self::NoManifest { .. }
            | Self::TooManyRejects { .. }
            | Self::Miscounted { .. } => false,
        }
    }

    /// Returns the code of a dead letter, or `None` for an error that is always transient.
    pub fn code(&self) -> Option<DeadCode> {
        match self {
            Self::Message(_) => Some(DeadCode::InvalidMessage),
            Self::Store(StoreError::NotFound { .. }) => Some(DeadCode::ChunkMissing),
            Self::Store(
                StoreError::Changed { .. }
                | StoreError::Archived { .. }
                | StoreError::Refused { .. }
                | StoreError::Transient { .. },
            ) => Some(DeadCode::StoreRefused),
            Self::Commit(_) => Some(DeadCode::BatchNotClosed),
            Self::Contract { .. } => Some(DeadCode::ContractUnusable),
            Self::TableMismatch { .. } => Some(DeadCode::TableMismatch),
            Self::Checksum { .. } => Some(DeadCode::ChecksumMismatch),
            Self::Chunk { .. } => Some(DeadCode::InvalidChunk),
            Self::NoManifest { .. } => Some(DeadCode::ManifestMissing),
            Self::Miscounted { .. } => Some(DeadCode::Miscounted),
            Self::TooManyRejects { .. } => Some(DeadCode::TooManyRejects),
            Self::TableChanged { .. }
            | Self::TableBusy { .. }
            | Self::InstanceNotAvailable { .. }
            | Self::OutOfTime => None,
            // <https://www.postgresql.org/docs/current/errcodes-appendix.html>
            Self::Database(error) => match error.sql().map(|failure| &failure.sqlstate[..]) {
                Some(sqlstate) if sqlstate.starts_with("23") => Some(DeadCode::ConstraintViolated),
                Some(sqlstate) if sqlstate.starts_with("22") => Some(DeadCode::InvalidData),
                Some("42501") => Some(DeadCode::PermissionDenied),
                Some(_) | None => Some(DeadCode::DatabaseRefused),
            },
        }
    }

    /// Returns whether a lock was not granted in time, or a deadlock was detected.
    pub fn is_contention(&self) -> bool {
        self.sql().is_some_and(SqlFailure::is_contention)
    }

    /// Returns whether a statement or the transaction took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::OutOfTime) || self.sql().is_some_and(SqlFailure::is_cancelled)
    }

    /// Returns the failure of the statement, if the error is one.
    pub fn sql(&self) -> Option<&SqlFailure> {
        match self {
            Self::Database(error) => error.sql(),
            Self::Store(_)
            | Self::Commit(_)
            | Self::InstanceNotAvailable { .. }
            | Self::OutOfTime
            | Self::Message(_)
            | Self::Contract { .. }
            | Self::TableMismatch { .. }
            | Self::TableChanged { .. }
            | Self::TableBusy { .. }
            | Self::Checksum { .. }
            | Self::Chunk { .. }
            | Self::NoManifest { .. }
            | Self::TooManyRejects { .. }
            | Self::Miscounted { .. } => None,
        }
    }

    /// Returns the outcome of a message that was received `receive_count` times.
    pub fn outcome(&self, receive_count: u32) -> Outcome {
        Outcome::of_error(self, self.is_transient(), self.code(), receive_count)
    }
}
