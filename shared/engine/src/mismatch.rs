//! Detection of text files whose layout is not the declared one: JSON instead of delimited text, JSON lines instead of
//! an array, or delimited text instead of JSON.
//!
//! Every row of such a file would be rejected, or the header would lack every column. Instead, the file is refused with
//! a message that says how to correct the contract.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use crate::error::{ReadError, UnreadableCode};
use crate::format::TextFormat;
use crate::program::PlanColumn;

/// The layout of JSON in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonLayout {
    /// One object per line; `is_one`: the file has one line.
    Lines { is_one: bool },
    /// An array of objects.
    Array,
    /// An object of several lines.
    Document,
}

/// Refuses a file whose layout is not the declared one. `head`: the first bytes of the text; `is_whole`: they are the
/// whole text.
///
/// # Errors
/// Returns an error that names the actual layout and how to declare it.
pub(crate) fn check_layout(
    format: TextFormat<'_>,
    columns: &[PlanColumn],
    head: &[u8],
    is_whole: bool,
) -> Result<(), ReadError> {
    let Some(layout) = layout_of(head, is_whole) else { return check_table(format, head) };
    let declared = match format {
        TextFormat::Delimited(dialect) => {
            // A table without a header may have a single column of JSON documents.
            let is_one = columns.iter().filter(|column| !column.reads_nothing()).count() == 1;
            if is_one && dialect.header != Some(true) {
                return Ok(());
            }
            "delimited text"
        }
        TextFormat::Ndjson => match layout {
            JsonLayout::Lines { .. } => return Ok(()),
            JsonLayout::Array | JsonLayout::Document => "one JSON object per line",
        },
        TextFormat::JsonArray { path } => match layout {
            JsonLayout::Lines { is_one: false } if path.is_empty() => "an array of JSON objects",
            JsonLayout::Lines { .. } | JsonLayout::Array | JsonLayout::Document => return Ok(()),
        },
    };
    let (actual, declaration) = match layout {
        JsonLayout::Lines { .. } => {
            ("JSON with one object per line", "`format: json` with `delimiter: new_line`")
        }
        JsonLayout::Array => ("a JSON array", "`format: json` with `delimiter: array`"),
        JsonLayout::Document => (
            "a JSON document of several lines",
            "`format: json` with `delimiter: array`, and `penstock.path` if the array is inside an object",
        ),
    };
    let message =
        format!("the file is {actual} instead of {declared}: declare {declaration}, or deliver {declared}");
    Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message })
}

/// Refuses delimited text if the contract declares JSON.
fn check_table(format: TextFormat<'_>, head: &[u8]) -> Result<(), ReadError> {
    let declared = match format {
        TextFormat::Ndjson => "one JSON object per line",
        TextFormat::JsonArray { .. } => "an array of JSON objects",
        TextFormat::Delimited(_) => return Ok(()),
    };
    if !is_table(head) {
        return Ok(());
    }
    let message = format!(
        "the file is delimited text instead of {declared}: declare `format: csv`, or deliver {declared}"
    );
    Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message })
}

/// Returns whether the first lines have the same number of a delimiter and do not begin like JSON.
fn is_table(head: &[u8]) -> bool {
    const LINES: usize = 5;
    let lines: Vec<&[u8]> = head
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(LINES)
        .collect();
    // The last line may be incomplete.
    let complete = lines.len().saturating_sub(1).max(1);
    let is_json = |line: &&[u8]| matches!(*line, [b'{' | b'[' | b']' | b'}', ..]);
    let count = |line: &[u8], delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    let is_alike = |delimiter: &u8| {
        let mut counts = lines.iter().take(complete).map(|line| count(line, *delimiter));
        counts.next().is_some_and(|first| first > 0 && counts.all(|other| other == first))
    };
    !lines.is_empty() && !lines.iter().any(is_json) && b",;\t|".iter().any(is_alike)
}

