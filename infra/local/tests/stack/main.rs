//! The local stack against the real moto and PostgreSQL, with a fake function.
//!
//! They need `infra/local/setup.sh` to have run.

mod runner;
mod support;
mod whole;
