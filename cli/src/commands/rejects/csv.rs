//! Rejected rows as CSV for a spreadsheet: one line per reason, so that the lines can be filtered by code and column. A row
//! with several reasons has several lines.
//!
//! The raw row and the value that was found come from the file and are untrusted. A spreadsheet executes a cell that begins
//! with `=`, `+`, `-` or `@`, so such a cell is prefixed by an apostrophe, which spreadsheets do not show. `--json` prints
//! the values as they are.

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use csv::WriterBuilder;
use penstock_engine::Reject;

const HEADER: [&str; 9] = ["row", "line", "byte_offset", "rows", "code", "column", "rule", "found", "raw"];

/// Returns the header.
pub(super) fn header() -> Result<String> {
    text([HEADER.map(str::to_owned)])
}

/// Returns the lines of a reject.
pub(super) fn lines(reject: &Reject) -> Result<String> {
    let position =
        [reject.row, reject.line, reject.byte_offset, reject.rows].map(|number| number.to_string());
    let line = |code: String, column: &str, rule: &str, found: &str| {
        let [row, line, byte_offset, rows] = position.clone();
        let [column, rule, found, raw] =
            [column, rule, found, &reject.raw].map(|cell| safe(cell).into_owned());
        [row, line, byte_offset, rows, code, column, rule, found, raw]
    };
    text(reject.reasons.iter().map(|reason| {
        let (column, found) = (reason.column.as_deref(), reason.found.as_deref());
        line(reason.code.to_string(), column.unwrap_or_default(), &reason.rule, found.unwrap_or_default())
    }))
}

/// Prevents that a spreadsheet executes a cell. The prefix also marks a cell that begins with an apostrophe or a control
/// character, after which spreadsheets may find a formula.
fn safe(cell: &str) -> Cow<'_, str> {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\'' | '\t' | '\r' | '\n') => Cow::Owned(format!("'{cell}")),
        Some(_) | None => Cow::Borrowed(cell),
    }
}

fn text(lines: impl IntoIterator<Item = [String; HEADER.len()]>) -> Result<String> {
    let mut writer = WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    for line in lines {
        writer.write_record(line).context("writing CSV")?;
    }
    let bytes = writer.into_inner().context("writing CSV")?;
    String::from_utf8(bytes).context("writing CSV")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_a_line() {
        let reject = serde_json::json!({
            "row": 3, "line": 4, "byte_offset": 20, "raw": "=1+1,\"x\"",
            "reasons": [
                {"code": "not_an_integer", "column": "id", "rule": "integer", "found": "=1+1"},
                {"code": "too_few_fields", "rule": "3 fields"},
            ],
        });
        let reject: Reject = serde_json::from_value(reject).unwrap();
        assert_eq!(
            lines(&reject).unwrap(),
            "3,4,20,1,not_an_integer,id,integer,'=1+1,\"'=1+1,\"\"x\"\"\"\n\
             3,4,20,1,too_few_fields,,3 fields,,\"'=1+1,\"\"x\"\"\"\n"
        );
        assert_eq!(header().unwrap(), "row,line,byte_offset,rows,code,column,rule,found,raw\n");
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for (cell, expected) in [
            ("=A1", "'=A1"),
            ("@x", "'@x"),
            ("-1", "'-1"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(safe(cell), expected);
        }
    }
}
