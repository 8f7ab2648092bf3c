//! Conversion of rows of COPY text to CSV and NDJSON.
//!
//! A row is a line without its line feed: the contract's columns and the row number, separated by tabs. `\N` is a missing
//! value. Both functions append to `out` and return the digits of the row number.

use std::borrow::Cow;

use anyhow::{Context as _, Result, bail};
use memchr::memchr;
use penstock_contract::SqlType;

const DELIMITER: u8 = b'\t';
const NULL: &[u8] = b"\\N";

/// Appends the first `columns` fields as a CSV record, with the quotes that RFC 4180 requires. Missing values become
/// empty fields, because CSV cannot represent them.
pub(super) fn push_csv<'a>(columns: usize, line: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let start = out.len();
    let mut rest = line;
    for index in 0..columns {
        if index > 0 {
            out.push(b',');
        }
        // One search for both the end of the field and characters to convert: most fields have none of the latter.
        let stop = rest.iter().position(|byte| STOPS[usize::from(*byte)]).unwrap_or(rest.len());
        let (plain, behind) = rest.split_at(stop);
        if let Some((&DELIMITER, behind)) = behind.split_first() {
            out.extend_from_slice(plain);
            rest = behind;
        } else {
            let (field, behind) = split_field(rest);
            push_csv_field(field, stop, out);
            rest = behind;
        }
    }
    if out.len() == start {
        // Readers skip empty lines, so a record of one empty field needs quotes.
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
    rest
}

/// The bytes at which [`push_csv`] stops: the end of a field, and characters to convert.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    stops[DELIMITER as usize] = true;
    stops[b',' as usize] = true;
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops
};

/// Appends a field. Its first `plain` bytes are not in [`STOPS`].
fn push_csv_field(field: &[u8], plain: usize, out: &mut Vec<u8>) {
    if field == NULL {
        return;
    }
    let start = out.len();
    out.push(b'"');
    let mut needs_quotes = false;
    let (mut before, mut rest) = field.split_at(plain);
    loop {
        out.extend_from_slice(before);
        match rest {
            [b'\\', letter, behind @ ..] => {
                let character = unescape(*letter);
                needs_quotes |= matches!(character, b'\n' | b'\r' | b',' | b'"');
                out.push(character);
                rest = behind;
            }
            [b'"', behind @ ..] => {
                needs_quotes = true;
                out.extend_from_slice(b"\"\"");
                rest = behind;
            }
            [b',', behind @ ..] => {
                needs_quotes = true;
                out.push(b',');
                rest = behind;
            }
            [other, behind @ ..] => {
                out.push(*other);
                rest = behind;
            }
            [] => break,
        }
        let stop = rest.iter().position(|byte| STOPS[usize::from(*byte)]).unwrap_or(rest.len());
        (before, rest) = rest.split_at(stop);
    }
    if needs_quotes {
        out.push(b'"');
    } else {
        out.remove(start);
    }
}

/// A column of an NDJSON file.
pub(super) struct JsonColumn {
    /// The name as a JSON string with a colon, and a comma before all columns except the first.
    key: String,
    sql_type: SqlType,
}

impl JsonColumn {
    /// Returns the columns of a file.
    pub(super) fn all<'a>(columns: impl Iterator<Item = (&'a str, &'a SqlType)>) -> Result<Vec<Self>> {
        let columns = columns.enumerate().map(|(index, (name, sql_type))| {
            let comma = if index > 0 { "," } else { "" };
            let name = serde_json::to_string(name).context("writing a column's name")?;
            Ok(Self { key: format!("{comma}{name}:"), sql_type: sql_type.clone() })
        });
        columns.collect()
    }
}

/// Appends a line with a JSON object. Numbers and JSON documents are copied as text, so that no digit is lost.
pub(super) fn push_ndjson<'a>(columns: &[JsonColumn], line: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8]> {
    out.push(b'{');
    let mut rest = line;
    for column in columns {
        let (field, behind) = split_field(rest);
        out.extend_from_slice(column.key.as_bytes());
        push_json_value(&column.sql_type, field, out)?;
        rest = behind;
    }
    out.extend_from_slice(b"}\n");
    Ok(rest)
}

fn push_json_value(sql_type: &SqlType, field: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if field == NULL {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match sql_type {
        SqlType::Smallint | SqlType::Integer | SqlType::Bigint | SqlType::Numeric(_) => {
            out.extend_from_slice(field);
        }
        SqlType::DoublePrecision if is_finite(field) => out.extend_from_slice(field),
        SqlType::Jsonb => {
            // Line ends are allowed between JSON tokens only, where a space has the same meaning.
            let is_line_end = |byte: u8| matches!(byte, b'\n' | b'\r');
            out.extend(plain(field).iter().map(|byte| if is_line_end(*byte) { b' ' } else { *byte }));
        }
        SqlType::Boolean => out.extend_from_slice(match field {
            b"t" => b"true",
            b"f" => b"false",
            other => bail!("`{}` is not a boolean in COPY text", other.escape_ascii()),
        }),
        SqlType::DoublePrecision
        | SqlType::Text
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Uuid => {
            let text = plain(field);
            let text = std::str::from_utf8(&text).context("COPY text that is not UTF-8")?;
            serde_json::to_writer(out, text).context("writing a text")?;
        }
    }
    Ok(())
}

/// Returns whether a number can be represented in JSON, which has no `NaN` and no infinities.
fn is_finite(field: &[u8]) -> bool {
    let number = std::str::from_utf8(field).ok().and_then(|text| text.parse::<f64>().ok());
    number.is_some_and(f64::is_finite)
}

/// Returns the first field, and the rest after its delimiter.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr(DELIMITER, line) {
        Some(end) => (&line[..end], &line[end + 1..]),
        None => (line, &[]),
    }
}

