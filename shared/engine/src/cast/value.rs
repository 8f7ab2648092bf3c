//! Values of columns' types.

use super::number::DecimalDigits;
use super::text::Text;

/// A value that fits its column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CastValue<'a> {
    Text(Text<'a>),
    Integer(i64),
    Decimal(DecimalDigits<'a>),
    /// The number without its point, and its scale: `Scaled(1250, 2)` is 12.50.
    Scaled(i64, u8),
    Double(f64),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight, less than a day.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00, in UTC if the column is `timestamptz`.
    Timestamp(i64),
}
