//! Target tables that are changed by hand while a session has prepared statements for them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_contract::Contract;
use penstock_pipeline::DeadCode;
use penstock_writer::database::Postgres;
use penstock_writer::error::LoadError;
use support::{
    ChunkOf, Db, PRODUCTS, appended, applied, apply, contract_of, contract_yaml, product, products,
};

/// A session that has loaded one row, then `change` is made by hand.
struct Changed {
    db: Db,
    writer: Postgres,
    contract: Contract,
}

impl Changed {
    async fn by(change: &str) -> Self {
        Self::of(products("shop"), product("a", "t", 1, 1), change).await
    }

    async fn of(contract: Contract, row: String, change: &str) -> Self {
        let db = Db::start();
        let mut writer = db.writer();
        let one = ChunkOf::batch(1).rows(&contract, [row]);
        apply(&mut writer, &contract, &[&one]).await.unwrap();
        db.client().await.batch_execute(change).await.unwrap();
        Self { db, writer, contract }
    }

    /// Loads a row with the session, in one call.
    async fn load(&mut self) -> Result<(), LoadError> {
        let row = product("b", "title", 7, 2);
        let two = ChunkOf::batch(2).rows(&self.contract, [row]);
        let outcomes = apply(&mut self.writer, &self.contract, &[&two]).await?;
        assert_eq!(outcomes, [applied(1, 0, 0)]);
        Ok(())
    }
}

#[tokio::test]
async fn the_next_chunk_is_loaded_after_its_table_was_changed() {
    let repaired = [
        ("dropped", "DROP TABLE products", vec!["b|title|7"]),
        ("renamed", "ALTER TABLE products RENAME TO old", vec!["b|title|7"]),
        (
            "replaced by a copy",
            "ALTER TABLE products RENAME TO old; CREATE TABLE public.products (LIKE old INCLUDING ALL)",
            vec!["b|title|7"],
        ),
        ("column dropped", "ALTER TABLE products DROP qty", vec!["a|t|~", "b|title|7"]),
        ("column renamed", "ALTER TABLE products RENAME qty TO quantity", vec!["a|t|~", "b|title|7"]),
        (
            "index recreated",
            "ALTER TABLE products DROP CONSTRAINT products_pkey, ADD PRIMARY KEY (sku)",
            vec!["a|t|1", "b|title|7"],
        ),
        ("schema dropped", "DROP SCHEMA public CASCADE", vec!["b|title|7"]),
        ("column added", "ALTER TABLE products ADD note text", vec!["a|t|1", "b|title|7"]),
        ("truncated", "TRUNCATE products", vec!["b|title|7"]),
    ];
    for (name, change, expected) in repaired {
        let mut changed = Changed::by(change).await;
        changed.load().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let rows = changed.db.rows("SELECT sku, title, qty FROM public.products ORDER BY sku").await;
        assert_eq!(rows, expected, "{name}");
        assert_eq!(changed.db.rows("SELECT count(*) FROM penstock.chunk").await, ["2"], "{name}");
    }
}

#[tokio::test]
async fn a_table_that_no_longer_matches_the_contract_is_refused_with_the_difference() {
    let refused = [
        (
            "ALTER TABLE products ALTER title TYPE integer USING 1",
            "column title is integer in the table and text",
        ),
        // PostgreSQL would store the values, converted to the new type.
        ("ALTER TABLE products ALTER qty TYPE text", "column qty is text in the table and integer"),
        ("ALTER TABLE products ALTER qty TYPE numeric(1,-1)", "column qty is numeric(1,-1) in the table"),
        // The values violate the new type.
        ("ALTER TABLE products ALTER title TYPE varchar(2)", "column title is character varying(2)"),
        ("ALTER TABLE products DROP CONSTRAINT products_pkey", "the contract needs a unique key (sku)"),
        ("ALTER TABLE products RENAME sku TO code", "the contract needs a unique key (sku)"),
        ("ALTER TABLE products DROP _batch_id", "lacks the column _batch_id"),
        ("DROP TABLE products; CREATE VIEW public.products AS SELECT 1 AS sku", "is a view"),
        (
            "ALTER TABLE products DROP qty, ADD qty integer GENERATED ALWAYS AS (length(title)) STORED",
            "column qty is generated",
        ),
    ];
    for (change, expected) in refused {
        let mut changed = Changed::by(change).await;
        let error = changed.load().await.expect_err(change);
        assert_eq!((error.code(), error.is_transient()), (Some(DeadCode::TableMismatch), false), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(changed.db.rows("SELECT count(*) FROM penstock.chunk").await, ["1"], "{change}");
    }
}

#[tokio::test]
async fn an_appended_table_is_inspected_again() {
    let mut dropped = Changed::of(appended("events"), "a\t1".to_owned(), "DROP TABLE products").await;
    let two = ChunkOf::batch(2).rows(&dropped.contract, ["b\t2"]);
    assert_eq!(apply(&mut dropped.writer, &dropped.contract, &[&two]).await.unwrap(), [applied(1, 0, 0)]);

    let change = "ALTER TABLE products DROP CONSTRAINT products__batch_id__row_key";
    let mut keyless = Changed::of(appended("events"), "a\t1".to_owned(), change).await;
    let error = apply(&mut keyless.writer, &keyless.contract, &[&two]).await.unwrap_err();
    assert_eq!(error.code(), Some(DeadCode::TableMismatch), "{error}");
}

#[tokio::test]
async fn a_column_of_another_contract_that_was_dropped_is_no_longer_set() {
    let db = Db::start();
    let narrow = products("narrow");
    let properties = format!("{PRODUCTS}\n      - {{name: colour, logicalType: string}}");
    let wide = contract_of(&contract_yaml("wide", "1.0.0", &[("eventTime", "updated_at")], &properties));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&wide, [format!("{}\tred", product("a", "wide", 1, 1))]);
    apply(&mut writer, &wide, &[&one]).await.unwrap();
    let two = ChunkOf::batch(2).rows(&narrow, [product("a", "narrow", 1, 2)]);
    apply(&mut writer, &narrow, &[&two]).await.unwrap();
    db.client().await.batch_execute("ALTER TABLE products DROP colour").await.unwrap();
    let three = ChunkOf::batch(3).rows(&narrow, [product("a", "again", 1, 3)]);
    assert_eq!(apply(&mut writer, &narrow, &[&three]).await.unwrap(), [applied(1, 0, 0)]);
    assert_eq!(db.rows("SELECT title FROM products").await, ["again"]);
}

#[tokio::test]
async fn statements_that_the_server_no_longer_has_are_prepared_again() {
    let forget = "CREATE FUNCTION public.forget() RETURNS trigger LANGUAGE plpgsql AS \
                  $$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN NULL; END $$; \
                  CREATE TRIGGER forget AFTER INSERT ON products EXECUTE FUNCTION public.forget()";
    let mut changed = Changed::by(forget).await;
    for batch in 2..=4 {
        let chunk = ChunkOf::batch(batch).rows(&changed.contract, [product(&format!("k{batch}"), "t", 1, 1)]);
        let outcomes = apply(&mut changed.writer, &changed.contract, &[&chunk]).await.unwrap();
        assert_eq!(outcomes, [applied(1, 0, 0)]);
    }
}
