//! Calls to the emulated RDS, which has a query protocol, without an SDK.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, StatusCode};

use crate::error::{LocalError, io};
use crate::http_client;

/// The version of the API of RDS.
const VERSION: &str = "2014-10-31";

/// Creates a database instance in the emulator at `authority`, with the status `available`. It is only described: the
/// server is the stack's own.
pub(crate) async fn create_instance(
    authority: &str,
    region: &str,
    identifier: &str,
) -> Result<(), LocalError> {
    const NAME: &str = "rds CreateDBInstance";
    let fields = [
        ("Action", "CreateDBInstance"),
        ("Version", VERSION),
        ("DBInstanceIdentifier", identifier),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
    ];
    // The values need no escapes.
    let form = fields.map(|(name, value)| format!("{name}={value}")).join("&");
    // The emulator chooses the service and the region by the credential scope and does not check the signature.
    let scope = format!("local/20260101/{region}/rds/aws4_request");
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=unsigned");
    let request = Request::post("/")
        .header(AUTHORIZATION, authorization)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))
        .expect("the header values are visible ASCII");
    let (status, body) = http_client::send(authority, request).await.map_err(io(NAME))?;
    if status == StatusCode::OK {
        return Ok(());
    }
    let message = format!("status {status}: {}", String::from_utf8_lossy(&body));
    Err(LocalError::Aws { operation: NAME.to_owned(), message })
}
