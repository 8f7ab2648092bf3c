#![doc = include_str!("../README.md")]

mod check;
pub mod config;
mod contracts;
mod drop_status;
mod error;
mod feeds;
mod handler;
mod orphans;
mod requeue;
mod sentinel;
mod sequencers;
pub mod status;

pub use crate::error::{SentinelError, SourceError};
pub use crate::handler::{ScheduledEvent, SentinelRun, handle};
pub use crate::sentinel::Sentinel;
