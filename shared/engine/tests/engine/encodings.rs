//! Encodings: byte order marks, declared and detected encodings, and invalid sequences.

use encoding_rs::Encoding;
use penstock_contract::*;
use penstock_engine::{Limits, Plan};
use proptest::prelude::*;
use std::sync::Arc;

use crate::support::{ShortReads, contract, csv, read, read_plan, read_with, text};

const FILE: &str = "name,b\nÄrger,1\r\n\"zwei\nZeilen\",2\nbad\n電話,\"ü\"\"\"\n";

fn encode(text: &str, label: &str) -> Vec<u8> {
    match label {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => Encoding::for_label(label.as_bytes()).unwrap().encode(text).0.into_owned(),
    }
}

fn declared(label: Option<&str>) -> Contract {
    let mut contract = contract(csv(), vec![text("name"), text("b")]);
    contract.format.encoding = label.map(str::to_owned);
    contract
}

#[test]
fn every_encoding_is_read_with_exact_positions() {
    for label in ["utf-8", "utf-16le", "utf-16be", "shift_jis", "euc-jp", "gbk", "gb18030", "iso-2022-jp"] {
        // Not every encoding has all letters.
        let file = if label.contains("jp") || label == "shift_jis" || label == "gbk" {
            FILE.replace('Ä', "А").replace('ü', "ю")
        } else {
            FILE.to_owned()
        };
        let bytes = encode(&file, label);
        let outcome = read(&declared(Some(label)), &bytes);
        let expected: Vec<Vec<String>> = [
            [if file.contains('Ä') { "Ärger" } else { "Аrger" }, "1"],
            ["zwei\nZeilen", "2"],
            ["電話", if file.contains('ü') { "ü\"" } else { "ю\"" }],
        ]
        .iter()
        .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
        .collect();
        assert_eq!(outcome.values(), expected, "{label}");
        assert_eq!(outcome.reject_summary(), ["3@5 too_few_fields"], "{label}");
        let at = usize::try_from(outcome.rejects[0].byte_offset).unwrap();
        assert!(bytes[at..].starts_with(&encode("bad", label)), "{label} {at}");
        assert_eq!(outcome.totals.bytes_decompressed, bytes.len() as u64);
        assert!(!outcome.dialect.assumed.contains(&"encoding".to_owned()), "{label}");
    }
}

#[test]
fn utf_16_is_detected_from_a_byte_order_mark_or_zero_bytes() {
    for (label, name, mark) in [
        ("utf-16le", "UTF-16LE", &[0xff, 0xfe][..]),
        ("utf-16be", "UTF-16BE", &[0xfe, 0xff]),
        ("utf-16le", "UTF-16LE", &[]),
        ("utf-16be", "UTF-16BE", &[]),
    ] {
        let bytes = [mark, &encode(FILE, label)].concat();
        let outcome = read(&declared(None), &bytes);
        assert_eq!(outcome.dialect.encoding, name);
        assert!(outcome.dialect.assumed.contains(&"encoding".to_owned()));
        assert_eq!(outcome.totals.accepted, 3, "{name}");
        let at = usize::try_from(outcome.rejects[0].byte_offset).unwrap();
        assert!(bytes[at..].starts_with(&encode("bad", label)), "{name} {at}");
    }
    let old_mac = encode("name,b\rx,1\ry\r", "utf-16le");
    let outcome = read(&declared(Some("utf-16")), &old_mac);
    assert_eq!((outcome.totals.accepted, outcome.rejects[0].byte_offset), (1, 22));
}

#[test]
fn an_invalid_sequence_rejects_only_its_row() {
    let mut utf_16 = encode("name,b\na,1\n", "utf-16le");
    // A lone surrogate, and half a code unit at the end.
    utf_16.extend([0x3d, 0xd8]);
    utf_16.extend(encode(",2\nc,3\n", "utf-16le"));
    utf_16.push(b'x');
    let outcome = read(&declared(Some("utf-16le")), &utf_16);
    assert_eq!(outcome.reject_summary(), ["2@3 invalid_encoding", "4@5 invalid_encoding"]);
    assert_eq!(outcome.values(), [["a", "1"], ["c", "3"]]);
    assert_eq!(outcome.rejects[0].raw, "\u{fffd},2");
    assert_eq!(outcome.rejects[0].byte_offset, 22);
    assert_eq!(&*outcome.rejects[0].reasons[0].rule, "encoding UTF-16LE");
    let outcome = read(&declared(Some("shift_jis")), b"name,b\na,1\n\x83\n\xff,2\nc,3\n");
    assert_eq!(outcome.reject_summary(), ["2@3 invalid_encoding", "3@4 invalid_encoding"]);
    assert_eq!(outcome.values(), [["a", "1"], ["c", "3"]]);
}

