//! Decoding of a block's rows. Each field of a record is decoded once for all columns that are bound to it.

use std::ops::Range;
use std::sync::Arc;

use super::datum::{Cursor, Datum, DatumFault, DiscardSink, Scalar};
use super::json::{Json, LONG_DECIMAL, digits};
use super::schema::Schema;
use crate::cast::text::Traits;
use crate::cast::typed::{Typed, duration};
use crate::cast::unfit::Unfit;
use crate::delimited::bind_header;
use crate::error::ReadError;
use crate::outcome::Code;
use crate::plan::Plan;
use crate::program::{PlanColumn, Raw, common_null_values};
use crate::records::{MAX_RAW_BYTES, RecordPosition};
use crate::rows::{RawRecord, Rows};
use crate::unexpected::Unexpected;

/// Largest number of rows per block that occupy no bytes. A block could otherwise declare any number of them.
const MAX_EMPTY_ROWS: u32 = 1_000;
/// Longest JSON text per byte of data. JSON is longer than the data because of names and escapes.
const JSON_BYTES_PER_BYTE: usize = 4;

/// The binding of columns to fields.
#[derive(Debug)]
pub(super) struct FieldBinding {
    /// The field that each column reads.
    fields: Vec<Option<usize>>,
    /// For each field that columns read, the spellings of a missing value that all these columns share.
    null_values: Vec<Option<Arc<[String]>>>,
    /// The fields that no column reads, each with its name as a JSON string without quotes.
    unexpected: Vec<(String, usize)>,
    pub(super) suggestions: Vec<String>,
}

impl FieldBinding {
    pub(super) fn bind(schema: &Schema, columns: &[PlanColumn]) -> Result<Self, ReadError> {
        let names: Vec<String> = schema.fields.iter().map(|field| field.name.clone()).collect();
        let bound = bind_header(&names, columns).map_err(|(code, message)| {
            let message = message.replacen("the header", "the schema", 1);
            ReadError::Unreadable { code, byte_offset: 0, message }
        })?;
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
        for (column, field) in bound.fields.iter().enumerate() {
            if let Some(field) = field {
                readers.get_mut(*field).expect("columns are bound to fields of the schema").push(column);
            }
        }
        let null_values =
            readers.iter().map(|readers| common_null_values(readers, columns).map(Arc::from)).collect();
        let escaped = |name: String| {
            let quoted = serde_json::to_string(&name).expect("a string can be written as JSON");
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            inner.expect("a JSON string is quoted").to_owned()
        };
        let unexpected = bound.unexpected.into_iter().map(|(name, field)| (escaped(name), field)).collect();
        Ok(Self { fields: bound.fields, null_values, unexpected, suggestions: bound.suggestions })
    }
}

/// A decompressed block.
pub(super) struct BlockData<'a> {
    pub(super) schema: &'a Schema,
    pub(super) bytes: &'a [u8],
    /// The byte offset of the block in the file.
    pub(super) offset: u64,
}

/// The value of a field of the current row.
#[derive(Debug, Clone)]
enum Slot<'a> {
    Raw(Raw<'a>),
    /// A range of the text that is generated for the row.
    Document(Range<usize>),
    Number(Range<usize>),
    Text(Range<usize>),
    /// A document with a value that JSON cannot represent.
    Unfit(Unfit),
    InvalidText,
    /// A field that no column reads, with its start in the block.
    Unread(usize),
}

/// A decoder of rows.
pub(super) struct RowReader {
    layout: FieldBinding,
    unexpected: Unexpected,
    max_record_bytes: usize,
    /// The generated text of the current row: documents, long numbers and durations.
    generated: Json,
    /// The values that no column reads, in the order of the layout; not filled unless the contract stores them.
    values: Vec<Json>,
    /// The number of rows of the current block that occupy no bytes.
    empty_rows: u32,
}

