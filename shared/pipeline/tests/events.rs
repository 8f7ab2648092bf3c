//! All known shapes of events, recorded from AWS's documentation, from the local stack and from SAM's generator.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use jiff::Timestamp;
use penstock_pipeline::events::{created, decode_key, parse};
use penstock_pipeline::{
    Drop, Event, EventError, Ignored, IgnoredKey, IgnoredKeys, IncompleteDrop, JobEvent, JobState, job_name,
    parse_job_name,
};
use proptest::prelude::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/events/", $name, ".json"))
    };
}

const SPECIAL_KEY: &str = "abt/a b+c%2B é/ü&=.csv";

fn dropped(key: &str, etag: &str, version_id: Option<&str>, sequencer: Option<&str>, at: &str) -> Event {
    Event::Dropped(Drop {
        bucket: "raw".to_owned(),
        key: key.to_owned(),
        version_id: version_id.map(str::to_owned),
        etag: etag.to_owned(),
        size_bytes: 4,
        sequencer: sequencer.map(str::to_owned),
        dropped_at: at.parse().unwrap(),
    })
}

#[test]
fn event_bridge_keys_are_plain_text() {
    let (etag, sequencer) = ("043212bb9834e334677e9c9659294bd4", Some("617f08299329d189"));
    let at = "2026-11-21T02:29:23Z";
    let aws = dropped(SPECIAL_KEY, etag, Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"), sequencer, at);
    assert_eq!(parse(fixture!("eventbridge-created-aws")), Ok(vec![aws]));
    let moto = dropped(SPECIAL_KEY, etag, Some("8ca23935-5104-48fa-b184-05ff31a95172"), sequencer, at);
    assert_eq!(parse(fixture!("eventbridge-created-moto")), Ok(vec![moto]));
}

#[test]
fn s3_notification_keys_are_url_decoded() {
    let expected =
        dropped(SPECIAL_KEY, "043212bb9834e334677e9c9659294bd4", None, None, "2026-11-21T02:29:23.326835Z");
    assert_eq!(parse(fixture!("s3-notification-moto")), Ok(vec![expected]));

    let events = parse(fixture!("s3-notification-sam")).unwrap();
    let [Event::Dropped(drop)] = events.as_slice() else { panic!("one drop") };
    assert_eq!((drop.key.as_str(), drop.size_bytes), ("abt/a b+c é.csv", 1024));
}

#[test]
fn every_record_of_a_notification_is_an_event() {
    let events = parse(fixture!("s3-notification-aws")).unwrap();
    let [first, second, Event::Dropped(third)] = events.as_slice() else { panic!("three events") };
    let expected = dropped(
        SPECIAL_KEY,
        "043212bb9834e334677e9c9659294bd4-3",
        Some("096fKKXTRTtl3on89fVO.nfljtsv6qko"),
        Some("0055AED6DCD90281E5"),
        "2026-11-21T02:29:23Z",
    );
    assert_eq!(*first, expected);
    assert_eq!(*second, Event::Ignored(Ignored::NotCreated("ObjectRemoved:DeleteMarkerCreated".to_owned())));
    assert_eq!(third.key, "buy/2026/buy.csv");
    assert_eq!(
        third.version_id, None,
        "the version id \"null\" is shared by all objects of an unversioned bucket"
    );
}

#[test]
fn an_sns_envelope_is_opened() {
    assert_eq!(parse(fixture!("sns-s3-notification-aws")), parse(fixture!("s3-notification-aws")));
}

#[test]
fn events_that_are_not_drops_are_ignored_with_their_name() {
    for (body, ignored) in [
        (fixture!("s3-test-event"), Ignored::TestEvent),
        (fixture!("eventbridge-deleted-aws"), Ignored::NotCreated("Object Deleted".to_owned())),
        (fixture!("s3-deleted-sam"), Ignored::NotCreated("ObjectRemoved:Delete".to_owned())),
    ] {
        assert_eq!(parse(body), Ok(vec![Event::Ignored(ignored)]));
    }
    assert_eq!(parse(r#"{"Records": []}"#), Ok(vec![]));
}

#[test]
fn the_event_of_a_folder_is_that_of_an_object_which_is_not_a_drop() {
    let events = parse(fixture!("s3-folder-moto")).unwrap();
    let [Event::Dropped(folder)] = events.as_slice() else { panic!("one object") };
    let reason = IgnoredKeys::default().reason(&folder.key, Some(folder.size_bytes));
    assert_eq!((folder.key.as_str(), reason), ("abt/folder/", Some(IgnoredKey::Folder)));
}

#[test]
fn an_event_without_size_or_etag_is_incomplete_and_not_empty() {
    let drop = |etag: Option<&str>, size_bytes| IncompleteDrop {
        bucket: "raw".to_owned(),
        key: "abt/a.csv".to_owned(),
        version_id: Some("v1".to_owned()),
        etag: etag.map(str::to_owned),
        size_bytes,
        sequencer: None,
        dropped_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    for (fields, expected) in [
        (r#""etag": "e1""#, drop(Some("e1"), None)),
        (r#""eTag": "\"e1\"", "size": null"#, drop(Some("e1"), None)),
        (r#""size": 0"#, drop(None, Some(0))),
        (r#""size": 7, "etag": """#, drop(None, Some(7))),
    ] {
        let object = format!(r#"{{"key": "abt/a.csv", "version-id": "v1", {fields}}}"#);
        let bridge = format!(
            r#"{{"source": "aws.s3", "detail-type": "Object Created", "time": "2026-01-01T00:00:00Z",
            "detail": {{"bucket": {{"name": "raw"}}, "object": {object}}}}}"#
        );
        let notification = format!(
            r#"{{"Records": [{{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "eventTime": "2026-01-01T00:00:00Z", "s3": {{"bucket": {{"name": "raw"}}, "object": {object}}}}}]}}"#
        );
        for body in [bridge, notification] {
            assert_eq!(parse(&body), Ok(vec![Event::Incomplete(expected.clone())]), "{body}");
        }
    }

    let completed = drop(Some("e1"), None).complete(Some("v2".to_owned()), "e2".to_owned(), 9);
    let (version_id, etag) = (completed.version_id.as_deref(), completed.etag.as_str());
    assert_eq!((version_id, etag, completed.size_bytes), (Some("v1"), "e1", 9), "the event takes precedence");
}

#[test]
fn the_event_of_a_drop_is_a_subset_of_the_one_that_aws_sends() {
    let sent: serde_json::Value = serde_json::from_str(fixture!("eventbridge-created-aws")).unwrap();
    let events = parse(fixture!("eventbridge-created-aws")).unwrap();
    let [Event::Dropped(drop)] = events.as_slice() else { panic!("one drop") };
    let made: serde_json::Value = serde_json::from_str(&created(drop)).unwrap();
    assert!(is_subset(&made, &sent), "{made:#} of {sent:#}");
    assert!(!is_subset(&sent, &made));
}

fn is_subset(part: &serde_json::Value, whole: &serde_json::Value) -> bool {
    match part.as_object() {
        Some(part) => part.iter().all(|(name, part)| is_subset(part, &whole[name])),
        None => part == whole,
    }
}

#[test]
fn other_bodies_are_errors() {
    assert!(matches!(parse("hello"), Err(EventError::Malformed(_))));
    assert!(matches!(parse(r#"{"Records": [{}]}"#), Err(EventError::Malformed(_))));
    for body in [
        "{}",
        fixture!("emr-job-success-aws"),
        r#"{"Records": [{"eventSource": "aws:sqs", "eventName": "x", "eventTime": "y"}]}"#,
        r#"{"Type": "SubscriptionConfirmation", "Message": "{}"}"#,
    ] {
        assert_eq!(parse(body), Err(EventError::UnknownShape), "{body}");
    }
    let record = |key: &str, time: &str| {
        format!(
            r#"{{"Records": [{{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "{time}",
            "s3": {{"bucket": {{"name": "raw"}}, "object": {{"key": "{key}", "size": 1, "eTag": "e"}}}}}}]}}"#
        )
    };
    assert_eq!(parse(&record("a/%zz", "2026-01-01T00:00:00Z")), Err(EventError::BadKey("a/%zz".to_owned())));
    assert_eq!(parse(&record("a/%ff", "2026-01-01T00:00:00Z")), Err(EventError::BadKey("a/%ff".to_owned())));
    assert_eq!(parse(&record("a/b", "yesterday")), Err(EventError::BadTime("yesterday".to_owned())));
}

#[test]
fn nesting_of_sns_envelopes_is_limited() {
    let mut body = r#"{"Records": []}"#.to_owned();
    for _ in 0..3 {
        body = serde_json::json!({ "Type": "Notification", "Message": body }).to_string();
    }
    assert_eq!(parse(&body), Err(EventError::UnknownShape));
}

#[test]
fn a_job_event_has_the_batch_in_the_jobs_name() {
    let event = JobEvent::parse(fixture!("emr-job-success-aws")).unwrap().unwrap();
    assert_eq!(event.state, JobState::Success);
    assert_eq!(event.state_details, None);
    let (source, batch) = parse_job_name(event.job_run_name.as_deref().unwrap()).unwrap();
    assert_eq!((source, batch.to_string().as_str()), ("abt", "6d6f1f0e-6b0a-5d3c-9e63-3f4c7d1f6a55"));
    assert_eq!(job_name(source, &batch), event.job_run_name.unwrap());

    let failed = JobEvent::parse(fixture!("emr-job-failed-aws")).unwrap().unwrap();
    assert_eq!(failed.state, JobState::Failed);
    assert!(failed.state_details.unwrap().contains("ExitCode: 1"));

    let running = JobEvent::parse(fixture!("emr-job-running-aws")).unwrap().unwrap();
    assert_eq!(running.state, JobState::Underway("RUNNING".to_owned()));
    assert_eq!(JobEvent::parse(fixture!("emr-application-started-aws")), Ok(None));
    assert_eq!(JobEvent::parse(fixture!("s3-test-event")), Err(EventError::UnknownShape));
}

#[test]
fn other_job_names_are_not_penstocks() {
    for name in [
        "",
        "penstock",
        "penstock/abt",
        "penstock/abt/nightly",
        "penstock//6d6f1f0e-6b0a-5d3c-9e63-3f4c7d1f6a55",
    ] {
        assert_eq!(parse_job_name(name), None, "{name}");
    }
}

/// Encodes a key as S3 does; `slash` is whether `/` is left as it is.
fn encode_key(key: &str, slash: bool) -> String {
    key.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'/' if slash => "/".to_owned(),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'*' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn decoding_inverts_encoding(key in "\\PC{0,40}", slash: bool) {
        prop_assert_eq!(decode_key(&encode_key(&key, slash)), Ok(key));
    }

    #[test]
    fn parsing_the_event_of_a_drop_returns_the_drop(
        key in "\\PC{0,20}/?\\PC{0,20}",
        version_id in proptest::option::of("[!-~]{1,32}"),
        etag in "[0-9a-f]{32}(-[0-9]{1,3})?",
        size_bytes: u64,
        is_empty: bool,
        sequencer in proptest::option::of("[0-9A-F]{16}"),
        second in 0i64..4_102_444_800,
        millisecond in 0i32..1000,
    ) {
        let drop = Drop {
            bucket: "raw".to_owned(),
            key,
            // "null" means that the bucket is not versioned.
            version_id: version_id.filter(|id| id != "null"),
            etag,
            size_bytes: if is_empty { 0 } else { size_bytes },
            sequencer,
            dropped_at: Timestamp::new(second, millisecond * 1_000_000).unwrap(),
        };
        prop_assert_eq!(parse(&created(&drop)), Ok(vec![Event::Dropped(drop)]));
    }

    #[test]
    fn the_parser_does_not_panic_on_any_text(body in "\\PC{0,200}") {
        let _ = parse(&body);
        let _ = JobEvent::parse(&body);
        let _ = decode_key(&body);
    }

    #[test]
    fn the_parser_does_not_panic_on_truncated_or_changed_events(
        which in 0usize..6, cut in 0usize..3000, at in 0usize..3000, with in "[\\[\\]{}\",:%+0-9a-z]{0,3}",
    ) {
        let mut body = [
            fixture!("s3-notification-aws"),
            fixture!("s3-notification-moto"),
            fixture!("eventbridge-created-aws"),
            fixture!("sns-s3-notification-aws"),
            fixture!("emr-job-failed-aws"),
            fixture!("s3-test-event"),
        ][which].to_owned();
        if body.is_char_boundary(at.min(body.len())) {
            body.insert_str(at.min(body.len()), &with);
        }
        if body.is_char_boundary(cut.min(body.len())) {
            body.truncate(cut);
        }
        let _ = parse(&body);
        let _ = JobEvent::parse(&body);
    }
}
