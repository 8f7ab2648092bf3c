//! Avro files: every type, every codec, and how columns are matched.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{FileFormat, Limits, Plan, PseudonymKey};
use proptest::prelude::*;

use crate::avro_files::{block, compress, file, header, long, record, string};
use crate::support::{Outcome, column, contract, read, read_plan, read_with, required, text};

fn avro(columns: Vec<Column>) -> Contract {
    contract(FormatKind::Avro, columns)
}

fn numeric(name: &str) -> Column {
    column(name, LogicalType::Number, SqlType::Numeric(None))
}

fn bigint(name: &str) -> Column {
    column(name, LogicalType::Integer, SqlType::Bigint)
}

fn timestamp(sql_type: SqlType) -> Column {
    let default_timezone = "Europe/Berlin".to_owned();
    column("f", LogicalType::Timestamp { format: None, default_timezone }, sql_type)
}

fn document() -> Column {
    column("f", LogicalType::Object { properties: vec![] }, SqlType::Jsonb)
}

fn list() -> Column {
    column("f", LogicalType::Array { items: None }, SqlType::Jsonb)
}

/// Returns the value of the only row, or its reject.
fn value_or_reject(outcome: &Outcome) -> String {
    match outcome.values().first() {
        Some(row) => row[0].clone(),
        None => outcome.reject_summary()[0].clone(),
    }
}

