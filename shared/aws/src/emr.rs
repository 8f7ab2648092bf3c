//! Spark jobs over EMR Serverless.

use std::sync::{Arc, OnceLock};

use aws_sdk_emrserverless::Client;
use aws_sdk_emrserverless::types::{JobDriver, SparkSubmit};

use crate::clients::Aws;
use crate::fault::SdkFault;
use crate::jobs::{JobError, JobRequest, Jobs};

/// EMR Serverless, or a compatible service at `AWS_ENDPOINT_URL_EMR_SERVERLESS`. The client is created on first use.
#[derive(Debug, Clone)]
pub struct EmrJobs {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

impl EmrJobs {
    /// Returns a job service that is not connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let mut config = aws_sdk_emrserverless::config::Builder::from(self.aws.config());
            if let Some(endpoint) = self.aws.endpoint("EMR_SERVERLESS") {
                config = config.endpoint_url(endpoint);
            }
            Client::from_conf(config.build())
        })
    }
}

impl Jobs for EmrJobs {
    async fn start(&self, request: &JobRequest) -> Result<String, JobError> {
        let driver = SparkSubmit::builder()
            .entry_point(&request.entry_point)
            .set_entry_point_arguments(Some(request.arguments.clone()))
            .build()
            .expect("the entry point is set");
        let call = self
            .client()
            .start_job_run()
            .application_id(&request.application_id)
            .execution_role_arn(&request.execution_role_arn)
            .name(&request.name)
            .client_token(&request.client_token)
            .job_driver(JobDriver::SparkSubmit(driver))
            .execution_timeout_minutes(request.timeout_minutes);
        match Box::pin(call.send()).await {
            Ok(output) => Ok(output.job_run_id),
            Err(error) => Err(job_error(&request.application_id, SdkFault::of(&error))),
        }
    }
}

fn job_error(application_id: &str, fault: SdkFault) -> JobError {
    let (application_id, message) = (application_id.to_owned(), fault.message);
    // The quota is available again when other jobs end.
    let no_capacity = fault.code.as_deref() == Some("ServiceQuotaExceededException");
    if fault.transient || no_capacity {
        JobError::Transient { application_id, message }
    } else {
        JobError::Refused { application_id, message }
    }
}
