//! An event source mapping: polls a queue, invokes the function, and deletes the processed messages.
//!
//! A failed message is redelivered when its visibility timeout ends, as on AWS.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::batch::{BatchResult, MAX_PAYLOAD_BYTES, batch_result, event, fitting, record};
use super::function::Function;
use super::status::MappingStatus;
use crate::error::causes;
use crate::template::MappingSpec;

/// The long-polling time of a receive, which is also the maximum time of a pause.
const WAIT_SECONDS: i32 = 1;
/// SQS's limit for the messages of one receive or delete call.
const SQS_MAX_MESSAGES: usize = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const DELETE_ATTEMPTS: u32 = 5;

/// A running mapping. Dropping it stops the polling.
#[derive(Debug)]
pub(crate) struct Mapping {
    context: Arc<MappingContext>,
    poller: JoinHandle<()>,
}

#[derive(Debug)]
struct MappingContext {
    spec: MappingSpec,
    queue_url: String,
    region: String,
    client: aws_sdk_sqs::Client,
    function: Arc<Function>,
    paused: watch::Sender<bool>,
    /// Whether the poller has stopped because of a pause.
    stopped: watch::Sender<bool>,
    status: Mutex<MappingStatus>,
}

impl Mapping {
    /// Starts to poll if the mapping is enabled.
    pub(crate) fn start(
        spec: &MappingSpec,
        queue_url: String,
        region: &str,
        client: aws_sdk_sqs::Client,
        function: Arc<Function>,
    ) -> Self {
        let status = MappingStatus { queue_arn: spec.queue_arn.clone(), ..MappingStatus::default() };
        let context = Arc::new(MappingContext {
            spec: spec.clone(),
            queue_url,
            region: region.to_owned(),
            client,
            function,
            paused: watch::Sender::new(!spec.enabled),
            stopped: watch::Sender::new(false),
            status: Mutex::new(status),
        });
        let poller = tokio::spawn(poll(context.clone()));
        Self { context, poller }
    }

    /// Stops polling. Returns when no receive call is in progress; current invocations continue.
    pub(crate) async fn pause(&self) {
        self.context.paused.send_replace(true);
        let mut stopped = self.context.stopped.subscribe();
        stopped.wait_for(|stopped| *stopped).await.expect("`context` owns the sender");
    }

    /// Continues polling.
    pub(crate) fn resume(&self) {
        self.context.paused.send_replace(false);
    }

    pub(crate) fn status(&self) -> MappingStatus {
        let mut status = self.context.status().clone();
        status.paused = *self.context.paused.borrow();
        status
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.poller.abort();
    }
}

async fn poll(context: Arc<MappingContext>) {
    let permits = Arc::new(Semaphore::new(to_usize(context.spec.maximum_concurrency)));
    let mut paused = context.paused.subscribe();
    let mut invocations = JoinSet::new();
    loop {
        while invocations.try_join_next().is_some() {}
        if *paused.borrow_and_update() {
            context.stopped.send_replace(true);
            if paused.changed().await.is_err() {
                return;
            }
            context.stopped.send_replace(*paused.borrow());
            continue;
        }
        // The permit comes before the receive: otherwise a received message would wait here while its visibility
        // timeout runs.
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
            _ = paused.changed() => { paused.mark_changed(); continue }
        };
        let messages = gather(&context).await;
        let mut permit = Some(permit);
        for batch in split(&context, messages) {
            let permit = match permit.take() {
                Some(permit) => permit,
                None => permits.clone().acquire_owned().await.expect("the semaphore is never closed"),
            };
            invocations.spawn(process(context.clone(), batch, permit));
        }
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).expect("usize has at least 32 bits")
}

/// Receives up to a batch of messages: those that are in the queue, and those that arrive in the batching window.
async fn gather(context: &MappingContext) -> Vec<Message> {
    let batch_size = to_usize(context.spec.batch_size).max(1);
    let window = Duration::from_secs(context.spec.window_seconds.into());
    let mut messages: Vec<Message> = Vec::new();
    let mut window_end = None;
    loop {
        let count = (batch_size - messages.len()).min(SQS_MAX_MESSAGES);
        match receive(context, count).await {
            Ok(received) => messages.extend(received),
            Err(message) => {
                tracing::warn!(queue = context.queue_url, error = message, "cannot poll a queue");
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

async fn receive(context: &MappingContext, count: usize) -> Result<Vec<Message>, String> {
    let count = i32::try_from(count).expect("a count is at most SQS_MAX_MESSAGES");
    let received = context
        .client
        .receive_message()
        .queue_url(&context.queue_url)
        .max_number_of_messages(count)
        .wait_time_seconds(WAIT_SECONDS)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await;
    // SQS omits the list when it is empty.
    received.map(|output| output.messages.unwrap_or_default()).map_err(|error| causes(&error))
}

/// Messages and their records in the event.
type MessageBatch = (Vec<Message>, Vec<Value>);

/// Splits messages into batches that fit into the payload of an invocation.
fn split(context: &MappingContext, mut messages: Vec<Message>) -> Vec<MessageBatch> {
    let to_record = |message: &Message| record(message, &context.spec.queue_arn, &context.region);
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

async fn process(
    context: Arc<MappingContext>,
    (messages, records): MessageBatch,
    _permit: OwnedSemaphorePermit,
) {
    {
        let mut status = context.status();
        status.in_flight += 1;
        status.batches += 1;
    }
    let done = invoke(&context, &messages, &records).await;
    delete(&context, &done).await;
    let mut status = context.status();
    status.in_flight -= 1;
    status.messages_done += done.len() as u64;
    status.messages_failed += (messages.len() - done.len()) as u64;
}

/// Invokes the function with a batch. Returns the messages that succeeded.
async fn invoke<'a>(
    context: &MappingContext,
    messages: &'a [Message],
    records: &[Value],
) -> Vec<&'a Message> {
    let function = context.function.name();
    let response = match context.function.invoke(event(records)).await {
        Ok(response) => response,
        Err(failure) => {
            let messages = messages.len();
            tracing::warn!(function, messages, error = %failure, "an invocation failed");
            return Vec::new();
        }
    };
    if !context.spec.reports_item_failures {
        return messages.iter().collect();
    }
    let ids: BTreeSet<&str> = messages.iter().filter_map(Message::message_id).collect();
    match batch_result(&response, &ids) {
        BatchResult::Failed(failed) => {
            let is_done = |message: &&Message| message.message_id().is_some_and(|id| !failed.contains(id));
            messages.iter().filter(is_done).collect()
        }
        BatchResult::AllFailed(reason) => {
            tracing::warn!(function, messages = messages.len(), error = reason, "a whole batch failed");
            Vec::new()
        }
    }
}

/// Deletes messages. A message that cannot be deleted is redelivered; the functions are idempotent.
async fn delete(context: &MappingContext, done: &[&Message]) {
    for chunk in done.chunks(SQS_MAX_MESSAGES) {
        let mut entries: Vec<DeleteMessageBatchRequestEntry> = Vec::new();
        for (index, message) in chunk.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .set_receipt_handle(message.receipt_handle().map(str::to_owned))
                .build();
            entries.push(entry.expect("each received message has a receipt handle"));
        }
        for attempt in 1..=DELETE_ATTEMPTS {
            let request = context.client.delete_message_batch().queue_url(&context.queue_url);
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
            let (queue, remaining) = (&context.queue_url, entries.len());
            tracing::warn!(queue, remaining, attempt, error = problem, "cannot delete messages");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

impl MappingContext {
    fn status(&self) -> MutexGuard<'_, MappingStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
