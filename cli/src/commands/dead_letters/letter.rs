//! A dead letter and what its body says.

use anyhow::Result;
use jiff::Timestamp;
use penstock_aws::sqs_receive::ReceivedMessage;
use penstock_pipeline::{
    BatchId, Drop, Event, JobEvent, LoadMessage, UNKNOWN_SOURCE, events, parse_job_name,
};
use serde::Serialize;

use crate::batches::Batches;
use crate::render;

/// Attributes of a message that a function has moved.
const CODE: &str = "penstock.reason.code";
const REASON: &str = "penstock.reason.message";
/// Attributes of a message that EventBridge could not deliver.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
const DELIVERY_CODE: &str = "ERROR_CODE";
const DELIVERY_ERROR: &str = "ERROR_MESSAGE";

/// A dead letter.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeadLetterView {
    /// The queue that the message came from.
    pub(super) queue: String,
    pub(super) id: String,
    /// `None` if SQS or EventBridge moved the message, which give no code of ours.
    pub(super) code: Option<String>,
    pub(super) reason: String,
    pub(super) source: Option<String>,
    pub(super) batch_id: Option<BatchId>,
    /// The chunk's number, from 1.
    pub(super) chunk: Option<u32>,
    pub(super) chunk_count: Option<u32>,
    pub(super) rows: Option<u64>,
    /// The object, as an `s3://` URI.
    pub(super) object: Option<String>,
    pub(super) sent_at: Option<Timestamp>,
}

impl DeadLetterView {
    /// Describes a message of the dead-letter queue of `queue`. The batch of a drop is that of its newest claim.
    pub(super) async fn of(queue: &str, message: &ReceivedMessage, batches: &Batches) -> Result<Self> {
        let (code, reason) = reason(message);
        let mut letter = Self {
            queue: queue.to_owned(),
            id: message.message_id.clone(),
            code,
            reason,
            source: None,
            batch_id: None,
            chunk: None,
            chunk_count: None,
            rows: None,
            object: None,
            sent_at: message.sent_at,
        };
        // A body may be anything, so each format is tried. No body has two of them.
        if let Ok(load) = LoadMessage::parse(&message.body, &LoadMessage::READS) {
            letter.describe_chunk(load);
        } else if let Some((source, batch)) = job_batch(&message.body) {
            letter.source = Some(source);
            letter.batch_id = Some(batch);
        } else if let Some(DropOfEvent { bucket, key, drop }) = drop_of_event(&message.body) {
            letter.object = Some(format!("s3://{bucket}/{key}"));
            let source = key.split_once('/').map_or(UNKNOWN_SOURCE, |(source, _)| source);
            letter.source = Some(source.to_owned());
            if let Some(drop) = drop {
                letter.batch_id = batches.claims(&drop).await?.pop().map(|claim| claim.batch_id);
            }
        }
        Ok(letter)
    }

    fn describe_chunk(&mut self, message: LoadMessage) {
        self.chunk = Some(message.chunk.number());
        self.chunk_count = Some(message.chunk_count);
        self.rows = Some(message.chunk.rows.into());
        self.source = Some(message.source);
        self.batch_id = Some(message.batch_id);
    }

    /// Returns what the message is about, in a few words.
    pub(super) fn subject(&self) -> String {
        match (&self.object, self.chunk, self.chunk_count) {
            (Some(object), _, _) => object.clone(),
            (None, Some(chunk), Some(count)) => format!("chunk {chunk} of {count}"),
            (None, _, _) => "-".to_owned(),
        }
    }

    /// Returns the age of the message.
    pub(super) fn age(&self, now: Timestamp) -> String {
        let Some(sent_at) = self.sent_at else { return "unknown".to_owned() };
        let seconds = now.duration_since(sent_at).as_secs().max(0);
        match seconds {
            0..=119 => format!("{seconds} s"),
            120..=7199 => format!("{} min", seconds / 60),
            7200..=172_799 => format!("{} h", seconds / 3600),
            _ => format!("{} days", seconds / 86_400),
        }
    }

