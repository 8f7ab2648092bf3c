//! Processes the messages of the drops queue.

use std::time::Duration;

use penstock_aws::deadline::Deadline;
use penstock_aws::jobs::Jobs;
use penstock_aws::listing::ObjectListing;
use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::{ObjectRef, ObjectStore, StoreError};
use penstock_pipeline::metrics::{ByQueue, MESSAGES_SETTLED};
use penstock_pipeline::{DeadCode, DeadReason, Drop, Event, IncompleteDrop, Outcome, events, log_events};

use crate::drops::process;
use crate::error::IngestError;
use crate::ingest::Ingest;

/// Time to stop before the deadline, for the response.
pub(crate) const MARGIN: Duration = Duration::from_secs(5);

/// Processes the drops of every message sequentially. `deadline` is when Lambda ends the invocation. The response has
/// the messages that must be retried.
pub async fn handle<S: ObjectStore + ObjectListing, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    event: SqsEvent,
    deadline: Deadline,
) -> SqsBatchResponse {
    let deadline = deadline.earlier_by(MARGIN);
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        let outcome = outcome_of(ingest, record, deadline).await;
        settle(&ingest.queue, &ingest.config.drops, record, outcome, &mut response).await;
    }
    // Compared with the number of messages that were deleted from the queue: another consumer would delete more.
    let settled = event.records.len() - response.batch_item_failures.len();
    ingest.config.metrics.emit(&ByQueue { queue: "drops" }, &[MESSAGES_SETTLED.count(settled as u64)]);
    response
}

/// Returns the outcome of a message, which may have several drops. It is retried if any of them must be retried, else
/// moved to the dead-letter queue if any of them failed. Processing the others again has no effect.
async fn outcome_of<S: ObjectStore + ObjectListing, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    record: &SqsRecord,
    deadline: Deadline,
) -> Outcome {
    let events = match events::parse(&record.body) {
        Ok(events) => events,
        Err(error) => {
            return Outcome::Dead(DeadReason { code: DeadCode::InvalidEvent, message: error.to_string() });
        }
    };
    let mut outcome = Outcome::Done;
    for event in events {
        let next = process_event(ingest, event, record.receive_count(), deadline).await;
        outcome = match (outcome, next) {
            (Outcome::Retry(delay), _) | (_, Outcome::Retry(delay)) => Outcome::Retry(delay),
            (Outcome::Dead(reason), _) | (_, Outcome::Dead(reason)) => Outcome::Dead(reason),
            (Outcome::Done, Outcome::Done) => Outcome::Done,
        };
    }
    outcome
}

async fn process_event<S: ObjectStore + ObjectListing, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    event: Event,
    receive_count: u32,
    deadline: Deadline,
) -> Outcome {
    let drop = match event {
        Event::Dropped(drop) => drop,
        Event::Incomplete(incomplete) => {
            if is_ignored(ingest, &incomplete.key, incomplete.size_bytes) {
                return Outcome::Done;
            }
            let (bucket, key) = (incomplete.bucket.clone(), incomplete.key.clone());
            match complete(&ingest.store, incomplete).await {
                Ok(Some(drop)) => drop,
                Ok(None) => {
                    tracing::warn!(bucket, key, "{}", log_events::OBJECT_GONE);
                    return Outcome::Done;
                }
                Err(error) => return failed(&bucket, &key, receive_count, &error.into()),
            }
        }
        Event::Ignored(ignored) => {
            tracing::info!(?ignored, "event is not a drop");
            return Outcome::Done;
        }
    };
    if is_ignored(ingest, &drop.key, Some(drop.size_bytes)) {
        return Outcome::Done;
    }
    let (bucket, key) = (drop.bucket.clone(), drop.key.clone());
    // The future of a whole read is large. On the heap, it does not enlarge the futures that wait for it.
    match Box::pin(process(ingest, drop, deadline)).await {
        Ok(()) => Outcome::Done,
        Err(error) => failed(&bucket, &key, receive_count, &error),
    }
}

fn is_ignored<S, Q, J>(ingest: &Ingest<S, Q, J>, key: &str, size_bytes: Option<u64>) -> bool {
    let reason = ingest.config.ignored_keys.reason(key, size_bytes);
    if let Some(reason) = &reason {
        tracing::info!(key, %reason, "{}", log_events::OBJECT_IGNORED);
    }
    reason.is_some()
}

/// Looks up what the event of a drop lacks. Returns `None` if the object was deleted or overwritten: its size is unknown
/// then, so there is no receipt. An object that overwrote it has its own event.
async fn complete(store: &impl ObjectStore, incomplete: IncompleteDrop) -> Result<Option<Drop>, StoreError> {
    let object = ObjectRef {
        bucket: incomplete.bucket.clone(),
        key: incomplete.key.clone(),
        version_id: incomplete.version_id.clone(),
        etag: incomplete.etag.clone(),
    };
    match store.head_object(&object).await {
        Ok(head) => Ok(Some(incomplete.complete(head.version_id, head.etag, head.size_bytes))),
        Err(StoreError::NotFound { .. } | StoreError::Changed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(bucket: &str, key: &str, receive_count: u32, error: &IngestError) -> Outcome {
    let transient = error.is_transient();
    tracing::warn!(bucket, key, receive_count, %error, transient, "{}", log_events::DROP_NOT_PROCESSED);
    error.outcome(receive_count)
}
