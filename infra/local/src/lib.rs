#![doc = include_str!("../README.md")]

mod application;
mod aws_json;
mod aws_query;
mod control;
pub mod emr;
mod error;
mod foundation;
mod http_client;
mod http_server;
mod lifecycle;
mod moto;
mod options;
pub mod postgres;
pub mod process;
pub mod runner;
mod stack;
mod state;
pub mod template;

pub use control::{invoke_function, run_schedule};
pub use error::LocalError;
pub use lifecycle::{down, shutdown_signal, spawn_detached};
pub use options::UpOptions;
pub use stack::{Stack, run};
pub use state::{Endpoints, ProcessRecord};
