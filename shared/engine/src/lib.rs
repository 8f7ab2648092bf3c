//! The engine: bytes in, checked rows out.
//!
//! Pure: no file system, no network, no clock.

mod cast;
mod check;
mod columns;
mod copy;
mod encode;
mod error;
mod input;
mod outcome;
mod plan;
mod reader;
mod records;

pub use encode::{EncodeError, Encoded, ParquetPart, RejectEncoder, decode_chunk, encode_chunk};
pub use error::{PlanError, ReadError};
pub use outcome::{Code, Dialect, Reason, ReasonCount, Reject, Totals};
pub use plan::{Plan, PlanColumn};
pub use reader::{AcceptedRows, Block, Limits, Reader};

/// Version of the engine: part of what makes chunks byte-identical.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");
