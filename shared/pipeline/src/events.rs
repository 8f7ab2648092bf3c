//! Parsing of the events in the drops queue.
//!
//! A message body is one of:
//! - an EventBridge event, `Object Created` from `aws.s3` (its key is plain text);
//! - an S3 notification with any number of `Records` (its keys are URL-encoded, with `+` for a space);
//! - `s3:TestEvent`, which S3 sends when a notification is configured;
//! - either of the first two in an SNS envelope.
//!
//! Only the fields that identify an object are required, because AWS emulators and generators of test events leave out
//! many others (`userIdentity`, `requestParameters`, `sequencer`). If the size or the ETag is missing, the event is an
//! [`IncompleteDrop`], and the caller must look them up: an event without a size is not that of an empty file.
//!
//! [`created`] is the inverse of [`parse`]: it creates the event of a drop whose original event was lost.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use crate::Drop;

/// `source` and `detail-type` of the EventBridge event of a drop.
const S3_SOURCE: &str = "aws.s3";
const CREATED: &str = "Object Created";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An object was created. [`IgnoredKeys`](crate::IgnoredKeys) decides whether it is a drop.
    Dropped(Drop),
    /// An object was created, but its event lacks the size or the ETag.
    Incomplete(IncompleteDrop),
    /// An event of something else.
    Ignored(Ignored),
}

/// A drop whose event lacks the size or the ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteDrop {
    /// Bucket name.
    pub bucket: String,
    /// Object key, decoded.
    pub key: String,
    /// Version id, if the bucket is versioned and the event has it.
    pub version_id: Option<String>,
    /// ETag without quotes, if the event has it.
    pub etag: Option<String>,
    /// Size in bytes, if the event has it.
    pub size_bytes: Option<u64>,
    /// Orders the events of one key (hexadecimal).
    pub sequencer: Option<String>,
    /// The time at which the object was created, according to the event.
    pub dropped_at: Timestamp,
}

impl IncompleteDrop {
    /// Returns the drop with the version id, the ETag and the size of the object, as the store returns them. What the
    /// event has takes precedence.
    pub fn complete(self, version_id: Option<String>, etag: String, size_bytes: u64) -> Drop {
        Drop {
            bucket: self.bucket,
            key: self.key,
            version_id: self.version_id.or(version_id),
            etag: self.etag.unwrap_or(etag),
            size_bytes: self.size_bytes.unwrap_or(size_bytes),
            sequencer: self.sequencer,
            dropped_at: self.dropped_at,
        }
    }
}

/// The reason why an event is not that of a created object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// `s3:TestEvent`.
    TestEvent,
    /// Another operation on an object: it was deleted, tagged, restored. Has the event's name.
    NotCreated(String),
}

/// The reason why a body is not an event. All of them are permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not an event: {0}")]
    Malformed(String),
    /// JSON, but none of the known shapes.
    #[error("neither an S3 notification nor an EventBridge event of S3")]
    UnknownShape,
    /// A key that cannot be URL-decoded to UTF-8.
    #[error("the object key {0:?} is not URL-encoded UTF-8")]
    BadKey(String),
    /// A malformed time.
    #[error("the event time {0:?} is not an ISO 8601 date and time")]
    BadTime(String),
}

/// Limits the recursion: SNS does not nest envelopes.
const MAX_ENVELOPES: u32 = 2;

/// Returns the events in a queue message's body, in their order.
///
/// # Errors
/// Returns an error if the body has none of the shapes above. One malformed record fails the whole body, so that no
/// record is dropped silently.
pub fn parse(body: &str) -> Result<Vec<Event>, EventError> {
    parse_envelope(body, MAX_ENVELOPES)
}

/// Returns the EventBridge event that S3 sends when `drop` is created, with the fields that [`parse`] reads. Parsing it
/// returns `drop` again.
pub fn created(drop: &Drop) -> String {
    let mut object = json!({ "key": drop.key, "size": drop.size_bytes, "etag": drop.etag });
    let optional = [("version-id", &drop.version_id), ("sequencer", &drop.sequencer)];
    for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        object[name] = json!(value);
    }
    json!({
        "version": "0",
        "source": S3_SOURCE,
        "detail-type": CREATED,
        "time": drop.dropped_at,
        "detail": { "version": "0", "bucket": { "name": drop.bucket }, "object": object },
    })
    .to_string()
}

