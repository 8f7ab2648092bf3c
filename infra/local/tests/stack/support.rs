//! A stack with one fake function, and helpers to observe it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use penstock_aws::clients::Aws;
use penstock_local::{Stack, UpOptions};
use serde_json::Value;

pub(crate) struct Fixture {
    pub(crate) stack: Stack,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) aws: Aws,
    folder: tempfile::TempDir,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the options of a stack of the test template, in a folder of its own that PostgreSQL's account can access.
pub(crate) fn options(parameters: &[(&str, &str)]) -> (UpOptions, tempfile::TempDir) {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let venv = root().join(".venv");
    let functions_dir = folder.path().join("functions");
    std::fs::create_dir(&functions_dir).unwrap();
    let tests = root().join("infra/local/tests/stack");
    let python = venv.join("bin/python").display().to_string();
    let script = std::fs::read_to_string(tests.join("fake.py")).unwrap().replacen("PYTHON", &python, 1);
    std::fs::write(functions_dir.join("fake"), script).unwrap();
    std::fs::set_permissions(functions_dir.join("fake"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = UpOptions {
        state_dir: folder.path().join("state"),
        template: tests.join("template.yaml"),
        functions_dir,
        venv,
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        durable_database: false,
        ..UpOptions::new(root())
    };
    (options, folder)
}

impl Fixture {
    pub(crate) async fn up(parameters: &[(&str, &str)]) -> Self {
        Self::up_with(parameters, |_| {}).await
    }

    pub(crate) async fn up_with(parameters: &[(&str, &str)], change: impl FnOnce(&mut UpOptions)) -> Self {
        let (mut options, folder) = options(parameters);
        change(&mut options);
        let stack = Box::pin(Stack::up(options)).await.unwrap();
        let aws = Aws::new(stack.endpoints().variables.clone()).unwrap();
        let endpoint = &stack.endpoints().aws_url;
        let s3 = aws_sdk_s3::config::Builder::from(aws.config()).endpoint_url(endpoint);
        let sqs = aws_sdk_sqs::config::Builder::from(aws.config()).endpoint_url(endpoint).build();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.force_path_style(true).build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            stack,
            aws,
            folder,
        }
    }

    pub(crate) fn queue_url(&self, name: &str) -> String {
        format!("{}/123456789012/{name}", self.stack.endpoints().aws_url)
    }

    pub(crate) async fn send(&self, body: &str) {
        self.sqs
            .send_message()
            .queue_url(self.queue_url("local-queue"))
            .message_body(body)
            .send()
            .await
            .unwrap();
    }

    /// Returns the notes that the function has written, of the kind `init` or `event`.
    pub(crate) fn notes(&self, kind: &str) -> Vec<Value> {
        let notes =
            std::fs::read_to_string(self.folder.path().join("functions/notes.ndjson")).unwrap_or_default();
        let notes = notes.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        notes.filter(|note| note["kind"] == kind).collect()
    }

    /// Returns the body of each delivered message in the order of delivery.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let events = self.notes("event");
        let records = events.iter().flat_map(|note| note["value"]["event"]["Records"].as_array().unwrap());
        records.map(|record| record["body"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::to_value(self.stack.status()).unwrap()
    }

    /// Waits until the poller has received `count` messages that are not deleted.
    pub(crate) async fn wait_until_received(&self, count: u32) {
        let name = aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let request = self.sqs.get_queue_attributes().queue_url(self.queue_url("local-queue"));
            let attributes = request.attribute_names(name.clone()).send().await.unwrap();
            if attributes.attributes().unwrap()[&name] == count.to_string() {
                return;
            }
            assert!(Instant::now() < deadline, "no message is received: {:#}", self.status());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `condition` is satisfied. Panics with the status after 20 seconds.
    pub(crate) async fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition(self) {
            assert!(Instant::now() < deadline, "{what}: {:#} {:?}", self.status(), self.bodies());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn control(&self, method: &'static str, path: &str, body: &str) -> (u16, String) {
        let url = self.stack.endpoints().control_url.clone();
        let (path, body) = (path.to_owned(), body.to_owned());
        tokio::task::spawn_blocking(move || http(&url, method, &path, &body)).await.unwrap()
    }
}

/// Sends a request and returns the status and the body.
pub(crate) fn http(url: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: local\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
