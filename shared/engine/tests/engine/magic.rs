//! Files whose first bytes show another format than the declared one: the error names the format and suggests a fix.

use std::sync::Arc;

use arrow_array::Int64Array;
use penstock_contract::*;
use penstock_engine::{Limits, ReadError};

use crate::avro_files::{self, long, record};
use crate::parquet_files;
use crate::support::{ShortReads, column, contract, csv, gzip, read, read_with, text};

fn tar() -> Vec<u8> {
    let mut tar = vec![0; 2048];
    tar[..8].copy_from_slice(b"file.csv");
    tar[148..156].copy_from_slice(b"        ");
    tar[257..262].copy_from_slice(b"ustar");
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar[512..523].copy_from_slice(b"id,name\n1,a");
    tar
}

/// Returns a zip archive with an empty member of the given name.
fn zip(member: &str) -> Vec<u8> {
    let mut zip = b"PK\x03\x04\x14\0".to_vec();
    zip.extend([0; 20]);
    zip.extend(u16::try_from(member.len()).unwrap().to_le_bytes());
    zip.extend([0, 0]);
    zip.extend(member.as_bytes());
    zip.extend(b"PK\x01\x02");
    zip
}

fn parquet() -> Vec<u8> {
    parquet_files::file(&[("id", Arc::new(Int64Array::from(vec![1])))]).to_vec()
}

