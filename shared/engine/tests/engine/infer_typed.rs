//! Contracts inferred from samples whose schema has the types.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_schema::{DataType, Field};
use proptest::prelude::*;

use crate::avro_files::{block, header, long, record, string};
use crate::infer::{column_summary, contract_of, infer_from, read_back, value};
use crate::parquet_files::file;
use crate::support::{assert_golden, golden};

fn parquet() -> Vec<u8> {
    let rows = 0..300_i64;
    let tags = rows.clone().map(|row| Some(vec![Some(i32::try_from(row).unwrap()), None]));
    let inside = Arc::new(rows.clone().collect::<Int64Array>()) as ArrayRef;
    let decimals = rows.clone().map(|row| (row % 9 > 0).then(|| i128::from(row) * 99));
    let decimals = decimals.collect::<Decimal128Array>().with_precision_and_scale(20, 3).unwrap();
    let times = rows.clone().map(|row| Some(row * 1_000_000));
    let texts = |text: &dyn Fn(i64) -> String| {
        Arc::new(rows.clone().map(|row| Some(text(row))).collect::<StringArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("Product ID", Arc::new(rows.clone().collect::<Int64Array>())),
        ("stock", Arc::new(rows.clone().map(|row| i32::try_from(row % 5).unwrap()).collect::<Int32Array>())),
        ("hits", Arc::new(rows.clone().map(i64::cast_unsigned).collect::<UInt64Array>())),
        ("price", Arc::new(decimals)),
        ("weight", Arc::new(rows.clone().map(|row| row as f64 / 8.0).collect::<Float64Array>())),
        ("is_new", Arc::new(rows.clone().map(|row| Some(row % 2 == 0)).collect::<BooleanArray>())),
        ("since", Arc::new(rows.clone().map(|row| i32::try_from(row).ok()).collect::<Date32Array>())),
        ("opens", Arc::new(times.clone().collect::<Time64MicrosecondArray>())),
        ("updated_at", Arc::new(times.clone().collect::<TimestampMicrosecondArray>().with_timezone("UTC"))),
        ("local_time", Arc::new(times.collect::<TimestampMicrosecondArray>())),
        ("mail", texts(&|row| format!("user{row}@example.com"))),
        ("state", texts(&|row| if row % 2 == 0 { "new" } else { "used" }.to_owned())),
        ("written", texts(&|row| format!("{row}.50"))),
        ("attributes", texts(&|row| format!("{{\"size\":{row}}}"))),
        ("note", texts(&|row| if row == 7 { "?!".to_owned() } else { row.to_string() })),
        ("tags", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(tags))),
        (
            "inside",
            Arc::new(StructArray::from(vec![(Arc::new(Field::new("a", DataType::Int64, true)), inside)])),
        ),
        ("picture", Arc::new(BinaryArray::from_iter_values(rows.map(|row| [0xff, row.to_le_bytes()[0]])))),
    ];
    file(&columns).to_vec()
}

