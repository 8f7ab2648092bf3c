//! Checking a batch of Parquet column by column gives the same result as checking it row by row.

use std::sync::Arc;

use arrow_array::*;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use penstock_contract::*;
use penstock_engine::{KeyEntry, Limits, Plan, PseudonymKey, Reader, Reject, Totals};
use proptest::prelude::*;

use crate::batch::check;
use crate::parquet_files::file_with;
use crate::support::{column, contract, required, text};

const GROUP_ROWS: usize = 20;
/// The length of the text in each of the two long columns. No row has both.
const LONG: usize = 400;
/// With this limit a batch is read row by row, because a row with its longest texts would exceed it.
const MAX_RECORD_BYTES: usize = 700;

#[derive(Debug, Clone)]
struct Row {
    name: Option<String>,
    colour: Option<&'static str>,
    secret: Option<String>,
    document: Option<&'static str>,
    /// Few distinct texts in many rows, so that row groups have a dictionary.
    kind: Option<&'static str>,
    unit: Option<&'static str>,
    small: Option<i32>,
    large: Option<i64>,
    price: Option<i128>,
    other_price: Option<i128>,
    seen: Option<i64>,
    day: Option<i32>,
    is_new: Option<bool>,
    weight: Option<f64>,
}

fn mostly_some<T: std::fmt::Debug + Clone>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.98, of)
}

/// Generates one `irregular` value in fifty, so that most rows are accepted.
fn mostly<T: std::fmt::Debug + Clone>(
    regular: impl Strategy<Value = T>,
    irregular: impl Strategy<Value = T>,
) -> impl Strategy<Value = T> {
    prop_oneof![49 => regular, 1 => irregular]
}

fn texts() -> impl Strategy<Value = String> {
    let regular = prop_oneof![
        6 => "[a-z]{1,6}",
        1 => Just(String::from("é")),
        1 => Just("  white space ".to_owned()),
        1 => "[a-z]{28,34}",
    ];
    let irregular = prop_oneof!["[ a\\\\\t\né\0]{0,6}", Just(String::new()), "[a-z]{35,36}"];
    mostly(regular, irregular)
}

