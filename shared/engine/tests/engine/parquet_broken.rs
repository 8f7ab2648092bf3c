//! Parquet files that are not what they say: told, and never a panic, a hang or the memory.

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

/// Ids, names and tags of a few hundred rows, in two row groups.
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
    fn bytes_that_are_changed_make_no_panic(
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
    fn a_footer_that_is_changed_makes_no_panic(
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
    fn a_file_that_breaks_off_is_told(length in any::<prop::sample::Index>()) {
        let bytes = plain();
        let error = read(bytes.slice(..length.index(bytes.len()))).unwrap_err();
        prop_assert!(
            matches!(error.code(), "truncated_file" | "empty" | "corrupt_file"),
            "{error}"
        );
    }
}
