//! The local stack against the real moto and PostgreSQL, with a fake function.
//!
//! They need `infra/local/setup.sh` to have run.

#![allow(clippy::unwrap_used, reason = "a test fails where its set-up does")]

#[cfg(target_os = "linux")]
mod processes;
mod runner;
mod support;
mod whole;
