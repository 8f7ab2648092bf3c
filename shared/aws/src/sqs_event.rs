//! What Lambda hands a function from a queue, and what it wants back.
//!
//! Own structs rather than those of `aws_lambda_events`: four fields of a record are needed, and a record that
//! lacks the others must not fail the whole batch.

use serde::{Deserialize, Serialize};

use penstock_pipeline::{Outcome, log_events};

use crate::queue::Queue;

/// An invocation's messages.
#[derive(Debug, Clone, Deserialize)]
pub struct SqsEvent {
    /// In the order that the queue gave them.
    #[serde(rename = "Records", default)]
    pub records: Vec<SqsRecord>,
}

/// One message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    /// Names the message in the answer.
    pub message_id: String,
    /// Names this delivery of it to the queue.
    pub receipt_handle: String,
    /// The message.
    pub body: String,
    /// Of the message's system attributes, the ones that are needed.
    #[serde(default)]
    pub attributes: SqsAttributes,
}

/// System attributes of a message.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SqsAttributes {
    /// How often it has been delivered, this time included; a number in a string.
    #[serde(default)]
    pub approximate_receive_count: Option<String>,
}

impl SqsRecord {
    /// How often the message has been delivered, this time included; 1 where the queue does not say.
    pub fn receive_count(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.as_deref();
        count.and_then(|count| count.parse().ok()).unwrap_or(1)
    }
}

/// The answer: the messages that are to come back. `ReportBatchItemFailures` must be on in the mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsBatchResponse {
    /// The messages that are not finished.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// One message that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The message's id.
    pub item_identifier: String,
}

impl SqsBatchResponse {
    /// Lets a message come back.
    pub fn fail(&mut self, record: &SqsRecord) {
        self.batch_item_failures.push(BatchItemFailure { item_identifier: record.message_id.clone() });
    }
}

/// The queue that a function reads, and the one for what will never succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundQueue {
    /// URL of the queue.
    pub url: String,
    /// URL of its dead-letter queue.
    pub dead_letter_url: String,
}

/// Does with a message what its outcome asks for.
///
/// A message that cannot be moved to the dead-letter queue comes back, so that it is never lost. One whose delay
/// cannot be set comes back when the queue's visibility timeout is over.
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
            let sent =
                queue.send_dead(&inbound.dead_letter_url, &record.body, reason.code, &reason.message).await;
            match sent {
                Ok(()) => {
                    tracing::error!(
                        message_id = record.message_id,
                        code = reason.code,
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
    fn a_record_is_read_from_what_lambda_sends() {
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
    fn the_answer_has_the_form_that_lambda_reads() {
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
