//! The rows of the current block: accepted ones as COPY text and Arrow columns, rejected ones as rejects.

mod block;
pub(crate) mod checked;
pub(crate) mod irregular;
mod reasons;

use std::ops::Range;

use crate::cast::rule::RuleViolation;
use crate::cast::text::{Text, Traits};
use crate::cast::time::MICROS_PER_DAY;
use crate::cast::{CastValue, Scratch};
use crate::columns::Columns;
use crate::copy;
use crate::duplicates::KeyEntry;
use crate::limits::Limits;
use crate::outcome::{Code, Reason, Reject, Totals, count_reason, found};
use crate::plan::Plan;
use crate::program::{PlanColumn, Raw};
use crate::quality::Quality;
use crate::records::{MAX_RAW_BYTES, RecordPosition};
use crate::redact;
use crate::row_limit::SizeLimits;
use crate::sets::ColumnSets;
pub(crate) use block::RawRecord;
pub use block::{AcceptedRows, Block};
use reasons::{ColumnReasons, report};

/// Rejects are returned at this number of them, or of their bytes, so that the chunk bounds the memory.
const MAX_REJECTS: usize = 10_000;
const MAX_REJECT_BYTES: usize = 8 * 1024 * 1024;

pub(crate) struct Rows {
    /// Clones, because a `Regex` that threads share is slower.
    columns: Vec<PlanColumn>,
    pub(crate) limits: Limits,
    copy_text: Vec<u8>,
    /// A recycled buffer for the COPY text of the next block.
    spare: Vec<u8>,
    arrow: Option<Columns>,
    count: u32,
    first_row: u64,
    last_row: u64,
    rejects: Vec<Reject>,
    reject_bytes: usize,
    /// The reasons to reject the current row.
    reasons: Vec<Reason>,
    /// The shared texts of reasons, by column.
    column_reasons: Vec<ColumnReasons>,
    scratch: Scratch,
    sets: ColumnSets,
    size_limits: Option<SizeLimits>,
    event_time: Option<usize>,
    quality: Quality,
    hides: bool,
    keys: Vec<KeyEntry>,
    /// The ranges of the current row's fields in the COPY text.
    fields: Vec<Range<usize>>,
    /// The quality checks that count the current row.
    noted: Vec<usize>,
    pub(crate) totals: Totals,
}

impl Rows {
    pub(crate) fn new(plan: &Plan, limits: Limits) -> Self {
        Self {
            columns: plan.columns.clone(),
            arrow: limits.arrow.then(|| Columns::new(plan.arrow_schema())),
            limits,
            copy_text: Vec::new(),
            spare: Vec::new(),
            count: 0,
            first_row: 0,
            last_row: 0,
            rejects: Vec::new(),
            reject_bytes: 0,
            reasons: Vec::new(),
            column_reasons: plan.columns.iter().map(ColumnReasons::new).collect(),
            scratch: Scratch::default(),
            sets: plan.sets.clone(),
            size_limits: plan.size_limits.clone(),
            event_time: plan.event_time,
            quality: plan.quality.clone(),
            hides: plan.hides_values(),
            keys: Vec::new(),
            fields: Vec::new(),
            noted: Vec::new(),
            totals: Totals { quality_counts: vec![0; plan.quality.len()], ..Totals::default() },
        }
    }

    pub(crate) fn columns(&self) -> &[PlanColumn] {
        &self.columns
    }

