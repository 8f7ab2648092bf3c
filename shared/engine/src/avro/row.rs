//! Rows out of a block: a record's fields, each read once, to the columns that are bound to them.

use std::ops::Range;
use std::sync::Arc;

use super::datum::{Cursor, Datum, DatumFault, Nowhere, Scalar};
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
use crate::rows::{Rows, Shown};
use crate::unexpected::Unexpected;

/// A row of no bytes is a row like any other, but a block may say that it has any number of them.
const MAX_EMPTY_ROWS: u32 = 1_000;
/// JSON may be longer than what it is made from: names stand in it, and escapes.
const JSON_BYTES_A_BYTE: usize = 4;

/// Which field each column reads.
#[derive(Debug)]
pub(super) struct FieldBinding {
    /// By column.
    fields: Vec<Option<usize>>,
    /// By field, if any column reads it: the spellings of a missing value that all columns that read it have.
    null_values: Vec<Option<Arc<[String]>>>,
    /// Names that no column reads, as JSON has them without the quotes, with their fields.
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
            let readers = field.and_then(|field| readers.get_mut(field));
            readers.into_iter().for_each(|readers| readers.push(column));
        }
        let null_values =
            readers.iter().map(|readers| common_null_values(readers, columns).map(Arc::from)).collect();
        let escaped = |name: String| {
            let quoted = serde_json::to_string(&name).unwrap_or_default();
            quoted.trim_matches('"').to_owned()
        };
        let unexpected = bound.unexpected.into_iter().map(|(name, field)| (escaped(name), field)).collect();
        Ok(Self { fields: bound.fields, null_values, unexpected, suggestions: bound.suggestions })
    }
}

/// A block as rows are read from it.
pub(super) struct BlockData<'a> {
    pub(super) schema: &'a Schema,
    pub(super) bytes: &'a [u8],
    /// Where the block stands in the file.
    pub(super) offset: u64,
}

/// What a field of the row under way holds.
#[derive(Debug, Clone)]
enum Slot<'a> {
    Raw(Raw<'a>),
    /// Parts of the text that is made for the row.
    Document(Range<usize>),
    Number(Range<usize>),
    Text(Range<usize>),
    /// A document with a part that JSON cannot hold.
    Unfit(Unfit),
    BrokenText,
    /// No column reads it. Where it begins in the block.
    Unread(usize),
}

pub(super) struct RowReader {
    layout: FieldBinding,
    unexpected: Unexpected,
    max_record_bytes: usize,
    /// What has to be written for a row: documents, long numbers.
    made: Json,
    /// Those that no column reads, in the order of the layout; empty where they do not matter.
    values: Vec<Json>,
    /// Rows without a byte in the block under way.
    empty_rows: u32,
}

impl RowReader {
    pub(super) fn new(layout: FieldBinding, plan: &Plan, max_record_bytes: usize) -> Self {
        let unexpected = Unexpected::new(plan);
        let json = || Json::new(max_record_bytes.saturating_mul(JSON_BYTES_A_BYTE));
        let values = layout.unexpected.iter().map(|_| json()).collect();
        Self { layout, unexpected, max_record_bytes, made: json(), values, empty_rows: 0 }
    }

    /// Reads rows from `at` on, `left` of them or until a block of rows is ready; both are moved on.
    pub(super) fn read(
        &mut self,
        data: &BlockData<'_>,
        at: &mut usize,
        left: &mut u64,
        rows: &mut Rows,
    ) -> Result<(), DatumFault> {
        if *at == 0 {
            self.empty_rows = 0;
        }
        let mut cursor = Cursor::new(data.schema, data.bytes, *at);
        let mut slots = Vec::with_capacity(data.schema.fields.len());
        while *left > 0 && !rows.is_ready() {
            let start = cursor.at;
            cursor.start_row();
            self.made.clear();
            slots.clear();
            self.decode(&mut cursor, &mut slots)?;
            if cursor.at == start {
                self.empty_rows = self.empty_rows.saturating_add(1);
                if self.empty_rows > MAX_EMPTY_ROWS {
                    return Err(DatumFault("the block has more than 1000 rows without a byte"));
                }
            }
            let row = AvroRow { data, bytes: start..cursor.at, slots: &slots };
            self.push(&row, rows);
            *at = cursor.at;
            *left = left.saturating_sub(1);
        }
        Ok(())
    }

