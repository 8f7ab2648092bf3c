//! A canonical text of JSON values: equal values have equal texts.

use super::json::{Scanner, unquote};

/// Writes the canonical text of a well-formed value. Returns `None` if the value is not well-formed.
///
/// Numbers are written by value and strings without escapes. Objects are sorted by key, with the last value of a
/// repeated key, like in `jsonb`. The beginning of each text determines its length, so different sequences of values
/// have different texts.
pub(super) fn canonical(scanner: &mut Scanner<'_>, out: &mut String) -> Option<()> {
    match scanner.peek()? {
        b'{' => object(scanner, out),
        b'[' => array(scanner, out),
        b'"' => {
            let start = scanner.at;
            scanner.value()?;
            length_prefixed(&text(scanner.since(start))?, out);
            Some(())
        }
        letter @ (b't' | b'f' | b'n') => {
            out.push(char::from(letter));
            scanner.value()
        }
        _ => {
            let start = scanner.at;
            scanner.value()?;
            number(scanner.since(start), out);
            Some(())
        }
    }
}

fn object(scanner: &mut Scanner<'_>, out: &mut String) -> Option<()> {
    let from = out.len();
    let mut entries = Vec::new();
    scanner.list(b'{', b'}', |scanner| {
        let key = key(scanner)?;
        let start = out.len();
        canonical(scanner, out)?;
        entries.push((key, start..out.len()));
        Some(())
    })?;
    // A stable sort keeps the last of equal keys last.
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    let nexts = entries.iter().skip(1).map(|(key, _)| Some(key)).chain([None]);
    let mut ordered = String::from("{");
    for ((key, range), next) in entries.iter().zip(nexts) {
        if next != Some(key) {
            length_prefixed(key, &mut ordered);
            ordered.push_str(out.get(range.clone())?);
        }
    }
    out.truncate(from);
    out.push_str(&ordered);
    out.push('}');
    Some(())
}

fn array(scanner: &mut Scanner<'_>, out: &mut String) -> Option<()> {
    out.push('[');
    scanner.list(b'[', b']', |scanner| canonical(scanner, out))?;
    out.push(']');
    Some(())
}

fn key(scanner: &mut Scanner<'_>) -> Option<String> {
    let start = scanner.at;
    let range = scanner.key()?;
    // The range excludes the quotes.
    let length = range.end.checked_sub(start)?.checked_add(1)?;
    text(scanner.since(start).get(..length)?)
}

fn text(literal: &str) -> Option<String> {
    let mut scratch = String::new();
    unquote(literal, &mut scratch).map(str::to_owned)
}

/// Writes a text after its length.
fn length_prefixed(text: &str, out: &mut String) {
    out.push_str(&text.len().to_string());
    out.push(':');
    out.push_str(text);
}

/// Writes the digits without zeros at either end, and the power of ten.
fn number(literal: &str, out: &mut String) {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let (sign, digits) = mantissa.strip_prefix('-').map_or(("+", mantissa), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len().saturating_sub(significant.len());
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        out.push_str("+;");
        return;
    }
    let signed = |length: usize| i64::try_from(length).expect("a text in memory is shorter than 2^63 bytes");
    let exponent: i64 = exponent.parse().expect("the scanner rejects exponents beyond MAX_EXPONENT");
    let power = exponent.saturating_sub(signed(fraction.len())).saturating_add(signed(zeros));
    out.push_str(&format!("{sign}{significant}e{power};"));
}
