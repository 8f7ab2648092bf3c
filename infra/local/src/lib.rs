//! The whole system on one machine: what AWS gives the Lambda binaries, given here.
//!
//! | module | what |
//! |---|---|
//! | [`postgres`] | a private PostgreSQL cluster in a folder |
//! | [`process`] | child processes that never outlive this one |

pub mod postgres;
pub mod process;