    /// Adds a well-formed record. `raw` returns each column's raw value, `redacted` the record without the values of hidden
    /// columns.
    #[inline]
    pub(crate) fn push<'r>(
        &mut self,
        record: RawRecord<'_>,
        raw: impl FnMut(usize) -> Raw<'r>,
        redacted: impl FnOnce(&[PlanColumn]) -> String,
    ) {
        self.push_row(
            record.position,
            raw,
            |columns, hides| {
                if hides { cut(redacted(columns)) } else { decode_raw(record) }
            },
        );
    }

    /// Adds a record of a format with types. `json` returns the record as a JSON object with the names of the file.
    #[inline]
    pub(crate) fn push_typed<'r>(
        &mut self,
        position: RecordPosition,
        raw: impl FnMut(usize) -> Raw<'r>,
        json: impl FnOnce() -> String,
    ) {
        self.push_row(position, raw, |columns, hides| shown_json(json(), columns, hides));
    }

    #[inline]
    fn push_row<'r>(
        &mut self,
        position: RecordPosition,
        mut raw: impl FnMut(usize) -> Raw<'r>,
        raw_text: impl FnOnce(&[PlanColumn], bool) -> RawText,
    ) {
        self.totals.rows_read = self.totals.rows_read.saturating_add(1);
        let start = self.copy_text.len();
        let mut time = 0;
        self.fields.clear();
        self.noted.clear();
        let Self {
            columns,
            copy_text,
            arrow,
            scratch,
            reasons,
            column_reasons,
            limits,
            fields,
            quality,
            noted,
            ..
        } = self;
        let is_noted = quality.len() > 0;
        for (index, column) in columns.iter().enumerate() {
            let raw = raw(index);
            let from = copy_text.len();
            if column.may_store_unchanged
                && let Some((value, text)) = column.unchanged(raw)
            {
                copy_text.extend_from_slice(text.as_bytes());
                if is_noted {
                    quality.count_value(index, Some(&value), written_since(copy_text, from), noted);
                }
                if let Some(arrow) = arrow {
                    arrow.push(index, Some(&value));
                }
                fields.push(from..copy_text.len());
                copy_text.push(copy::DELIMITER);
                continue;
            }
            let mut report_violation = |violation: RuleViolation<'_>| {
                report(reasons, limits.max_reasons, column_reasons, (index, column), &violation, &raw);
            };
            let value: Option<CastValue<'_>> = column.run(&raw, scratch, &mut report_violation);
            match &value {
                Some(value) => column.write(value, copy_text),
                None => copy_text.extend_from_slice(copy::NULL),
            }
            let written = written_since(copy_text, from);
            if is_noted {
                quality.count_value(index, value.as_ref(), written, noted);
            }
            if let Some(arrow) = arrow {
                match (&column.pseudonym, &value) {
                    (Some(_), Some(_)) => arrow.push(index, Some(&pseudonym(written))),
                    _ => arrow.push(index, value.as_ref()),
                }
            }
            if self.event_time == Some(index) {
                time = event_micros(value.as_ref());
            }
            fields.push(from..copy_text.len());
            copy_text.push(copy::DELIMITER);
        }
        if self.reasons.is_empty()
            && let Some(limits) = &self.size_limits
        {
            let Self { copy_text, fields, .. } = &*self;
            let value = |column: usize| fields.get(column).and_then(|field| copy_text.get(field.clone()));
            if !limits.fit(copy_text.len().saturating_sub(start), value) {
                let reason = limits.reason(value);
                self.reasons.extend(reason);
            }
        }
        if self.reasons.is_empty() {
            self.accept(time);
        } else {
            // No part of a rejected row may remain in the chunk.
            self.copy_text.truncate(start);
            if let Some(arrow) = &mut self.arrow {
                arrow.roll_back();
            }
            let raw = raw_text(&self.columns, self.hides);
            self.refuse_reported(position, raw);
        }
    }

    /// Rejects a row for the reasons that were recorded for it.
    fn refuse_reported(&mut self, position: RecordPosition, raw: RawText) {
        // Collected without spare capacity, because rejects are held until the block is full.
        let reasons = self.reasons.drain(..).collect();
        self.refuse(position, raw, reasons, 1);
    }

    /// Counts a skipped record without values.
    pub(crate) fn skip_blank(&mut self) {
        self.totals.rows_read = self.totals.rows_read.saturating_add(1);
        self.totals.blank = self.totals.blank.saturating_add(1);
    }

    /// Counts a skipped record that repeats the header.
    pub(crate) fn skip_header(&mut self) {
        self.totals.repeated_headers = self.totals.repeated_headers.saturating_add(1);
    }

    /// Records a reason to reject the next record.
    pub(crate) fn report(&mut self, reason: Reason) {
        self.reasons.push(reason);
    }

    /// Records that the next record contains a key twice. The key is not shown if the contract hides values, as it may contain one.
    #[cold]
    pub(crate) fn report_repeated_key(&mut self, key: &str) {
        let found = (!self.hides).then(|| found(key));
        self.report(Reason {
            code: Code::DuplicateMember,
            column: None,
            rule: "each key once".into(),
            found,
        });
    }

    /// Adds a record that is malformed as a whole.
    pub(crate) fn push_malformed(
        &mut self,
        record: RawRecord<'_>,
        code: Code,
        rule: String,
        found: Option<String>,
    ) {
        self.push_lost(record, 1, code, rule, found);
    }

    /// Adds `rows` records that are lost together and cannot be distinguished from each other.
    pub(crate) fn push_lost(
        &mut self,
        record: RawRecord<'_>,
        rows: u64,
        code: Code,
        rule: String,
        found: Option<String>,
    ) {
        self.totals.rows_read = self.totals.rows_read.saturating_add(rows);
        let raw = if self.hides { RawText::Withheld } else { decode_raw(record) };
        self.refuse(
            record.position,
            raw,
            vec![Reason { code, column: None, rule: rule.into(), found }],
            rows,
        );
    }

    #[inline]
    fn accept(&mut self, time: i64) {
        let row = self.totals.rows_read;
        let Self { copy_text, fields, sets, keys, .. } = self;
        let value = |column: usize| fields.get(column).and_then(|field| copy_text.get(field.clone()));
        sets.add_entries(value, time, row, keys);
        for check in &self.noted {
            let count = self.totals.quality_counts.get_mut(*check).expect("there is a count for each check");
            *count = count.saturating_add(1);
        }
        if let Some(arrow) = &mut self.arrow {
            arrow.accept(row);
        }
        copy::integer(row, &mut self.copy_text);
        self.copy_text.push(b'\n');
        self.count_accepted(1);
    }

    /// Counts accepted rows, which are the last ones that were read.
    #[inline]
    fn count_accepted(&mut self, rows: usize) {
        let last = self.totals.rows_read;
        if rows == 0 {
            return;
        }
        if self.count == 0 {
            self.first_row = last.saturating_sub(rows as u64).saturating_add(1);
        }
        self.last_row = last;
        let rows_of_block = u32::try_from(rows).ok().and_then(|rows| self.count.checked_add(rows));
        self.count = rows_of_block.expect("a block has at most `chunk_rows` rows, a 32-bit number");
        self.totals.accepted = self.totals.accepted.saturating_add(rows as u64);
    }

    #[cold]
    fn refuse(&mut self, position: RecordPosition, raw: RawText, reasons: Vec<Reason>, rows: u64) {
        self.totals.rejected = self.totals.rejected.saturating_add(rows);
        for (index, Reason { code, column, .. }) in reasons.iter().enumerate() {
            let is_same = |other: &Reason| other.code == *code && other.column == *column;
            if !reasons.iter().take(index).any(is_same) {
                count_reason(&mut self.totals.by_reason, *code, column.as_deref(), rows);
            }
        }
        let (raw, raw_truncated, raw_withheld) = match raw {
            RawText::Whole(raw) => (raw, false, false),
            RawText::Cut(raw) => (raw, true, false),
            RawText::Withheld => (String::new(), false, true),
        };
        let shown_bytes = reasons
            .iter()
            .map(|reason| reason.rule.len().saturating_add(reason.found.as_ref().map_or(0, String::len)));
        self.reject_bytes =
            shown_bytes.fold(self.reject_bytes.saturating_add(raw.len()), usize::saturating_add);
        self.rejects.push(Reject {
            row: self.totals.rows_read.saturating_sub(rows).saturating_add(1),
            rows,
            line: position.line,
            byte_offset: position.byte_offset,
            raw,
            raw_withheld,
            raw_truncated,
            reasons,
        });
    }

    /// Returns whether [`ready`](Self::ready) has a block.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.is_full() || self.has_many_rejects()
    }

    fn is_full(&self) -> bool {
        self.count >= self.limits.chunk_rows || self.copy_text.len() >= self.limits.chunk_bytes
    }

    fn has_many_rejects(&self) -> bool {
        self.rejects.len() >= MAX_REJECTS || self.reject_bytes >= MAX_REJECT_BYTES
    }

    /// Returns the block that has to be returned before the next record is added.
    pub(crate) fn ready(&mut self) -> Option<Block> {
        if self.is_full() {
            return self.take();
        }
        if self.has_many_rejects() {
            let rows = AcceptedRows {
                copy_text: Vec::new(),
                count: 0,
                first_row: 0,
                last_row: 0,
                record_batch: None,
                keys: Vec::new(),
            };
            return Some(Block { rows, rejects: self.take_rejects() });
        }
        None
    }

    /// Returns all rows and rejects as a block; `None` if there are none.
    pub(crate) fn take(&mut self) -> Option<Block> {
        if self.count == 0 && self.rejects.is_empty() {
            return None;
        }
        // The next chunk will be about as long as this one.
        let mut next = std::mem::take(&mut self.spare);
        next.clear();
        next.reserve(if self.count == 0 { 0 } else { self.copy_text.len().saturating_add(1024) });
        let rows = AcceptedRows {
            copy_text: std::mem::replace(&mut self.copy_text, next),
            count: std::mem::take(&mut self.count),
            first_row: std::mem::take(&mut self.first_row),
            last_row: std::mem::take(&mut self.last_row),
            record_batch: None,
            keys: {
                let next = Vec::with_capacity(self.keys.len());
                std::mem::replace(&mut self.keys, next)
            },
        };
        let record_batch = self.arrow.as_mut().filter(|_| rows.count > 0).map(Columns::take);
        Some(Block { rows: AcceptedRows { record_batch, ..rows }, rejects: self.take_rejects() })
    }

    pub(crate) fn recycle(&mut self, text: Vec<u8>) {
        self.spare = text;
    }

    fn take_rejects(&mut self) -> Vec<Reject> {
        self.reject_bytes = 0;
        std::mem::take(&mut self.rejects)
    }
}

