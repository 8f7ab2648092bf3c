//! What becomes of a row: counts, rejects, reasons.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a row was refused. The names are stable; receipts, reject files and metrics carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The record has fewer fields than the header.
    TooFewFields,
    /// The record has more fields than the header.
    TooManyFields,
    /// A quote is opened and not closed, closed in the middle of a field, or preceded by white space that may not belong to the field.
    MalformedQuote,
    /// The bytes are not of the file's encoding.
    InvalidEncoding,
    /// The line, or the element of the array, is not a JSON object, or a text in JSON has half of a surrogate pair.
    InvalidJson,
    /// A value in a column that the contract does not have, and does not allow.
    UnexpectedColumn,
    /// The record has only empty fields, and the contract rejects such rows.
    BlankRow,
    /// The record is longer than the limit.
    RecordTooLong,
    /// A block of an Avro file that cannot be read to its end: the rows behind that place are lost.
    MalformedBlock,
    /// A NUL character, which PostgreSQL text cannot hold.
    NulCharacter,
    /// A required value is missing.
    MissingRequired,
    /// The value does not match the column's `extract`.
    ExtractMismatch,
    /// Not a whole number.
    NotAnInteger,
    /// Not a decimal number.
    NotANumber,
    /// Not a boolean.
    NotABoolean,
    /// Not a date of the contract's format.
    NotADate,
    /// Not a timestamp of the contract's format.
    NotATimestamp,
    /// Not a time of day of the contract's format.
    NotATime,
    /// Not a UUID.
    NotAUuid,
    /// A JSON value of another type than the column's.
    WrongType,
    /// Does not fit the column's type, by size or by digits after the separator; nothing is rounded.
    OutOfRange,
    /// Fewer characters than `minLength`.
    TooShort,
    /// More characters than `maxLength`; without a column, a primary key of more bytes than `penstock.maxKeyBytes`, or a row of more
    /// bytes than a page of PostgreSQL holds.
    TooLong,
    /// Does not match `pattern`.
    PatternMismatch,
    /// Below `minimum`.
    BelowMinimum,
    /// Above `maximum`.
    AboveMaximum,
    /// Not a multiple of `multipleOf`.
    NotAMultiple,
    /// Not one of `enum`.
    NotAllowed,
    /// Not what the contract's `format` of strings says.
    WrongFormat,
    /// An array with fewer items than `minItems`.
    TooFewItems,
    /// An array with more items than `maxItems`.
    TooManyItems,
    /// An array that has an item twice, against `uniqueItems`.
    DuplicateItem,
    /// An object with fewer members than `minProperties`.
    TooFewMembers,
    /// An object with more members than `maxProperties`.
    TooManyMembers,
    /// An object lacks a member of its `required`.
    MissingMember,
    /// An object has a key twice, or two of its members would be stored under one key, so that one of them would be lost.
    DuplicateMember,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One reason of a reject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind of fault.
    pub code: Code,
    /// The harmonised column; `None` when the record as a whole is at fault. The rejects of a file share these texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<Arc<str>>,
    /// The rule that was broken, in words, e.g. `maxLength 200`.
    pub rule: Arc<str>,
    /// What was found, cut at 200 characters. `None` for classified columns and missing values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// What a reason shows of a text: its first characters.
pub(crate) fn found(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text).to_owned()
}

/// A row that the contract refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Row number in the drop, from 1; the header is no row.
    pub row: u64,
    /// Rows that are refused with it, the first of which is `row`: 1, or as many as are lost with a block of an Avro file.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub rows: u64,
    /// Line that the record starts on, from 1; the header's line counts. Where there are no lines, the row number.
    pub line: u64,
    /// Offset of the record's first byte in the decompressed stream, from 0; that of the row group or block that the
    /// record is of where records have no bytes of their own.
    pub byte_offset: u64,
    /// The record as it stood, without its line end, or as a JSON object where its values have types; bytes that are not of the encoding are replaced. Fields of
    /// classified columns are replaced too: by their pseudonym, or by `[classified]`.
    pub raw: String,
    /// True when `raw` is left empty: the record is malformed, so that it cannot be told where its classified columns
    /// are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw_withheld: bool,
    /// True when `raw` was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw_truncated: bool,
    /// Every reason, up to the limit, in the order of the columns.
    pub reasons: Vec<Reason>,
}

fn one() -> u64 {
    1
}

fn is_one(rows: &u64) -> bool {
    *rows == 1
}

