//! The inputs of a check: files, standard input, objects in S3.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes};
use indicatif::{ProgressBar, ProgressStyle};
use penstock_aws::s3::{S3Body, S3Store};
use penstock_aws::spill::temp_copy;
use penstock_aws::store::{ObjectBody as _, ObjectRef, ObjectStore as _};
use tokio::runtime::Runtime;

use crate::commands::runtime::runtime;
use crate::settings::StackSettings;

/// A progress bar is shown for an input of at least this size.
const PROGRESS_MIN_BYTES: u64 = 32 * 1024 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;

/// An input of a check.
#[derive(Debug)]
pub(super) enum CheckInput {
    File(PathBuf),
    Stdin,
    Object { bucket: String, key: String },
}

impl CheckInput {
    /// Parses the arguments. A pattern that the shell has not expanded yields the matching files in the order of their
    /// names.
    pub(super) fn parse_all(arguments: &[String]) -> Result<Vec<Self>> {
        let mut inputs = Vec::new();
        for argument in arguments {
            if argument == "-" {
                ensure!(!inputs.iter().any(|one| matches!(one, Self::Stdin)), "`-` can be read only once");
                inputs.push(Self::Stdin);
            } else if let Some(location) = argument.strip_prefix("s3://") {
                let (bucket, key) = location
                    .split_once('/')
                    .filter(|(_, key)| !key.is_empty())
                    .with_context(|| format!("{argument} is not of the form s3://<bucket>/<key>"))?;
                inputs.push(Self::Object { bucket: bucket.to_owned(), key: key.to_owned() });
            } else if PathBuf::from(argument).exists() || !argument.contains(['*', '?', '[']) {
                inputs.push(Self::File(PathBuf::from(argument)));
            } else {
                inputs.extend(matching(argument)?.into_iter().map(Self::File));
            }
        }
        Ok(inputs)
    }

    /// Returns the input's name in reports.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "-".to_owned(),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }

    /// Opens the input for reading once.
    pub(super) fn stream(&self) -> Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) => {
                let context = || format!("{}", path.display());
                let file = File::open(path).with_context(context)?;
                let bytes = file.metadata().with_context(context)?.len();
                with_progress(BufReader::with_capacity(BUFFER_BYTES, file), bytes)
            }
            Self::Stdin => Box::new(io::stdin()),
            Self::Object { bucket, key } => {
                let object = ObjectReader::open(bucket, key)?;
                let bytes = object.bytes;
                with_progress(object, bytes)
            }
        })
    }

    /// Opens the input as a file, which can be read repeatedly and at any position. Copies standard input and objects into
    /// an unnamed temporary file.
    pub(super) fn file(&self) -> Result<File> {
        match self {
            Self::File(path) => File::open(path).with_context(|| format!("{}", path.display())),
            Self::Stdin | Self::Object { .. } => temp_copy(&mut self.stream()?)
                .with_context(|| format!("copying {} into a temporary file", self.name())),
        }
    }
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    let paths = glob::glob(pattern).with_context(|| pattern.to_owned())?;
    let paths = paths.collect::<Result<Vec<_>, _>>().with_context(|| pattern.to_owned())?;
    ensure!(!paths.is_empty(), "no file matches {pattern}");
    Ok(paths)
}

fn with_progress(input: impl Read + Send + 'static, bytes: u64) -> Box<dyn Read + Send> {
    if bytes < PROGRESS_MIN_BYTES {
        return Box::new(input);
    }
    let style = ProgressStyle::with_template("checking {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(bytes).with_style(style.expect("the template is well-formed"));
    Box::new(bar.wrap_read(input))
}

/// A reader of an object. Each read may wait for the network.
struct ObjectReader {
    runtime: Runtime,
    body: S3Body,
    bytes: u64,
    current: Bytes,
}

impl ObjectReader {
    fn open(bucket: &str, key: &str) -> Result<Self> {
        let store = S3Store::new(&StackSettings::find()?.aws()?);
        let runtime = runtime()?;
        let head = runtime.block_on(store.head(bucket, key))?;
        let head = head.with_context(|| format!("s3://{bucket}/{key}: no such object"))?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let object = ObjectRef { bucket, key, version_id: head.version_id, etag: Some(head.etag) };
        let body = store.get_range(&object, 0..head.size_bytes);
        Ok(Self { runtime, body, bytes: head.size_bytes, current: Bytes::new() })
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            match self.runtime.block_on(self.body.next()).map_err(io::Error::other)? {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
