//! Sends chunks again that the ledger lacks.

use anyhow::{Context as _, Result};
use penstock_aws::queue::Queue as _;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::store::{ObjectRef, ObjectStore as _, StoreError};
use penstock_pipeline::writer_command::LedgerBatch;
use penstock_pipeline::{ChunkBody, LoadMessage, Manifest};

use crate::batches::Batches;

/// The difference between the manifest of a batch and the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LedgerGap {
    /// The ledger has all chunks, and the batch is closed.
    Complete,
    /// The ledger lacks the chunks with these indexes.
    Missing(Vec<u32>),
    /// The ledger has all chunks, but the batch was not closed.
    NotClosed,
    /// No further chunk of the batch is applied: it was replaced or withdrawn.
    Stopped(String),
}

impl LedgerGap {
    /// Compares a manifest with the ledger, which may not have the batch. `is_final` is whether the receipt says that the
    /// batch is loaded.
    pub(crate) fn of(manifest: &Manifest, ledger: Option<&LedgerBatch>, is_final: bool) -> Self {
        if let Some(reason) = ledger.and_then(stop_reason) {
            return Self::Stopped(reason);
        }
        let applied = ledger.map(|ledger| ledger.chunks.as_slice()).unwrap_or_default();
        let missing: Vec<u32> = manifest
            .chunks
            .iter()
            .map(|chunk| chunk.index)
            .filter(|index| applied.binary_search(index).is_err())
            .collect();
        let is_closed = ledger.is_some_and(|ledger| ledger.state.as_deref() == Some("loaded"));
        match (missing.is_empty(), manifest.chunks.is_empty() || (is_closed && is_final)) {
            (false, _) => Self::Missing(missing),
            (true, true) => Self::Complete,
            (true, false) => Self::NotClosed,
        }
    }

    /// Returns the indexes of the chunks to send. One chunk makes the writer close a batch; it is not applied again.
    pub(crate) fn chunks_to_send(&self, manifest: &Manifest) -> Vec<u32> {
        match self {
            Self::Complete | Self::Stopped(_) => Vec::new(),
            Self::Missing(indexes) => indexes.clone(),
            Self::NotClosed => manifest.chunks.last().map(|chunk| chunk.index).into_iter().collect(),
        }
    }
}

fn stop_reason(ledger: &LedgerBatch) -> Option<String> {
    let by = ledger.replaced_by.map(|by| format!(" by batch {by}")).unwrap_or_default();
    match ledger.state.as_deref() {
        Some("withdrawn") => Some("it was withdrawn".to_owned()),
        Some("replaced") => Some(format!("it was replaced{by}")),
        _ if ledger.replaced_by.is_some() => Some(format!("it is replaced{by}")),
        _ if ledger.stopped => Some("it was withdrawn or is replaced".to_owned()),
        _ => None,
    }
}