fn avro() -> Vec<u8> {
    let schema = record(&[
        ("id", r#""long""#),
        ("Name", r#"["null","string"]"#),
        ("price", r#"{"type":"bytes","logicalType":"decimal","precision":12,"scale":3}"#),
        ("day", r#"{"type":"int","logicalType":"date"}"#),
        ("seen", r#"{"type":"long","logicalType":"timestamp-millis"}"#),
        ("local", r#"{"type":"long","logicalType":"local-timestamp-micros"}"#),
        ("size", r#"["long","double","string"]"#),
        ("either", r#"["long",{"type":"array","items":"string"}]"#),
        ("tags", r#"{"type":"array","items":"string"}"#),
        ("colour", r#"{"type":"enum","name":"colour","symbols":["RED","BLUE"]}"#),
    ]);
    let row = |id: i64| {
        let name = if id % 3 == 0 { long(0) } else { [long(1), string("plain")].concat() };
        let tags = [long(1), string("a"), long(0)].concat();
        let size = if id == 5 { [long(2), string("large")].concat() } else { [long(0), long(id)].concat() };
        [
            [long(id), name, long(2), vec![4, u8::try_from(id).unwrap()]].concat(),
            [long(19_000 + id), long(id * 1_000), long(id), size].concat(),
            [long(0), long(id), tags, long(id % 2)].concat(),
        ]
        .concat()
    };
    let rows: Vec<Vec<u8>> = (1..=40).map(row).collect();
    [header(&schema, "null"), block(40, &rows.concat())].concat()
}

#[test]
fn golden_typed_samples_give_the_expected_contracts() {
    for (name, sample) in [("parquet", parquet()), ("avro", avro())] {
        let inferred = infer_from(&sample);
        assert_eq!(infer_from(&sample), inferred, "the same sample gives the same contract");
        let outcome = read_back(&inferred, &sample);
        assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (inferred.rows, 0));
        let notes: String = inferred.notes.iter().map(|note| format!("# Note: {note}\n")).collect();
        let found = format!("{notes}{}", inferred.yaml);
        assert_golden(&golden("infer-typed").join(name).with_extension("yaml"), found.as_bytes());
    }
}

#[test]
fn inferred_types_are_those_of_the_schema() {
    let typed = contract_of(&infer_from(parquet()));
    assert_eq!(
        column_summary(&typed),
        [
            "product_id bigint!*",
            "stock integer!",
            "hits numeric(20,0)!",
            "price numeric(20,3)",
            "weight double precision!",
            "is_new boolean!",
            "since date!",
            "opens time!",
            "updated_at timestamptz!",
            "local_time timestamp!",
            "mail text!",
            "state text!",
            "written numeric(12,2)!",
            "attributes jsonb!",
            "note text!",
            "tags jsonb!",
            "inside jsonb!",
        ]
    );
}

fn array(kind: u8, rows: &[(Option<i64>, String)]) -> ArrayRef {
    let numbers = || rows.iter().map(|(number, _)| *number);
    match kind % 8 {
        0 => Arc::new(numbers().collect::<Int64Array>()),
        1 => Arc::new(
            numbers()
                .map(|number| number.map(i128::from))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(38, 6)
                .unwrap(),
        ),
        2 => Arc::new(
            numbers()
                .map(|number| number.and_then(|number| i32::try_from(number % 1_000_000).ok()))
                .collect::<Date32Array>(),
        ),
        // No column type has a resolution finer than a microsecond.
        3 => Arc::new(
            numbers()
                .map(|number| number.map(|number| number / 1_000 * 1_000))
                .collect::<TimestampNanosecondArray>(),
        ),
        4 => Arc::new(
            numbers()
                .map(|bits| bits.map(|bits| f64::from_bits(bits.cast_unsigned())))
                .collect::<Float64Array>(),
        ),
        5 => Arc::new(numbers().map(|number| number.map(i64::cast_unsigned)).collect::<UInt64Array>()),
        6 => Arc::new(numbers().map(|number| number.map(|number| number % 2 == 0)).collect::<BooleanArray>()),
        _ => {
            Arc::new(rows.iter().map(|(number, text)| number.map(|_| text.clone())).collect::<StringArray>())
        }
    }
}

fn cell(kind: u8) -> impl Strategy<Value = (Option<i64>, String)> {
    (
        prop_oneof![1 => Just(None), 5 => any::<i64>().prop_map(Some), 5 => (-99..99_i64).prop_map(Some)],
        value(kind),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_contract_inferred_from_parquet_accepts_every_row_of_its_sample(
        columns in prop::collection::vec(
            (any::<u8>(), any::<u8>()).prop_flat_map(|(kind, text)| (Just(kind), prop::collection::vec(cell(text), 30))),
            1..6,
        ),
    ) {
        let names: Vec<String> = (0..columns.len()).map(|index| format!("column {index}")).collect();
        let arrays = columns.iter().map(|(kind, rows)| array(*kind, rows));
        let columns: Vec<(&str, ArrayRef)> = names.iter().map(String::as_str).zip(arrays).collect();
        let sample = file(&columns).to_vec();
        let inferred = infer_from(&sample);
        let outcome = read_back(&inferred, &sample);
        prop_assert_eq!(outcome.totals.rejected, 0, "{:?}\n{}", outcome.rejects, inferred.yaml);
        prop_assert_eq!(outcome.totals.accepted, 30);
    }
}
