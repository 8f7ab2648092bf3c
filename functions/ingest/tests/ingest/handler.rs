//! Messages, commits, retries and dead letters.

use std::time::{Duration, SystemTime};

use penstock_aws::config::Variables;
use penstock_aws::deadline::Deadline;
use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::{Call, Fault, MemorySecrets};
use penstock_ingest::config::IngestConfig;
use penstock_pipeline::{ChunkBody, Drop, LoadMessage, Receipt, ReceiptState, RefusalCode, batch_id, layout};

use crate::support::{CONTRACT, FILE, World, copy_text, notification, rows};

#[tokio::test]
async fn a_small_file_is_in_its_message() {
    let world = World::new();
    let batch = world.process("shop/a file.csv", FILE).await;

    let [message] = &world.messages()[..] else { panic!("one message") };
    assert!(matches!(message.chunk.body, ChunkBody::Inline(_)));
    assert_eq!((message.batch_id, message.chunk_count, message.chunk.rows), (batch, 1, 2));
    assert_eq!(copy_text(message, world.store()), "a\t1.25\t\\N\t1\nb\t2.75\t\\N\t2\n");
    assert_eq!(message.chunk.text_bytes, 24);

    let receipt = world.receipt("shop", &batch);
    assert_eq!(receipt.state, ReceiptState::Read);
    assert_eq!((receipt.rows.read, receipt.rows.accepted, receipt.rows.rejected), (3, 2, 1));
    assert!(world.is_published(&batch));
    assert_eq!(world.store().keys("processed", "data/").len(), 1);
    assert!(world.store().keys("processed", "batches/").iter().all(|key| !key.contains("/chunks/")));
    let [rejects] = &receipt.rejects[..] else { panic!("one reject file") };
    let key = rejects.strip_prefix("s3://quarantine/").unwrap();
    let lines = zstd::decode_all(&*world.store().object("quarantine", key).unwrap()).unwrap();
    assert!(String::from_utf8(lines).unwrap().contains("c,dear"));
}

#[tokio::test]
async fn all_chunks_of_a_batch_with_many_are_objects() {
    let world = World::new();
    let batch = world.process("shop/a.csv", rows(22)).await;
    let messages = world.messages();
    assert_eq!(messages.len(), 6);
    assert!(messages.iter().all(|message| matches!(message.chunk.body, ChunkBody::Object { .. })));
    assert_eq!(world.store().keys("processed", &format!("batches/{batch}/chunks/")).len(), 6);
    let text: String = messages.iter().map(|message| copy_text(message, world.store())).collect();
    assert_eq!(text.lines().count(), 22);
    assert_eq!(text.lines().last(), Some("p21\t21.25\t\\N\t22"));

    let four = World::new();
    four.process("shop/a.csv", rows(16)).await;
    assert!(four.messages().iter().all(|message| matches!(message.chunk.body, ChunkBody::Inline(_))));
}

#[tokio::test]
async fn a_repeated_drop_is_processed_once() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    world.deliver(&[&drop]).await;
    let first = world.store().calls().len();
    assert_eq!(world.deliver(&[&drop, &drop]).await, SqsBatchResponse::default());
    assert_eq!(world.messages().len(), 1);
    let again = world.store().calls().split_off(first);
    let finds_claim = |(call, key): &(Call, String)| *call == Call::PutIfAbsent && key.starts_with("drops/");
    assert!(again.iter().all(|call| call.0 == Call::Get || finds_claim(call)), "{again:?}");
}

#[tokio::test]
async fn every_drop_of_a_message_is_processed() {
    let world = World::new();
    let drops = [world.put("shop/a.csv", FILE), world.put("shop/b.csv", FILE)];
    world.deliver(&drops.each_ref()).await;
    assert_eq!(world.messages().len(), 2);
}

/// Each step of the commit fails once, before or after it has its effect. The next delivery repeats it.
#[tokio::test]
async fn a_crash_at_any_step_of_the_commit_is_repaired_by_the_next_delivery() {
    let steps = [
        (Call::PutIfAbsent, "drops/"),
        (Call::PutIfAbsent, "receipts/"),
        (Call::Put, "reports/"),
        (Call::PutIfAbsent, "manifest.json"),
        (Call::PutIfMatch, "receipts/"),
        (Call::SendAll, "load"),
        (Call::Put, "published.json"),
    ];
    for (call, matching) in steps {
        for fault in [Fault::Transient, Fault::AfterEffect] {
            let world = World::new();
            world.store().fail(call, matching, fault);
            world.queue().fail(call, matching, fault);
            let drop = world.put("shop/a.csv", FILE);
            let batch = batch_id(&drop, Some("1.0.0"));
            assert_eq!(world.deliver(&[&drop]).await.batch_item_failures.len(), 1, "{matching} {fault:?}");
            // The delay of the retry depends on the receive count.
            let delays = world.queue().delays();
            assert_eq!((delays.len(), delays[0].0.as_str()), (1, "h1"));
            assert!((8.0..=10.0).contains(&delays[0].1.as_secs_f64()), "{delays:?}");

            assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default(), "{matching} {fault:?}");
            assert!(world.is_published(&batch));
            // The queue delivers the messages of other sources first when many of this one wait.
            assert!(world.queue().groups().iter().all(|group| group.as_deref() == Some("shop")));
            let mut messages = world.queue().sent("load");
            messages.dedup();
            assert_eq!(messages.len(), 1, "a repeated message is the same: {matching} {fault:?}");
            assert_eq!(world.receipt("shop", &batch).state, ReceiptState::Read);
        }
    }
}

