//! The data of a block: values one after the other, without a tag or a length but where the schema asks for one.
//!
//! Nothing is allocated by a length that the data gives. What is empty takes no bytes, so that a few of them could
//! stand for any number of values: the steps of a row are counted against its bytes.

use super::schema::{AvroField, AvroTimeUnit, Schema, Type, TypeId};
use super::stream::{Varint, varint};
use crate::cast::typed::Typed;

/// Deeper values are not followed: a type that holds itself could go down for ever.
const MAX_DEPTH: usize = 256;
/// Steps that a byte of a row pays for. A union of a record takes three.
const STEPS_A_BYTE: usize = 8;
/// Steps that every row has, whatever its bytes.
const FREE_STEPS: usize = 256;

const MICROS_PER_MILLI: i64 = 1_000;

/// Why the data of a block cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DatumFault(pub(super) &'static str);

type DatumResult<T> = Result<T, DatumFault>;

/// A value that is not made of others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Text(&'a str),
    /// A string whose bytes are no UTF-8.
    BrokenText(&'a [u8]),
    Typed(Typed<'a>),
    /// Two's complement, most significant byte first, with more digits than [`Typed::Decimal`] takes.
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

/// What stands at a place: a scalar, which was read, or something made of others, which is still to be.
pub(super) enum Datum<'a> {
    Scalar(Scalar<'a>),
    Compound(TypeId),
}

/// What is told of a compound value in the order of the data.
pub(super) trait Sink<'a> {
    fn scalar(&mut self, value: &Scalar<'a>);
    fn open(&mut self, is_object: bool);
    /// Before each item of an array.
    fn item(&mut self);
    /// Before the value of a record's field or of a map's entry; its bytes may be no UTF-8.
    fn key(&mut self, key: &'a [u8]);
    fn close(&mut self, is_object: bool);
}

/// Leaves a value out.
pub(super) struct Nowhere;

impl<'a> Sink<'a> for Nowhere {
    fn scalar(&mut self, _: &Scalar<'a>) {}
    fn open(&mut self, _: bool) {}
    fn item(&mut self) {}
    fn key(&mut self, _: &'a [u8]) {}
    fn close(&mut self, _: bool) {}
}

/// A way through a block's data.
pub(super) struct Cursor<'a> {
    pub(super) schema: &'a Schema,
    data: &'a [u8],
    pub(super) at: usize,
    /// Where the row begins.
    row: usize,
    steps: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(schema: &'a Schema, data: &'a [u8], at: usize) -> Self {
        Self { schema, data, at, row: at, steps: 0 }
    }

    /// A row starts here.
    pub(super) fn start_row(&mut self) {
        self.row = self.at;
        self.steps = 0;
    }

    /// Reads what stands here, when it is a scalar; unions are gone through to their branch.
    #[inline]
    pub(super) fn find(&mut self, mut kind: TypeId) -> DatumResult<Datum<'a>> {
        self.step()?;
        let mut depth = MAX_DEPTH;
        while let Type::Union(branches) = self.schema.get(kind) {
            let branch = usize::try_from(self.long()?).ok().and_then(|branch| branches.get(branch));
            kind = *branch.ok_or(DatumFault("a union has no branch of the number that it says"))?;
            depth = depth.checked_sub(1).ok_or(DatumFault(TOO_DEEP))?;
            self.step()?;
        }
        Ok(self.scalar(self.schema.get(kind))?.map_or(Datum::Compound(kind), Datum::Scalar))
    }

    /// `None` where the type is one of others.
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
            Type::Fixed(size) => Typed::Bytes(self.take(*size)?),
            Type::Date => Typed::Date(self.int()?),
            Type::Time(AvroTimeUnit::Millis) => {
                Typed::Time(i64::from(self.int()?).saturating_mul(MICROS_PER_MILLI))
            }
            Type::Time(_) => Typed::Time(self.long()?),
            Type::Timestamp { unit, is_utc } => timestamp(self.long()?, *unit, *is_utc),
            Type::Uuid => Typed::Uuid(self.array()?),
            Type::Text => {
                let bytes = self.bytes()?;
                return Ok(Some(str::from_utf8(bytes).map_or(Scalar::BrokenText(bytes), Scalar::Text)));
            }
            Type::Enum(symbols) => {
                let symbol = usize::try_from(self.int()?).ok().and_then(|symbol| symbols.get(symbol));
                let symbol = symbol.ok_or(DatumFault("an enum has no symbol of the number that it says"))?;
                return Ok(Some(Scalar::Text(symbol)));
            }
            Type::Decimal { size, scale, .. } => {
                let unscaled = if let Some(size) = size { self.take(*size)? } else { self.bytes()? };
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

    /// Goes through a value, whatever it is.
    pub(super) fn walk(&mut self, kind: TypeId, sink: &mut impl Sink<'a>) -> DatumResult<()> {
        self.walk_in(kind, sink, MAX_DEPTH)
    }

    /// Goes through a compound value that [`Self::find`] has found.
    pub(super) fn walk_compound(&mut self, kind: TypeId, sink: &mut impl Sink<'a>) -> DatumResult<()> {
        self.compound(kind, sink, MAX_DEPTH)
    }

    /// Goes through a row.
    pub(super) fn walk_row(&mut self, sink: &mut impl Sink<'a>) -> DatumResult<()> {
        self.record(&self.schema.fields, sink, MAX_DEPTH)
    }

    fn walk_in(&mut self, kind: TypeId, sink: &mut impl Sink<'a>, depth: usize) -> DatumResult<()> {
        match self.find(kind)? {
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

    /// The items of an array or a map: runs of them, each after its count, until one that is empty. A count below zero
    /// is followed by the bytes of its run, which say nothing that the items do not.
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

    /// One value more was looked at.
    #[inline]
    fn step(&mut self) -> DatumResult<()> {
        self.steps = self.steps.saturating_add(1);
        let paid = self.at.saturating_sub(self.row).saturating_mul(STEPS_A_BYTE);
        if self.steps > paid && self.steps.saturating_sub(paid) > FREE_STEPS.saturating_add(self.schema.len())
        {
            return Err(DatumFault("a row has more values without a byte than its schema has types"));
        }
        Ok(())
    }

    fn big_decimal(&mut self) -> DatumResult<Scalar<'a>> {
        let mut inside = Cursor::new(self.schema, self.bytes()?, 0);
        let unscaled = inside.bytes()?;
        let scale = inside.int()?;
        let scale = u32::try_from(scale).map_err(|_| DatumFault("a decimal has a scale below zero"))?;
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
        i32::try_from(self.long()?).map_err(|_| DatumFault("an int is larger than 32 bits"))
    }

    #[inline]
    fn long(&mut self) -> DatumResult<i64> {
        match varint(self.data.get(self.at..).unwrap_or_default()) {
            Varint::Number(number, bytes) => {
                self.at = self.at.saturating_add(bytes);
                Ok(number)
            }
            Varint::Cut => Err(DatumFault(TOO_SHORT)),
            Varint::TooLong => Err(DatumFault("a number is longer than 64 bits")),
        }
    }

    fn bytes(&mut self) -> DatumResult<&'a [u8]> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| DatumFault("a length is below zero"))?;
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> DatumResult<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| DatumFault(TOO_SHORT))
    }

    fn take(&mut self, count: usize) -> DatumResult<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(DatumFault(TOO_SHORT))?;
        let taken = self.data.get(self.at..end).ok_or(DatumFault(TOO_SHORT))?;
        self.at = end;
        Ok(taken)
    }
}

const TOO_SHORT: &str = "a value goes beyond the block's end";
const TOO_DEEP: &str = "a value is nested too deep";

fn timestamp<'a>(count: i64, unit: AvroTimeUnit, is_utc: bool) -> Typed<'a> {
    match unit {
        // Where this is too much for 64 bits, it is no year that a timestamp has.
        AvroTimeUnit::Millis => Typed::timestamp_millis(count, is_utc),
        AvroTimeUnit::Micros => Typed::Timestamp { micros: count, is_utc },
        AvroTimeUnit::Nanos => Typed::timestamp_nanos(count, is_utc),
    }
}

/// Leading bytes that only repeat the sign say nothing.
fn decimal(unscaled: &[u8], scale: u32) -> Scalar<'_> {
    let is_negative = unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
    let (fill, base) = if is_negative { (0xff, -1) } else { (0, 0) };
    let digits = unscaled.iter().position(|byte| *byte != fill).and_then(|start| unscaled.get(start..));
    let digits = digits.unwrap_or_default();
    match i8::try_from(scale) {
        // With fifteen bytes the sign has room.
        Ok(scale) if digits.len() < size_of::<i128>() => {
            let unscaled = digits.iter().fold(base, |number: i128, byte| number << 8 | i128::from(*byte));
            Scalar::Typed(Typed::Decimal { unscaled: unscaled.into(), scale })
        }
        _ => Scalar::LongDecimal { unscaled, scale },
    }
}
