//! A second version of an object, by the contract's `penstock.overwrite`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::{Call, Fault};
use penstock_pipeline::{
    BatchId, Drop, LoadMessage, ManifestState, Overwritten, Receipt, ReceiptState, RefusalCode, batch_id,
    layout,
};

use super::{CONTRACT, FILE, World, copy_text};

const KEY: &str = "shop/a.csv";
/// More than half of its rows are rejects.
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
    world.store().insert("artifacts", &layout::current_contract("shop"), contract.to_owned());
}

/// A receipt's state and the code of its refusal.
fn answer(receipt: &Receipt) -> (ReceiptState, Option<RefusalCode>) {
    (receipt.state, receipt.refusal.as_ref().map(|refusal| refusal.code.clone()))
}

async fn taken(world: &World, drop: &Drop) -> BatchId {
    assert_eq!(world.deliver(&[drop]).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead(), []);
    batch_id(drop, Some("1.0.0"))
}

const KEPT: (ReceiptState, Option<RefusalCode>) = (ReceiptState::Refused, Some(RefusalCode::Kept));

#[tokio::test]
async fn where_the_first_version_stands_a_second_one_is_not_read() {
    let world = world("keep");
    let (first, second) = (world.put(KEY, FILE), world.put(KEY, "id,price\nz,1\n"));
    let (first, second) = (taken(&world, &first).await, taken(&world, &second).await);
    assert_eq!(world.receipt("shop", &first).state, ReceiptState::Loading);
    let receipt = world.receipt("shop", &second);
    assert_eq!(answer(&receipt), KEPT);
    assert_eq!(receipt.rows.read, 0);
    let message = receipt.refusal.unwrap().message;
    assert!(message.contains(&first.to_string()) && message.contains("s3://raw/shop/a.csv"), "{message}");
    // Another object is no version of this one.
    let other = taken(&world, &world.put("shop/b.csv", FILE)).await;
    assert_eq!(world.receipt("shop", &other).state, ReceiptState::Loading);
}

#[tokio::test]
async fn a_first_version_that_comes_again_is_no_second_one() {
    let world = world("keep");
    let first = world.put(KEY, FILE);
    // The first try breaks off once it has its turn.
    world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
    assert_eq!(world.deliver(&[&first]).await.batch_item_failures.len(), 1);
    let second = world.put(KEY, FILE);
    assert_eq!(world.deliver(&[&second]).await.batch_item_failures.len(), 1, "it waits for the first");
    assert!(world.store().keys("processed", "receipts/").is_empty());

    let first = taken(&world, &first).await;
    assert_eq!(world.receipt("shop", &first).state, ReceiptState::Loading);
    assert_eq!(answer(&world.receipt("shop", &taken(&world, &second).await)), KEPT);
    assert_eq!(world.store().keys("processed", "objects/").len(), 1, "one turn");
}

#[tokio::test]
async fn a_mended_file_may_have_the_name_of_the_one_that_was_refused() {
    let world = world("keep");
    let (bad, mended, third) = (world.put(KEY, BAD), world.put(KEY, FILE), world.put(KEY, FILE));
    let bad_batch = taken(&world, &bad).await;
    assert_eq!(
        answer(&world.receipt("shop", &bad_batch)),
        (ReceiptState::Refused, Some(RefusalCode::TooManyRejects))
    );
    let mended = taken(&world, &mended).await;
    assert_eq!(world.receipt("shop", &mended).state, ReceiptState::Loading);
    assert_eq!(answer(&world.receipt("shop", &taken(&world, &third).await)), KEPT);

    // With a more lenient contract the first would be accepted now, but another version stands.
    publish(&world, &contract("keep", "1.1.0").replace("value: 50", "value: 100"));
    world.deliver(&[&bad]).await;
    assert_eq!(answer(&world.receipt("shop", &batch_id(&bad, Some("1.1.0")))), KEPT);
}