#[tokio::test]
async fn an_existing_manifest_is_published() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let batch = batch_id(&drop, Some("1.0.0"));
    world.deliver(&[&drop]).await;
    let mut other = world.manifest(&batch);
    other.seconds.insert("mark".to_owned(), 1.0);
    world.store().remove("processed", &layout::published(&batch));
    world.store().insert("processed", &layout::manifest(&batch), serde_json::to_vec(&other).unwrap());
    // The manifest does not exist when this delivery begins, but when it commits.
    world.store().fail(Call::Get, "manifest.json", Fault::NotFound);
    world.deliver(&[&drop]).await;
    assert_eq!(world.manifest(&batch), other);
    assert_eq!(world.messages().len(), 2);
    assert_eq!(world.messages()[0], world.messages()[1]);
}

#[tokio::test]
async fn a_final_receipt_is_not_replaced() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let batch = batch_id(&drop, Some("1.0.0"));
    world.deliver(&[&drop]).await;
    let loaded = Receipt { state: ReceiptState::Loaded, ..world.receipt("shop", &batch) };
    let key = layout::receipt("shop", &batch);
    world.store().insert("processed", &key, serde_json::to_vec(&loaded).unwrap());
    world.store().remove("processed", &layout::published(&batch));
    world.deliver(&[&drop]).await;
    assert_eq!(world.receipt("shop", &batch), loaded);
}

#[tokio::test]
async fn a_drop_stays_bound_to_the_contract_under_which_it_was_first_processed() {
    let contract = CONTRACT.replace("version: 1.0.0", "version: 1.1.0").replace("price", "cost");
    // Delivered again after it was published, before its messages were sent, and before its manifest was written.
    for (call, matching) in [(None, ""), (Some(Call::SendAll), "load"), (Some(Call::PutIfAbsent), "manifest")]
    {
        let world = World::new();
        if let Some(call) = call {
            world.store().fail(call, matching, Fault::Transient);
            world.queue().fail(call, matching, Fault::Transient);
        }
        let drop = world.put("shop/a.csv", FILE);
        world.deliver(&[&drop]).await;
        world.publish("1.1.0", &contract);
        assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
        let versions: Vec<_> = world.messages().into_iter().map(|message| message.contract_version).collect();
        assert_eq!(versions, ["1.0.0"], "{matching}");
        assert_eq!(world.store().keys("processed", "receipts/").len(), 1, "{matching}");
        // Another drop is processed under the new version.
        let other = world.put("shop/b.csv", FILE.replace("price", "cost"));
        world.deliver(&[&other]).await;
        assert_eq!(world.messages()[1].contract_version, "1.1.0");
    }
}

#[tokio::test]
async fn the_contract_of_a_claim_must_have_its_original_text() {
    for (text, expected) in
        [(None, "does not exist"), (Some(CONTRACT.replace("numeric(12,2)", "numeric(12,3)")), "differs")]
    {
        let world = World::new();
        world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
        let drop = world.put("shop/a.csv", FILE);
        world.deliver(&[&drop]).await;
        world.publish("1.1.0", &CONTRACT.replace("version: 1.0.0", "version: 1.1.0"));
        let key = layout::contract_version("shop", "1.0.0");
        match text {
            Some(text) => {
                world.store().insert("artifacts", &key, text);
            }
            None => world.store().remove("artifacts", &key),
        }
        assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
        let [dead] = &world.queue().dead()[..] else { panic!("one dead letter") };
        assert_eq!(dead.code, "contract_unusable");
        assert!(dead.message.contains(expected), "{}", dead.message);
    }
}

