//! RDS IAM authentication tokens: passwords that are presigned URLs.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html>. The SDK's crate for
//! RDS, which also creates them, takes longer to compile than all other clients together.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningError, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

const SCHEME: &str = "https://";
const SERVICE: &str = "rds-db";
/// RDS accepts a token for 15 minutes.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Returns a token with which `user` can log in to the database at `host` and `port`.
pub(super) fn iam_token(
    credentials: Credentials,
    region: &str,
    (host, port): (&str, u16),
    user: &str,
    now: SystemTime,
) -> Result<String, SigningError> {
    let identity: Identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(LIFETIME);
    settings.signature_location = SignatureLocation::QueryParams;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(settings)
        .build()
        .expect("all required parameters are set");
    let url = format!("{SCHEME}{host}:{port}/?Action=connect&DBUser={user}");
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::empty())?;
    let (instructions, _signature) = sign(request, &parameters.into())?.into_parts();
    let mut token = url[SCHEME.len()..].to_owned();
    for (name, value) in instructions.params() {
        token.push_str(&format!("&{name}={}", percent_encode(value)));
    }
    Ok(token)
}

/// Encodes all characters except the unreserved ones of RFC 3986.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The output of `generate_db_auth_token` of botocore for the same input.
    const EXPECTED: &str = "db.example.com:5432/?Action=connect&DBUser=writer&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAEXAMPLE%2F20261128%2Feu-west-1%2Frds-db%2Faws4_request&X-Amz-Date=20261128T051252Z\
        &X-Amz-SignedHeaders=host&X-Amz-Expires=900&X-Amz-Security-Token=ses%2Fsion%2B%3D\
        &X-Amz-Signature=c307723a2cb701bb3472960641c94abd53a29e2b5ca36e8cdd65709838ebce18";

    #[test]
    fn a_token_is_that_of_botocore() {
        let credentials =
            Credentials::new("AKIAEXAMPLE", "secret", Some("ses/sion+=".to_owned()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_842_772);
        let token = iam_token(credentials, "eu-west-1", ("db.example.com", 5432), "writer", now).unwrap();
        // The order of the parameters is not significant.
        let parts = |token: &str| token.split('&').map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(parts(&token), parts(EXPECTED));
        assert!(token.starts_with("db.example.com:5432/?Action=connect&DBUser=writer&"), "{token}");
    }
}
