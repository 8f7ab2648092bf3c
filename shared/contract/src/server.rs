//! Reads the first of the `servers` of type `s3` into the [`Format`] of the files.

use crate::custom;
use crate::error::{Errors, ReadResult, quoted, suggestion};
use crate::model::{
    BlankRows, Compression, DelimitedDialect, EmptyFile, Format, FormatKind, HeaderCase, Quote, Ragged,
    RepeatedHeaders,
};
use crate::node_ref::NodeRef;

const FORMATS: [&str; 7] = ["csv", "tsv", "delimited", "json", "ndjson", "parquet", "avro"];
/// Custom properties that apply to delimited files only.
const DELIMITED_ONLY: [&str; 11] = [
    "penstock.delimiter",
    "penstock.quote",
    "penstock.escape",
    "penstock.skipInitialSpace",
    "penstock.header",
    "penstock.headerRows",
    "penstock.skipLines",
    "penstock.comment",
    "penstock.ragged",
    "penstock.blankRows",
    "penstock.repeatedHeaders",
];
const HEADER_CASE: &str = "penstock.headerCase";
const PATH: &str = "penstock.path";
const MAX_DELIMITER_BYTES: usize = 16;

/// Reads the format that the first server of type `s3` declares. Without such a server, the format of each file is
/// detected.
pub(crate) fn read(contract: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Format> {
    let servers = match contract.get("servers") {
        Some(servers) => servers.items(errors)?,
        None => Vec::new(),
    };
    let is_s3 = |server: &NodeRef<'_>| {
        server.get("type").is_some_and(|kind| kind.str(&mut Errors::default()) == Ok("s3"))
    };
    let ours = servers.iter().position(is_s3);
    for (index, server) in servers.iter().enumerate() {
        if Some(index) != ours {
            unused(server, errors);
        }
    }
    match ours.and_then(|index| servers.get(index)) {
        Some(server) => format(server, errors),
        None => Ok(Format {
            kind: FormatKind::Detected { json_only: false },
            encoding: None,
            compression: None,
            null_values: Vec::new(),
            header_case: HeaderCase::default(),
            empty_file: None,
        }),
    }
}

/// Notes a server that is ignored, and reports properties that Penstock would read only from the first server of type
/// `s3`.
fn unused(server: &NodeRef<'_>, errors: &mut Errors) {
    server.note(errors, "is ignored: the first server of type `s3` describes the files");
    for row in custom::CUSTOM_PROPERTIES.iter().filter(|row| row.level == custom::Level::Server) {
        if let Some(at) = custom::find(server, row.name) {
            let message =
                format!("`{}` has no effect here; set it at the first server of type `s3`", row.name);
            at.report(errors, message);
        }
    }
}

fn format(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Format> {
    let location = location(server, errors);
    let kind = format_kind(server, errors);
    let encoding = custom::find(server, "penstock.encoding").map(|at| encoding(&at, errors)).transpose();
    let compression =
        custom::find(server, "penstock.compression").map(|at| compression(&at, errors)).transpose();
    let null_values =
        custom::find(server, "penstock.nullValues").map_or(Ok(Vec::new()), |at| at.strings(errors));
    let empty_files = [("accept", EmptyFile::Accept), ("refuse", EmptyFile::Refuse)];
    let empty_file = custom::find(server, "penstock.emptyFile")
        .map(|at| at.choice("a value of `penstock.emptyFile`", &empty_files, errors))
        .transpose();
    let kind = kind.and_then(|kind| Ok((header_case(server, &kind, errors)?, kind)));
    location?;
    let (header_case, kind) = kind?;
    Ok(Format {
        kind,
        encoding: encoding?,
        compression: compression?,
        null_values: null_values?,
        header_case,
        empty_file: empty_file?,
    })
}

fn encoding(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let label = at.text(errors)?.trim();
    if encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).is_none() {
        let message = format!(
            "`{label}` is not an encoding of the WHATWG standard, such as `utf-8`, `utf-16le`, `windows-1252` or `shift_jis`"
        );
        return Err(at.report(errors, message));
    }
    Ok(label.to_owned())
}

