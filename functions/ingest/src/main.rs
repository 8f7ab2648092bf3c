//! The ingest function: reads a drop, checks it against its contract, publishes its chunks.

mod claims;
mod compiled;
mod config;
mod deduplicate;
mod drops;
mod encode;
mod error;
mod handler;
mod input;
mod pseudonyms;
mod read;
mod spark;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::emr::EmrJobs;
use penstock_aws::s3::S3Store;
use penstock_aws::secrets::Secrets;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::sqs_event::SqsEvent;
use penstock_aws::telemetry;

use crate::config::Config;
use crate::handler::{Ingest, StopAt};

// One thread waits for the network; the checks and the encoders have threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let (store, queue, jobs) = (S3Store::new(&aws), SqsQueue::new(&aws), EmrJobs::new(&aws));
    let ingest = Ingest::new(store, queue, jobs, Secrets::new(&aws), Config::from_env()?);
    let function = |event: LambdaEvent<SqsEvent>| {
        let stop = StopAt::before(event.context.deadline());
        handler::handle(&ingest, event.payload, stop)
    };
    lambda_runtime::run(service_fn(async |event| Ok::<_, lambda_runtime::Error>(function(event).await))).await
}
