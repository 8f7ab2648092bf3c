//! Describes the files of a contract in words.

use super::words::list;
use crate::model::{
    BlankRows, Compression, Contract, DelimitedDialect, EmptyFile, Format, FormatKind, HeaderCase,
    MissingColumns, Overwrite, Quote, Ragged, RepeatedHeaders, UnexpectedColumns,
};

/// Returns a sentence for each part of the format, and for the treatment of irregular files.
pub(super) fn files(contract: &Contract) -> Vec<String> {
    let Format { kind, encoding, compression, null_values, header_case, empty_file } = &contract.format;
    let mut files = vec![self::kind(kind)];
    if let FormatKind::Delimited(dialect) = kind {
        delimited(dialect, &mut files);
    }
    match encoding {
        Some(label) => files.push(format!("the encoding is {label}")),
        None if kind.has_types() => {}
        None => files.push("the encoding is detected from the file".to_owned()),
    }
    if *kind != FormatKind::Parquet {
        files.push(match compression {
            None => "the compression is detected from the file".to_owned(),
            Some(Compression::Plain) => "a compressed file is refused".to_owned(),
            Some(Compression::Gzip) => "the compression is gzip".to_owned(),
            Some(Compression::Zstd) => "the compression is zstd".to_owned(),
            Some(Compression::Bzip2) => "the compression is bzip2".to_owned(),
            Some(Compression::Xz) => "the compression is xz".to_owned(),
            Some(Compression::Zip) => "the file is a zip archive with one member".to_owned(),
        });
    }
    if !null_values.is_empty() {
        files.push(format!("a value is missing when it is empty or {}", list(null_values)));
    }
    if *header_case == HeaderCase::Insensitive {
        files.push("column names are compared without regard to letter case".to_owned());
    }
    files.extend(empty_file.map(|empty_file| match empty_file {
        EmptyFile::Accept => "a file without rows is loaded, even if it has 0 bytes".to_owned(),
        EmptyFile::Refuse => "a file without rows is refused, even if it has a header".to_owned(),
    }));
    // Without a header, a file has exactly the columns of the contract.
    let has_names = !matches!(kind, FormatKind::Delimited(DelimitedDialect { header: Some(false), .. }));
    let missing = match contract.missing_columns {
        MissingColumns::Refuse => "a file that lacks a column of the contract is refused".to_owned(),
        MissingColumns::Null => "a column that the file lacks has no values".to_owned(),
    };
    let unexpected = match contract.unexpected_columns {
        UnexpectedColumns::Rescue => "values of other columns are stored in `_rescued`".to_owned(),
        UnexpectedColumns::Ignore => "values of other columns are ignored".to_owned(),
        UnexpectedColumns::Reject => "a row with a value in another column is rejected".to_owned(),
    };
    files.extend([missing, unexpected].into_iter().filter(|_| has_names));
    files.push(match contract.overwrite {
        Overwrite::Add => "a file that overwrites another is loaded like any other".to_owned(),
        Overwrite::Replace => "a file that overwrites another replaces its rows".to_owned(),
        Overwrite::Keep => "a file that overwrites another is not read".to_owned(),
    });
    files
}

fn kind(kind: &FormatKind) -> String {
    match kind {
        FormatKind::Delimited(_) => "delimited text".to_owned(),
        FormatKind::Ndjson => "JSON, one object per line".to_owned(),
        FormatKind::JsonArray { path } if path.is_empty() => {
            "one JSON document, an array of objects".to_owned()
        }
        FormatKind::JsonArray { path } => {
            format!("one JSON document with an array of objects at `$.{}`", path.join("."))
        }
        FormatKind::Parquet => "Apache Parquet".to_owned(),
        FormatKind::Avro => "Avro object container files".to_owned(),
        FormatKind::Detected { json_only: true } => {
            "JSON, an array of objects or one object per line: detected from the file".to_owned()
        }
        FormatKind::Detected { json_only: false } => {
            "the format is detected from the file: Parquet, Avro, JSON or delimited text".to_owned()
        }
    }
}