/// Reads how column names are compared. It applies only to files with named columns.
fn header_case(server: &NodeRef<'_>, kind: &FormatKind, errors: &mut Errors) -> ReadResult<HeaderCase> {
    let Some(at) = custom::find(server, HEADER_CASE) else { return Ok(HeaderCase::default()) };
    let message = match kind {
        FormatKind::Delimited(DelimitedDialect { header: Some(false), .. }) => {
            "has no effect with `penstock.header: false`"
        }
        FormatKind::Ndjson | FormatKind::JsonArray { .. } | FormatKind::Detected { json_only: true } => {
            "has no effect on JSON, whose keys are always case-sensitive"
        }
        FormatKind::Delimited(_)
        | FormatKind::Parquet
        | FormatKind::Avro
        | FormatKind::Detected { json_only: false } => {
            let cases = [("sensitive", HeaderCase::Sensitive), ("insensitive", HeaderCase::Insensitive)];
            return at.choice("a value of `penstock.headerCase`", &cases, errors);
        }
    };
    Err(at.report(errors, message))
}

fn location(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<()> {
    let at = server.require("location", errors)?;
    let text = at.text(errors)?;
    if text.starts_with("s3://") {
        Ok(())
    } else {
        Err(at.needs(errors, format!("{} does not begin with `s3://`", quoted(text))))
    }
}

fn format_kind(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<FormatKind> {
    let Some(format) = server.get("format") else { return undeclared(server, errors) };
    let text = format.str(errors)?;
    match text.to_ascii_lowercase().as_str() {
        "csv" | "delimited" => delimited(server, None, errors),
        "tsv" => delimited(server, Some("\t"), errors),
        "ndjson" | "jsonl" => ndjson(server, errors),
        "parquet" => typed(server, FormatKind::Parquet, errors),
        "avro" => typed(server, FormatKind::Avro, errors),
        "json" => json(server, errors),
        _ => {
            let message =
                format!("{} is not a supported file format{}", quoted(text), suggestion(text, &FORMATS));
            Err(format.needs(errors, message))
        }
    }
}

/// Derives the format from the other properties. Without any, the format of each file is detected.
fn undeclared(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<FormatKind> {
    if DELIMITED_ONLY.iter().any(|name| custom::find(server, name).is_some()) {
        delimited(server, None, errors)
    } else if custom::find(server, PATH).is_some() || server.get("delimiter").is_some() {
        json(server, errors)
    } else {
        Ok(FormatKind::Detected { json_only: false })
    }
}

fn json(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<FormatKind> {
    let Some(delimiter) = server.get("delimiter") else {
        if custom::find(server, PATH).is_some() {
            return json_array(server, errors);
        }
        return not_delimited(server, errors).map(|()| FormatKind::Detected { json_only: true });
    };
    match delimiter.str(errors)? {
        "new_line" => ndjson(server, errors),
        "array" => json_array(server, errors),
        other => Err(delimiter.needs(
            errors,
            format!("{} is not a delimiter of JSON documents; write `new_line` or `array`", quoted(other)),
        )),
    }
}

/// Reads the path of the array: `$` is the document, `$.data.items` a key of a key of it.
fn json_array(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<FormatKind> {
    let other = not_delimited(server, errors);
    let path = match custom::find(server, PATH) {
        None => Vec::new(),
        Some(at) => {
            let text = at.str(errors)?;
            let keys: Option<Vec<String>> = match text.strip_prefix('$') {
                Some("") => Some(Vec::new()),
                Some(keys) => keys.strip_prefix('.').map(|keys| keys.split('.').map(str::to_owned).collect()),
                None => None,
            };
            let is_whole = |keys: &Vec<String>| !keys.iter().any(|key| key.is_empty() || key.contains('['));
            keys.filter(is_whole).ok_or_else(|| {
                let message = format!("{} is not a path of keys such as `$.data.items`", quoted(text));
                at.report(errors, message)
            })?
        }
    };
    other.map(|()| FormatKind::JsonArray { path })
}

fn ndjson(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<FormatKind> {
    let other = not_delimited(server, errors);
    not_an_array(server, errors)?;
    other.map(|()| FormatKind::Ndjson)
}

/// Checks a format that defines its columns and its encoding itself.
fn typed(server: &NodeRef<'_>, kind: FormatKind, errors: &mut Errors) -> ReadResult<FormatKind> {
    let mut outcome = not_delimited(server, errors).and(not_an_array(server, errors));
    if let Some(at) = custom::find(server, "penstock.encoding") {
        outcome = Err(at.report(
            errors,
            "`penstock.encoding` applies to text only: this format defines its own encoding",
        ));
    }
    let compression = custom::find(server, "penstock.compression");
    if let Some(at) = compression.filter(|_| kind == FormatKind::Parquet) {
        let message =
            "`penstock.compression` does not apply to Parquet, which is compressed internally: remove it";
        outcome = Err(at.report(errors, message));
    }
    outcome.map(|()| kind)
}

fn not_an_array(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<()> {
    match custom::find(server, PATH) {
        None => Ok(()),
        Some(at) => {
            Err(at.report(errors, "`penstock.path` applies only to `format: json` with `delimiter: array`"))
        }
    }
}

fn not_delimited(server: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<()> {
    let mut outcome = Ok(());
    for name in DELIMITED_ONLY {
        if let Some(at) = custom::find(server, name) {
            outcome =
                Err(at.report(errors, format!("`{name}` applies to delimited files only (`format: csv`)")));
        }
    }
    outcome
}

fn delimited(server: &NodeRef<'_>, delimiter: Option<&str>, errors: &mut Errors) -> ReadResult<FormatKind> {
    if let Some(at) = server.get("delimiter") {
        let message = "in ODCS this key applies to JSON only; write the field delimiter as the custom property `penstock.delimiter`";
        return Err(at.needs(errors, message));
    }
    not_an_array(server, errors)?;
    let find = |name: &str| custom::find(server, name);
    let declared = find("penstock.delimiter").map(|at| field_delimiter(&at, errors)).transpose();
    let quote = find("penstock.quote").map(|at| quote(&at, errors)).transpose();
    let escape = find("penstock.escape").map(|at| ascii(&at, errors)).transpose();
    let skip_initial_space = find("penstock.skipInitialSpace").map(|at| at.bool(errors)).transpose();
    let header = find("penstock.header").map(|at| at.bool(errors)).transpose();
    let header_rows = find("penstock.headerRows").map(|at| count(&at, 1, errors)).transpose();
    let skip_lines = find("penstock.skipLines").map(|at| count(&at, 0, errors)).transpose();
    let comment = find("penstock.comment").map(|at| line_start(&at, errors)).transpose();
    let ragged = find("penstock.ragged").map_or(Ok(Ragged::default()), |at| ragged(&at, errors));
    let blank_rows = [("skip", BlankRows::Skip), ("reject", BlankRows::Reject)];
    let blank_rows = find("penstock.blankRows").map_or(Ok(BlankRows::default()), |at| {
        at.choice("a value of `penstock.blankRows`", &blank_rows, errors)
    });
    let repeated = [("skip", RepeatedHeaders::Skip), ("keep", RepeatedHeaders::Keep)];
    let repeated_headers = find("penstock.repeatedHeaders").map_or(Ok(RepeatedHeaders::default()), |at| {
        at.choice("a value of `penstock.repeatedHeaders`", &repeated, errors)
    });
    let dialect = DelimitedDialect {
        delimiter: declared?.or(delimiter.map(str::to_owned)),
        quote: quote?,
        escape: escape?,
        skip_initial_space: skip_initial_space?,
        header: header?,
        header_rows: header_rows?,
        skip_lines: skip_lines?,
        comment: comment?,
        ragged: ragged?,
        blank_rows: blank_rows?,
        repeated_headers: repeated_headers?,
    };
    check_dialect(server, dialect, errors)
}

fn check_dialect(
    server: &NodeRef<'_>,
    dialect: DelimitedDialect,
    errors: &mut Errors,
) -> ReadResult<FormatKind> {
    let report = |name: &str, message: &str, errors: &mut Errors| {
        let at = custom::find(server, name).unwrap_or_else(|| server.clone());
        Err(at.report(errors, message))
    };
    let quote = match dialect.quote {
        Some(Quote::Byte(byte)) => Some(byte),
        Some(Quote::None) | None => None,
    };
    let is_in_delimiter =
        |byte: u8| dialect.delimiter.as_ref().is_some_and(|text| text.as_bytes().contains(&byte));
    if quote.is_some_and(is_in_delimiter) {
        return report("penstock.quote", "quote and delimiter are the same", errors);
    }
    if dialect.header == Some(false) && dialect.header_rows.is_some() {
        return report("penstock.headerRows", "has no effect with `penstock.header: false`", errors);
    }
    if dialect.skip_initial_space.is_some() && dialect.quote == Some(Quote::None) {
        return report("penstock.skipInitialSpace", "has no effect with `penstock.quote: none`", errors);
    }
    if dialect.header == Some(false) && custom::find(server, "penstock.repeatedHeaders").is_some() {
        return report("penstock.repeatedHeaders", "has no effect with `penstock.header: false`", errors);
    }
    match dialect.escape {
        Some(_) if dialect.quote == Some(Quote::None) => {
            return report("penstock.escape", "has no effect with `penstock.quote: none`", errors);
        }
        Some(escape) if is_in_delimiter(escape) => {
            return report("penstock.escape", "escape and delimiter are the same", errors);
        }
        Some(_) | None => {}
    }
    Ok(FormatKind::Delimited(dialect))
}

fn field_delimiter(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let text = at.str(errors)?;
    let message = match text {
        "tab" | "\\t" => return Ok("\t".to_owned()),
        "comma" => return Ok(",".to_owned()),
        "semicolon" => return Ok(";".to_owned()),
        "pipe" => return Ok("|".to_owned()),
        "" => "the delimiter must not be empty",
        _ if text.len() > MAX_DELIMITER_BYTES => "the delimiter must not have more than 16 bytes",
        _ if text.contains(['\n', '\r']) => "the delimiter must not contain a line end",
        _ if text.contains(|letter: char| letter.is_ascii_alphanumeric() || letter == '"') => {
            "the delimiter must not contain a letter, a digit or a quote"
        }
        _ => return Ok(text.to_owned()),
    };
    Err(at.report(errors, message))
}

fn count(at: &NodeRef<'_>, least: u32, errors: &mut Errors) -> ReadResult<u32> {
    const MOST: u32 = 1_000;
    let range = format!("from {least} to {MOST}");
    let count = at.integer::<u32>(&range, errors)?;
    if (least..=MOST).contains(&count) {
        return Ok(count);
    }
    Err(at.report(errors, format!("{count} is not a whole number {range}")))
}

fn line_start(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let text = at.str(errors)?;
    if text.is_empty() || text.contains(['\n', '\r']) {
        return Err(at.report(errors, "must be the beginning of a comment line, such as `#`"));
    }
    Ok(text.to_owned())
}

fn ragged(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Ragged> {
    let words = [
        ("reject", Ragged::Reject),
        ("pad", Ragged::Pad),
        ("truncate", Ragged::Truncate),
        ("rescue", Ragged::Rescue),
    ];
    at.choice("a value of `penstock.ragged`", &words, errors)
}

fn quote(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Quote> {
    if at.str(errors)? == "none" { Ok(Quote::None) } else { ascii(at, errors).map(Quote::Byte) }
}

fn ascii(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<u8> {
    let text = at.str(errors)?;
    match text.as_bytes() {
        [byte] if byte.is_ascii_graphic() || *byte == b' ' => Ok(*byte),
        _ => Err(at.report(errors, format!("{} is not one ASCII character", quoted(text)))),
    }
}

fn compression(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Compression> {
    match at.str(errors)? {
        "none" | "plain" => Ok(Compression::Plain),
        "gzip" | "gz" => Ok(Compression::Gzip),
        "zstd" | "zst" => Ok(Compression::Zstd),
        "bzip2" | "bz2" => Ok(Compression::Bzip2),
        "xz" => Ok(Compression::Xz),
        "zip" => Ok(Compression::Zip),
        other => {
            let message = format!(
                "{} is not a supported compression{}",
                quoted(other),
                suggestion(other, &["none", "gzip", "zstd", "bzip2", "xz", "zip"])
            );
            Err(at.report(errors, message))
        }
    }
}
