//! Queues over SQS.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use penstock_pipeline::sqs_batches;

use crate::clients::Aws;
use crate::fault::SdkFault;
use crate::queue::{Queue, QueueDepth, QueueError};

/// Maximum number of attempts to send the entries of a batch.
const ENTRY_ATTEMPTS: u32 = 6;
/// Pause before the second attempt; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Maximum visibility timeout of SQS.
const MAX_DELAY_SECONDS: u64 = 12 * 60 * 60;
/// Maximum size of a reason in an attribute, in bytes. Attributes count towards the size of a message.
const MAX_REASON_BYTES: usize = 2048;

/// SQS, or a compatible service at `AWS_ENDPOINT_URL_SQS`. The client is created on first use.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

impl SqsQueue {
    /// Returns queues that are not connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let mut config = aws_sdk_sqs::config::Builder::from(self.aws.config());
            if let Some(endpoint) = self.aws.endpoint("SQS") {
                config = config.endpoint_url(endpoint);
            }
            Client::from_conf(config.build())
        })
    }

    /// Sends the entries of one batch, and repeats those that fail.
    async fn send_batch(
        &self,
        url: &str,
        group: Option<&str>,
        mut bodies: Vec<String>,
    ) -> Result<(), QueueError> {
        let mut failure = String::new();
        for attempt in 0..ENTRY_ATTEMPTS {
            pause(attempt).await;
            let failed = self.send_once(url, group, &bodies).await?;
            if failed.is_empty() {
                return Ok(());
            }
            (bodies, failure) = entries_to_repeat(url, bodies, &failed)?;
        }
        let message = format!("{} entries failed {ENTRY_ATTEMPTS} times: {failure}", bodies.len());
        Err(QueueError::Transient { url: url.to_owned(), message })
    }

    async fn send_once(
        &self,
        url: &str,
        group: Option<&str>,
        bodies: &[String],
    ) -> Result<Vec<BatchResultErrorEntry>, QueueError> {
        let entries = bodies.iter().enumerate().map(|(index, body)| {
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(body)
                .set_message_group_id(group.map(str::to_owned))
                .build()
                .expect("the required fields id and body are set")
        });
        let call = self.client().send_message_batch().queue_url(url).set_entries(Some(entries.collect()));
        let output = Box::pin(call.send()).await.map_err(|error| queue_error(url, SdkFault::of(&error)))?;
        Ok(output.failed)
    }
}

impl Queue for SqsQueue {
    async fn send_all(&self, url: &str, group: Option<&str>, bodies: Vec<String>) -> Result<(), QueueError> {
        for batch in sqs_batches(bodies) {
            self.send_batch(url, group, batch).await?;
        }
        Ok(())
    }

    async fn send_dead(&self, url: &str, body: &str, code: &str, message: &str) -> Result<(), QueueError> {
        let call = self
            .client()
            .send_message()
            .queue_url(url)
            .message_body(body)
            .message_attributes("penstock.reason.code", text_attribute(code))
            .message_attributes("penstock.reason.message", text_attribute(message));
        Box::pin(call.send()).await.map(|_| ()).map_err(|error| queue_error(url, SdkFault::of(&error)))
    }

    async fn depth(&self, url: &str) -> Result<QueueDepth, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self.client().get_queue_attributes().queue_url(url);
        let call = call.set_attribute_names(Some(names.to_vec()));
        let output = call.send().await.map_err(|error| queue_error(url, SdkFault::of(&error)))?;
        let count = |name: &QueueAttributeName| {
            let text = output.attributes().and_then(|attributes| attributes.get(name));
            text.and_then(|count| count.parse().ok()).ok_or_else(|| QueueError::Refused {
                url: url.to_owned(),
                message: format!("the response has no valid {}", name.as_str()),
            })
        };
        let [waiting, in_flight, delayed] = names.each_ref().map(count);
        let (waiting, in_flight, delayed) = (waiting?, in_flight?, delayed?);
        Ok(QueueDepth { waiting, in_flight, delayed })
    }

    async fn delay(&self, url: &str, receipt_handle: &str, delay: Duration) -> Result<(), QueueError> {
        // Rounded up: a message that is received too early would only be returned again.
        let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
        let seconds =
            i32::try_from(seconds.min(MAX_DELAY_SECONDS)).expect("twelve hours in seconds fit into i32");
        let call = self
            .client()
            .change_message_visibility()
            .queue_url(url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(seconds);
        Box::pin(call.send()).await.map(|_| ()).map_err(|error| queue_error(url, SdkFault::of(&error)))
    }
}

/// Returns the bodies that failed by a fault of the service, with the reason of the last one.
fn entries_to_repeat(
    url: &str,
    bodies: Vec<String>,
    failed: &[BatchResultErrorEntry],
) -> Result<(Vec<String>, String), QueueError> {
    let reason = |entry: &BatchResultErrorEntry| {
        format!("{}: {}", entry.code(), entry.message().unwrap_or("no message"))
    };
    if let Some(entry) = failed.iter().find(|entry| entry.sender_fault()) {
        return Err(QueueError::Refused { url: url.to_owned(), message: reason(entry) });
    }
    let failure = failed.last().map(reason).expect("the caller checks that an entry failed");
    let is_failed = |index: usize| failed.iter().any(|entry| entry.id() == index.to_string());
    let repeat =
        bodies.into_iter().enumerate().filter(|(index, _)| is_failed(*index)).map(|(_, body)| body).collect();
    Ok((repeat, failure))
}

/// Returns a string attribute. SQS accepts neither empty ones nor control characters.
fn text_attribute(text: &str) -> MessageAttributeValue {
    let mut value = String::new();
    for character in text.chars() {
        if value.len() + character.len_utf8() > MAX_REASON_BYTES {
            break;
        }
        value.push(if character.is_control() { ' ' } else { character });
    }
    if value.is_empty() {
        value.push('-');
    }
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .expect("the required field data type is set")
}

async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(6))).await;
    }
}

pub(crate) fn queue_error(url: &str, fault: SdkFault) -> QueueError {
    let (url, message) = (url.to_owned(), fault.message);
    if fault.transient {
        QueueError::Transient { url, message }
    } else {
        QueueError::Refused { url, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(id: &str, sender_fault: bool) -> BatchResultErrorEntry {
        let entry = BatchResultErrorEntry::builder().id(id).code("InternalError").sender_fault(sender_fault);
        entry.build().unwrap()
    }

    fn bodies(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_failed_entries_are_sent_again() {
        let (repeat, failure) =
            entries_to_repeat("q", bodies(&["a", "b", "c"]), &[failed("0", false), failed("2", false)])
                .unwrap();
        assert_eq!(repeat, ["a", "c"]);
        assert_eq!(failure, "InternalError: no message");
    }

    #[test]
    fn a_fault_of_the_sender_is_permanent() {
        let error = entries_to_repeat("q", bodies(&["a"]), &[failed("0", true)]).unwrap_err();
        assert!(!error.is_transient());
    }

    #[test]
    fn a_reason_is_made_to_fit_an_attribute() {
        assert_eq!(text_attribute("line\nbreak").string_value(), Some("line break"));
        assert_eq!(text_attribute("").string_value(), Some("-"));
        let long = "ä".repeat(5000);
        assert_eq!(text_attribute(&long).string_value().map(str::len), Some(MAX_REASON_BYTES));
    }
}
