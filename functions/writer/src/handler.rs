//! Decides what becomes of each message of the load queue.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{InboundQueue, SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::ObjectStore;
use penstock_aws::telemetry::Metrics;
use penstock_contract::Contract;
use penstock_pipeline::metrics::{BySource, CHUNKS_SKIPPED, ROWS_APPLIED, ROWS_LOADED, TRANSACTION_SECONDS};
use penstock_pipeline::{LoadMessage, Outcome, log_events};

use crate::chunk::{VerifiedChunk, fetch};
use crate::close::{close_finished, fail};
use crate::config::Config;
use crate::contracts::Contracts;
use crate::database::Database;
use crate::error::LoadError;
use crate::group::groups;
use crate::session::Applied;
use crate::throttle::Throttle;

/// Left for the answer when an invocation's time is nearly over.
const MARGIN: Duration = Duration::from_secs(5);
/// A transaction is not begun with less time than this.
const MIN_TRANSACTION_TIME: Duration = Duration::from_secs(10);

/// What the function works with; made once a cold start.
pub struct Writer<S, Q, D> {
    store: S,
    queue: Q,
    database: D,
    artifacts_bucket: String,
    processed_bucket: String,
    load: InboundQueue,
    metrics: Metrics,
    /// Versions of the messages.
    reads: RangeInclusive<u32>,
    contracts: Contracts,
    throttle: Throttle,
    /// The throttle's clock counts from here.
    started: Instant,
}

/// A message that can be read, and how it stands.
struct Work<'a> {
    record: &'a SqsRecord,
    message: LoadMessage,
    result: Result<(), Arc<LoadError>>,
    /// Instead of the error's own delay, where it is known when to come back.
    retry_after: Option<Duration>,
}

impl<S: ObjectStore, Q: Queue, D: Database> Writer<S, Q, D> {
    /// Nothing is connected yet.
    pub fn new(store: S, queue: Q, database: D, config: &Config) -> Self {
        Self {
            store,
            queue,
            database,
            artifacts_bucket: config.artifacts_bucket.clone(),
            processed_bucket: config.processed_bucket.clone(),
            load: config.load.clone(),
            metrics: config.metrics.clone(),
            reads: LoadMessage::READS,
            contracts: Contracts::default(),
            throttle: Throttle::new(config.rows_per_second),
            started: Instant::now(),
        }
    }

    /// The same as it was in a release that reads only these versions of the messages.
    #[must_use]
    pub fn of_release(self, reads: RangeInclusive<u32>) -> Self {
        Self { reads, ..self }
    }
}

/// Loads the chunks of every message. Messages that are not finished are in the answer; one that never will be goes to
/// the dead-letter queue with its reason. `deadline` is when Lambda ends the function.
pub async fn handle<S: ObjectStore, Q: Queue, D: Database>(
    writer: &mut Writer<S, Q, D>,
    event: &SqsEvent,
    deadline: Instant,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let mut works = Vec::with_capacity(event.records.len());
    for record in &event.records {
        match parse(&record.body, &writer.reads) {
            Ok(message) => works.push(Work { record, message, result: Ok(()), retry_after: None }),
            Err(error) => {
                let outcome = error.outcome(record.receive_count());
                settle(&writer.queue, &writer.load, record, outcome, &mut response).await;
            }
        }
    }
    let stop = deadline.checked_sub(MARGIN).unwrap_or(deadline);
    Box::pin(load_all(writer, &mut works, stop)).await;
    for work in works {
        let outcome = outcome_of(writer, &work).await;
        settle(&writer.queue, &writer.load, work.record, outcome, &mut response).await;
    }
    response
}

fn parse(body: &str, reads: &RangeInclusive<u32>) -> Result<LoadMessage, LoadError> {
    let message = LoadMessage::parse(body, reads)?;
    if message.chunk.index < message.chunk_count && i32::try_from(message.chunk_count).is_ok() {
        return Ok(message);
    }
    let place = format!("chunk {} of batch {}", message.chunk.index, message.batch_id);
    Err(LoadError::Chunk { place, problem: format!("the batch has {} chunks", message.chunk_count) })
}

