//! The whole system on one machine: what AWS gives the Lambda binaries, given here.
//!
//! | module | what |
//! |---|---|
//! | [`postgres`] | a private PostgreSQL cluster in a folder |
//! | [`process`] | child processes that never outlive this one |
//! | [`runner`] | the Lambda Runtime API and event source mappings for unchanged binaries |
//! | [`template`] | the SAM template, resolved |

mod error;
mod http;
mod lifecycle;
mod options;
pub mod postgres;
pub mod process;
pub mod runner;
mod state;
pub mod template;

pub use error::LocalError;
pub use lifecycle::{down, shutdown_signal, spawn_detached};
pub use options::UpOptions;
pub use state::{Endpoints, ProcessRecord};
