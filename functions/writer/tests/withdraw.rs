//! Withdrawals: the rows of a batch leave, and the rows that they had replaced are restored.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_contract::Contract;
use penstock_pipeline::writer_command::{TableCheck, WithdrawnRows};
use penstock_writer::ChunkOutcome;
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::operator::OperatorDatabase as _;
use penstock_writer::withdraw::RestoredPart;
use support::{ChunkOf, Db, PRODUCTS, appended, apply, contract_of, contract_yaml, product, products};
use uuid::Uuid;

const TITLES: &str = "SELECT sku, title FROM products ORDER BY sku, title";
const STATES: &str =
    "SELECT right(batch_id::text, 2), state, right(replaced_by::text, 2) FROM penstock.batch ORDER BY 1";

async fn load(writer: &mut Postgres, contract: &Contract, chunk: &VerifiedChunk) {
    assert!(matches!(apply(writer, contract, &[chunk]).await.unwrap()[0], ChunkOutcome::Applied(_)));
    let progress = writer.progress(&chunk.message.batch_id).await.unwrap().progress;
    writer.close(&chunk.manifest, &progress, true).await.unwrap();
}

/// Withdraws a batch. `chunks` are the chunks of all batches, as in the store.
async fn withdraw(
    writer: &mut Postgres,
    contract: &Contract,
    batch: u128,
    chunks: &[(&Contract, &VerifiedChunk)],
) -> WithdrawnRows {
    let batch = Uuid::from_u128(batch);
    writer.begin_withdrawal(contract, &batch).await.unwrap();
    collect(writer, contract, &batch, chunks).await;
    writer.finish_withdrawal(contract, &batch).await.unwrap().unwrap()
}

async fn collect(
    writer: &mut Postgres,
    contract: &Contract,
    batch: &Uuid,
    chunks: &[(&Contract, &VerifiedChunk)],
) {
    for restored in writer.remaining_chunks(contract, batch).await.unwrap() {
        for index in restored.chunks {
            let (of_batch, chunk) = chunks
                .iter()
                .find(|(_, chunk)| {
                    (chunk.message.batch_id, chunk.message.chunk.index) == (restored.batch, index)
                })
                .unwrap();
            let withdrawn = (&contract.entity.table, batch);
            writer.collect_chunk(withdrawn, restored.part, of_batch, chunk).await.unwrap();
        }
    }
}

fn rows(deleted: u64, restored: u64) -> WithdrawnRows {
    WithdrawnRows { deleted, restored: Some(restored) }
}

#[tokio::test]
async fn the_newest_of_the_other_x() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&contract, [product("a", "1", 1, 1), product("b", "1", 1, 1)]);
    let two = ChunkOf::batch(2).rows(&contract, [product("a", "2", 1, 2), product("d", "2", 1, 2)]);
    let bad = ["a", "b", "c"].map(|key| product(key, "bad", 1, 9));
    let bad = ChunkOf::batch(3).rows(&contract, &bad);
    // Arrives later, but its row is older than that of the withdrawn batch.
    let late = ChunkOf::batch(4).rows(&contract, [product("b", "late", 1, 5)]);
    let chunks = [&one, &two, &bad, &late];
    for chunk in chunks {
        load(&mut writer, &contract, chunk).await;
    }
    assert_eq!(db.rows(TITLES).await, ["a|bad", "b|bad", "c|bad", "d|2"]);
    let all = chunks.map(|chunk| (&contract, chunk));
    assert_eq!(withdraw(&mut writer, &contract, 3, &all).await, rows(3, 2));
    assert_eq!(db.rows(TITLES).await, ["a|2", "b|late", "d|2"]);
    assert_eq!(db.rows(STATES).await, ["01|loaded|~", "02|loaded|~", "03|withdrawn|~", "04|loaded|~"]);
    assert!(db.rows("SELECT FROM pg_class WHERE relname LIKE 'withdrawn%'").await.is_empty());
    assert!(db.rows("SELECT * FROM penstock.withdrawal").await.is_empty());
    // No chunk of it is applied again.
    let other_chunk = ChunkOf::batch(3).numbered(1, 2).rows(&contract, [product("e", "bad", 1, 9)]);
    assert_eq!(apply(&mut writer, &contract, &[&other_chunk]).await.unwrap(), [ChunkOutcome::Stopped]);
}

