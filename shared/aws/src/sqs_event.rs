//! The events that Lambda sends to a function with a queue, and the response.
//!
//! The structs of `aws_lambda_events` are not used, because only four fields of a record are needed, and a record
//! without the others must not fail the whole batch.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use penstock_pipeline::{Outcome, jittered, log_events};
use serde::{Deserialize, Serialize};

use crate::queue::Queue;

/// The messages of an invocation.
#[derive(Debug, Clone, Deserialize)]
pub struct SqsEvent {
    /// The messages, in the order of the queue.
    #[serde(rename = "Records", default)]
    pub records: Vec<SqsRecord>,
}

/// One message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    /// Identifies the message in the response.
    pub message_id: String,
    /// Identifies this delivery of the message to the queue.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// The system attributes that are needed.
    #[serde(default)]
    pub attributes: SqsAttributes,
}

/// System attributes of a message.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SqsAttributes {
    /// Number of deliveries including this one, as a string.
    #[serde(default)]
    pub approximate_receive_count: Option<String>,
}

impl SqsRecord {
    /// Returns the number of deliveries including this one; 1 if the attribute is missing.
    pub fn receive_count(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.as_deref();
        count.and_then(|count| count.parse().ok()).unwrap_or(1)
    }

    /// Returns a number that differs between messages, and between the deliveries of a message.
    pub fn entropy(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.message_id, self.receive_count()).hash(&mut hasher);
        hasher.finish()
    }
}

/// The response: the messages that must be retried. The event source mapping must have `ReportBatchItemFailures`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsBatchResponse {
    /// The messages that must be retried.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// One message that must be retried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Id of the message.
    pub item_identifier: String,
}

impl SqsBatchResponse {
    /// Adds a message that must be retried.
    pub fn fail(&mut self, record: &SqsRecord) {
        self.batch_item_failures.push(BatchItemFailure { item_identifier: record.message_id.clone() });
    }
}

/// The queue of a function, and its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundQueue {
    /// URL of the queue.
    pub url: String,
    /// URL of its dead-letter queue.
    pub dead_letter_url: String,
}

/// Applies the outcome of a message. The delay of a retry is lengthened by a jitter.
///
/// A message that cannot be moved to the dead-letter queue is retried, so that it is never lost. A message whose delay
/// cannot be set is retried after the queue's visibility timeout.
pub async fn settle(
    queue: &impl Queue,
    inbound: &InboundQueue,
    record: &SqsRecord,
    outcome: Outcome,
    response: &mut SqsBatchResponse,
) {
    match outcome {
        Outcome::Done => {}
        Outcome::Retry(delay) => {
            response.fail(record);
            let delay = jittered(delay, record.entropy());
            tracing::info!(
                message_id = record.message_id,
                delay_s = delay.as_secs(),
                "message will be retried"
            );
            if let Err(error) = queue.delay(&inbound.url, &record.receipt_handle, delay).await {
                tracing::warn!(message_id = record.message_id, %error, "delay not set");
            }
        }
        Outcome::Dead(reason) => {
            let sent = queue
                .send_dead(&inbound.dead_letter_url, &record.body, reason.code.as_str(), &reason.message)
                .await;
            match sent {
                Ok(()) => {
                    tracing::error!(
                        message_id = record.message_id,
                        code = reason.code.as_str(),
                        reason = reason.message,
                        "{}",
                        log_events::MESSAGE_DEAD_LETTERED
                    );
                }
                Err(error) => {
                    tracing::error!(message_id = record.message_id, %error, "{}", log_events::DEAD_LETTER_NOT_SENT);
                    response.fail(record);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_lambda_is_parsed() {
        let event: SqsEvent = serde_json::from_str(
            r#"{"Records": [{
                "messageId": "19dd0b57", "receiptHandle": "MessageReceiptHandle", "body": "{}",
                "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1523232000000",
                               "SenderId": "123456789012", "ApproximateFirstReceiveTimestamp": "1523232000001"},
                "messageAttributes": {}, "md5OfBody": "7b27", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:MyQueue", "awsRegion": "us-east-1"
            }, {"messageId": "2", "receiptHandle": "h", "body": ""}]}"#,
        )
        .unwrap();
        assert_eq!(event.records.iter().map(SqsRecord::receive_count).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn the_response_has_the_format_of_lambda() {
        let record = SqsRecord {
            message_id: "a".into(),
            receipt_handle: String::new(),
            body: String::new(),
            attributes: SqsAttributes::default(),
        };
        let mut response = SqsBatchResponse::default();
        assert_eq!(serde_json::to_string(&response).unwrap(), r#"{"batchItemFailures":[]}"#);
        response.fail(&record);
        assert_eq!(
            serde_json::to_string(&response).unwrap(),
            r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#
        );
    }
}
