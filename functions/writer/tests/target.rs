//! Target tables are created, extended and checked; names and values of every kind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_aws::database::DatabaseError;
use penstock_contract::{Contract, SqlType};
use penstock_pipeline::DeadCode;
use penstock_writer::error::LoadError;
use support::{
    ChunkOf, Db, PRODUCTS, appended, applied, apply, at, contract_of, contract_yaml, product, products,
};

fn with_type(sql_type: SqlType) -> Contract {
    let mut contract = products("shop");
    contract.entity.columns[1].sql_type = sql_type;
    contract
}

#[tokio::test]
async fn a_table_is_created_for_cheap_merges() {
    let (db, contract) = (Db::start(), products("shop"));
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap();
    let columns = "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, c.collname FROM pg_attribute a \
                   LEFT JOIN pg_collation c ON c.oid = a.attcollation \
                   WHERE a.attrelid = 'products'::regclass AND a.attnum > 0 ORDER BY a.attnum LIMIT 6";
    let expected = [
        "sku|text|t|C",
        "title|text|f|default",
        "qty|integer|f|~",
        "updated_at|timestamp with time zone|f|~",
        "_source|text|t|default",
        "_batch_id|uuid|t|~",
    ];
    assert_eq!(db.rows(columns).await, expected);
    assert_eq!(
        db.rows("SELECT reloptions FROM pg_class WHERE oid = 'products'::regclass").await,
        ["{fillfactor=50}"]
    );
}

#[tokio::test]
async fn a_column_of_another_type_is_refused_with_both_types() {
    let db = Db::start();
    let mut writer = db.writer();
    let contract = products("shop");
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&chunk]).await.unwrap();

    let mut other = with_type(SqlType::Numeric(Some((12, 2))));
    other.version = "2.0.0".into();
    let chunk = ChunkOf::batch(2).rows(&other, [product("a", "1.00", 1, 1)]);
    let error = apply(&mut writer, &other, &[&chunk]).await.unwrap_err();
    assert_eq!((error.code(), error.is_transient()), (Some(DeadCode::TableMismatch), false));
    let message = error.to_string();
    for part in ["\"public\".\"products\"", "title", "text", "numeric(12,2)"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert_eq!(db.rows("SELECT count(*) FROM penstock.chunk").await, ["1"]);
}

#[tokio::test]
async fn tables_with_another_key_write_mode_or_creator_are_refused() {
    let db = Db::start();
    let mut writer = db.writer();
    let contract = products("shop");
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&chunk]).await.unwrap();

    let mut other_key = products("other");
    other_key.entity.key = vec![0, 1];
    let chunk = ChunkOf::batch(2).rows(&other_key, [product("a", "t", 1, 1)]);
    let error = apply(&mut writer, &other_key, &[&chunk]).await.unwrap_err().to_string();
    assert!(error.contains("(sku, title)") && error.contains("(sku)"), "{error}");

    let append = appended("events");
    let chunk = ChunkOf::batch(3).rows(&append, ["a\t1"]);
    let error = apply(&mut writer, &append, &[&chunk]).await.unwrap_err();
    assert_eq!(error.code(), Some(DeadCode::TableMismatch));

    for (definition, expected) in [
        ("TABLE public.products (sku text PRIMARY KEY)", "_source"),
        ("VIEW public.products AS SELECT 1", "not a table"),
    ] {
        let client = db.client().await;
        client.batch_execute("DROP TABLE IF EXISTS public.products").await.unwrap();
        client.batch_execute(&format!("CREATE {definition}")).await.unwrap();
        let chunk = ChunkOf::batch(4).rows(&contract, [product("a", "t", 1, 1)]);
        let error = apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap_err();
        assert_eq!(error.code(), Some(DeadCode::TableMismatch));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_minor_version_adds_its_column() {
    let (db, old) = (Db::start(), products("shop"));
    let properties = format!("{PRODUCTS}\n      - {{name: colour, logicalType: string, required: true}}");
    let new = contract_of(&contract_yaml("shop", "1.1.0", &[("eventTime", "updated_at")], &properties));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&old, [product("a", "t", 1, 1), product("b", "t", 1, 1)]);
    apply(&mut writer, &old, &[&one]).await.unwrap();
    let two = ChunkOf::batch(2).rows(&new, [format!("{}\tred", product("a", "t", 1, 2))]);
    apply(&mut writer, &new, &[&two]).await.unwrap();
    assert_eq!(db.rows("SELECT sku, colour FROM products ORDER BY sku").await, ["a|red", "b|~"]);
}