/// The original record in a reject.
enum RawText {
    Whole(String),
    Cut(String),
    Withheld,
}

/// Returns the record as text.
fn decode_raw(record: RawRecord<'_>) -> RawText {
    let raw = record.raw.get(..MAX_RAW_BYTES).unwrap_or(record.raw);
    let (text, _) = record.encoding.decode_without_bom_handling(raw);
    let text = text.into_owned();
    if raw.len() < record.raw.len() { RawText::Cut(text) } else { RawText::Whole(text) }
}

/// Returns the record of a format with types, without the values of hidden columns.
fn shown_json(json: String, columns: &[PlanColumn], hides: bool) -> RawText {
    cut(if hides { redact::json(&json, columns) } else { json })
}

fn cut(mut text: String) -> RawText {
    if text.len() <= MAX_RAW_BYTES {
        return RawText::Whole(text);
    }
    text.truncate(text.floor_char_boundary(MAX_RAW_BYTES));
    RawText::Cut(text)
}

/// Returns a written pseudonym as a value.
fn pseudonym(written: &[u8]) -> CastValue<'_> {
    let traits = Traits { is_ascii: true, is_plain: true };
    let text = std::str::from_utf8(written).expect("a pseudonym is hexadecimal digits");
    CastValue::Text(Text { text, traits })
}

/// Returns the bytes of `copy_text` from `from` on, which is an earlier length of it.
#[inline]
fn written_since(copy_text: &[u8], from: usize) -> &[u8] {
    copy_text.get(from..).expect("text is only appended while a row is checked")
}

/// Returns an event time in microseconds; 0 for a missing one, whose row is rejected because event times are required.
fn event_micros(value: Option<&CastValue<'_>>) -> i64 {
    match value {
        Some(CastValue::Timestamp(micros)) => *micros,
        Some(CastValue::Date(days)) => i64::from(*days).saturating_mul(MICROS_PER_DAY),
        None => 0,
        Some(
            CastValue::Text(_)
            | CastValue::Integer(_)
            | CastValue::Decimal(_)
            | CastValue::Scaled(..)
            | CastValue::Double(_)
            | CastValue::Boolean(_)
            | CastValue::Time(_),
        ) => unreachable!("a contract's event time is a date or a timestamp"),
    }
}
