//! Files that do not match their contract, and the errors that describe them.

use penstock_contract::*;
use penstock_engine::{FileFormat, Limits};

use crate::support::{column, contract, csv, gzip, read, read_with, required, text};

fn id_and_name(kind: FormatKind) -> Contract {
    let id = column("id", LogicalType::Integer, SqlType::Bigint);
    contract(kind, vec![required(id), text("name")])
}

fn refusal(contract: &Contract, file: &[u8]) -> (String, String) {
    match read_with(contract, Limits::default(), file) {
        Ok(outcome) => panic!("the file was accepted: {:?}", outcome.values()),
        Err(error) => (error.code().to_owned(), error.to_string()),
    }
}

#[test]
fn only_zero_padding_may_follow_a_gzip_stream() {
    let file = gzip(b"id,name\n1,a\n");
    let more = gzip(b"2,b\n");
    for (file, rows) in [
        ([&file[..], &[0; 1]].concat(), 1),
        ([&file[..], &[0; 200_000]].concat(), 1),
        ([&file[..], &more].concat(), 2),
        ([&file[..], &more, &[0; 512]].concat(), 2),
        ([&file[..], &gzip(b"")].concat(), 1),
    ] {
        assert_eq!(read(&id_and_name(csv()), &file).totals.accepted, rows);
    }
    for (rest, named) in [
        (&b"garbage"[..], "the gzip stream is followed by bytes"),
        (b"\n", "the gzip stream is followed by bytes"),
        (b"\0\0\0x", "the gzip stream is followed by bytes"),
        (&[&[0; 1][..], &more].concat(), "without NUL bytes between its streams"),
        (&[&[0; 100_000][..], &more].concat(), "without NUL bytes between its streams"),
    ] {
        let (code, message) = refusal(&id_and_name(csv()), &[&file[..], rest].concat());
        assert_eq!(code, "corrupt_compression");
        assert!(message.contains(named), "{message}");
    }
    let (code, _) = refusal(&id_and_name(csv()), &[&file[..], &more[..more.len() - 4]].concat());
    assert_eq!(code, "truncated_compression");
}

#[test]
fn delimited_text_under_a_json_contract_is_named() {
    for kind in [
        FormatKind::Ndjson,
        FormatKind::JsonArray { path: vec![] },
        FormatKind::JsonArray { path: vec!["x".to_owned()] },
    ] {
        for file in ["id,name\n1,a\n2,b\n", "\u{feff}id;name\r\n1;a\r\n", "id\tname\n"] {
            let (code, message) = refusal(&id_and_name(kind.clone()), file.as_bytes());
            assert_eq!(code, "wrong_format", "{message}");
            assert!(message.contains("delimited text") && message.contains("`format: csv`"), "{message}");
        }
    }
    // If some of the lines are JSON, the other lines are rejects.
    assert_eq!(
        read(&id_and_name(FormatKind::Ndjson), "{\"id\":1}\nid,name\n").reject_summary(),
        ["2@2 invalid_json"]
    );
}

#[test]
fn a_header_that_begins_with_a_brace_is_not_json() {
    let contract = contract(FormatKind::Detected { json_only: false }, vec![text("{id}"), text("name")]);
    assert_eq!(read(&contract, "{id},name\n1,a\n").values(), [["1", "a"]]);
    let mut json = id_and_name(FormatKind::Detected { json_only: false });
    assert_eq!(read(&json, "{ \"id\": 1}\n").dialect.format, Some(FileFormat::Ndjson));
    json.format.kind = FormatKind::Detected { json_only: true };
    assert_eq!(read(&json, "{id:1}\n").reject_summary(), ["1@1 invalid_json"]);
}

#[test]
fn a_table_may_begin_with_markup_but_an_html_page_is_refused() {
    let contract = contract(csv(), vec![text("text"), column("id", LogicalType::Integer, SqlType::Bigint)]);
    let outcome = read(&contract, "<html>a</html>,1\n<p>b</p>,2\n");
    assert_eq!(outcome.values(), [["<html>a</html>", "1"], ["<p>b</p>", "2"]]);
    let utf_16: Vec<u8> = "\u{feff}<html><body>login".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for page in [&b"<h1>404, not found</h1>"[..], &utf_16, b"<table><tr>\n<td>a</td>\n</table>"] {
        let (code, message) = refusal(&contract, page);
        assert_eq!(code, "wrong_format");
        assert!(message.contains("HTML"), "{message}");
    }
}

#[test]
fn a_compressed_file_under_a_parquet_contract_is_named_by_its_content() {
    let mut tar = vec![0_u8; 1024];
    tar[..5].copy_from_slice(b"a.csv");
    tar[148..156].copy_from_slice(b"        ");
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let member = b"xl/workbook.xml";
    let length = u16::try_from(member.len()).unwrap().to_le_bytes();
    let xlsx = [&b"PK\x03\x04"[..], &[0; 22], &length, &[0, 0], member, &[7; 600]].concat();
    for (file, named) in [
        (gzip(&tar), "a tar archive"),
        (gzip(&xlsx), "an Excel workbook (xlsx)"),
        (gzip(b"PAR1\x15\x04\x00"), "which is not supported for Parquet; deliver it uncompressed"),
        (gzip(b"id,name\n"), "which is not supported for Parquet; deliver it uncompressed"),
    ] {
        let (_, message) = refusal(&id_and_name(FormatKind::Parquet), &file);
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn a_file_of_white_space_is_treated_as_empty() {
    let mut contract = id_and_name(csv());
    for empty_file in [EmptyFile::Refuse, EmptyFile::Accept] {
        contract.format.empty_file = Some(empty_file);
        for file in [&b"\n\n"[..], b"  \r\n\t", b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbb\xbf \n"] {
            match (empty_file, read_with(&contract, Limits::default(), file)) {
                (EmptyFile::Accept, Ok(outcome)) => assert_eq!(outcome.totals.rows_read, 0),
                (_, Err(error)) => assert_eq!((empty_file, error.code()), (EmptyFile::Refuse, "empty")),
                (_, Ok(_)) => panic!("{file:?} was accepted"),
            }
        }
    }
}

#[test]
fn characters_that_make_names_look_alike_are_described() {
    for (header, name, why) in [
        ("na\u{200b}me", "name", "U+200B, an invisible character"),
        ("name\u{feff}", "name", "U+FEFF, an invisible character"),
        ("Gro\u{308}ße", "Größe", "U+0308, a combining accent"),
        ("n\u{430}me", "name", "U+0430, a letter of another alphabet"),
    ] {
        let contract = contract(csv(), vec![text("id"), required(text(name))]);
        let (code, message) = refusal(&contract, format!("id,{header}\n1,x\n").as_bytes());
        assert_eq!(code, "missing_columns");
        assert!(message.contains(&format!("may be meant for `{name}` (it has {why})")), "{message}");
    }
}
