//! Test helpers: contracts built in code, readers over bytes, and a COPY text decoder that shares no code with the engine's encoder.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{
    Block, Code, Dialect, Limits, Plan, ReadError, Reader, Reject, Totals, UnreadableCode,
};

/// Returns an optional text column without rules.
pub(crate) fn text(name: &str) -> Column {
    column(name, LogicalType::String, SqlType::Text)
}

pub(crate) fn column(name: &str, logical_type: LogicalType, sql_type: SqlType) -> Column {
    Column {
        name: name.to_owned(),
        physical_name: name.to_owned(),
        logical_type,
        sql_type,
        required: false,
        unique: false,
        rules: Rules::default(),
        harmonise: Harmonise { trim: true, ..Harmonise::default() },
        classification: None,
        pseudonymise: false,
    }
}

/// Parses a date, time or timestamp pattern of a contract.
pub(crate) fn date_format(pattern: &str) -> DateFormat {
    DateFormat::of_dates(pattern).or_else(|_| DateFormat::of_times(pattern)).expect("the pattern is valid")
}

pub(crate) fn required(column: Column) -> Column {
    Column { required: true, ..column }
}

pub(crate) fn csv() -> FormatKind {
    FormatKind::Delimited(DelimitedDialect::default())
}

pub(crate) fn contract(kind: FormatKind, columns: Vec<Column>) -> Contract {
    let table = TableName { schema: "public".to_owned(), table: "things".to_owned() };
    Contract {
        id: "test".to_owned(),
        source: "test".to_owned(),
        version: "1.0.0".to_owned(),
        is_retired: false,
        entity: Entity { name: "things".to_owned(), table, columns, key: vec![] },
        format: Format {
            kind,
            encoding: None,
            compression: None,
            null_values: vec![],
            header_case: HeaderCase::default(),
            empty_file: None,
        },
        load: Load { mode: WriteMode::Append, event_time: None, priority: 0, route: Route::Auto },
        max_rejects: MaxRejects { rows: None, percent: None },
        max_key_bytes: 2048,
        not_executed: Vec::new(),
        quality: vec![],
        sla: vec![],
        unexpected_columns: UnexpectedColumns::default(),
        missing_columns: MissingColumns::default(),
        overwrite: Overwrite::default(),
    }
}

/// The result of reading a file to its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The COPY text of each chunk.
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) totals: Totals,
    pub(crate) dialect: Dialect,
}

impl Outcome {
    /// Returns the accepted rows, decoded: the columns, then the row number.
    pub(crate) fn rows(&self) -> Vec<Vec<Option<String>>> {
        self.chunks.iter().flat_map(|chunk| decode_copy(chunk)).collect()
    }

    /// Returns the accepted rows without their row numbers. A missing value is `NULL`.
    pub(crate) fn values(&self) -> Vec<Vec<String>> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
        let rows = self.rows().into_iter();
        rows.map(|mut row| {
            row.pop();
            row.into_iter().map(shown).collect()
        })
        .collect()
    }

    /// Returns row, line, codes and columns of each reject, e.g. `2@3 too_long:title`.
    pub(crate) fn reject_summary(&self) -> Vec<String> {
        let reason = |(code, column): (Code, Option<&str>)| match column {
            Some(column) => format!("{code}:{column}"),
            None => code.to_string(),
        };
        let reject = |reject: &Reject| {
            let reasons = reject.reasons.iter().map(|why| reason((why.code, why.column.as_deref())));
            format!("{}@{} {}", reject.row, reject.line, reasons.collect::<Vec<_>>().join(" "))
        };
        self.rejects.iter().map(reject).collect()
    }
}

