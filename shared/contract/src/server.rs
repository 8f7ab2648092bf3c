//! The first of the `servers` of type `s3` → the file's [`Format`].

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, mend, quoted};
use crate::model::{
    BlankRows, Compression, DelimitedDialect, EmptyFile, Format, FormatKind, HeaderCase, Quote, Ragged,
    RepeatedHeaders,
};
use crate::property::strings;

const FORMATS: [&str; 7] = ["csv", "tsv", "delimited", "json", "ndjson", "parquet", "avro"];
/// Custom properties that only delimited files have a use for.
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

/// Reads the format that the first server of type `s3` declares. Without one, the format of each file is detected.
pub(crate) fn read(contract: &At<'_>, errors: &mut Errors) -> Read<Format> {
    let servers = match contract.get("servers") {
        Some(servers) => servers.items(errors)?,
        None => Vec::new(),
    };
    let is_s3 =
        |server: &At<'_>| server.get("type").is_some_and(|kind| kind.str(&mut Errors::default()) == Ok("s3"));
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

/// Files are described by one server: what Penstock would read at another has no effect.
fn unused(server: &At<'_>, errors: &mut Errors) {
    server.note(errors, "is not read: the first server of type `s3` describes the files");
    for row in custom::CUSTOM_PROPERTIES.iter().filter(|row| row.level == custom::Level::Server) {
        if let Some(at) = custom::find(server, row.name) {
            let message =
                format!("`{}` has no effect here; set it at the first server of type `s3`", row.name);
            at.report(errors, message);
        }
    }
}

fn format(server: &At<'_>, errors: &mut Errors) -> Read<Format> {
    let location = location(server, errors);
    let kind = format_kind(server, errors);
    let encoding = custom::find(server, "penstock.encoding").map(|at| encoding(&at, errors)).transpose();
    let compression =
        custom::find(server, "penstock.compression").map(|at| compression(&at, errors)).transpose();
    let null_values =
        custom::find(server, "penstock.nullValues").map_or(Ok(Vec::new()), |at| strings(&at, errors));
    let empty_files = [("accept", EmptyFile::Accept), ("refuse", EmptyFile::Refuse)];
    let empty_file = custom::find(server, "penstock.emptyFile")
        .map(|at| at.choice("what happens to a file without rows", &empty_files, errors))
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

fn encoding(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let label = at.text(errors)?.trim();
    if encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).is_none() {
        let message = format!(
            "`{label}` is not an encoding of the WHATWG standard, such as `utf-8`, `utf-16le`, `windows-1252` or `shift_jis`"
        );
        return Err(at.report(errors, message));
    }
    Ok(label.to_owned())
}

/// How the names of the file are compared, which only files with named columns have a use for.
fn header_case(server: &At<'_>, kind: &FormatKind, errors: &mut Errors) -> Read<HeaderCase> {
    let Some(at) = custom::find(server, HEADER_CASE) else { return Ok(HeaderCase::default()) };
    let message = match kind {
        FormatKind::Delimited(DelimitedDialect { header: Some(false), .. }) => {
            "has no effect with `penstock.header: false`"
        }
        FormatKind::Ndjson | FormatKind::JsonArray { .. } | FormatKind::Detected { json_only: true } => {
            "has no effect on JSON, whose keys are always compared letter for letter"
        }
        FormatKind::Delimited(_)
        | FormatKind::Parquet
        | FormatKind::Avro
        | FormatKind::Detected { json_only: false } => {
            let cases = [("sensitive", HeaderCase::Sensitive), ("insensitive", HeaderCase::Insensitive)];
            return at.choice("a way to compare names", &cases, errors);
        }
    };
    Err(at.report(errors, message))
}

fn location(server: &At<'_>, errors: &mut Errors) -> Read<()> {
    let at = server.require("location", errors)?;
    let text = at.text(errors)?;
    if text.starts_with("s3://") {
        Ok(())
    } else {
        Err(at.needs(errors, format!("{} does not begin with `s3://`", quoted(text))))
    }
}

fn format_kind(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
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
            let message = format!("files of format {} are not read{}", quoted(text), mend(text, &FORMATS));
            Err(format.needs(errors, message))
        }
    }
}

/// What the other properties say of the format, which else is detected from each file.
fn undeclared(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
    if DELIMITED_ONLY.iter().any(|name| custom::find(server, name).is_some()) {
        delimited(server, None, errors)
    } else if custom::find(server, PATH).is_some() || server.get("delimiter").is_some() {
        json(server, errors)
    } else {
        Ok(FormatKind::Detected { json_only: false })
    }
}

