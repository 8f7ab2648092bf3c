#![doc = include_str!("../../README.md")]
//!
//! This program is `cold-start`. It measures a function's cold start, from `exec` to the first response, with a minimal
//! Lambda Runtime API.
//!
//! `cold-start RUNS EVENT BINARY…` starts each binary `RUNS` times with the JSON `EVENT`. The binaries alternate, so that
//! all are exposed to the same noise, and inherit this process's environment. Prints one JSON object per binary: minimum and
//! median milliseconds, and the peak resident memory in KiB at the response.

#![allow(clippy::disallowed_macros, reason = "its standard output is its result")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;

/// The time limit for the first response.
const TIMEOUT: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().context("usage: cold-start RUNS EVENT BINARY…")?.parse()?;
    let event = arguments.next().context("usage: cold-start RUNS EVENT BINARY…")?;
    let binaries: Vec<String> = arguments.collect();
    let mut all_starts: Vec<Vec<ColdStart>> = vec![Vec::with_capacity(runs); binaries.len()];
    for _ in 0..runs {
        for (binary, starts) in binaries.iter().zip(&mut all_starts) {
            starts.push(cold_start(binary, &event).with_context(|| format!("{binary} did not start"))?);
        }
    }
    for (binary, starts) in binaries.iter().zip(&mut all_starts) {
        starts.sort_by_key(|start| start.duration);
        let minimum = starts.first().context("RUNS must be at least 1")?;
        let median = starts.get(starts.len() / 2).context("RUNS must be at least 1")?;
        println!(
            "{}",
            json!({
                "binary": binary,
                "least_ms": minimum.duration.as_secs_f64() * 1e3,
                "median_ms": median.duration.as_secs_f64() * 1e3,
                "peak_rss_kib": median.peak_rss_kib,
            })
        );
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct ColdStart {
    duration: Duration,
    peak_rss_kib: Option<u64>,
}

fn cold_start(binary: &str, event: &str) -> anyhow::Result<ColdStart> {
    let api = TcpListener::bind("127.0.0.1:0")?;
    let address = api.local_addr()?.to_string();
    let (sender, first_response) = channel();
    let event = event.to_owned();
    let stopping = Arc::new(AtomicBool::new(false));
    let server = std::thread::spawn({
        let stopping = Arc::clone(&stopping);
        move || serve(&api, &event, &sender, &stopping)
    });
    let started = Instant::now();
    let child = Command::new(binary)
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "cold-start")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let start = wait_for_response(&child, started, &first_response);
    stop(child)?;
    stopping.store(true, Ordering::Relaxed);
    // The accepting thread checks `stopping` at the next connection.
    TcpStream::connect(&address)?;
    server.join().map_err(|_| anyhow::anyhow!("the runtime API panicked"))?;
    start
}

fn wait_for_response(
    child: &Child,
    started: Instant,
    first_response: &Receiver<FirstResponse>,
) -> anyhow::Result<ColdStart> {
    match first_response.recv_timeout(TIMEOUT)? {
        FirstResponse::Success(at) => {
            Ok(ColdStart { duration: at.duration_since(started), peak_rss_kib: peak_rss_kib(child.id()) })
        }
        FirstResponse::Error(body) => bail!("the function returned an error: {body}"),
    }
}

fn stop(mut child: Child) -> anyhow::Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn peak_rss_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

enum FirstResponse {
    Success(Instant),
    Error(String),
}

fn serve(api: &TcpListener, event: &str, sender: &Sender<FirstResponse>, stopping: &AtomicBool) {
    for connection in api.incoming() {
        let Ok(connection) = connection else { return };
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        let (event, sender) = (event.to_owned(), sender.clone());
        // The thread ends when the client closes the connection.
        std::thread::spawn(move || {
            if let Err(error) = converse(connection, &event, &sender) {
                // The receiver exists only until the first response.
                sender.send(FirstResponse::Error(format!("{error:#}"))).ok();
            }
        });
    }
}

/// Serves one keep-alive connection of the Runtime API. Replies to `next` with the event, and returns after the response of
/// the function.
fn converse(connection: TcpStream, event: &str, sender: &Sender<FirstResponse>) -> anyhow::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    loop {
        let Some((path, body)) = read_request(&mut reader)? else { return Ok(()) };
        if path.ends_with("/invocation/next") {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 lambda-runtime-aws-request-id: 00000000-0000-0000-0000-000000000001\r\n\
                 lambda-runtime-deadline-ms: 4102444800000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:000000000000:function:f\r\n\
                 lambda-runtime-trace-id: Root=1-00000000-000000000000000000000000\r\n\r\n",
                event.len()
            );
            writer.write_all(head.as_bytes())?;
            writer.write_all(event.as_bytes())?;
        } else {
            let now = Instant::now();
            let response = if path.ends_with("/response") {
                FirstResponse::Success(now)
            } else {
                FirstResponse::Error(String::from_utf8_lossy(&body).into_owned())
            };
            return Ok(sender.send(response)?);
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).context("a request line has a path")?.to_owned();
    let (mut length, mut chunked) = (0usize, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        chunked |= header == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    if chunked {
        // The first chunk is enough, because the connection is closed after the response.
        let mut size = String::new();
        reader.read_line(&mut size)?;
        body = vec![0; usize::from_str_radix(size.trim(), 16)?];
    }
    reader.read_exact(&mut body)?;
    Ok(Some((path, body)))
}