/// Reads a file with the default limits. Panics if the file is refused.
pub(crate) fn read(contract: &Contract, file: impl AsRef<[u8]>) -> Outcome {
    read_with(contract, Limits::default(), file.as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn read_with(
    contract: &Contract,
    limits: Limits,
    input: impl Read + Send,
) -> Result<Outcome, ReadError> {
    let plan = Arc::new(Plan::compile(contract).unwrap_or_else(|error| panic!("{error}")));
    read_plan(&plan, limits, input)
}

pub(crate) fn read_plan(
    plan: &Arc<Plan>,
    limits: Limits,
    mut input: impl Read + Send,
) -> Result<Outcome, ReadError> {
    let mut head = Vec::new();
    input.by_ref().take(plan.seek_head_bytes() as u64).read_to_end(&mut head).unwrap();
    let needs_seek = plan.needs_seek_by(&head);
    let mut input = std::io::Cursor::new(head).chain(input);
    if needs_seek {
        let mut file = Vec::new();
        input.read_to_end(&mut file).unwrap();
        return drain(Reader::open_seekable(plan, limits, bytes::Bytes::from(file))?);
    }
    drain(Reader::open(plan, limits, input)?)
}

/// Reads a file in a format that requires seeking.
pub(crate) fn read_parquet(
    contract: &Contract,
    limits: Limits,
    file: impl Into<bytes::Bytes>,
) -> Result<Outcome, ReadError> {
    read_with(contract, limits, &*file.into())
}

/// Reads a file that must be refused as unreadable, and returns the code and message of the error.
pub(crate) fn unreadable(contract: &Contract, file: impl AsRef<[u8]>) -> (UnreadableCode, String) {
    match read_with(contract, Limits::default(), file.as_ref()) {
        Err(ReadError::Unreadable { code, message, .. }) => (code, message),
        other => panic!("expected an unreadable file: {other:?}"),
    }
}

/// Reads all blocks and asserts the invariants of blocks and totals.
fn drain(mut reader: Reader<'_>) -> Result<Outcome, ReadError> {
    let mut chunks = Vec::new();
    let mut rejects = Vec::new();
    while let Some(Block { rows, rejects: block_rejects }) = reader.next_block()? {
        assert!(rows.count > 0 || !block_rejects.is_empty(), "a block has rows or rejects");
        assert_eq!(rows.copy_text.iter().filter(|byte| **byte == b'\n').count(), rows.count as usize);
        if let Some(batch) = &rows.record_batch {
            assert_eq!(batch.num_rows(), rows.count as usize);
        }
        if rows.count > 0 {
            let numbers: Vec<u64> = decode_copy(&rows.copy_text).iter().map(|row| number(row)).collect();
            assert_eq!((numbers.first(), numbers.last()), (Some(&rows.first_row), Some(&rows.last_row)));
            chunks.push(rows.copy_text);
        }
        rejects.extend(block_rejects);
    }
    assert!(reader.next_block()?.is_none(), "no block follows the end of the file");
    let totals = reader.totals().clone();
    assert_eq!(totals.rows_read, totals.accepted + totals.rejected + totals.blank);
    assert_eq!(totals.rejected, rejects.iter().map(|reject| reject.rows).sum::<u64>());
    Ok(Outcome { chunks, rejects, totals, dialect: reader.dialect().clone() })
}

fn number(row: &[Option<String>]) -> u64 {
    row.last().unwrap().as_ref().unwrap().parse().unwrap()
}

/// Decodes COPY text as PostgreSQL's documentation describes it.
pub(crate) fn decode_copy(text: &[u8]) -> Vec<Vec<Option<String>>> {
    let text = str::from_utf8(text).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| line.split('\t').map(decode_field).collect()).collect()
}

fn decode_field(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    let mut value = String::new();
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        assert!(letter >= ' ' || letter == '\x1b' || !"\t\n\r\0\x08\x0b\x0c".contains(letter), "{field:?}");
        if letter != '\\' {
            value.push(letter);
            continue;
        }
        value.push(match letters.next().unwrap() {
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            other => other,
        });
    }
    Some(value)
}

/// A reader that returns at most as many bytes as the next of `sizes`, which are used cyclically.
pub(crate) struct ShortReads<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) sizes: Vec<usize>,
    pub(crate) at: usize,
}

impl Read for ShortReads<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.at % self.sizes.len()].max(1);
        self.at += 1;
        let count = size.min(buffer.len()).min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a path under `tests/golden`.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

/// Compares `actual` with a golden file. Rewrites the file first if `PENSTOCK_GOLDEN` is `write`.
pub(crate) fn assert_golden(path: &Path, actual: &[u8]) {
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(path, actual).unwrap();
    }
    let expected = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8_lossy(actual), String::from_utf8_lossy(&expected), "{}", path.display());
}
