//! The ingest function: connects [`penstock_ingest::handle`] with AWS and the Lambda runtime.

use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::deadline::Deadline;
use penstock_aws::emr::EmrJobs;
use penstock_aws::s3::S3Store;
use penstock_aws::secrets::Secrets;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::sqs_event::SqsEvent;
use penstock_aws::telemetry;
use penstock_ingest::config::IngestConfig;
use penstock_ingest::{Ingest, handle};

// One thread waits for the network. The checks and the encoders have their own threads.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let aws = Aws::from_env()?;
    let (store, queue, jobs) = (S3Store::new(&aws), SqsQueue::new(&aws), EmrJobs::new(&aws));
    let ingest = Ingest::new(store, queue, jobs, Secrets::new(&aws), IngestConfig::from_env()?);
    let function = |event: LambdaEvent<SqsEvent>| {
        let deadline = Deadline::of_invocation(event.context.deadline());
        handle(&ingest, event.payload, deadline)
    };
    lambda_runtime::run(service_fn(async |event| Ok::<_, lambda_runtime::Error>(function(event).await))).await
}
