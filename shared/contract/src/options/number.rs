//! The options of integers and numbers.

use super::{LogicalName, Options, bounds, plain};
use crate::at::At;
use crate::decimal::Decimal;
use crate::error::{Errors, Read, quoted};
use crate::model::{Bound, Rules, SqlType};
use crate::odcs;

/// Reads them.
pub(super) fn read(
    at: &At<'_>,
    name: LogicalName,
    boolean_exclusive: bool,
    errors: &mut Errors,
) -> Read<Options> {
    let mut options = plain(name);
    let implied = at.get("format").map(|format| number_format(&format, name, errors)).transpose();
    let bounds = bounds(at, boolean_exclusive, errors, |at, errors| {
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

fn multiple_of(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.number(errors)?;
    match Decimal::parse(text).filter(Decimal::is_positive) {
        Some(number) => Ok(number.to_string()),
        None => Err(at.report(errors, format!("{} must be above 0", quoted(text)))),
    }
}

type Range = (&'static str, &'static str);

/// The PostgreSQL type of a Rust number type, and the range where PostgreSQL's is wider.
fn number_format(at: &At<'_>, name: LogicalName, errors: &mut Errors) -> Read<(SqlType, Option<Range>)> {
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

/// The narrower of the bounds that stand in the contract and those of the format.
fn tighten(rules: &mut Rules, low: &str, high: &str) {
    let value = |bound: &Option<Bound>| bound.as_ref().and_then(|bound| Decimal::parse(&bound.value));
    let whole = |text: &str| Some(Bound { value: text.to_owned(), exclusive: false });
    if value(&rules.minimum).is_none_or(|minimum| Decimal::parse(low).is_some_and(|low| minimum < low)) {
        rules.minimum = whole(low);
    }
    if value(&rules.maximum).is_none_or(|maximum| Decimal::parse(high).is_some_and(|high| maximum > high)) {
        rules.maximum = whole(high);
    }
}
