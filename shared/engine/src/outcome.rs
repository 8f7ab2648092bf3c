//! The results of reading: counts, rejects and their reasons.

use std::fmt;
use std::sync::Arc;

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use crate::format::FileFormat;

/// The maximum length of the raw record in a reject. A longer one is truncated.
pub(crate) const MAX_RAW_BYTES: usize = 64 * 1024;

/// The reason for which a row is rejected. The names are stable and appear in receipts and reject files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The record has fewer fields than the header.
    TooFewFields,
    /// The record has more fields than the header.
    TooManyFields,
    /// A quote is opened and not closed, closed in the middle of a field, or preceded by white space that may not belong to the field.
    MalformedQuote,
    /// The bytes are not valid in the file's encoding.
    InvalidEncoding,
    /// The line or the array element is not a JSON object, or a JSON string contains half of a surrogate pair.
    InvalidJson,
    /// A value in a column that the contract neither has nor allows.
    UnexpectedColumn,
    /// The record has only empty fields, and the contract rejects such rows.
    BlankRow,
    /// The record is longer than the limit.
    RecordTooLong,
    /// A block of an Avro file is damaged: the rows after that position are lost.
    MalformedBlock,
    /// A NUL character, which PostgreSQL text cannot contain.
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
    /// Not a date in the contract's format.
    NotADate,
    /// Not a timestamp in the contract's format.
    NotATimestamp,
    /// Not a time of day in the contract's format.
    NotATime,
    /// Not a UUID.
    NotAUuid,
    /// A JSON value whose type is not that of the column.
    WrongType,
    /// Out of the range of the column's type, or with more decimal places; values are never rounded.
    OutOfRange,
    /// Fewer characters than `minLength`.
    TooShort,
    /// More characters than `maxLength`; without a column, a primary key with more bytes than `penstock.maxKeyBytes`, or a row that
    /// does not fit a PostgreSQL page.
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
    /// Does not match the contract's `format` of strings.
    WrongFormat,
    /// An array with fewer items than `minItems`.
    TooFewItems,
    /// An array with more items than `maxItems`.
    TooManyItems,
    /// An array that contains an item twice, in violation of `uniqueItems`.
    DuplicateItem,
    /// An object with fewer members than `minProperties`.
    TooFewMembers,
    /// An object with more members than `maxProperties`.
    TooManyMembers,
    /// An object without a member that `required` lists.
    MissingMember,
    /// An object contains a key twice, or two of its members would be stored under one key: one of them would be lost.
    DuplicateMember,
    /// PostgreSQL refuses the row when it is loaded: a constraint, a trigger, or a key that is too long for an index. The
    /// rule is not in the contract.
    DatabaseRefused,
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
    /// The harmonised column; `None` for a fault of the whole record. The rejects of a file share this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<Arc<str>>,
    /// The violated rule as text, such as `maxLength 200`.
    pub rule: Arc<str>,
    /// The value, truncated to 200 characters. `None` for classified columns and missing values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// Returns the first characters of `text`, as a reason shows them.
pub(crate) fn found(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text).to_owned()
}

/// A rejected row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Row number in the drop, from 1; the header is not counted.
    pub row: u64,
    /// Number of rows that this reject represents, of which `row` is the first: 1, or the rows lost with a block of an Avro file.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub rows: u64,
    /// Line on which the record starts, from 1, including the header; the row number in formats without lines. 0, and not in
    /// the file, if it is unknown because the database refused the row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u64,
    /// Offset of the record's first byte in the decompressed stream, from 0; in formats whose records have no bytes of their
    /// own, the offset of the row group or block. 0 if `line` is unknown.
    pub byte_offset: u64,
    /// The original record without its line end, or as a JSON object in formats with types; the harmonised values as a JSON
    /// object if the database refused the row. Bytes that are invalid in the
    /// encoding are replaced. Fields of classified columns are replaced by their pseudonym or by `[classified]`.
    pub raw: String,
    /// True if `raw` is empty because the record is malformed and its classified fields cannot be located.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw_withheld: bool,
    /// True if `raw` was truncated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw_truncated: bool,
    /// The reasons, up to the limit, in the order of the columns.
    pub reasons: Vec<Reason>,
}

impl Reject {
    /// Returns a row that the database refused. `raw` is the JSON object of its values, without those that rejects must not
    /// contain; it is truncated to 64 KiB.
    pub fn of_database(row: u64, mut raw: String, reasons: Vec<Reason>) -> Self {
        let raw_truncated = raw.len() > MAX_RAW_BYTES;
        raw.truncate(raw.floor_char_boundary(MAX_RAW_BYTES));
        Self { row, rows: 1, line: 0, byte_offset: 0, raw, raw_withheld: false, raw_truncated, reasons }
    }
}

fn one() -> u64 {
    1
}

fn is_one(rows: &u64) -> bool {
    *rows == 1
}

