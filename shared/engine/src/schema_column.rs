//! The columns that the schema of a Parquet or Avro file declares.

/// The highest precision that a type of PostgreSQL can declare.
const MAX_PRECISION: u32 = 1_000;

/// A column of a file whose schema tells the types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaColumn {
    pub(crate) name: String,
    /// `None`: no column of a contract holds it.
    pub(crate) kind: Option<SchemaType>,
}

/// A type that a schema tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SchemaType {
    /// Text, or bytes that may be text: the values tell more.
    Text,
    Uuid,
    Boolean,
    /// Of at most 32 bits and a sign.
    Integer,
    Bigint,
    /// 64 bits without a sign.
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
    pub(crate) fn decimal(precision: u32, scale: u32) -> Self {
        if precision <= MAX_PRECISION { Self::Decimal { precision, scale } } else { Self::Text }
    }
}