#[test]
fn every_type_is_converted() {
    let date = || column("f", LogicalType::Date { format: None }, SqlType::Date);
    let time = || column("f", LogicalType::Time { format: None }, SqlType::Time);
    let boolean = || column("f", LogicalType::Boolean, SqlType::Boolean);
    let double = || column("f", LogicalType::Number, SqlType::DoublePrecision);
    let uuid = || column("f", LogicalType::String, SqlType::Uuid);
    let (instant, local) = (|| timestamp(SqlType::Timestamptz), || timestamp(SqlType::Timestamp));
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}"#;
    let fixed = |size: usize, more: &str| format!(r#"{{"type":"fixed","name":"x","size":{size}{more}}}"#);
    let logical = |kind: &str, name: &str| format!(r#"{{"type":"{kind}","logicalType":"{name}"}}"#);
    let int_max = long(i32::MAX.into());
    for (kind, bytes, column, expected) in [
        (r#""null""#.to_owned(), vec![], text("f"), "NULL"),
        (r#""null""#.to_owned(), vec![], required(text("f")), "1@1 missing_required:f"),
        (r#""boolean""#.to_owned(), vec![1], boolean(), "t"),
        (r#""boolean""#.to_owned(), vec![0], text("f"), "false"),
        (r#""int""#.to_owned(), int_max.clone(), bigint("f"), "2147483647"),
        (r#""int""#.to_owned(), long(-7), text("f"), "-7"),
        (r#""long""#.to_owned(), long(i64::MIN), bigint("f"), "-9223372036854775808"),
        (
            r#""long""#.to_owned(),
            long(40_000),
            column("f", LogicalType::Integer, SqlType::Smallint),
            "1@1 out_of_range:f",
        ),
        (r#""float""#.to_owned(), 0.1_f32.to_le_bytes().to_vec(), double(), "0.1"),
        (r#""double""#.to_owned(), 1e300_f64.to_le_bytes().to_vec(), double(), "1e300"),
        (r#""double""#.to_owned(), 2.5_f64.to_le_bytes().to_vec(), numeric("f"), "2.5"),
        (r#""bytes""#.to_owned(), string("text"), text("f"), "text"),
        (r#""string""#.to_owned(), string(" é\t"), text("f"), "é"),
        (r#""string""#.to_owned(), string("12.50"), numeric("f"), "12.50"),
        (r#""string""#.to_owned(), string("2024-01-31"), date(), "2024-01-31"),
        (r#""string""#.to_owned(), string(r#"{"a": 1}"#), document(), r#"{"a": 1}"#),
        (r#""string""#.to_owned(), string(""), text("f"), "NULL"),
        (r#""string""#.to_owned(), string("a\0b"), text("f"), "1@1 nul_character:f"),
        (fixed(3, ""), b"abc".to_vec(), text("f"), "abc"),
        (decimal.to_owned(), string([0x04, 0xe2]), numeric("f"), "12.50"),
        (decimal.to_owned(), string([0xff]), numeric("f"), "-0.01"),
        (decimal.to_owned(), string([]), numeric("f"), "0.00"),
        (decimal.to_owned(), string([0x7f; 17]), numeric("f"), "433853345620923581338087656345946983955.19"),
        (decimal.to_owned(), string([0x55; 200]), numeric("f"), "1@1 wrong_type:f"),
        (fixed(2, r#","logicalType":"decimal","precision":4"#), vec![0xff, 0x85], bigint("f"), "-123"),
        (logical("bytes", "big-decimal"), string([string([0x7b]), long(1)].concat()), numeric("f"), "12.3"),
        (logical("int", "date"), long(19_753), date(), "2024-01-31"),
        (logical("int", "date"), long(19_753), text("f"), "2024-01-31"),
        (logical("int", "date"), int_max, date(), "1@1 out_of_range:f"),
        (logical("int", "time-millis"), long(3_600_001), time(), "01:00:00.001"),
        (logical("long", "time-micros"), long(86_399_999_999), time(), "23:59:59.999999"),
        (logical("long", "time-micros"), long(86_400_000_000), time(), "1@1 out_of_range:f"),
        (logical("long", "timestamp-millis"), long(1_706_700_600_500), instant(), "2024-01-31 11:30:00.5+00"),
        (logical("long", "timestamp-micros"), long(-1), instant(), "1969-12-31 23:59:59.999999+00"),
        (logical("long", "timestamp-micros"), long(0), local(), "1970-01-01 01:00:00"),
        (logical("long", "timestamp-millis"), long(i64::MAX), instant(), "1@1 out_of_range:f"),
        (logical("long", "timestamp-nanos"), long(1_000), instant(), "1970-01-01 00:00:00.000001+00"),
        (logical("long", "timestamp-nanos"), long(1_001), instant(), "1@1 out_of_range:f"),
        (logical("long", "local-timestamp-millis"), long(0), instant(), "1969-12-31 23:00:00+00"),
        (logical("long", "local-timestamp-micros"), long(1), local(), "1970-01-01 00:00:00.000001"),
        (logical("long", "local-timestamp-nanos"), long(2_000), local(), "1970-01-01 00:00:00.000002"),
        (
            logical("string", "uuid"),
            string("0F000000-0000-0000-0000-00000000000a"),
            uuid(),
            "0f000000-0000-0000-0000-00000000000a",
        ),
        (
            fixed(16, r#","logicalType":"uuid""#),
            [[15].as_slice(), &[0; 15]].concat(),
            uuid(),
            "0f000000-0000-0000-0000-000000000000",
        ),
        (
            fixed(12, r#","logicalType":"duration""#),
            [1_u32, 2, 3_004].map(u32::to_le_bytes).concat(),
            text("f"),
            "P1M2DT3.004S",
        ),
        (r#"{"type":"enum","name":"e","symbols":["RED","BLUE"]}"#.to_owned(), long(1), text("f"), "BLUE"),
        (r#"["null","string"]"#.to_owned(), long(0), text("f"), "NULL"),
        (r#"["null","string"]"#.to_owned(), [long(1), string("x")].concat(), text("f"), "x"),
        (r#"["int","string"]"#.to_owned(), [long(0), long(5)].concat(), text("f"), "5"),
        (
            r#"{"type":"array","items":"int"}"#.to_owned(),
            [long(2), long(1), long(-2), long(0)].concat(),
            list(),
            "[1,-2]",
        ),
        (
            r#"{"type":"array","items":"string"}"#.to_owned(),
            [long(-1), long(2), string("a"), long(1), string("\"\n"), long(0)].concat(),
            list(),
            r#"["a","\"\n"]"#,
        ),
        (
            r#"{"type":"map","values":["null","double"]}"#.to_owned(),
            [long(2), string("k"), long(1), 0.5_f64.to_le_bytes().to_vec(), string("n"), long(0), long(0)]
                .concat(),
            document(),
            r#"{"k":0.5,"n":null}"#,
        ),
        (
            record(&[
                ("d", &logical("int", "date")),
                ("b", r#""boolean""#),
                ("e", r#"{"type":"array","items":"null"}"#),
            ])
            .replace("\"row\"", "\"inner\""),
            [long(0), vec![1], long(0)].concat(),
            document(),
            r#"{"d":"1970-01-01","b":true,"e":[]}"#,
        ),
        (
            r#"{"type":"array","items":"int"}"#.to_owned(),
            [long(1), long(1), long(0)].concat(),
            text("f"),
            "1@1 wrong_type:f",
        ),
    ] {
        let file = file(&record(&[("f", &kind)]), &[bytes]);
        assert_eq!(
            value_or_reject(&read(&avro(vec![column.clone()]), file)),
            expected,
            "{kind} in {}",
            column.sql_type
        );
    }
}

#[test]
fn each_codec_and_each_outer_compression_gives_the_same_rows() {
    let rows: Vec<Vec<u8>> = (0..1_000).map(|row| [long(row), string("word ".repeat(10))].concat()).collect();
    let schema = record(&[("a", r#""long""#), ("b", r#""string""#)]);
    let contract = avro(vec![bigint("a"), text("b")]);
    let plain = read(&contract, file(&schema, &rows));
    assert_eq!(plain.totals.accepted, 1_000);
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let blocks = rows.chunks(300).map(|rows| block(rows.len() as i64, &compress(codec, &rows.concat())));
        let file = [header(&schema, codec), blocks.collect::<Vec<_>>().concat()].concat();
        let found = read(&contract, &file);
        assert_eq!((&found.chunks, found.reject_summary()), (&plain.chunks, vec![]), "{codec}");
        let outer = read(&contract, zstd::encode_all(&file[..], 1).unwrap());
        assert_eq!((&outer.chunks, outer.dialect.compression), (&plain.chunks, Compression::Zstd), "{codec}");
        assert_eq!(outer.totals.bytes_decompressed, file.len() as u64);
    }
}

#[test]
fn the_dialect_is_avro_with_an_assumed_compression() {
    let outcome = read(&avro(vec![text("f")]), file(&record(&[("f", r#""string""#)]), &[]));
    let dialect = outcome.dialect;
    assert_eq!((dialect.format, dialect.encoding.as_str()), (Some(FileFormat::Avro), "UTF-8"));
    assert_eq!((dialect.compression, dialect.assumed), (Compression::Plain, vec!["compression".to_owned()]));
}

#[test]
fn columns_match_fields_by_physical_name_and_several_may_read_the_same_one() {
    let named = |name: &str, physical: &str| Column { physical_name: physical.to_owned(), ..text(name) };
    let contract = avro(vec![named("second", "b"), named("first", "a"), named("again", "a")]);
    let schema = record(&[("a", r#""string""#), ("x", r#""string""#), ("b", r#""string""#)]);
    let row = [string("A"), string("X"), string("B")].concat();
    assert_eq!(
        read(&Contract { unexpected_columns: UnexpectedColumns::Ignore, ..contract }, file(&schema, &[row]))
            .values(),
        [["B", "A", "A"]]
    );
}

#[test]
fn a_missing_field_is_an_error_or_a_missing_value_as_the_contract_says() {
    let contract = avro(vec![text("price"), text("f")]);
    let file = file(
        &record(&[("Price", r#""string""#), ("f", r#""string""#)]),
        &[[string("1"), string("x")].concat()],
    );
    let error = read_with(&contract, Limits::default(), &file[..]).unwrap_err();
    assert_eq!(error.code(), "missing_columns");
    let message = "the schema lacks `price`; it has `Price`, `f`; `Price` may be meant for `price`";
    assert!(error.to_string().starts_with(message), "{error}");
    let contract = Contract { missing_columns: MissingColumns::Null, ..contract };
    let outcome = read(&contract, file);
    assert_eq!(outcome.values(), [["NULL", "x"]]);
    assert_eq!(outcome.dialect.suggestions, ["`Price` may be meant for `price`"]);
}

#[test]
fn unexpected_fields_are_rescued_rejected_or_ignored() {
    let schema = record(&[
        ("more", r#"{"type":"map","values":"int"}"#),
        ("f", r#""string""#),
        ("none", r#"["null","int"]"#),
        ("day", r#"{"type":"int","logicalType":"date"}"#),
    ]);
    let row = [long(1), string("k"), long(1), long(0), string("x"), long(0), long(0)].concat();
    let file = file(&schema, &[row]);
    let rescued = Column { name: "_rescued".to_owned(), ..document() };
    let rescued = Column { physical_name: "_rescued".to_owned(), ..rescued };
    for (unexpected_columns, columns, expected) in [
        (UnexpectedColumns::Rescue, vec![rescued, text("f")], r#"{"more":{"k":1},"day":"1970-01-01"}"#),
        (UnexpectedColumns::Ignore, vec![text("f")], "x"),
        (UnexpectedColumns::Reject, vec![text("f")], "1@1 unexpected_column"),
    ] {
        let contract = Contract { unexpected_columns, ..avro(columns) };
        let outcome = read(&contract, &file);
        assert_eq!(value_or_reject(&outcome), expected);
        if unexpected_columns == UnexpectedColumns::Reject {
            assert_eq!(outcome.rejects[0].reasons[0].found.as_deref(), Some("more, day"));
        }
    }
}

#[test]
fn a_reject_has_the_row_as_json_its_number_and_the_offset_of_its_block() {
    let schema = record(&[("id", r#""long""#), ("f", r#"["null","string"]"#), ("b", r#""bytes""#)]);
    let row = |id: i64, b: &[u8]| [long(id), long(0), string(b)].concat();
    let rows = [row(1, b"x"), row(2, &[0xff])];
    let start = header(&schema, "null").len() as u64;
    let outcome = read(&avro(vec![bigint("id"), required(text("f")), text("b")]), file(&schema, &rows));
    let shown: Vec<_> = outcome
        .rejects
        .iter()
        .map(|reject| (reject.row, reject.line, reject.byte_offset, reject.raw.as_str()))
        .collect();
    assert_eq!(
        shown,
        [(1, 1, start, r#"{"id":1,"f":null,"b":"x"}"#), (2, 2, start, r#"{"id":2,"f":null,"b":"\\xff"}"#),]
    );
}

#[test]
fn hidden_values_do_not_appear_in_rejects() {
    let secret = |column: Column| Column { pseudonymise: true, ..column };
    let classified = |column: Column| Column { classification: Some("confidential".to_owned()), ..column };
    let contract = avro(vec![secret(text("name")), classified(bigint("salary")), required(text("f"))]);
    let schema = record(&[("name", r#""string""#), ("salary", r#""long""#), ("f", r#"["null","string"]"#)]);
    let good = [string("Ada"), long(123_456), long(0)].concat();
    let broken = [string([b'A', b'd', b'a', 0xff]), long(123_456), long(0)].concat();
    let plan = Plan::compile_with(&contract, Some(&PseudonymKey::new(&[7; 32]).unwrap())).unwrap();
    let outcome = read_plan(&Arc::new(plan), Limits::default(), &file(&schema, &[good, broken])[..]).unwrap();
    assert_eq!(outcome.reject_summary(), ["1@1 missing_required:f", "2@2 invalid_encoding"]);
    assert_eq!((outcome.rejects[1].raw.as_str(), outcome.rejects[1].raw_withheld), ("", true));
    let raw = &outcome.rejects[0].raw;
    assert!(raw.contains(r#""salary":"[classified]","f":null"#), "{raw}");
    let rejects = serde_json::to_string(&outcome.rejects).unwrap();
    assert!(!rejects.contains("Ada") && !rejects.contains("123456"), "{rejects}");
}

/// Writes the rows with the `apache_avro` crate.
fn written_by_apache(codec: apache_avro::Codec, rows: &[Product]) -> Vec<u8> {
    let schema = apache_avro::Schema::parse_str(
        r#"{"type":"record","name":"shop.Product","fields":[
            {"name":"id","type":"long"},
            {"name":"title","type":["null","string"]},
            {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
            {"name":"size","type":"double"},
            {"name":"seen","type":{"type":"long","logicalType":"timestamp-micros"}},
            {"name":"day","type":{"type":"int","logicalType":"date"}},
            {"name":"tags","type":{"type":"map","values":{"type":"array","items":["null","int","string"]}}}]}"#,
    )
    .unwrap();
    use apache_avro::types::Value;
    let mut writer = apache_avro::Writer::builder()
        .schema(&schema)
        .writer(Vec::new())
        .codec(codec)
        .block_size(300)
        .build()
        .unwrap();
    for row in rows {
        let title = row.title.clone().map_or((0, Value::Null), |title| (1, Value::String(title)));
        let items = row.tags.iter().map(|tag| match tag {
            Tag::None => Value::Union(0, Box::new(Value::Null)),
            Tag::Number(number) => Value::Union(1, Box::new(Value::Int(*number))),
            Tag::Text(text) => Value::Union(2, Box::new(Value::String(text.clone()))),
        });
        let tags = [(row.key.clone(), Value::Array(items.collect()))];
        writer
            .append_value(Value::Record(vec![
                ("id".to_owned(), Value::Long(row.id)),
                ("title".to_owned(), Value::Union(title.0, Box::new(title.1))),
                ("price".to_owned(), Value::Decimal(apache_avro::Decimal::from(row.cents.to_be_bytes()))),
                ("size".to_owned(), Value::Double(row.size)),
                ("seen".to_owned(), Value::TimestampMicros(row.micros)),
                ("day".to_owned(), Value::Date(row.day)),
                ("tags".to_owned(), Value::Map(tags.into_iter().collect())),
            ]))
            .unwrap();
    }
    writer.into_inner().unwrap()
}

/// Writes the rows as NDJSON.
fn written_as_json(rows: &[Product]) -> String {
    let line = |row: &Product| {
        let tags: Vec<serde_json::Value> = row
            .tags
            .iter()
            .map(|tag| match tag {
                Tag::None => serde_json::Value::Null,
                Tag::Number(number) => (*number).into(),
                Tag::Text(text) => text.as_str().into(),
            })
            .collect();
        let (sign, cents) = (if row.cents < 0 { "-" } else { "" }, row.cents.unsigned_abs());
        let instant = jiff::Timestamp::from_microsecond(row.micros).unwrap();
        let day = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(i64::from(row.day));
        let title = serde_json::to_string(&row.title).unwrap();
        let tags = serde_json::to_string(&serde_json::json!({ row.key.as_str(): tags })).unwrap();
        format!(
            r#"{{"id":{},"title":{title},"price":{sign}{}.{:02},"size":{},"seen":"{instant}","day":"{day}","tags":{tags}}}"#,
            row.id,
            cents / 100,
            cents % 100,
            serde_json::to_string(&row.size).unwrap(),
        ) + "\n"
    };
    rows.iter().map(line).collect()
}

#[derive(Debug, Clone)]
struct Product {
    id: i64,
    title: Option<String>,
    cents: i64,
    size: f64,
    micros: i64,
    day: i32,
    key: String,
    tags: Vec<Tag>,
}

#[derive(Debug, Clone)]
enum Tag {
    None,
    Number(i32),
    Text(String),
}

fn product() -> impl Strategy<Value = Product> {
    let tag = prop_oneof![Just(Tag::None), any::<i32>().prop_map(Tag::Number), ".{0,9}".prop_map(Tag::Text)];
    let year_1_to_9999 = (-62_135_596_800_000_000..253_402_000_000_000_000_i64, -719_162..2_932_896_i32);
    let values = (
        any::<i64>(),
        prop::option::of(".{0,12}"),
        any::<i64>(),
        prop::num::f64::NORMAL | prop::num::f64::ZERO,
    );
    (values, year_1_to_9999, ".{0,5}", prop::collection::vec(tag, 0..4)).prop_map(
        |((id, title, cents, size), (micros, day), key, tags)| Product {
            id,
            title,
            cents,
            size,
            micros,
            day,
            key,
            tags,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn files_written_by_apache_avro_give_the_same_rows_as_ndjson(
        rows in prop::collection::vec(product(), 0..30),
        codec in prop::sample::select(vec!["null", "deflate", "snappy"]),
    ) {
        let codec = match codec {
            "deflate" => apache_avro::Codec::Deflate(apache_avro::DeflateSettings::default()),
            "snappy" => apache_avro::Codec::Snappy,
            _ => apache_avro::Codec::Null,
        };
        let columns = vec![
            bigint("id"),
            required(text("title")),
            numeric("price"),
            column("size", LogicalType::Number, SqlType::DoublePrecision),
            Column { name: "seen".to_owned(), physical_name: "seen".to_owned(), ..timestamp(SqlType::Timestamptz) },
            column("day", LogicalType::Date { format: None }, SqlType::Date),
            Column { name: "tags".to_owned(), physical_name: "tags".to_owned(), ..document() },
        ];
        let file = written_by_apache(codec, &rows);
        let avro = read(&avro(columns.clone()), &file);
        let json = written_as_json(&rows);
        if json.is_empty() {
            prop_assert_eq!(avro.totals.rows_read, 0);
            return Ok(());
        }
        let json = read(&contract(FormatKind::Ndjson, columns), json);
        prop_assert_eq!(avro.rows(), json.rows());
        prop_assert_eq!(avro.reject_summary(), json.reject_summary());
    }
}
