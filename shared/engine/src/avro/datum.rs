//! A decoder for the data of a block: a sequence of values, with a tag or a length only where the schema requires one.
//!
//! Nothing is allocated according to a length in the data. Empty values occupy no bytes, so a few bytes could encode
//! any number of values. The decoder therefore limits the number of steps per row in proportion to the row's bytes.

use super::schema::{AvroField, AvroTimeUnit, Schema, Type, TypeId};
use super::stream::{Varint, varint};
use crate::cast::typed::Typed;

/// Deepest nesting of a value. A recursive type could otherwise exhaust the stack.
const MAX_DEPTH: usize = 256;
/// Number of steps allowed per byte of a row. A union with a record needs three.
const STEPS_PER_BYTE: usize = 8;
/// Number of steps allowed per row in addition.
const FREE_STEPS: usize = 256;

const MICROS_PER_MILLI: i64 = 1_000;

/// The reason why the rest of a block cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DatumFault(pub(super) &'static str);

type DatumResult<T> = Result<T, DatumFault>;

/// A value without nested values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Text(&'a str),
    /// A string whose bytes are not UTF-8.
    InvalidText(&'a [u8]),
    Typed(Typed<'a>),
    /// A big-endian two's-complement number with more digits than [`Typed::Decimal`] can hold.
    LongDecimal {
        unscaled: &'a [u8],
        scale: u32,
    },
    Duration {
        months: u32,
        days: u32,
        millis: u32,
    },
}

/// The beginning of a value.
pub(super) enum Datum<'a> {
    /// A complete scalar.
    Scalar(Scalar<'a>),
    /// The type of a compound value whose content has not been read.
    Compound(TypeId),
}

/// A visitor of a compound value. Its methods are called in the order of the data.
pub(super) trait Sink<'a> {
    fn scalar(&mut self, value: &Scalar<'a>);
    fn open(&mut self, is_object: bool);
    /// Called before each item of an array.
    fn item(&mut self);
    /// Called before the value of a record's field or of a map's entry. The key may be invalid UTF-8.
    fn key(&mut self, key: &'a [u8]);
    fn close(&mut self, is_object: bool);
}

/// A sink that discards the value.
pub(super) struct DiscardSink;

impl<'a> Sink<'a> for DiscardSink {
    fn scalar(&mut self, _: &Scalar<'a>) {}
    fn open(&mut self, _: bool) {}
    fn item(&mut self) {}
    fn key(&mut self, _: &'a [u8]) {}
    fn close(&mut self, _: bool) {}
}

/// A position in a block's data.
pub(super) struct Cursor<'a> {
    pub(super) schema: &'a Schema,
    data: &'a [u8],
    pub(super) at: usize,
    /// The start of the current row.
    row: usize,
    steps: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(schema: &'a Schema, data: &'a [u8], at: usize) -> Self {
        Self { schema, data, at, row: at, steps: 0 }
    }

    /// Returns a cursor at a field of the row that starts at `row`.
    pub(super) fn in_row(schema: &'a Schema, data: &'a [u8], row: usize, at: usize) -> Self {
        Self { at, ..Self::new(schema, data, row) }
    }

    /// Marks the current position as the start of a row.
    pub(super) fn start_row(&mut self) {
        self.row = self.at;
        self.steps = 0;
    }

    /// Reads the next value if it is a scalar. Of a union, the value of its branch is read.
    #[inline]
    pub(super) fn read(&mut self, mut kind: TypeId) -> DatumResult<Datum<'a>> {
        self.step()?;
        let mut depth = MAX_DEPTH;
        while let Type::Union(branches) = self.schema.get(kind) {
            let branch = usize::try_from(self.long()?).ok().and_then(|branch| branches.get(branch));
            kind = *branch.ok_or(DatumFault("a union names a branch that does not exist"))?;
            depth = depth.checked_sub(1).ok_or(DatumFault(TOO_DEEP))?;
            self.step()?;
        }
        Ok(self.scalar(self.schema.get(kind))?.map_or(Datum::Compound(kind), Datum::Scalar))
    }

    /// Reads a scalar; returns `None` for a compound type.
    #[inline]
    fn scalar(&mut self, kind: &'a Type) -> DatumResult<Option<Scalar<'a>>> {
        Ok(Some(Scalar::Typed(match kind {
            Type::Null => return Ok(Some(Scalar::Null)),
            Type::Union(_) | Type::Array(_) | Type::Map(_) | Type::Record(_) => return Ok(None),
            Type::Boolean => Typed::Boolean(self.boolean()?),
            Type::Int => Typed::Integer(self.int()?.into()),
            Type::Long => Typed::Integer(self.long()?),
            Type::Float => Typed::Float(f32::from_le_bytes(self.array()?)),
            Type::Double => Typed::Double(f64::from_le_bytes(self.array()?)),
            Type::Bytes => Typed::Bytes(self.bytes()?),
            Type::Fixed(size) => Typed::Bytes(self.read_bytes(*size)?),
            Type::Date => Typed::Date(self.int()?),
            // No overflow: an `int` has 32 bits.
            Type::TimeMillis => Typed::Time(i64::from(self.int()?).saturating_mul(MICROS_PER_MILLI)),
            Type::TimeMicros => Typed::Time(self.long()?),
            Type::Timestamp { unit, is_utc } => timestamp(self.long()?, *unit, *is_utc),
            Type::Uuid => Typed::Uuid(self.array()?),
            Type::Text => {
                let bytes = self.bytes()?;
                return Ok(Some(str::from_utf8(bytes).map_or(Scalar::InvalidText(bytes), Scalar::Text)));
            }
            Type::Enum(symbols) => {
                let symbol = usize::try_from(self.int()?).ok().and_then(|symbol| symbols.get(symbol));
                let symbol = symbol.ok_or(DatumFault("an enum names a symbol that does not exist"))?;
                return Ok(Some(Scalar::Text(symbol)));
            }
            Type::Decimal { size, scale, .. } => {
                let unscaled = if let Some(size) = size { self.read_bytes(*size)? } else { self.bytes()? };
                return Ok(Some(decimal(unscaled, *scale)));
            }
            Type::BigDecimal => return self.big_decimal().map(Some),
            Type::Duration => {
                let [months, days, millis] =
                    [self.array()?, self.array()?, self.array()?].map(u32::from_le_bytes);
                return Ok(Some(Scalar::Duration { months, days, millis }));
            }
        })))
    }

    /// Visits a value of any type.
    pub(super) fn walk(&mut self, kind: TypeId, sink: &mut impl Sink<'a>) -> DatumResult<()> {
        self.walk_in(kind, sink, MAX_DEPTH)
    }

    /// Visits a compound value whose type [`Self::read`] returned.
    pub(super) fn walk_compound(&mut self, kind: TypeId, sink: &mut impl Sink<'a>) -> DatumResult<()> {
        self.compound(kind, sink, MAX_DEPTH)
    }

    /// Visits a row.
    pub(super) fn walk_row(&mut self, sink: &mut impl Sink<'a>) -> DatumResult<()> {
        self.record(&self.schema.fields, sink, MAX_DEPTH)
    }

    fn walk_in(&mut self, kind: TypeId, sink: &mut impl Sink<'a>, depth: usize) -> DatumResult<()> {
        match self.read(kind)? {
            Datum::Scalar(value) => {
                sink.scalar(&value);
                Ok(())
            }
            Datum::Compound(kind) => self.compound(kind, sink, depth),
        }
    }

    fn compound(&mut self, kind: TypeId, sink: &mut impl Sink<'a>, depth: usize) -> DatumResult<()> {
        let depth = depth.checked_sub(1).ok_or(DatumFault(TOO_DEEP))?;
        let kind = self.schema.get(kind);
        if let Type::Record(fields) = kind {
            self.record(fields, sink, depth)?;
        } else if let Type::Array(items) = kind {
            sink.open(false);
            self.items(|cursor| {
                sink.item();
                cursor.walk_in(*items, sink, depth)
            })?;
            sink.close(false);
        } else if let Type::Map(values) = kind {
            sink.open(true);
            self.items(|cursor| {
                sink.key(cursor.bytes()?);
                cursor.walk_in(*values, sink, depth)
            })?;
            sink.close(true);
        }
        Ok(())
    }

    fn record(&mut self, fields: &'a [AvroField], sink: &mut impl Sink<'a>, depth: usize) -> DatumResult<()> {
        sink.open(true);
        for field in fields {
            sink.key(field.name.as_bytes());
            self.walk_in(field.kind, sink, depth)?;
        }
        sink.close(true);
        Ok(())
    }

    /// Visits the items of an array or a map. They are stored in runs, each preceded by its item count; an empty run is
    /// the last one. A negative count is followed by the run's size in bytes, which is redundant.
    fn items(&mut self, mut item: impl FnMut(&mut Self) -> DatumResult<()>) -> DatumResult<()> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                item(self)?;
            }
        }
    }

    /// Counts one more visited value.
    #[inline]
    fn step(&mut self) -> DatumResult<()> {
        self.steps = self.steps.saturating_add(1);
        let allowed = self.at.saturating_sub(self.row).saturating_mul(STEPS_PER_BYTE);
        if self.steps.saturating_sub(allowed) > FREE_STEPS.saturating_add(self.schema.len()) {
            return Err(DatumFault("a row has too many values that occupy no bytes"));
        }
        Ok(())
    }

    fn big_decimal(&mut self) -> DatumResult<Scalar<'a>> {
        let mut inside = Cursor::new(self.schema, self.bytes()?, 0);
        let unscaled = inside.bytes()?;
        let scale = inside.int()?;
        let scale = u32::try_from(scale).map_err(|_| DatumFault("a decimal has a negative scale"))?;
        Ok(decimal(unscaled, scale))
    }

    fn boolean(&mut self) -> DatumResult<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(DatumFault("a boolean is neither 0 nor 1")),
        }
    }

    fn int(&mut self) -> DatumResult<i32> {
        i32::try_from(self.long()?).map_err(|_| DatumFault("an int has more than 32 bits"))
    }

    #[inline]
    fn long(&mut self) -> DatumResult<i64> {
        match varint(self.data.get(self.at..).expect("the position is within the block")) {
            Varint::Number(number, bytes) => {
                self.at = self.at.saturating_add(bytes);
                Ok(number)
            }
            Varint::Truncated => Err(DatumFault(TOO_SHORT)),
            Varint::TooLong => Err(DatumFault("a number has more than 64 bits")),
        }
    }

    fn bytes(&mut self) -> DatumResult<&'a [u8]> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| DatumFault("a length is negative"))?;
        self.read_bytes(length)
    }

    fn array<const N: usize>(&mut self) -> DatumResult<[u8; N]> {
        self.read_bytes(N)?.try_into().map_err(|_| DatumFault(TOO_SHORT))
    }

    fn read_bytes(&mut self, count: usize) -> DatumResult<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(DatumFault(TOO_SHORT))?;
        let bytes = self.data.get(self.at..end).ok_or(DatumFault(TOO_SHORT))?;
        self.at = end;
        Ok(bytes)
    }
}