/// The fields of all shapes; the ones that are present determine the shape.
#[derive(Deserialize)]
struct EventBody {
    #[serde(rename = "Records")]
    records: Option<Vec<S3Record>>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    source: Option<String>,
    time: Option<String>,
    detail: Option<serde_json::Value>,
    #[serde(rename = "Event")]
    event: Option<String>,
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct S3Record {
    #[serde(rename = "eventSource")]
    source: String,
    #[serde(rename = "eventName")]
    name: String,
    #[serde(rename = "eventTime")]
    time: String,
    s3: Option<serde_json::Value>,
}

/// The fields that `Records[].s3` and EventBridge's `detail` have in common.
#[derive(Deserialize)]
struct S3Detail {
    bucket: S3Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct S3Bucket {
    name: String,
}

#[derive(Deserialize)]
struct S3Object {
    key: String,
    size: Option<u64>,
    // `etag` in events of EventBridge, `eTag` in S3 notifications and in all events of some emulators.
    #[serde(alias = "eTag")]
    etag: Option<String>,
    #[serde(rename = "version-id", alias = "versionId")]
    version_id: Option<String>,
    sequencer: Option<String>,
}

fn parse_envelope(body: &str, envelopes_left: u32) -> Result<Vec<Event>, EventError> {
    let envelope: EventBody = serde_json::from_str(body).map_err(malformed)?;
    if let Some(records) = envelope.records {
        return records.into_iter().map(record_event).collect();
    }
    if envelope.event.as_deref() == Some("s3:TestEvent") {
        return Ok(vec![Event::Ignored(Ignored::TestEvent)]);
    }
    if let (Some("Notification"), Some(message)) = (envelope.kind.as_deref(), &envelope.message) {
        let left = envelopes_left.checked_sub(1).ok_or(EventError::UnknownShape)?;
        return parse_envelope(message, left);
    }
    match (envelope.source.as_deref(), envelope.detail_type, envelope.time, envelope.detail) {
        (Some(S3_SOURCE), Some(detail_type), Some(time), Some(detail)) => {
            event_bridge_event(detail_type, &time, detail).map(|event| vec![event])
        }
        _ => Err(EventError::UnknownShape),
    }
}

fn record_event(record: S3Record) -> Result<Event, EventError> {
    if record.source != "aws:s3" {
        return Err(EventError::UnknownShape);
    }
    let name = record.name.strip_prefix("s3:").unwrap_or(&record.name);
    if !name.starts_with("ObjectCreated:") {
        return Ok(Event::Ignored(Ignored::NotCreated(record.name)));
    }
    let s3 = record.s3.ok_or_else(|| EventError::Malformed("a record without s3".to_owned()))?;
    let mut s3: S3Detail = serde_json::from_value(s3).map_err(malformed)?;
    s3.object.key = decode_key(&s3.object.key)?;
    event(s3, &record.time)
}

fn event_bridge_event(
    detail_type: String,
    time: &str,
    detail: serde_json::Value,
) -> Result<Event, EventError> {
    if detail_type != CREATED {
        return Ok(Event::Ignored(Ignored::NotCreated(detail_type)));
    }
    event(serde_json::from_value(detail).map_err(malformed)?, time)
}

fn event(S3Detail { bucket, object }: S3Detail, time: &str) -> Result<Event, EventError> {
    // Objects of an unversioned bucket have the version id "null", which identifies nothing.
    let version_id = object.version_id.filter(|id| !id.is_empty() && id != "null");
    let etag = object.etag.map(|etag| etag.trim_matches('"').to_owned()).filter(|etag| !etag.is_empty());
    let sequencer = object.sequencer.filter(|sequencer| !sequencer.is_empty());
    let (bucket, key, dropped_at) = (bucket.name, object.key, timestamp(time)?);
    Ok(match (etag, object.size) {
        (Some(etag), Some(size_bytes)) => {
            Event::Dropped(Drop { bucket, key, version_id, etag, size_bytes, sequencer, dropped_at })
        }
        (etag, size_bytes) => Event::Incomplete(IncompleteDrop {
            bucket,
            key,
            version_id,
            etag,
            size_bytes,
            sequencer,
            dropped_at,
        }),
    })
}

/// Parses a time with an offset, as AWS writes it, or without one, as some emulators do: then it is UTC.
fn timestamp(text: &str) -> Result<Timestamp, EventError> {
    let without_offset = || text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC));
    text.parse()
        .or_else(|_| without_offset().map(|time| time.timestamp()))
        .map_err(|_| EventError::BadTime(text.to_owned()))
}

/// Decodes an `application/x-www-form-urlencoded` key of an S3 notification.
///
/// # Errors
/// Returns an error if a `%` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
pub fn decode_key(encoded: &str) -> Result<String, EventError> {
    let bad_key = || EventError::BadKey(encoded.to_owned());
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let decoded_byte = match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next().ok_or_else(bad_key)?, bytes.next().ok_or_else(bad_key)?);
                hex_digit(high).zip(hex_digit(low)).map(|(high, low)| high << 4 | low).ok_or_else(bad_key)?
            }
            other => other,
        };
        decoded.push(decoded_byte);
    }
    String::from_utf8(decoded).map_err(|_| bad_key())
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn malformed(error: serde_json::Error) -> EventError {
    EventError::Malformed(error.to_string())
}