impl RowReader {
    pub(super) fn new(layout: FieldBinding, plan: &Plan, max_record_bytes: usize) -> Self {
        let unexpected = Unexpected::new(plan);
        let json = || Json::new(max_record_bytes.saturating_mul(JSON_BYTES_PER_BYTE));
        let values = layout.unexpected.iter().map(|_| json()).collect();
        Self { layout, unexpected, max_record_bytes, generated: json(), values, empty_rows: 0 }
    }

    /// Reads rows from `at` until `remaining` is 0 or a block of rows is complete, and advances both.
    pub(super) fn read(
        &mut self,
        data: &BlockData<'_>,
        at: &mut usize,
        remaining: &mut u64,
        rows: &mut Rows,
    ) -> Result<(), DatumFault> {
        if *at == 0 {
            self.empty_rows = 0;
        }
        let mut cursor = Cursor::new(data.schema, data.bytes, *at);
        let mut slots = Vec::with_capacity(data.schema.fields.len());
        while *remaining > 0 && !rows.is_ready() {
            let start = cursor.at;
            cursor.start_row();
            self.generated.clear();
            slots.clear();
            self.decode(&mut cursor, &mut slots)?;
            if cursor.at == start {
                self.empty_rows = self.empty_rows.saturating_add(1);
                if self.empty_rows > MAX_EMPTY_ROWS {
                    return Err(DatumFault("the block has more than 1000 rows that occupy no bytes"));
                }
            }
            let row = AvroRow { data, bytes: start..cursor.at, slots: &slots };
            self.push(&row, rows);
            *at = cursor.at;
            *remaining = remaining.saturating_sub(1);
        }
        Ok(())
    }

    fn decode<'a>(&mut self, cursor: &mut Cursor<'a>, slots: &mut Vec<Slot<'a>>) -> Result<(), DatumFault> {
        for (field, null_values) in cursor.schema.fields.iter().zip(&self.layout.null_values) {
            let Some(null_values) = null_values else {
                slots.push(Slot::Unread(cursor.at));
                cursor.walk(field.kind, &mut DiscardSink)?;
                continue;
            };
            let start = self.generated.text.len();
            let value = cursor.read(field.kind)?;
            let mut write = |text: &str| {
                self.generated.text.push_str(text);
                start..self.generated.text.len()
            };
            slots.push(match value {
                Datum::Scalar(Scalar::Null) => Slot::Raw(Raw::Missing),
                Datum::Scalar(Scalar::Typed(value)) => Slot::Raw(Raw::Typed(value)),
                Datum::Scalar(Scalar::Text(text)) => Slot::Raw(Raw::Text(text, Traits::of(text.as_bytes()))),
                Datum::Scalar(Scalar::InvalidText(_)) => Slot::InvalidText,
                Datum::Scalar(Scalar::LongDecimal { unscaled, scale }) => {
                    let too_long = Slot::Raw(Raw::Typed(Typed::Foreign(LONG_DECIMAL)));
                    digits(unscaled, scale).map_or(too_long, |digits| Slot::Number(write(&digits)))
                }
                Datum::Scalar(Scalar::Duration { months, days, millis }) => {
                    Slot::Text(write(&duration(months, days, millis)))
                }
                Datum::Compound(kind) => {
                    self.generated.start_document(null_values);
                    cursor.walk_compound(kind, &mut self.generated)?;
                    match self.generated.end_document() {
                        None => Slot::Document(start..self.generated.text.len()),
                        Some(unfit) => Slot::Unfit(unfit),
                    }
                }
            });
        }
        Ok(())
    }

    fn push(&mut self, row: &AvroRow<'_>, rows: &mut Rows) {
        if self.unexpected.is_wanted() {
            for (value, (_, field)) in self.values.iter_mut().zip(&self.layout.unexpected) {
                value.clear();
                row.write_field(*field, value);
            }
        }
        if let Some((code, rule, found)) = self.fault(row) {
            row.push_malformed(rows, code, rule, found);
            return;
        }
        let Self { layout, unexpected, generated, values, max_record_bytes, .. } = self;
        unexpected.start(rows, |unexpected| {
            for ((name, _), value) in layout.unexpected.iter().zip(values) {
                unexpected.push_literal(name, &value.text);
            }
        });
        let text = |range: &Range<usize>| {
            generated.text.get(range.clone()).expect("a row whose generated text was truncated is malformed")
        };
        let raw = |column: usize| {
            let field = *layout.fields.get(column).expect("the binding has an entry for each column");
            let Some(field) = field else { return unexpected.raw(column) };
            match row.slots.get(field).expect("a row has a slot for each field") {
                Slot::Raw(raw) => *raw,
                Slot::Document(range) => Raw::JsonDocument(text(range), Traits::UNKNOWN),
                Slot::Number(range) => Raw::JsonNumber(text(range)),
                Slot::Text(range) => Raw::JsonText(text(range), Traits::UNKNOWN),
                Slot::Unfit(unfit) => Raw::Unfit(unfit),
                Slot::InvalidText => unreachable!("a row with invalid text is malformed"),
                Slot::Unread(_) => unreachable!("the field is read by the column"),
            }
        };
        let position = row.position(rows);
        rows.push_typed(position, raw, || {
            row.json(max_record_bytes.saturating_mul(JSON_BYTES_PER_BYTE)).text
        });
    }

    /// Returns the code, rule and finding of a fault because of which the row cannot be checked.
    fn fault(&self, row: &AvroRow<'_>) -> Option<(Code, String, Option<String>)> {
        let length = row.bytes.len();
        let mut texts = self.values.iter().chain([&self.generated]);
        if length > self.max_record_bytes || texts.any(|json| json.is_truncated) {
            let rule = format!("at most {} bytes", self.max_record_bytes);
            return Some((Code::RecordTooLong, rule, Some(format!("{length} bytes"))));
        }
        let name = row.invalid_field()?;
        Some((Code::InvalidEncoding, format!("`{name}` in UTF-8"), None))
    }
}

