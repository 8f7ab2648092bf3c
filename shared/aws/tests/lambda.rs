//! Invocations of functions against a server that returns each kind of response.

#![cfg(feature = "invoke")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use penstock_aws::clients::Aws;
use penstock_aws::lambda::{InvokeError, LambdaInvoker};

/// Sends one response. Returns the request's head in lower case, and its body.
fn serve(response: String) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(response.as_bytes()).unwrap();
        (head, String::from_utf8(body).unwrap())
    });
    (endpoint, served)
}

fn response(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{header}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Invokes a function once, and returns the result with the request. A second request would have no server.
async fn invoke(response: String) -> (Result<String, InvokeError>, (String, String)) {
    let (endpoint, served) = serve(response);
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoint),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let invoker = LambdaInvoker::new(&Aws::new(variables).unwrap());
    let result = invoker.invoke("penstock-prod-writer", "live", b"{\"a\":1}".to_vec()).await;
    (result.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()), served.join().unwrap())
}

#[tokio::test]
async fn the_response_of_the_alias_is_returned() {
    let (result, (head, body)) = invoke(response("200 OK", "", "{\"b\":2}")).await;
    assert_eq!(result.unwrap(), "{\"b\":2}");
    assert_eq!(body, "{\"a\":1}");
    let path = "post /2015-03-31/functions/penstock-prod-writer/invocations?qualifier=live ";
    assert!(head.starts_with(path), "{head}");
    assert!(head.contains("x-amz-invocation-type: requestresponse\r\n"), "{head}");
}

#[tokio::test]
async fn an_error_of_the_function_is_not_a_response() {
    let header = "X-Amz-Function-Error: Unhandled\r\n";
    let (result, _) = invoke(response("200 OK", header, "{\"errorMessage\":\"out of memory\"}")).await;
    let error = result.unwrap_err();
    assert!(matches!(error, InvokeError::FunctionFailed { .. }), "{error}");
    let expected =
        "penstock-prod-writer:live ended with an error: Unhandled: {\"errorMessage\":\"out of memory\"}";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_failed_invocation_is_not_repeated() {
    // A function may still be running after an error of the service.
    for status in ["403 Forbidden", "503 Service Unavailable"] {
        let (result, _) = invoke(response(status, "", "{\"message\":\"no\"}")).await;
        let error = result.unwrap_err();
        assert!(matches!(error, InvokeError::NotInvoked { .. }), "{error}");
        assert!(error.to_string().starts_with("invoking penstock-prod-writer:live: "), "{error}");
    }
}
