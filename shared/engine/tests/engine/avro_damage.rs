//! Damaged, truncated, inconsistent and hostile Avro files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use penstock_contract::*;
use penstock_engine::{Limits, Plan};
use proptest::prelude::*;

use crate::avro_files::{MARKER, block, compress, file, header, long, record, string};
use crate::support::{Outcome, ShortReads, column, contract, read, read_plan, read_with, text};

fn avro() -> Contract {
    contract(FormatKind::Avro, vec![text("f")])
}

fn strings() -> String {
    record(&[("f", r#""string""#)])
}

fn shown(outcome: &Outcome) -> Vec<(String, u64, String)> {
    let summary = |reject: &penstock_engine::Reject| {
        let reason = &reject.reasons[0];
        (reason.code.to_string(), reject.byte_offset, reason.found.clone().unwrap_or_default())
    };
    outcome.rejects.iter().map(summary).collect()
}

/// Returns a file of three blocks, with `middle` as the second one, and the offset of `middle`.
fn around(schema: &str, codec: &str, middle: &[u8]) -> (Vec<u8>, u64) {
    let block = |text: &str| block(2, &compress(codec, &[string(text), string(text)].concat()));
    let before = [header(schema, codec), block("a")].concat();
    let start = before.len() as u64;
    ([before, middle.to_vec(), block("z")].concat(), start)
}

#[test]
fn a_damaged_block_loses_only_the_rest_of_its_rows() {
    let x = string("x");
    let marked = |count: &[u8], size: &[u8], bytes: &[u8]| [count, size, bytes, &MARKER].concat();
    let mut other_marker = block(2, &[x.clone(), x.clone()].concat());
    *other_marker.last_mut().unwrap() ^= 1;
    other_marker.extend_from_slice(&MARKER);
    let mut wrong_sum = compress("snappy", &x);
    *wrong_sum.last_mut().unwrap() ^= 1;
    let lost = |why: &str, rows: u64| format!("{why}; {rows} rows were lost, by the block's row count");
    let skipped = |why: &str, bytes: u64, rows: u64| {
        format!(
            "{why}; {bytes} bytes up to the next sync marker were skipped, with {rows} rows by the block's row count"
        )
    };
    let beyond = "a value extends beyond the end of the block";
    for (codec, middle, accepted, found) in [
        ("null", block(3, &[x.clone(), long(99), x.clone()].concat()), 1, lost(beyond, 2)),
        ("null", block(1, &long(-5)), 0, lost("a length is negative", 1)),
        ("null", block(i64::MAX, &x), 1, lost(beyond, i64::MAX as u64 - 1)),
        ("null", block(1, &[0xff; 11]), 0, lost("a number has more than 64 bits", 1)),
        ("null", block(1, &[x.clone(), x.clone()].concat()), 1, lost("2 bytes follow the last row", 0)),
        ("null", block(0, &x), 0, lost("the block contains bytes, but no rows", 0)),
        ("null", other_marker, 0, skipped("the block is not followed by the file's sync marker", 22, 2)),
        (
            "null",
            marked(&long(1), &long(1_000), &x),
            0,
            skipped("the block is not followed by the file's sync marker", 5, 1),
        ),
        (
            "null",
            marked(&long(1), &long(1), &x),
            0,
            skipped("the block is not followed by the file's sync marker", 4, 1),
        ),
        (
            "null",
            marked(&long(1), &long(1 << 40), &x),
            0,
            skipped("the block declares 1099511627776 bytes", 9, 1),
        ),
        (
            "null",
            marked(&long(-1), &long(2), &x),
            0,
            skipped("the block does not begin with its row count and size", 4, 0),
        ),
        (
            "null",
            marked(&long(1), &long(-2), &x),
            0,
            skipped("the block does not begin with its row count and size", 4, 0),
        ),
        ("snappy", block(1, &wrong_sum), 0, lost("the block does not match its checksum", 1)),
        ("snappy", block(1, b"abc"), 0, lost("the block is shorter than its checksum", 1)),
        (
            "snappy",
            block(1, &[0xff, 0xff, 0x7f, 0, 0, 0, 0]),
            0,
            lost("the block declares more bytes than it can decompress to", 1),
        ),
    ] {
        let (file, start) = around(&strings(), codec, &middle);
        let outcome = read(&avro(), file);
        let values = outcome.values().concat();
        assert_eq!(values, [vec!["a"; 2], vec!["x"; accepted], vec!["z"; 2]].concat(), "{found}");
        let code = if found.contains("1099511627776") { "record_too_long" } else { "malformed_block" };
        assert_eq!(shown(&outcome), [(code.to_owned(), start, found.clone())]);
        // Lost rows are counted as the block declares them, up to the maximum of a block.
        let declared = found.rsplit_once(" rows").and_then(|(before, _)| before.rsplit(' ').next());
        let rows = declared.and_then(|rows| rows.parse().ok()).unwrap_or(0_u64);
        let rows = rows.clamp(1, Limits::default().max_block_bytes as u64);
        assert_eq!((outcome.rejects[0].row, outcome.rejects[0].rows), (3 + accepted as u64, rows), "{found}");
        assert_eq!(outcome.totals.rows_read, 4 + accepted as u64 + rows);
    }
}

#[test]
fn a_block_of_any_codec_that_cannot_be_decompressed_is_a_reject() {
    for codec in ["deflate", "zstandard", "bzip2", "xz"] {
        let mut bytes = compress(codec, &string("x".repeat(1_000)));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        bytes.truncate(bytes.len() - 2);
        let (file, start) = around(&strings(), codec, &block(1, &bytes));
        let outcome = read(&avro(), file);
        assert_eq!(outcome.values().concat(), ["a", "a", "z", "z"], "{codec}");
        let (code, offset, found) = &shown(&outcome)[0];
        assert_eq!((code.as_str(), *offset), ("malformed_block", start), "{codec}");
        assert!(found.starts_with("the block cannot be decompressed: "), "{codec}: {found}");
    }
}

#[test]
fn an_invalid_string_or_a_long_row_is_rejected_alone() {
    let schema = record(&[("f", r#""string""#), ("g", r#"{"type":"array","items":"string"}"#)]);
    let row = |f: &[u8], g: &[u8]| [string(f), long(1), string(g), long(0)].concat();
    let rows = [row(b"\xff", b""), row(b"a", b"\xff"), row(&[b'y'; 50], b""), row(b"good", b"")];
    let list = column("g", LogicalType::Array { items: None }, SqlType::Jsonb);
    let contract = contract(FormatKind::Avro, vec![text("f"), list]);
    let limits = Limits { max_record_bytes: 40, ..Limits::default() };
    let outcome = read_with(&contract, limits, &file(&schema, &rows)[..]).unwrap();
    assert_eq!(
        outcome.reject_summary(),
        ["1@1 invalid_encoding", "2@2 invalid_encoding:g", "3@3 record_too_long"]
    );
    assert_eq!(outcome.values(), [["good", r#"[""]"#]]);
    assert_eq!(outcome.rejects[1].raw, r#"{"f":"a","g":["\\xff"]}"#);
    assert_eq!(outcome.rejects[2].reasons[0].found.as_deref(), Some("54 bytes"));
}

#[test]
fn an_invalid_string_that_no_column_reads_is_rescued_in_hexadecimal() {
    let schema = record(&[("f", r#""string""#), ("more", r#""string""#)]);
    let rows = [string("a"), string([0xff]), string("b"), string("fine")].concat();
    let file = [header(&schema, "null"), block(2, &rows)].concat();
    let rescued = column("_rescued", LogicalType::Object { properties: vec![] }, SqlType::Jsonb);
    for (unexpected_columns, columns, rejects) in [
        (UnexpectedColumns::Rescue, vec![text("f"), rescued], vec![]),
        (UnexpectedColumns::Reject, vec![text("f")], vec!["1@1 unexpected_column", "2@2 unexpected_column"]),
        (UnexpectedColumns::Ignore, vec![text("f")], vec![]),
    ] {
        let outcome = read(&Contract { unexpected_columns, ..contract(FormatKind::Avro, columns) }, &file);
        assert_eq!(outcome.reject_summary(), rejects);
        if unexpected_columns == UnexpectedColumns::Rescue {
            assert_eq!(outcome.values(), [["a", r#"{"more":"\\xff"}"#], ["b", r#"{"more":"fine"}"#]]);
        }
    }
}

#[test]
fn a_file_with_an_invalid_header_or_end_is_an_error() {
    let schema = strings();
    let entry = |key: &str, value: &[u8]| {
        [b"Obj\x01", &long(1)[..], &string(key), &string(value), &long(0), &MARKER].concat()
    };
    let whole = file(&schema, &[string("x")]);
    for (bytes, code, message) in [
        (b"PAR1 and more".to_vec(), "wrong_format", "the file is not an Avro object container file"),
        (b"Obj".to_vec(), "wrong_format", "the file is not an Avro object container file"),
        (vec![], "empty", "the file is empty"),
        (b"Obj\x01".to_vec(), "malformed_header", "the file ends inside its header"),
        (entry("avro.codec", b"lzo"), "malformed_header", "the codec `lzo` is not supported"),
        (entry("who", b"me"), "malformed_header", "the header has no `avro.schema`"),
        (entry("avro.schema", b"{"), "malformed_header", "the schema is not valid JSON"),
        (entry("avro.schema", &[0xff]), "malformed_header", "the schema is not UTF-8"),
        (entry("avro.schema", b"\"int\""), "malformed_header", "the schema is not a record"),
        (
            [b"Obj\x01", &long(1)[..], &long(1 << 40)].concat(),
            "malformed_header",
            "the header has more than 1048576 bytes, or an entry of more than 524288 bytes",
        ),
        ([b"Obj\x01", &long(1)[..], &long(-1)].concat(), "malformed_header", "the header has more than"),
        (
            [&b"Obj\x01"[..], &[0xff; 10]].concat(),
            "malformed_header",
            "the header has a number of more than 64 bits",
        ),
        (
            whole[..whole.len() - 1].to_vec(),
            "truncated_file",
            "the file ends inside the block that begins here",
        ),
        (whole[..whole.len() - MARKER.len()].to_vec(), "truncated_file", "the file ends inside the block"),
    ] {
        let error = read_with(&avro(), Limits::default(), &bytes[..]).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let twice = record(&[("f", r#""string""#), ("f", r#""string""#)]);
    assert_eq!(
        read_with(&avro(), Limits::default(), &file(&twice, &[])[..]).unwrap_err().code(),
        "duplicate_columns"
    );
}

#[test]
fn rows_before_a_truncation_are_returned_block_by_block() {
    let rows: Vec<Vec<u8>> = (0..10).map(|row| string(row.to_string())).collect();
    let schema = strings();
    let bytes = [header(&schema, "null"), block(10, &rows.concat()), long(5)].concat();
    let plan = Arc::new(Plan::compile(&avro()).unwrap());
    let limits = Limits { chunk_rows: 4, ..Limits::default() };
    let mut reader = penstock_engine::Reader::open(&plan, limits, &bytes[..]).unwrap();
    for _ in 0..2 {
        assert_eq!(reader.next_block().unwrap().unwrap().rows.count, 4);
    }
    assert_eq!(reader.next_block().unwrap_err().code(), "truncated_file");
}

/// Reads a file and asserts that it takes less than five seconds.
fn read_soon(contract: &Contract, file: &[u8]) -> Outcome {
    let start = Instant::now();
    let outcome = read(contract, file);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    outcome
}

#[test]
fn the_number_of_values_that_take_no_bytes_is_limited() {
    let nulls = record(&[("f", r#"{"type":"array","items":"null"}"#)]);
    let many = [long(i64::MAX), long(0)].concat();
    let deep = record(&[(
        "f",
        r#"["null",{"type":"record","name":"node","fields":[{"name":"next","type":"node"}]}]"#,
    )]);
    let list =
        r#"["null",{"type":"record","name":"list","fields":[{"name":"next","type":["null","list"]}]}]"#;
    let document = || column("f", LogicalType::Object { properties: vec![] }, SqlType::Jsonb);
    let too_many = "a row has too many values that occupy no bytes";
    for (schema, rows, bytes, why) in [
        (nulls, 1, many, too_many),
        (deep, 1, long(1), "a value is nested too deeply"),
        (record(&[("f", list)]), 1, [vec![2; 100_000], vec![0]].concat(), "a value is nested too deeply"),
        (
            record(&[("f", r#""null""#)]),
            i64::MAX,
            vec![],
            "the block has more than 1000 rows that occupy no bytes",
        ),
        (record(&[]), i64::MAX, vec![], "the block has more than 1000 rows that occupy no bytes"),
    ] {
        let has_field = schema != record(&[]);
        let columns = [vec![document()], vec![]];
        // A file that has none of the contract's columns would be refused.
        for columns in columns.into_iter().filter(|columns| has_field || columns.is_empty()) {
            let contract =
                Contract { missing_columns: MissingColumns::Null, ..contract(FormatKind::Avro, columns) };
            let contract = Contract { unexpected_columns: UnexpectedColumns::Ignore, ..contract };
            let outcome = read_soon(&contract, &[header(&schema, "null"), block(rows, &bytes)].concat());
            let found = &shown(&outcome).last().unwrap().2.clone();
            assert!(found.starts_with(why), "{found}");
        }
    }
}

#[test]
fn exponentially_nested_types_are_refused_quickly() {
    let steps = (1..40).map(|step| {
        let before = step - 1;
        let fields = format!(r#"{{"name":"a","type":"n{before}"}},{{"name":"b","type":"n{before}"}}"#);
        format!(r#"{{"type":"record","name":"n{step}","fields":[{fields}]}}"#)
    });
    let first = r#"{"type":"record","name":"n0","fields":[{"name":"x","type":"null"}]}"#.to_owned();
    let union = std::iter::once(first).chain(steps).collect::<Vec<_>>().join(",");
    let schema = record(&[("f", &format!("[{union}]"))]);
    let outcome = read_soon(&avro(), &file(&schema, &[long(39)]));
    assert!(
        shown(&outcome)[0].2.starts_with("a row has too many values that occupy no bytes"),
        "{:?}",
        shown(&outcome)
    );
}

#[test]
fn a_block_that_decompresses_to_too_many_bytes_is_a_reject() {
    let rows = string("x".repeat(3 << 20));
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let (file, start) = around(&strings(), codec, &block(1, &compress(codec, &rows)));
        let limits = Limits { max_block_bytes: 1 << 20, max_record_bytes: 1 << 22, ..Limits::default() };
        let outcome = read_with(&avro(), limits, &file[..]).unwrap();
        assert_eq!(outcome.values().concat(), ["a", "a", "z", "z"], "{codec}");
        let (code, offset, found) = &shown(&outcome)[0];
        let is_expected = found.contains("more than 1048576 bytes") || code == "record_too_long";
        assert!(is_expected && *offset == start, "{codec}: {found}");
    }
}

fn sample(codec: &str) -> (Contract, Vec<u8>) {
    let schema = record(&[
        ("f", r#"["null","string"]"#),
        ("n", r#"{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}"#),
        ("d", r#"{"type":"map","values":{"type":"array","items":["int","string","null"]}}"#),
        ("t", r#"{"type":"long","logicalType":"timestamp-nanos"}"#),
    ]);
    let row = |row: i64| {
        let list = [long(2), long(0), long(row), long(1), string("é"), long(0)].concat();
        let map = [long(1), string("k"), list, long(0)].concat();
        [
            long(1),
            string(format!("row {row}")),
            string([1, u8::try_from(row).unwrap()]),
            map,
            long(row * 1_000),
        ]
        .concat()
    };
    let blocks = (0..4).map(|start| {
        let rows: Vec<u8> = (start * 5..start * 5 + 5).flat_map(row).collect();
        block(5, &compress(codec, &rows))
    });
    let blocks: Vec<u8> = blocks.collect::<Vec<_>>().concat();
    let default_timezone = "UTC".to_owned();
    let columns = vec![
        text("f"),
        column("n", LogicalType::Number, SqlType::Numeric(None)),
        column("d", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
        column("t", LogicalType::Timestamp { format: None, default_timezone }, SqlType::Timestamptz),
    ];
    (contract(FormatKind::Avro, columns), [header(&schema, codec), blocks].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    // `read_plan` asserts for every outcome that the rows read are the accepted, rejected and blank ones.
    #[test]
    fn flipped_and_missing_bytes_give_rejects_or_an_error(
        codec in prop::sample::select(vec!["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        sizes in prop::collection::vec(1..60_usize, 1..8),
    ) {
        let (contract, mut file) = sample(codec);
        let whole = read(&contract, &file).totals;
        prop_assert_eq!((whole.accepted, whole.rejected), (20, 0));
        for (at, bits) in flips {
            let at = at.index(file.len());
            file[at] ^= bits;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let plan = Arc::new(Plan::compile(&contract).unwrap());
        let once = read_plan(&plan, Limits::default(), &file[..]);
        let in_pieces = read_plan(&plan, Limits::default(), ShortReads { rest: &file, sizes, at: 0 });
        match (once, in_pieces) {
            (Ok(once), Ok(in_pieces)) => prop_assert_eq!(once, in_pieces),
            (Err(once), Err(in_pieces)) => prop_assert_eq!(once.to_string(), in_pieces.to_string()),
            (once, in_pieces) => prop_assert!(false, "{:?} {:?}", once, in_pieces),
        }
    }

    #[test]
    fn a_damaged_block_does_not_affect_the_rows_of_other_blocks(
        at in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        let (contract, mut file) = sample("null");
        let expected = read(&contract, &file).values();
        let first = file.windows(MARKER.len()).position(|window| window == MARKER).unwrap() + MARKER.len();
        let second = first + file[first..].windows(MARKER.len()).position(|window| window == MARKER).unwrap() + MARKER.len();
        let at = first + at.index(second - first);
        file[at] ^= bits;
        let found = read(&contract, file).values();
        let unaffected = &expected[5..];
        prop_assert!(found.ends_with(unaffected) && found.len() <= 20 || found.ends_with(&expected[10..]), "{:?}", found);
    }
}
