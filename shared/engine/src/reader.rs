//! The reader: a drop's bytes in, blocks of checked rows out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::columns;
use crate::input::Input;
use crate::plan::Plan;
use crate::records::{Fields, Format, Quoted, Window, settle, without_end};
use crate::{Code, Dialect, ReadError, Reason, ReasonCount, Reject, Totals, check};

const BOM: &[u8] = &[0xef, 0xbb, 0xbf];
/// Bytes of a reject's raw record that are kept.
const RAW_BYTES: usize = 64 * 1024;
/// Rejects that one block may hold.
const BLOCK_REJECTS: usize = 10_000;
const BLOCK_REJECT_BYTES: usize = 8 * 1024 * 1024;

/// What one drop may take. All of it bounds memory, except `max_decompressed_bytes`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most accepted rows of a block.
    pub chunk_rows: u32,
    /// A block is closed when its COPY text has come to this size.
    pub chunk_bytes: usize,
    /// A longer record is a reject.
    pub max_record_bytes: usize,
    /// Most bytes after decompression.
    pub max_decompressed_bytes: u64,
    /// Most reasons of one reject.
    pub max_reasons: usize,
    /// Whether blocks carry a record batch.
    pub arrow: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chunk_rows: 50_000,
            chunk_bytes: 16 * 1024 * 1024,
            max_record_bytes: 1024 * 1024,
            max_decompressed_bytes: 1 << 40,
            max_reasons: 8,
            arrow: true,
        }
    }
}

/// Up to a chunk of accepted rows, with the rejects met on the way. Never both empty.
#[derive(Debug)]
pub struct Block {
    /// The accepted rows.
    pub rows: AcceptedRows,
    /// The refused ones.
    pub rejects: Vec<Reject>,
}

/// Accepted rows in both forms.
#[derive(Debug, Default)]
pub struct AcceptedRows {
    /// COPY text: a line a row, the contract's columns in order, then the row number.
    pub copy_text: Vec<u8>,
    /// Rows.
    pub count: u32,
    /// First row number, from 1; 0 when there is none.
    pub first_row: u64,
    /// Last row number; 0 when there is none.
    pub last_row: u64,
    /// The same rows, typed, when asked for.
    pub record_batch: Option<RecordBatch>,
}

