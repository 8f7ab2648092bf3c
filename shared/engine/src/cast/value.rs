//! Values that satisfy the type of their column.

use super::number::DecimalDigits;
use super::text::Text;

/// A value that satisfies its column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CastValue<'a> {
    Text(Text<'a>),
    Integer(i64),
    Decimal(DecimalDigits<'a>),
    /// So many of the last decimal place that is told, which is the second.
    Scaled(i64, u8),
    Double(f64),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight, of one day.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00, in UTC where the column has a time zone.
    Timestamp(i64),
}