fn avro() -> Vec<u8> {
    avro_files::file(&record(&[("id", r#""long""#)]), &[long(1)])
}

fn refusal(kind: FormatKind, file: &[u8]) -> (String, String) {
    let contract = contract(kind, vec![text("id"), text("name")]);
    let error = read_with(&contract, Limits::default(), file).unwrap_err();
    for sizes in [vec![1], vec![7, 100]] {
        if contract.format.kind != FormatKind::Parquet {
            let again =
                read_with(&contract, Limits::default(), ShortReads { rest: file, sizes, at: 0 }).unwrap_err();
            assert_eq!(
                again.to_string(),
                error.to_string(),
                "the error must not depend on the size of reads"
            );
        }
    }
    assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    (error.code().to_owned(), error.to_string())
}

#[test]
fn wrong_files_under_a_text_contract_are_named() {
    let table: Vec<(Vec<u8>, &str, &str)> = vec![
        (zip("[Content_Types].xml"), "wrong_format", "is an Excel workbook (xlsx)"),
        (zip("docProps/app.xml"), "wrong_format", "save the sheet as CSV"),
        (zip("xl/"), "wrong_format", "is an Excel workbook (xlsx)"),
        (zip("mimetype"), "wrong_format", "OpenDocument spreadsheet (ods)"),
        (
            gzip(&zip("xl/workbook.xml")),
            "wrong_compression",
            "an Excel workbook (xlsx) or another Office document inside gzip",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec(), "wrong_format", "(xls)"),
        (b"%PDF-1.4\n1 0 obj".to_vec(), "wrong_format", "a PDF document"),
        (b"\r\n<!DOCTYPE HTML>\n<html>".to_vec(), "wrong_format", "an HTML page, such as a login"),
        (gzip(b"<html><body>404"), "wrong_format", "the file inside gzip is an HTML page"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "wrong_format", "an image (PNG)"),
        (tar(), "unsupported_archive", "is a tar archive"),
        (gzip(&tar()), "unsupported_archive", "the file inside gzip is a tar archive"),
        (b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "unsupported_archive", "a 7z archive"),
        (
            b"\x04\x22\x4d\x18\x64\x40".to_vec(),
            "wrong_compression",
            "is compressed with lz4; compress it with gzip",
        ),
        (b"\xff\x06\0\0sNaPpY\0".to_vec(), "wrong_compression", "compressed with snappy"),
        (b"\x1f\x9d\x90\x61".to_vec(), "wrong_compression", "compressed with compress (.Z)"),
        (gzip(&gzip(b"id,name\n1,a\n")), "wrong_compression", "compressed twice: gzip inside gzip"),
        (gzip(&zip("file.csv")), "wrong_compression", "compressed twice: zip inside gzip"),
        (zstd::encode_all(&gzip(b"id,name\n")[..], 1).unwrap(), "wrong_compression", "gzip inside zstd"),
        (
            parquet(),
            "wrong_format",
            "is a Parquet file; deliver the format that the contract declares, or correct `format`",
        ),
        (gzip(&parquet()), "wrong_format", "the file inside gzip is a Parquet file"),
        (avro(), "wrong_format", "is an Avro file"),
        (b"SQLite format 3\0".to_vec(), "wrong_format", "a SQLite database"),
    ];
    for (file, code, message) in table {
        for kind in [csv(), FormatKind::Ndjson, FormatKind::JsonArray { path: vec![] }] {
            let (found, error) = refusal(kind, &file);
            assert_eq!(found, code, "{error}");
            assert!(error.contains(message), "{error}");
        }
    }
}

#[test]
fn wrong_files_under_a_parquet_or_avro_contract_are_named() {
    for (kind, file, code, message) in [
        (FormatKind::Parquet, avro(), "wrong_format", "is an Avro file"),
        (FormatKind::Parquet, zip("[Content_Types].xml"), "wrong_format", "is an Excel workbook (xlsx)"),
        (FormatKind::Parquet, b"id,name\n1,a\n".to_vec(), "wrong_format", "does not begin with `PAR1`"),
        (FormatKind::Parquet, b"{\"id\":1}\n".to_vec(), "wrong_format", "does not begin with `PAR1`"),
        (FormatKind::Parquet, gzip(&parquet()), "wrong_format", "compressed with gzip as a whole"),
        (FormatKind::Parquet, b"ORC\x0a\0\0\0".to_vec(), "wrong_format", "is an ORC file"),
        (FormatKind::Avro, parquet(), "wrong_format", "is a Parquet file"),
        (FormatKind::Avro, gzip(&parquet()), "wrong_format", "the file inside gzip is a Parquet file"),
        (FormatKind::Avro, gzip(&gzip(&avro())), "wrong_compression", "compressed twice"),
        (FormatKind::Avro, b"id,name\n1,a\n".to_vec(), "wrong_format", "is not an Avro object container"),
    ] {
        let (found, error) = refusal(kind, &file);
        assert_eq!(found, code, "{error}");
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_compression_other_than_the_declared_one_is_named() {
    let mut contract = contract(csv(), vec![text("id")]);
    contract.format.compression = Some(Compression::Gzip);
    let error =
        read_with(&contract, Limits::default(), &b"\x04\x22\x4d\x18\x64\x40\0\0\0\0"[..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the contract declares gzip, but the file is compressed with lz4; correct the contract or the file (at byte 0)"
    );
}

#[test]
fn json_of_another_layout_is_refused_with_a_suggestion() {
    let array = || FormatKind::JsonArray { path: vec![] };
    for (kind, file, message) in [
        (csv(), "{\"id\":1}\n{\"id\":2}\n", "declare `format: json` with `delimiter: new_line`"),
        (csv(), "{\"id\":1}", "is JSON with one object per line instead of delimited text"),
        (csv(), "[{\"id\":1},\n{\"id\":2}]\n", "declare `format: json` with `delimiter: array`"),
        (csv(), "{\n \"items\": [{\"id\":1}]\n}\n", "`penstock.path`"),
        (
            FormatKind::Ndjson,
            "[{\"id\":1},{\"id\":2}]",
            "is a JSON array instead of one JSON object per line",
        ),
        (FormatKind::Ndjson, "{\n\"id\":1\n}\n", "a JSON document of several lines"),
        (array(), "{\"id\":1}\n{\"id\":2}\n", "declare `format: json` with `delimiter: new_line`"),
    ] {
        let (code, error) = refusal(kind, file.as_bytes());
        assert_eq!(code, "wrong_format", "{error}");
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_table_of_documents_without_a_header_is_read() {
    let document = column("id", LogicalType::Object { properties: vec![] }, SqlType::Jsonb);
    let headless = DelimitedDialect { header: Some(false), ..DelimitedDialect::default() };
    let contract = contract(FormatKind::Delimited(headless), vec![document]);
    assert_eq!(read(&contract, "{\"a\":1}\n{\"a\":2}\n").values(), [[r#"{"a":1}"#], [r#"{"a":2}"#]]);
}

#[test]
fn text_that_begins_like_another_format_is_read() {
    for name in ["ORCID", "PAR1", "GIF89a", "LZIP", "FEA1", "<id>", "%PDF", "RIFF", "Obj"] {
        let contract = contract(csv(), vec![text(name)]);
        assert_eq!(read(&contract, format!("{name}\nx\n")).values(), [["x"]], "{name}");
    }
}
