//! The engine: bytes in, checked rows out.
//!
//! Pure: no file system, no network, no clock.

mod outcome;

pub use outcome::{Code, Dialect, Reason, ReasonCount, Reject, Totals};
