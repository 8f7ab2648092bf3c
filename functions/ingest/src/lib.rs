#![doc = include_str!("../README.md")]

mod bind;
mod claims;
mod compiled;
pub mod config;
mod deduplicate;
mod drops;
mod encode;
mod error;
mod handler;
mod ingest;
mod input;
mod pseudonyms;
mod read;
mod spark;

pub use crate::handler::handle;
pub use crate::ingest::Ingest;
