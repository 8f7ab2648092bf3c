//! The store against a server that closes connections, refuses requests and returns incomplete responses.

#![cfg(feature = "store")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use penstock_aws::clients::Aws;
use penstock_aws::listing::{ListScope, ObjectListing, VersionMarker};
use penstock_aws::s3::S3Store;
use penstock_aws::store::{ObjectBody, ObjectRef, ObjectStore, StoreError};

/// A server that sends a list of responses, and records the requests.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn with(responses: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&requests);
        std::thread::spawn(move || {
            for response in responses {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    reader.read_line(&mut head).unwrap();
                }
                let head = head.to_lowercase();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                reader.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
                recorded.lock().unwrap().push(head);
                stream.write_all(response.as_bytes()).unwrap();
            }
        });
        Self { endpoint, requests }
    }

    fn store(&self) -> S3Store {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL_S3", &self.endpoint),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        S3Store::new(&Aws::new(variables).unwrap())
    }

    /// Returns the query parameters of each request, in lower case, without the SDK's own.
    fn queries(&self) -> Vec<Vec<String>> {
        let requests = self.requests.lock().unwrap();
        let query = |head: &String| {
            let target = head.split(' ').nth(1).unwrap().split_once('?').unwrap().1;
            let mut query: Vec<String> = target.split('&').map(str::to_owned).collect();
            query.retain(|parameter| !parameter.starts_with("x-id"));
            query.sort();
            query
        };
        requests.iter().map(query).collect()
    }

    /// Returns the query of each request, in lower case, or `None` if it has none.
    fn queries_or_none(&self) -> Vec<Option<String>> {
        let requests = self.requests.lock().unwrap();
        let target = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
        requests.iter().map(|head| target(head).split_once('?').map(|(_, query)| query.to_owned())).collect()
    }

    /// Returns the value of a header in each request.
    fn header(&self, name: &str) -> Vec<Option<String>> {
        let prefix = format!("{name}: ");
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|head| head.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned)))
            .collect()
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Returns the response with `whole` from `start` on, of which only `sent` bytes are sent.
fn range(whole: &str, start: usize, sent: usize) -> String {
    let (length, last) = (whole.len() - start, whole.len() - 1);
    format!(
        "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nETag: \"e1\"\r\n\
         Content-Range: bytes {start}-{last}/{}\r\nContent-Length: {length}\r\n\r\n{}",
        whole.len(),
        &whole[start..start + sent]
    )
}