/// Rows and bytes of a drop or a split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Records read, malformed and blank ones included: `accepted` + `rejected` + `blank`.
    pub rows_read: u64,
    /// Accepted by the contract.
    pub accepted: u64,
    /// Refused by the contract.
    pub rejected: u64,
    /// Skipped because all of their fields are empty.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blank: u64,
    /// Records that repeat the header of a delimited file. They are skipped, and no rows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated_headers: u64,
    /// Bytes of the object that were read.
    pub bytes_read: u64,
    /// Bytes after decompression.
    pub bytes_decompressed: u64,
    /// Lines, the header's included.
    pub lines: u64,
    /// Rejected rows by code and column, most first. A row with two reasons counts in both.
    pub by_reason: Vec<ReasonCount>,
    /// Accepted rows that each quality check of the contract counts, in its order; 0 for those that are not counted
    /// row by row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality_counts: Vec<u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Totals {
    /// Rows that are not blank, which are accepted or rejected.
    pub fn rows_with_values(&self) -> u64 {
        self.rows_read.saturating_sub(self.blank)
    }

    /// Adds the totals of another part of the same drop; a count that would be too large stays at the largest.
    pub fn merge(&mut self, other: &Self) {
        let add = |to: &mut u64, count: u64| *to = to.saturating_add(count);
        add(&mut self.rows_read, other.rows_read);
        add(&mut self.accepted, other.accepted);
        add(&mut self.rejected, other.rejected);
        add(&mut self.blank, other.blank);
        add(&mut self.repeated_headers, other.repeated_headers);
        add(&mut self.bytes_read, other.bytes_read);
        add(&mut self.bytes_decompressed, other.bytes_decompressed);
        add(&mut self.lines, other.lines);
        self.quality_counts.resize(self.quality_counts.len().max(other.quality_counts.len()), 0);
        for (count, more) in self.quality_counts.iter_mut().zip(&other.quality_counts) {
            add(count, *more);
        }
        for ReasonCount { code, column, rows } in &other.by_reason {
            count_reason(&mut self.by_reason, *code, column.as_deref(), *rows);
        }
        sort_reasons(&mut self.by_reason);
    }
}

/// How many rows were refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The kind of fault.
    pub code: Code,
    /// The harmonised column; `None` when the record as a whole is at fault.
    pub column: Option<String>,
    /// Rows.
    pub rows: u64,
}

/// The dialect that a drop was read with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// `delimited`, `ndjson`, `json_array`, `parquet` or `avro`; `unknown` for a file without content whose format is not declared.
    pub format: String,
    /// `plain`, `gzip`, `zstd`, `bzip2`, `xz` or `zip`, as found in the content.
    pub compression: penstock_contract::Compression,
    /// WHATWG name of the encoding; `UTF-8` where values have types.
    pub encoding: String,
    /// Field delimiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Quote; `None` when quotes are ordinary characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<char>,
    /// Escape inside quoted fields; `None` when that is the quote itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// True when white space around quoted fields and before unquoted ones is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_initial_space: Option<bool>,
    /// Whether the first record names the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Records that name the columns together; `None` when that is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_rows: Option<u32>,
    /// Lines before the header that were skipped; `None` when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_lines: Option<u32>,
    /// True when the file begins with the line `sep=;`, with which Excel declares the delimiter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sep_line: bool,
    /// Names of the fields above that the contract does not say: sniffed or taken by default.
    pub assumed: Vec<String>,
    /// What may be wrong although the file is read: columns that the header lacks, each with a name of the header that may
    /// be meant; headers that are narrower or wider than the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
}

/// Adds rows to a count of reasons; the order is restored by [`sort_reasons`].
pub(crate) fn count_reason(counts: &mut Vec<ReasonCount>, code: Code, column: Option<&str>, rows: u64) {
    let known = counts.iter_mut().find(|count| count.code == code && count.column.as_deref() == column);
    match known {
        Some(count) => count.rows = count.rows.saturating_add(rows),
        None => counts.push(ReasonCount { code, column: column.map(str::to_owned), rows }),
    }
}

/// Most rows first; of equals, by code and column.
pub(crate) fn sort_reasons(counts: &mut [ReasonCount]) {
    counts.sort_by(|one, other| {
        let rows = other.rows.cmp(&one.rows);
        rows.then_with(|| one.code.cmp(&other.code)).then_with(|| one.column.cmp(&other.column))
    });
}
