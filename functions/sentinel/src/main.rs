//! The sentinel function: connects [`penstock_sentinel::handle`] with AWS and the Lambda runtime.

use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::deadline::Deadline;
use penstock_aws::s3::S3Store;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::telemetry;
use penstock_sentinel::config::SentinelConfig;
use penstock_sentinel::{ScheduledEvent, Sentinel, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let sentinel = Sentinel::new(S3Store::new(&aws), SqsQueue::new(&aws), SentinelConfig::from_env()?);
    let function = async |event: LambdaEvent<ScheduledEvent>| {
        let deadline = Deadline::of_invocation(event.context.deadline());
        Ok::<_, lambda_runtime::Error>(handle(&sentinel, &event.payload, Timestamp::now(), deadline).await?)
    };
    lambda_runtime::run(service_fn(function)).await
}
