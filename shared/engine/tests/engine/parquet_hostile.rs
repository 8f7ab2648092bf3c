//! Hostile Parquet files: pages whose content expands to more than their headers declare.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::read::GzEncoder;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArrayType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use penstock_contract::FormatKind;
use penstock_engine::{Limits, ReadError};
use proptest::prelude::*;

use crate::support::{Outcome, contract, read_parquet, text};

/// Returns a file with one column `v`, written by the `parquet` crate.
fn written<T: DataType>(
    field: &str,
    properties: WriterPropertiesBuilder,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message file {{ {field}; }}")).unwrap());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    file
}

fn encoded(encoding: Encoding) -> WriterPropertiesBuilder {
    WriterProperties::builder().set_dictionary_enabled(false).set_encoding(encoding)
}

fn texts(values: &[&str]) -> Vec<ByteArray> {
    values.iter().map(|value| ByteArray::from(*value)).collect()
}

fn read_with(file: impl Into<Bytes>, limits: Limits) -> Result<Outcome, ReadError> {
    read_parquet(&contract(FormatKind::Parquet, vec![text("v")]), limits, file)
}

fn read(file: impl Into<Bytes>) -> Result<Outcome, ReadError> {
    read_with(file, Limits::default())
}

/// Reads a file that must be refused as corrupt, and returns the error message.
fn corruption(file: impl Into<Bytes>) -> String {
    let error = read(file).map(|outcome| outcome.totals).unwrap_err();
    assert_eq!(error.code(), "corrupt_file", "{error}");
    error.to_string()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Encodes `count` zeros as deltas, in one block with one miniblock of zero bits.
fn zeros(count: u64) -> Vec<u8> {
    let mut bytes = varint(1 << 40);
    bytes.push(1);
    bytes.extend(varint(count));
    bytes.extend([0, 0, 0]);
    bytes
}

/// Overwrites the file with `by` where `found` first occurs.
fn replaced(mut file: Vec<u8>, found: &[u8], by: &[u8]) -> Vec<u8> {
    let at = file.windows(found.len()).position(|window| window == found).unwrap();
    file[at..at + by.len()].copy_from_slice(by);
    file
}

const DELTAS: [Encoding; 2] = [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];

#[test]
fn delta_encoded_text_is_read() {
    let many: Vec<String> =
        (0..1_000_u32).map(|row| format!("{}name {}", "x".repeat(row as usize % 40), row % 7)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for values in [&["a", "", "a longer text than fits a view", "a longer one"][..], &["one"], &[""], &many] {
        for encoding in DELTAS {
            for version in [1, 2] {
                for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW] {
                    let version = match version {
                        1 => parquet::file::properties::WriterVersion::PARQUET_1_0,
                        _ => parquet::file::properties::WriterVersion::PARQUET_2_0,
                    };
                    let properties =
                        encoded(encoding).set_writer_version(version).set_compression(compression);
                    let levels: Vec<i16> = values.iter().flat_map(|_| [1, 0]).collect();
                    let file = written::<ByteArrayType>(
                        "optional binary v",
                        properties.set_data_page_row_count_limit(300).set_write_batch_size(100),
                        &texts(values),
                        Some(&levels),
                    );
                    let expected: Vec<Vec<String>> = values
                        .iter()
                        .flat_map(|value| [vec![(*value).to_owned()], vec!["NULL".to_owned()]])
                        .map(|row| if row == [""] { vec!["NULL".to_owned()] } else { row })
                        .collect();
                    assert_eq!(read(file).unwrap().values(), expected);
                }
            }
        }
    }
}

#[test]
fn a_page_with_more_lengths_than_values_is_refused_before_memory_is_allocated() {
    let long = "a".repeat(64);
    let file =
        |encoding| written::<ByteArrayType>("required binary v", encoded(encoding), &texts(&[&long]), None);
    // Blocks of 128 values, four miniblocks, one value, which is 64.
    let lengths = [0x80, 1, 4, 1, 0x80, 1];
    let hostile = replaced(file(Encoding::DELTA_LENGTH_BYTE_ARRAY), &lengths, &zeros(1 << 36));
    let message = corruption(hostile);
    assert!(message.contains("a page of column `v` has 68719476736 lengths for 1 values"), "{message}");
    // The lengths of prefixes come first, then those of suffixes.
    let prefixes = [0x80, 1, 4, 1, 0];
    let hostile = replaced(file(Encoding::DELTA_BYTE_ARRAY), &prefixes, &zeros(1 << 36));
    assert!(corruption(hostile).contains("lengths for 1 values"));
    let hostile = replaced(file(Encoding::DELTA_BYTE_ARRAY), &lengths, &zeros(1 << 36));
    assert!(corruption(hostile).contains("lengths for 1 values"));
}

#[test]
fn a_page_that_repeats_a_long_prefix_is_refused() {
    let long = ByteArray::from(vec![b'a'; 64 * 1024]);
    let file = |rows: usize| {
        let values = vec![long.clone(); rows];
        Bytes::from(written::<ByteArrayType>(
            "required binary v",
            encoded(Encoding::DELTA_BYTE_ARRAY).set_data_page_row_count_limit(usize::MAX),
            &values,
            None,
        ))
    };
    let lenient = Limits { max_ratio: 1_000_000, ..Limits::default() };
    let bomb = file(20_000);
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    assert!(corruption(bomb).contains("which is more than the limit; write smaller pages"));
    // A smaller page counts with its expanded size.
    let small = file(1_500);
    let error = read(small.clone()).map(|outcome| outcome.totals).unwrap_err();
    assert_eq!(error.code(), "compression_ratio");
    let totals = read_with(small, lenient).map(|outcome| outcome.totals).unwrap();
    assert_eq!(totals.accepted, 1_500);
    assert!(totals.bytes_decompressed > 1_500 * 64 * 1024);
}

#[test]
fn a_gzip_page_that_is_larger_than_its_header_declares_is_refused() {
    let noise: Vec<u8> =
        (0..600_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let properties = encoded(Encoding::PLAIN)
        .set_compression(Compression::GZIP(parquet::basic::GzipLevel::default()))
        .set_data_page_size_limit(usize::MAX);
    let file = written::<ByteArrayType>("required binary v", properties, &[ByteArray::from(noise)], None);
    assert_eq!(read(file.clone()).unwrap().totals.rows_read, 1, "the unchanged file is read");
    let mut bomb = Vec::new();
    GzEncoder::new(std::io::repeat(0).take(400 << 20), Level::best()).read_to_end(&mut bomb).unwrap();
    let hostile = replaced(file, &[0x1f, 0x8b, 8], &bomb);
    let message = corruption(hostile);
    assert!(message.contains("decompresses to more bytes than its header declares"), "{message}");
}

#[test]
fn a_dictionary_with_more_values_than_bytes_is_refused() {
    let values: Vec<i64> = (0..100).collect();
    let file = written::<Int64Type>("required int64 v", WriterProperties::builder(), &values, None);
    assert_eq!(read(file.clone()).unwrap().totals.accepted, 100);
    // Field 7 of the page header, the dictionary: 100 values, plain encoding.
    let hostile = replaced(file, &[0x4c, 0x15, 0xc8, 1], &[0x4c, 0x15, 0xca, 1]);
    assert!(corruption(hostile).contains("a dictionary has more values than bytes"));
}

#[test]
fn an_excessive_fixed_length_is_refused() {
    let file = |length: u32| {
        let field = format!("optional fixed_len_byte_array({length}) v");
        written::<FixedLenByteArrayType>(&field, WriterProperties::builder(), &[], Some(&[0; 3]))
    };
    assert_eq!(read(file(16)).unwrap().values(), [["NULL"], ["NULL"], ["NULL"]]);
    let message = corruption(file(2_000_000_000));
    assert!(message.contains("values of 2000000000 bytes"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_in_delta_encoded_text_do_not_cause_a_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_by_prefix: bool,
    ) {
        let encoding = DELTAS[usize::from(is_by_prefix)];
        let values: Vec<String> = (0..300).map(|row| format!("name {}", row % 90)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut bytes = written::<ByteArrayType>("required binary v", encoded(encoding), &texts(&values), None);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(bytes);
    }
}

#[test]
fn a_snappy_page_of_another_size_than_its_header_declares_is_refused() {
    let long = "a".repeat(64);
    let properties = || encoded(Encoding::PLAIN).set_compression(Compression::SNAPPY);
    let file = || written::<ByteArrayType>("required binary v", properties(), &texts(&[&long]), None);
    assert_eq!(read(file()).unwrap().values(), [[long.clone()]]);
    // 68 bytes, the text and its length. The first literal has 4 + 1 of them, because the text repeats its first letter.
    let begins = [68, 4 << 2, 64, 0, 0, 0, b'a'];
    for other in [67, 69, 127] {
        let hostile = replaced(file(), &begins, &[other]);
        let message = corruption(hostile);
        assert!(
            message.contains("a page of column `v` does not decompress to the size in its header"),
            "{message}"
        );
    }
    // A literal that is longer than the page.
    let message = corruption(replaced(file(), &begins, &[68, 60 << 2]));
    assert!(
        message.contains("a page of column `v`") && message.contains("snappy: corrupt input"),
        "{message}"
    );
}

#[test]
fn a_dictionary_without_values_is_refused() {
    let values = ["a"; 8];
    let file = || {
        let dictionary = WriterProperties::builder().set_dictionary_enabled(true);
        written::<ByteArrayType>("required binary v", dictionary, &texts(&values), None)
    };
    assert_eq!(read(file()).unwrap().values(), [["a"]; 8]);
    // The header of the dictionary page: its type, five bytes before and after compression, one value.
    let one = [0x15, 4, 0x15, 10, 0x15, 10, 0x4c, 0x15, 2];
    let none = [0x15, 4, 0x15, 10, 0x15, 10, 0x4c, 0x15, 0];
    corruption(replaced(file(), &one, &none));
}
