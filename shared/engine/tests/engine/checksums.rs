//! Compressed files with one flipped bit: reading fails or returns the same rows, never different ones.

use std::io::Write;

use lzma_rust2::CheckType;
use penstock_contract::*;
use penstock_engine::Limits;

use crate::avro_files::{block, compress, header, record, string};
use crate::support::{contract, csv, gzip, read, read_with, text};

fn table() -> Vec<u8> {
    let rows = (0..40).map(|row| format!("{row},name {}\n", row * 7919 % 97));
    ["id,name\n".to_owned()].into_iter().chain(rows).collect::<String>().into_bytes()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8], check: CheckType) -> Vec<u8> {
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.set_check_sum_type(check);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a zip archive with one member. Its checksum is in the local header or, if `is_described`, in a data descriptor.
fn zip(bytes: &[u8], is_described: bool) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let content = compress("deflate", bytes);
    let sizes = [content.len(), bytes.len()].map(|size| u32::try_from(size).unwrap().to_le_bytes()).concat();
    let crc_and_sizes = [&crc.sum().to_le_bytes()[..], &sizes].concat();
    let flags = if is_described { 8 } else { 0 };
    let mut zip = vec![b'P', b'K', 3, 4, 20, 0, flags, 0, 8, 0, 0, 0, 0, 0];
    zip.extend(if is_described { vec![0; 12] } else { crc_and_sizes.clone() });
    zip.extend([8, 0, 0, 0]);
    zip.extend(b"file.csv");
    zip.extend(content);
    if is_described {
        zip.extend(b"PK\x07\x08");
        zip.extend(crc_and_sizes);
    }
    zip.extend(b"PK\x01\x02");
    zip
}

#[test]
fn a_flipped_bit_in_a_compressed_file_never_changes_a_row() {
    let contract = contract(csv(), vec![text("id"), text("name")]);
    let whole = read(&contract, table()).values();
    for (name, file) in [
        ("gzip", gzip(&table())),
        ("zstd", zstd(&table())),
        ("bzip2", compress("bzip2", &table())),
        ("xz with CRC-32", xz(&table(), CheckType::Crc32)),
        ("xz with CRC-64", xz(&table(), CheckType::Crc64)),
        ("xz with SHA-256", xz(&table(), CheckType::Sha256)),
        ("zip", zip(&table(), false)),
        ("zip with a descriptor", zip(&table(), true)),
    ] {
        assert_eq!(read(&contract, &file).values(), whole, "{name}");
        let mut refused = 0;
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 0x10;
            match read_with(&contract, Limits::default(), &changed[..]) {
                Ok(outcome) => assert_eq!(outcome.values(), whole, "{name} at byte {at}"),
                Err(_) => refused += 1,
            }
        }
        // No checksum covers file names, times and other metadata.
        assert!(refused + 40 > file.len(), "{name}: {refused} of {}", file.len());
    }
}

#[test]
fn a_flipped_bit_in_an_avro_block_never_changes_a_row() {
    let contract = contract(FormatKind::Avro, vec![text("name")]);
    let schema = record(&[("name", r#""string""#)]);
    let rows: Vec<u8> = (0..40).flat_map(|row| string(format!("name {}", row * 7919 % 97))).collect();
    let blocks = [
        ("snappy", compress("snappy", &rows)),
        ("zstandard", zstd(&rows)),
        ("bzip2", compress("bzip2", &rows)),
        ("xz", compress("xz", &rows)),
    ];
    for (codec, bytes) in blocks {
        let file = |bytes: &[u8]| [header(&schema, codec), block(40, bytes)].concat();
        let whole = read(&contract, file(&bytes)).values();
        assert_eq!(whole.len(), 40);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let outcome = read(&contract, file(&changed));
            let is_lost = outcome.totals.accepted == 0 && outcome.totals.rejected == 40;
            assert!(
                is_lost || outcome.values() == whole,
                "{codec} at byte {at}: {:?}",
                outcome.reject_summary()
            );
        }
    }
}
