//! Synchronous invocations of Lambda functions.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use bytes::Bytes;

use crate::clients::{Aws, CONNECT_TIMEOUT};
use crate::fault::SdkFault;
use crate::http::SchemeClient;

/// The longest run of a Lambda function, with a margin for the response.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(15 * 60 + 10);

/// Lambda, or a compatible service at `AWS_ENDPOINT_URL_LAMBDA`. The client is created on first use.
#[derive(Debug, Clone)]
pub struct LambdaInvoker {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

/// The reason why an invocation has no response.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Lambda did not run the function: access denied, no such function, no concurrency, no connection.
    #[error("invoking {function}: {message}")]
    NotInvoked {
        /// Name and qualifier of the function.
        function: String,
        /// The message of the service or of the connection.
        message: String,
    },
    /// The function ended with an error or a timeout. It may have had an effect.
    #[error("{function} ended with an error: {message}")]
    FunctionFailed {
        /// Name and qualifier of the function.
        function: String,
        /// The error that the function reported, as JSON.
        message: String,
    },
}

impl LambdaInvoker {
    /// Returns an invoker that is not connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(INVOCATION_TIMEOUT)
                .build();
            let mut config = aws_sdk_lambda::config::Builder::from(self.aws.config())
                // The shared client has the read timeout of the other services.
                .http_client(SchemeClient::new())
                .timeout_config(timeouts)
                // The first invocation may still be running when the connection is lost.
                .retry_config(RetryConfig::disabled());
            if let Some(endpoint) = self.aws.endpoint("LAMBDA") {
                config = config.endpoint_url(endpoint);
            }
            Client::from_conf(config.build())
        })
    }

    /// Invokes a function and waits for its response. `qualifier` is an alias or a version.
    ///
    /// # Errors
    /// Returns an error if the function was not invoked, or ended with an error.
    pub async fn invoke(
        &self,
        function: &str,
        qualifier: &str,
        payload: Vec<u8>,
    ) -> Result<Bytes, InvokeError> {
        let name = || format!("{function}:{qualifier}");
        let call = self
            .client()
            .invoke()
            .function_name(function)
            .qualifier(qualifier)
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(payload));
        let output = Box::pin(call.send()).await.map_err(|error| InvokeError::NotInvoked {
            function: name(),
            message: SdkFault::of(&error).message,
        })?;
        let response = output.payload.map(Blob::into_inner).unwrap_or_default();
        match output.function_error {
            None => Ok(Bytes::from(response)),
            Some(kind) => Err(InvokeError::FunctionFailed {
                function: name(),
                message: format!("{kind}: {}", String::from_utf8_lossy(&response)),
            }),
        }
    }
}