fn json(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
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

/// `$` is the document, `$.data.items` a key of a key of it.
fn json_array(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
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

fn ndjson(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
    let other = not_delimited(server, errors);
    not_an_array(server, errors)?;
    other.map(|()| FormatKind::Ndjson)
}

/// A file that says itself what its columns are and how they are written.
fn typed(server: &At<'_>, kind: FormatKind, errors: &mut Errors) -> Read<FormatKind> {
    let mut outcome = not_delimited(server, errors).and(not_an_array(server, errors));
    if let Some(at) = custom::find(server, "penstock.encoding") {
        outcome =
            Err(at.report(errors, "`penstock.encoding` is for text: this format has an encoding of its own"));
    }
    let compression = custom::find(server, "penstock.compression");
    if let Some(at) = compression.filter(|_| kind == FormatKind::Parquet) {
        let message = "`penstock.compression` is not for Parquet, which is compressed inside: leave it out";
        outcome = Err(at.report(errors, message));
    }
    outcome.map(|()| kind)
}

fn not_an_array(server: &At<'_>, errors: &mut Errors) -> Read<()> {
    match custom::find(server, PATH) {
        None => Ok(()),
        Some(at) => Err(at.report(errors, "`penstock.path` is for `format: json` with `delimiter: array`")),
    }
}

fn not_delimited(server: &At<'_>, errors: &mut Errors) -> Read<()> {
    let mut outcome = Ok(());
    for name in DELIMITED_ONLY {
        if let Some(at) = custom::find(server, name) {
            outcome = Err(at.report(errors, format!("`{name}` is for delimited files (`format: csv`)")));
        }
    }
    outcome
}

fn delimited(server: &At<'_>, delimiter: Option<&str>, errors: &mut Errors) -> Read<FormatKind> {
    if let Some(at) = server.get("delimiter") {
        let message = "ODCS has this key for JSON only; write the field delimiter as the custom property `penstock.delimiter`";
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
    let blank_rows = find("penstock.blankRows")
        .map_or(Ok(BlankRows::default()), |at| at.choice("what happens to blank rows", &blank_rows, errors));
    let repeated = [("skip", RepeatedHeaders::Skip), ("keep", RepeatedHeaders::Keep)];
    let repeated_headers = find("penstock.repeatedHeaders").map_or(Ok(RepeatedHeaders::default()), |at| {
        at.choice("what happens to repeated headers", &repeated, errors)
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

fn check_dialect(server: &At<'_>, dialect: DelimitedDialect, errors: &mut Errors) -> Read<FormatKind> {
    let tell = |name: &str, message: &str, errors: &mut Errors| {
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
        return tell("penstock.quote", "quote and delimiter are the same", errors);
    }
    if dialect.header == Some(false) && dialect.header_rows.is_some() {
        return tell("penstock.headerRows", "has no effect with `penstock.header: false`", errors);
    }
    if dialect.skip_initial_space.is_some() && dialect.quote == Some(Quote::None) {
        return tell("penstock.skipInitialSpace", "has no effect with `penstock.quote: none`", errors);
    }
    if dialect.header == Some(false) && custom::find(server, "penstock.repeatedHeaders").is_some() {
        return tell("penstock.repeatedHeaders", "has no effect with `penstock.header: false`", errors);
    }
    match dialect.escape {
        Some(_) if dialect.quote == Some(Quote::None) => {
            return tell("penstock.escape", "has no effect with `penstock.quote: none`", errors);
        }
        Some(escape) if is_in_delimiter(escape) => {
            return tell("penstock.escape", "escape and delimiter are the same", errors);
        }
        Some(_) | None => {}
    }
    Ok(FormatKind::Delimited(dialect))
}

fn field_delimiter(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.str(errors)?;
    let message = match text {
        "tab" | "\\t" => return Ok("\t".to_owned()),
        "comma" => return Ok(",".to_owned()),
        "semicolon" => return Ok(";".to_owned()),
        "pipe" => return Ok("|".to_owned()),
        "" => "nothing does not separate fields",
        _ if text.len() > MAX_DELIMITER_BYTES => "has more than 16 bytes",
        _ if text.contains(['\n', '\r']) => "a line end does not separate fields",
        _ if text.contains(|letter: char| letter.is_ascii_alphanumeric() || letter == '"') => {
            "a letter, a digit or a quote does not separate fields"
        }
        _ => return Ok(text.to_owned()),
    };
    Err(at.report(errors, message))
}

fn count(at: &At<'_>, least: u32, errors: &mut Errors) -> Read<u32> {
    const MOST: u32 = 1_000;
    let range = format!("from {least} to {MOST}");
    let count = at.integer::<u32>(&range, errors)?;
    if (least..=MOST).contains(&count) {
        return Ok(count);
    }
    Err(at.report(errors, format!("{count} is not a whole number {range}")))
}

fn line_start(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.str(errors)?;
    if text.is_empty() || text.contains(['\n', '\r']) {
        return Err(at.report(errors, "is what a comment line begins with, such as `#`"));
    }
    Ok(text.to_owned())
}

fn ragged(at: &At<'_>, errors: &mut Errors) -> Read<Ragged> {
    let words = [
        ("reject", Ragged::Reject),
        ("pad", Ragged::Pad),
        ("truncate", Ragged::Truncate),
        ("rescue", Ragged::Rescue),
    ];
    at.choice("what happens to ragged rows", &words, errors)
}

fn quote(at: &At<'_>, errors: &mut Errors) -> Read<Quote> {
    if at.str(errors)? == "none" { Ok(Quote::None) } else { ascii(at, errors).map(Quote::Byte) }
}

fn ascii(at: &At<'_>, errors: &mut Errors) -> Read<u8> {
    let text = at.str(errors)?;
    match text.as_bytes() {
        [byte] if byte.is_ascii_graphic() || *byte == b' ' => Ok(*byte),
        _ => Err(at.report(errors, format!("{} is not one ASCII character", quoted(text)))),
    }
}

fn compression(at: &At<'_>, errors: &mut Errors) -> Read<Compression> {
    match at.str(errors)? {
        "none" | "plain" => Ok(Compression::Plain),
        "gzip" | "gz" => Ok(Compression::Gzip),
        "zstd" | "zst" => Ok(Compression::Zstd),
        "bzip2" | "bz2" => Ok(Compression::Bzip2),
        "xz" => Ok(Compression::Xz),
        "zip" => Ok(Compression::Zip),
        other => {
            let message = format!(
                "{} is not a compression that is read{}",
                quoted(other),
                mend(other, &["none", "gzip", "zstd", "bzip2", "xz", "zip"])
            );
            Err(at.report(errors, message))
        }
    }
}
