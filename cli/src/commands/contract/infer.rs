//! `penstock contract infer`

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use penstock_engine::infer::{InferOptions, Inferred, infer};
use serde_json::json;

use crate::exit::{Exit, SUCCESS};

#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// A sample: delimited text, JSON or Avro, compressed or not, or Parquet
    file: PathBuf,
    /// The source's name [default: the file's]
    #[arg(long)]
    source: Option<String>,
    /// Look at this many rows at most; later ones are not known to be accepted
    #[arg(long, value_name = "N", default_value_t = InferOptions::default().max_rows)]
    rows: u64,
    /// Write the contract to this file instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON: the contract as `yaml`, `rows` and `notes`
    #[arg(long)]
    json: bool,
}

impl Infer {
    pub(crate) fn run(self) -> Result<Exit> {
        let source = self.source.clone().unwrap_or_else(|| source_of(&self.file));
        let context = || format!("{}", self.file.display());
        let mut open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(File::open(&self.file)?)) };
        let options = InferOptions { max_rows: self.rows, ..InferOptions::default() };
        let inferred = infer(&source, &mut open, &options).with_context(context)?;
        if let Some(out) = &self.out {
            write_new(out, &inferred.yaml).with_context(|| format!("{}", out.display()))?;
        }
        if self.json {
            let Inferred { yaml, rows, notes } = &inferred;
            outln!("{:#}", json!({ "yaml": yaml, "rows": rows, "notes": notes }));
            return Ok(SUCCESS);
        }
        if self.out.is_none() {
            out!("{}", inferred.yaml);
        }
        errln!("inferred from {} rows; read it before you publish it", inferred.rows);
        for note in &inferred.notes {
            errln!("note: {note}");
        }
        Ok(SUCCESS)
    }
}

/// The file's name up to its first dot.
fn source_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// A contract that somebody has worked on is not overwritten.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    io::Write::write_all(&mut File::create_new(path)?, text.as_bytes())
}