fn row() -> impl Strategy<Value = Row> {
    const DOCUMENTS: [&str; 3] = [r#"{"a":1,"b":[true,null]}"#, " {} ", r#"{"a":"b"}"#];
    const KINDS: [&str; 3] =
        ["é", " spaced ", "a kind that is longer than the blocks in which short ones are copied"];
    const IRREGULAR_KINDS: [&str; 3] = ["", "a\tb\\", "a kind \0"];
    const IRREGULAR_DOCUMENTS: [&str; 4] = [r#"{"a":"\n"}"#, "[]", r#"{"a":}"#, r#"{"a":"\u0000"}"#];
    let whole = prop_oneof![-300..300_i64, Just(i64::MAX), Just(i64::MIN), any::<i64>()];
    let decimal = |factor: i128| {
        let edges = [-1, 999_999, 1_000_000, -999_999, -1_000_000, 50_000, 50_001, i128::MAX / 100];
        mostly((0..4_900_i128).prop_map(move |number| number * factor), prop::sample::select(edges.to_vec()))
    };
    let texts = (
        mostly_some(texts()),
        mostly_some(mostly(
            prop::sample::select(vec!["red", "blue"]),
            prop::sample::select(vec![" red", ""]),
        )),
        mostly_some(texts()),
        mostly_some(mostly(
            prop::sample::select(DOCUMENTS.to_vec()),
            prop::sample::select(IRREGULAR_DOCUMENTS.to_vec()),
        )),
        mostly_some(mostly(
            prop::sample::select(KINDS.to_vec()),
            prop::sample::select(IRREGULAR_KINDS.to_vec()),
        )),
        mostly_some(mostly(
            prop::sample::select(vec!["kg", "g"]),
            prop::sample::select(vec!["lb", "", " g"]),
        )),
    );
    let time = mostly(0..4_000_000_000_000_000_i64, any::<i64>());
    let day = mostly(-700_000..2_900_000_i32, any::<i32>());
    let small = mostly(-32_768..32_768_i32, any::<i32>());
    let numbers = (
        mostly_some(small),
        mostly_some(whole),
        mostly_some(decimal(1)),
        mostly_some(decimal(10)),
        mostly_some(time),
        mostly_some(day),
    );
    let weight = mostly(-1e9..1e9_f64, any::<f64>());
    (texts, numbers, mostly_some(any::<bool>()), mostly_some(weight)).prop_map(
        |(texts, numbers, is_new, weight)| {
            let (name, colour, secret, document, kind, unit) = texts;
            let (small, large, price, other_price, seen, day) = numbers;
            Row {
                name,
                colour,
                secret,
                document,
                kind,
                unit,
                small,
                large,
                price,
                other_price,
                seen,
                day,
                is_new,
                weight,
            }
        },
    )
}

/// How repeated texts are encoded.
#[derive(Debug, Clone, Copy)]
enum Dictionary {
    Always,
    /// With a dictionary of at most 20 bytes. Later values are written plain.
    Small,
    Never,
}

fn things(rows: &[Row], dictionary: Dictionary, compression: Compression) -> Bytes {
    fn array<A: Array + FromIterator<T> + 'static, T>(rows: &[Row], of: impl Fn(&Row) -> T) -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<A>())
    }
    let long = |row: usize| {
        let texts = (0..rows.len()).map(|index| if index == row { "x".repeat(LONG) } else { String::new() });
        Arc::new(texts.map(Some).collect::<StringArray>()) as ArrayRef
    };
    let decimals = |scale, of: fn(&Row) -> Option<i128>| {
        let array = rows.iter().map(of).collect::<Decimal128Array>();
        Arc::new(array.with_precision_and_scale(38, scale).unwrap()) as ArrayRef
    };
    let times = rows.iter().map(|row| row.seen).collect::<TimestampMicrosecondArray>();
    // Several row groups show whether state of one batch affects the next.
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_compression(compression)
        .set_dictionary_enabled(!matches!(dictionary, Dictionary::Never))
        .set_dictionary_page_size_limit(if matches!(dictionary, Dictionary::Small) {
            20
        } else {
            1024 * 1024
        })
        .set_data_page_row_count_limit(7)
        .set_write_batch_size(7)
        .build();
    let columns = [
        ("name", array::<StringArray, _>(rows, |row| row.name.clone())),
        ("colour", array::<StringArray, _>(rows, |row| row.colour)),
        ("secret", array::<StringArray, _>(rows, |row| row.secret.clone())),
        ("document", array::<StringArray, _>(rows, |row| row.document)),
        ("kind", array::<StringArray, _>(rows, |row| row.kind)),
        ("unit", array::<StringArray, _>(rows, |row| row.unit)),
        ("small", array::<Int32Array, _>(rows, |row| row.small)),
        ("large", array::<Int64Array, _>(rows, |row| row.large)),
        ("price", decimals(2, |row| row.price)),
        ("other_price", decimals(3, |row| row.other_price)),
        ("seen", Arc::new(times.with_timezone("UTC"))),
        ("day", array::<Date32Array, _>(rows, |row| row.day)),
        ("is_new", array::<BooleanArray, _>(rows, |row| row.is_new)),
        ("weight", array::<Float64Array, _>(rows, |row| row.weight)),
        ("left", long(0)),
        ("right", long(1)),
    ];
    file_with(&columns, properties)
}

fn columns() -> Vec<Column> {
    let of = |name: &str, logical_type, sql_type| column(name, logical_type, sql_type);
    let bound = |value: &str, exclusive| Some(Bound { value: value.to_owned(), exclusive });
    let mut name = required(text("name"));
    name.rules.max_length = Some(34);
    let mut colour = text("colour");
    colour.harmonise.default = Some("white".to_owned());
    let mut secret = text("secret");
    (secret.pseudonymise, secret.classification) = (true, Some("personal".to_owned()));
    let mut unit = required(text("unit"));
    unit.rules.allowed = vec!["g".to_owned(), "kg".to_owned()];
    let mut price = of("price", LogicalType::Number, SqlType::Numeric(Some((6, 2))));
    (price.rules.minimum, price.rules.maximum) = (bound("-0.01", false), bound("500.01", true));
    let mut other_price = of("other_price", LogicalType::Number, SqlType::Numeric(Some((6, 2))));
    other_price.rules.maximum = bound("49", false);
    let time = LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() };
    let mut seen = required(of("seen", time, SqlType::Timestamptz));
    seen.rules.minimum = bound("1969-06-01T00:00:00Z", false);
    let mut constant = text("constant");
    constant.harmonise.constant = Some("c".to_owned());
    vec![
        name,
        colour,
        secret,
        of("document", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
        text("kind"),
        unit,
        of("small", LogicalType::Integer, SqlType::Smallint),
        of("large", LogicalType::Integer, SqlType::Bigint),
        price,
        other_price,
        seen,
        of("day", LogicalType::Date { format: None }, SqlType::Date),
        of("is_new", LogicalType::Boolean, SqlType::Boolean),
        of("weight", LogicalType::Number, SqlType::DoublePrecision),
        constant,
        text("absent"),
        text("left"),
        text("right"),
    ]
}

fn plan() -> Plan {
    let check = |column, metric| check(metric, Some(column), "mustBe: 0", Unit::Rows, Some("warning"));
    let mut contract = contract(FormatKind::Parquet, columns());
    contract.missing_columns = MissingColumns::Null;
    contract.entity.key = vec![0, 4, 8];
    contract.load.mode = WriteMode::Upsert;
    contract.load.event_time = Some(10);
    contract.quality = vec![
        check(1, Metric::InvalidValues { valid: vec!["red".to_owned()], pattern: None }),
        check(7, Metric::NullValues),
    ];
    let key = PseudonymKey::new(b"of thirty-two bytes, as it should").unwrap();
    Plan::compile_with(&contract, Some(&key)).unwrap()
}

/// Everything that a reader returns.
#[derive(Debug, PartialEq)]
struct ReaderOutput {
    chunks: Vec<(Vec<u8>, Option<RecordBatch>, Vec<KeyEntry>)>,
    rejects: Vec<Reject>,
    totals: Totals,
}

fn read(plan: &Plan, limits: Limits, file: Bytes) -> ReaderOutput {
    let mut reader = Reader::open_seekable(plan, limits, file).unwrap();
    let (mut chunks, mut rejects) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block().unwrap() {
        if block.rows.count > 0 {
            chunks.push((block.rows.copy_text, block.rows.record_batch, block.rows.keys));
        }
        rejects.extend(block.rejects);
    }
    ReaderOutput { chunks, rejects, totals: reader.totals().clone() }
}

/// Removes positions and byte counts, which differ between files with the same rows.
fn without_positions(mut read: ReaderOutput) -> ReaderOutput {
    read.rejects.iter_mut().for_each(|reject| reject.byte_offset = 0);
    (read.totals.bytes_read, read.totals.bytes_decompressed) = (0, 0);
    read
}

proptest! {
    #[test]
    fn checking_by_column_gives_the_same_result_as_checking_by_row(
        rows in prop::collection::vec(row(), 2..60),
        chunk_rows in 1..20_u32,
        arrow in any::<bool>(),
        dictionary in prop::sample::select(vec![Dictionary::Always, Dictionary::Small, Dictionary::Never]),
        compression in prop::sample::select(vec![Compression::UNCOMPRESSED, Compression::SNAPPY]),
    ) {
        let plan = plan();
        let file = things(&rows, dictionary, compression);
        let limits = Limits { chunk_rows, arrow, ..Limits::default() };
        let by_row = Limits { max_record_bytes: MAX_RECORD_BYTES, ..limits.clone() };
        let (by_column, by_row) = (read(&plan, limits.clone(), file.clone()), read(&plan, by_row, file));
        prop_assert_eq!(by_column.totals.rows_read, rows.len() as u64);
        prop_assert_eq!(&by_column, &by_row);
        let plain = read(&plan, limits, things(&rows, Dictionary::Never, Compression::UNCOMPRESSED));
        prop_assert_eq!(without_positions(by_column), without_positions(plain));
    }
}
