//! The status of a database instance, from RDS.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_rds::Client;
use aws_smithy_types::retry::RetryConfig;

use crate::clients::Aws;
use crate::fault::SdkFault;

/// The timeout of a request. The answer only explains a failure that is known already, and a function in a VPC without
/// an endpoint for RDS gets none.
pub const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The status of an instance that accepts connections.
const AVAILABLE: &str = "available";

/// The reason why RDS did not report the status.
#[derive(Debug, thiserror::Error)]
#[error("database instance {instance}: {message}")]
pub struct InstanceError {
    /// The instance's identifier.
    pub instance: String,
    /// The message of the service or of the connection.
    pub message: String,
}

/// The status of an instance as RDS reports it, such as `available`, `rebooting` or `stopped`:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus(String);

impl InstanceStatus {
    /// Returns whether the instance accepts connections.
    pub fn is_available(&self) -> bool {
        self.0 == AVAILABLE
    }

    /// Returns RDS's name of the status.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An instance in RDS, or in a compatible service at `AWS_ENDPOINT_URL_RDS`. The client is created on first use.
#[derive(Debug, Clone)]
pub struct RdsInstance {
    aws: Aws,
    identifier: String,
    client: Arc<OnceLock<Client>>,
}

impl RdsInstance {
    /// Returns the instance with this identifier.
    pub fn new(aws: &Aws, identifier: &str) -> Self {
        Self { aws: aws.clone(), identifier: identifier.to_owned(), client: Arc::default() }
    }

    /// Asks RDS for the status.
    ///
    /// # Errors
    /// Returns an error if there is no answer within [`DESCRIBE_TIMEOUT`], the role may not ask, or the instance does
    /// not exist.
    pub async fn status(&self) -> Result<InstanceStatus, InstanceError> {
        let request = self.client().describe_db_instances().db_instance_identifier(&self.identifier);
        let response = Box::pin(request.send()).await;
        let response = response.map_err(|error| self.error(SdkFault::of(&error).message))?;
        let status = response.db_instances().first().and_then(|instance| instance.db_instance_status());
        status
            .map(|status| InstanceStatus(status.to_owned()))
            .ok_or_else(|| self.error("the response has no status".to_owned()))
    }

    fn error(&self, message: String) -> InstanceError {
        InstanceError { instance: self.identifier.clone(), message }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            // The other timeouts apply to the HTTP connections, which all clients share.
            let shared = self.aws.config().timeout_config().cloned().expect("`Aws` sets timeouts");
            let timeouts = shared.into_builder().operation_timeout(DESCRIBE_TIMEOUT).build();
            let mut config = aws_sdk_rds::config::Builder::from(self.aws.config())
                .timeout_config(timeouts)
                .retry_config(RetryConfig::disabled());
            if let Some(endpoint) = self.aws.endpoint("RDS") {
                config = config.endpoint_url(endpoint);
            }
            Client::from_conf(config.build())
        })
    }
}