#[test]
fn windows_1252_is_assumed_if_no_sequence_is_utf_8() {
    let western = b"name,b\nStra\xdfe,\xe4\nM\xfcnchen,\x80\n";
    let outcome = read(&declared(None), western);
    assert_eq!(outcome.values(), [["Straße", "ä"], ["München", "€"]]);
    assert_eq!(outcome.dialect.encoding, "windows-1252");
    assert!(outcome.dialect.assumed.contains(&"encoding".to_owned()));
    // Damaged UTF-8 is not mistaken for another encoding, and the declared encoding is used even if it does not match.
    let damaged = [&b"name,b\nx,\xff\ny,\xff\nz,\xff\n"[..], "äöüß,1\n".as_bytes()].concat();
    let outcome = read(&declared(None), &damaged);
    assert_eq!((outcome.dialect.encoding.as_str(), outcome.rejects.len()), ("UTF-8", 3));
    assert_eq!(read(&declared(Some("utf-8")), western).rejects.len(), 2);
}

fn encoding_of(rows: &[&[u8]]) -> (String, Vec<String>) {
    let file = [&b"name,b\n"[..], &rows.join(&b"\n"[..])].concat();
    let outcome = read(&declared(None), &file);
    assert!(outcome.dialect.assumed.contains(&"encoding".to_owned()));
    (outcome.dialect.encoding.clone(), outcome.reject_summary())
}

#[test]
fn the_encoding_is_detected_from_the_whole_sample() {
    let is = |encoding: &str, rejects: &[&str]| {
        (encoding.to_owned(), rejects.iter().map(|reject| (*reject).to_owned()).collect::<Vec<_>>())
    };
    // Two non-ASCII characters of windows-1252 and none of UTF-8.
    assert_eq!(encoding_of(&[b"M\xfcller,1", b"x,2", b"Stra\xdfe,3"]), is("windows-1252", &[]));
    assert_eq!(encoding_of(&[b"caf\xe9 \x80 5\x85,1"]), is("windows-1252", &[]));
    // A single invalid byte is damage, and so is one next to valid UTF-8.
    assert_eq!(encoding_of(&[b"M\xfcller,1", b"x,2"]), is("UTF-8", &["1@2 invalid_encoding"]));
    assert_eq!(encoding_of(&["Müller,1".as_bytes(), b"M\xfcller,2"]), is("UTF-8", &["2@3 invalid_encoding"]));
    let mixed = [b"\xe9,1", b"\xe9,2", b"\xe9,3"].map(|row| &row[..]);
    let mixed: Vec<&[u8]> = mixed.into_iter().chain(["é,4".as_bytes()]).collect();
    let rejects = ["1@2 invalid_encoding", "2@3 invalid_encoding", "3@4 invalid_encoding"];
    assert_eq!(encoding_of(&mixed), is("UTF-8", &rejects));
    // Two characters of windows-1252 can form a valid UTF-8 sequence by chance: `É»`.
    let quotation = [&b"\xabCAF\xc9\xbb,1"[..], b"\xe9t\xe9,2", b"\xe0,3", b"\xe7a,4"];
    assert_eq!(encoding_of(&quotation), is("windows-1252", &[]));
    // Encoded surrogates are invalid, but no evidence of another encoding.
    let surrogates = b"\xed\xa0\xbd\xed\xb8\x80,1";
    assert_eq!(
        encoding_of(&[surrogates, b"x,2", surrogates]),
        is("UTF-8", &["1@2 invalid_encoding", "3@4 invalid_encoding"])
    );
}

#[test]
fn other_encodings_are_not_mistaken_for_windows_1252() {
    let russian = encode("Привет,1\nмир,2\nМосква,3", "windows-1251");
    let chinese = encode("中文名,1\n数据,2\n测试,3", "gbk");
    let dos = b"B\x84r,1\nK\x94ln,2\nM\x84dchen,3".to_vec();
    for file in [russian, chinese, dos] {
        let file = [b"name,b\n", &file[..]].concat();
        let error = read_with(&declared(None), Limits::default(), &*file).unwrap_err();
        assert_eq!(error.code(), "unknown_encoding", "{file:?}");
    }
}