const TOO_SHORT: &str = "a value extends beyond the end of the block";
const TOO_DEEP: &str = "a value is nested too deeply";

fn timestamp<'a>(count: i64, unit: AvroTimeUnit, is_utc: bool) -> Typed<'a> {
    match unit {
        // A product of more than 64 bits is outside the range of a timestamp.
        AvroTimeUnit::Millis => Typed::timestamp_millis(count, is_utc),
        AvroTimeUnit::Micros => Typed::Timestamp { micros: count, is_utc },
        AvroTimeUnit::Nanos => Typed::timestamp_nanos(count, is_utc),
    }
}

/// Returns a big-endian two's-complement number. Leading bytes that only extend the sign are ignored.
fn decimal(unscaled: &[u8], scale: u32) -> Scalar<'_> {
    let is_negative = unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
    let (fill, base) = if is_negative { (0xff, -1) } else { (0, 0) };
    let start = unscaled.iter().position(|byte| *byte != fill).unwrap_or(unscaled.len());
    let (_, digits) = unscaled.split_at(start);
    match i8::try_from(scale) {
        // Fifteen bytes leave room for the sign.
        Ok(scale) if digits.len() < size_of::<i128>() => {
            let unscaled = digits.iter().fold(base, |number: i128, byte| number << 8 | i128::from(*byte));
            Scalar::Typed(Typed::Decimal { unscaled: unscaled.into(), scale })
        }
        Ok(_) | Err(_) => Scalar::LongDecimal { unscaled, scale },
    }
}