fn delimited(dialect: &DelimitedDialect, files: &mut Vec<String>) {
    let DelimitedDialect {
        delimiter,
        // `quoting` describes these.
        quote: _,
        escape: _,
        skip_initial_space: _,
        header,
        // `header_lines` describes these.
        header_rows: _,
        skip_lines: _,
        comment,
        ragged,
        blank_rows,
        repeated_headers,
    } = dialect;
    files.push(match delimiter.as_deref() {
        None => "the delimiter is detected from the file".to_owned(),
        Some("\t") => "fields are separated by tabs".to_owned(),
        Some(delimiter) => format!("fields are separated by `{delimiter}`"),
    });
    quoting(dialect, files);
    header_lines(dialect, files);
    files.extend(comment.as_ref().map(|comment| format!("lines that begin with `{comment}` are skipped")));
    let width = if *header == Some(false) { "there are columns" } else { "the header" };
    files.push(match ragged {
        Ragged::Reject => format!("a row with fewer or more fields than {width} is rejected"),
        Ragged::Pad => format!("the fields that a row lacks have no value; a row with more fields than {width} is rejected"),
        Ragged::Truncate => format!("surplus fields of a row are dropped; a row with fewer fields than {width} is rejected"),
        Ragged::Rescue => {
            format!("surplus fields of a row are stored in `_rescued`; a row with fewer fields than {width} is rejected")
        }
    });
    files.push(match blank_rows {
        BlankRows::Skip => "a row whose fields are all empty is skipped".to_owned(),
        BlankRows::Reject => "a row whose fields are all empty is rejected".to_owned(),
    });
    if *header != Some(false) {
        files.push(match repeated_headers {
            RepeatedHeaders::Skip => "a record that repeats the header is skipped".to_owned(),
            RepeatedHeaders::Keep => "a record that repeats the header is a row".to_owned(),
        });
    }
}

fn quoting(dialect: &DelimitedDialect, files: &mut Vec<String>) {
    let DelimitedDialect { quote, escape, skip_initial_space, .. } = dialect;
    files.push(match quote {
        None => "the quote is detected from the file".to_owned(),
        Some(Quote::None) => "quotes are ordinary characters".to_owned(),
        Some(Quote::Byte(quote)) => format!("fields may be enclosed in `{}`", char::from(*quote)),
    });
    if *quote != Some(Quote::None) {
        files.push(match escape {
            None => "how a quote inside a quoted field is escaped is detected from the file".to_owned(),
            Some(escape) if *quote == Some(Quote::Byte(*escape)) => {
                "a quote inside a quoted field is doubled".to_owned()
            }
            Some(escape) => {
                format!("`{}` before a quote makes it an ordinary character", char::from(*escape))
            }
        });
        files.push(match skip_initial_space {
            None => "whether white space next to delimiters is skipped is detected from the file".to_owned(),
            Some(true) => "white space after delimiters and around quoted fields is skipped".to_owned(),
            Some(false) => "white space next to delimiters belongs to the fields".to_owned(),
        });
    }
}

fn header_lines(dialect: &DelimitedDialect, files: &mut Vec<String>) {
    let DelimitedDialect { header, header_rows, skip_lines, .. } = dialect;
    let rows = header_rows.filter(|rows| *rows > 1);
    files.push(match (header, rows) {
        (None, None) => "whether the first record names the columns is detected from the file".to_owned(),
        (Some(false), _) => "the file has no header: its fields are in the order of the columns".to_owned(),
        (Some(true), None) => "the first record names the columns".to_owned(),
        (None | Some(true), Some(rows)) => format!("the first {rows} records name the columns together"),
    });
    match (skip_lines, header) {
        (Some(0), _) | (None, Some(false)) => {}
        (None, _) => files
            .push("lines before the header are skipped: their number is detected from the file".to_owned()),
        (Some(1), _) => files.push("the first line is skipped".to_owned()),
        (Some(lines), _) => files.push(format!("the first {lines} lines are skipped")),
    }
}
