//! Container files by hand: what the decoder is to read is written byte by byte, broken files included.

use std::io::Write;

/// Stands between the blocks of the files here.
pub(crate) const MARKER: [u8; 16] = *b"sixteen letters.";

/// A number in zigzag coding.
pub(crate) fn long(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// A string, or bytes.
pub(crate) fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    [&long(text.as_ref().len() as i64), text.as_ref()].concat()
}

/// The schema of a record with these fields, each a name and a type in JSON.
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

/// A block as it stands in the file; `bytes` are compressed already.
pub(crate) fn block(rows: i64, bytes: &[u8]) -> Vec<u8> {
    [&long(rows), &long(bytes.len() as i64), bytes, &MARKER].concat()
}

/// A file with one block of these rows.
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
