//! Runs one step of a benchmark over one file, in a process of its own, so that `tests/bench/engine.py` can measure its CPU time
//! and memory.
//!
//! - `file_bench generate csv|ndjson|parquet ROWS FILE [clean]`: writes product rows, 3 % of them with faults, or
//!   none with `clean`
//! - `file_bench contract`: prints the contract of the product rows
//! - `file_bench STEP FILE [--times N] [--out FILE]`: reads the file, with its rows repeated N times, and writes
//!   COPY text and rejects to the file given with `--out`. Prints `ROWS ACCEPTED REJECTED PEAK_KIB`.

#![allow(clippy::disallowed_macros, reason = "its standard output is its result")]

mod products;

use std::borrow::Cow;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use penstock_engine::{ChunkEncoder, Limits, ParquetPart, Plan, Reader, RejectEncoder};
use serde::Deserialize;

use products::parquet::{read_alone, write_parquet};
use products::{CONTRACT, Faults, write_csv, write_ndjson};

/// The part size that ingest uses for Parquet and rejects.
const PART_BYTES: usize = 8 * 1024 * 1024;
const USAGE: &str = "file_bench generate csv|ndjson|parquet ROWS FILE [clean] | file_bench contract | file_bench STEP FILE [--times N] [--out FILE]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let counts = match arguments.as_slice() {
        ["generate", format, rows, file] => return generate(format, rows, file, Faults::ThreePercent),
        ["generate", format, rows, file, "clean"] => return generate(format, rows, file, Faults::None),
        ["contract"] => {
            print!("{CONTRACT}");
            return Ok(());
        }
        ["csv", file] => parse_csv(file)?,
        ["serde_json", file] => parse_json(file)?,
        ["arrow", file] => {
            let rows = read_alone(File::open(file)?)?;
            Counts { rows, accepted: rows, rejected: 0 }
        }
        ["copy", file, options @ ..] => check(file, "csv", false, options)?,
        ["ndjson", file, options @ ..] => check(file, "ndjson", false, options)?,
        ["whole", file, options @ ..] => check(file, "csv", true, options)?,
        ["parquet", file] => check_parquet(file)?,
        _ => return Err(USAGE.into()),
    };
    let Counts { rows, accepted, rejected } = counts;
    println!("{rows} {accepted} {rejected} {}", peak_kib()?);
    Ok(())
}

struct Counts {
    rows: u64,
    accepted: u64,
    rejected: u64,
}

fn generate(format: &str, rows: &str, path: &str, faults: Faults) -> Result<(), Box<dyn Error>> {
    if format == "parquet" {
        return write_parquet(rows.parse()?, faults, File::create(path)?);
    }
    let mut file = BufWriter::new(File::create(path)?);
    match format {
        "csv" => write_csv(rows.parse()?, faults, &mut file)?,
        "ndjson" => write_ndjson(rows.parse()?, faults, &mut file)?,
        _ => return Err(USAGE.into()),
    }
    Ok(file.flush()?)
}

/// Splits the file into fields with the `csv` crate and ignores them, as a baseline.
fn parse_csv(path: &str) -> Result<Counts, Box<dyn Error>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record)? {
        black_box(&record);
        rows += 1;
    }
    Ok(Counts { rows, accepted: rows, rejected: 0 })
}

/// A product as a program without a contract would declare it. Text is borrowed where possible, which is the fastest way.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the benchmark measures deserialization only")]
struct Product<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow)]
    brand: Cow<'a, str>,
    #[serde(borrow)]
    category: Cow<'a, str>,
    price: f64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    gtin: i64,
    #[serde(borrow)]
    updated_at: Cow<'a, str>,
    #[serde(borrow)]
    attributes: Attributes<'a>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the benchmark measures deserialization only")]
struct Attributes<'a> {
    #[serde(borrow)]
    color: Cow<'a, str>,
    weight_g: u32,
    width_cm: u32,
    new: bool,
}

fn parse_json(path: &str) -> Result<Counts, Box<dyn Error>> {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let mut line = Vec::new();
    let mut counts = Counts { rows: 0, accepted: 0, rejected: 0 };
    while reader.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice::<Product<'_>>(&line) {
            Ok(product) => {
                black_box(&product);
                counts.accepted += 1;
            }
            Err(_) => counts.rejected += 1,
        }
        counts.rows += 1;
        line.clear();
    }
    Ok(counts)
}