/// The counts of a drop or a split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Records read, including malformed and blank ones: `accepted` + `rejected` + `blank`.
    pub rows_read: u64,
    /// Accepted rows.
    pub accepted: u64,
    /// Rejected rows.
    pub rejected: u64,
    /// Rows that were skipped because all of their fields are empty.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blank: u64,
    /// Records that repeat the header of a delimited file. They are skipped and not counted as rows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated_headers: u64,
    /// Bytes read from the object.
    pub bytes_read: u64,
    /// Bytes after decompression.
    pub bytes_decompressed: u64,
    /// Lines, including the header's.
    pub lines: u64,
    /// Rejected rows by code and column, the largest count first. A row with two reasons is counted in both.
    pub by_reason: Vec<ReasonCount>,
    /// Accepted rows that each quality check counts, in the order of the contract; 0 for checks that do not count rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality_counts: Vec<u64>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Totals {
    /// Returns the counts of rejects, each row with one reason.
    pub fn of_rejects(by_reason: Vec<ReasonCount>) -> Self {
        let rejected = by_reason.iter().map(|count| count.rows).fold(0, u64::saturating_add);
        Self { rejected, by_reason, ..Self::default() }
    }

    /// Returns the number of rows that are not blank: the accepted and the rejected ones.
    pub fn rows_with_values(&self) -> u64 {
        self.rows_read.saturating_sub(self.blank)
    }

    /// Adds the totals of another part of the same drop. Counts of rows and bytes that exist cannot overflow 64 bits.
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

/// The number of rows that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The kind of fault.
    pub code: Code,
    /// The harmonised column; `None` for a fault of the whole record.
    pub column: Option<String>,
    /// Rows.
    pub rows: u64,
}

/// The format and dialect with which a drop was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// The format; `None`, which is `unknown` in JSON, for a file without content whose format is not declared.
    #[serde(with = "format_name")]
    pub format: Option<FileFormat>,
    /// `plain`, `gzip`, `zstd`, `bzip2`, `xz` or `zip`, as detected in the content.
    pub compression: penstock_contract::Compression,
    /// WHATWG name of the encoding; `UTF-8` in formats with types.
    pub encoding: String,
    /// Field delimiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Quote; `None` if quotes are ordinary characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<char>,
    /// Escape inside quoted fields; `None` if it is the quote itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// True if white space around quoted fields and before unquoted ones is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_initial_space: Option<bool>,
    /// Whether the first record names the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Number of records that make up the header; `None` for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_rows: Option<u32>,
    /// Number of skipped lines before the header; `None` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_lines: Option<u32>,
    /// True if the file begins with the line `sep=;`, by which Excel declares the delimiter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sep_line: bool,
    /// Names of the fields above that the contract does not declare: detected, or set to a default.
    pub assumed: Vec<String>,
    /// Possible mistakes in a file that can be read: columns that the header lacks, each with a similar name of the header;
    /// headers with fewer or more columns than the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
}

impl Dialect {
    /// Returns the dialect of a file in which nothing else was detected or declared.
    pub(crate) fn new(
        format: Option<FileFormat>,
        compression: penstock_contract::Compression,
        encoding: &'static Encoding,
    ) -> Self {
        Self {
            format,
            compression,
            encoding: encoding.name().to_owned(),
            delimiter: None,
            quote: None,
            escape: None,
            skip_initial_space: None,
            header: None,
            header_rows: None,
            skip_lines: None,
            sep_line: false,
            assumed: Vec::new(),
            suggestions: Vec::new(),
        }
    }
}

/// The JSON form of [`Dialect::format`].
mod format_name {
    use serde::de::IntoDeserializer as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::format::FileFormat;

    const UNKNOWN: &str = "unknown";

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        format: &Option<FileFormat>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(format.map_or(UNKNOWN, FileFormat::name))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<FileFormat>, D::Error> {
        let name = String::deserialize(deserializer)?;
        (name != UNKNOWN).then(|| FileFormat::deserialize(name.into_deserializer())).transpose()
    }
}

/// Adds rows to the count of a reason. [`sort_reasons`] restores the order.
pub(crate) fn count_reason(counts: &mut Vec<ReasonCount>, code: Code, column: Option<&str>, rows: u64) {
    let known = counts.iter_mut().find(|count| count.code == code && count.column.as_deref() == column);
    match known {
        Some(count) => count.rows = count.rows.saturating_add(rows),
        None => counts.push(ReasonCount { code, column: column.map(str::to_owned), rows }),
    }
}

/// Sorts by the number of rows, the largest first, then by code and column.
pub(crate) fn sort_reasons(counts: &mut [ReasonCount]) {
    counts.sort_by(|one, other| {
        let rows = other.rows.cmp(&one.rows);
        rows.then_with(|| one.code.cmp(&other.code)).then_with(|| one.column.cmp(&other.column))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_from_the_name_that_is_written() {
        let json = r#"{"format":"unknown","compression":"plain","encoding":"UTF-8","assumed":[]}"#;
        let mut dialect: Dialect = serde_json::from_str(json).unwrap();
        assert_eq!(dialect.format, None);
        assert_eq!(serde_json::to_string(&dialect).unwrap(), json);
        for format in [
            FileFormat::Delimited,
            FileFormat::Ndjson,
            FileFormat::JsonArray,
            FileFormat::Parquet,
            FileFormat::Avro,
        ] {
            dialect.format = Some(format);
            let written = serde_json::to_value(&dialect).unwrap();
            assert_eq!(written["format"], format.name());
            assert_eq!(serde_json::from_value::<Dialect>(written).unwrap(), dialect);
        }
        let error = serde_json::from_str::<Dialect>(&json.replace("unknown", "excel")).unwrap_err();
        assert!(error.to_string().contains("unknown variant `excel`"), "{error}");
    }
}