async fn load_all<S: ObjectStore, Q: Queue, D: Database>(
    writer: &mut Writer<S, Q, D>,
    works: &mut [Work<'_>],
    stop: Instant,
) {
    let mut contracts: Vec<Option<Arc<Contract>>> = Vec::with_capacity(works.len());
    for work in works.iter_mut() {
        let contract = writer.contracts.of(&writer.store, &writer.artifacts_bucket, &work.message).await;
        contracts.push(contract.map_err(|error| work.result = Err(Arc::new(error))).ok());
    }
    let usable: Vec<usize> = (0..works.len()).filter(|index| contracts[*index].is_some()).collect();
    let messages: Vec<&LoadMessage> = usable.iter().map(|index| &works[*index].message).collect();
    let groups: Vec<Vec<usize>> =
        groups(&messages).into_iter().map(|group| group.into_iter().map(|at| usable[at]).collect()).collect();

    let mut fetched = fetch_all(writer.store.clone(), messages_of(works, groups.first())).await;
    for (at, group) in groups.iter().enumerate() {
        let Some(contract) = contracts[group[0]].clone() else { continue };
        // The next transaction's chunks come in while this one's are merged.
        let upcoming = fetch_all(writer.store.clone(), messages_of(works, groups.get(at + 1)));
        let loading = load_group(writer, works, group.iter().copied().zip(fetched), &contract, stop);
        let ((), following) = tokio::join!(loading, upcoming);
        fetched = following;
    }
}

fn messages_of(works: &[Work<'_>], group: Option<&Vec<usize>>) -> Vec<LoadMessage> {
    group.into_iter().flatten().map(|index| works[*index].message.clone()).collect()
}

async fn fetch_all<S: ObjectStore>(
    store: S,
    messages: Vec<LoadMessage>,
) -> Vec<Result<VerifiedChunk, LoadError>> {
    join_all(messages.into_iter().map(|message| fetch(&store, message))).await
}

/// One transaction; when it fails for good, one for each of its chunks, so that only those at fault are given up.
async fn load_group<S: ObjectStore, Q: Queue, D: Database>(
    writer: &mut Writer<S, Q, D>,
    works: &mut [Work<'_>],
    fetched: impl Iterator<Item = (usize, Result<VerifiedChunk, LoadError>)>,
    contract: &Contract,
    stop: Instant,
) {
    let mut ready: Vec<(usize, VerifiedChunk)> = Vec::new();
    for (index, chunk) in fetched {
        match chunk {
            Ok(chunk) => ready.push((index, chunk)),
            Err(error) => works[index].result = Err(Arc::new(error)),
        }
    }
    let together: Vec<&(usize, VerifiedChunk)> = ready.iter().collect();
    let turns: Vec<Vec<&(usize, VerifiedChunk)>> = match apply(writer, works, &together, contract, stop).await
    {
        Err(error) if !error.is_transient() && ready.len() > 1 => {
            tracing::warn!(source = contract.source, chunks = ready.len(), %error, "trying the chunks one by one");
            ready.iter().map(|chunk| vec![chunk]).collect()
        }
        answer => {
            settle_group(works, &together, answer);
            Vec::new()
        }
    };
    for alone in turns {
        let answer = apply(writer, works, &alone, contract, stop).await;
        settle_group(works, &alone, answer);
    }
    close_group(writer, works, &together, stop).await;
}

fn settle_group(works: &mut [Work<'_>], chunks: &[&(usize, VerifiedChunk)], answer: Result<(), LoadError>) {
    let Err(error) = answer else { return };
    let error = Arc::new(error);
    for (index, _) in chunks {
        works[*index].result = Err(error.clone());
    }
}

/// Waits for the budget, and applies the chunks in one transaction if there is time left.
async fn apply<S: ObjectStore, Q: Queue, D: Database>(
    writer: &mut Writer<S, Q, D>,
    works: &mut [Work<'_>],
    chunks: &[&(usize, VerifiedChunk)],
    contract: &Contract,
    stop: Instant,
) -> Result<(), LoadError> {
    if chunks.is_empty() {
        return Ok(());
    }
    let delay = writer.throttle.delay(writer.started.elapsed());
    if Instant::now() + delay + MIN_TRANSACTION_TIME > stop {
        for (index, _) in chunks {
            works[*index].retry_after = Some(delay.max(Duration::from_secs(1)));
        }
        return Err(LoadError::OutOfTime);
    }
    tokio::time::sleep(delay).await;

    let (began, clock) = (Instant::now(), writer.started.elapsed());
    let contents: Vec<&VerifiedChunk> = chunks.iter().map(|(_, chunk)| chunk).collect();
    let applying = writer.database.apply(contract, &contents);
    let answer = tokio::time::timeout(stop.saturating_duration_since(began), applying).await;
    let applied = answer.unwrap_or(Err(LoadError::OutOfTime))?;

    let rows = report(&writer.metrics, contract, &contents, &applied, began.elapsed());
    writer.throttle.spend(clock, rows);
    Ok(())
}

/// Tells of a transaction; gives how many rows it had.
fn report(
    metrics: &Metrics,
    contract: &Contract,
    chunks: &[&VerifiedChunk],
    applied: &[Applied],
    took: Duration,
) -> u64 {
    let (mut rows, mut loaded, mut skipped) = (0u64, 0u64, 0u64);
    for (chunk, applied) in chunks.iter().zip(applied) {
        match applied {
            Applied::Now(counts) => {
                rows += u64::from(chunk.message.chunk.rows);
                loaded += counts.loaded;
            }
            Applied::Before => skipped += 1,
        }
    }
    let first = &chunks[0].message;
    tracing::info!(
        source = contract.source, batch_id = %first.batch_id, chunk = first.chunk.index,
        chunks = chunks.len(), skipped, rows, loaded, duration_ms = took.as_millis(), "chunks applied"
    );
    metrics.emit(
        &BySource { source: &contract.source },
        &[
            ROWS_APPLIED.count(rows),
            ROWS_LOADED.count(loaded),
            CHUNKS_SKIPPED.count(skipped),
            TRANSACTION_SECONDS.value(took.as_secs_f64()),
        ],
    );
    rows
}

async fn close_group<S: ObjectStore, Q: Queue, D: Database>(
    writer: &mut Writer<S, Q, D>,
    works: &mut [Work<'_>],
    chunks: &[&(usize, VerifiedChunk)],
    stop: Instant,
) {
    let applied: Vec<usize> =
        chunks.iter().map(|(index, _)| *index).filter(|index| works[*index].result.is_ok()).collect();
    let messages: Vec<&LoadMessage> = applied.iter().map(|index| &works[*index].message).collect();
    let (store, bucket, metrics) = (&writer.store, &writer.processed_bucket, &writer.metrics);
    let closing = close_finished(store, bucket, &mut writer.database, metrics, &messages);
    let left = stop.saturating_duration_since(Instant::now());
    let Ok(failures) = tokio::time::timeout(left, closing).await else {
        let error = Arc::new(LoadError::OutOfTime);
        applied.iter().for_each(|index| works[*index].result = Err(error.clone()));
        return;
    };
    for (batch, error) in failures {
        let error = Arc::new(error);
        for index in &applied {
            if works[*index].message.batch_id == batch {
                works[*index].result = Err(error.clone());
            }
        }
    }
}

async fn outcome_of<S: ObjectStore, Q: Queue, D>(writer: &Writer<S, Q, D>, work: &Work<'_>) -> Outcome {
    let Err(error) = &work.result else { return Outcome::Done };
    let (message, receive_count) = (&work.message, work.record.receive_count());
    tracing::warn!(
        source = message.source, batch_id = %message.batch_id, chunk = message.chunk.index, receive_count,
        %error, transient = error.is_transient(), "{}", log_events::CHUNK_NOT_LOADED
    );
    match (error.outcome(receive_count), work.retry_after) {
        (Outcome::Retry(_), Some(delay)) => Outcome::Retry(delay),
        (Outcome::Dead(reason), _) => {
            match fail(&writer.store, &writer.processed_bucket, message, &reason).await {
                // The producer is told before the message is given up.
                Err(error) if error.is_transient() => error.outcome(receive_count),
                Err(error) => {
                    tracing::error!(batch_id = %message.batch_id, %error, "receipt not written");
                    Outcome::Dead(reason)
                }
                Ok(()) => Outcome::Dead(reason),
            }
        }
        (outcome, _) => outcome,
    }
}
