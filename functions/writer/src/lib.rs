//! The writer function: applies chunks to PostgreSQL, each exactly once.
//!
//! The load queue delivers at least once and in any order. The effect is exactly once and the same for every order,
//! because
//! - one transaction holds a chunk's ledger row, its COPY and its merge, all of it or nothing, and a chunk that the
//!   ledger has is skipped;
//! - rows of one key have a total order (event time, priority, time of the drop, batch, row), and only a row that
//!   stands higher takes another's place;
//! - where the newest version of an object stands for the others, the versions have one, too, and it goes before that of
//!   the rows.
//!
//! [`handler::handle`] takes an invocation's messages, groups them, and decides what becomes of each.

pub mod chunk;
pub mod close;
pub mod config;
pub mod contracts;
pub mod database;
pub mod error;
pub mod group;
pub mod handler;
pub mod ledger;
mod lock;
mod session;
pub mod sql;
mod target;
pub mod throttle;
mod versions;

pub use session::Applied;
pub use versions::Closed;
