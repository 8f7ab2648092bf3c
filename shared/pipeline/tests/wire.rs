//! The formats that other processes read: ids, keys, messages, receipts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use base64::Engine as _;
use penstock_contract::TableName;
use penstock_engine::{ReadError, UnreadableCode};
use penstock_pipeline::{
    Batch, BatchId, Chunk, ChunkBody, Drop, LoadMessage, MAX_INLINE_BYTES, Manifest, ManifestState,
    MessageError, Outcome, Receipt, ReceiptState, Refusal, RefusalCode, RowCounts, SQS_BATCH_MAX_BYTES,
    SQS_BATCH_MAX_ENTRIES, UNKNOWN_SOURCE, batch_id, jittered, layout, sqs_batches,
};
use proptest::prelude::*;

fn drop() -> Drop {
    Drop {
        bucket: "raw".to_owned(),
        key: "abt/2026/abt.csv".to_owned(),
        version_id: Some("v1".to_owned()),
        etag: "9a0364b9e99bb480dd25e1f0284c8555".to_owned(),
        size_bytes: 1234,
        sequencer: Some("0055AED6DCD90281E5".to_owned()),
        dropped_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
    }
}

/// Ids are in object keys, in the ledger and in every loaded row, so they must never change.
#[test]
fn batch_ids_never_change() {
    assert_eq!(batch_id(&drop(), Some("1.0.0")).to_string(), "b682f0ba-8dde-5aea-8d47-e7c3a87d9f0c");
    assert_eq!(
        batch_id(&Drop { version_id: None, ..drop() }, None).to_string(),
        "232ee0e6-7f1f-5284-ab3b-5b47c3a67746"
    );
}

#[test]
fn a_batch_id_depends_on_the_object_version_and_the_contract_version_only() {
    let id = batch_id(&drop(), Some("1.0.0"));
    let other_time = "2027-01-01T00:00:00Z".parse().unwrap();
    let repeated = Drop { sequencer: None, dropped_at: other_time, size_bytes: 0, ..drop() };
    assert_eq!(batch_id(&repeated, Some("1.0.0")), id);

    let others = [
        batch_id(&Drop { bucket: "raw2".to_owned(), ..drop() }, Some("1.0.0")),
        batch_id(&Drop { key: "abt/2026/abt.cs".to_owned(), ..drop() }, Some("1.0.0")),
        batch_id(&Drop { version_id: Some("v2".to_owned()), ..drop() }, Some("1.0.0")),
        batch_id(&Drop { version_id: None, ..drop() }, Some("1.0.0")),
        batch_id(&drop(), Some("1.0.1")),
        batch_id(&drop(), None),
    ];
    assert!(others.iter().all(|other| *other != id));
}

#[test]
fn the_source_is_the_first_segment_of_the_key() {
    let source = |key: &str| Drop { key: key.to_owned(), ..drop() }.source().map(str::to_owned);
    assert_eq!(source("abt/abt.csv").as_deref(), Some("abt"));
    assert_eq!(source("abt/2026/01/abt.csv").as_deref(), Some("abt"));
    for key in ["abt.csv", "/abt.csv", "abt/", ""] {
        assert_eq!(source(key), None, "{key}");
    }
    assert_eq!(Batch::new(Drop { key: "abt.csv".to_owned(), ..drop() }, None).source, UNKNOWN_SOURCE);
}

