//! Decides what becomes of each message of the drops queue.

use std::time::{Duration, SystemTime};

use penstock_aws::jobs::Jobs;
use penstock_aws::queue::Queue;
use penstock_aws::secrets::ReadSecret;
use penstock_aws::sqs_event::{SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{DeadReason, Drop, Event, Outcome, events, log_events};

use crate::compiled::Contracts;
use crate::config::Config;
use crate::drops::take;
use crate::pseudonyms::Pseudonyms;

/// Left for the answer when an invocation's time is nearly over.
const MARGIN: Duration = Duration::from_secs(5);

/// What the function works with; made once a cold start.
pub(crate) struct Ingest<S, Q, J> {
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) jobs: J,
    pub(crate) config: Config,
    pub(crate) contracts: Contracts,
    pub(crate) pseudonyms: Pseudonyms,
}

impl<S: ObjectStore, Q: Queue, J: Jobs> Ingest<S, Q, J> {
    pub(crate) fn new(
        store: S,
        queue: Q,
        jobs: J,
        secrets: impl ReadSecret + 'static,
        config: Config,
    ) -> Self {
        let pseudonyms = Pseudonyms::new(secrets, config.pseudonym_secret_arn.clone());
        Self { store, queue, jobs, config, contracts: Contracts::default(), pseudonyms }
    }
}

/// When to stop reading, so that the function answers rather than being killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopAt(SystemTime);

impl StopAt {
    /// A little before Lambda's deadline.
    pub(crate) fn before(deadline: SystemTime) -> Self {
        Self(deadline.checked_sub(MARGIN).unwrap_or(deadline))
    }

    pub(crate) fn is_past(self) -> bool {
        SystemTime::now() >= self.0
    }
}

/// Takes the drops of every message, one after the other. Messages that are not finished are in the answer.
pub(crate) async fn handle<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    event: SqsEvent,
    stop: StopAt,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        let outcome = outcome_of(ingest, record, stop).await;
        settle(&ingest.queue, &ingest.config.drops, record, outcome, &mut response).await;
    }
    response
}

/// A message may tell of several drops. It comes back when one of them must, and is dead when one of them is
/// and none must come back: taking the others again changes nothing.
async fn outcome_of<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    record: &SqsRecord,
    stop: StopAt,
) -> Outcome {
    let events = match events::parse(&record.body) {
        Ok(events) => events,
        Err(error) => {
            return Outcome::Dead(DeadReason { code: "invalid_event", message: error.to_string() });
        }
    };
    let mut outcome = Outcome::Done;
    for event in events {
        let next = match event {
            Event::Dropped(drop) => take_logged(ingest, drop, record.receive_count(), stop).await,
            Event::Ignored(ignored) => {
                tracing::info!(?ignored, "event is no drop");
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

async fn take_logged<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    drop: Drop,
    receive_count: u32,
    stop: StopAt,
) -> Outcome {
    let (bucket, key) = (drop.bucket.clone(), drop.key.clone());
    // The state of a whole read is kept on the heap, not in every future that waits for it.
    match Box::pin(take(ingest, drop, stop)).await {
        Ok(()) => Outcome::Done,
        Err(error) => {
            tracing::warn!(bucket, key, receive_count, %error, transient = error.is_transient(), "{}", log_events::DROP_NOT_PROCESSED);
            error.outcome(receive_count)
        }
    }
}
