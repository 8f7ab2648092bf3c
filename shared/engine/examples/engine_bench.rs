//! What the engine takes a row, beside parsing alone with the `csv` crate:
//! `cargo run --release -p penstock-engine --example engine_bench [ROWS [STEP]]`, the latter for
//! the steps with that word in their name.
//!
//! CPU time of this thread where Linux tells it, else wall time; the quickest of a few runs.

mod products;

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use penstock_engine::{ChunkEncoder, Limits, ParquetPart, Plan, Reader};

use products::{CONTRACT, Faults, write_csv, write_ndjson};

const RUNS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(300_000), |rows| rows.parse())?;
    let (mut csv_file, mut json_file) = (Vec::new(), Vec::new());
    write_csv(rows, Faults::None, &mut csv_file)?;
    write_ndjson(rows, Faults::None, &mut json_file)?;
    let contract = penstock_contract::parse("bench.yaml", CONTRACT)?;
    let plan = Arc::new(Plan::compile(&contract)?);
    let json_contract =
        penstock_contract::parse("bench.yaml", &CONTRACT.replace("format: csv", "format: ndjson"))?;
    let json_plan = Arc::new(Plan::compile(&json_contract)?);
    println!("{rows} rows, {} bytes of CSV, {} of NDJSON\n", csv_file.len(), json_file.len());

    let alone = measure("csv ByteRecord alone", rows, None, || parse_alone(&csv_file));
    let none = Encode { zstd: false, arrow: false, parquet: false };
    let steps = [
        ("checked → COPY text", none),
        ("… + zstd level 1, SHA-256", Encode { zstd: true, ..none }),
        ("… + Arrow columns", Encode { zstd: true, arrow: true, ..none }),
        ("… + Parquet, zstd level 1", Encode { zstd: true, arrow: true, parquet: true }),
    ];
    for (name, encode) in steps {
        measure(name, rows, Some(alone), || run(&plan, &csv_file, encode));
    }
    measure("NDJSON → COPY text", rows, Some(alone), || run(&json_plan, &json_file, none));
    measure_decoders(rows, alone, &csv_file, &json_file)?;
    measure_parquet(rows, &plan, &csv_file)
}

/// The rows as Parquet with the table's types, beside reading them with `parquet` alone.
fn measure_parquet(rows: u64, plan: &Arc<Plan>, csv_file: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let limits = Limits { arrow: true, ..Limits::default() };
    let mut reader = Reader::open(Arc::clone(plan), limits, csv_file)?;
    let mut file = Vec::new();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(&mut file, plan.arrow_schema(), Some(properties))?;
    while let Some(block) = reader.next_block()? {
        if let Some(batch) = block.rows.record_batch {
            writer.write(&batch)?;
        }
    }
    writer.close()?;
    let file = Bytes::from(file);
    let contract = CONTRACT.replace("format: csv", "format: parquet");
    let plan = Plan::compile(&penstock_contract::parse("bench.yaml", &contract)?)?;
    println!("\n{} bytes of Parquet", file.len());
    let columns = plan.columns().len();
    let alone = measure("parquet alone", rows, None, || read_alone(&file, columns));
    measure("Parquet → COPY text", rows, Some(alone), || {
        let reader = Reader::<std::io::Empty>::open_parquet(&plan, Limits::default(), file.clone());
        let mut reader = reader.expect("a readable file");
        while let Some(block) = reader.next_block().expect("a readable file") {
            reader.recycle(block.rows.copy_text);
        }
        assert_eq!(reader.totals().rejected, 0);
        reader.totals().accepted
    });
    Ok(())
}

/// The contract's columns in batches, nothing done with them.
fn read_alone(file: &Bytes, columns: usize) -> u64 {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.clone()).expect("Parquet");
    let mask = ProjectionMask::roots(builder.parquet_schema(), 0..columns);
    let reader = builder.with_projection(mask).with_batch_size(4_096).build().expect("Parquet");
    reader.map(|batch| black_box(batch.expect("a batch")).num_rows() as u64).sum()
}