#[test]
fn keys_are_those_of_the_table_in_the_documentation() {
    let batch = BatchId::from_u128(7);
    let id = "00000000-0000-0000-0000-000000000007";
    let sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (key, expected) in [
        (layout::current_contract("abt"), "contracts/abt/current.yaml".to_owned()),
        (layout::contract_version("abt", "1.0.0"), "contracts/abt/1.0.0.yaml".to_owned()),
        (
            layout::chunk(&batch, 1, 23, sha256),
            format!("batches/{id}/chunks/00001-00023-0123456789abcdef.copy.zst"),
        ),
        (layout::report(&batch, 1), format!("batches/{id}/reports/00001.json")),
        (layout::batch_contract(&batch), format!("batches/{id}/contract.yaml")),
        (layout::manifest(&batch), format!("batches/{id}/manifest.json")),
        (layout::published(&batch), format!("batches/{id}/published.json")),
        (
            layout::parquet("products", "abt", &batch, 0, 2, sha256),
            format!("data/products/source=abt/batch={id}/00000-00002-0123456789abcdef.parquet"),
        ),
        (layout::receipt("abt", &batch), format!("receipts/abt/{id}.json")),
        (layout::drop_claim("abt", &batch, 2), format!("drops/abt/{id}/00002.json")),
        (layout::object_claim("abt", &batch, 1), format!("objects/abt/{id}/00001.json")),
        (
            layout::rejects("abt", &batch, 0, 0, sha256),
            format!("abt/{id}/rejects-00000-00000-0123456789abcdef.ndjson.zst"),
        ),
    ] {
        assert_eq!(key, expected);
    }
}

fn chunk(index: u32, body: ChunkBody) -> Chunk {
    Chunk { index, rows: 3, deduplicated: None, row_base: 0, sha256: "ab".repeat(32), text_bytes: 90, body }
}

fn manifest(chunks: Vec<Chunk>) -> Manifest {
    let refusal = Refusal::new(RefusalCode::Kept, "");
    let mut manifest = Manifest::refused(Batch::new(drop(), Some("1.0.0")), "0.1.0", refusal);
    manifest.state = ManifestState::Committed { table: table() };
    manifest.chunks = chunks;
    manifest
}

fn table() -> TableName {
    TableName { schema: "public".to_owned(), table: "products".to_owned() }
}

#[test]
fn a_refusal_has_the_kind_of_fault_and_older_receipts_are_read_without_it() {
    let unreadable = |code| ReadError::Unreadable { code, byte_offset: 7, message: "it broke".to_owned() };
    let refusal = Refusal::of_file(&unreadable(UnreadableCode::CorruptFile));
    let json = r#"{"code":"unreadable","reason":"corrupt_file","message":"it broke (at byte 7)"}"#;
    assert_eq!(serde_json::to_string(&refusal).unwrap(), json);
    assert_eq!(serde_json::from_str::<Refusal>(json).unwrap(), refusal);

    let too_large = Refusal::of_file(&ReadError::TooLarge { max_bytes: 9 });
    assert_eq!((too_large.code, too_large.reason.as_deref()), (RefusalCode::Unreadable, Some("too_large")));
    let empty = Refusal::of_file(&ReadError::Empty);
    assert_eq!(serde_json::to_string(&empty).unwrap(), r#"{"code":"empty","message":"the file is empty"}"#);

    let old: Refusal = serde_json::from_str(r#"{"code":"unreadable","message":"it broke"}"#).unwrap();
    assert_eq!((old.code, old.reason), (RefusalCode::Unreadable, None));
}

#[test]
fn refusal_codes_are_stable_strings_and_unknown_ones_are_kept() {
    let codes = RefusalCode::ALL.map(|code| code.to_string());
    let expected = [
        "no_source",
        "no_contract",
        "invalid_contract",
        "missing_object",
        "archived",
        "overwritten",
        "kept",
        "empty",
        "unreadable",
        "too_many_rejects",
        "quality",
        "job_failed",
        "load_failed",
    ];
    assert_eq!(codes, expected);
    for code in RefusalCode::ALL {
        let json = serde_json::to_string(&code).unwrap();
        assert_eq!(json, format!("\"{code}\""));
        assert_eq!(serde_json::from_str::<RefusalCode>(&json).unwrap(), code);
    }
    let later: RefusalCode = serde_json::from_str("\"of_a_later_release\"").unwrap();
    assert_eq!(later, RefusalCode::Unknown("of_a_later_release".to_owned()));
    assert_eq!(serde_json::to_string(&later).unwrap(), "\"of_a_later_release\"");
}

#[test]
fn a_chunk_with_more_duplicates_than_rows_is_not_a_load_message() {
    let chunk = Chunk { deduplicated: Some(4), ..chunk(0, ChunkBody::Inline("KLUv/Q==".to_owned())) };
    let [message] = LoadMessage::of(&manifest(vec![chunk])).try_into().unwrap();
    let body = serde_json::to_string(&message).unwrap();
    let error = LoadMessage::parse(&body, &LoadMessage::READS).unwrap_err();
    assert_eq!(error.to_string(), "not a load message: the chunk has more duplicates than rows");
}

#[test]
fn each_chunk_has_its_message() {
    let object = ChunkBody::Object { bucket: "processed".to_owned(), key: "batches/x".to_owned() };
    let manifest = manifest(vec![chunk(0, ChunkBody::Inline("KLUv/Q==".to_owned())), chunk(1, object)]);
    let messages = LoadMessage::of(&manifest);
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| message.chunk_count == 2 && message.batch_id == manifest.batch_id));
    assert!(messages.iter().all(|message| message.table == table()));
    for message in messages {
        let body = serde_json::to_string(&message).unwrap();
        assert_eq!(LoadMessage::parse(&body, &LoadMessage::READS).unwrap(), message);
    }
}

