//! Columns that the schema of a Parquet or Avro file declares.

/// The largest precision that PostgreSQL's `numeric` can declare.
const MAX_PRECISION: u32 = 1_000;

/// A column of a file with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaColumn {
    pub(crate) name: String,
    /// The type; `None` if no column of a contract can hold its values.
    pub(crate) kind: Option<SchemaType>,
}

/// A type that a schema declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaType {
    /// Text, or bytes that may be text. The values may show a more specific type.
    Text,
    Uuid,
    Boolean,
    /// A signed integer of at most 32 bits.
    Integer,
    Bigint,
    /// An unsigned integer of 64 bits.
    Unsigned,
    Decimal {
        precision: u32,
        scale: u32,
    },
    Double,
    Date,
    Time,
    Timestamp {
        is_utc: bool,
    },
    Object,
    Array,
}

impl SchemaType {
    /// Returns a decimal type; text if PostgreSQL cannot declare the precision.
    pub(crate) fn decimal(precision: u32, scale: u32) -> Self {
        if precision <= MAX_PRECISION { Self::Decimal { precision, scale } } else { Self::Text }
    }
}
