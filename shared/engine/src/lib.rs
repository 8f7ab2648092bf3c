#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

mod avro;
mod cast;
mod columns;
mod copy;
mod decode;
mod delimited;
mod duplicates;
mod encode;
mod error;
mod format;
mod hex;
pub mod infer;
mod input;
mod key_limit;
mod limits;
mod mismatch;
mod ndjson;
mod order;
mod outcome;
mod parquet;
mod plan;
mod program;
mod pseudonym;
mod quality;
mod reader;
mod records;
mod redact;
mod row_limit;
mod rows;
mod schema_column;
mod sets;
mod source;
mod text;
mod unexpected;

pub use duplicates::{DuplicateFinder, Duplicates, ENTRY_BYTES, KeyEntry, MEMORY_BYTES, PARTITIONS, Spill};
pub use encode::{ChunkEncoder, Encoded, ParquetPart, RejectEncoder, decode_chunk, sha256_hex};
pub use error::{EncodeError, PlanError, ReadError, UnreadableCode};
pub use format::FileFormat;
pub use limits::Limits;
pub use order::Ordered;
pub use outcome::{Code, Dialect, Reason, ReasonCount, Reject, Totals};
pub use plan::Plan;
pub use program::PlanColumn;
pub use pseudonym::PseudonymKey;
pub use quality::QualityOutcome;
pub use reader::Reader;
pub use rows::{AcceptedRows, Block};

/// The version of the engine. Receipts and manifests contain it, because another version may read the same bytes differently.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");
