//! The configuration of all SDK clients, from environment variables only.
//!
//! Lambda sets credentials and region as environment variables, so the SDK's default chain, which reads profile files
//! and requests instance metadata, is not needed.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::config::ConfigError;
use crate::http::SchemeClient;

/// Maximum number of attempts of one call in the SDK.
const SDK_ATTEMPTS: u32 = 4;
/// Timeout of a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Timeout from the request to the first byte of the response, including the upload of a Parquet file.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The configuration that all clients share. It reads no files and opens no connections.
#[derive(Debug, Clone)]
pub struct Aws {
    base: SdkConfig,
    endpoint: Option<String>,
    endpoints: BTreeMap<String, String>,
}

impl Aws {
    /// Reads `AWS_REGION`, the credentials and `AWS_ENDPOINT_URL[_<SERVICE>]` from `variables`.
    ///
    /// # Errors
    /// Returns an error if the region or the credentials are missing. All missing variables are reported together.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let variables: BTreeMap<String, String> = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
            .collect();
        let required = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        let missing: Vec<String> = required
            .into_iter()
            .filter(|name| !variables.contains_key(*name))
            .map(|name| format!("{name} is not set"))
            .collect();
        if !missing.is_empty() {
            return Err(ConfigError { problems: missing, variables: Vec::new() });
        }

        let credentials = Credentials::new(
            &variables["AWS_ACCESS_KEY_ID"],
            &variables["AWS_SECRET_ACCESS_KEY"],
            variables.get("AWS_SESSION_TOKEN").cloned(),
            None,
            "environment",
        );
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let base = SdkConfig::builder()
            .behavior_version(aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest())
            .region(Region::new(variables["AWS_REGION"].clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(SchemeClient::new())
            .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
            .timeout_config(timeouts)
            // Chunks have their own SHA-256, so a checksum for each request is not needed.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let endpoints = variables
            .iter()
            .filter_map(|(name, url)| Some((name.strip_prefix("AWS_ENDPOINT_URL_")?.to_owned(), url.clone())))
            .collect();
        Ok(Self { base, endpoint: variables.get("AWS_ENDPOINT_URL").cloned(), endpoints })
    }

    /// Reads the environment of the process.
    ///
    /// # Errors
    /// Returns the same errors as [`Aws::new`].
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(std::env::vars())
    }

    /// Returns the shared configuration.
    pub fn config(&self) -> &SdkConfig {
        &self.base
    }

    /// Returns the endpoint from `AWS_ENDPOINT_URL_<service>` or `AWS_ENDPOINT_URL`, or `None` for the endpoints of
    /// AWS. `service` is the SDK's name of the service in upper case with underscores: `S3`, `SQS`, `SECRETS_MANAGER`.
    pub fn endpoint(&self, service: &str) -> Option<&str> {
        self.endpoints.get(service).or(self.endpoint.as_ref()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (String, String)> + 'a {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    }

    #[test]
    fn all_missing_variables_are_reported_together() {
        let error =
            Aws::new(variables(&[("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "")])).unwrap_err();
        assert_eq!(error.problems, ["AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set"]);
    }

    #[test]
    fn the_endpoint_of_a_service_takes_precedence() {
        let aws = Aws::new(variables(&[
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2"),
        ]))
        .unwrap();
        assert_eq!(aws.endpoint("S3"), Some("http://127.0.0.1:2"));
        assert_eq!(aws.endpoint("SQS"), Some("http://127.0.0.1:1"));
    }
}
