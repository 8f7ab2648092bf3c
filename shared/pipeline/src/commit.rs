//! The commit protocol of a batch: which object is written when, on which condition, and what a conflict means.
//!
//! `penstock_aws::commit` performs the requests. All objects are in the processed bucket.
//!
//! | step | request | condition | on conflict |
//! |---|---|---|---|
//! | 1 | write `manifest.json` | `If-None-Match: *` | read the existing manifest and continue with it: only that manifest counts, whichever invocation wrote it |
//! | 2 | write the receipt | [`ReceiptChange::applies_to`] | keep the existing receipt |
//! | 3 | delete the Parquet files, if the batch is refused | none | |
//! | 4 | send a message for each chunk | none | |
//! | 5 | write `published.json` | none | |
//!
//! From step 1 on, the batch exists. Steps 2 to 5 are [`publish_steps`] and are repeated until `published.json` exists:
//! - The receipt precedes the messages, so that it never replaces the writer's final receipt.
//! - Messages may be sent more than once; the writer skips a chunk that is in the ledger.
//! - A crash between any two steps is repaired by repeating all of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{LoadMessage, Manifest, ManifestState, Receipt, ReceiptChange};

/// The progress of a batch, from the objects that exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// There is no manifest: the drop must be read.
    Unread,
    /// There is a manifest, and its messages may not all have been sent: they must be sent again.
    Committed(Box<Manifest>),
    /// All steps are done.
    Published,
}

impl Progress {
    /// Returns the progress of a batch with this manifest; `is_published` is whether `published.json` exists.
    pub fn of(manifest: Option<Manifest>, is_published: bool) -> Self {
        match (manifest, is_published) {
            (None, _) => Self::Unread,
            (Some(manifest), false) => Self::Committed(Box::new(manifest)),
            (Some(_), true) => Self::Published,
        }
    }
}

/// The content of `published.json`, which records that every message of a manifest has been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedMark {
    /// Number of messages.
    pub messages: usize,
    /// The time at which the messages were sent.
    pub published_at: Timestamp,
}

/// One step of publishing a manifest.
#[derive(Debug, Clone, PartialEq)]
pub enum PublishStep {
    /// Write the receipt, if the change applies to the existing one.
    WriteReceipt(Box<Receipt>, ReceiptChange),
    /// Delete the Parquet file with this key, so that rows of a refused batch are not in the lake.
    DeleteParquet(String),
    /// Send these messages to the load queue.
    SendMessages(Vec<LoadMessage>),
    /// Write `published.json`.
    WriteMark(PublishedMark),
}

/// Returns the steps that publish `manifest`, in the order in which they must be done.
pub fn publish_steps(manifest: &Manifest, now: Timestamp) -> Vec<PublishStep> {
    let receipt = Receipt::of_manifest(manifest, now);
    let messages = LoadMessage::of(manifest);
    let mark = PublishedMark { messages: messages.len(), published_at: now };
    let mut steps = vec![PublishStep::WriteReceipt(Box::new(receipt), ReceiptChange::Commit)];
    match &manifest.state {
        ManifestState::Committed { .. } => {}
        ManifestState::Refused(_) => {
            steps.extend(manifest.parquet.iter().cloned().map(PublishStep::DeleteParquet));
        }
    }
    if !messages.is_empty() {
        steps.push(PublishStep::SendMessages(messages));
    }
    steps.push(PublishStep::WriteMark(mark));
    steps
}
