//! Builders of Avro object container files, well-formed and damaged ones, byte by byte.

use std::io::Write;

/// The sync marker of all files built here.
pub(crate) const MARKER: [u8; 16] = *b"sixteen letters.";

/// Encodes a number as a zigzag varint.
pub(crate) fn long(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// Encodes a string or bytes.
pub(crate) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    [&long(text.as_ref().len() as i64), text.as_ref()].concat()
}

/// Returns the schema of a record with these fields, each a name and a type in JSON.
pub(crate) fn record(fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, kind)| format!(r#"{{"name":"{name}","type":{kind}}}"#)).collect();
    format!(r#"{{"type":"record","name":"row","fields":[{}]}}"#, fields.join(","))
}

pub(crate) fn header(schema: &str, codec: &str) -> Vec<u8> {
    let entries = [
        string("avro.schema"),
        string(schema),
        string("avro.codec"),
        string(codec),
        string("who"),
        string("me"),
    ];
    [&b"Obj\x01"[..], &long(3), &entries.concat(), &long(0), &MARKER].concat()
}

/// Encodes a block. `bytes` are already compressed.
pub(crate) fn block(rows: i64, bytes: &[u8]) -> Vec<u8> {
    [&long(rows), &long(bytes.len() as i64), bytes, &MARKER].concat()
}

/// Returns a file with one block of these rows.
pub(crate) fn file(schema: &str, rows: &[Vec<u8>]) -> Vec<u8> {
    [header(schema, "null"), block(rows.len() as i64, &rows.concat())].concat()
}

pub(crate) fn compress(codec: &str, bytes: &[u8]) -> Vec<u8> {
    match codec {
        "null" => bytes.to_vec(),
        "deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "snappy" => {
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            let mut block = snap::raw::Encoder::new().compress_vec(bytes).unwrap();
            block.extend_from_slice(&crc.sum().to_be_bytes());
            block
        }
        "zstandard" => zstd::encode_all(bytes, 3).unwrap(),
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "xz" => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        other => panic!("{other}"),
    }
}

/// Returns the content of `tests/golden/engine/avro/input.avro`: accepted rows, and rejects of each kind.
pub(crate) fn golden() -> Vec<u8> {
    let schema = record(&[
        ("id", r#""long""#),
        ("Name", r#"["null","string"]"#),
        ("price", r#"{"type":"bytes","logicalType":"decimal","precision":12,"scale":3}"#),
        ("day", r#"{"type":"int","logicalType":"date"}"#),
        ("seen", r#"{"type":"long","logicalType":"timestamp-nanos"}"#),
        ("size", r#"["long","double","string"]"#),
        ("secret", r#""string""#),
        ("tags", r#"{"type":"array","items":"string"}"#),
        ("extra", r#"{"type":"enum","name":"colour","symbols":["RED","BLUE"]}"#),
    ]);
    let row = |id: i64, name: &[u8], price: &[u8], seen: i64, size: &[u8], tag: &str| {
        let tags = [long(1), string(tag), long(0)].concat();
        [
            [long(id), long(1), string(name), string(price), long(19_753 + id), long(seen)].concat(),
            [size.to_vec(), string("hush"), tags, long(1)].concat(),
        ]
        .concat()
    };
    let number = |number: i64| [long(0), long(number)].concat();
    let word = [long(2), string("12")].concat();
    let half = [long(1), 1.5_f64.to_le_bytes().to_vec()].concat();
    let good = |id: i64| row(id, b"plain", &[0x04, 0xe2], 1_706_700_600_000_001_000, &number(7), "a");
    let first = [
        good(1),
        row(2, "a name that is too long".as_bytes(), &[0x0a], 0, &word, "b"),
        row(3, b"broken \xff", &[0x0a], 0, &number(1), "c"),
        row(4, b"fine", &[0x01], 1, &half, "too long"),
        row(-5, b"below", &[0x0a], 0, &number(1 << 40), "d"),
    ];
    let second = [good(6), long(7), vec![9; 3]];
    let third = [good(8)];
    let blocks = [(5, first.concat()), (4, second.concat()), (1, third.concat())];
    let blocks = blocks.iter().map(|(rows, bytes)| block(*rows, &compress("deflate", bytes)));
    [
        header(&schema, "deflate"),
        blocks.collect::<Vec<_>>().concat(),
        block(2, b"no deflate"),
        block(0, &compress("deflate", b"")),
    ]
    .concat()
}

#[test]
fn the_golden_avro_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/engine/avro/input.avro");
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(path, golden()).unwrap();
    }
    assert!(std::fs::read(path).unwrap() == golden(), "PENSTOCK_GOLDEN=write rewrites it");
}
