//! The job-events function: connects [`penstock_job_events::handle`] with AWS and the Lambda runtime.

use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::s3::S3Store;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::sqs_event::SqsEvent;
use penstock_aws::telemetry;
use penstock_job_events::config::JobEventsConfig;
use penstock_job_events::{JobEvents, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let job_events = JobEvents::new(S3Store::new(&aws), SqsQueue::new(&aws), JobEventsConfig::from_env()?);
    let function = async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, lambda_runtime::Error>(handle(&job_events, event.payload).await)
    };
    lambda_runtime::run(service_fn(function)).await
}