/// For a writer that does not count blank rows, such a batch would not balance.
#[test]
fn a_batch_with_blank_rows_is_only_read_by_a_writer_that_counts_them() {
    let mut manifest = manifest(vec![chunk(0, ChunkBody::Inline("KLUv/Q==".to_owned()))]);
    for (blank, replaces, version) in [(0, false, 2), (0, true, 3), (1, false, 4), (7, true, 4)] {
        manifest.totals.blank = blank;
        manifest.replaces = replaces;
        let [message] = LoadMessage::of(&manifest).try_into().unwrap();
        assert_eq!(message.message_version, version);
        assert_eq!(message.overwrites.is_some(), replaces);
        let body = serde_json::to_string(&message).unwrap();
        let older = LoadMessage::parse(&body, &(1..=3));
        assert_eq!(older.is_err_and(|error| error.is_newer()), blank > 0);
        assert_eq!(LoadMessage::parse(&body, &LoadMessage::READS).unwrap(), message);
    }
}

#[test]
fn a_newer_message_is_distinguished_from_a_malformed_one() {
    for (version, is_newer) in [(0, false), (6, true), (u64::MAX, true)] {
        let body = format!(r#"{{"message_version": {version}, "anything": 1}}"#);
        let error = LoadMessage::parse(&body, &LoadMessage::READS).unwrap_err();
        assert!(matches!(&error, MessageError::Version { found, .. } if *found == version), "{error}");
        assert_eq!(error.is_newer(), is_newer, "{error}");
    }
    for body in ["", "[]", "{}", r#"{"message_version": 1}"#] {
        let error = LoadMessage::parse(body, &LoadMessage::READS).unwrap_err();
        assert!(matches!(error, MessageError::Malformed(_)) && !error.is_newer(), "{body}");
    }
    // This release reads what it writes, and what the release before it wrote.
    assert_eq!(LoadMessage::READS, LoadMessage::VERSION - 1..=LoadMessage::REPLAYING);
}

/// Receipts of older releases have neither count.
#[test]
fn a_receipt_without_blank_rows_is_read() {
    let counts = r#"{"read":3,"accepted":2,"rejected":1,"loaded":2,"deduplicated":0,"superseded":0}"#;
    let counts: RowCounts = serde_json::from_str(counts).unwrap();
    assert!(counts.balance() && counts.blank == 0 && counts.repeated_headers == 0);
}

/// During a deploy, functions of both releases read each other's manifests.
#[test]
fn a_manifest_of_a_later_release_is_read_without_its_new_fields() {
    let manifest = manifest(vec![chunk(0, ChunkBody::Inline("KLUv/Q==".to_owned()))]);
    let mut json = serde_json::to_value(&manifest).unwrap();
    for pointer in ["", "/drop", "/chunks/0"] {
        let object = json.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        object.insert("of_a_later_release".to_owned(), true.into());
    }
    assert_eq!(serde_json::from_value::<Manifest>(json).unwrap(), manifest);
}

#[test]
fn the_largest_inline_chunk_fits_into_a_message() {
    let bytes = vec![0u8; MAX_INLINE_BYTES];
    let body = ChunkBody::Inline(base64::engine::general_purpose::STANDARD.encode(bytes));
    let message = LoadMessage::of(&manifest(vec![chunk(0, body)])).remove(0);
    // SQS_BATCH_MAX_BYTES also limits one message, and four of them must fit into one call, with room for attributes.
    assert!(serde_json::to_string(&message).unwrap().len() < SQS_BATCH_MAX_BYTES / 4);
}

proptest! {
    #[test]
    fn sqs_batches_keep_order_and_both_limits(
        sizes in prop::collection::vec(prop_oneof![1usize..2000, 100_000usize..400_000, Just(SQS_BATCH_MAX_BYTES)], 0..40),
    ) {
        let bodies: Vec<String> = sizes.iter().map(|size| "x".repeat(*size)).collect();
        let batches = sqs_batches(bodies.clone());
        for batch in &batches {
            prop_assert!(!batch.is_empty() && batch.len() <= SQS_BATCH_MAX_ENTRIES);
            prop_assert!(batch.iter().map(String::len).sum::<usize>() <= SQS_BATCH_MAX_BYTES);
        }
        prop_assert_eq!(batches.concat(), bodies);
    }
}

#[test]
fn retries_wait_longer_each_time_up_to_a_quarter_of_an_hour() {
    let seconds = |count| match Outcome::retry_after(count) {
        Outcome::Retry(delay) => delay.as_secs(),
        Outcome::Done | Outcome::Dead(_) => panic!("a retry"),
    };
    assert_eq!([0, 1, 2, 3, 4].map(seconds), [2, 2, 4, 8, 16]);
    assert_eq!(seconds(10), 900);
    assert_eq!(seconds(u32::MAX), Duration::from_secs(900).as_secs());
}

#[test]
fn a_jittered_delay_is_up_to_a_quarter_longer_and_at_most_a_quarter_of_an_hour() {
    let second = Duration::from_secs(1);
    assert_eq!(jittered(second * 8, 0), second * 8);
    assert_eq!(jittered(second * 8, 1_023), second * 10);
    assert_eq!(jittered(second * 900, 1_023), second * 900);
    // A delay that is longer because of its cause is not shortened.
    assert_eq!(jittered(second * 5_000, 1_023), second * 5_000);
    let delays: std::collections::BTreeSet<Duration> =
        (0..u64::from(u16::MAX)).map(|entropy| jittered(second * 8, entropy)).collect();
    assert!(delays.len() > 1_000 && delays.iter().all(|delay| (second * 8..=second * 10).contains(delay)));
}

#[test]
fn the_accounting_invariant_is_exact() {
    let balanced = RowCounts {
        read: 14,
        accepted: 8,
        rejected: 2,
        loaded: 5,
        deduplicated: 2,
        superseded: 1,
        blank: 4,
        repeated_headers: 3,
    };
    assert!(balanced.balance());
    assert!(!RowCounts { loaded: 6, ..balanced }.balance());
    assert!(!RowCounts { read: 15, ..balanced }.balance());
    assert!(!RowCounts { blank: 0, ..balanced }.balance());
    assert!(!RowCounts { loaded: u64::MAX, ..balanced }.balance(), "an overflow does not balance");
}

/// Producers parse receipts: fields are added, never renamed or removed.
#[test]
fn the_json_of_a_receipt_is_stable() {
    let golden = include_str!("../../../tests/golden/receipt.json");
    let receipt: Receipt = serde_json::from_str(golden).unwrap();
    assert_eq!(receipt.state, ReceiptState::Loaded);
    assert!(receipt.rows.balance());
    assert_eq!(serde_json::to_string_pretty(&receipt).unwrap(), golden.trim_end());
}