#[tokio::test]
async fn only_rows_of_applied_chunks_and_live_batches_are_restored() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let chunk = |index, key| ChunkOf::batch(1).numbered(index, 2).rows(&contract, [product(key, "1", 1, 1)]);
    let (applied, not_applied) = (chunk(0, "a"), chunk(1, "b"));
    apply(&mut writer, &contract, &[&applied]).await.unwrap();
    let two = ChunkOf::batch(2).rows(&contract, ["a", "b"].map(|key| product(key, "2", 1, 2)));
    let three = ChunkOf::batch(3).rows(&contract, ["a", "b"].map(|key| product(key, "3", 1, 3)));
    load(&mut writer, &contract, &two).await;
    load(&mut writer, &contract, &three).await;
    let all = [&applied, &not_applied, &two, &three].map(|chunk| (&contract, chunk));
    assert_eq!(withdraw(&mut writer, &contract, 2, &all).await, rows(0, 0));
    assert_eq!(db.rows(TITLES).await, ["a|3", "b|3"]);
    assert_eq!(withdraw(&mut writer, &contract, 3, &all).await, rows(2, 1));
    assert_eq!(db.rows(TITLES).await, ["a|1"]);
}

#[tokio::test]
async fn rows_of_sources_with_other_columns_are_restored() {
    let db = Db::start();
    let mut writer = db.writer();
    let contract = products("shop");
    let with_color = format!("{PRODUCTS}\n      - {{name: color, logicalType: string}}");
    let other = contract_of(&contract_yaml("partner", "1.0.0", &[("eventTime", "updated_at")], &with_color));
    let colored = ChunkOf::batch(1).rows(&other, [format!("{}\tred", product("a", "partner", 1, 1))]);
    let plain = ChunkOf::batch(2).rows(&contract, [product("a", "shop", 1, 2)]);
    load(&mut writer, &other, &colored).await;
    load(&mut writer, &contract, &plain).await;
    let colors = "SELECT title, color, _source FROM products";
    assert_eq!(db.rows(colors).await, ["shop|~|shop"]);
    withdraw(&mut writer, &contract, 2, &[(&other, &colored), (&contract, &plain)]).await;
    assert_eq!(db.rows(colors).await, ["partner|red|partner"]);
}

#[tokio::test]
async fn a_batch_that_was_replaced_by_a_replay_is_restored_as_a_whole() {
    for contract in [products("shop"), appended("shop")] {
        let db = Db::start();
        let mut writer = db.writer();
        let is_append = contract.entity.columns.len() == 2;
        let row = |key: &str, title: &str| {
            if is_append { format!("{key}\t1") } else { product(key, title, 1, 1) }
        };
        let first = ChunkOf::batch(1).rows(&contract, [row("a", "1"), row("b", "1")]);
        let replay = ChunkOf::batch(2).replaying(1, &[1]).rows(&contract, [row("a", "2")]);
        load(&mut writer, &contract, &first).await;
        load(&mut writer, &contract, &replay).await;
        assert_eq!(db.rows("SELECT sku FROM products").await, ["a"]);
        let all = [&first, &replay].map(|chunk| (&contract, chunk));
        assert_eq!(withdraw(&mut writer, &contract, 2, &all).await, rows(1, 2));
        let found = db.rows("SELECT sku, right(_batch_id::text, 1) FROM products ORDER BY sku").await;
        assert_eq!(found, ["a|1", "b|1"]);
        assert_eq!(db.rows(STATES).await, ["01|loaded|~", "02|withdrawn|~"]);
        assert!(
            db.rows("SELECT FROM penstock.stopped_batch WHERE batch_id::text LIKE '%1'").await.is_empty()
        );
    }
}

