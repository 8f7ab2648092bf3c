//! Whether an SDK error is worth another try, in one place for all services.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Codes of a passing fault that do not come with a 429 or a 5xx status.
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
    // Lambda renews the credentials of its environment: the next one has fresh ones.
    "ExpiredToken",
    "ExpiredTokenException",
];

/// What the SDK said, taken apart.
pub(crate) struct Fault {
    /// HTTP status, where an answer came.
    pub(crate) status: Option<u16>,
    /// The service's error code, where it gave one.
    pub(crate) code: Option<String>,
    /// All of it in words.
    pub(crate) message: String,
    /// True when the same call may succeed later.
    pub(crate) transient: bool,
}

impl Fault {
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let transient = match error {
            // The request could not be made at all: the caller's or the SDK's mistake.
            SdkError::ConstructionFailure(_) => false,
            SdkError::TimeoutError(_) => true,
            SdkError::DispatchFailure(failure) => !failure.is_user(),
            // An answer came and could not be understood, most often because it broke off.
            SdkError::ResponseError(_) => true,
            SdkError::ServiceError(_) => is_transient_answer(status, code.as_deref()),
            // The SDK may grow new kinds; none of them is the service refusing.
            _ => true,
        };
        let message = match (&code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            _ => DisplayErrorContext(error).to_string(),
        };
        Self { status, code, message, transient }
    }
}

pub(crate) fn is_transient_answer(status: Option<u16>, code: Option<&str>) -> bool {
    let by_status = status.is_some_and(|status| status == 408 || status == 429 || status >= 500);
    by_status || code.is_some_and(|code| TRANSIENT_CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_the_services_own_faults_are_transient() {
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
            assert_eq!(is_transient_answer(Some(status), code), transient, "{status} {code:?}");
        }
    }
}
