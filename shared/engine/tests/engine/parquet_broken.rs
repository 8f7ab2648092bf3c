//! Damaged Parquet files: reading them fails with an error, without a panic, a hang or excessive memory use.

use std::sync::Arc;

use arrow_array::*;
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use penstock_contract::*;
use penstock_engine::{Limits, ReadError, UnreadableCode};
use proptest::prelude::*;

use crate::parquet_files::{file, file_with, raw_file};
use crate::support::{Outcome, column, contract, read_parquet, text};

/// Returns a file of 300 rows in two row groups.
fn whole(properties: parquet::file::properties::WriterPropertiesBuilder) -> Bytes {
    let ids = Arc::new((0..300).collect::<Int64Array>()) as ArrayRef;
    let names = (0..300).map(|id| (id % 7 > 0).then(|| format!("name {}", id % 20))).collect::<StringArray>();
    let times = (0..300).map(|id| Some(id * 1_000)).collect::<TimestampMillisecondArray>();
    let prices = Decimal128Array::from_iter_values(0..300).with_precision_and_scale(20, 2).unwrap();
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let offsets = OffsetBuffer::new((0..=300).collect::<Vec<i32>>().into());
    let tags = ListArray::new(item, offsets, Arc::new((0..300).collect::<Int32Array>()), None);
    let columns: [(&str, ArrayRef); 5] = [
        ("id", ids),
        ("name", Arc::new(names)),
        ("time", Arc::new(times)),
        ("price", Arc::new(prices)),
        ("tags", Arc::new(tags)),
    ];
    file_with(&columns, properties.set_max_row_group_row_count(Some(200)).build())
}

fn things() -> Contract {
    contract(
        FormatKind::Parquet,
        vec![
            column("id", LogicalType::Integer, SqlType::Bigint),
            text("name"),
            column(
                "time",
                LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() },
                SqlType::Timestamp,
            ),
            column("price", LogicalType::Number, SqlType::Numeric(None)),
            column("tags", LogicalType::Array { items: None }, SqlType::Jsonb),
        ],
    )
}

fn read(file: impl Into<Bytes>) -> Result<Outcome, ReadError> {
    read_parquet(&things(), Limits::default(), file)
}

fn plain() -> Bytes {
    whole(WriterProperties::builder())
}

fn snappy() -> Bytes {
    whole(WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_enabled(false))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_do_not_cause_a_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_compressed: bool,
    ) {
        let mut bytes = if is_compressed { snappy() } else { plain() }.to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(bytes);
    }

    #[test]
    fn changed_bytes_in_the_footer_do_not_cause_a_panic(
        flips in prop::collection::vec((0_usize..2_000, any::<u8>()), 1..4),
    ) {
        let mut bytes = plain().to_vec();
        for (back, byte) in flips {
            let at = bytes.len().saturating_sub(back + 1);
            bytes[at] = byte;
        }
        let _ = read(bytes);
    }

    #[test]
    fn a_truncated_file_is_an_error(length in any::<prop::sample::Index>()) {
        let bytes = plain();
        let error = read(bytes.slice(..length.index(bytes.len()))).unwrap_err();
        prop_assert!(
            matches!(error.code(), "truncated_file" | "empty" | "corrupt_file"),
            "{error}"
        );
    }
}

fn error_message(file: impl Into<Bytes>) -> String {
    read(file).unwrap_err().to_string()
}

