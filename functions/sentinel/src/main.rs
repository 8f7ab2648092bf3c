//! The sentinel function: looks for late sources, missed drops and stuck batches, on a schedule.

mod config;
mod contract;
mod drops;
mod error;
mod feeds;
mod handler;
mod source;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::s3::S3Store;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::telemetry;

use crate::config::Config;
use crate::handler::{ScheduledEvent, Sentinel, StopAt, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let sentinel =
        Sentinel { store: S3Store::new(&aws), queue: SqsQueue::new(&aws), config: Config::from_env()? };
    let function = async |event: LambdaEvent<ScheduledEvent>| {
        let stop = StopAt::before(event.context.deadline());
        Ok::<_, lambda_runtime::Error>(handle(&sentinel, &event.payload, Timestamp::now(), stop).await?)
    };
    lambda_runtime::run(service_fn(function)).await
}