#[tokio::test]
async fn chunks_that_are_applied_meanwhile_are_collected_too() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let bad = ChunkOf::batch(1).rows(&contract, [product("a", "bad", 1, 9)]);
    load(&mut writer, &contract, &bad).await;
    let batch = Uuid::from_u128(1);
    writer.begin_withdrawal(&contract, &batch).await.unwrap();
    assert_eq!(writer.remaining_chunks(&contract, &batch).await.unwrap(), []);
    let meanwhile = ChunkOf::batch(2).rows(&contract, [product("a", "good", 1, 1)]);
    load(&mut writer, &contract, &meanwhile).await;
    assert_eq!(writer.finish_withdrawal(&contract, &batch).await.unwrap(), None);
    assert_eq!(db.rows(TITLES).await, ["a|bad"], "nothing has changed");
    let remaining = writer.remaining_chunks(&contract, &batch).await.unwrap();
    assert_eq!((remaining[0].part, remaining[0].chunks.as_slice()), (RestoredPart::Keys, &[0][..]));
    collect(&mut writer, &contract, &batch, &[(&contract, &meanwhile)]).await;
    assert_eq!(writer.finish_withdrawal(&contract, &batch).await.unwrap(), Some(rows(1, 1)));
    assert_eq!(db.rows(TITLES).await, ["a|good"]);
}

#[tokio::test]
async fn the_ledger_and_the_table_are_described() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    assert_eq!(writer.check_table(&contract).await.unwrap(), TableCheck::default());
    let chunk = ChunkOf::batch(1).numbered(1, 3).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&chunk]).await.unwrap();
    let found = writer.ledger(&[Uuid::from_u128(7), Uuid::from_u128(1)]).await.unwrap();
    let [batch] = &found[..] else { panic!("the ledger has one of them") };
    assert_eq!((batch.batch_id, batch.state.as_deref()), (Uuid::from_u128(1), Some("loading")));
    assert_eq!((batch.chunks.as_slice(), batch.loaded, batch.stopped), (&[1][..], 1, false));

    let wider = format!("{PRODUCTS}\n      - {{name: color, logicalType: string}}");
    let wider = contract_of(&contract_yaml("shop", "1.1.0", &[], &wider));
    let check = writer.check_table(&wider).await.unwrap();
    assert_eq!(
        (check.exists, check.added_columns.as_slice(), check.problem),
        (true, &["color".to_owned()][..], None)
    );
    let other_type = PRODUCTS.replace("physicalType: integer", "physicalType: bigint");
    let other_type = contract_of(&contract_yaml("shop", "2.0.0", &[], &other_type));
    let problem = writer.check_table(&other_type).await.unwrap().problem.unwrap();
    assert!(problem.contains("column qty is integer in the table"), "{problem}");
}

/// The table would refuse the rows again when they are merged, and the withdrawal would fail.
#[tokio::test]
async fn rows_that_the_database_refused_are_not_restored() {
    let custom = [("eventTime", "updated_at"), ("maxRejectsPercent", "50")];
    let (db, contract) = (Db::start(), contract_of(&contract_yaml("shop", "1.0.0", &custom, PRODUCTS)));
    let mut writer = db.writer();
    let before = ChunkOf::batch(1).rows(&contract, [product("z", "before", 1, 1)]);
    load(&mut writer, &contract, &before).await;
    let check = "ALTER TABLE products ADD CONSTRAINT positive CHECK (qty > 0)";
    db.client().await.batch_execute(check).await.unwrap();
    let rows_of_earlier =
        [product("a", "earlier", 1, 2), product("b", "refused", -1, 2), product("c", "t", 1, 2)];
    let earlier = ChunkOf::batch(2).rows(&contract, rows_of_earlier);
    load(&mut writer, &contract, &earlier).await;
    let later = ChunkOf::batch(3).rows(&contract, [product("a", "later", 1, 3), product("b", "later", 1, 3)]);
    load(&mut writer, &contract, &later).await;

    let chunks = [(&contract, &before), (&contract, &earlier), (&contract, &later)];
    assert_eq!(withdraw(&mut writer, &contract, 3, &chunks).await, rows(2, 1));
    assert_eq!(db.rows(TITLES).await, ["a|earlier", "c|t", "z|before"]);
}