fn error(status: &str, code: &str) -> String {
    response(status, "", &format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}

fn object(etag: Option<&str>) -> ObjectRef {
    ObjectRef {
        bucket: "raw".to_owned(),
        key: "abt/a.csv".to_owned(),
        version_id: Some("v1".to_owned()),
        etag: etag.map(str::to_owned),
    }
}

/// Reads a whole range.
async fn read(
    server: &Server,
    object: &ObjectRef,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, StoreError> {
    let mut body = server.store().get_range(object, range);
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_broken_transfer_resumes_at_its_last_byte() {
    let server =
        Server::with(vec![range("0123456789", 0, 4), range("0123456789", 4, 0), range("0123456789", 4, 6)]);
    let body = read(&server, &object(Some("e1")), 0..10).await.unwrap();
    assert_eq!(body, b"0123456789");
    let ranges = ["bytes=0-9", "bytes=4-9", "bytes=4-9"].map(|range| Some(range.to_owned()));
    assert_eq!(server.header("range"), ranges);
    assert!(server.header("if-match").iter().all(|etag| etag.as_deref() == Some("\"e1\"")));
}

#[tokio::test]
async fn a_broken_transfer_does_not_resume_with_another_object() {
    let server =
        Server::with(vec![range("0123456789", 0, 4), error("412 Precondition Failed", "PreconditionFailed")]);
    let result = read(&server, &object(None), 0..10).await;
    assert!(matches!(result, Err(StoreError::Changed { .. })), "{result:?}");
    assert_eq!(server.header("if-match"), [None, Some("\"e1\"".to_owned())]);
}

#[tokio::test]
async fn a_transfer_that_always_breaks_is_a_transient_fault() {
    let server = Server::with(vec![range("0123456789", 0, 0); 6]);
    let result = read(&server, &object(Some("e1")), 0..10).await;
    assert!(result.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_response_with_another_range_is_refused() {
    for (headers, problem) in
        [("", "received the whole object"), ("Content-Range: bytes 3-9/10\r\n", "received the bytes from 3")]
    {
        let server = Server::with(vec![response("200 OK", headers, "0123456789")]);
        let result = read(&server, &object(Some("e1")), 4..10).await;
        let Err(StoreError::Refused { message, .. }) = result else { panic!("{result:?}") };
        assert_eq!(message, format!("requested the bytes from 4, but {problem}"));
    }
}

#[tokio::test]
async fn a_response_with_an_invalid_range_is_refused() {
    for range in ["bytes x-9/10", "bytes */10", "0-9"] {
        let headers = format!("Content-Range: {range}\r\n");
        let server = Server::with(vec![response("206 Partial Content", &headers, "0123456789")]);
        let result = read(&server, &object(Some("e1")), 0..10).await;
        let Err(StoreError::Refused { message, .. }) = result else { panic!("{result:?}") };
        let expected =
            format!("requested the bytes from 0, but received the invalid content range {range:?}");
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn responses_map_to_errors() {
    type Check = fn(&StoreError) -> bool;
    let cases: [(&str, &str, Check); 7] = [
        ("404 Not Found", "NoSuchKey", |error| matches!(error, StoreError::NotFound { .. })),
        ("404 Not Found", "NoSuchVersion", |error| matches!(error, StoreError::NotFound { .. })),
        ("405 Method Not Allowed", "MethodNotAllowed", |error| matches!(error, StoreError::NotFound { .. })),
        ("412 Precondition Failed", "PreconditionFailed", |error| {
            matches!(error, StoreError::Changed { .. })
        }),
        ("404 Not Found", "NoSuchBucket", |error| matches!(error, StoreError::Refused { .. })),
        ("403 Forbidden", "InvalidObjectState", |error| matches!(error, StoreError::Archived { .. })),
        ("403 Forbidden", "AccessDenied", |error| matches!(error, StoreError::Refused { .. })),
    ];
    for (status, code, check) in cases {
        let server = Server::with(vec![error(status, code)]);
        let result = read(&server, &object(Some("e1")), 0..10).await.unwrap_err();
        assert!(check(&result), "{code}: {result:?}");
        assert!(!result.is_transient(), "{code}");
        assert!(result.to_string().starts_with("s3://raw/abt/a.csv: "), "{result}");
    }
}

#[tokio::test]
async fn the_head_of_an_object_has_its_version_size_and_time() {
    let headers = "ETag: \"e1\"\r\nLast-Modified: Sat, 21 Nov 2026 02:29:23 GMT\r\nx-amz-version-id: V1\r\n";
    let ok =
        |headers: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}Content-Length: 7\r\n\r\n");
    let server = Server::with(vec![ok(headers), ok(&headers.replace("V1", "null"))]);
    let head = server.store().head_object(&object(Some("e1"))).await.unwrap();
    assert_eq!((head.version_id.as_deref(), head.etag.as_str(), head.size_bytes), (Some("V1"), "e1", 7));
    assert_eq!(head.modified_at.to_string(), "2026-11-21T02:29:23Z");
    let unversioned = ObjectRef { version_id: None, ..object(None) };
    assert_eq!(server.store().head_object(&unversioned).await.unwrap().version_id, None);
    assert_eq!(server.header("if-match"), [Some("\"e1\"".to_owned()), None]);
    assert_eq!(server.queries_or_none(), [Some("versionid=v1".to_owned()), None]);
}

/// The response to a HEAD has no body, so there is no code.
#[tokio::test]
async fn statuses_of_a_head_map_to_errors() {
    type Check = fn(&StoreError) -> bool;
    let cases: [(&str, Check); 4] = [
        ("404 Not Found", |error| matches!(error, StoreError::NotFound { .. })),
        ("405 Method Not Allowed", |error| matches!(error, StoreError::NotFound { .. })),
        ("412 Precondition Failed", |error| matches!(error, StoreError::Changed { .. })),
        ("403 Forbidden", |error| matches!(error, StoreError::Refused { .. })),
    ];
    for (status, check) in cases {
        let server = Server::with(vec![response(status, "", "")]);
        let result = server.store().head_object(&object(Some("e1"))).await.unwrap_err();
        assert!(check(&result), "{status}: {result:?}");
    }
}

#[tokio::test]
async fn one_version_is_deleted() {
    let server =
        Server::with(vec![response("204 No Content", "", ""), error("404 Not Found", "NoSuchVersion")]);
    server.store().delete_version(&object(None)).await.unwrap();
    server.store().delete_version(&object(None)).await.unwrap();
    assert_eq!(server.queries(), [["versionid=v1"], ["versionid=v1"]]);
}

#[tokio::test]
async fn a_missing_object_is_none() {
    let server =
        Server::with(vec![error("404 Not Found", "NoSuchKey"), error("404 Not Found", "NoSuchBucket")]);
    let store = server.store();
    assert_eq!(store.get("artifacts", "contracts/abt/current.yaml").await.unwrap(), None);
    assert!(matches!(store.get("artifacts", "x").await, Err(StoreError::Refused { .. })));
}

#[tokio::test]
async fn of_two_conditional_writes_one_succeeds() {
    let server = Server::with(vec![
        response("200 OK", "ETag: \"e1\"\r\n", ""),
        error("412 Precondition Failed", "PreconditionFailed"),
        error("409 Conflict", "ConditionalRequestConflict"),
        response("200 OK", "ETag: \"e1\"\r\n", ""),
    ]);
    let store = server.store();
    let body = Bytes::from_static(b"{}");
    assert!(store.put_if_absent("processed", "m", body.clone()).await.unwrap());
    assert!(!store.put_if_absent("processed", "m", body.clone()).await.unwrap());
    assert!(store.put_if_absent("processed", "m", body).await.unwrap(), "a conflict is retried");
    assert!(server.header("if-none-match").iter().all(|value| value.as_deref() == Some("*")));
}

const LISTED: &str = "<LastModified>2026-11-21T02:29:23.326Z</LastModified>";

#[tokio::test]
async fn versions_are_listed_page_by_page_without_delete_markers() {
    let first = format!(
        "<ListVersionsResult><Name>raw</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
         <NextKeyMarker>abt/a+b%2Bc.csv</NextKeyMarker><NextVersionIdMarker>V2</NextVersionIdMarker>\
         <Version><Key>abt/a+b%2Bc.csv</Key><VersionId>V2</VersionId><IsLatest>false</IsLatest>{LISTED}\
         <ETag>&quot;e2&quot;</ETag><Size>7</Size></Version>\
         <DeleteMarker><Key>abt/a+b%2Bc.csv</Key><VersionId>V3</VersionId><IsLatest>true</IsLatest>{LISTED}\
         </DeleteMarker></ListVersionsResult>"
    );
    // A response without an encoding type is not encoded, even if the request asked for one.
    let second = format!(
        "<ListVersionsResult><Name>raw</Name><IsTruncated>false</IsTruncated>\
         <Version><Key>abt/100%.csv</Key><VersionId>null</VersionId>{LISTED}<ETag>&quot;e1&quot;</ETag>\
         <Size>0</Size></Version></ListVersionsResult>"
    );
    let server = Server::with(vec![response("200 OK", "", &first), response("200 OK", "", &second)]);
    let store = server.store();

    let page = store.versions(ListScope::all("raw", "abt/"), None).await.unwrap();
    let [version] = page.versions.as_slice() else { panic!("{page:?}") };
    assert!(!version.is_latest, "the newest version is a delete marker");
    assert_eq!((version.key.as_str(), version.version_id.as_deref()), ("abt/a b+c.csv", Some("V2")));
    assert_eq!((version.etag.as_str(), version.size_bytes), ("e2", 7));
    assert_eq!(version.modified_at.to_string(), "2026-11-21T02:29:23.326Z");
    let next = VersionMarker { key: "abt/a b+c.csv".to_owned(), version_id: Some("V2".to_owned()) };
    assert_eq!(page.next, Some(next));

    let page = store.versions(ListScope::all("raw", "abt/"), page.next.as_ref()).await.unwrap();
    assert_eq!((page.versions[0].key.as_str(), &page.versions[0].version_id), ("abt/100%.csv", &None));
    assert_eq!(page.next, None);
    let queries = server.queries();
    assert_eq!(queries[0], ["encoding-type=url", "prefix=abt%2f", "versions"]);
    let key_marker = "key-marker=abt%2fa%20b%2bc.csv";
    assert_eq!(
        queries[1],
        ["encoding-type=url", key_marker, "prefix=abt%2f", "version-id-marker=v2", "versions"]
    );
}

#[tokio::test]
async fn objects_and_folders_of_one_level_are_listed_page_by_page() {
    let page = |next: &str, entries: &str| {
        let body = format!(
            "<ListBucketResult><Name>raw</Name><EncodingType>url</EncodingType>{next}{entries}</ListBucketResult>"
        );
        response("200 OK", "", &body)
    };
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>T1</NextContinuationToken>";
    let object = format!("<Contents><Key>%01.csv</Key>{LISTED}</Contents>");
    let server = Server::with(vec![
        page(more, &object),
        page("<IsTruncated>false</IsTruncated>", "<CommonPrefixes><Prefix>abt/</Prefix></CommonPrefixes>"),
    ]);
    let store = server.store();

    let first = store.objects(ListScope::one_level("raw", ""), None).await.unwrap();
    assert_eq!((first.objects[0].key.as_str(), first.next.as_deref()), ("\u{1}.csv", Some("T1")));
    assert!(first.objects[0].modified_at.is_some());
    let second = store.objects(ListScope::one_level("raw", ""), first.next.as_deref()).await.unwrap();
    assert_eq!((second.folders, second.next), (vec!["abt/".to_owned()], None));
    let asked = ["delimiter=%2f", "encoding-type=url", "list-type=2", "prefix="];
    assert_eq!(server.queries()[0], asked);
    assert!(server.queries()[1].contains(&"continuation-token=t1".to_owned()));
}

#[tokio::test]
async fn a_listing_that_fails_is_an_error_with_its_prefix() {
    let nameless = format!(
        "<ListVersionsResult><IsTruncated>false</IsTruncated><Version>{LISTED}</Version></ListVersionsResult>"
    );
    for (reply, expected) in [
        (error("403 Forbidden", "AccessDenied"), "s3://raw/abt/: AccessDenied: AccessDenied"),
        (response("200 OK", "", &nameless), "s3://raw/abt/: the listing has an entry without a key"),
    ] {
        let server = Server::with(vec![reply]);
        let refused = server.store().versions(ListScope::all("raw", "abt/"), None).await.unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert!(!refused.is_transient());
    }
}
