//! An event source mapping: polls a queue, invokes the function, deletes what it has done.
//!
//! What a function fails is left alone and comes back when its visibility timeout ends, as on AWS.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::batch::{MAX_PAYLOAD_BYTES, Verdict, event, fitting, record, verdict};
use super::function::Function;
use super::status::MappingStatus;
use crate::error::causes;
use crate::template::MappingSpec;

/// Short enough that pausing takes no longer; the answer comes as soon as there is a message.
const WAIT_SECONDS: i32 = 1;
/// SQS gives and deletes at most so many at once.
const SQS_MAX_MESSAGES: usize = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const DELETE_ATTEMPTS: u32 = 5;

/// A running mapping; stops when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    shared: Arc<Shared>,
    poller: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    spec: MappingSpec,
    queue_url: String,
    region: String,
    client: aws_sdk_sqs::Client,
    function: Arc<Function>,
    paused: watch::Sender<bool>,
    /// True while the poller holds still because of a pause.
    resting: watch::Sender<bool>,
    status: Mutex<MappingStatus>,
}

impl Mapping {
    /// Begins to poll, unless the template says that it is not enabled.
    pub(crate) fn start(
        spec: &MappingSpec,
        queue_url: String,
        region: &str,
        client: aws_sdk_sqs::Client,
        function: Arc<Function>,
    ) -> Self {
        let status = MappingStatus { queue_arn: spec.queue_arn.clone(), ..MappingStatus::default() };
        let shared = Arc::new(Shared {
            spec: spec.clone(),
            queue_url,
            region: region.to_owned(),
            client,
            function,
            paused: watch::Sender::new(!spec.enabled),
            resting: watch::Sender::new(false),
            status: Mutex::new(status),
        });
        let poller = tokio::spawn(poll(shared.clone()));
        Self { shared, poller }
    }

    /// Stops polling; returns once no receive is under way. Invocations that run go on.
    pub(crate) async fn pause(&self) {
        self.shared.paused.send_replace(true);
        let mut resting = self.shared.resting.subscribe();
        // An error would mean that the sender is gone, and it is in `shared`.
        let _held_by_self = resting.wait_for(|resting| *resting).await;
    }

    /// Polls again.
    pub(crate) fn resume(&self) {
        self.shared.paused.send_replace(false);
    }

    pub(crate) fn status(&self) -> MappingStatus {
        let mut status = self.shared.status().clone();
        status.paused = *self.shared.paused.borrow();
        status
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

async fn poll(shared: Arc<Shared>) {
    let concurrency = usize::try_from(shared.spec.maximum_concurrency).unwrap_or(usize::MAX);
    let permits = Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS)));
    let mut paused = shared.paused.subscribe();
    let mut invocations = JoinSet::new();
    loop {
        while invocations.try_join_next().is_some() {}
        if *paused.borrow_and_update() {
            shared.resting.send_replace(true);
            if paused.changed().await.is_err() {
                return;
            }
            shared.resting.send_replace(*paused.borrow());
            continue;
        }
        // First the permit, then the messages: none is taken off the queue only to wait here while its visibility
        // timeout runs.
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            _ = paused.changed() => { paused.mark_changed(); continue }
        };
        let messages = gather(&shared).await;
        let mut permit = Some(permit);
        for batch in split(&shared, messages) {
            let permit = match permit.take() {
                Some(permit) => permit,
                None => permits.clone().acquire_owned().await.expect("the semaphore is never closed"),
            };
            invocations.spawn(process(shared.clone(), batch, permit));
        }
    }
}

