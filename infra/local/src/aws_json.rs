//! Calls to the emulated AWS services that have a JSON protocol, without an SDK.
//!
//! The SDK crates of EventBridge and SSM take minutes to compile and no function uses them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, StatusCode};
use serde_json::Value;

use crate::error::{LocalError, io};
use crate::http_client;

/// A service with a JSON protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonService {
    EventBridge,
    SecretsManager,
    Ssm,
}

impl JsonService {
    /// Returns the name in the credential scope of a signature.
    fn signing_name(self) -> &'static str {
        match self {
            Self::EventBridge => "events",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
        }
    }

    /// Returns the prefix of the operation in the header `X-Amz-Target`.
    fn target_prefix(self) -> &'static str {
        match self {
            Self::EventBridge => "AWSEvents",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "AmazonSSM",
        }
    }
}

/// A client of the emulated services.
#[derive(Debug, Clone)]
pub(crate) struct JsonClient {
    authority: String,
    region: String,
}

impl JsonClient {
    /// Creates a client of the emulator at `authority` (`<host>:<port>`).
    pub(crate) fn new(authority: String, region: &str) -> Self {
        Self { authority, region: region.to_owned() }
    }

    /// Returns the emulator's address, `<host>:<port>`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Calls an operation and returns its response.
    pub(crate) async fn call(
        &self,
        service: JsonService,
        operation: &str,
        input: &Value,
    ) -> Result<Value, LocalError> {
        let name = format!("{} {operation}", service.signing_name());
        // The emulator chooses the service and the region by the credential scope and does not check the signature.
        let scope = format!("local/20260101/{}/{}/aws4_request", self.region, service.signing_name());
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=unsigned");
        let request = Request::post("/")
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{}.{operation}", service.target_prefix()))
            .body(Full::new(Bytes::from(input.to_string())))
            .expect("the header values are visible ASCII");
        let (status, body) = http_client::send(&self.authority, request).await.map_err(io(name.clone()))?;
        if status != StatusCode::OK {
            let message = format!("status {status}: {}", String::from_utf8_lossy(&body));
            return Err(LocalError::Aws { operation: name, message });
        }
        // Some operations have an empty response.
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body)
            .map_err(|error| LocalError::Aws { operation: name, message: error.to_string() })
    }
}

/// Returns the text `field` of a response.
pub(crate) fn text_field(response: &Value, field: &str, operation: &str) -> Result<String, LocalError> {
    response[field].as_str().map(str::to_owned).ok_or_else(|| LocalError::Aws {
        operation: operation.to_owned(),
        message: format!("the response has no {field}"),
    })
}
