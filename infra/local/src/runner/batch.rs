//! A batch of SQS messages: the event that a function receives, and the result in its response.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Lambda's limit for the payload of an invocation: 6 MB.
pub(super) const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Returns the event of a batch in Lambda's form.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
pub(super) fn event(records: &[Value]) -> Bytes {
    Bytes::from(json!({ "Records": records }).to_string())
}

/// Returns the record of one message.
pub(super) fn record(message: &Message, queue_arn: &str, region: &str) -> Value {
    let mut attributes = Map::new();
    for (name, value) in message.attributes().into_iter().flatten() {
        attributes.insert(name.as_str().to_owned(), value.as_str().into());
    }
    let mut message_attributes = Map::new();
    for (name, value) in message.message_attributes().into_iter().flatten() {
        message_attributes.insert(name.clone(), message_attribute(value));
    }
    let mut record = json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    });
    if let Some(digest) = message.md5_of_message_attributes() {
        record["md5OfMessageAttributes"] = digest.into();
    }
    record
}

fn message_attribute(value: &MessageAttributeValue) -> Value {
    let mut attribute =
        json!({"stringListValues": [], "binaryListValues": [], "dataType": value.data_type()});
    if let Some(text) = value.string_value() {
        attribute["stringValue"] = text.into();
    }
    if let Some(bytes) = value.binary_value() {
        attribute["binaryValue"] = BASE64_STANDARD.encode(bytes.as_ref()).into();
    }
    attribute
}

/// Returns the number of leading records that fit into one payload, at least one.
pub(super) fn fitting(records: &[Value], max_bytes: usize) -> usize {
    let mut total = r#"{"Records":[]}"#.len();
    for (index, record) in records.iter().enumerate() {
        total += record.to_string().len() + 1;
        if total > max_bytes && index > 0 {
            return index;
        }
    }
    records.len()
}

/// The result of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BatchResult {
    /// The messages with these ids failed, the others succeeded.
    Failed(BTreeSet<String>),
    /// All messages failed, with the reason why the response is invalid.
    AllFailed(String),
}

#[derive(Deserialize)]
struct BatchResponse {
    #[serde(rename = "batchItemFailures")]
    batch_item_failures: Option<Vec<ItemFailure>>,
}

#[derive(Deserialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    item_identifier: String,
}

/// Parses a response under `ReportBatchItemFailures` as Lambda does. An empty response, `null`, `{}` and an empty or null
/// list mean that all messages succeeded. A response of another form, or with the id of a message that is not in the
/// batch, means that all failed. <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub(super) fn batch_result(response: &[u8], message_ids: &BTreeSet<&str>) -> BatchResult {
    if response.trim_ascii().is_empty() {
        return BatchResult::Failed(BTreeSet::new());
    }
    let failures = match serde_json::from_slice::<Option<BatchResponse>>(response) {
        Ok(response) => response.and_then(|response| response.batch_item_failures).unwrap_or_default(),
        Err(error) => {
            return BatchResult::AllFailed(format!("the response is not a batch response: {error}"));
        }
    };
    let failed: BTreeSet<String> = failures.into_iter().map(|failure| failure.item_identifier).collect();
    match failed.iter().find(|id| !message_ids.contains(id.as_str())) {
        Some(_) => {
            BatchResult::AllFailed("the response has the id of a message that is not in the batch".to_owned())
        }
        None => BatchResult::Failed(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_interpreted_as_by_lambda() {
        let ids = BTreeSet::from(["a", "b"]);
        let failed =
            |names: &[&str]| BatchResult::Failed(names.iter().map(|name| (*name).to_owned()).collect());
        for (response, expected) in [
            ("", failed(&[])),
            ("null", failed(&[])),
            ("{}", failed(&[])),
            (r#"{"batchItemFailures": []}"#, failed(&[])),
            (r#"{"batchItemFailures": null}"#, failed(&[])),
            (r#"{"batchItemFailures": [{"itemIdentifier": "b"}]}"#, failed(&["b"])),
            (r#"{"batchItemFailures": [{"itemIdentifier": "b"}], "other": 1}"#, failed(&["b"])),
        ] {
            assert_eq!(batch_result(response.as_bytes(), &ids), expected, "{response}");
        }
        for response in [
            "not json",
            "3",
            r#""done""#,
            r#"{"batchItemFailures": "b"}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#,
            r#"{"batchItemFailures": [{"id": "b"}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": "c"}]}"#,
        ] {
            assert!(
                matches!(batch_result(response.as_bytes(), &ids), BatchResult::AllFailed(_)),
                "{response}"
            );
        }
    }

    #[test]
    fn a_record_has_the_form_of_lambda() {
        let message = Message::builder()
            .message_id("m")
            .receipt_handle("r")
            .body("hello")
            .md5_of_body("d")
            .attributes("ApproximateReceiveCount".into(), "2")
            .message_attributes(
                "reason",
                MessageAttributeValue::builder().data_type("String").string_value("x").build().unwrap(),
            )
            .build();
        let expected = json!({
            "messageId": "m", "receiptHandle": "r", "body": "hello", "md5OfBody": "d",
            "attributes": {"ApproximateReceiveCount": "2"},
            "messageAttributes": {"reason":
                {"stringValue": "x", "stringListValues": [], "binaryListValues": [], "dataType": "String"}},
            "eventSource": "aws:sqs", "eventSourceARN": "arn:q", "awsRegion": "eu-central-1",
        });
        assert_eq!(record(&message, "arn:q", "eu-central-1"), expected);
    }

    #[test]
    fn a_payload_has_the_records_that_fit_and_at_least_one() {
        let records: Vec<Value> = (0..3).map(|_| "x".repeat(100).into()).collect();
        assert_eq!(fitting(&records, 10_000), 3);
        assert_eq!(fitting(&records, 230), 2);
        assert_eq!(fitting(&records, 10), 1);
    }
}