/// A decoded row.
struct AvroRow<'a> {
    data: &'a BlockData<'a>,
    /// The position of the row in the block.
    bytes: Range<usize>,
    slots: &'a [Slot<'a>],
}

impl AvroRow<'_> {
    /// Returns the name of the first string field that is not UTF-8.
    fn invalid_field(&self) -> Option<&str> {
        let mut fields = self.data.schema.fields.iter().zip(self.slots);
        fields.find(|(_, slot)| matches!(slot, Slot::InvalidText)).map(|(field, _)| field.name.as_str())
    }

    fn position(&self, rows: &Rows) -> RecordPosition {
        RecordPosition { line: rows.totals.rows_read.saturating_add(1), byte_offset: self.data.offset }
    }

    fn push_malformed(&self, rows: &mut Rows, code: Code, rule: String, found: Option<String>) {
        // One character longer than the limit, so that the reject is marked as truncated.
        let raw = self.json(MAX_RAW_BYTES.saturating_add(size_of::<char>()));
        let record = RawRecord {
            position: self.position(rows),
            raw: raw.text.as_bytes(),
            encoding: encoding_rs::UTF_8,
        };
        rows.push_malformed(record, code, rule, found);
    }

    fn json(&self, max_bytes: usize) -> Json {
        let mut json = Json::new(max_bytes);
        let mut cursor = Cursor::new(self.data.schema, self.data.bytes, self.bytes.start);
        cursor.walk_row(&mut json).expect("the row was decoded before");
        json
    }

    fn write_field(&self, field: usize, json: &mut Json) {
        let slot = self.slots.get(field).expect("a row has a slot for each field");
        let Slot::Unread(at) = slot else { unreachable!("no column reads the field") };
        let field = self.data.schema.fields.get(field).expect("the binding is made from the schema");
        let mut cursor = Cursor::in_row(self.data.schema, self.data.bytes, self.bytes.start, *at);
        cursor.walk(field.kind, json).expect("the field was decoded before");
    }
}
