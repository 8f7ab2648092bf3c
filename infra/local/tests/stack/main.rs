//! Tests of the local stack with the real moto and PostgreSQL and a fake function.
//!
//! Run `infra/local/setup.sh` first.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(target_os = "linux")]
mod processes;
mod runner;
mod support;
mod whole;