/// Reads one drop.
pub struct Reader<R: Read> {
    plan: Arc<Plan>,
    limits: Limits,
    window: Window<R>,
    format: Format,
    dialect: Dialect,
    fields: Fields,
    totals: Totals,
    reasons: HashMap<(Code, Option<String>), u64>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Opens a drop: tells its compression, settles its dialect, reads its header.
    ///
    /// # Errors
    /// When there is nothing, the compression is not the declared one, or the header does not fit.
    pub fn open(plan: Arc<Plan>, limits: Limits, input: R) -> Result<Self, ReadError> {
        let declared = plan.format.compression;
        let (input, compression) = Input::open(input, declared, limits.max_decompressed_bytes)?;
        let mut assumed = Vec::new();
        if declared.is_none() {
            assumed.push("compression".to_owned());
        }
        if plan.format.encoding.is_none() {
            assumed.push("encoding".to_owned());
        }
        let mut window = Window::new(input);
        let first = window.line(limits.max_record_bytes)?.ok_or(ReadError::Empty)?.0;
        if window.ahead().starts_with(BOM) {
            window.consume(BOM.len());
        }
        let first = window.ahead().get(..first.min(window.ahead().len())).unwrap_or_default();
        let format = settle(&plan, first, &mut assumed);
        let mut dialect = Dialect {
            format: "ndjson".to_owned(),
            compression,
            encoding: plan.encoding.name().to_owned(),
            delimiter: None,
            quote: None,
            header: None,
            assumed,
        };
        if let Format::Delimited(delimited) = &format {
            dialect.format = "delimited".to_owned();
            dialect.delimiter = Some(char::from(delimited.delimiter));
            dialect.quote = delimited.quote.map(char::from);
            dialect.header = Some(delimited.header);
        }
        let mut reader = Self {
            plan,
            limits,
            window,
            format,
            dialect,
            fields: Fields::default(),
            totals: Totals::default(),
            reasons: HashMap::new(),
            ended: false,
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// The dialect as read.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Counts up to here.
    pub fn totals(&self) -> Totals {
        let mut totals = self.totals.clone();
        totals.bytes_read = self.window.input().bytes_read();
        totals.bytes_decompressed = self.window.input().bytes_decompressed();
        totals.by_reason = (self.reasons.iter())
            .map(|((code, column), rows)| ReasonCount { code: *code, column: column.clone(), rows: *rows })
            .collect();
        totals.by_reason.sort_by(|a, b| {
            (b.rows.cmp(&a.rows)).then_with(|| a.code.cmp(&b.code)).then_with(|| a.column.cmp(&b.column))
        });
        totals
    }

    fn read_header(&mut self) -> Result<(), ReadError> {
        let Format::Delimited(delimited) = &mut self.format else { return Ok(()) };
        let unreadable = |byte_offset, message| ReadError::Unreadable { byte_offset, message };
        if !delimited.header {
            return delimited.bind(&self.plan, None).map_err(|message| unreadable(0, message));
        }
        let Some((length, too_long)) = self.window.line(self.limits.max_record_bytes)? else {
            return Err(ReadError::Empty);
        };
        if too_long {
            return Err(unreadable(0, "the header's line does not end: is this a text file?".to_owned()));
        }
        let line = self.window.ahead().get(..length).unwrap_or_default();
        let text = decode(&self.plan, without_end(line))
            .ok_or_else(|| unreadable(0, format!("the header is not {}", self.plan.encoding.name())))?;
        let names = delimited.names(&text);
        delimited.bind(&self.plan, Some(&names)).map_err(|message| unreadable(0, message))?;
        self.window.consume(length);
        self.totals.lines = 1;
        Ok(())
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// When the input fails, or holds what makes the rest unreadable.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let mut rows = AcceptedRows::default();
        let mut rejects = Vec::new();
        let mut reject_bytes = 0usize;
        while !self.ended
            && rows.count < self.limits.chunk_rows
            && rows.copy_text.len() < self.limits.chunk_bytes
            && rejects.len() < BLOCK_REJECTS
            && reject_bytes < BLOCK_REJECT_BYTES
        {
            match self.next_record(&mut rows)? {
                Step::Accepted | Step::Blank => {}
                Step::End => self.ended = true,
                Step::Rejected(reject) => {
                    self.count_reject(&reject);
                    reject_bytes = reject_bytes.saturating_add(reject.raw.len());
                    rejects.push(reject);
                }
            }
        }
        if rows.count == 0 && rejects.is_empty() {
            return Ok(None);
        }
        if self.limits.arrow && rows.count > 0 {
            let batch = columns::record_batch(&self.plan, &rows.copy_text).map_err(|error| {
                ReadError::Unreadable {
                    byte_offset: self.window.offset,
                    message: format!("accepted rows do not fit their columns: {error}"),
                }
            })?;
            rows.record_batch = Some(batch);
        }
        Ok(Some(Block { rows, rejects }))
    }

    fn count_reject(&mut self, reject: &Reject) {
        self.totals.rejected = self.totals.rejected.saturating_add(1);
        for (at, reason) in reject.reasons.iter().enumerate() {
            let seen = reject.reasons.iter().take(at);
            if seen.clone().any(|other| other.code == reason.code && other.column == reason.column) {
                continue;
            }
            let rows = self.reasons.entry((reason.code, reason.column.clone())).or_default();
            *rows = rows.saturating_add(1);
        }
    }

    fn next_record(&mut self, rows: &mut AcceptedRows) -> Result<Step, ReadError> {
        let Some((mut length, too_long)) = self.window.line(self.limits.max_record_bytes)? else {
            return Ok(Step::End);
        };
        if too_long {
            return self.too_long(length);
        }
        let mut quoted = false;
        let mut malformed = false;
        if let Format::Delimited(delimited) = &self.format
            && delimited.has_quote(self.window.ahead().get(..length).unwrap_or_default())
        {
            quoted = true;
            let mut ended = false;
            loop {
                match delimited.quoted_end(self.window.ahead(), ended) {
                    Quoted::Record(end) => length = end,
                    Quoted::Malformed => malformed = true,
                    Quoted::Open if self.window.ahead().len() > self.limits.max_record_bytes => {
                        malformed = true
                    }
                    Quoted::Open => {
                        ended = !self.window.fill()?;
                        continue;
                    }
                }
                break;
            }
        }
        Ok(self.evaluate(length, quoted, malformed, rows))
    }

    fn evaluate(&mut self, length: usize, quoted: bool, malformed: bool, rows: &mut AcceptedRows) -> Step {
        let bytes = self.window.ahead().get(..length).unwrap_or_default();
        let line = self.totals.lines.saturating_add(1);
        let lines = memchr::memchr_iter(b'\n', bytes).count().max(1) as u64;
        let record = without_end(bytes);
        let reasons = if record.is_empty() {
            None
        } else if malformed {
            Some(vec![whole(
                Code::MalformedQuote,
                "a quoted field ends with a quote before a delimiter".to_owned(),
            )])
        } else {
            let row = self.totals.rows_read.saturating_add(1);
            Some(check_record(
                &self.plan,
                &self.limits,
                &self.format,
                &mut self.fields,
                record,
                quoted,
                row,
                rows,
            ))
        };
        let step = match reasons {
            None => Step::Blank,
            Some(reasons) => {
                self.totals.rows_read = self.totals.rows_read.saturating_add(1);
                if reasons.is_empty() {
                    self.totals.accepted = self.totals.accepted.saturating_add(1);
                    Step::Accepted
                } else {
                    Step::Rejected(reject(
                        self.totals.rows_read,
                        line,
                        self.window.offset,
                        record,
                        reasons,
                        &self.plan,
                    ))
                }
            }
        };
        self.totals.lines = self.totals.lines.saturating_add(lines);
        self.window.consume(length);
        step
    }

    /// A record without an end in sight: its beginning is a reject, the rest of its line is passed over.
    fn too_long(&mut self, held: usize) -> Result<Step, ReadError> {
        self.totals.rows_read = self.totals.rows_read.saturating_add(1);
        self.totals.lines = self.totals.lines.saturating_add(1);
        let start = self.window.ahead().get(..held.min(RAW_BYTES)).unwrap_or_default();
        let rule = format!("at most {} bytes a record", self.limits.max_record_bytes);
        let reasons = vec![whole(Code::RecordTooLong, rule)];
        let mut reject =
            reject(self.totals.rows_read, self.totals.lines, self.window.offset, start, reasons, &self.plan);
        reject.raw_truncated = true;
        self.window.consume(held);
        loop {
            match self.window.line(READ_ON_BYTES)? {
                None => break,
                Some((length, unended)) => {
                    self.window.consume(length);
                    if !unended {
                        break;
                    }
                }
            }
        }
        Ok(Step::Rejected(reject))
    }
}

const READ_ON_BYTES: usize = 256 * 1024;

enum Step {
    Accepted,
    Rejected(Reject),
    Blank,
    End,
}

fn whole(code: Code, rule: String) -> Reason {
    Reason { code, column: None, rule, found: None }
}

fn decode<'a>(plan: &Plan, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
    if plan.encoding == encoding_rs::UTF_8 {
        return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    }
    plan.encoding.decode_without_bom_handling_and_without_replacement(bytes)
}

#[allow(clippy::too_many_arguments)]
fn check_record(
    plan: &Plan,
    limits: &Limits,
    format: &Format,
    fields: &mut Fields,
    record: &[u8],
    quoted: bool,
    row: u64,
    rows: &mut AcceptedRows,
) -> Vec<Reason> {
    let Some(text) = decode(plan, record) else {
        return vec![whole(Code::InvalidEncoding, plan.encoding.name().to_owned())];
    };
    let start = rows.copy_text.len();
    let reasons = match format {
        Format::Delimited(delimited) => {
            if quoted {
                delimited.split_quoted(&text, fields);
            } else {
                delimited.split(&text, fields);
            }
            if let Some((code, rule)) = delimited.count_fault(fields) {
                return vec![whole(code, rule)];
            }
            let value = |column| delimited.value(fields, &text, column, quoted);
            check::row(plan, limits.max_reasons, value, &mut rows.copy_text)
        }
        Format::Ndjson(ndjson) => match ndjson.values(&text) {
            None => return vec![whole(Code::InvalidJson, "one JSON object a line".to_owned())],
            Some(mut values) => {
                let value = |column: usize| {
                    values
                        .get_mut(column)
                        .map_or(check::Raw::Missing, |value| std::mem::replace(value, check::Raw::Missing))
                };
                check::row(plan, limits.max_reasons, value, &mut rows.copy_text)
            }
        },
    };
    if !reasons.is_empty() {
        rows.copy_text.truncate(start);
        return reasons;
    }
    use std::io::Write as _;
    writeln!(rows.copy_text, "{row}").expect("writing to a Vec cannot fail");
    rows.count = rows.count.saturating_add(1);
    rows.last_row = row;
    if rows.first_row == 0 {
        rows.first_row = row;
    }
    reasons
}

fn reject(row: u64, line: u64, byte_offset: u64, record: &[u8], reasons: Vec<Reason>, plan: &Plan) -> Reject {
    let kept = record.get(..RAW_BYTES).unwrap_or(record);
    let raw = plan.encoding.decode_without_bom_handling(kept).0.into_owned();
    Reject { row, line, byte_offset, raw, raw_truncated: kept.len() < record.len(), reasons }
}
