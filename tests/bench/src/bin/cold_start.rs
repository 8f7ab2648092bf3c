//! Times a function's cold start: from `exec` to the first response, under a bare Lambda Runtime API.
//!
//! `cold-start RUNS EVENT BINARY…` starts each binary `RUNS` times, in turns so that noise hits all of them
//! alike, hands it the JSON `EVENT` and prints one JSON object a binary: least and median milliseconds, and
//! the peak resident memory at that moment in KiB. The binaries get this process's environment.

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

/// A function that has not answered by then is broken.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let runs: usize = arguments.next().context("usage: cold-start RUNS EVENT BINARY…")?.parse()?;
    let event = arguments.next().context("usage: cold-start RUNS EVENT BINARY…")?;
    let binaries: Vec<String> = arguments.collect();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::with_capacity(runs); binaries.len()];
    for _ in 0..runs {
        for (binary, samples) in binaries.iter().zip(&mut samples) {
            samples.push(cold_start(binary, &event).with_context(|| format!("{binary} did not start"))?);
        }
    }
    for (binary, samples) in binaries.iter().zip(&mut samples) {
        samples.sort_by_key(|sample| sample.took);
        let least = samples.first().context("at least one run")?;
        let median = samples.get(samples.len() / 2).context("at least one run")?;
        println!(
            "{}",
            json!({
                "binary": binary,
                "least_ms": least.took.as_secs_f64() * 1e3,
                "median_ms": median.took.as_secs_f64() * 1e3,
                "peak_rss_kib": median.peak_rss_kib,
            })
        );
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Sample {
    took: Duration,
    peak_rss_kib: Option<u64>,
}

fn cold_start(binary: &str, event: &str) -> anyhow::Result<Sample> {
    let api = TcpListener::bind("127.0.0.1:0")?;
    let address = api.local_addr()?.to_string();
    let (answered, first_answer) = channel();
    let event = event.to_owned();
    let over = Arc::new(AtomicBool::new(false));
    let server = std::thread::spawn({
        let over = Arc::clone(&over);
        move || serve(&api, &event, &answered, &over)
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
    let sample = wait_for_answer(&child, started, &first_answer);
    stop(child)?;
    over.store(true, Ordering::Relaxed);
    // One more connection lets the accepting thread see that it is over.
    TcpStream::connect(&address)?;
    server.join().map_err(|_| anyhow::anyhow!("the runtime API panicked"))?;
    sample
}

fn wait_for_answer(
    child: &Child,
    started: Instant,
    first_answer: &Receiver<Answer>,
) -> anyhow::Result<Sample> {
    match first_answer.recv_timeout(PATIENCE)? {
        Answer::Response(at) => {
            Ok(Sample { took: at.duration_since(started), peak_rss_kib: peak_rss_kib(child.id()) })
        }
        Answer::Error(body) => bail!("the function answered with an error: {body}"),
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

enum Answer {
    Response(Instant),
    Error(String),
}

fn serve(api: &TcpListener, event: &str, answered: &Sender<Answer>, over: &AtomicBool) {
    for connection in api.incoming() {
        let Ok(connection) = connection else { return };
        if over.load(Ordering::Relaxed) {
            return;
        }
        let (event, answered) = (event.to_owned(), answered.clone());
        // A connection's thread ends when its client closes it.
        std::thread::spawn(move || converse(connection, &event, &answered));
    }
}

/// One keep-alive connection of the Runtime API: the first `next` is answered with the event, a second one
/// is left waiting.
fn converse(connection: TcpStream, event: &str, answered: &Sender<Answer>) -> anyhow::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    loop {
        let Some((path, body)) = read_request(&mut reader)? else { bail!("closed") };
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
            let answer = if path.ends_with("/response") {
                Answer::Response(now)
            } else {
                Answer::Error(String::from_utf8_lossy(&body).into_owned())
            };
            answered.send(answer)?;
            bail!("answered");
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
        // The first bytes are enough to know that the answer stands; the connection is dropped after it.
        let mut size = String::new();
        reader.read_line(&mut size)?;
        body = vec![0; usize::from_str_radix(size.trim(), 16)?];
    }
    reader.read_exact(&mut body)?;
    Ok(Some((path, body)))
}
