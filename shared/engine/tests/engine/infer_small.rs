//! Small samples of every kind: the inferred contract accepts its sample, or the error describes the sample.

use std::io::Write as _;

use penstock_contract::{FormatKind, Quote};
use penstock_engine::FileFormat;
use penstock_engine::infer::{InferOptions, KnownFormat};

use crate::infer::{column_summary, contract_of, infer_with};
use crate::infer_samples::{accepted, accepted_with, dialect, values};

/// Samples that their contract accepts, with the numbers of rows that are read and rejected.
const ACCEPTED: [(&str, u64, u64); 62] = [
    ("id,name\n1,a\n", 1, 0),
    ("id,name\r\n1,a\r\n2,b\r\n", 2, 0),
    ("id,name\r1,a\r2,b\r", 2, 0),
    ("\u{feff}id,name\n1,ä\n2,b\n", 2, 0),
    ("id\tname\n1\ta b, c; d\n2\tx, y\n", 2, 0),
    ("id;name;price\n1;a;1,5\n2;b;2,5\n", 2, 0),
    ("id^name\n1^a\n2^b\n", 2, 0),
    ("id~name~x\n1~a~2\n2~b~3\n", 2, 0),
    ("id:name:price\n1:a:2.5\n2:b:3.5\n", 2, 0),
    ("10:00\n11:00\n12:30\n", 3, 0),
    ("sep=;\nid;name\n1;a\n2;b\n", 2, 0),
    ("name\na\nb\n", 2, 0),
    ("5", 1, 0),
    ("a,b\nc,d\ne,f\n", 2, 0),
    ("1,a,2024-01-01\n2,b,2024-01-02\n", 2, 0),
    ("id,name\n1,a\n,\n,\n2,b\n,\n", 5, 0),
    ("id,name,x\n1,a\n2,b\n3,c,d\n", 3, 2),
    ("id,name\n1,a,z\n2,b\n3,c\n", 3, 1),
    ("id,name\n1,a\nid,name\n2,b\n", 2, 0),
    ("id,name\n1,a,\n2,b,\n", 2, 0),
    (",a,b\n0,1,2\n1,3,4\n", 2, 0),
    ("id, name, price\n1, \"plain\", 2\n2, \"x, y\", 3\n", 2, 0),
    ("id ,name ,price\n1 ,\"a\" ,2\n3 ,\"b, c\" ,4\n", 2, 0),
    ("id,name\n1,'a, b'\n2,'c'\n", 2, 0),
    ("id,name\n1,O'Hara\n2,'tis\n3,x\n", 3, 0),
    ("id,name\n1,\"a \\\" b, c\"\n2,\"d\"\n", 2, 0),
    ("id,name\n1,a\\, b\n2,d\n", 2, 1),
    ("id,name\n1,a\n2,b\nTotal: 2\n", 3, 1),
    ("Report\nDate: 2024-01-01\n\nid,name,price\n1,a,2\n2,b,3\n", 2, 0),
    ("\"Report, 2024\"\n\"all \"\"shops\"\"\"\nid,name,price\n1,a,2\n2,b,3\n", 2, 0),
    ("# one, two\n# three\nid,name\n1,a\n2,b\n", 2, 0),
    ("id,d\n1,01.02.24\n2,03.04.24\n", 2, 0),
    ("id,d\n1,01/02/2024\n2,03/04/2024\n", 2, 0),
    ("id,d\n1,0024-12-10\n2,0999-01-01\n", 2, 0),
    ("id,v\n1,1.5\n2,NaN\n3,inf\n", 3, 0),
    ("id,v\n1,#N/A\n2,#REF!\n3,5\n", 3, 0),
    ("id,v\n1,(5.00)\n2,3-\n3,7%\n", 3, 0),
    ("id,e\n1,\n2,\n", 2, 0),
    ("id,e\n1,NULL\n2,n/a\n", 2, 0),
    ("id,a,a\n1,2,3\n2,3,4\n", 2, 0),
    ("id,A,a\n1,2,3\n2,3,4\n", 2, 0),
    ("\"id\",\"na\nme\"\n1,a\n2,b\n", 2, 0),
    ("id,doc\n1,\"{\"\"a\"\":1}\"\n2,\"{\"\"b\"\":2}\"\n", 2, 0),
    ("id,name\n1,\"\"\"a\"\"\"\n2,\"\"\"b\"\"\"\n", 2, 0),
    ("id,name\n1,a\u{0}b\n2,c\n", 2, 1),
    ("id,name\n1,\"a, b\"\n2,\"b\" x\n3,\"c, d\"\n", 3, 1),
    ("[section]\na=1\nb=2\n", 2, 0),
    ("[id],[name]\n1,a\n2,b\n", 2, 0),
    ("- a: 1\n  b: 2\n- a: 2\n", 2, 0),
    ("{\"a\":1}", 1, 0),
    ("{\"id\":1,\"a\":\"x\"}\n{\"id\":2,\"a\":null}\n", 2, 0),
    ("{\"id\":1,\"a\":\"x\"}\n{\"id\":2,\n{\"id\":3,\"a\":\"y\"}\n", 3, 1),
    ("{\"id\":[1,2],\"name\":[\"a\",\"b\"]}", 1, 0),
    ("{\"k1\":{\"id\":1},\"k2\":{\"id\":2}}", 1, 0),
    ("{\"id\":1,\"lines\":[{\"a\":1},{\"a\":2}]}\n{\"id\":2,\"lines\":[{\"a\":3}]}\n", 2, 0),
    ("[{\"id\":1}]\n[{\"id\":2}]\n", 2, 0),
    ("  \n\n [\n {\"id\":1}\n]\n", 1, 0),
    ("[{\"a\":1},2,{\"a\":3}]", 3, 1),
    ("[2,{\"a\":1},{\"a\":3}]", 3, 1),
    ("[{\"a\":1,\"a\":2},{\"a\":3}]", 2, 1),
    ("[{\"\":1,\"a b\":2,\" c\":3,\"d\\n\":4,\"id\":5}]", 1, 0),
    ("[{\"id\":1,\"v\":1},{\"id\":2,\"v\":\"x\"},{\"id\":3,\"v\":{\"a\":1}},{\"id\":4,\"v\":[1]}]", 4, 0),
];

