//! The order of arrival does not matter: permutations are compared with a model.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;

use penstock_contract::Contract;
use penstock_writer::ChunkOutcome;
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::ledger::ChunkCounts;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{ChunkOf, Db, apply, product, products};

/// Event time, dropped at, key of the object, row: the order of rows with the same key. The greater batch has the lesser
/// key.
type Rank = (u32, i64, u128, u64);

#[derive(Debug, Clone)]
struct Case {
    /// Keys and event times of each chunk's rows.
    chunks: Vec<Vec<(u8, u32)>>,
    /// Batch and time of the drop of each chunk.
    drops: Vec<(u128, i64)>,
    /// The order of arrival.
    order: Vec<usize>,
    /// For each chunk, whether it shares a transaction with the previous one.
    shared: Vec<bool>,
}

fn cases() -> impl Strategy<Value = Case> {
    let rows = prop::collection::vec((0..3u8, 0..3u32), 0..5);
    (
        prop::collection::vec(rows, 4),
        prop::collection::vec((1..4u128, 0..2i64), 4),
        prop::collection::vec(any::<bool>(), 4),
    )
        .prop_flat_map(|(chunks, drops, shared)| {
            let order = Just((0..4).collect::<Vec<usize>>()).prop_shuffle();
            (Just(chunks), Just(drops), order, Just(shared))
        })
        .prop_map(|(chunks, drops, order, shared)| Case { chunks, drops, order, shared })
}

impl Case {
    /// Chunks of one batch have the same drop, that of the batch's first chunk.
    fn dropped_at(&self, chunk: usize) -> i64 {
        let batch = self.drops[chunk].0;
        self.drops.iter().find(|(other, _)| *other == batch).expect("the list has the chunk's own batch").1
    }

    fn ranks(&self, chunk: usize) -> Vec<(u8, Rank)> {
        let (batch, base) = (self.drops[chunk].0, chunk as u64 * 1_000_000);
        let rows = self.chunks[chunk].iter().zip(1u64..);
        rows.map(|((key, time), row)| (*key, (*time, self.dropped_at(chunk), u128::MAX - batch, base + row)))
            .collect()
    }

    fn verified(&self, contract: &Contract, chunk: usize) -> VerifiedChunk {
        let rows = self.chunks[chunk].iter().map(|(key, time)| product(&format!("k{key}"), "t", 1, *time));
        ChunkOf::batch(self.drops[chunk].0)
            .dropped_at(self.dropped_at(chunk))
            .numbered(u32::try_from(chunk).unwrap(), 4)
            .rows(contract, rows)
    }

    fn transactions(&self) -> Vec<Vec<usize>> {
        let mut transactions: Vec<Vec<usize>> = Vec::new();
        for (chunk, shared) in self.order.iter().zip(&self.shared) {
            match transactions.last_mut() {
                Some(last) if *shared => last.push(*chunk),
                _ => transactions.push(vec![*chunk]),
            }
        }
        transactions
    }
}

/// A simple model of a transaction.
fn model(case: &Case, table: &mut BTreeMap<u8, Rank>, transaction: &[usize]) -> Vec<ChunkOutcome> {
    let staged: Vec<(usize, u8, Rank)> = transaction
        .iter()
        .flat_map(|chunk| case.ranks(*chunk).into_iter().map(|(key, rank)| (*chunk, key, rank)))
        .collect();
    for (_, key, rank) in &staged {
        let stored = table.entry(*key).or_insert(*rank);
        *stored = (*stored).max(*rank);
    }
    let counts_of = |chunk: usize| {
        let mut counts = ChunkCounts::default();
        for (_, key, rank) in staged.iter().filter(|(of, _, _)| *of == chunk) {
            let winner = table[key];
            match (winner == *rank, winner.2 == rank.2) {
                (true, _) => counts.loaded += 1,
                (false, true) => counts.deduplicated += 1,
                (false, false) => counts.superseded += 1,
            }
        }
        ChunkOutcome::Applied(counts)
    };
    transaction.iter().map(|chunk| counts_of(*chunk)).collect()
}

#[test]
fn the_newest_row_of_each_key_is_stored_whatever_the_order_of_arrival() {
    let (db, contract) = (Db::start(), products("shop"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let writer = RefCell::new(db.writer());
    let client = runtime.block_on(db.client());
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() };
    let empty = ChunkOf::batch(99).rows(&contract, [] as [&str; 0]);
    runtime.block_on(apply(&mut writer.borrow_mut(), &contract, &[&empty])).unwrap();

    let check = |case: Case| {
        let tables = "TRUNCATE products, penstock.chunk, penstock.batch, penstock.superseded";
        runtime.block_on(client.batch_execute(tables)).unwrap();
        // A session remembers the batches that are in the ledger.
        *writer.borrow_mut() = db.writer();
        let mut table = BTreeMap::new();
        for transaction in case.transactions() {
            let chunks: Vec<_> = transaction.iter().map(|chunk| case.verified(&contract, *chunk)).collect();
            let chunks: Vec<_> = chunks.iter().collect();
            let outcomes = runtime.block_on(apply(&mut writer.borrow_mut(), &contract, &chunks)).unwrap();
            prop_assert_eq!(
                outcomes,
                model(&case, &mut table, &transaction),
                "transaction {:?}",
                transaction
            );
        }
        let rows = "SELECT sku, extract(epoch FROM _event_time - '2026-01-01')::int, _row FROM products ORDER BY sku";
        let expected: Vec<String> =
            table.iter().map(|(key, (time, _, _, row))| format!("k{key}|{time}|{row}")).collect();
        prop_assert_eq!(runtime.block_on(db.rows(rows)), expected);
        let unbalanced = "SELECT * FROM penstock.chunk WHERE rows <> loaded + deduplicated + superseded";
        prop_assert!(runtime.block_on(db.rows(unbalanced)).is_empty());
        Ok(())
    };
    TestRunner::new(config).run(&cases(), check).unwrap();
}

#[tokio::test]
async fn three_versions_of_a_row_have_the_same_result_in_all_six_orders() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let mut batch = 0;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for version in order {
            batch += 1;
            let row = product("a", &format!("version {version}"), 1, version);
            let chunk = ChunkOf::batch(batch).rows(&contract, [row]);
            apply(&mut writer, &contract, &[&chunk]).await.unwrap();
        }
        assert_eq!(db.rows("DELETE FROM products RETURNING title").await, ["version 2"], "{order:?}");
    }
}