#[tokio::test]
async fn a_drop_that_had_no_contract_at_first_stays_refused_until_it_is_replayed() {
    let world = World::new();
    world.store().remove("artifacts", &layout::current_contract("shop"));
    world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
    let drop = world.put("shop/a.csv", FILE);
    world.deliver(&[&drop]).await;
    world.publish("1.0.0", CONTRACT);
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    let receipt = world.receipt("shop", &batch_id(&drop, None));
    assert_eq!(receipt.refusal.unwrap().code, RefusalCode::NoContract);
    assert_eq!(world.messages(), []);

    let replay = world.replay(&drop, CONTRACT, "1.0.0");
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    assert_eq!(world.receipt("shop", &replay).state, ReceiptState::Read);
}

#[tokio::test]
async fn a_replay_is_a_batch_that_replaces_those_of_earlier_generations() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    world.deliver(&[&drop]).await;
    let first = batch_id(&drop, Some("1.0.0"));
    let replay = world.replay(&drop, CONTRACT, "1.0.0");
    assert_ne!(replay, first);
    for _ in 0..2 {
        assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
        let [_, message] = &world.messages()[..] else { panic!("one message of each batch") };
        assert_eq!((message.batch_id, message.message_version), (replay, LoadMessage::REPLAYING));
        let manifest = world.manifest(&replay);
        assert_eq!((manifest.generation, manifest.replays.as_slice()), (1, &[first][..]));
        let receipt = world.receipt("shop", &replay);
        assert_eq!((receipt.generation, receipt.replays.as_slice()), (1, &[first][..]));
    }
}

#[tokio::test]
async fn an_event_without_a_sequencer_is_ordered_after_the_older_version() {
    let world = World::new();
    let (first, second) = (world.put("shop/a.csv", FILE), world.put("shop/a.csv", FILE));
    let third = world.put("shop/a.csv", FILE);
    let without = |drop: &Drop| Drop { sequencer: None, ..drop.clone() };
    for drop in [&third, &first, &without(&second)] {
        world.deliver(&[drop]).await;
    }
    let sequencer = |drop| world.drop_claim(drop, 0).drop.sequencer.unwrap();
    let [first, second, third] = [&first, &second, &third].map(sequencer);
    assert!(first < second && second < third, "{first} {second} {third}");
    // The oldest version has no neighbour, and sorts first.
    let (lost, next) = (world.put("shop/b.csv", FILE), world.put("shop/b.csv", FILE));
    for drop in [&without(&lost), &next] {
        world.deliver(&[drop]).await;
    }
    assert!(world.drop_claim(&lost, 0).drop.sequencer.unwrap() < next.sequencer.unwrap());
}

/// During a deploy, functions with two configurations and of two releases receive the same drop.
#[tokio::test]
async fn two_configurations_do_not_overwrite_each_others_objects() {
    // The first function stops before its manifest, the second one has smaller chunks, and the first one goes on.
    let world = World::new();
    let other = world.deployed_with(("PENSTOCK_CHUNK_ROWS", "3"));
    let drop = world.put("shop/a.csv", rows(22));
    world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
    world.deliver(&[&drop]).await;
    assert_eq!(other.deliver(&[&drop]).await, SqsBatchResponse::default());
    world.deliver(&[&drop]).await;
    let messages = world.messages();
    assert_eq!(messages.len(), 6, "the claim has the size of the chunks");
    let text: String = messages.iter().map(|message| copy_text(message, world.store())).collect();
    assert_eq!(text.lines().count(), 22);
}

#[tokio::test]
async fn a_transient_fault_of_the_store_is_retried() {
    for (call, matching) in [
        (Call::Get, "current.yaml"),
        (Call::GetRange, "shop/"),
        (Call::Put, ".parquet"),
        (Call::Put, "rejects-"),
    ] {
        let world = World::new();
        let drop = world.put("shop/a.csv", FILE);
        world.store().fail(call, matching, Fault::Transient);
        assert_eq!(world.deliver(&[&drop]).await.batch_item_failures.len(), 1, "{matching}");
        assert_eq!(world.queue().delays().len(), 1, "{matching}");
        assert!(
            world.store().keys("processed", "batches/").iter().all(|key| !key.contains("manifest")),
            "{matching}"
        );
        assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default(), "{matching}");
        assert_eq!(world.messages().len(), 1, "{matching}");
    }
}

#[tokio::test]
async fn a_permanent_fault_of_the_store_is_a_dead_letter() {
    let world = World::new();
    world.store().fail(Call::GetRange, "shop/", Fault::Refused);
    let drop = world.put("shop/a.csv", FILE);
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    let [dead] = &world.queue().dead()[..] else { panic!("one dead letter") };
    assert_eq!((dead.url.as_str(), dead.code.as_str()), ("drops-dead-letters", "store_refused"));
    assert_eq!(dead.body, notification(&[&drop]));
}

