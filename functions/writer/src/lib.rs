#![doc = include_str!("../README.md")]

mod batches;
pub mod chunk;
pub mod close;
pub mod commands;
pub mod config;
pub mod contracts;
pub mod database;
pub mod error;
pub mod group;
pub mod handler;
pub mod ledger;
mod load;
mod lock;
pub mod manifests;
pub mod operator;
mod outage;
mod pace;
pub mod pressure;
mod refused_rows;
pub mod reject_files;
mod rejected;
mod row_search;
mod session;
pub mod sql;
mod stage;
mod state;
pub mod statement;
pub mod table_gate;
mod target;
pub mod throttle;
mod versions;
pub mod withdraw;

pub use batches::BatchProgress;
pub use session::{ChunkOutcome, LOCK_TIMEOUT, STATEMENT_TIMEOUT, TableAccess};
pub use versions::ClosedBatch;