/// Returns the keys of those chunk objects that no longer exist.
pub(crate) async fn lost_objects(
    batches: &Batches,
    manifest: &Manifest,
    indexes: &[u32],
) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    for chunk in manifest.chunks.iter().filter(|chunk| indexes.contains(&chunk.index)) {
        let ChunkBody::Object { bucket, key } = &chunk.body else { continue };
        let object = ObjectRef { bucket: bucket.clone(), key: key.clone(), version_id: None, etag: None };
        match batches.store.head_object(&object).await {
            Ok(_) => {}
            Err(StoreError::NotFound { .. }) => lost.push(format!("s3://{bucket}/{key}")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(lost)
}

/// Sends the messages of the chunks with these indexes to the load queue.
pub(crate) async fn send_chunks(
    queue: &SqsQueue,
    load_queue_url: &str,
    manifest: &Manifest,
    indexes: &[u32],
) -> Result<()> {
    let messages = LoadMessage::of(manifest);
    let selected = messages.iter().filter(|message| indexes.contains(&message.chunk.index));
    let bodies: Result<Vec<String>, _> = selected.map(serde_json::to_string).collect();
    let bodies = bodies.context("writing the messages")?;
    Ok(queue.send_all(load_queue_url, Some(&manifest.source), bodies).await?)
}

/// Returns chunk indexes as numbers for people, from 1: `2 to 4, 7`.
pub(crate) fn chunk_numbers(indexes: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in indexes.iter().map(|index| index.saturating_add(1)) {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use penstock_pipeline::BatchId;
    use serde_json::json;

    use super::*;

    fn manifest(chunks: u32) -> Manifest {
        let chunk = |index: u32| {
            json!({
                "index": index, "rows": 1, "row_base": 0, "sha256": "", "text_bytes": 0, "body": {"inline": ""},
            })
        };
        let manifest = json!({
            "manifest_version": 1, "batch_id": BatchId::from_u128(1), "source": "s", "contract_version": "1.0.0",
            "engine_version": "0", "state": {"committed": {"table": {"schema": "public", "table": "s"}}},
            "drop": {"bucket": "raw", "key": "s/a", "etag": "e", "size_bytes": 1, "dropped_at": "2026-01-01T00:00:00Z"},
            "totals": penstock_engine::Totals::default(), "dialect": null,
            "chunks": (0..chunks).map(chunk).collect::<Vec<_>>(), "parquet": [], "rejects": [], "seconds": {},
        });
        serde_json::from_value(manifest).unwrap()
    }

    fn ledger(chunks: &[u32], state: Option<&str>) -> LedgerBatch {
        LedgerBatch {
            batch_id: BatchId::from_u128(1),
            state: state.map(str::to_owned),
            replaced_by: None,
            stopped: false,
            chunks: chunks.to_vec(),
            loaded: 0,
            deduplicated: 0,
            superseded: 0,
            missing: Vec::new(),
        }
    }

    #[test]
    fn the_gap_has_the_chunks_that_the_ledger_lacks() {
        let (three, none) = (manifest(3), manifest(0));
        let gap = |ledger: Option<LedgerBatch>, is_final| LedgerGap::of(&three, ledger.as_ref(), is_final);
        assert_eq!(gap(None, true), LedgerGap::Missing(vec![0, 1, 2]));
        assert_eq!(gap(Some(ledger(&[0, 2], Some("loading"))), false), LedgerGap::Missing(vec![1]));
        assert_eq!(gap(Some(ledger(&[0, 1, 2], Some("loaded"))), true), LedgerGap::Complete);
        // The receipt was not written, or the row of the batch was not restored.
        assert_eq!(gap(Some(ledger(&[0, 1, 2], Some("loaded"))), false), LedgerGap::NotClosed);
        assert_eq!(gap(Some(ledger(&[0, 1, 2], None)), true), LedgerGap::NotClosed);
        assert_eq!(LedgerGap::NotClosed.chunks_to_send(&three), [2]);
        assert_eq!(LedgerGap::of(&none, None, true), LedgerGap::Complete);
    }

    #[test]
    fn a_batch_that_was_replaced_or_withdrawn_has_no_chunks_to_send() {
        let three = manifest(3);
        let stopped = LedgerBatch { stopped: true, ..ledger(&[0], Some("loading")) };
        let replaced =
            LedgerBatch { replaced_by: Some(BatchId::from_u128(2)), ..ledger(&[], Some("replaced")) };
        for ledger in [stopped, replaced, ledger(&[0, 1], Some("withdrawn"))] {
            let gap = LedgerGap::of(&three, Some(&ledger), false);
            assert!(matches!(gap, LedgerGap::Stopped(_)), "{gap:?}");
            assert!(gap.chunks_to_send(&three).is_empty());
        }
    }

    #[test]
    fn consecutive_chunks_are_printed_as_a_range() {
        assert_eq!(chunk_numbers(&[0, 1, 2, 5, 7, 8]), "1 to 3, 6, 8 to 9");
        assert_eq!(chunk_numbers(&[]), "");
    }
}