    /// Returns what is lost when the message is deleted, and what can still be done.
    pub(super) fn loss(&self) -> String {
        match (self.batch_id, self.rows, &self.object) {
            (Some(batch), Some(rows), _) => format!(
                "{} rows of {} of batch {batch} are not loaded; `penstock republish {batch}` sends the chunk again",
                render::number(rows),
                self.subject(),
            ),
            (_, None, Some(object)) => format!(
                "the event of {object}: the file is not processed unless the sentinel finds it, or it is dropped again"
            ),
            (Some(batch), None, None) => {
                format!("the end of the Spark job of batch {batch}: its rows are not loaded")
            }
            (None, _, _) => "a message that is of no known format".to_owned(),
        }
    }
}

fn reason(message: &ReceivedMessage) -> (Option<String>, String) {
    let attribute = |name: &str| message.attributes.get(name).cloned();
    if let Some(code) = attribute(CODE) {
        return (Some(code), attribute(REASON).unwrap_or_default());
    }
    match attribute(DELIVERY_CODE) {
        Some(code) => {
            let error = attribute(DELIVERY_ERROR).unwrap_or_default();
            (None, format!("EventBridge could not deliver the event: {code}: {error}"))
        }
        None => (
            None,
            "moved by SQS after too many receives, or by EventBridge because it could not be delivered"
                .to_owned(),
        ),
    }
}

fn job_batch(body: &str) -> Option<(String, BatchId)> {
    let name = JobEvent::parse(body).ok()??.job_run_name?;
    parse_job_name(&name).map(|(source, batch)| (source.to_owned(), batch))
}

/// The object of an event, with the drop if the event identifies it.
struct DropOfEvent {
    bucket: String,
    key: String,
    drop: Option<Drop>,
}

/// Returns the first drop of an event.
fn drop_of_event(body: &str) -> Option<DropOfEvent> {
    events::parse(body).ok()?.into_iter().find_map(|event| match event {
        Event::Dropped(drop) => {
            Some(DropOfEvent { bucket: drop.bucket.clone(), key: drop.key.clone(), drop: Some(drop) })
        }
        Event::Incomplete(drop) => Some(DropOfEvent { bucket: drop.bucket, key: drop.key, drop: None }),
        Event::Ignored(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: &[(&str, &str)]) -> ReceivedMessage {
        ReceivedMessage {
            message_id: "1".to_owned(),
            receipt_handle: "h".to_owned(),
            body: String::new(),
            attributes: attributes.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect(),
            sent_at: None,
        }
    }

    #[test]
    fn the_reason_is_that_of_the_function_or_of_event_bridge() {
        let of_function = message(&[(CODE, "chunk_missing"), (REASON, "it is gone")]);
        assert_eq!(reason(&of_function), (Some("chunk_missing".to_owned()), "it is gone".to_owned()));
        let (code, text) = reason(&message(&[(DELIVERY_CODE, "NO_PERMISSIONS"), (DELIVERY_ERROR, "denied")]));
        assert_eq!((code, text.ends_with("NO_PERMISSIONS: denied")), (None, true));
        let (code, text) = reason(&message(&[]));
        assert_eq!((code, text.contains("too many receives")), (None, true));
    }

    #[test]
    fn the_drop_of_each_kind_of_event_is_found() {
        let key = |body: &str| drop_of_event(body).map(|drop| (drop.key, drop.drop.is_some()));
        let whole = r#"{"source": "aws.s3", "detail-type": "Object Created", "time": "2026-01-01T00:00:00Z",
            "detail": {"bucket": {"name": "raw"}, "object": {"key": "s/a.csv", "size": 1, "etag": "e"}}}"#;
        assert_eq!(key(whole), Some(("s/a.csv".to_owned(), true)));
        assert_eq!(key(&whole.replace(r#""size": 1, "#, "")), Some(("s/a.csv".to_owned(), false)));
        assert_eq!(key("{}"), None);
    }
}
