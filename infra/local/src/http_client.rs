//! A small HTTP/1 client.

use std::io::{Error, Result};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a request to `authority` (`<host>:<port>`) on a new connection. Returns the status and the whole body.
pub(crate) async fn send(authority: &str, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
    let host = HeaderValue::from_str(authority).map_err(Error::other)?;
    request.headers_mut().insert(HOST, host);
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::other)?;
    // The request itself reports an error of the connection.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(Error::other)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(Error::other)?.to_bytes();
    connection.abort();
    Ok((status, body))
}
