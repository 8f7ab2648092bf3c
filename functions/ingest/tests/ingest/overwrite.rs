//! Later versions of an object, with each value of `penstock.overwrite`.

use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::{Call, Fault};
use penstock_pipeline::{
    BatchId, Drop, LoadMessage, ManifestState, Overwritten, Receipt, ReceiptState, RefusalCode, batch_id,
    layout,
};

use crate::support::{CONTRACT, FILE, World, copy_text};

const KEY: &str = "shop/a.csv";
/// A file in which more than half of the rows are rejects.
const BAD: &str = "id,price\na,x\nb,x\nc,1\n";

fn contract(overwrite: &str, version: &str) -> String {
    let custom = format!("customProperties:\n  - {{property: penstock.overwrite, value: {overwrite}}}");
    CONTRACT
        .replace("customProperties:", &custom)
        .replace("\nversion: 1.0.0", &format!("\nversion: {version}"))
}

fn world(overwrite: &str) -> World {
    let world = World::new();
    publish(&world, &contract(overwrite, "1.0.0"));
    world
}

fn publish(world: &World, contract: &str) {
    let version = if contract.contains("version: 1.1.0") { "1.1.0" } else { "1.0.0" };
    world.publish(version, contract);
}

/// Returns the state of a receipt and the code of its refusal.
fn decision(receipt: &Receipt) -> (ReceiptState, Option<RefusalCode>) {
    (receipt.state, receipt.refusal.as_ref().map(|refusal| refusal.code.clone()))
}

async fn process(world: &World, drop: &Drop) -> BatchId {
    assert_eq!(world.deliver(&[drop]).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead(), []);
    batch_id(drop, Some("1.0.0"))
}

const KEPT: (ReceiptState, Option<RefusalCode>) = (ReceiptState::Refused, Some(RefusalCode::Kept));

#[tokio::test]
async fn keep_refuses_a_second_version_without_reading_it() {
    let world = world("keep");
    let (first, second) = (world.put(KEY, FILE), world.put(KEY, "id,price\nz,1\n"));
    let (first, second) = (process(&world, &first).await, process(&world, &second).await);
    assert_eq!(world.receipt("shop", &first).state, ReceiptState::Read);
    let receipt = world.receipt("shop", &second);
    assert_eq!(decision(&receipt), KEPT);
    assert_eq!(receipt.rows.read, 0);
    let message = receipt.refusal.unwrap().message;
    assert!(message.contains(&first.to_string()) && message.contains("s3://raw/shop/a.csv"), "{message}");
    // Another key is another object.
    let other = process(&world, &world.put("shop/b.csv", FILE)).await;
    assert_eq!(world.receipt("shop", &other).state, ReceiptState::Read);
}

#[tokio::test]
async fn keep_does_not_refuse_a_repeated_first_version() {
    let world = world("keep");
    let first = world.put(KEY, FILE);
    // The first delivery fails after the claim.
    world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
    assert_eq!(world.deliver(&[&first]).await.batch_item_failures.len(), 1);
    let second = world.put(KEY, FILE);
    assert_eq!(
        world.deliver(&[&second]).await.batch_item_failures.len(),
        1,
        "the second version waits for the first"
    );
    let waits_for = world.receipt("shop", &batch_id(&second, Some("1.0.0"))).waits_for.unwrap();
    assert_eq!(waits_for.batch_id, batch_id(&first, Some("1.0.0")));
    assert!(waits_for.message.contains("dead-letter queue"), "{}", waits_for.message);

    let first = process(&world, &first).await;
    assert_eq!(world.receipt("shop", &first).state, ReceiptState::Read);
    assert_eq!(decision(&world.receipt("shop", &process(&world, &second).await)), KEPT);
    assert_eq!(world.store().keys("processed", "objects/").len(), 1, "one claim");
}

#[tokio::test]
async fn keep_loads_a_corrected_file_with_the_key_of_the_refused_one() {
    let world = world("keep");
    let (bad, corrected, third) = (world.put(KEY, BAD), world.put(KEY, FILE), world.put(KEY, FILE));
    let bad_batch = process(&world, &bad).await;
    assert_eq!(
        decision(&world.receipt("shop", &bad_batch)),
        (ReceiptState::Refused, Some(RefusalCode::TooManyRejects))
    );
    let corrected = process(&world, &corrected).await;
    assert_eq!(world.receipt("shop", &corrected).state, ReceiptState::Read);
    assert_eq!(decision(&world.receipt("shop", &process(&world, &third).await)), KEPT);

    // The first version would be accepted under a more lenient contract, but another version is loaded.
    let lenient = contract("keep", "1.1.0").replace("value: 50", "value: 100");
    publish(&world, &lenient);
    let replay = world.replay(&bad, &lenient, "1.1.0");
    world.deliver(&[&bad]).await;
    assert_eq!(decision(&world.receipt("shop", &replay)), KEPT);
}

#[tokio::test]
async fn keep_loads_a_corrected_file_after_a_failed_load_and_replaces_its_rows() {
    for state in [ReceiptState::Failed, ReceiptState::PartlyLoaded] {
        let world = world("keep");
        let (first, second, third) = (world.put(KEY, FILE), world.put(KEY, FILE), world.put(KEY, FILE));
        let first = process(&world, &first).await;
        // A chunk of the first version was moved to the dead-letter queue.
        let receipt = Receipt { state, ..world.receipt("shop", &first) };
        let key = layout::receipt("shop", &first);
        world.store().insert("processed", &key, serde_json::to_vec(&receipt).unwrap());
        let second = process(&world, &second).await;
        assert_eq!(world.receipt("shop", &second).state, ReceiptState::Read, "{state:?}");
        assert_eq!(world.manifest(&second).replays, [first]);
        assert_eq!(decision(&world.receipt("shop", &process(&world, &third).await)), KEPT);
    }
}

