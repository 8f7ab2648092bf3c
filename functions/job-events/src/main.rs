//! The job-events function: takes EMR Serverless state changes, publishes what a job has read or reports its
//! failure.

mod config;
mod handler;
#[cfg(test)]
mod tests;

use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::s3::S3Store;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::sqs_event::SqsEvent;
use penstock_aws::telemetry;

use crate::config::Config;
use crate::handler::{JobEvents, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let job_events =
        JobEvents { store: S3Store::new(&aws), queue: SqsQueue::new(&aws), config: Config::from_env()? };
    let function = async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, lambda_runtime::Error>(handle(&job_events, event.payload).await)
    };
    lambda_runtime::run(service_fn(function)).await
}
