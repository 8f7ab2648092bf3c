//! The commit protocol against a model of the store, with a crash at any step, and the transitions of receipts and
//! claims.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use jiff::Timestamp;
use penstock_contract::TableName;
use penstock_pipeline::claim::{ClaimDecision, ClaimedBatch, ObjectClaim};
use penstock_pipeline::commit::{Progress, PublishStep, PublishedMark, publish_steps};
use penstock_pipeline::{
    Batch, BatchId, Chunk, ChunkBody, ChunkProgress, Drop, LoadProgress, Manifest, ManifestState,
    MissingChunk, Receipt, ReceiptChange, ReceiptState, Refusal, RefusalCode,
};
use proptest::prelude::*;

fn batch() -> Batch {
    let drop = Drop {
        bucket: "raw".to_owned(),
        key: "abt/abt.csv".to_owned(),
        version_id: Some("v1".to_owned()),
        etag: "e1".to_owned(),
        size_bytes: 1000,
        sequencer: None,
        dropped_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    Batch::new(drop, Some("1.0.0"))
}

fn manifest(chunks: u32, is_refused: bool) -> Manifest {
    let refusal = Refusal::new(RefusalCode::TooManyRejects, "too many");
    let mut manifest = Manifest::refused(batch(), "0.1.0", refusal);
    manifest.parquet = vec!["data/0.parquet".to_owned(), "data/1.parquet".to_owned()];
    if is_refused {
        return manifest;
    }
    let table = TableName { schema: "public".to_owned(), table: "products".to_owned() };
    manifest.state = ManifestState::Committed { table };
    manifest.chunks = (0..chunks)
        .map(|index| Chunk {
            index,
            rows: 3,
            deduplicated: None,
            row_base: 0,
            sha256: "ab".repeat(32),
            text_bytes: 90,
            body: ChunkBody::Inline("KLUv/Q==".to_owned()),
        })
        .collect();
    manifest
}

fn now() -> Timestamp {
    "2026-01-02T03:04:06Z".parse().unwrap()
}

/// The contents of the store and the queue for one batch.
#[derive(Debug, Default)]
struct World {
    manifest: Option<Manifest>,
    receipt: Option<Receipt>,
    parquet: BTreeSet<String>,
    sent: Vec<u32>,
    mark: Option<PublishedMark>,
}

impl World {
    /// Commits `manifest` as `penstock_aws` does, up to at most `steps` requests. Returns whether it finished.
    fn commit(&mut self, manifest: &Manifest, steps: usize) -> bool {
        let committed = match Progress::of(self.manifest.clone(), self.mark.is_some()) {
            Progress::Published => return true,
            Progress::Committed(committed) => *committed,
            Progress::Unread if steps == 0 => return false,
            Progress::Unread => {
                self.manifest = Some(manifest.clone());
                manifest.clone()
            }
        };
        let all = publish_steps(&committed, now());
        let is_finished = all.len() <= steps;
        all.into_iter().take(steps).for_each(|step| self.perform(step));
        is_finished
    }

    fn perform(&mut self, step: PublishStep) {
        assert!(self.manifest.is_some(), "the manifest precedes every other object");
        match step {
            PublishStep::WriteReceipt(receipt, change) => {
                if change.applies_to(self.receipt.as_ref(), &receipt) {
                    self.receipt = Some(*receipt);
                }
            }
            PublishStep::DeleteParquet(key) => {
                self.parquet.remove(&key);
            }
            PublishStep::SendMessages(messages) => {
                assert!(self.receipt.is_some(), "the receipt precedes the messages");
                self.sent.extend(messages.iter().map(|message| message.chunk.index));
            }
            PublishStep::WriteMark(mark) => self.mark = Some(mark),
        }
    }
}

proptest! {
    #[test]
    fn repeating_the_commit_repairs_a_crash_at_any_step(
        crashes in prop::collection::vec(0usize..5, 0..5),
        chunks in 0u32..4,
        is_refused: bool,
        loads_after in prop::option::of(0usize..5),
    ) {
        let manifest = manifest(chunks, is_refused);
        let mut world = World { parquet: manifest.parquet.iter().cloned().collect(), ..World::default() };
        for (attempt, steps) in crashes.into_iter().enumerate() {
            world.commit(&manifest, steps);
            // The writer finishes the batch as soon as it has the messages.
            if loads_after == Some(attempt) && !world.sent.is_empty() {
                let receipt = world.receipt.as_mut().unwrap();
                let loaded = Receipt { state: ReceiptState::Loaded, ..receipt.clone() };
                prop_assert!(ReceiptChange::Load.applies_to(Some(receipt), &loaded) || *receipt == loaded);
                receipt.state = ReceiptState::Loaded;
            }
        }
        let was_loaded = world.receipt.as_ref().is_some_and(|receipt| receipt.state == ReceiptState::Loaded);
        prop_assert!(world.commit(&manifest, usize::MAX));

        let receipt = world.receipt.unwrap();
        let expected = match (was_loaded, is_refused, chunks) {
            (true, _, _) | (false, false, 0) => ReceiptState::Loaded,
            (false, true, _) => ReceiptState::Refused,
            (false, false, 1..) => ReceiptState::Read,
        };
        prop_assert_eq!(receipt.state, expected);
        let sent: BTreeSet<u32> = world.sent.into_iter().collect();
        let to_send = if is_refused { 0 } else { chunks };
        prop_assert_eq!(sent, (0..to_send).collect::<BTreeSet<u32>>());
        prop_assert_eq!(world.mark.unwrap().messages, usize::try_from(to_send).unwrap());
        prop_assert_eq!(world.parquet.is_empty(), is_refused);
    }
}

#[test]
fn the_mark_is_written_last() {
    for (chunks, is_refused) in [(2, false), (0, false), (0, true)] {
        let steps = publish_steps(&manifest(chunks, is_refused), now());
        assert!(matches!(steps.first(), Some(PublishStep::WriteReceipt(_, ReceiptChange::Commit))));
        assert!(matches!(steps.last(), Some(PublishStep::WriteMark(_))));
    }
}

#[test]
fn the_progress_depends_on_the_manifest_and_the_mark() {
    let manifest = manifest(1, false);
    assert_eq!(Progress::of(None, false), Progress::Unread);
    assert_eq!(Progress::of(None, true), Progress::Unread);
    assert_eq!(Progress::of(Some(manifest.clone()), false), Progress::Committed(Box::new(manifest.clone())));
    assert_eq!(Progress::of(Some(manifest), true), Progress::Published);
}

/// Returns a receipt in a state, with numbers of applied and missing chunks.
fn receipt(state: ReceiptState, applied: u32, missing: usize) -> Receipt {
    let missing_chunk =
        MissingChunk { chunk: 1, rows: 3, code: "invalid_chunk".to_owned(), message: String::new() };
    Receipt {
        state,
        chunks: Some(ChunkProgress { applied, total: 9 }),
        missing: vec![missing_chunk; missing],
        ..Receipt::received(batch(), now())
    }
}

#[test]
fn receipts_change_as_the_table_in_the_documentation_has_it() {
    use ReceiptState::{
        Failed, Loaded, Loading, PartlyLoaded, Read, Received, Refused, Replaced, Submitted, Withdrawn,
    };
    let open = vec![Received, Submitted, Read, Loading, PartlyLoaded, Failed];
    let replaced = |change| match change {
        ReceiptChange::Receive | ReceiptChange::Submit => vec![Received],
        ReceiptChange::Commit | ReceiptChange::JobFailed => vec![Received, Submitted],
        ReceiptChange::Progress | ReceiptChange::Load => open.clone(),
        ReceiptChange::Replace => open.iter().copied().chain([Loaded, Refused, Replaced]).collect(),
        ReceiptChange::Reinstate => vec![Replaced],
        ReceiptChange::Withdraw => open.iter().copied().chain([Loaded, Refused, Replaced]).collect(),
    };
    let new = receipt(Loading, 1, 0);
    for change in ReceiptChange::ALL {
        assert!(change.applies_to(None, &new), "{change:?}");
        for state in ReceiptState::ALL {
            assert_eq!(
                change.applies_to(Some(&receipt(state, 0, 0)), &new),
                replaced(change).contains(&state),
                "{change:?} {state:?}"
            );
        }
        assert!(!change.applies_to(Some(&receipt(Withdrawn, 0, 0)), &new), "{change:?}");
        assert!(!change.applies_to(Some(&receipt(ReceiptState::Unknown, 0, 0)), &new), "{change:?}");
    }
}

#[test]
fn a_receipt_of_a_slower_writer_does_not_replace_one_with_more_progress() {
    use ReceiptState::{Failed, Loading, PartlyLoaded};
    for (current, new, applies) in [
        (receipt(Loading, 2, 0), receipt(Loading, 3, 0), true),
        (receipt(Loading, 3, 0), receipt(Loading, 2, 0), false),
        (receipt(Loading, 3, 0), receipt(PartlyLoaded, 3, 1), true),
        (receipt(PartlyLoaded, 3, 2), receipt(PartlyLoaded, 3, 1), false),
        (receipt(PartlyLoaded, 3, 1), receipt(Loading, 4, 0), true),
        (receipt(PartlyLoaded, 3, 1), receipt(Failed, 0, 1), false),
        (receipt(Failed, 0, 1), receipt(PartlyLoaded, 1, 1), true),
    ] {
        assert_eq!(ReceiptChange::Progress.applies_to(Some(&current), &new), applies, "{current:?}\n{new:?}");
    }
    // The last chunk of a replaced batch is applied.
    for (applied, applies) in [(1, true), (2, false)] {
        let current = receipt(ReceiptState::Replaced, applied, 0);
        let new = receipt(ReceiptState::Replaced, 2, 0);
        assert_eq!(ReceiptChange::Replace.applies_to(Some(&current), &new), applies);
    }
}

#[test]
fn the_state_of_a_batch_in_the_ledger_depends_on_its_applied_and_missing_chunks() {
    use ReceiptState::{Failed, Loaded, Loading, PartlyLoaded, Read};
    let manifest = manifest(4, false);
    for (applied, missing, state) in [
        (0, 0, Read),
        (0, 1, Failed),
        (1, 0, Loading),
        (1, 1, PartlyLoaded),
        (3, 1, PartlyLoaded),
        (4, 0, Loaded),
    ] {
        let missing = receipt(Loading, 0, missing).missing;
        let progress = LoadProgress {
            chunks: applied,
            loaded: u64::from(applied) * 3,
            missing,
            ..LoadProgress::default()
        };
        let receipt = Receipt::of_progress(&manifest, &progress, now());
        assert_eq!(receipt.state, state, "{applied} applied");
        assert_eq!(receipt.rows.loaded, u64::from(applied) * 3, "rows that are in the table");
        assert_eq!(receipt.chunks, Some(ChunkProgress { applied, total: 4 }));
        assert_eq!(receipt.refusal.is_some(), !progress.missing.is_empty());
    }
}

#[test]
fn a_state_of_a_later_release_is_read() {
    let mut json = serde_json::to_value(receipt(ReceiptState::Loaded, 0, 0)).unwrap();
    for state in ReceiptState::ALL {
        json["state"] = state.as_str().into();
        assert_eq!(serde_json::from_value::<Receipt>(json.clone()).unwrap().state, state);
    }
    json["state"] = "archived_on_tape".into();
    assert_eq!(serde_json::from_value::<Receipt>(json).unwrap().state, ReceiptState::Unknown);
}

#[test]
fn a_claim_decides_which_version_is_loaded() {
    let claim = |version: &str, batch: u128| ObjectClaim {
        version: version.to_owned(),
        batch_id: BatchId::from_u128(batch),
    };
    let own = claim("v1", 1);
    use ClaimedBatch::{Committed, GivenUp, LoadFailed, Pending};
    for (found, batch, decision) in [
        (claim("v1", 1), Pending, ClaimDecision::Own { rewrite: false }),
        (claim("v1", 1), Committed, ClaimDecision::Own { rewrite: false }),
        (claim("v1", 2), Pending, ClaimDecision::Own { rewrite: true }),
        (claim("v1", 2), GivenUp, ClaimDecision::Own { rewrite: true }),
        (claim("v1", 2), Committed, ClaimDecision::Own { rewrite: true }),
        (claim("v2", 3), Pending, ClaimDecision::Wait),
        (claim("v2", 3), Committed, ClaimDecision::Refuse),
        (claim("v2", 3), LoadFailed, ClaimDecision::ReadNext { replace: true }),
        (claim("v2", 3), GivenUp, ClaimDecision::ReadNext { replace: false }),
    ] {
        assert_eq!(found.decide(&own, batch), decision, "{found:?} {batch:?}");
    }
}

#[test]
fn the_batch_of_a_claim_is_decided_by_its_manifest_and_its_receipt() {
    use ClaimedBatch::{Committed, GivenUp, LoadFailed, Pending};
    use ReceiptState::{
        Failed, Loaded, Loading, PartlyLoaded, Read, Received, Replaced, Submitted, Withdrawn,
    };
    let of = |manifest: Option<&Manifest>, state: Option<ReceiptState>| {
        ClaimedBatch::of(manifest, state.map(|state| receipt(state, 0, 0)).as_ref())
    };
    let (committed, refused) = (manifest(1, false), manifest(0, true));
    for (state, expected) in [
        (None, Pending),
        (Some(Received), Pending),
        (Some(Submitted), Pending),
        (Some(ReceiptState::Unknown), Pending),
        (Some(Failed), GivenUp),
    ] {
        assert_eq!(of(None, state), expected, "{state:?}");
    }
    for (state, expected) in [
        (None, Committed),
        (Some(Received), Committed),
        (Some(Read), Committed),
        (Some(Loading), Committed),
        (Some(Loaded), Committed),
        (Some(Failed), LoadFailed),
        (Some(PartlyLoaded), LoadFailed),
        (Some(Replaced), GivenUp),
        (Some(Withdrawn), GivenUp),
    ] {
        assert_eq!(of(Some(&committed), state), expected, "{state:?}");
        assert_eq!(of(Some(&refused), state), GivenUp, "{state:?}");
    }
}