#[tokio::test]
async fn keep_waits_for_the_first_version_after_a_contract_was_published() {
    let world = world("keep");
    let first = world.put(KEY, FILE);
    world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
    world.deliver(&[&first]).await;
    publish(&world, &contract("keep", "1.1.0"));
    let second = world.put(KEY, FILE);
    assert_eq!(world.deliver(&[&second]).await.batch_item_failures.len(), 1);
    process(&world, &first).await;
    assert_eq!(world.deliver(&[&second]).await, SqsBatchResponse::default());
    assert_eq!(decision(&world.receipt("shop", &batch_id(&second, Some("1.1.0")))), KEPT);
}

#[tokio::test]
async fn keep_loads_one_of_two_concurrent_versions() {
    let world = world("keep");
    let (one, other) = (world.put(KEY, FILE), world.put(KEY, FILE));
    let (drops_one, drops_other) = ([&one], [&other]);
    tokio::join!(world.deliver(&drops_one), world.deliver(&drops_other));
    // The version that had to wait is redelivered.
    let batches = [process(&world, &one).await, process(&world, &other).await];
    let mut states = batches.map(|batch| world.receipt("shop", &batch).state);
    states.sort_by_key(|state| *state == ReceiptState::Refused);
    assert_eq!(states, [ReceiptState::Read, ReceiptState::Refused]);
}

#[tokio::test]
async fn keep_loads_the_next_version_after_a_failed_job() {
    let world = world("keep");
    let large = Drop { size_bytes: 1_000_000, ..world.put(KEY, FILE) };
    let batch = process(&world, &large).await;
    let second = world.put(KEY, FILE);
    assert_eq!(world.deliver(&[&second]).await.batch_item_failures.len(), 1, "the job may succeed");

    let mut receipt = world.receipt("shop", &batch);
    receipt.state = ReceiptState::Failed;
    let key = layout::receipt("shop", &batch);
    world.store().insert("processed", &key, serde_json::to_vec(&receipt).unwrap());
    let second = process(&world, &second).await;
    assert_eq!(world.receipt("shop", &second).state, ReceiptState::Read);
}

#[tokio::test]
async fn messages_of_a_version_that_replaces_others_have_the_object() {
    let world = world("replace");
    let drop = Drop { sequencer: Some("0055AE".to_owned()), ..world.put(KEY, FILE) };
    process(&world, &drop).await;
    let [message] = &world.messages()[..] else { panic!("one chunk") };
    assert_eq!(message.message_version, LoadMessage::OVERWRITING);
    let sequencer = Some("0055AE".to_owned());
    let expected = Overwritten { bucket: "raw".to_owned(), key: KEY.to_owned(), sequencer };
    assert_eq!(message.overwrites, Some(expected));
}

#[tokio::test]
async fn a_version_without_rows_that_replaces_others_has_a_message() {
    for (overwrite, chunks) in [("replace", 1), ("add", 0)] {
        let world = world(overwrite);
        let batch = process(&world, &world.put(KEY, "id,price\n")).await;
        let messages = world.messages();
        assert_eq!(messages.len(), chunks, "{overwrite}");
        assert!(matches!(world.manifest(&batch).state, ManifestState::Committed { .. }));
        for message in messages {
            assert_eq!((message.chunk.rows, message.chunk.text_bytes), (0, 0));
            assert_eq!(copy_text(&message, world.store()), "");
        }
    }
}

#[tokio::test]
async fn an_accepted_empty_file_replaces_earlier_versions() {
    let accepting = |overwrite: &str| {
        let custom = "format: csv, customProperties: [{property: penstock.emptyFile, value: accept}]";
        contract(overwrite, "1.0.0").replace("format: csv", custom)
    };
    for (overwrite, chunks) in [("replace", 1), ("add", 0)] {
        let world = World::new();
        publish(&world, &accepting(overwrite));
        for file in ["", "id,price\n", "id,price\n,\n"] {
            let batch = process(&world, &world.put(KEY, file)).await;
            assert!(matches!(world.manifest(&batch).state, ManifestState::Committed { .. }), "{file:?}");
            let messages: Vec<LoadMessage> =
                world.messages().into_iter().filter(|message| message.batch_id == batch).collect();
            assert_eq!(messages.len(), chunks, "{file:?}");
            assert!(messages.iter().all(|message| message.overwrites.is_some() && message.chunk.rows == 0));
        }
    }
}

#[tokio::test]
async fn an_empty_file_is_refused_unless_the_contract_accepts_it() {
    let refusing = "format: csv, customProperties: [{property: penstock.emptyFile, value: refuse}]";
    for (format, header_only) in [("format: csv", ReceiptState::Read), (refusing, ReceiptState::Refused)] {
        let world = World::new();
        publish(&world, &contract("replace", "1.0.0").replace("format: csv", format));
        let batch = process(&world, &world.put(KEY, "")).await;
        assert_eq!(
            decision(&world.receipt("shop", &batch)),
            (ReceiptState::Refused, Some(RefusalCode::Empty)),
            "{format}"
        );
        let batch = process(&world, &world.put(KEY, "id,price\n")).await;
        assert_eq!(world.receipt("shop", &batch).state, header_only, "{format}");
    }
}