    fn decode<'a>(&mut self, cursor: &mut Cursor<'a>, slots: &mut Vec<Slot<'a>>) -> Result<(), DatumFault> {
        for (field, null_values) in cursor.schema.fields.iter().zip(&self.layout.null_values) {
            let Some(null_values) = null_values else {
                slots.push(Slot::Unread(cursor.at));
                cursor.walk(field.kind, &mut Nowhere)?;
                continue;
            };
            let start = self.made.text.len();
            let found = cursor.find(field.kind)?;
            let mut made = |text: &str| {
                self.made.text.push_str(text);
                start..self.made.text.len()
            };
            slots.push(match found {
                Datum::Scalar(Scalar::Null) => Slot::Raw(Raw::Missing),
                Datum::Scalar(Scalar::Typed(value)) => Slot::Raw(Raw::Typed(value)),
                Datum::Scalar(Scalar::Text(text)) => Slot::Raw(Raw::Text(text, Traits::of(text.as_bytes()))),
                Datum::Scalar(Scalar::BrokenText(_)) => Slot::BrokenText,
                Datum::Scalar(Scalar::LongDecimal { unscaled, scale }) => {
                    let too_long = Slot::Raw(Raw::Typed(Typed::Foreign(LONG_DECIMAL)));
                    digits(unscaled, scale).map_or(too_long, |digits| Slot::Number(made(&digits)))
                }
                Datum::Scalar(Scalar::Duration { months, days, millis }) => {
                    Slot::Text(made(&duration(months, days, millis)))
                }
                Datum::Compound(kind) => {
                    self.made.start_document(null_values);
                    cursor.walk_compound(kind, &mut self.made)?;
                    match self.made.end_document() {
                        None => Slot::Document(start..self.made.text.len()),
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
        let Self { layout, unexpected, made, values, max_record_bytes, .. } = self;
        unexpected.start(rows, |unexpected| {
            for ((name, _), value) in layout.unexpected.iter().zip(values) {
                unexpected.push_literal(name, &value.text);
            }
        });
        let text = |range: &Range<usize>| made.text.get(range.clone()).unwrap_or_default();
        let raw = |column: usize| {
            let field = layout.fields.get(column).copied().flatten();
            match field.and_then(|field| row.slots.get(field)) {
                Some(Slot::Raw(raw)) => *raw,
                Some(Slot::Document(range)) => Raw::JsonDocument(text(range), Traits::UNKNOWN),
                Some(Slot::Number(range)) => Raw::JsonNumber(text(range)),
                Some(Slot::Text(range)) => Raw::JsonText(text(range), Traits::UNKNOWN),
                Some(Slot::Unfit(unfit)) => Raw::Unfit(unfit),
                Some(Slot::BrokenText | Slot::Unread(_)) => Raw::Missing,
                None => unexpected.raw(column),
            }
        };
        let place = row.place(rows);
        rows.push_typed(place, raw, || row.json(max_record_bytes.saturating_mul(JSON_BYTES_A_BYTE)).text);
    }

    /// What keeps the row from being checked at all, with the rule and what was found.
    fn fault(&self, row: &AvroRow<'_>) -> Option<(Code, String, Option<String>)> {
        let length = row.bytes.len();
        let mut written = self.values.iter().chain([&self.made]);
        if length > self.max_record_bytes || written.any(|json| json.is_cut) {
            let rule = format!("at most {} bytes", self.max_record_bytes);
            return Some((Code::RecordTooLong, rule, Some(format!("{length} bytes"))));
        }
        let name = row.broken_field()?;
        Some((Code::InvalidEncoding, format!("`{name}` in UTF-8"), None))
    }
}

/// A row that was read.
struct AvroRow<'a> {
    data: &'a BlockData<'a>,
    /// Where it is in the block.
    bytes: Range<usize>,
    slots: &'a [Slot<'a>],
}

impl AvroRow<'_> {
    /// The first field that is a string and no UTF-8.
    fn broken_field(&self) -> Option<&str> {
        let mut fields = self.data.schema.fields.iter().zip(self.slots);
        fields.find(|(_, slot)| matches!(slot, Slot::BrokenText)).map(|(field, _)| field.name.as_str())
    }

    fn place(&self, rows: &Rows) -> RecordPosition {
        RecordPosition { line: rows.totals.rows_read.saturating_add(1), byte_offset: self.data.offset }
    }

    fn push_malformed(&self, rows: &mut Rows, code: Code, rule: String, found: Option<String>) {
        // Longer than what is shown of it, so that it can be told that it was cut.
        let raw = self.json(MAX_RAW_BYTES.saturating_add(size_of::<char>()));
        let shown = Shown { place: self.place(rows), raw: raw.text.as_bytes(), encoding: encoding_rs::UTF_8 };
        rows.push_malformed(shown, code, rule, found);
    }

    fn json(&self, max_bytes: usize) -> Json {
        let mut json = Json::new(max_bytes);
        let mut cursor = Cursor::new(self.data.schema, self.data.bytes, self.bytes.start);
        // It was read before, so that it is known to be whole.
        let _ = cursor.walk_row(&mut json);
        json
    }

    fn write_field(&self, field: usize, json: &mut Json) {
        let Some(Slot::Unread(at)) = self.slots.get(field) else { return };
        let Some(field) = self.data.schema.fields.get(field) else { return };
        let mut cursor = Cursor::new(self.data.schema, self.data.bytes, *at);
        // As above.
        let _ = cursor.walk(field.kind, json);
    }
}