#[tokio::test]
async fn a_version_that_is_taken_through_a_later_contract_is_waited_for_there() {
    let world = world("keep");
    let first = world.put(KEY, FILE);
    world.store().fail(Call::PutIfAbsent, "manifest.json", Fault::Transient);
    world.deliver(&[&first]).await;
    publish(&world, &contract("keep", "1.1.0"));
    world.deliver(&[&first]).await;
    let second = world.put(KEY, FILE);
    assert_eq!(world.deliver(&[&second]).await, SqsBatchResponse::default());
    assert_eq!(answer(&world.receipt("shop", &batch_id(&second, Some("1.1.0")))), KEPT);
}

#[tokio::test]
async fn two_versions_at_once_have_one_turn() {
    let world = world("keep");
    let (one, other) = (world.put(KEY, FILE), world.put(KEY, FILE));
    let (drops_one, drops_other) = ([&one], [&other]);
    tokio::join!(world.deliver(&drops_one), world.deliver(&drops_other));
    // Whoever had to wait comes again.
    let batches = [taken(&world, &one).await, taken(&world, &other).await];
    let mut answers = batches.map(|batch| world.receipt("shop", &batch).state);
    answers.sort_by_key(|state| *state == ReceiptState::Refused);
    assert_eq!(answers, [ReceiptState::Loading, ReceiptState::Refused]);
}

#[tokio::test]
async fn a_job_that_has_failed_gives_its_turn_up() {
    let world = world("keep");
    let large = Drop { size_bytes: 1_000_000, ..world.put(KEY, FILE) };
    let batch = taken(&world, &large).await;
    let second = world.put(KEY, FILE);
    assert_eq!(world.deliver(&[&second]).await.batch_item_failures.len(), 1, "the job may succeed");

    let mut receipt = world.receipt("shop", &batch);
    receipt.state = ReceiptState::Failed;
    let key = layout::receipt("shop", &batch);
    world.store().insert("processed", &key, serde_json::to_vec(&receipt).unwrap());
    let second = taken(&world, &second).await;
    assert_eq!(world.receipt("shop", &second).state, ReceiptState::Loading);
}

#[tokio::test]
async fn a_version_that_replaces_others_names_its_object_to_the_writer() {
    let world = world("replace");
    let drop = Drop { sequencer: Some("0055AE".to_owned()), ..world.put(KEY, FILE) };
    taken(&world, &drop).await;
    let [message] = &world.messages()[..] else { panic!("one chunk") };
    assert_eq!(message.message_version, LoadMessage::OVERWRITING);
    let sequencer = Some("0055AE".to_owned());
    let expected = Overwritten { bucket: "raw".to_owned(), key: KEY.to_owned(), sequencer };
    assert_eq!(message.overwrites, Some(expected));
}

#[tokio::test]
async fn a_version_without_rows_that_replaces_others_is_told_to_the_writer_too() {
    for (overwrite, chunks) in [("replace", 1), ("add", 0)] {
        let world = world(overwrite);
        let batch = taken(&world, &world.put(KEY, "id,price\n")).await;
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
async fn an_empty_file_replaces_the_versions_before_it_where_the_contract_accepts_it() {
    let accepting = |overwrite: &str| {
        let custom = "format: csv, customProperties: [{property: penstock.emptyFile, value: accept}]";
        contract(overwrite, "1.0.0").replace("format: csv", custom)
    };
    for (overwrite, chunks) in [("replace", 1), ("add", 0)] {
        let world = World::new();
        publish(&world, &accepting(overwrite));
        for file in ["", "id,price\n", "id,price\n,\n"] {
            let batch = taken(&world, &world.put(KEY, file)).await;
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
    for (format, header_only) in [("format: csv", ReceiptState::Loading), (refusing, ReceiptState::Refused)] {
        let world = World::new();
        publish(&world, &contract("replace", "1.0.0").replace("format: csv", format));
        let batch = taken(&world, &world.put(KEY, "")).await;
        assert_eq!(
            answer(&world.receipt("shop", &batch)),
            (ReceiptState::Refused, Some(RefusalCode::Empty)),
            "{format}"
        );
        let batch = taken(&world, &world.put(KEY, "id,price\n")).await;
        assert_eq!(world.receipt("shop", &batch).state, header_only, "{format}");
    }
}
