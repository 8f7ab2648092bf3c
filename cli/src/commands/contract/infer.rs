//! `penstock contract infer`

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::{Args, ValueEnum};
use penstock_contract::Quote;
use penstock_engine::FileFormat;
use penstock_engine::infer::{InferOptions, Inferred, KnownFormat, infer};
use serde_json::json;

use crate::exit::{Exit, SUCCESS};

/// The maximum size of a stream such as standard input, which is read into memory.
const MAX_STREAM_BYTES: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(crate) struct InferCommand {
    /// A sample: delimited text, JSON or Avro, which may be compressed, or Parquet; `-` reads standard input
    file: PathBuf,
    /// The source's name [default: the file's name, or `source` for standard input]
    #[arg(long)]
    source: Option<String>,
    /// Read at most this many rows; the contract may reject later ones
    #[arg(long, value_name = "N", default_value_t = InferOptions::default().max_rows,
        value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Write the contract to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON: the contract as `yaml`, `rows` and `notes`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// The known properties of the sample's format. The others are detected.
#[derive(Debug, Args)]
#[command(next_help_heading = "Format of the sample (detected by default)")]
struct FormatArgs {
    /// File format
    #[arg(long)]
    format: Option<SampleFormat>,
    /// Encoding label of the WHATWG standard, such as `windows-1252`
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    /// Field delimiter: one or more characters, or `tab`
    #[arg(long, value_name = "TEXT", value_parser = delimiter)]
    delimiter: Option<String>,
    /// Quote character of fields: one ASCII character, or `none`
    #[arg(long, value_name = "CHAR", value_parser = quote)]
    quote: Option<Quote>,
    /// Escape character of quotes inside quoted fields
    #[arg(long, value_name = "CHAR", value_parser = ascii)]
    escape: Option<u8>,
    /// Whether the first record contains the column names
    #[arg(long, value_name = "BOOL")]
    header: Option<bool>,
    /// Number of lines before the header
    #[arg(long, value_name = "N")]
    skip_lines: Option<u32>,
    /// Path of the array of objects in a JSON document, such as `$.data.items`
    #[arg(long, value_parser = path)]
    path: Option<PathKeys>,
}

/// The keys of a path. With a plain `Vec`, clap would accept the option several times.
#[derive(Debug, Clone)]
struct PathKeys(Vec<String>);

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SampleFormat {
    /// Delimited text
    #[value(alias = "delimited")]
    Csv,
    /// Text delimited by tabs
    Tsv,
    /// One JSON object per line
    #[value(alias = "jsonl")]
    Ndjson,
    /// A JSON document with an array of objects
    Json,
    /// Apache Parquet
    Parquet,
    /// Avro object container file
    Avro,
}

impl InferCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        let source = self.source.clone().unwrap_or_else(|| source_of(&self.file));
        let context = || format!("{}", self.file.display());
        let sample = SampleInput::open(&self.file).with_context(context)?;
        let mut open = || sample.reader();
        let options =
            InferOptions { max_rows: self.rows, known: self.format.known(), ..InferOptions::default() };
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
        let rows = if inferred.rows == 1 { "row" } else { "rows" };
        errln!("inferred from {} {rows}; review the contract before you publish it", inferred.rows);
        for note in &inferred.notes {
            errln!("note: {note}");
        }
        Ok(SUCCESS)
    }
}

impl FormatArgs {
    fn known(&self) -> KnownFormat {
        let is_tabbed = matches!(self.format, Some(SampleFormat::Tsv));
        let kind = self.format.map(|format| match format {
            SampleFormat::Csv | SampleFormat::Tsv => FileFormat::Delimited,
            SampleFormat::Ndjson => FileFormat::Ndjson,
            SampleFormat::Json => FileFormat::JsonArray,
            SampleFormat::Parquet => FileFormat::Parquet,
            SampleFormat::Avro => FileFormat::Avro,
        });
        KnownFormat {
            kind,
            encoding: self.encoding.clone(),
            delimiter: self.delimiter.clone().or(is_tabbed.then(|| "\t".to_owned())),
            quote: self.quote,
            escape: self.escape,
            header: self.header,
            skip_lines: self.skip_lines,
            path: self.path.clone().map(|PathKeys(keys)| keys),
        }
    }
}

/// A sample that can be read several times.
enum SampleInput<'p> {
    File(&'p Path),
    /// The content of a stream such as standard input.
    Memory(Arc<[u8]>),
}

impl<'p> SampleInput<'p> {
    fn open(path: &'p Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::of_stream(io::stdin().lock());
        }
        let file = File::open(path)?;
        let is_repeatable = !file.metadata()?.file_type().is_fifo();
        if is_repeatable { Ok(Self::File(path)) } else { Self::of_stream(file) }
    }

    fn of_stream(stream: impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        stream.take(MAX_STREAM_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
        ensure!(
            bytes.len() as u64 <= MAX_STREAM_BYTES,
            "the stream has more than {MAX_STREAM_BYTES} bytes, the limit for a sample in memory; specify a file"
        );
        Ok(Self::Memory(bytes.into()))
    }

    /// Returns a reader from the beginning of the sample.
    fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) => Box::new(File::open(path)?),
            Self::Memory(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        })
    }
}

fn delimiter(text: &str) -> Result<String, String> {
    Ok(match text {
        "" => return Err("expected one or more characters, or `tab`".to_owned()),
        "tab" | "\\t" => "\t".to_owned(),
        "comma" => ",".to_owned(),
        "semicolon" => ";".to_owned(),
        "pipe" => "|".to_owned(),
        _ => text.to_owned(),
    })
}

fn quote(text: &str) -> Result<Quote, String> {
    if text == "none" { Ok(Quote::None) } else { ascii(text).map(Quote::Byte) }
}

fn ascii(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii_graphic() => Ok(*byte),
        _ => Err("expected one ASCII character".to_owned()),
    }
}

/// Parses `$.data.items` to its keys. `$` has none.
fn path(text: &str) -> Result<PathKeys, String> {
    let keys = match text.strip_prefix('$') {
        Some("") => Some(Vec::new()),
        Some(keys) => keys.strip_prefix('.').map(|keys| keys.split('.').map(str::to_owned).collect()),
        None => None,
    };
    let is_whole = |keys: &Vec<String>| keys.iter().all(|key| !key.is_empty());
    keys.filter(is_whole)
        .map(PathKeys)
        .ok_or_else(|| "expected keys separated by dots, such as `$.data.items`".to_owned())
}

/// Returns the file's name up to its first dot. A path without a name, such as `..`, has no source, which `infer`
/// reports.
fn source_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Creates a file. Does not overwrite an existing one, which may have been edited.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let mut file = File::create_new(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            anyhow!("the file already exists and is not overwritten; choose another name")
        } else {
            error.into()
        }
    })?;
    Ok(io::Write::write_all(&mut file, text.as_bytes())?)
}
