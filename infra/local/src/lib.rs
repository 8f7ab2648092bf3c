//! The whole system on one machine: what AWS gives the Lambda binaries, given here.
//!
//! | module | what |
//! |---|---|
//! | [`postgres`] | a private PostgreSQL cluster in a folder |
//! | [`process`] | child processes that never outlive this one |
//! | [`template`] | the SAM template, resolved |

mod error;
mod lifecycle;
mod options;
pub mod postgres;
pub mod process;
mod state;
pub mod template;

pub use error::LocalError;
pub use lifecycle::{down, shutdown_signal, spawn_detached};
pub use options::UpOptions;
pub use state::{Endpoints, ProcessRecord};
