#![doc = include_str!("../README.md")]

pub mod config;
mod error;
mod handler;
mod job_events;
mod publish;

pub use crate::handler::handle;
pub use crate::job_events::JobEvents;
