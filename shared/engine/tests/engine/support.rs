//! Contracts by hand, readers over bytes, and a decoder of COPY text that shares nothing with the engine's encoder.

use std::io::Read;
use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Block, Code, Dialect, Limits, Plan, ReadError, Reader, Reject, Totals};

/// A text column of that name with nothing asked of it.
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

/// The format that is `pattern` in the contract.
pub(crate) fn date_format(pattern: &str) -> DateFormat {
    DateFormat::of_dates(pattern).or_else(|_| DateFormat::of_times(pattern)).expect("a pattern")
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

/// What a reader made of a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Chunks, as bytes.
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) totals: Totals,
    pub(crate) dialect: Dialect,
}

impl Outcome {
    /// The accepted rows, decoded: the columns, then the row number.
    pub(crate) fn rows(&self) -> Vec<Vec<Option<String>>> {
        self.chunks.iter().flat_map(|chunk| decode_copy(chunk)).collect()
    }

    /// The accepted rows without their numbers; `NULL` for a missing value.
    pub(crate) fn values(&self) -> Vec<Vec<String>> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
        let rows = self.rows().into_iter();
        rows.map(|mut row| {
            row.pop();
            row.into_iter().map(shown).collect()
        })
        .collect()
    }

    /// Row, line, codes and columns of each reject, e.g. `2@3 too_long:title`.
    pub(crate) fn told(&self) -> Vec<String> {
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

pub(crate) fn read(contract: &Contract, file: impl AsRef<[u8]>) -> Outcome {
    read_with(contract, Limits::default(), file.as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn read_with(contract: &Contract, limits: Limits, input: impl Read) -> Result<Outcome, ReadError> {
    let plan = Arc::new(Plan::compile(contract).unwrap_or_else(|error| panic!("{error}")));
    read_plan(&plan, limits, input)
}

pub(crate) fn read_plan(
    plan: &Arc<Plan>,
    limits: Limits,
    mut input: impl Read,
) -> Result<Outcome, ReadError> {
    let mut head = Vec::new();
    input.by_ref().take(plan.seek_head_bytes() as u64).read_to_end(&mut head).unwrap();
    let needs_seek = plan.needs_seek_by(&head);
    let mut input = std::io::Cursor::new(head).chain(input);
    if needs_seek {
        let mut file = Vec::new();
        input.read_to_end(&mut file).unwrap();
        return drain(Reader::<std::io::Empty>::open_parquet(plan, limits, bytes::Bytes::from(file))?);
    }
    drain(Reader::open(Arc::clone(plan), limits, input)?)
}

/// Reads a file that needs seeking.
pub(crate) fn read_parquet(
    contract: &Contract,
    limits: Limits,
    file: impl Into<bytes::Bytes>,
) -> Result<Outcome, ReadError> {
    read_with(contract, limits, &*file.into())
}

fn drain(mut reader: Reader<impl Read>) -> Result<Outcome, ReadError> {
    let mut chunks = Vec::new();
    let mut rejects = Vec::new();
    while let Some(Block { rows, rejects: refused }) = reader.next_block()? {
        assert!(rows.count > 0 || !refused.is_empty(), "a block is never empty");
        assert_eq!(rows.copy_text.iter().filter(|byte| **byte == b'\n').count(), rows.count as usize);
        if let Some(batch) = &rows.record_batch {
            assert_eq!(batch.num_rows(), rows.count as usize);
        }
        if rows.count > 0 {
            let numbers: Vec<u64> = decode_copy(&rows.copy_text).iter().map(|row| number(row)).collect();
            assert_eq!((numbers.first(), numbers.last()), (Some(&rows.first_row), Some(&rows.last_row)));
            chunks.push(rows.copy_text);
        }
        rejects.extend(refused);
    }
    assert!(reader.next_block()?.is_none(), "the end stays the end");
    let totals = reader.totals().clone();
    assert_eq!(totals.rows_read, totals.accepted + totals.rejected + totals.blank);
    assert_eq!(totals.rejected, rejects.iter().map(|reject| reject.rows).sum::<u64>());
    Ok(Outcome { chunks, rejects, totals, dialect: reader.dialect().clone() })
}

fn number(row: &[Option<String>]) -> u64 {
    row.last().unwrap().as_ref().unwrap().parse().unwrap()
}

/// Decodes COPY text as PostgreSQL's documentation has it.
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

/// Hands out at most so many bytes a call, as the sizes say, round and round.
pub(crate) struct Sips<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) sizes: Vec<usize>,
    pub(crate) at: usize,
}

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.at % self.sizes.len()].max(1);
        self.at += 1;
        let count = size.min(buffer.len()).min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}
