//! Spark jobs: EMR Serverless, and what of it the pipeline needs.

/// What is asked of EMR Serverless for one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// Application id.
    pub application_id: String,
    /// Role that the job runs as.
    pub execution_role_arn: String,
    /// Shown in the console, e.g. `standardise abt`.
    pub name: String,
    /// The batch id: the same submit twice starts one job.
    pub client_token: String,
    /// `s3://` URI of the PySpark entry point.
    pub entry_point: String,
    /// Arguments of the entry point.
    pub arguments: Vec<String>,
    /// The job is cancelled after so many minutes.
    pub timeout_minutes: i64,
}

/// Why a job was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Refused for good: validation, access denied, no such application.
    #[error("emr-serverless application {application_id}: {message}")]
    Refused {
        /// Application id.
        application_id: String,
        /// What the service said.
        message: String,
    },
    /// Throttled, no capacity, or the service's own fault: worth another try.
    #[error("emr-serverless application {application_id}: {message}")]
    Transient {
        /// Application id.
        application_id: String,
        /// What the service or the connection said.
        message: String,
    },
}

impl JobError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::Refused { .. } => false,
        }
    }
}

/// What the pipeline asks of the job service. Implemented over EMR Serverless, and in memory by tests.
pub trait Jobs: Clone + Send + Sync + 'static {
    /// Submits a job and gives its run id; the same `client_token` gives the same run.
    fn start(&self, request: &JobRequest) -> impl Future<Output = Result<String, JobError>> + Send;
}
