//! The registry of the codes that dead letters carry.

use std::fmt;

/// Makes the enum of the codes, with their texts and the functions that use them.
macro_rules! registry {
    ($(#[doc = $meaning:literal] $code:ident = $text:literal by $functions:tt;)+) => {
        /// The stable code of a [`DeadReason`](crate::DeadReason), in the attribute `penstock.reason.code` of a dead
        /// letter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum DeadCode {
            $(#[doc = $meaning] $code,)+
        }

        impl DeadCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// Returns the code as it is written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)+
                }
            }

            /// Returns the functions that move messages to a dead-letter queue with this code.
            pub const fn functions(self) -> &'static [&'static str] {
                match self {
                    $(Self::$code => &$functions,)+
                }
            }
        }
    };
}

registry! {
    /// All rows of the batch are loaded, but its receipt cannot be written.
    BatchNotClosed = "batch_not_closed" by ["writer"];
    /// The SHA-256 of the chunk's bytes differs from that in the message.
    ChecksumMismatch = "checksum_mismatch" by ["writer"];
    /// The chunk's object does not exist.
    ChunkMissing = "chunk_missing" by ["writer"];
    /// S3 or SQS refuses a request of the commit.
    CommitRefused = "commit_refused" by ["ingest", "job-events"];
    /// A row violates a constraint of the target table.
    ConstraintViolated = "constraint_violated" by ["writer"];
    /// The contract version cannot be read.
    ContractUnusable = "contract_unusable" by ["ingest", "writer"];
    /// One of the batch's objects is malformed.
    CorruptObject = "corrupt_object" by ["ingest", "job-events"];
    /// PostgreSQL refuses a statement for another reason.
    DatabaseRefused = "database_refused" by ["writer"];
    /// The reports of a batch contradict each other.
    InconsistentReports = "inconsistent_reports" by ["ingest", "job-events"];
    /// The chunk cannot be decoded.
    InvalidChunk = "invalid_chunk" by ["writer"];
    /// A value does not fit its column.
    InvalidData = "invalid_data" by ["writer"];
    /// The message is not an event that the function reads.
    InvalidEvent = "invalid_event" by ["ingest", "job-events"];
    /// The message cannot be parsed.
    InvalidMessage = "invalid_message" by ["writer"];
    /// EMR Serverless refuses the job.
    JobRefused = "job_refused" by ["ingest"];
    /// The batch has no manifest.
    ManifestMissing = "manifest_missing" by ["writer"];
    /// The counts of a transaction contradict each other.
    Miscounted = "miscounted" by ["writer"];
    /// The batch's copy of the contract cannot be read.
    NoContract = "no_contract" by ["job-events"];
    /// An accepted row cannot be encoded.
    NotEncodable = "not_encodable" by ["ingest"];
    /// The writer lacks a privilege.
    PermissionDenied = "permission_denied" by ["writer"];
    /// The secret cannot be read.
    SecretRefused = "secret_refused" by ["ingest"];
    /// S3 refuses a request.
    StoreRefused = "store_refused" by ["ingest", "writer"];
    /// The target table does not match the contract.
    TableMismatch = "table_mismatch" by ["writer"];
    /// The database refuses more rows than the contract allows to reject.
    TooManyRejects = "too_many_rejects" by ["writer"];
}

impl fmt::Display for DeadCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
