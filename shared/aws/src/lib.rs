#![doc = include_str!("../README.md")]

pub mod clients;
pub mod config;
pub mod deadline;
#[cfg(all(feature = "store", feature = "queue"))]
pub mod drop_claims;
#[cfg(any(feature = "store", feature = "queue", feature = "jobs", feature = "secrets", feature = "invoke"))]
mod fault;
mod http;
pub mod telemetry;

#[cfg(all(feature = "store", feature = "queue"))]
pub mod commit;
#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "jobs")]
pub mod emr;
#[cfg(feature = "jobs")]
pub mod jobs;
#[cfg(feature = "invoke")]
pub mod lambda;
#[cfg(feature = "store")]
pub mod listing;
#[cfg(feature = "queue")]
pub mod queue;
#[cfg(feature = "instances")]
pub mod rds;
#[cfg(feature = "store")]
pub mod s3;
#[cfg(feature = "store")]
mod s3_body;
#[cfg(feature = "store")]
mod s3_client;
#[cfg(feature = "store")]
mod s3_listing;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "spill")]
pub mod spill;
#[cfg(feature = "queue")]
pub mod sqs;
#[cfg(feature = "queue")]
pub mod sqs_event;
#[cfg(feature = "queue")]
pub mod sqs_receive;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "store")]
pub mod upload;
