//! The interface of the Spark jobs.

/// A request to start the job of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// Application id.
    pub application_id: String,
    /// ARN of the role that the job runs as.
    pub execution_role_arn: String,
    /// Name of the job run, from which its batch is identified.
    pub name: String,
    /// The batch id. Two requests with the same token start one job.
    pub client_token: String,
    /// `s3://` URI of the PySpark entry point.
    pub entry_point: String,
    /// Arguments of the entry point.
    pub arguments: Vec<String>,
    /// The job is cancelled after this time, in minutes.
    pub timeout_minutes: i64,
}

/// The reason why a job was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A permanent failure: validation, access denied, no such application.
    #[error("emr-serverless application {application_id}: {message}")]
    Refused {
        /// Application id.
        application_id: String,
        /// The service's message.
        message: String,
    },
    /// A transient failure: throttling, no capacity, or an internal error of the service.
    #[error("emr-serverless application {application_id}: {message}")]
    Transient {
        /// Application id.
        application_id: String,
        /// The message of the service or of the connection.
        message: String,
    },
}

impl JobError {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::Refused { .. } => false,
        }
    }
}

/// The job service of the pipeline. Implemented over EMR Serverless, and in memory for tests.
pub trait Jobs: Clone + Send + Sync + 'static {
    /// Submits a job and returns its run id. The same `client_token` returns the same run.
    fn start(&self, request: &JobRequest) -> impl Future<Output = Result<String, JobError>> + Send;
}
