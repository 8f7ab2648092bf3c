//! Classifies errors of the SDK as transient or permanent, for all services.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Codes of transient faults whose status is neither 429 nor 5xx.
const TRANSIENT_CODES: [&str; 11] = [
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    // The next execution environment receives new credentials from Lambda.
    "ExpiredToken",
    "ExpiredTokenException",
];

/// The parts of an SDK error.
pub(crate) struct SdkFault {
    /// HTTP status, if there was a response.
    pub(crate) status: Option<u16>,
    /// The service's error code, if there was one.
    pub(crate) code: Option<String>,
    /// Code and message of the service, or the chain of errors.
    pub(crate) message: String,
    /// Whether the same call may succeed later.
    pub(crate) transient: bool,
}

impl SdkFault {
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let transient = match error {
            // The request could not be built: a bug of the caller or the SDK.
            SdkError::ConstructionFailure(_) => false,
            SdkError::TimeoutError(_) => true,
            SdkError::DispatchFailure(failure) => !failure.is_user(),
            // The response could not be parsed, most often because it was incomplete.
            SdkError::ResponseError(_) => true,
            SdkError::ServiceError(_) => is_transient_response(status, code.as_deref()),
            // The enum is non-exhaustive. Only a service error is a permanent failure.
            _ => true,
        };
        let message = match (&code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            _ => DisplayErrorContext(error).to_string(),
        };
        Self { status, code, message, transient }
    }
}

pub(crate) fn is_transient_response(status: Option<u16>, code: Option<&str>) -> bool {
    let by_status = status.is_some_and(|status| status == 408 || status == 429 || status >= 500);
    by_status || code.is_some_and(|code| TRANSIENT_CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_internal_errors_are_transient() {
        for (status, code, transient) in [
            (503, Some("SlowDown"), true),
            (500, None, true),
            (400, Some("RequestTimeout"), true),
            (400, Some("ThrottlingException"), true),
            (400, Some("ExpiredToken"), true),
            (403, Some("AccessDenied"), false),
            (404, Some("NoSuchKey"), false),
            (400, Some("ValidationException"), false),
        ] {
            assert_eq!(is_transient_response(Some(status), code), transient, "{status} {code:?}");
        }
    }
}
