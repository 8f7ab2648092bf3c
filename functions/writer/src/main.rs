//! The Lambda function `writer`, see the library.

use lambda_runtime::{LambdaEvent, service_fn};
use penstock_aws::clients::Aws;
use penstock_aws::database::Connector;
use penstock_aws::deadline::Deadline;
use penstock_aws::rds::RdsInstance;
use penstock_aws::s3::S3Store;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::telemetry;
use penstock_writer::commands::{WriterEvent, invoke};
use penstock_writer::config::WriterConfig;
use penstock_writer::database::Postgres;
use penstock_writer::handler::Writer;
use penstock_writer::pressure::APPLICATION_NAME;
use tokio::sync::Mutex;

// One thread is enough: PostgreSQL does the work, and a writer waits for it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let (aws, config) = (Aws::from_env()?, WriterConfig::from_env()?);
    let connector = Connector::new(config.database.clone(), Some(&aws), APPLICATION_NAME);
    let mut database = Postgres::new(connector);
    if let Some(instance) = &config.instance {
        database = database.of_instance(RdsInstance::new(&aws, instance));
    }
    let writer = Writer::new(S3Store::new(&aws), SqsQueue::new(&aws), database, &config);
    // Lambda sends one event at a time, so this lock is never contended.
    let writer = Mutex::new(writer);
    let function = async |event: LambdaEvent<WriterEvent>| {
        let deadline = Deadline::of_invocation(event.context.deadline());
        let mut writer = writer.lock().await;
        Ok::<_, lambda_runtime::Error>(invoke(&mut *writer, &event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(function)).await
}
