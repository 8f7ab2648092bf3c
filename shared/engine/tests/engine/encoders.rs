//! The encoders of chunks, Parquet files and reject files, tested by decoding their output.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use penstock_contract::*;
use penstock_engine::*;

use crate::support::{column, contract, csv, text};

fn all_types() -> Contract {
    let number = |name: &str, sql_type| column(name, LogicalType::Number, sql_type);
    let integer = |name: &str, sql_type| column(name, LogicalType::Integer, sql_type);
    let timestamp = |name: &str, sql_type| {
        column(name, LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() }, sql_type)
    };
    let columns = vec![
        crate::support::required(text("t")),
        integer("i2", SqlType::Smallint),
        integer("i4", SqlType::Integer),
        integer("i8", SqlType::Bigint),
        number("d", SqlType::Numeric(Some((10, 2)))),
        number("n", SqlType::Numeric(None)),
        number("f", SqlType::DoublePrecision),
        column("b", LogicalType::Boolean, SqlType::Boolean),
        column("day", LogicalType::Date { format: None }, SqlType::Date),
        timestamp("ts", SqlType::Timestamp),
        timestamp("tz", SqlType::Timestamptz),
        column("j", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
        column("u", LogicalType::String, SqlType::Uuid),
    ];
    contract(csv(), columns)
}

const HEADER: &str = "t,i2,i4,i8,d,n,f,b,day,ts,tz,j,u\n";
const FULL: &str = "\"x\ty\\\",-2,4,8,-1.5,12.340,0.5,true,1970-01-02,1970-01-01T00:00:01,1970-01-01T01:00:00+01:00,{},\
                    6ba7b8109dad11d180b400c04fd430c8\n";

fn blocks(file: &str, chunk_rows: u32) -> (Arc<Plan>, Vec<Block>) {
    let plan = Arc::new(Plan::compile(&all_types()).unwrap());
    let limits = Limits { arrow: true, chunk_rows, ..Limits::default() };
    let mut reader = Reader::open(&plan, limits, file.as_bytes()).unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        blocks.push(block);
    }
    (plan, blocks)
}

