//! Output for people: receipts, tables, progress.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use penstock_engine::{Dialect, FileFormat, ReasonCount};
use penstock_pipeline::{Receipt, Refusal};

/// The maximum number of reasons that are printed.
const MAX_REASONS: usize = 20;
/// The maximum number of characters of a refusal in a table.
const MAX_REFUSAL_CHARS: usize = 100;

/// Returns a receipt as text, one fact per line.
pub(crate) fn receipt(receipt: &Receipt) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<9} {value}");
    };
    line("batch", format!("{}  {}", receipt.batch_id, receipt.state.as_str()));
    line("drop", format!("s3://{}/{}", receipt.drop.bucket, receipt.drop.key));
    if let Some(version) = &receipt.contract_version {
        line("contract", format!("{} {version}", receipt.source));
    }
    if let Some(refusal) = &receipt.refusal {
        line("reason", self::refusal(refusal));
    }
    if let Some(waits_for) = &receipt.waits_for {
        line("waits for", format!("batch {}: {}", waits_for.batch_id, waits_for.message));
    }
    if let Some(chunks) = receipt.chunks.filter(|chunks| chunks.applied < chunks.total) {
        line(
            "chunks",
            format!("{} of {} applied", number(chunks.applied.into()), number(chunks.total.into())),
        );
    }
    for chunk in &receipt.missing {
        line("missing", format!("chunk {}, {} rows: {}", chunk.chunk, number(chunk.rows), chunk.code));
    }
    let rows = &receipt.rows;
    line(
        "rows",
        format!(
            "{} read = {} loaded + {} rejected + {} deduplicated + {} superseded{}",
            number(rows.read),
            number(rows.loaded),
            number(rows.rejected),
            number(rows.deduplicated),
            number(rows.superseded),
            blank(rows.blank),
        ),
    );
    if rows.repeated_headers > 0 {
        line("headers", repeated_headers(rows.repeated_headers));
    }
    for newer in &receipt.superseded_by {
        line("superseded", format!("{} rows by rows of batch {}", number(newer.rows), newer.batch_id));
    }
    for earlier in &receipt.replaced {
        line("replaces", format!("{}, {} rows of which are deleted", earlier.batch_id, number(earlier.rows)));
    }
    if let Some(later) = receipt.replaced_by {
        line("replaced", format!("by batch {later}"));
    }
    if let Some(dialect) = &receipt.dialect {
        line("read as", self::dialect(dialect));
        dialect.suggestions.iter().for_each(|suggestion| line("note", suggestion.clone()));
    }
    let steps = receipt.seconds.iter().map(|(step, seconds)| format!("{step} {seconds:.3}"));
    line("seconds", steps.collect::<Vec<_>>().join(" · "));
    if !receipt.rejects_by_reason.is_empty() {
        text.push_str(&reasons(&receipt.rejects_by_reason));
    }
    for file in &receipt.rejects {
        let _ = writeln!(text, "rejects   {file}");
    }
    text
}

/// Returns a refusal as one line: its code, its reason if it has one, and its message.
pub(crate) fn refusal(refusal: &Refusal) -> String {
    format!("{}: {}", refusal_code(refusal), refusal.message)
}

/// Returns a refusal as a cell of a table: its code, its reason if it has one, and the beginning of its message.
pub(crate) fn short_refusal(refusal: &Refusal) -> String {
    short_text(&self::refusal(refusal))
}

/// Returns a text as a cell of a table: on one line, without its end if it is long.
pub(crate) fn short_text(text: &str) -> String {
    let text: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    if text.chars().count() <= MAX_REFUSAL_CHARS {
        return text;
    }
    let mut short: String = text.chars().take(MAX_REFUSAL_CHARS - 1).collect();
    short.push('…');
    short
}

/// Returns the code of a refusal, with its reason if it has one.
pub(crate) fn refusal_code(Refusal { code, reason, .. }: &Refusal) -> String {
    reason.as_ref().map_or_else(|| code.to_string(), |reason| format!("{code} ({reason})"))
}

/// Returns the blank rows as a term of a sum, an empty text if there are none.
pub(crate) fn blank(rows: u64) -> String {
    if rows == 0 { String::new() } else { format!(" + {} blank", number(rows)) }
}