/// Returns the layout of JSON text; `None` if the text is not JSON or its layout is ambiguous.
fn layout_of(head: &[u8], is_whole: bool) -> Option<JsonLayout> {
    let text = head.trim_ascii_start();
    let (first, inside) = text.split_first()?;
    let second = inside.trim_ascii_start().first()?;
    if !matches!((first, second), (b'[', b'{') | (b'{', b'"' | b'}')) {
        return None;
    }
    let mut values = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let end = match values.next()? {
        Ok(_) => values.byte_offset(),
        // The value continues after the head. If the text is complete, it is truncated JSON whose first rows can be
        // read.
        Err(error) if error.is_eof() && !is_whole => text.len(),
        Err(_) => return None,
    };
    let (value, rest) = text.split_at_checked(end)?;
    let next = rest.trim_ascii_start().first();
    if *first == b'[' {
        // Another array may follow: the concatenated pages of an API.
        return matches!(next, None | Some(b'[')).then_some(JsonLayout::Array);
    }
    if value.contains(&b'\n') {
        return Some(JsonLayout::Document);
    }
    let is_line = rest.is_empty() || trim_blanks(rest).starts_with(b"\n");
    match next {
        None => is_line.then_some(JsonLayout::Lines { is_one: true }),
        Some(b'{') => is_line.then_some(JsonLayout::Lines { is_one: false }),
        Some(_) => None,
    }
}

/// Returns the bytes without leading blanks, tabs and carriage returns.
fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    let (_, trimmed) = bytes.split_at(start.unwrap_or(bytes.len()));
    trimmed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimited_text_has_lines_with_the_same_number_of_a_delimiter() {
        for head in
            ["id,name\n1,a\n", "id;name\r\n1;a\r\n2;b", "id\tname", "\"id\",\"name\"\n\n1,x\n", "a|b\n1|2\n3"]
        {
            assert!(is_table(head.as_bytes()), "{head}");
        }
        for head in [
            "",
            "x",
            "{\"a\":1,\"b\":2}\n{\"a\":1,\"b\":2}\n",
            "[1,2]\n[3,4]\n",
            "word, word\nno\nx\n",
            "1\n2\n",
        ] {
            assert!(!is_table(head.as_bytes()), "{head}");
        }
    }

    #[test]
    fn the_layout_of_json_is_detected_by_its_first_value() {
        let lines = |is_one| Some(JsonLayout::Lines { is_one });
        for (head, is_whole, layout) in [
            ("{\"id\":1}\n{\"id\":2}\n", true, lines(false)),
            ("{\"id\":1} \r\n{\"id\":2}", true, lines(false)),
            ("{\"id\":1}\n", true, lines(true)),
            ("{}", true, lines(true)),
            (" \n{\"id\":1}", true, lines(true)),
            ("{\"id\":1},2\n", true, None),
            ("{\"id\":1}\tx\n", true, None),
            ("{\"id\":1}\n5\n", true, None),
            ("{\n  \"id\": 1\n}\n", true, Some(JsonLayout::Document)),
            ("{\n  \"data\": [", false, Some(JsonLayout::Document)),
            ("{\n  \"data\": [", true, None),
            ("[{\"id\":1}]", true, Some(JsonLayout::Array)),
            ("[\n {\"id\":1},", false, Some(JsonLayout::Array)),
            ("[{\"id\":1}]\n{\"id\":1}\n", true, None),
            ("[{\"id\":1}]\n[{\"id\":1}]\n", true, Some(JsonLayout::Array)),
            ("[{\"id\":1}][{\"id\":1}", false, Some(JsonLayout::Array)),
            ("[{\"id\":1}],[{\"id\":1}]\n", true, None),
            ("[id],[name]\n", true, None),
            ("{id},{name}\n", true, None),
            ("\"id\",\"name\"\n", true, None),
            ("id,name\n", true, None),
            ("", true, None),
        ] {
            assert_eq!(layout_of(head.as_bytes(), is_whole), layout, "{head}");
        }
    }
}