fn read_parquet(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

#[test]
fn every_type_is_written_to_parquet_and_rejected_rows_are_not() {
    // The rejected row fails in its last column, after the other columns have been written.
    let bad = FULL.replace("6ba7b8109dad11d180b400c04fd430c8", "bad");
    let file = format!("{HEADER}{FULL}{bad}only,,,,,,,,,,,,\n{FULL}");
    let (plan, blocks) = blocks(&file, 2);
    assert_eq!(blocks.iter().map(|block| block.rows.count).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((blocks[0].rows.first_row, blocks[0].rows.last_row), (1, 3));
    let mut part = ParquetPart::new(&plan).unwrap();
    for block in &blocks {
        part.push(block.rows.record_batch.as_ref().unwrap()).unwrap();
    }
    assert!(part.encoded_len() > 0);
    let batches = read_parquet(part.finish().unwrap());
    let batch = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(batch.schema().fields(), plan.arrow_schema().fields());
    assert_eq!(
        batch.column(0).as_string::<i32>().iter().collect::<Vec<_>>(),
        [Some("x\ty\\"), Some("only"), Some("x\ty\\")]
    );
    assert_eq!(
        batch.column(1).as_primitive::<Int16Type>().iter().collect::<Vec<_>>(),
        [Some(-2), None, Some(-2)]
    );
    assert_eq!(batch.column(2).as_primitive::<Int32Type>().value(0), 4);
    assert_eq!(batch.column(3).as_primitive::<Int64Type>().value(2), 8);
    assert_eq!(batch.column(4).as_primitive::<Decimal128Type>().value(0), -150);
    assert_eq!(batch.column(5).as_string::<i32>().value(0), "12.340");
    assert!((batch.column(6).as_primitive::<Float64Type>().value(0) - 0.5).abs() < f64::EPSILON);
    assert!(batch.column(7).as_boolean().value(2) && batch.column(7).is_null(1));
    assert_eq!(batch.column(8).as_primitive::<Date32Type>().value(0), 1);
    assert_eq!(batch.column(9).as_primitive::<TimestampMicrosecondType>().value(0), 1_000_000);
    assert_eq!(batch.column(10).as_primitive::<TimestampMicrosecondType>().value(0), 0);
    assert_eq!(batch.column(11).as_string::<i32>().value(0), "{}");
    assert_eq!(batch.column(12).as_string::<i32>().value(0), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    assert_eq!(batch.column(13).as_primitive::<Int64Type>().values(), &[1, 3, 4]);
    assert!(!batch.schema().field(0).is_nullable() && batch.schema().field(1).is_nullable());
}

#[test]
fn chunks_round_trip_and_their_decoded_size_is_limited() {
    let text = b"a\tb\n".repeat(1000);
    let encoded = ChunkEncoder::new().unwrap().encode(&text).unwrap();
    assert_eq!(encoded, ChunkEncoder::new().unwrap().encode(&text).unwrap());
    assert_eq!(encoded.sha256_hex(), sha256_hex(&encoded.bytes));
    assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(decode_chunk(&encoded.bytes, text.len()).unwrap(), text);
    assert!(matches!(decode_chunk(&encoded.bytes, text.len() - 1), Err(EncodeError::TooLarge { .. })));
    assert!(decode_chunk(&encoded.bytes[..encoded.bytes.len() - 1], text.len()).is_err());
    assert!(decode_chunk(b"no zstd", 10).is_err());
}

#[test]
fn rejects_round_trip() {
    let (_, blocks) = blocks(&format!("{HEADER}a,b\n,x,,,,,,,,,,,\n"), 10);
    let rejects = &blocks[0].rejects;
    let mut encoder = RejectEncoder::new().unwrap();
    for reject in rejects {
        encoder.push(reject).unwrap();
    }
    let lines = decode_chunk(&encoder.finish().unwrap(), 1 << 20).unwrap();
    let read: Vec<Reject> =
        str::from_utf8(&lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&read, rejects);
    assert_eq!(read[1].reasons.len(), 2);
}

#[test]
fn merged_totals_are_sums() {
    let totals_of = |file: &str| {
        let plan = Arc::new(Plan::compile(&all_types()).unwrap());
        let mut reader = Reader::open(&plan, Limits::default(), file.as_bytes()).unwrap();
        while reader.next_block().unwrap().is_some() {}
        reader.totals().clone()
    };
    let mut totals = totals_of(&format!("{HEADER}a,b\n{FULL}"));
    totals.merge(&totals_of(&format!("{HEADER},x,,,,,,,,,,,\n,1,,,,,,,,,,,\n,\n{HEADER}")));
    assert_eq!((totals.rows_read, totals.accepted, totals.rejected, totals.lines), (5, 1, 3, 8));
    assert_eq!((totals.blank, totals.repeated_headers), (1, 1));
    let counted: Vec<_> = totals.by_reason.iter().map(|count| (count.code, count.rows)).collect();
    assert_eq!(counted, [(Code::MissingRequired, 2), (Code::TooFewFields, 1), (Code::NotAnInteger, 1)]);
}

#[test]
fn a_contract_that_cannot_be_executed_is_refused_when_the_plan_is_compiled() {
    let compile_error = |change: &dyn Fn(&mut Contract)| {
        let mut contract = all_types();
        change(&mut contract);
        Plan::compile(&contract).unwrap_err().to_string()
    };
    let encoding = |label: &str| {
        let label = label.to_owned();
        compile_error(&move |contract: &mut Contract| contract.format.encoding = Some(label.clone()))
    };
    assert_eq!(encoding("klingon"), "unknown encoding `klingon`");
    assert_eq!(encoding("utf-7"), "unknown encoding `utf-7`");
    let zone = compile_error(&|contract| {
        contract.entity.columns[10].logical_type =
            LogicalType::Timestamp { format: None, default_timezone: "Europe/Atlantis".to_owned() };
    });
    assert_eq!(zone, "column `tz`: unknown time zone `Europe/Atlantis`");
    let constant =
        compile_error(&|contract| contract.entity.columns[1].harmonise.constant = Some("70000".to_owned()));
    assert_eq!(
        constant,
        "column `i2`: the constant or default `70000` violates a rule of the column: smallint"
    );
    let sets = compile_error(&|contract| {
        let unique = |number: u32| Column { unique: true, ..text(&format!("c{number}")) };
        contract.entity.columns = (0..300).map(unique).collect();
    });
    assert_eq!(
        sets,
        "column `c254`: at most 254 sets of columns besides the primary key can be checked for duplicates"
    );
}