#[test]
fn the_sample_for_the_encoding_extends_over_a_long_ascii_beginning() {
    let file = |rows: usize| {
        let ascii = "0123456789,1234\n".repeat(rows);
        [b"name,b\n", ascii.as_bytes(), b"M\xfcller,1\nStra\xdfe,2\n"].concat()
    };
    let near = read(&declared(None), file(60_000));
    assert_eq!((near.dialect.encoding.as_str(), near.rejects.len()), ("windows-1252", 0));
    let far = read(&declared(None), file(70_000));
    assert_eq!((far.dialect.encoding.as_str(), far.rejects.len()), ("UTF-8", 2));
}

#[test]
fn ndjson_is_read_in_utf_16() {
    let mut contract = contract(FormatKind::Ndjson, vec![text("a")]);
    contract.format.encoding = Some("utf-16".to_owned());
    let outcome = read(&contract, encode("{\"a\":\"ü\"}\n{\"a\":}\n", "utf-16le"));
    assert_eq!(
        (outcome.values(), outcome.reject_summary()),
        (vec![vec!["ü".to_owned()]], vec!["2@2 invalid_json".to_owned()])
    );
    assert_eq!(outcome.rejects[0].byte_offset, 20);
}

#[test]
fn json_without_a_declared_encoding_is_never_windows_1252() {
    // Characters of windows-1252, and a surrogate pair whose halves are encoded separately (CESU-8).
    let broken: [&[u8]; 3] = [b"Stra\xdfe", b"\xe4\xf6\xfc", b"\xed\xa0\xbd\xed\xb8\x80"];
    let objects: Vec<Vec<u8>> = broken.iter().map(|text| [b"{\"a\":\"", *text, b"\"}"].concat()).collect();
    let lines = [&objects.join(&b'\n')[..], b"\n{\"a\":\"ok\"}"].concat();
    let array = [b"[", &objects.join(&b',')[..], b",{\"a\":\"ok\"}]"].concat();
    for (kind, file) in [(FormatKind::Ndjson, lines), (FormatKind::JsonArray { path: vec![] }, array)] {
        let outcome = read(&contract(kind, vec![text("a")]), &file);
        assert_eq!(outcome.dialect.encoding, "UTF-8");
        assert_eq!(outcome.values(), [["ok"]]);
        let codes: Vec<String> = outcome.rejects.iter().map(|row| row.reasons[0].code.to_string()).collect();
        assert_eq!(codes, ["invalid_encoding"; 3]);
    }
    let mut declared = contract(FormatKind::Ndjson, vec![text("a")]);
    declared.format.encoding = Some("windows-1252".to_owned());
    assert_eq!(read(&declared, &objects[0]).values(), [["Straße"]]);
}

proptest! {
    #[test]
    fn transcoded_files_give_the_same_rows_as_utf_8(
        pieces in prop::collection::vec(prop_oneof![
            Just("a,b\n"), Just("\""), Just("é"), Just("電"), Just("𐍈"), Just("\r\n"), Just("\r"), Just("\n"), Just(","), Just("xx"),
        ], 0..80),
        sizes in prop::collection::vec(1..9_usize, 1..4),
        is_little_endian in any::<bool>(),
    ) {
        let file = format!("name,b\n{}", pieces.concat());
        let expected = read(&declared(Some("utf-8")), &file);
        for label in [if is_little_endian { "utf-16le" } else { "utf-16be" }, "gb18030"] {
            let bytes = encode(&file, label);
            let plan = Arc::new(Plan::compile(&declared(Some(label))).unwrap());
            let found = read_plan(&plan, Limits::default(), ShortReads { rest: &bytes, sizes: sizes.clone(), at: 0 }).unwrap();
            prop_assert_eq!(&found.chunks, &expected.chunks);
            prop_assert_eq!(found.reject_summary(), expected.reject_summary());
            for (found, expected) in found.rejects.iter().zip(&expected.rejects) {
                prop_assert_eq!(&found.raw, &expected.raw);
                let start = usize::try_from(expected.byte_offset).unwrap();
                prop_assert_eq!(found.byte_offset, encode(&file[..start], label).len() as u64);
            }
        }
    }
}
