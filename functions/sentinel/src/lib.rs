#![doc = include_str!("../README.md")]

pub mod check;
pub mod config;
mod contracts;
mod drop_status;
mod error;
pub mod feeds;
mod handler;
mod sentinel;
pub mod status;

pub use crate::error::{Problems, SentinelError, SourceError};
pub use crate::handler::{ScheduledEvent, SentinelRun, handle};
pub use crate::sentinel::Sentinel;