/// Up to a batch of messages: at once what is there, or what comes within the batching window.
async fn gather(shared: &Shared) -> Vec<Message> {
    let batch_size = usize::try_from(shared.spec.batch_size).unwrap_or(usize::MAX).max(1);
    let window = Duration::from_secs(shared.spec.window_seconds.into());
    let mut messages: Vec<Message> = Vec::new();
    let mut window_end = None;
    loop {
        let wanted = (batch_size - messages.len()).min(SQS_MAX_MESSAGES);
        match receive(shared, wanted).await {
            Ok(received) => messages.extend(received),
            Err(message) => {
                tracing::warn!(queue = shared.queue_url, error = message, "a queue could not be polled");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
        if messages.is_empty() {
            return messages;
        }
        let end = *window_end.get_or_insert_with(|| Instant::now() + window);
        if messages.len() >= batch_size || Instant::now() >= end {
            return messages;
        }
    }
}

async fn receive(shared: &Shared, wanted: usize) -> Result<Vec<Message>, String> {
    let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
    let received = shared
        .client
        .receive_message()
        .queue_url(&shared.queue_url)
        .max_number_of_messages(wanted)
        .wait_time_seconds(WAIT_SECONDS)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await;
    received.map(|output| output.messages.unwrap_or_default()).map_err(|error| causes(&error))
}

/// A batch and its records.
type Batch = (Vec<Message>, Vec<Value>);

/// Cuts where a payload would become larger than an invocation may be.
fn split(shared: &Shared, mut messages: Vec<Message>) -> Vec<Batch> {
    let to_record = |message: &Message| record(message, &shared.spec.queue_arn, &shared.region);
    let mut records: Vec<Value> = messages.iter().map(to_record).collect();
    let mut batches = Vec::new();
    while !messages.is_empty() {
        let count = fitting(&records, MAX_PAYLOAD_BYTES);
        let (later_messages, later_records) = (messages.split_off(count), records.split_off(count));
        batches.push((messages, records));
        (messages, records) = (later_messages, later_records);
    }
    batches
}

async fn process(shared: Arc<Shared>, (messages, records): Batch, _permit: OwnedSemaphorePermit) {
    {
        let mut status = shared.status();
        status.in_flight += 1;
        status.batches += 1;
    }
    let done = outcome(&shared, &messages, &records).await;
    delete(&shared, &done).await;
    let mut status = shared.status();
    status.in_flight -= 1;
    status.messages_done += done.len() as u64;
    status.messages_failed += (messages.len() - done.len()) as u64;
}

/// The messages that are done.
async fn outcome<'a>(shared: &Shared, messages: &'a [Message], records: &[Value]) -> Vec<&'a Message> {
    let function = shared.function.name();
    let response = match shared.function.invoke(event(records)).await {
        Ok(response) => response,
        Err(failure) => {
            let messages = messages.len();
            tracing::warn!(function, messages, error = %failure, "an invocation failed");
            return Vec::new();
        }
    };
    if !shared.spec.reports_item_failures {
        return messages.iter().collect();
    }
    let ids: BTreeSet<&str> = messages.iter().filter_map(Message::message_id).collect();
    match verdict(&response, &ids) {
        Verdict::Failed(failed) => {
            let is_done = |message: &&Message| message.message_id().is_some_and(|id| !failed.contains(id));
            messages.iter().filter(is_done).collect()
        }
        Verdict::AllFailed(reason) => {
            tracing::warn!(function, messages = messages.len(), error = reason, "a whole batch failed");
            Vec::new()
        }
    }
}

/// Deletes messages. One that cannot be deleted comes again, which every function here must take.
async fn delete(shared: &Shared, done: &[&Message]) {
    for chunk in done.chunks(SQS_MAX_MESSAGES) {
        let mut entries: Vec<DeleteMessageBatchRequestEntry> = Vec::new();
        for (index, message) in chunk.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle().unwrap_or_default())
                .build();
            entries.push(entry.expect("id and receipt handle were given"));
        }
        for attempt in 1..=DELETE_ATTEMPTS {
            let request = shared.client.delete_message_batch().queue_url(&shared.queue_url);
            let problem = match request.set_entries(Some(entries.clone())).send().await {
                Ok(output) => {
                    let failed: BTreeSet<&str> = output.failed().iter().map(|failed| failed.id()).collect();
                    entries.retain(|entry| failed.contains(entry.id()));
                    "some entries failed".to_owned()
                }
                Err(error) => causes(&error),
            };
            if entries.is_empty() {
                break;
            }
            let (queue, left) = (&shared.queue_url, entries.len());
            tracing::warn!(queue, left, attempt, error = problem, "messages could not be deleted");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, MappingStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