#[tokio::test]
async fn rescued_values_are_stored_once_the_contract_says_so() {
    let (db, old) = (Db::start(), products("shop"));
    let custom = [("eventTime", "updated_at"), ("unexpectedColumns", "rescue")];
    let new = contract_of(&contract_yaml("shop", "1.1.0", &custom, PRODUCTS));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&old, [product("a", "t", 1, 1), product("b", "t", 1, 1)]);
    apply(&mut writer, &old, &[&one]).await.unwrap();
    let rescued = format!("{}\t{{\"colour\":\"red\"}}", product("a", "t", 1, 2));
    let two = ChunkOf::batch(2).rows(&new, [rescued]);
    apply(&mut writer, &new, &[&two]).await.unwrap();
    let found = db.rows("SELECT sku, _rescued ->> 'colour' FROM products ORDER BY sku").await;
    assert_eq!(found, ["a|red", "b|~"]);
}

#[tokio::test]
async fn a_row_replaces_all_columns_of_contracts_and_no_others() {
    let (db, narrow) = (Db::start(), products("narrow"));
    let properties = format!("{PRODUCTS}\n      - {{name: colour, logicalType: string}}");
    let wide = contract_of(&contract_yaml("wide", "1.0.0", &[("eventTime", "updated_at")], &properties));
    // This writer's session prepares its statements before the column is added.
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&narrow, [product("x", "t", 1, 1)]);
    apply(&mut writer, &narrow, &[&one]).await.unwrap();
    let two = ChunkOf::batch(2).rows(&wide, [format!("{}\tred", product("a", "wide", 1, 2))]);
    apply(&mut db.writer(), &wide, &[&two]).await.unwrap();
    let client = db.client().await;
    client
        .batch_execute("ALTER TABLE products ADD note text; UPDATE products SET note = 'ours'")
        .await
        .unwrap();

    let three = ChunkOf::batch(3).rows(&narrow, [product("a", "narrow", 1, 3)]);
    assert_eq!(apply(&mut writer, &narrow, &[&three]).await.unwrap(), [applied(1, 0, 0)]);
    assert_eq!(db.rows("SELECT title, colour, note FROM products WHERE sku = 'a'").await, ["narrow|~|ours"]);
}

#[tokio::test]
async fn many_contracts_share_a_session() {
    let db = Db::start();
    let mut writer = db.writer();
    for source in 0..40u32 {
        let contract = products(&format!("shop{source}"));
        let chunk = ChunkOf::batch(u128::from(source) + 1)
            .rows(&contract, [product(&format!("k{source}"), "t", 1, 1)]);
        assert_eq!(apply(&mut writer, &contract, &[&chunk]).await.unwrap(), [applied(1, 0, 0)]);
    }
    assert_eq!(db.rows("SELECT count(*), count(DISTINCT _source) FROM products").await, ["40|40"]);
}

