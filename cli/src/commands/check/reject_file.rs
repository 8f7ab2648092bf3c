//! The file of rejects.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use penstock_engine::Reject;
use serde_json::json;

/// A file of rejects, one JSON object per line.
pub(super) struct RejectFile {
    path: PathBuf,
    /// Whether each line has the name of the checked file.
    names_file: bool,
    out: BufWriter<File>,
}

impl RejectFile {
    pub(super) fn create(path: &Path, names_file: bool) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path: path.to_owned(), names_file, out: BufWriter::new(file) })
    }

    pub(super) fn write(&mut self, file: &str, reject: &Reject) -> Result<()> {
        let mut line = json!(reject);
        if let Some(line) = line.as_object_mut().filter(|_| self.names_file) {
            line.insert("file".to_owned(), json!(file));
        }
        serde_json::to_writer(&mut self.out, &line).context("writing a reject")?;
        self.out.write_all(b"\n").with_context(|| format!("{}", self.path.display()))
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.out.flush().with_context(|| format!("{}", self.path.display()))
    }
}