/// Checks a file. With `is_whole`, also encodes chunks, Parquet and rejects, as ingest does.
fn check(path: &str, format: &str, is_whole: bool, options: &[&str]) -> Result<Counts, Box<dyn Error>> {
    let (mut times, mut out) = (1, None);
    for option in options.chunks(2) {
        match option {
            ["--times", count] => times = count.parse()?,
            ["--out", path] => out = Some(File::create(path)?),
            _ => return Err(USAGE.into()),
        }
    }
    let contract = CONTRACT.replace("format: csv", &format!("format: {format}"));
    let plan = Arc::new(Plan::compile(&penstock_contract::parse("bench.yaml", &contract)?)?);
    let limits = Limits { arrow: is_whole, ..Limits::default() };
    let input = Repeated::open(path, times, if format == "csv" { 1 } else { 0 })?;
    let mut reader = Reader::open(&plan, limits, input)?;
    let mut encoders = if is_whole { Some(Encoders::new(plan)?) } else { None };
    while let Some(block) = reader.next_block()? {
        if let Some(out) = &mut out {
            out.write_all(&block.rows.copy_text)?;
            let mut rejects = BufWriter::new(&mut *out);
            for reject in &block.rejects {
                serde_json::to_writer(&mut rejects, reject)?;
            }
            rejects.flush()?;
        }
        if let Some(encoders) = &mut encoders {
            encoders.push(&block)?;
        }
        reader.recycle(block.rows.copy_text);
    }
    if let Some(encoders) = encoders {
        encoders.finish()?;
    }
    let totals = reader.totals();
    Ok(Counts { rows: totals.rows_read, accepted: totals.accepted, rejected: totals.rejected })
}

/// Checks a Parquet file.
fn check_parquet(path: &str) -> Result<Counts, Box<dyn Error>> {
    let contract = CONTRACT.replace("format: csv", "format: parquet");
    let plan = Plan::compile(&penstock_contract::parse("bench.yaml", &contract)?)?;
    let mut reader = Reader::open_seekable(&plan, Limits::default(), File::open(path)?)?;
    while let Some(block) = reader.next_block()? {
        reader.recycle(block.rows.copy_text);
    }
    let totals = reader.totals();
    Ok(Counts { rows: totals.rows_read, accepted: totals.accepted, rejected: totals.rejected })
}

/// The encoders of everything that ingest stores for a drop.
struct Encoders {
    plan: Arc<Plan>,
    chunks: ChunkEncoder,
    part: ParquetPart,
    rejects: RejectEncoder,
}

impl Encoders {
    fn new(plan: Arc<Plan>) -> Result<Self, Box<dyn Error>> {
        let part = ParquetPart::new(&plan)?;
        Ok(Self { plan, chunks: ChunkEncoder::new()?, part, rejects: RejectEncoder::new()? })
    }

    fn push(&mut self, block: &penstock_engine::Block) -> Result<(), Box<dyn Error>> {
        if block.rows.count > 0 {
            black_box(self.chunks.encode(&block.rows.copy_text)?);
        }
        for reject in &block.rejects {
            self.rejects.push(reject)?;
        }
        if let Some(batch) = &block.rows.record_batch {
            self.part.push(batch)?;
        }
        if self.part.encoded_len() >= PART_BYTES {
            let part = std::mem::replace(&mut self.part, ParquetPart::new(&self.plan)?);
            black_box(part.finish()?);
        }
        if self.rejects.encoded_len() >= PART_BYTES {
            let rejects = std::mem::replace(&mut self.rejects, RejectEncoder::new()?);
            black_box(rejects.finish()?);
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Box<dyn Error>> {
        black_box((self.part.finish()?, self.rejects.finish()?));
        Ok(())
    }
}

/// A reader that repeats the rows of a file below one header, so that a large input needs no large file.
struct Repeated {
    file: File,
    header_bytes: u64,
    remaining: u32,
}

impl Repeated {
    fn open(path: &str, times: u32, header_lines: usize) -> io::Result<Self> {
        let mut header = Vec::new();
        let mut head = BufReader::new(File::open(path)?);
        for _ in 0..header_lines {
            head.read_until(b'\n', &mut header)?;
        }
        Ok(Self {
            file: File::open(path)?,
            header_bytes: header.len() as u64,
            remaining: times.saturating_sub(1),
        })
    }
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::{Seek, SeekFrom};
        let count = self.file.read(buffer)?;
        if count > 0 || self.remaining == 0 || buffer.is_empty() {
            return Ok(count);
        }
        self.remaining -= 1;
        self.file.seek(SeekFrom::Start(self.header_bytes))?;
        self.file.read(buffer)
    }
}

/// Returns the peak memory of this process in KiB, the kernel's `VmHWM`. (`ru_maxrss` of a child includes its parent's memory.)
fn peak_kib() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    peak.ok_or_else(|| io::Error::other("/proc/self/status has no VmHWM"))
}