#[tokio::test]
async fn names_with_special_characters_are_quoted() {
    let (db, mut contract) = (Db::start(), products("shop"));
    contract.source = "it's \"a\" source; DROP TABLE x".into();
    contract.entity.table.schema = "Größe \"x\"".into();
    contract.entity.table.table = "select; DROP TABLE y --".into();
    contract.entity.columns[0].name = "the \"key\" col".into();
    contract.entity.columns[1].name = "Überschrift, 'so'".into();
    contract.entity.columns[2].name = "t".into();
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&contract, [product("a", "1", 1, 1), product("a", "2", 1, 2)]);
    let two = ChunkOf::batch(2).rows(&contract, [product("a", "3", 1, 3)]);
    assert_eq!(apply(&mut writer, &contract, &[&one]).await.unwrap(), [applied(1, 1, 0)]);
    assert_eq!(apply(&mut writer, &contract, &[&one, &two]).await.unwrap()[1], applied(1, 0, 0));
    let rows = "SELECT \"Überschrift, 'so'\", _source FROM \"Größe \"\"x\"\"\".\"select; DROP TABLE y --\"";
    assert_eq!(db.rows(rows).await, ["3|it's \"a\" source; DROP TABLE x"]);
}

#[tokio::test]
async fn values_of_every_type_are_stored_unchanged() {
    let largest_numeric = format!("{}.{}", "9".repeat(20), "9".repeat(18));
    let long_text =
        format!("tab\\t newline\\n return\\r backslash\\\\ '\"$1 \\\\N ∀ 🦀 {}", "x".repeat(100_000));
    let long_text_read =
        format!("tab\t newline\n return\r backslash\\ '\"$1 \\N ∀ 🦀 {}", "x".repeat(100_000));
    let cases: Vec<(SqlType, Vec<(&str, &str)>)> = vec![
        (SqlType::Text, vec![("", ""), (&long_text, &long_text_read), ("\\\\.", "\\.")]),
        (SqlType::Smallint, vec![("-32768", "-32768"), ("32767", "32767")]),
        (SqlType::Integer, vec![("-2147483648", "-2147483648"), ("2147483647", "2147483647")]),
        (
            SqlType::Bigint,
            vec![
                ("-9223372036854775808", "-9223372036854775808"),
                ("9223372036854775807", "9223372036854775807"),
            ],
        ),
        (
            SqlType::Numeric(None),
            vec![
                (&largest_numeric, &largest_numeric),
                ("-0.000000000000000000000000001", "-0.000000000000000000000000001"),
            ],
        ),
        (SqlType::Numeric(Some((12, 2))), vec![("9999999999.99", "9999999999.99"), ("-1", "-1.00")]),
        (
            SqlType::DoublePrecision,
            vec![("1.7976931348623157e308", "1.7976931348623157e+308"), ("5e-324", "5e-324"), ("0.1", "0.1")],
        ),
        (SqlType::Boolean, vec![("t", "t"), ("false", "f")]),
        (
            SqlType::Date,
            vec![("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31"), ("2024-02-29", "2024-02-29")],
        ),
        (
            SqlType::Timestamp,
            vec![
                ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
                ("9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"),
            ],
        ),
        (
            SqlType::Timestamptz,
            vec![
                ("2024-06-30T23:59:59.123456+05:30", "2024-06-30 18:29:59.123456+00"),
                ("2024-06-30 12:00:00Z", "2024-06-30 12:00:00+00"),
            ],
        ),
        (
            SqlType::Jsonb,
            vec![("{\"a\": [1, null, \"é\\\\n\"]}", "{\"a\": [1, null, \"é\\n\"]}"), ("null", "null")],
        ),
        (
            SqlType::Uuid,
            vec![("00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000")],
        ),
    ];
    let db = Db::start();
    let mut writer = db.writer();
    for (index, (sql_type, values)) in cases.into_iter().enumerate() {
        let mut contract = with_type(sql_type.clone());
        contract.source = format!("s{index}");
        contract.entity.table.table = format!("t{index}");
        let mut rows: Vec<String> =
            values.iter().enumerate().map(|(n, (value, _))| format!("k{n}\t{value}\t1\t{}", at(1))).collect();
        rows.push(format!("null\t\\N\t\\N\t{}", at(1)));
        let mut expected: Vec<&str> = values.iter().map(|(_, read)| *read).collect();
        expected.push("~");
        // Once alone, and once with another chunk in one transaction.
        let batch = index as u128 * 10;
        let alone = ChunkOf::batch(batch + 1).rows(&contract, &rows);
        let shared = ChunkOf::batch(batch + 2).dropped_at(1_800_000_000).rows(&contract, &rows);
        let none = ChunkOf::batch(batch + 3).rows(&contract, [] as [&str; 0]);
        for chunks in [vec![&alone], vec![&shared, &none]] {
            let outcomes = apply(&mut writer, &contract, &chunks).await.unwrap();
            assert_eq!(outcomes[0], applied(rows.len() as u64, 0, 0), "{sql_type}");
            let read = db.rows(&format!("SELECT title FROM t{index} ORDER BY _row")).await;
            assert_eq!(read, expected, "{sql_type}");
        }
    }
}

