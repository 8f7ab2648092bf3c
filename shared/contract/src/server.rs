//! `servers[0]` → the file's [`Format`].

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, mend, quoted};
use crate::model::{Compression, DelimitedDialect, Format, FormatKind, Quote};
use crate::property::strings;

const FORMATS: [&str; 5] = ["csv", "tsv", "delimited", "json", "ndjson"];
/// Custom properties that only delimited files have a use for.
const DELIMITED_ONLY: [&str; 4] =
    ["penstock.delimiter", "penstock.quote", "penstock.escape", "penstock.header"];

/// Reads the format that the first server promises.
pub(crate) fn read(contract: &At<'_>, errors: &mut Errors) -> Read<Format> {
    let servers = contract.require("servers", errors)?;
    let Some(server) = servers.items(errors)?.into_iter().next() else {
        return Err(
            servers.report(errors, "is empty; name the server of type `s3` with the `format` of the files")
        );
    };
    let kind = server.require("type", errors)?;
    if kind.str(errors)? != "s3" {
        let message =
            "the first server must be of type `s3`: it says the format of the files that are dropped";
        return Err(kind.report(errors, message));
    }
    let location = location(&server, errors);
    let kind = format_kind(&server, errors);
    let encoding = custom::find(&server, "penstock.encoding").map(|at| at.text(errors)).transpose();
    let compression =
        custom::find(&server, "penstock.compression").map(|at| compression(&at, errors)).transpose();
    let null_values =
        custom::find(&server, "penstock.nullValues").map_or(Ok(Vec::new()), |at| strings(&at, errors));
    location?;
    Ok(Format {
        kind: kind?,
        encoding: encoding?.map(|label| label.trim().to_owned()),
        compression: compression?,
        null_values: null_values?,
    })
}

fn location(server: &At<'_>, errors: &mut Errors) -> Read<()> {
    let at = server.require("location", errors)?;
    let text = at.text(errors)?;
    if text.starts_with("s3://") {
        Ok(())
    } else {
        Err(at.report(errors, format!("{} does not begin with `s3://`", quoted(text))))
    }
}

fn format_kind(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
    let format = server.require("format", errors)?;
    match format.str(errors)? {
        "csv" | "delimited" => delimited(server, None, errors),
        "tsv" => delimited(server, Some(b'\t'), errors),
        "ndjson" | "jsonl" => ndjson(server, errors),
        "json" => {
            let Some(delimiter) = server.get("delimiter") else {
                return Err(
                    server.report(errors, "`format: json` needs `delimiter: new_line`: one object a line")
                );
            };
            match delimiter.str(errors)? {
                "new_line" => ndjson(server, errors),
                "array" => Err(delimiter.report(
                    errors,
                    "JSON arrays are not read; deliver one object a line (`delimiter: new_line`)",
                )),
                other => Err(delimiter.report(
                    errors,
                    format!("{} is not a delimiter of JSON documents; write `new_line`", quoted(other)),
                )),
            }
        }
        other => {
            let message = format!("files of format {} are not read{}", quoted(other), mend(other, &FORMATS));
            Err(format.report(errors, message))
        }
    }
}

fn ndjson(server: &At<'_>, errors: &mut Errors) -> Read<FormatKind> {
    let mut outcome = Ok(FormatKind::Ndjson);
    for name in DELIMITED_ONLY {
        if let Some(at) = custom::find(server, name) {
            outcome = Err(at.report(errors, format!("`{name}` is for delimited files (`format: csv`)")));
        }
    }
    outcome
}

fn delimited(server: &At<'_>, delimiter: Option<u8>, errors: &mut Errors) -> Read<FormatKind> {
    if let Some(at) = server.get("delimiter") {
        let message = "ODCS has this key for JSON only; write the field delimiter as the custom property `penstock.delimiter`";
        return Err(at.report(errors, message));
    }
    let find = |name: &str| custom::find(server, name);
    let declared = find("penstock.delimiter").map(|at| delimiter_byte(&at, errors)).transpose();
    let quote = find("penstock.quote").map(|at| quote(&at, errors)).transpose();
    let escape = find("penstock.escape").map(|at| ascii(&at, errors)).transpose();
    let header = find("penstock.header").map(|at| at.bool(errors)).transpose();
    let dialect = DelimitedDialect {
        delimiter: declared?.or(delimiter),
        quote: quote?,
        escape: escape?,
        header: header?,
    };
    check_dialect(server, dialect, errors)
}

fn check_dialect(server: &At<'_>, mut dialect: DelimitedDialect, errors: &mut Errors) -> Read<FormatKind> {
    let tell = |name: &str, message: &str, errors: &mut Errors| {
        let at = custom::find(server, name).unwrap_or_else(|| server.clone());
        Err(at.report(errors, message))
    };
    let quote = match dialect.quote {
        Some(Quote::Byte(byte)) => Some(byte),
        Some(Quote::None) | None => None,
    };
    if quote.is_some() && quote == dialect.delimiter {
        return tell("penstock.quote", "quote and delimiter are the same", errors);
    }
    match dialect.escape {
        Some(_) if dialect.quote == Some(Quote::None) => {
            return tell("penstock.escape", "has no effect with `penstock.quote: none`", errors);
        }
        Some(escape) if dialect.delimiter == Some(escape) => {
            return tell("penstock.escape", "escape and delimiter are the same", errors);
        }
        // A doubled quote is what is read without an escape.
        Some(escape) if quote == Some(escape) => dialect.escape = None,
        Some(_) | None => {}
    }
    Ok(FormatKind::Delimited(dialect))
}

fn delimiter_byte(at: &At<'_>, errors: &mut Errors) -> Read<u8> {
    match at.str(errors)? {
        "tab" | "\t" | "\\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        "pipe" => Ok(b'|'),
        _ => {
            let byte = ascii(at, errors)?;
            if byte.is_ascii_alphanumeric() || byte == b'"' {
                return Err(at.report(errors, "a letter, a digit or a quote does not separate fields"));
            }
            Ok(byte)
        }
    }
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
        other => {
            let message = format!(
                "{} is not a compression that is read{}",
                quoted(other),
                mend(other, &["none", "gzip", "zstd"])
            );
            Err(at.report(errors, message))
        }
    }
}
