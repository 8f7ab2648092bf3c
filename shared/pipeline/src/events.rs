//! Drops out of every event shape.
//!
//! What arrives in the drops queue is one of:
//! - an EventBridge event, `Object Created` from `aws.s3` (its key is plain text);
//! - an S3 notification with any number of `Records` (its keys are URL-encoded, with `+` for a space);
//! - `s3:TestEvent`, which S3 sends when a notification is configured;
//! - either of the first two in an SNS envelope.
//!
//! The structs here ask only for what a drop needs: local stand-ins and test generators leave out much of
//! what AWS sends (`userIdentity`, `requestParameters`, `sequencer`).
//!
//! [`created`] is the way back: the event of a drop whose own was lost.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use crate::Drop;

/// Source and kind of the EventBridge event that tells of a drop.
const S3_SOURCE: &str = "aws.s3";
const CREATED: &str = "Object Created";

/// What one event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An object arrived.
    Dropped(Drop),
    /// Nothing to read, and why.
    Ignored(Ignored),
}

/// Why an event is no drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// `s3:TestEvent`.
    TestEvent,
    /// Something else happened to an object: it was deleted, tagged, restored. Carries the event's name.
    NotCreated(String),
    /// The zero-byte object that consoles make for a folder. Carries the key.
    Folder(String),
}

/// Why a body is no event. None of them passes with time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not an event: {0}")]
    Malformed(String),
    /// JSON, but none of the shapes that are known.
    #[error("neither an S3 notification nor an EventBridge event of S3")]
    UnknownShape,
    /// A key that no URL decoding makes text of.
    #[error("the object key {0:?} is not URL-encoded UTF-8")]
    BadKey(String),
    /// A time that is none.
    #[error("the event time {0:?} is not an ISO 8601 date and time")]
    BadTime(String),
}

/// SNS in SNS does not happen; anything deeper is somebody's game.
const MAX_ENVELOPES: u32 = 2;

/// Every event in a queue message's body, in its order.
///
/// # Errors
/// When the body is none of the shapes above. One bad record fails the whole body, so that none is lost
/// unseen.
pub fn parse(body: &str) -> Result<Vec<Event>, EventError> {
    parse_envelope(body, MAX_ENVELOPES)
}

/// The EventBridge event that S3 sends when `drop` arrives, as far as [`parse`] reads it: what it gives back is
/// `drop`, unless that [is a folder](is_folder).
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

/// True of the zero-byte object that consoles make for a folder: it is no drop.
pub fn is_folder(key: &str, size_bytes: u64) -> bool {
    key.ends_with('/') && size_bytes == 0
}

/// All that is looked at in any of the shapes; which fields are there tells the shape.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
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
struct Record {
    #[serde(rename = "eventSource")]
    source: String,
    #[serde(rename = "eventName")]
    name: String,
    #[serde(rename = "eventTime")]
    time: String,
    s3: Option<serde_json::Value>,
}

/// `Records[].s3` and EventBridge's `detail` have this in common.
#[derive(Deserialize)]
struct S3 {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    size: u64,
    // `etag` by EventBridge on AWS, `eTag` by S3 notifications and by some stand-ins everywhere.
    #[serde(alias = "eTag")]
    etag: String,
    #[serde(rename = "version-id", alias = "versionId")]
    version_id: Option<String>,
    sequencer: Option<String>,
}

fn parse_envelope(body: &str, envelopes_left: u32) -> Result<Vec<Event>, EventError> {
    let envelope: Envelope = serde_json::from_str(body).map_err(malformed)?;
    if let Some(records) = envelope.records {
        return records.into_iter().map(of_record).collect();
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
            of_event_bridge(detail_type, &time, detail).map(|event| vec![event])
        }
        _ => Err(EventError::UnknownShape),
    }
}

fn of_record(record: Record) -> Result<Event, EventError> {
    if record.source != "aws:s3" {
        return Err(EventError::UnknownShape);
    }
    let name = record.name.strip_prefix("s3:").unwrap_or(&record.name);
    if !name.starts_with("ObjectCreated:") {
        return Ok(Event::Ignored(Ignored::NotCreated(record.name)));
    }
    let s3 = record.s3.ok_or_else(|| EventError::Malformed("a record without s3".to_owned()))?;
    let mut s3: S3 = serde_json::from_value(s3).map_err(malformed)?;
    s3.object.key = decode_key(&s3.object.key)?;
    event(s3, &record.time)
}

fn of_event_bridge(detail_type: String, time: &str, detail: serde_json::Value) -> Result<Event, EventError> {
    if detail_type != CREATED {
        return Ok(Event::Ignored(Ignored::NotCreated(detail_type)));
    }
    event(serde_json::from_value(detail).map_err(malformed)?, time)
}

fn event(S3 { bucket, object }: S3, time: &str) -> Result<Event, EventError> {
    if is_folder(&object.key, object.size) {
        return Ok(Event::Ignored(Ignored::Folder(object.key)));
    }
    // A bucket without versions says "null", the same for every object: no identity.
    let version_id = object.version_id.filter(|id| !id.is_empty() && id != "null");
    Ok(Event::Dropped(Drop {
        bucket: bucket.name,
        key: object.key,
        version_id,
        etag: object.etag.trim_matches('"').to_owned(),
        size_bytes: object.size,
        sequencer: object.sequencer.filter(|sequencer| !sequencer.is_empty()),
        dropped_at: timestamp(time)?,
    }))
}

/// With an offset as AWS writes it, or without one as stand-ins do: then it is UTC.
fn timestamp(text: &str) -> Result<Timestamp, EventError> {
    let without_offset = || text.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC));
    text.parse()
        .or_else(|_| without_offset().map(|time| time.timestamp()))
        .map_err(|_| EventError::BadTime(text.to_owned()))
}

/// Undoes the `application/x-www-form-urlencoded` encoding of keys in S3 notifications.
///
/// # Errors
/// When a `%` is not followed by two hexadecimal digits, or the bytes are not UTF-8.
pub fn decode_key(encoded: &str) -> Result<String, EventError> {
    let bad = || EventError::BadKey(encoded.to_owned());
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next().ok_or_else(bad)?, bytes.next().ok_or_else(bad)?);
                hex_digit(high).zip(hex_digit(low)).map(|(high, low)| high << 4 | low).ok_or_else(bad)?
            }
            other => other,
        };
        decoded.push(plain);
    }
    String::from_utf8(decoded).map_err(|_| bad())
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
