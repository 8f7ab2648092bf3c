//! Handling of the messages of the load queue.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use penstock_aws::deadline::Deadline;
use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{InboundQueue, SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::ObjectStore;
use penstock_aws::telemetry::Metrics;
use penstock_contract::{Contract, TableName};
use penstock_pipeline::metrics::{
    BySource, CHUNKS_POSTPONED, CHUNKS_SKIPPED, ROWS_APPLIED, ROWS_LOADED, TRANSACTION_SECONDS,
};
use penstock_pipeline::{LoadMessage, Manifest, Outcome, log_events};

use crate::chunk::{VerifiedChunk, fetch};
use crate::close::{close_finished, fail};
use crate::config::WriterConfig;
use crate::contracts::ContractCache;
use crate::database::TargetDatabase;
use crate::error::LoadError;
use crate::group::{groups, take_turns};
use crate::manifests::ManifestCache;
use crate::pace::{CommittedTransaction, after_transaction, before_transaction};
use crate::reject_files::RejectFiles;
use crate::session::{ChunkOutcome, TableAccess};
use crate::sql::quoted_table;
use crate::state::StatePublisher;
use crate::table_gate::TableGate;
use crate::throttle::Throttle;

/// The time before the invocation's deadline that is reserved for the response.
pub const MARGIN: Duration = Duration::from_secs(5);
/// The least time in which a transaction is started.
pub const MIN_TRANSACTION_TIME: Duration = Duration::from_secs(10);

/// The state of the function, created at each cold start.
pub struct Writer<S, Q, D> {
    pub(crate) store: S,
    queue: Q,
    pub(crate) database: D,
    pub(crate) artifacts_bucket: String,
    pub(crate) processed_bucket: String,
    rejects: RejectFiles<S>,
    load: InboundQueue,
    metrics: Metrics,
    /// The message versions that are accepted.
    reads: RangeInclusive<u32>,
    pub(crate) contracts: ContractCache,
    pub(crate) manifests: ManifestCache,
    throttle: Throttle,
    gate: TableGate,
    /// The origin of the clock of the throttle and the gate.
    started: Instant,
    state: StatePublisher,
}

/// The chunks of a group, in its order.
type FetchedChunks = Vec<Result<VerifiedChunk, LoadError>>;

/// A parsed message with its result so far.
struct PendingMessage<'a> {
    record: &'a SqsRecord,
    message: LoadMessage,
    /// The manifest of its batch, when it has been read.
    manifest: Option<Arc<Manifest>>,
    result: Result<(), Arc<LoadError>>,
    /// The delay before the message can be processed, if it is known. It replaces the error's delay.
    retry_after: Option<Duration>,
}

impl<S: ObjectStore, Q: Queue, D: TargetDatabase> Writer<S, Q, D> {
    /// Returns a writer with empty caches.
    pub fn new(store: S, queue: Q, database: D, config: &WriterConfig) -> Self {
        let rejects = RejectFiles::new(store.clone(), &config.quarantine_bucket);
        Self {
            store,
            rejects,
            queue,
            database,
            artifacts_bucket: config.artifacts_bucket.clone(),
            processed_bucket: config.processed_bucket.clone(),
            load: config.load.clone(),
            metrics: config.metrics.clone(),
            reads: LoadMessage::READS,
            contracts: ContractCache::default(),
            manifests: ManifestCache::default(),
            throttle: config.throttle(),
            gate: TableGate::default(),
            started: Instant::now(),
            state: StatePublisher::new(),
        }
    }

    /// Returns the writer of a release that accepts only these message versions.
    #[must_use]
    pub fn of_release(self, reads: RangeInclusive<u32>) -> Self {
        Self { reads, ..self }
    }
}

/// Loads the chunks of all messages.
///
/// The response lists the messages that will be retried. A message that can never succeed is moved to the dead-letter
/// queue with the reason. Lambda ends the function at `deadline`.
pub async fn handle<S: ObjectStore, Q: Queue, D: TargetDatabase>(
    writer: &mut Writer<S, Q, D>,
    event: &SqsEvent,
    deadline: Deadline,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    let mut pending = Vec::with_capacity(event.records.len());
    for record in &event.records {
        match parse(&record.body, &writer.reads) {
            Ok(message) => {
                let (manifest, result, retry_after) = (None, Ok(()), None);
                pending.push(PendingMessage { record, message, manifest, result, retry_after });
            }
            Err(error) => {
                let outcome = error.outcome(record.receive_count());
                settle(&writer.queue, &writer.load, record, outcome, &mut response).await;
            }
        }
    }
    let stop = deadline.earlier_by(MARGIN).instant();
    Box::pin(load_all(writer, &mut pending, stop)).await;
    for message in pending {
        let outcome = Box::pin(outcome_of(writer, &message)).await;
        settle(&writer.queue, &writer.load, message.record, outcome, &mut response).await;
    }
    let Writer { store, database, processed_bucket, throttle, state, .. } = writer;
    state.publish(store, processed_bucket, throttle, database).await;
    response
}

