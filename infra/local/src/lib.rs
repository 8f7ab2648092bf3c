//! The whole system on one machine: what AWS gives the Lambda binaries, given here.
//!
//! [`run`] starts it and keeps it until told to stop; [`Stack`] does so within a test. moto stands in for S3, SQS,
//! EventBridge, Secrets Manager, RDS and SSM; a private PostgreSQL cluster is the database; what nobody ships is here:
//!
//! | module | what |
//! |---|---|
//! | [`template`] | the SAM template, resolved: what runs here is what is deployed |
//! | [`runner`] | the Lambda Runtime API, event source mappings and schedules for unchanged binaries |
//! | [`emr`] | EMR Serverless: true states and client tokens, but no Spark |
//! | [`postgres`] | a private PostgreSQL cluster in a folder |
//! | [`process`] | child processes that never outlive this one |
//!
//! Where everything is stands in [`Endpoints`], and in `.penstock/env` for a shell. The control endpoint
//! (`PENSTOCK_CONTROL_URL`) tells what the functions did and used, and lets a test kill, pause and decide:
//!
//! | call | what |
//! |---|---|
//! | `GET /status` | [`runner::RunnerStatus`] |
//! | `POST /functions/<name>/invoke` | invokes with the body; 200 with the response, 502 with the error |
//! | `POST /functions/<name>/kill` | SIGKILL to its execution environments; gives their processes |
//! | `POST /schedules/<name>/run` | runs a function's schedule at once, as `…/invoke` does with its event ([`run_schedule`]) |
//! | `POST /mappings/<name>/pause`, `…/resume` | stops and starts the polling of a function's queue |
//! | `GET /jobs` | the job runs |
//! | `POST /jobs/outcome` | [`emr::JobOutcome`] of jobs that start from now on |
//! | `POST /jobs/<id>/outcome` | likewise of one job |
//! | `POST /postgres/stop`, `…/kill`, `…/restart` | the database server; `restart` also after the others |

mod application;
mod control;
pub mod emr;
mod error;
mod foundation;
mod http;
mod lifecycle;
mod moto;
mod options;
pub mod postgres;
pub mod process;
pub mod runner;
mod stack;
mod state;
pub mod template;

pub use control::run_schedule;
pub use error::LocalError;
pub use lifecycle::{down, shutdown_signal, spawn_detached};
pub use options::UpOptions;
pub use stack::{Stack, run};
pub use state::{Endpoints, ProcessRecord};