#[tokio::test]
async fn a_malformed_message_is_a_dead_letter_and_a_test_event_is_ignored() {
    let world = World::new();
    assert_eq!(world.deliver_body("{not json").await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead()[0].code, "invalid_event");
    let test_event = include_str!("../../../../tests/events/s3-test-event.json");
    assert_eq!(world.deliver_body(test_event).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead().len(), 1);
}

/// Some notifications and test tools omit the size or the ETag.
#[tokio::test]
async fn what_an_event_lacks_is_looked_up() {
    for missing in [&["size"][..], &["eTag"], &["size", "eTag"], &["size", "eTag", "versionId"]] {
        let world = World::new();
        let drop = world.put("shop/a.csv", FILE);
        let body = without(&notification(&[&drop]), missing);
        assert_eq!(world.deliver_body(&body).await, SqsBatchResponse::default(), "{missing:?}");
        let receipt = world.receipt("shop", &batch_id(&drop, Some("1.0.0")));
        assert_eq!((receipt.state, receipt.rows.read), (ReceiptState::Read, 3), "{missing:?}");
        assert_eq!(receipt.drop, drop, "{missing:?}");
    }
}

#[tokio::test]
async fn an_event_without_a_size_is_retried_or_ignored_if_the_object_cannot_be_looked_up() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let body = without(&notification(&[&drop]), &["size"]);
    world.store().fail(Call::Head, "shop/a.csv", Fault::Transient);
    assert_eq!(world.deliver_body(&body).await.batch_item_failures.len(), 1);
    assert_eq!(world.queue().delays().len(), 1);

    world.store().fail(Call::Head, "shop/a.csv", Fault::Refused);
    assert_eq!(world.deliver_body(&body).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead()[0].code, "store_refused");

    world.store().remove("raw", "shop/a.csv");
    assert_eq!(world.deliver_body(&body).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead().len(), 1);
    assert!(world.store().keys("processed", "").is_empty());
}

/// Returns a notification without these fields of its object.
fn without(notification: &str, fields: &[&str]) -> String {
    let mut body: serde_json::Value = serde_json::from_str(notification).unwrap();
    let object = body["Records"][0]["s3"]["object"].as_object_mut().unwrap();
    fields.iter().for_each(|field| drop(object.remove(*field).unwrap()));
    body.to_string()
}

#[tokio::test]
async fn markers_hidden_files_and_ignored_keys_are_not_drops() {
    let world = World::with(CONTRACT, MemorySecrets::default(), &[("PENSTOCK_IGNORE_KEYS", "*.md5")]);
    for key in [
        "shop/_SUCCESS",
        "shop/a_$folder$",
        "shop/.a.csv",
        ".a.csv",
        "shop/_temporary/0/a.csv",
        "shop/_committed_1",
        "shop/a.csv.md5",
    ] {
        let drop = world.put(key, FILE);
        let complete = notification(&[&drop]);
        for body in [without(&complete, &["size"]), complete] {
            assert_eq!(world.deliver_body(&body).await, SqsBatchResponse::default(), "{key}");
        }
    }
    let folder = world.put("shop/2026/", "");
    let complete = notification(&[&folder]);
    for body in [without(&complete, &["size"]), complete] {
        assert_eq!(world.deliver_body(&body).await, SqsBatchResponse::default());
    }
    assert_eq!(world.queue().dead(), []);
    assert!(world.store().keys("processed", "").is_empty(), "there is no receipt");
    let calls = world.store().calls();
    assert!(calls.iter().all(|(call, key)| (*call, key.as_str()) == (Call::Head, "shop/2026/")), "{calls:?}");
}

#[tokio::test]
async fn a_drop_that_fails_does_not_delay_the_others_of_its_message() {
    let world = World::new();
    let drops = [world.put("shop/a.csv", FILE), world.put("shop/b.csv", FILE)];
    world.store().fail(Call::GetRange, "shop/a.csv", Fault::Transient);
    assert_eq!(world.deliver(&drops.each_ref()).await.batch_item_failures.len(), 1);
    assert_eq!(world.messages().len(), 1);
    assert_eq!(world.deliver(&drops.each_ref()).await, SqsBatchResponse::default());
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test]
async fn no_drop_is_begun_near_the_deadline() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let soon = Deadline::of_invocation(SystemTime::now() + Duration::from_secs(1));
    let response = world.deliver_until(&notification(&[&drop]), soon).await;
    assert_eq!(response.batch_item_failures.len(), 1);
    assert!(world.store().keys("processed", "").is_empty());
}

#[test]
fn missing_and_unknown_variables_are_reported() {
    let error =
        IngestConfig::new(Variables::new([("PENSTOCK_ROWS".to_owned(), "1".to_owned())])).unwrap_err();
    assert_eq!(error.problems.len(), 12, "eleven are missing and one is unknown: {error}");
}
