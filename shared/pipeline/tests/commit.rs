//! The commit protocol against a model of the store, with a crash at any step, and the transitions of receipts and
//! claims.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use jiff::Timestamp;
use penstock_contract::TableName;
use penstock_pipeline::claim::{ClaimDecision, ClaimedBatch, ObjectClaim};
use penstock_pipeline::commit::{Progress, PublishStep, PublishedMark, publish_steps};
use penstock_pipeline::{
    Batch, BatchId, Chunk, ChunkBody, Drop, Manifest, ManifestState, Receipt, ReceiptChange, ReceiptState,
    Refusal, RefusalCode,
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
                if change.applies_to(self.receipt.as_ref().map(|receipt| receipt.state)) {
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
                prop_assert!(ReceiptChange::Load.applies_to(Some(receipt.state)) || receipt.state == ReceiptState::Loaded);
                receipt.state = ReceiptState::Loaded;
            }
        }
        let was_loaded = world.receipt.as_ref().is_some_and(|receipt| receipt.state == ReceiptState::Loaded);
        prop_assert!(world.commit(&manifest, usize::MAX));

        let receipt = world.receipt.unwrap();
        let expected = match (was_loaded, is_refused, chunks) {
            (true, _, _) | (false, false, 0) => ReceiptState::Loaded,
            (false, true, _) => ReceiptState::Refused,
            (false, false, 1..) => ReceiptState::Loading,
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

#[test]
fn receipts_change_as_the_table_in_the_documentation_has_it() {
    use ReceiptState::{Failed, Loaded, Loading, Refused, Submitted};
    let replaced = |change| match change {
        ReceiptChange::Submit => vec![],
        ReceiptChange::Commit | ReceiptChange::JobFailed => vec![Submitted],
        ReceiptChange::LoadFailed | ReceiptChange::Load => vec![Submitted, Loading, Refused, Failed],
    };
    for change in ReceiptChange::ALL {
        assert!(change.applies_to(None), "{change:?}");
        for state in ReceiptState::ALL {
            assert_eq!(
                change.applies_to(Some(state)),
                replaced(change).contains(&state),
                "{change:?} {state:?}"
            );
        }
        assert!(!change.applies_to(Some(Loaded)), "{change:?}: a loaded batch stays loaded");
    }
}

#[test]
fn a_claim_decides_which_version_is_loaded() {
    let claim = |version: &str, batch: u128| ObjectClaim {
        version: version.to_owned(),
        batch_id: BatchId::from_u128(batch),
    };
    let own = claim("v1", 1);
    use ClaimedBatch::{Committed, GivenUp, Pending};
    for (found, batch, decision) in [
        (claim("v1", 1), Pending, ClaimDecision::Own { rewrite: false }),
        (claim("v1", 1), Committed, ClaimDecision::Own { rewrite: false }),
        (claim("v1", 2), Pending, ClaimDecision::Own { rewrite: true }),
        (claim("v1", 2), GivenUp, ClaimDecision::Own { rewrite: true }),
        (claim("v1", 2), Committed, ClaimDecision::Own { rewrite: false }),
        (claim("v2", 3), Pending, ClaimDecision::Wait),
        (claim("v2", 3), Committed, ClaimDecision::Refuse),
        (claim("v2", 3), GivenUp, ClaimDecision::ReadNext),
    ] {
        assert_eq!(found.decide(&own, batch), decision, "{found:?} {batch:?}");
    }
}

#[test]
fn the_batch_of_a_claim_is_decided_by_its_manifest_or_by_a_failed_job() {
    assert_eq!(ClaimedBatch::of_manifest(&manifest(1, false)), ClaimedBatch::Committed);
    assert_eq!(ClaimedBatch::of_manifest(&manifest(0, true)), ClaimedBatch::GivenUp);
    assert_eq!(ClaimedBatch::without_manifest(None), ClaimedBatch::Pending);
    let submitted = Receipt::submitted(batch(), now());
    assert_eq!(ClaimedBatch::without_manifest(Some(&submitted)), ClaimedBatch::Pending);
    let failed = submitted.failed(Refusal::new(RefusalCode::JobFailed, "failed"), now());
    assert_eq!(ClaimedBatch::without_manifest(Some(&failed)), ClaimedBatch::GivenUp);
}
