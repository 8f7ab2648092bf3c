//! Drops that are refused, and their receipts.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::{Call, Fault};
use penstock_pipeline::{Drop, ManifestState, Receipt, ReceiptState, RefusalCode, batch_id, layout};

use crate::support::{CONTRACT, FILE, World, rows};

async fn assert_refused(
    world: &World,
    drop: &Drop,
    source: &str,
    version: Option<&str>,
    code: RefusalCode,
) -> Receipt {
    assert_eq!(world.deliver(&[drop]).await, SqsBatchResponse::default(), "{code}");
    assert_eq!(world.queue().dead(), [], "{code}");
    let batch = batch_id(drop, version);
    let receipt = world.receipt(source, &batch);
    assert_eq!(receipt.state, ReceiptState::Refused, "{code}");
    assert_eq!(receipt.refusal.as_ref().unwrap().code, code);
    assert!(matches!(world.manifest(&batch).state, ManifestState::Refused(_)), "{code}");
    assert!(world.messages().is_empty(), "{code}");
    assert!(world.store().keys("processed", "data/").is_empty(), "no rows of it are in the lake: {code}");
    receipt
}

#[tokio::test]
async fn the_receipt_of_a_refused_drop_has_the_code() {
    let world = World::new();
    assert_refused(&world, &world.put("file.csv", FILE), "_unknown", None, RefusalCode::NoSource).await;
    assert_refused(&world, &world.put("nobody/file.csv", FILE), "nobody", None, RefusalCode::NoContract)
        .await;
    assert_refused(&world, &world.put("shop/none.csv", ""), "shop", Some("1.0.0"), RefusalCode::Empty).await;
    let broken = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_refused(
        &world,
        &world.put("shop/a.csv.gz", broken),
        "shop",
        Some("1.0.0"),
        RefusalCode::Unreadable,
    )
    .await;

    world.store().insert("artifacts", &layout::current_contract("bad"), "name: bad");
    let receipt =
        assert_refused(&world, &world.put("bad/a.csv", FILE), "bad", None, RefusalCode::InvalidContract)
            .await;
    assert!(receipt.refusal.unwrap().message.contains("current.yaml"));
    world.store().insert("artifacts", &layout::current_contract("other"), CONTRACT);
    assert_refused(&world, &world.put("other/a.csv", FILE), "other", None, RefusalCode::InvalidContract)
        .await;
}

/// The files are those of docs/codes.md.
#[tokio::test]
async fn the_receipt_of_an_unreadable_drop_has_the_kind_of_fault() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/unreadable");
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    let world = World::new();
    for (contract, file, reason) in [
        ("contract.yaml", "missing_columns.csv", "missing_columns"),
        ("contract.yaml", "truncated_compression.csv.gz", "truncated_compression"),
        ("contract.yaml", "malformed_header.csv", "malformed_header"),
        ("json.yaml", "open_array.json", "open_array"),
        ("parquet.yaml", "corrupt_file.parquet", "corrupt_file"),
        ("parquet.yaml", "unsupported_feature.parquet", "unsupported_feature"),
    ] {
        // A contract per file: the published version of a source does not change.
        let source = reason.replace('_', "-");
        let text = String::from_utf8(read(contract)).unwrap().replace("unreadable", &source);
        world.store().insert("artifacts", &layout::current_contract(&source), text);
        let drop = world.put(&format!("{source}/{file}"), read(file));
        let receipt = assert_refused(&world, &drop, &source, Some("1.0.0"), RefusalCode::Unreadable).await;
        assert_eq!(receipt.refusal.unwrap().reason.as_deref(), Some(reason));
    }
    // A code without kinds.
    let receipt =
        assert_refused(&world, &world.put("shop/none.csv", ""), "shop", Some("1.0.0"), RefusalCode::Empty)
            .await;
    assert_eq!(receipt.refusal.unwrap().reason, None);
}