/// Returns a line about skipped records that repeat the header.
pub(crate) fn repeated_headers(records: u64) -> String {
    format!("{} records repeat the header and were skipped", number(records))
}

/// Returns the reject counts, one reason per line.
pub(crate) fn reasons(reasons: &[ReasonCount]) -> String {
    let mut text = String::new();
    for ReasonCount { code, column, rows } in reasons.iter().take(MAX_REASONS) {
        let column = column.as_deref().unwrap_or("(record)");
        let _ = writeln!(text, "{:>9} {column:<16} {code}", number(*rows));
    }
    if let Some(more) = reasons.len().checked_sub(MAX_REASONS).filter(|more| *more > 0) {
        let _ = writeln!(text, "          and {more} more reasons");
    }
    text
}

/// Returns a dialect as one line. Assumed properties are marked.
pub(crate) fn dialect(dialect: &Dialect) -> String {
    let compression = serde_json::to_value(dialect.compression).expect("a compression is a JSON string");
    let mut parts = vec![
        ("format", dialect.format.map_or("unknown", FileFormat::name).to_owned()),
        ("encoding", dialect.encoding.clone()),
        ("compression", compression.as_str().expect("a compression is a JSON string").to_owned()),
    ];
    if dialect.format == Some(FileFormat::Delimited) {
        let delimiter = dialect.delimiter.as_ref().map(|text| format!("{text:?}"));
        parts.push(("delimiter", delimiter.unwrap_or_else(|| "none".to_owned())));
        parts.push(("quote", dialect.quote.map_or("none".to_owned(), |quote| format!("{quote:?}"))));
        if let Some(escape) = dialect.escape {
            parts.push(("escape", format!("{escape:?}")));
        }
        if dialect.skip_initial_space == Some(true) {
            parts.push(("skip_initial_space", "true".to_owned()));
        }
        parts.push(("header", dialect.header.map_or("?".to_owned(), |yes| yes.to_string())));
        if let Some(rows) = dialect.header_rows {
            parts.push(("header_rows", rows.to_string()));
        }
        if let Some(lines) = dialect.skip_lines {
            parts.push(("skip_lines", lines.to_string()));
        }
        if dialect.sep_line {
            parts.push(("sep_line", "true".to_owned()));
        }
    }
    let assumed = |name: &str| dialect.assumed.iter().any(|part| part == name);
    let describe = |(name, value): &(&str, String)| {
        format!("{name} {value}{}", if assumed(name) { " (assumed)" } else { "" })
    };
    parts.iter().map(describe).collect::<Vec<_>>().join(", ")
}

/// Returns a number with thousands separators.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a table with aligned columns.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let heading: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&heading).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

/// Prints what a command does before it does it: to standard error if the output is JSON.
pub(crate) fn explain(json: bool, dry_run: bool, text: &str) {
    let text = if dry_run {
        format!("without --dry-run, this command {text}")
    } else {
        format!("this command {text}")
    };
    if json { errln!("penstock: {text}") } else { outln!("{text}") }
}

/// Returns a spinner, which is shown only on a terminal.
pub(crate) fn spinner(message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    let spinner = ProgressBar::new_spinner().with_style(style.expect("the template is well-formed"));
    spinner.set_message(message);
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_thousands_separators() {
        let texts = [0, 999, 1000, 1_234_567].map(number);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_long_refusal_is_shortened_in_a_table() {
        let refusal = |message: &str| {
            short_refusal(&Refusal::new(penstock_pipeline::RefusalCode::Empty, message.to_owned()))
        };
        assert_eq!(refusal("no\nbytes"), "empty: no bytes");
        assert_eq!(refusal(&"ä".repeat(93)), format!("empty: {}", "ä".repeat(93)));
        assert_eq!(refusal(&"ä".repeat(94)), format!("empty: {}…", "ä".repeat(92)));
    }

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let rows = [vec!["größer".to_owned(), "1".to_owned()], vec!["a".to_owned(), "22".to_owned()]];
        assert_eq!(table(&["name", "n"], &rows), "name    n\ngrößer  1\na       22\n");
    }
}