#[test]
fn files_that_are_not_parquet_are_refused_with_a_suggestion() {
    let whole = plain();
    let gzip = [b"\x1f\x8b\x08".as_slice(), &whole].concat();
    let encrypted = [&whole[..whole.len() - 1], b"E"].concat();
    let footer_beyond = [&whole[..whole.len() - 8], &[0xff, 0xff, 0xff, 0x7f], b"PAR1"].concat();
    let no_thrift = [b"PAR1".as_slice(), &[0xff; 20], &[20, 0, 0, 0], b"PAR1"].concat();
    let table: Vec<(Vec<u8>, &str, &str)> = vec![
        (
            b"id,name\n1,a\n".to_vec(),
            "wrong_format",
            "the file does not begin with `PAR1`; deliver Parquet, or correct `format`",
        ),
        (gzip, "wrong_format", "compressed with gzip as a whole"),
        (b"PAR1".to_vec(), "truncated_file", "is truncated"),
        (b"PA".to_vec(), "truncated_file", "is truncated"),
        (whole[..whole.len() - 1].to_vec(), "truncated_file", "deliver the complete file"),
        (encrypted, "unsupported_feature", "is encrypted"),
        (footer_beyond, "corrupt_file", "2147483647 bytes"),
        (no_thrift, "corrupt_file", "its footer is invalid"),
        (Vec::new(), "empty", "the file is empty"),
    ];
    for (file, code, message) in table {
        let error = read(file).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// Returns a file whose schema has `depth` nested groups.
fn nested_schema(depth: usize) -> Vec<u8> {
    // Version 1, then a list of schema elements, each with a name and one child.
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    let mut count = depth;
    while count >= 0x80 {
        footer.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
        count >>= 7;
    }
    footer.push(u8::try_from(count).unwrap());
    for _ in 0..depth {
        footer.extend([0x48, 1, b'a', 0x15, 2, 0]);
    }
    footer.push(0);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1".as_slice(), &footer, &length, b"PAR1"].concat()
}

#[test]
fn a_schema_that_is_nested_too_deeply_is_refused_before_it_is_built() {
    // The root is not counted as a column.
    for (elements, limit) in [
        (19_999, "nests groups of columns more than 64 levels deep"),
        (20_001, "nests groups of columns more than 64 levels deep"),
        (20_002, "has 20001 columns and groups of columns, more than the limit of 20000"),
        (1_000_000, "has 999999 columns and groups of columns, more than the limit of 20000"),
    ] {
        let error = read(nested_schema(elements)).map(|outcome| outcome.totals).unwrap_err();
        assert_eq!(error.code(), "unsupported_feature", "{elements}: {error}");
        let message = error.to_string();
        assert!(message.contains(limit) && !message.contains("again"), "{elements}: {message}");
    }
}

#[test]
fn a_file_with_the_maximum_number_of_columns_is_read() {
    let one = Arc::new(Int32Array::from(vec![1])) as ArrayRef;
    let names: Vec<String> = (0..20_000).map(|column| format!("c{column}")).collect();
    let columns: Vec<(&str, ArrayRef)> = names.iter().map(|name| (name.as_str(), Arc::clone(&one))).collect();
    let contract = Contract {
        unexpected_columns: UnexpectedColumns::Ignore,
        ..contract(FormatKind::Parquet, vec![text("c19999")])
    };
    let outcome = read_parquet(&contract, Limits::default(), file(&columns)).unwrap();
    assert_eq!(outcome.values(), [["1"]]);
}

#[test]
fn a_group_with_a_wrong_number_of_children_is_refused_before_memory_is_allocated() {
    let mut file = nested_schema(3);
    // Changes the number of children of the first element from 1 to the maximum of five bytes.
    file.splice(13..14, [0xfe, 0xff, 0xff, 0xff, 0x0f]);
    let length = file.len() - 12;
    let at = file.len() - 8;
    file[at] = u8::try_from(length).unwrap();
    assert!(error_message(file).contains("more columns than the schema"));
}

#[test]
fn a_dictionary_value_with_many_references_does_not_exhaust_memory() {
    let long = "x".repeat(1_000);
    let names = Arc::new((0..40_000).map(|_| Some(long.as_str())).collect::<StringArray>());
    let bomb = file(&[("name", names)]);
    assert!(bomb.len() < 10_000);
    let contract = contract(FormatKind::Parquet, vec![text("name")]);
    let error = read_parquet(&contract, Limits::default(), bomb.clone()).unwrap_err();
    let ReadError::Unreadable { code: UnreadableCode::CompressionRatio, .. } = error else {
        panic!("{error}")
    };
    let lenient = Limits { max_ratio: 1_000_000, ..Limits::default() };
    assert_eq!(read_parquet(&contract, lenient, bomb.clone()).unwrap().totals.accepted, 40_000);
    let small = Limits { max_ratio: 1_000_000, max_decompressed_bytes: 1_000_000, ..Limits::default() };
    assert_eq!(read_parquet(&contract, small, bomb).unwrap_err().code(), "too_large");
}

#[test]
fn a_row_that_is_too_long_is_rejected_alone() {
    let limits = Limits { max_record_bytes: 20, ..Limits::default() };
    let names = Arc::new(StringArray::from(vec!["short", "a name of more than twenty bytes", "x"]));
    let read =
        read_parquet(&contract(FormatKind::Parquet, vec![text("name")]), limits, file(&[("name", names)]));
    let outcome = read.unwrap();
    assert_eq!(outcome.values(), [["short"], ["x"]]);
    assert_eq!(outcome.reject_summary(), ["2@2 record_too_long"]);
}

#[test]
fn a_file_without_an_arrow_schema_is_read_by_its_parquet_types() {
    let mut value = Int96::new();
    value.set_data(0, 0, 2_440_588);
    let read = |column| {
        read_parquet(
            &contract(FormatKind::Parquet, vec![column]),
            Limits::default(),
            raw_file::<Int96Type>("required int96 v", &[value]),
        )
    };
    assert_eq!(read(text("v")).unwrap().values(), [["1970-01-01T00:00:00"]]);
}
