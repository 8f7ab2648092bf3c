//! Processes the messages of the drops queue.

use std::time::Duration;

use penstock_aws::deadline::Deadline;
use penstock_aws::jobs::Jobs;
use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{DeadCode, DeadReason, Drop, Event, Outcome, events, log_events};

use crate::drops::process;
use crate::ingest::Ingest;

/// Time to stop before the deadline, for the response.
pub(crate) const MARGIN: Duration = Duration::from_secs(5);

/// Processes the drops of every message sequentially. `deadline` is when Lambda ends the invocation. The response has
/// the messages that must be retried.
pub async fn handle<S: ObjectStore, Q: Queue, J: Jobs>(
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
    response
}

/// Returns the outcome of a message, which may have several drops. It is retried if any of them must be retried, else
/// moved to the dead-letter queue if any of them failed. Processing the others again has no effect.
async fn outcome_of<S: ObjectStore, Q: Queue, J: Jobs>(
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
        let next = match event {
            Event::Dropped(drop) => process_logged(ingest, drop, record.receive_count(), deadline).await,
            Event::Ignored(ignored) => {
                tracing::info!(?ignored, "event is not a drop");
                Outcome::Done
            }
        };
        outcome = match (outcome, next) {
            (Outcome::Retry(delay), _) | (_, Outcome::Retry(delay)) => Outcome::Retry(delay),
            (Outcome::Dead(reason), _) | (_, Outcome::Dead(reason)) => Outcome::Dead(reason),
            (Outcome::Done, Outcome::Done) => Outcome::Done,
        };
    }
    outcome
}

async fn process_logged<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    drop: Drop,
    receive_count: u32,
    deadline: Deadline,
) -> Outcome {
    let (bucket, key) = (drop.bucket.clone(), drop.key.clone());
    // The future of a whole read is large. On the heap, it does not enlarge the futures that wait for it.
    match Box::pin(process(ingest, drop, deadline)).await {
        Ok(()) => Outcome::Done,
        Err(error) => {
            tracing::warn!(bucket, key, receive_count, %error, transient = error.is_transient(), "{}", log_events::DROP_NOT_PROCESSED);
            error.outcome(receive_count)
        }
    }
}