#[tokio::test]
async fn a_missing_or_overwritten_object_is_refused() {
    let world = World::new();
    let gone = world.put("shop/gone.csv", FILE);
    world.store().remove("raw", "shop/gone.csv");
    assert_refused(&world, &gone, "shop", Some("1.0.0"), RefusalCode::MissingObject).await;

    // In an unversioned bucket, the ETag identifies the version.
    let overwritten = Drop { version_id: None, ..world.put("shop/a.csv", FILE) };
    world.put("shop/a.csv", rows(1));
    assert_refused(&world, &overwritten, "shop", Some("1.0.0"), RefusalCode::Overwritten).await;
}

#[tokio::test]
async fn an_archived_object_is_refused_with_what_to_do() {
    let world = World::new();
    let archived = world.put("shop/a.csv", FILE);
    world.store().fail(Call::GetRange, "shop/a.csv", Fault::Archived);
    let receipt = assert_refused(&world, &archived, "shop", Some("1.0.0"), RefusalCode::Archived).await;
    let message = receipt.refusal.unwrap().message;
    assert!(message.contains("s3://raw/shop/a.csv: the object is archived"), "{message}");
    assert!(message.contains("restore"), "{message}");
}

#[tokio::test]
async fn a_drop_without_a_contract_has_the_source_that_was_probably_meant() {
    let world = World::new();
    for (key, source, suggested) in [("shpo/a.csv", "shpo", true), ("nobody/a.csv", "nobody", false)] {
        let drop = world.put(key, FILE);
        let receipt = assert_refused(&world, &drop, source, None, RefusalCode::NoContract).await;
        let message = receipt.refusal.unwrap().message;
        assert_eq!(message.contains("did you mean the source `shop`?"), suggested, "{message}");
    }
}

#[tokio::test]
async fn a_batch_with_too_many_rejects_is_counted_to_its_end_and_refused() {
    let world = World::new();
    let contract = CONTRACT.replace("penstock.maxRejectsPercent, value: 50", "penstock.maxRejects, value: 2");
    world.store().insert("artifacts", &layout::current_contract("shop"), contract);
    let mut file = rows(9);
    (0..5).for_each(|_| file.push_str("x,dear\n"));
    file.push_str(&rows(9)[9..]);
    let receipt = assert_refused(
        &world,
        &world.put("shop/a.csv", file),
        "shop",
        Some("1.0.0"),
        RefusalCode::TooManyRejects,
    )
    .await;
    assert_eq!((receipt.rows.read, receipt.rows.accepted, receipt.rows.rejected), (23, 18, 5));
    assert_eq!(receipt.rejects.len(), 1);
}

#[tokio::test]
async fn a_batch_with_a_too_high_percentage_of_rejects_is_refused() {
    let world = World::new();
    let drop = world.put("shop/a.csv", "id,price\na,1\nb,x\nc,x\n");
    assert_refused(&world, &drop, "shop", Some("1.0.0"), RefusalCode::TooManyRejects).await;
}

#[tokio::test]
async fn a_batch_without_accepted_rows_is_loaded_without_messages() {
    let world = World::new();
    let contract = CONTRACT.replace("penstock.maxRejectsPercent, value: 50", "penstock.maxRejects, value: 9");
    world.store().insert("artifacts", &layout::current_contract("shop"), contract);
    let batch = world.process("shop/a.csv", "id,price\na,x\n").await;
    let receipt = world.receipt("shop", &batch);
    assert_eq!(receipt.state, ReceiptState::Loaded);
    assert!(receipt.rows.balance());
    assert!(world.messages().is_empty());
}

/// A file without rows is a valid delivery.
#[tokio::test]
async fn a_file_with_only_a_header_is_loaded_with_no_rows() {
    let world = World::new();
    let batch = world.process("shop/a.csv", "id,price\n").await;
    let receipt = world.receipt("shop", &batch);
    assert_eq!((receipt.state, receipt.rows.read), (ReceiptState::Loaded, 0));
    assert!(world.messages().is_empty());
}