#[tokio::test]
async fn every_type_can_be_a_key_and_every_time_type_an_event_time() {
    let db = Db::start();
    let mut writer = db.writer();
    let keys = [
        (SqlType::Text, "b", "a"),
        (SqlType::Smallint, "2", "1"),
        (SqlType::Bigint, "2", "1"),
        (SqlType::Numeric(Some((5, 1))), "2.0", "1.5"),
        (SqlType::DoublePrecision, "2", "-0.5"),
        (SqlType::Boolean, "t", "f"),
        (SqlType::Date, "2026-01-02", "2026-01-01"),
        (SqlType::Timestamptz, "2026-01-02Z", "2026-01-01Z"),
        (SqlType::Uuid, "20000000-0000-0000-0000-000000000000", "10000000-0000-0000-0000-000000000000"),
    ];
    let times = [SqlType::Timestamptz, SqlType::Timestamp, SqlType::Date];
    for (index, (sql_type, one, two)) in keys.into_iter().enumerate() {
        let mut contract = products("shop");
        contract.version = format!("{index}.0.0");
        contract.entity.table.table = format!("t{index}");
        contract.entity.columns[0].sql_type = sql_type.clone();
        contract.entity.columns[3].sql_type = times[index % 3].clone();
        let rows = [
            format!("{one}\tfirst\t1\t2026-01-01"),
            format!("{two}\tx\t1\t2026-01-01"),
            format!("{one}\tnew\t1\t2026-01-03"),
        ];
        let chunk = ChunkOf::batch(index as u128).rows(&contract, &rows);
        assert_eq!(apply(&mut writer, &contract, &[&chunk]).await.unwrap(), [applied(2, 1, 0)], "{sql_type}");
        let older =
            ChunkOf::batch(100 + index as u128).rows(&contract, [format!("{one}\tolder\t1\t2026-01-02")]);
        assert_eq!(apply(&mut writer, &contract, &[&older]).await.unwrap(), [applied(0, 0, 1)], "{sql_type}");
        let titles = db.rows(&format!("SELECT title, _event_time FROM t{index} ORDER BY 1")).await;
        assert_eq!(titles, ["new|2026-01-03 00:00:00+00", "x|2026-01-01 00:00:00+00"], "{sql_type}");
    }
}

#[tokio::test]
async fn an_error_for_a_value_names_its_position_and_not_the_value() {
    let (db, contract) = (Db::start(), products("shop"));
    let rows = [product("a", "t", 1, 1), format!("b\tt\thunter2\t{}", at(1))];
    let chunk = ChunkOf::batch(1).rows(&contract, &rows);
    let error = apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap_err();
    assert_eq!(error.code(), Some(DeadCode::InvalidData));
    let message = error.to_string();
    assert!(message.contains("column qty, row 2 of the chunk") && !message.contains("hunter2"), "{message}");
    assert_eq!(db.rows("SELECT count(*) FROM products").await, ["0"]);
}

#[tokio::test]
async fn a_wrong_password_is_a_transient_error() {
    let db = Db::start();
    let mut config = db.config();
    config.auth = penstock_aws::database::Auth::Fixed(penstock_aws::database::Password::new("wrong"));
    let connector = penstock_aws::database::Connector::new(config, None, "test");
    let error = connector.connect().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Login { .. }), "{error}");
    assert!(LoadError::from(error).is_transient());
}