/// The same rows as other kinds of files, all to COPY text.
fn measure_decoders(
    rows: u64,
    alone: f64,
    csv_file: &[u8],
    json_file: &[u8],
) -> Result<(), Box<dyn std::error::Error>> {
    let none = Encode { zstd: false, arrow: false, parquet: false };
    let plan = |format: &str| -> Result<Arc<Plan>, Box<dyn std::error::Error>> {
        let contract = CONTRACT.replace("format: csv", format);
        Ok(Arc::new(Plan::compile(&penstock_contract::parse("bench.yaml", &contract)?)?))
    };
    let mut array = b"[".to_vec();
    array.extend(json_file.trim_ascii().iter().flat_map(|byte| match byte {
        b'\n' => vec![b',', b'\n'],
        byte => vec![*byte],
    }));
    array.push(b']');
    let array_plan = plan("format: json, delimiter: array")?;
    measure("JSON array → COPY text", rows, Some(alone), || run(&array_plan, &array, none));
    let csv_plan = plan("format: csv")?;
    let text = std::str::from_utf8(csv_file)?;
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    measure("UTF-16 CSV → COPY text", rows, Some(alone), || run(&csv_plan, &utf_16, none));
    let many_plan = plan(
        "format: csv, customProperties: [{property: penstock.delimiter, value: '||'}, {property: penstock.quote, value: none}]",
    )?;
    let many = text.replace("\"\"", "\"").replace(",\"{", "||{").replace("}\"", "}");
    let many: String = many.lines().map(many_byte_line).collect();
    measure("CSV by `||` → COPY text", rows, Some(alone), || run(&many_plan, many.as_bytes(), none));
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(6));
    bzip2.write_all(csv_file)?;
    let bzip2 = bzip2.finish()?;
    measure("bzip2 CSV → COPY text", rows, Some(alone), || run(&csv_plan, &bzip2, none));
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1))?;
    xz.write_all(csv_file)?;
    let xz = xz.finish()?;
    measure("xz CSV → COPY text", rows, Some(alone), || run(&csv_plan, &xz, none));
    Ok(())
}

/// The first nine commas become `||`: the JSON at the end keeps its own.
fn many_byte_line(line: &str) -> String {
    let (fields, json) = line.split_once("||").unwrap_or((line, ""));
    let fields = match fields.split_once('"').and_then(|(before, rest)| Some((before, rest.split_once('"')?)))
    {
        None => fields.replace(',', "||"),
        Some((before, (title, after))) => {
            format!("{}{title}{}", before.replace(',', "||"), after.replace(',', "||"))
        }
    };
    let end = if json.is_empty() { String::new() } else { format!("||{json}") };
    format!("{fields}{end}\n")
}

fn measure(name: &str, rows: u64, alone: Option<f64>, mut work: impl FnMut() -> u64) -> f64 {
    if std::env::args().nth(2).is_some_and(|step| !name.contains(&step)) {
        return f64::NAN;
    }
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Clock::now();
        assert_eq!(black_box(work()), rows, "{name}");
        best = best.min(start.elapsed());
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let nanos = best.as_nanos() as f64 / rows as f64;
    let ratio = alone.map(|alone| format!("{:5.2} × parsing alone", nanos / alone));
    println!("{name:28} {nanos:7.0} ns/row  {}", ratio.unwrap_or_default());
    nanos
}

fn parse_alone(file: &[u8]) -> u64 {
    let mut reader = csv::ReaderBuilder::new().from_reader(file);
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record).expect("a well-formed file") {
        black_box(&record);
        rows += 1;
    }
    rows
}

#[derive(Clone, Copy)]
struct Encode {
    zstd: bool,
    arrow: bool,
    parquet: bool,
}

fn run(plan: &Arc<Plan>, file: &[u8], encode: Encode) -> u64 {
    let limits = Limits { arrow: encode.arrow, ..Limits::default() };
    let mut reader = Reader::open(Arc::clone(plan), limits, file).expect("a readable file");
    let mut chunks = ChunkEncoder::new().expect("zstd");
    let mut part = ParquetPart::new(plan).expect("a Parquet schema");
    while let Some(block) = reader.next_block().expect("a readable file") {
        if encode.zstd {
            black_box(chunks.encode(&block.rows.copy_text).expect("zstd"));
        }
        if let Some(batch) = block.rows.record_batch.filter(|_| encode.parquet) {
            part.push(&batch).expect("Parquet");
        }
    }
    if encode.parquet {
        black_box(part.finish().expect("Parquet"));
    }
    assert_eq!(reader.totals().rejected, 0);
    reader.totals().accepted
}

/// CPU time of this thread, or wall time.
struct Clock {
    cpu: Option<Duration>,
    wall: Instant,
}

impl Clock {
    fn now() -> Self {
        Self { cpu: Self::cpu(), wall: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, Self::cpu()) {
            (Some(start), Some(end)) => end.saturating_sub(start),
            _ => self.wall.elapsed(),
        }
    }

    fn cpu() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}
