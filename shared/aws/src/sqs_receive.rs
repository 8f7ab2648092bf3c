//! Receiving messages from a queue. Functions do not receive: Lambda does it for them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;

use crate::fault::SdkFault;
use crate::queue::QueueError;
use crate::sqs::{SqsQueue, queue_error};

/// Maximum number of messages of one `ReceiveMessage`.
const MAX_MESSAGES: i32 = 10;
/// Time to wait for messages. A request that waits asks all servers of the queue, another one only some.
const WAIT_SECONDS: i32 = 1;

/// A message that was received. It is invisible to others until its visibility timeout ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The id of the message, the same for each delivery.
    pub message_id: String,
    /// Identifies this delivery.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// Message attributes with a text.
    pub attributes: BTreeMap<String, String>,
    /// The time at which the message was first sent to a queue.
    pub sent_at: Option<Timestamp>,
}

impl SqsQueue {
    /// Receives up to ten messages, and makes them invisible for `visibility`.
    ///
    /// # Errors
    /// Returns an error if the request fails.
    pub async fn receive(&self, url: &str, visibility: Duration) -> Result<Vec<ReceivedMessage>, QueueError> {
        let seconds = i32::try_from(visibility.as_secs()).map_err(|_| QueueError::Refused {
            url: url.to_owned(),
            message: "the visibility timeout is too long".to_owned(),
        })?;
        let call = self
            .client()
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(MAX_MESSAGES)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(seconds)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let output = Box::pin(call.send()).await.map_err(|error| queue_error(url, SdkFault::of(&error)))?;
        output.messages.unwrap_or_default().into_iter().map(|message| received(url, message)).collect()
    }

    /// Deletes a received message.
    ///
    /// # Errors
    /// Returns an error if the request fails.
    pub async fn delete(&self, url: &str, receipt_handle: &str) -> Result<(), QueueError> {
        let call = self.client().delete_message().queue_url(url).receipt_handle(receipt_handle);
        Box::pin(call.send()).await.map(|_| ()).map_err(|error| queue_error(url, SdkFault::of(&error)))
    }
}

fn received(url: &str, message: Message) -> Result<ReceivedMessage, QueueError> {
    let missing = |field: &str| QueueError::Refused {
        url: url.to_owned(),
        message: format!("a received message has no {field}"),
    };
    let sent_at = message.attributes.as_ref().and_then(|attributes| {
        let text = attributes.get(&MessageSystemAttributeName::SentTimestamp)?;
        Timestamp::from_millisecond(text.parse().ok()?).ok()
    });
    let attributes = message.message_attributes.unwrap_or_default();
    Ok(ReceivedMessage {
        message_id: message.message_id.ok_or_else(|| missing("id"))?,
        receipt_handle: message.receipt_handle.ok_or_else(|| missing("receipt handle"))?,
        body: message.body.ok_or_else(|| missing("body"))?,
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.string_value?)))
            .collect(),
        sent_at,
    })
}
