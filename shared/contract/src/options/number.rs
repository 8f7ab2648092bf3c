//! Reads the options of integers and numbers.

use super::bounds;
use super::type_options::TypeOptions;
use crate::decimal::Decimal;
use crate::error::{Errors, ReadResult, quoted};
use crate::logical_name::LogicalName;
use crate::model::{Bound, Rules, SqlType};
use crate::node_ref::NodeRef;
use crate::odcs;

/// Reads the options of an integer or a number.
pub(super) fn read(
    at: &NodeRef<'_>,
    name: LogicalName,
    boolean_exclusive: bool,
    errors: &mut Errors,
) -> ReadResult<TypeOptions> {
    let mut options = TypeOptions::plain(name);
    let implied = at.get("format").map(|format| number_format(&format, name, errors)).transpose();
    let bounds = bounds::read(at, boolean_exclusive, errors, |at, errors| {
        let text = at.number(errors)?;
        let number = Decimal::parse(text)
            .ok_or_else(|| at.report(errors, format!("{} is not a decimal number", quoted(text))))?;
        Ok((number.to_string(), number))
    });
    let multiple_of = at.get("multipleOf").map(|at| multiple_of(&at, errors)).transpose();
    let (minimum, maximum) = bounds?;
    options.rules.multiple_of = multiple_of?;
    options.rules.minimum = minimum;
    options.rules.maximum = maximum;
    if let Some((derived, range)) = implied? {
        options.derived = derived;
        if let Some((low, high)) = range {
            tighten(&mut options.rules, low, high);
        }
    }
    Ok(options)
}

fn multiple_of(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let text = at.number(errors)?;
    match Decimal::parse(text).filter(Decimal::is_positive) {
        Some(number) => Ok(number.to_string()),
        None => Err(at.report(errors, format!("{} must be greater than 0", quoted(text)))),
    }
}

type Range = (&'static str, &'static str);

/// Returns the PostgreSQL type of a Rust number type, and its range if that of the PostgreSQL type is wider.
fn number_format(
    at: &NodeRef<'_>,
    name: LogicalName,
    errors: &mut Errors,
) -> ReadResult<(SqlType, Option<Range>)> {
    let wide = |digits| SqlType::Numeric(Some((digits, 0)));
    let text = at.str(errors)?;
    let found = match (name, text) {
        (LogicalName::Integer, "i8") => Some((SqlType::Smallint, Some(("-128", "127")))),
        (LogicalName::Integer, "i16") => Some((SqlType::Smallint, None)),
        (LogicalName::Integer, "i32") => Some((SqlType::Integer, None)),
        (LogicalName::Integer, "i64") => Some((SqlType::Bigint, None)),
        (LogicalName::Integer, "i128") => Some((
            wide(39),
            Some(("-170141183460469231731687303715884105728", "170141183460469231731687303715884105727")),
        )),
        (LogicalName::Integer, "u8") => Some((SqlType::Smallint, Some(("0", "255")))),
        (LogicalName::Integer, "u16") => Some((SqlType::Integer, Some(("0", "65535")))),
        (LogicalName::Integer, "u32") => Some((SqlType::Bigint, Some(("0", "4294967295")))),
        (LogicalName::Integer, "u64") => Some((wide(20), Some(("0", "18446744073709551615")))),
        (LogicalName::Integer, "u128") => {
            Some((wide(39), Some(("0", "340282366920938463463374607431768211455"))))
        }
        (LogicalName::Number, "f32" | "f64") => Some((SqlType::DoublePrecision, None)),
        _ => None,
    };
    found.ok_or_else(|| {
        let words = if name == LogicalName::Integer { &odcs::INTEGER_FORMATS } else { &odcs::NUMBER_FORMATS };
        at.report(errors, words.fault(text))
    })
}

/// Narrows the bounds of the contract to those of the format.
fn tighten(rules: &mut Rules, low: &str, high: &str) {
    let value = |text: &str| Decimal::parse(text).expect("bounds are decimals");
    let inclusive = |text: &str| Some(Bound { value: text.to_owned(), exclusive: false });
    if rules.minimum.as_ref().is_none_or(|minimum| value(&minimum.value) < value(low)) {
        rules.minimum = inclusive(low);
    }
    if rules.maximum.as_ref().is_none_or(|maximum| value(&maximum.value) > value(high)) {
        rules.maximum = inclusive(high);
    }
}