/// Returns a field with its escapes resolved.
fn plain(field: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut text = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        let character = match byte {
            b'\\' => bytes.next().map_or(b'\\', |letter| unescape(*letter)),
            other => *other,
        };
        text.push(character);
    }
    Cow::Owned(text)
}

/// Returns the character of an escape sequence, given the letter after the backslash.
fn unescape(letter: u8) -> u8 {
    match letter {
        b't' => b'\t',
        b'n' => b'\n',
        b'r' => b'\r',
        b'b' => 0x08,
        b'v' => 0x0b,
        b'f' => 0x0c,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a row with the escapes of the engine.
    fn line(fields: &[Option<String>]) -> Vec<u8> {
        let mut line = String::new();
        for field in fields {
            match field {
                None => line.push_str("\\N"),
                Some(text) => line.extend(text.chars().map(|character| match character {
                    '\\' => "\\\\".to_owned(),
                    '\t' => "\\t".to_owned(),
                    '\n' => "\\n".to_owned(),
                    '\r' => "\\r".to_owned(),
                    '\u{8}' => "\\b".to_owned(),
                    '\u{b}' => "\\v".to_owned(),
                    '\u{c}' => "\\f".to_owned(),
                    other => other.to_string(),
                })),
            }
            line.push('\t');
        }
        (line + "42").into_bytes()
    }

    fn by_the_csv_crate(fields: &[Option<String>]) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(fields.iter().map(|field| field.as_deref().unwrap_or_default())).unwrap();
        writer.into_inner().unwrap()
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::of(prop_oneof![r#"[a-zN\\,"\t\n\r\x08\x0b\x0cä]{0,12}"#, "[a-z0-9 ]{0,40}", ".{0,8}"])
    }

    proptest! {
        #[test]
        fn a_record_equals_that_of_the_csv_crate(fields in prop::collection::vec(text(), 1..5)) {
            let line = line(&fields);
            let mut out = b"before".to_vec();
            prop_assert_eq!(push_csv(fields.len(), &line, &mut out), b"42");
            prop_assert_eq!(&out[6..], by_the_csv_crate(&fields));
        }

        #[test]
        fn an_object_is_parsed_to_the_same_texts(fields in prop::collection::vec(text(), 1..5)) {
            let names: Vec<String> = (0..fields.len()).map(|index| format!("\"{index}")).collect();
            let columns = JsonColumn::all(names.iter().map(|name| (name.as_str(), &SqlType::Text))).unwrap();
            let line = line(&fields);
            let mut out = Vec::new();
            prop_assert_eq!(push_ndjson(&columns, &line, &mut out).unwrap(), b"42");
            prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            let row: std::collections::BTreeMap<String, Option<String>> = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(row, names.into_iter().zip(fields).collect());
        }
    }

    #[test]
    fn only_a_single_empty_field_is_quoted() {
        for (fields, expected) in [
            (vec![None], "\"\"\n"),
            (vec![Some(String::new())], "\"\"\n"),
            (vec![None, None], ",\n"),
            (vec![Some("\\N".to_owned()), Some("a\\".to_owned())], "\\N,a\\\n"),
        ] {
            let mut out = Vec::new();
            push_csv(fields.len(), &line(&fields), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_are_converted_without_losing_a_digit() {
        let columns = [
            ("id", &SqlType::Bigint),
            ("price", &SqlType::Numeric(None)),
            ("is_new", &SqlType::Boolean),
            ("more", &SqlType::Jsonb),
            ("name", &SqlType::Text),
            ("size", &SqlType::DoublePrecision),
            ("width", &SqlType::DoublePrecision),
        ];
        let columns = JsonColumn::all(columns.into_iter()).unwrap();
        let line = b"7\t12345678901234567890.10\tt\t{\"a\":\\n\"b\\\\n\"}\ttab\\tand\\\\N\tNaN\t1e300\t42";
        let expected = r#"{"id":7,"price":12345678901234567890.10,"is_new":true,"more":{"a": "b\n"},"name":"tab\tand\\N","size":"NaN","width":1e300}"#;
        let mut out = Vec::new();
        assert_eq!(push_ndjson(&columns, line, &mut out).unwrap(), b"42");
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}\n"));
        let mut missing = Vec::new();
        push_ndjson(&columns[..2], b"\\N\t\\N\t1", &mut missing).unwrap();
        assert_eq!(missing, b"{\"id\":null,\"price\":null}\n");
        assert!(push_ndjson(&columns[2..3], b"true\t1", &mut missing).is_err());
    }
}