fn parse(body: &str, reads: &RangeInclusive<u32>) -> Result<LoadMessage, LoadError> {
    let message = LoadMessage::parse(body, reads)?;
    if message.chunk.index < message.chunk_count && i32::try_from(message.chunk_count).is_ok() {
        return Ok(message);
    }
    // The index of an invalid message may be the largest one, which has no number.
    let location = format!("chunk {} of batch {}", u64::from(message.chunk.index) + 1, message.batch_id);
    Err(LoadError::Chunk { location, problem: format!("the batch has {} chunks", message.chunk_count) })
}

async fn load_all<S: ObjectStore, Q: Queue, D: TargetDatabase>(
    writer: &mut Writer<S, Q, D>,
    pending: &mut [PendingMessage<'_>],
    stop: Instant,
) {
    let mut contracts: Vec<Option<Arc<Contract>>> = Vec::with_capacity(pending.len());
    for pending in pending.iter_mut() {
        let message = &pending.message;
        let batch = &message.batch_id;
        let manifest = writer.manifests.get(&writer.store, &writer.processed_bucket, batch).await;
        pending.manifest = manifest.map_err(|error| pending.result = Err(Arc::new(error))).ok();
        let contract = writer.contracts.get(&writer.store, &writer.artifacts_bucket, message).await;
        contracts.push(contract.map_err(|error| pending.result = Err(Arc::new(error))).ok());
    }
    let is_usable = |index: &usize| contracts[*index].is_some() && pending[*index].manifest.is_some();
    let usable: Vec<usize> = (0..pending.len()).filter(is_usable).collect();
    let messages: Vec<&LoadMessage> = usable.iter().map(|index| &pending[*index].message).collect();
    let entropy = pending.first().map_or(0, |pending| pending.record.entropy());
    let groups =
        take_turns(&messages, groups(&messages), entropy, |table| writer.gate.is_doubtful(table)).into_iter();
    let groups: Vec<Vec<usize>> =
        groups.map(|group| group.into_iter().map(|at| usable[at]).collect()).collect();

    let mut fetched = fetch_all(writer.store.clone(), messages_of(writer, pending, groups.first())).await;
    for (at, group) in groups.iter().enumerate() {
        let contract = contracts[group[0]].clone().expect("groups have only messages with a contract");
        // The next transaction's chunks are fetched while this one's are merged.
        let upcoming = fetch_all(writer.store.clone(), messages_of(writer, pending, groups.get(at + 1)));
        let loading = load_group(writer, pending, (group, fetched), &contract, stop);
        let ((), following) = tokio::join!(loading, upcoming);
        fetched = following;
    }
}

/// A message with the manifest of its batch.
type CommittedMessage = (LoadMessage, Arc<Manifest>);

/// Returns the messages of a group, or `None` while its table is left alone.
fn messages_of<S, Q, D>(
    writer: &Writer<S, Q, D>,
    pending: &[PendingMessage<'_>],
    group: Option<&Vec<usize>>,
) -> Option<Vec<CommittedMessage>> {
    let group = group?;
    let table = &pending[group[0]].message.table;
    let is_open = writer.gate.remaining(table, writer.started.elapsed()).is_none();
    let message = |index: &usize| {
        let PendingMessage { message, manifest, .. } = &pending[*index];
        (message.clone(), manifest.clone().expect("groups have only messages with a manifest"))
    };
    is_open.then(|| group.iter().map(message).collect())
}

async fn fetch_all<S: ObjectStore>(
    store: S,
    messages: Option<Vec<CommittedMessage>>,
) -> Option<FetchedChunks> {
    let fetched = messages?.into_iter().map(|(message, manifest)| fetch(&store, message, manifest));
    Some(join_all(fetched).await)
}

/// Applies chunks in one transaction. If it fails permanently, each chunk is applied in its own transaction, so that
/// only the faulty chunks fail.
async fn load_group<S: ObjectStore, Q: Queue, D: TargetDatabase>(
    writer: &mut Writer<S, Q, D>,
    pending: &mut [PendingMessage<'_>],
    (group, fetched): (&[usize], Option<FetchedChunks>),
    contract: &Contract,
    stop: Instant,
) {
    let table = &contract.entity.table;
    let Some(fetched) = fetched else { return leave_alone(writer, pending, group, table) };
    let mut ready: Vec<(usize, VerifiedChunk)> = Vec::new();
    for (index, chunk) in group.iter().copied().zip(fetched) {
        match chunk {
            Ok(chunk) => ready.push((index, chunk)),
            Err(error) => pending[index].result = Err(Arc::new(error)),
        }
    }
    let all: Vec<&(usize, VerifiedChunk)> = ready.iter().collect();
    match apply(writer, pending, &all, contract, stop).await {
        Err(error) if !error.is_transient() && all.len() > 1 => {
            tracing::warn!(source = contract.source, chunks = all.len(), %error, "applying the chunks one by one");
            for chunk in &all {
                let result = apply(writer, pending, &[chunk], contract, stop).await;
                set_result(pending, &[chunk], result);
            }
        }
        result => set_result(pending, &all, result),
    }
    close_group(writer, pending, &all, table, stop).await;
}

fn set_result(
    pending: &mut [PendingMessage<'_>],
    chunks: &[&(usize, VerifiedChunk)],
    result: Result<(), LoadError>,
) {
    let Err(error) = result else { return };
    let error = Arc::new(error);
    for (index, _) in chunks {
        pending[*index].result = Err(error.clone());
    }
}

/// Waits for the throttle, and applies the chunks in one transaction if there is enough time.
async fn apply<S: ObjectStore, Q: Queue, D: TargetDatabase>(
    writer: &mut Writer<S, Q, D>,
    pending: &mut [PendingMessage<'_>],
    chunks: &[&(usize, VerifiedChunk)],
    contract: &Contract,
    stop: Instant,
) -> Result<(), LoadError> {
    let Some((first, _)) = chunks.first() else { return Ok(()) };
    let (table, entropy) = (&contract.entity.table, pending[*first].record.entropy());
    let indexes: Vec<usize> = chunks.iter().map(|(index, _)| *index).collect();
    if let Some(delay) = writer.gate.remaining(table, writer.started.elapsed()) {
        set_delay(pending, &indexes, delay);
        return Err(LoadError::TableBusy { table: quoted_table(table) });
    }
    let delay = writer.throttle.delay(writer.started.elapsed());
    if Instant::now() + delay + MIN_TRANSACTION_TIME > stop {
        set_delay(pending, &indexes, delay.max(Duration::from_secs(1)));
        return Err(LoadError::OutOfTime);
    }
    tokio::time::sleep(delay).await;
    let Writer { throttle, database, started, .. } = writer;
    let measuring = before_transaction(throttle, database, started.elapsed());
    let remaining = stop.saturating_duration_since(Instant::now());
    tokio::time::timeout(remaining, measuring).await.unwrap_or(Err(LoadError::OutOfTime))?;

    let (began, clock) = (Instant::now(), writer.started.elapsed());
    let contents: Vec<&VerifiedChunk> = chunks.iter().map(|(_, chunk)| chunk).collect();
    let access = match (writer.gate.is_slow(table), writer.gate.has_timed_out(table)) {
        (true, _) => TableAccess::Alone,
        (false, true) => TableAccess::Cautious,
        (false, false) => TableAccess::Shared,
    };
    let applying = writer.database.apply(contract, &contents, access, &writer.rejects);
    let result = tokio::time::timeout(stop.saturating_duration_since(began), applying).await;
    match result.unwrap_or(Err(LoadError::OutOfTime)) {
        Ok(outcomes) => {
            let took = began.elapsed();
            let rows = report(&writer.metrics, contract, &contents, &outcomes, took);
            writer.gate.measured(table, rows, took);
            let (source, table) = (contract.source.as_str(), &*quoted_table(table));
            let transaction = CommittedTransaction { source, table, rows, waited: delay, began: clock, took };
            let Writer { throttle, database, metrics, .. } = writer;
            after_transaction(throttle, database, metrics, transaction).await;
            Ok(())
        }
        Err(error) => {
            if let Some(delay) = close_gate(writer, table, &error, began.elapsed(), entropy) {
                set_delay(pending, &indexes, delay);
            }
            Err(error)
        }
    }
}

fn set_delay(pending: &mut [PendingMessage<'_>], indexes: &[usize], delay: Duration) {
    for index in indexes {
        pending[*index].retry_after = Some(delay);
    }
}

/// Returns messages to the queue until their table may be loaded.
fn leave_alone<S, Q, D>(
    writer: &Writer<S, Q, D>,
    pending: &mut [PendingMessage<'_>],
    group: &[usize],
    table: &TableName,
) {
    let delay = writer.gate.remaining(table, writer.started.elapsed()).unwrap_or(Duration::from_secs(1));
    set_delay(pending, group, delay);
    let error = Arc::new(LoadError::TableBusy { table: quoted_table(table) });
    group.iter().for_each(|index| pending[*index].result = Err(error.clone()));
}

/// Leaves a table alone after an error that concerns its locks or its speed. Returns the delay.
fn close_gate<S, Q, D>(
    writer: &mut Writer<S, Q, D>,
    table: &TableName,
    error: &LoadError,
    took: Duration,
    entropy: u64,
) -> Option<Duration> {
    let now = writer.started.elapsed();
    if error.is_timeout() {
        writer.gate.measured(table, 0, took);
    }
    if error.is_contention() {
        return Some(writer.gate.locked(table, now, entropy));
    }
    matches!(error, LoadError::TableBusy { .. }).then(|| writer.gate.busy(table, now, entropy))
}

/// Logs a transaction and emits its metrics. Returns the number of applied rows.
fn report(
    metrics: &Metrics,
    contract: &Contract,
    chunks: &[&VerifiedChunk],
    outcomes: &[ChunkOutcome],
    took: Duration,
) -> u64 {
    let (mut rows, mut loaded, mut skipped) = (0u64, 0u64, 0u64);
    for (chunk, outcome) in chunks.iter().zip(outcomes) {
        match outcome {
            ChunkOutcome::Applied(counts) => {
                rows += u64::from(chunk.message.chunk.rows);
                loaded += counts.loaded;
            }
            ChunkOutcome::AlreadyApplied => skipped += 1,
            ChunkOutcome::Stopped => {
                skipped += 1;
                let (batch_id, chunk) = (&chunk.message.batch_id, chunk.message.chunk.number());
                tracing::warn!(%batch_id, chunk, "{}", log_events::CHUNK_OF_STOPPED_BATCH);
            }
        }
    }
    let first = &chunks[0].message;
    tracing::info!(
        source = contract.source, batch_id = %first.batch_id, chunk = first.chunk.number(),
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

/// Closes the batches that the applied chunks have completed, and writes the receipts of all.
async fn close_group<S: ObjectStore, Q: Queue, D: TargetDatabase>(
    writer: &mut Writer<S, Q, D>,
    pending: &mut [PendingMessage<'_>],
    chunks: &[&(usize, VerifiedChunk)],
    table: &TableName,
    stop: Instant,
) {
    let began = Instant::now();
    let applied: Vec<usize> =
        chunks.iter().map(|(index, _)| *index).filter(|index| pending[*index].result.is_ok()).collect();
    let entropy = applied.first().map_or(0, |index| pending[*index].record.entropy());
    let mut manifests: Vec<Arc<Manifest>> = chunks
        .iter()
        .filter(|(index, _)| applied.contains(index))
        .map(|(_, chunk)| chunk.manifest.clone())
        .collect();
    manifests.sort_by_key(|manifest| manifest.batch_id);
    manifests.dedup_by_key(|manifest| manifest.batch_id);
    let (store, bucket, metrics) = (&writer.store, &writer.processed_bucket, &writer.metrics);
    let closing = close_finished(store, bucket, &mut writer.database, metrics, &manifests);
    let remaining = stop.saturating_duration_since(Instant::now());
    let Ok(failures) = tokio::time::timeout(remaining, closing).await else {
        let error = Arc::new(LoadError::OutOfTime);
        applied.iter().for_each(|index| pending[*index].result = Err(error.clone()));
        return;
    };
    if !applied.is_empty() && !failures.iter().any(|(_, error)| error.is_contention()) {
        writer.gate.unlocked(table);
    }
    for (batch, error) in failures {
        let delay = close_gate(writer, table, &error, began.elapsed(), entropy);
        let error = Arc::new(error);
        for index in &applied {
            if pending[*index].message.batch_id == batch {
                pending[*index].result = Err(error.clone());
                pending[*index].retry_after = delay;
            }
        }
    }
}

async fn outcome_of<S: ObjectStore, Q: Queue, D: TargetDatabase>(
    writer: &mut Writer<S, Q, D>,
    pending: &PendingMessage<'_>,
) -> Outcome {
    let Err(error) = &pending.result else { return Outcome::Done };
    let (message, receive_count) = (&pending.message, pending.record.receive_count());
    tracing::warn!(
        source = message.source, batch_id = %message.batch_id, chunk = message.chunk.number(), receive_count,
        %error, transient = error.is_transient(), "{}", log_events::CHUNK_NOT_LOADED
    );
    if matches!(**error, LoadError::InstanceNotAvailable { .. }) {
        writer.metrics.emit(&BySource { source: &message.source }, &[CHUNKS_POSTPONED.count(1)]);
    }
    let outage_delay = error.is_outage().then(|| writer.database.outage_delay());
    match (error.outcome(receive_count), pending.retry_after.or(outage_delay)) {
        (Outcome::Retry(_), Some(delay)) => Outcome::Retry(delay),
        (Outcome::Dead(reason), _) => {
            // Without a manifest, no batch was committed, so no producer waits for a receipt.
            let Some(manifest) = &pending.manifest else { return Outcome::Dead(reason) };
            let (store, bucket) = (&writer.store, &writer.processed_bucket);
            match fail(store, bucket, &mut writer.database, manifest, message, &reason).await {
                // The receipt is written before the message is moved to the dead-letter queue.
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