#[test]
fn an_inferred_contract_accepts_any_small_sample() {
    for (sample, rows, rejected) in ACCEPTED {
        let (_, outcome) = accepted(sample.as_bytes());
        let totals = outcome.totals;
        assert_eq!((totals.rows_read, totals.rejected), (rows, rejected), "{sample}");
    }
}

#[test]
fn other_encodings_and_compressions_are_accepted_too() {
    let text = "id,name\n1,Müller\n2,Größe\n3,Übermaß\n";
    let utf_16: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let utf_16_without_mark: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for sample in [utf_16, utf_16_without_mark, latin, gzip.finish().unwrap(), zstd] {
        let (_, outcome) = accepted(&sample);
        assert_eq!(values(&outcome)[2], ["3", "Übermaß"]);
    }
}

#[test]
fn the_error_describes_a_sample_that_no_contract_accepts() {
    let random: Vec<u8> = (0..5_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let deep = format!("[{{\"a\":{}{}}}]", "[".repeat(300), "]".repeat(300));
    for (sample, message) in [
        (&b""[..], "(empty)"),
        (b"id,name\n", "it has columns and no rows"),
        (b"id,name\n,\n,\n", "all of its rows are blank"),
        (b",,,\n,,,\n", "no named columns; add a header"),
        (b"id,name\n1,\"\"a\"\"\n2,\"\"b\"\"\n", "(malformed_quote 2); specify its dialect"),
        (b"[1,2]", "none of the 2 elements of its array is an object"),
        (b"[ 1, 2 ]\n", "none of the 2 elements of its array is an object"),
        (b"[null]", "the element of its array is not an object"),
        (b"[[1,\"a\"],[2,\"b\"]]", "none of the 2 elements"),
        (b"[\"a\",\"b\"]", "none of the 2 elements"),
        (b"[1,\"a\"]\n[2,\"b\"]\n", "none of the 4 elements"),
        (b"[1,2", "(open_array)"),
        (b"[]", "its array is empty"),
        (b"\"x\"", "the sample is a single value"),
        (b"null\n", "the sample is a single value"),
        (b"true", "the sample is a single value"),
        (b"{}", "no named columns; provide objects with keys"),
        (b"[{},{}]", "no named columns; provide objects with keys"),
        (
            b"{\n \"a\": 1,\n \"b\": 2\n}\n",
            "none of its 4 lines is an object, and a single object of several lines",
        ),
        (b"{\n\"data\":\n[1,2,3]\n}", "none of its 4 lines"),
        (deep.as_bytes(), "nested more than 128 levels"),
        (b"[{\"id\":1},{\"id\":2},{\"i", "(open_array)"),
        (b"[{\"id\":1}] x", "(malformed_document)"),
        (b"[{\"n\":\"M\xfcller\"}]", "its text is not UTF-8"),
        (b"{\"a\":1}{\"a\":2}", "(invalid_json 1); provide one with a well-formed object per line"),
        (b"{\"a\":1},\n{\"a\":2},\n", "(invalid_json 2); provide one with a well-formed object per line"),
        (&random, "the sample is binary"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0", "the sample is binary"),
        (b"\x80\x04\x95\x0f\0\0\0\0\0\0\0]\x94(K\x01K\x02e.", "the sample is binary"),
        (b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff", "the sample is binary"),
        (&[0; 1_000], "the sample is binary"),
        (b"\x89PNG\r\n\x1a\n\0", "an image (PNG)"),
        (b"<html><body></body></html>", "an HTML page"),
    ] {
        let error = infer_with(sample, &InferOptions::default()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}\n{}", String::from_utf8_lossy(sample));
        assert!(!error.contains("contract says") && !error.contains("please report"), "{error}");
    }
}

#[test]
fn a_given_format_that_the_sample_does_not_have_is_an_error() {
    let (csv, json, parquet, avro) = (
        b"id,name\n1,a\n".as_slice(),
        b"{\"id\":1,\"a\":2}\n{\"id\":2,\"a\":3}\n".as_slice(),
        b"PAR1....PAR1".as_slice(),
        b"Obj\x01....".as_slice(),
    );
    for (sample, kind, message) in [
        (csv, FileFormat::Parquet, "the file is not Parquet; specify"),
        (csv, FileFormat::Avro, "the file is not Avro; specify"),
        (csv, FileFormat::Ndjson, "none of its 2 lines is an object"),
        (csv, FileFormat::JsonArray, "(no_array)"),
        (json, FileFormat::Delimited, "JSON with one object per line instead of delimited text"),
        (json, FileFormat::Parquet, "the file is not Parquet; specify"),
        (parquet, FileFormat::Delimited, "not delimited text, but Parquet; specify"),
        (parquet, FileFormat::Avro, "not Avro, but Parquet; specify"),
        (avro, FileFormat::Ndjson, "not JSON, but Avro; specify"),
    ] {
        let known = KnownFormat { kind: Some(kind), ..KnownFormat::default() };
        let options = InferOptions { known, ..InferOptions::default() };
        let error = infer_with(sample, &options).unwrap_err().to_string();
        assert!(error.contains(message) && !error.contains("contract"), "{kind:?}: {error}");
    }
}

#[test]
fn the_rows_of_a_json_envelope_are_those_of_its_array() {
    let known = |kind| KnownFormat { kind: Some(kind), ..KnownFormat::default() };
    let sample = "{\"data\":{\"items\":[{\"id\":1},{\"id\":2}],\"next\":null}}";
    let (inferred, outcome) = accepted(sample.as_bytes());
    let path = vec!["data".to_owned(), "items".to_owned()];
    assert_eq!(contract_of(&inferred).format.kind, FormatKind::JsonArray { path: path.clone() });
    assert_eq!(outcome.totals.accepted, 2);
    assert!(inferred.notes[0].contains("the array at `$.data.items`"), "{:?}", inferred.notes);
    // The same if the format is given, but without the note that it may be NDJSON.
    let (inferred, _) = accepted_with(sample.as_bytes(), known(FileFormat::JsonArray));
    assert_eq!(contract_of(&inferred).format.kind, FormatKind::JsonArray { path });
    assert!(!inferred.notes[0].contains("`--format ndjson`"), "{:?}", inferred.notes);
    let (inferred, outcome) = accepted_with(sample.as_bytes(), known(FileFormat::Ndjson));
    assert_eq!(
        (column_summary(&contract_of(&inferred)), outcome.totals.accepted),
        (vec!["data jsonb!".to_owned()], 1)
    );
}

#[test]
fn one_stray_quote_is_a_reject_and_several_are_ordinary_characters() {
    let (inferred, outcome) = accepted(b"id,name\n1,a\n2,\"b\n3,c\n4,d\n");
    assert_eq!(dialect(&inferred).quote, Some(Quote::Byte(b'"')), "{}", inferred.yaml);
    assert_eq!(outcome.totals.rejected, 1);
    // An apostrophe does not become the quote instead.
    let (inferred, _) = accepted(b"id,name\n1,O'Hara\n2,\"b\n3,c\n4,'tis\n");
    assert_eq!(dialect(&inferred).quote, Some(Quote::Byte(b'"')), "{}", inferred.yaml);

    let (inferred, outcome) = accepted(b"id,size\n1,5\" pipe\n2,\"half\n3,4 x 5\n");
    assert_eq!((dialect(&inferred).quote, outcome.totals.rejected), (Some(Quote::None), 0));
    let note = "quotes are ordinary characters (`penstock.quote: none`): 2 records have a `\"`";
    assert!(inferred.notes.iter().any(|found| found.contains(note)), "{:?}", inferred.notes);
}

#[test]
fn lines_that_are_quoted_as_a_whole_are_one_column() {
    for header in ["\"id,name,price\"", "id,name,price", "\"id,\"\"name\"\",price\""] {
        let rows: String = (0..20).map(|row| format!("\"{row},n {row},{row}.5\"\n")).collect();
        let (inferred, outcome) = accepted(format!("{header}\n{rows}").as_bytes());
        assert_eq!(dialect(&inferred).quote, Some(Quote::Byte(b'"')), "{}", inferred.yaml);
        assert_eq!(contract_of(&inferred).entity.columns.len(), 2, "with `_rescued`: {}", inferred.yaml);
        assert_eq!((outcome.totals.accepted, values(&outcome)[1][0].as_str()), (20, "1,n 1,1.5"));
        assert!(inferred.notes.iter().any(|note| note.contains("enclosed in quotes as a whole")));
    }
}

#[test]
fn a_doubled_delimiter_is_detected_in_few_rows() {
    for delimiter in ["||", "::", "~~", "##"] {
        for rows in [&["1|a|2.5"][..], &["1||2.5", "2|b|3.5"], &["1||2.5", "2||3.5"]] {
            let sample = format!("id|name|price\n{}\n", rows.join("\n")).replace('|', delimiter);
            let (inferred, outcome) = accepted(sample.as_bytes());
            assert_eq!(dialect(&inferred).delimiter.as_deref(), Some(delimiter), "{sample}");
            assert_eq!((outcome.totals.rejected, values(&outcome)[0].len()), (0, 3), "{sample}");
        }
    }
    let (inferred, _) = accepted(b"id|a|b|c\n1||x|\n2||y|\n");
    assert_eq!(dialect(&inferred).delimiter.as_deref(), Some("|"));
}

#[test]
fn a_quote_or_escape_is_never_the_delimiter() {
    for delimiter in [',', ';', '|'] {
        let mark = u8::try_from(delimiter).unwrap();
        let sample = "id,name,price\n1,a,1.50\n2,b,2.50\n".replace(',', &delimiter.to_string());
        let quoted = KnownFormat { quote: Some(Quote::Byte(mark)), ..KnownFormat::default() };
        let escaped = KnownFormat { escape: Some(mark), ..KnownFormat::default() };
        for known in [quoted, escaped] {
            let (inferred, outcome) = accepted_with(sample.as_bytes(), known);
            assert_ne!(dialect(&inferred).delimiter, Some(delimiter.to_string()), "{}", inferred.yaml);
            assert_eq!(outcome.totals.rows_read, 2);
        }
    }
}

#[test]
fn a_note_explains_why_there_is_no_key() {
    let long = "z".repeat(70);
    for (sample, why) in [
        ("id,x\n1,a\n".to_owned(), "one row does not show which column identifies it"),
        ("id,x\n1,a\n1,a\n".to_owned(), "no column has a different value in each row"),
        ("id,x\n1,a\n,a\n".to_owned(), "no column has a different value in each row"),
        (
            format!("id,x\n{long}1,a\n{long}2,a\n"),
            "`id` has a different value in each row, but some have more than 64",
        ),
        (
            "v\n1.5\n2.5\n".to_owned(),
            "`v` has a different value in each row, but is neither text nor a whole number",
        ),
    ] {
        let (inferred, _) = accepted(sample.as_bytes());
        assert!(inferred.notes.iter().any(|note| note.contains(why)), "{:?}", inferred.notes);
    }
}

#[test]
fn each_guess_is_reported() {
    let state =
        (0..400).map(|row| format!("{row},{},2024-01-01T00:00:{:02}Z\n", ["a", "b"][row % 2], row % 60));
    let (inferred, _) = accepted(format!("id,state,updated_at\n{}", state.collect::<String>()).as_bytes());
    for note in [
        "`id` is assumed to be the primary key",
        "`updated_at` is assumed to be the event time",
        "`state` may have only the 2 values of the sample",
    ] {
        assert!(inferred.notes.iter().any(|found| found.starts_with(note)), "{:?}", inferred.notes);
    }
    let (inferred, _) = accepted(b"region,2023,2024\na,1,2\nb,3,4\n");
    assert!(inferred.notes[0].starts_with("the first record has values"), "{:?}", inferred.notes);
}

#[test]
fn lines_of_keys_and_values_are_not_a_table_with_colons() {
    for sample in ["key: value\nname: x\n", "{\"a\":1}\u{1e}\n", "Name: Bob\nAge: 3\n"] {
        let known = KnownFormat { kind: Some(FileFormat::Delimited), ..KnownFormat::default() };
        let options = InferOptions { known, ..InferOptions::default() };
        let Ok(inferred) = infer_with(sample.as_bytes(), &options) else { continue };
        assert_ne!(dialect(&inferred).delimiter.as_deref(), Some(":"), "{}", inferred.yaml);
    }
}

#[test]
fn the_contract_is_inferred_from_at_most_max_rows() {
    let sample: String = (0..30).map(|row| format!("{row},name {row}\n")).collect();
    let sample = format!("id,name\n{sample}");
    for rows in [1, 2, 3, 7, 29, 30] {
        let options = InferOptions { max_rows: rows, ..InferOptions::default() };
        assert_eq!(infer_with(sample.as_bytes(), &options).unwrap().rows, rows);
    }
}
