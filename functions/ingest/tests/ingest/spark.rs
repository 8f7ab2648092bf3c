//! Drops that are processed by Spark.

use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::Fault;
use penstock_pipeline::{Drop, ReceiptState, batch_id, layout};

use crate::support::{CONTRACT, FILE, World, rows};

#[tokio::test]
async fn a_large_drop_is_submitted_to_spark_once() {
    let world = World::new();
    let drop = Drop { size_bytes: 1_000_000, ..world.put("shop/a.csv", FILE) };
    world.deliver(&[&drop]).await;
    world.deliver(&[&drop]).await;
    let batch = batch_id(&drop, Some("1.0.0"));

    let [job] = &world.jobs().started()[..] else { panic!("one job") };
    assert_eq!(job.client_token, batch.to_string());
    assert_eq!(job.name, format!("penstock/shop/{batch}"));
    let value =
        |flag: &str| job.arguments.iter().skip_while(|argument| *argument != flag).nth(1).unwrap().as_str();
    assert_eq!((value("--bucket"), value("--key")), ("raw", "shop/a.csv"));
    assert_eq!(value("--version-id"), drop.version_id.as_deref().unwrap());
    assert_eq!((value("--etag"), value("--contract-version")), (drop.etag.as_str(), "1.0.0"));
    assert_eq!(value("--contract"), format!("s3://processed/batches/{batch}/contract.yaml"));
    assert_eq!(world.store().object("processed", &layout::batch_contract(&batch)).unwrap(), CONTRACT);

    assert_eq!(world.receipt("shop", &batch).state, ReceiptState::Submitted);
    assert!(world.messages().is_empty());
    assert!(world.store().object("processed", &layout::manifest(&batch)).is_none());
}

#[tokio::test]
async fn the_route_of_the_contract_takes_precedence() {
    let world = World::new();
    let routed = |route: &str| {
        CONTRACT.replace(
            "customProperties:",
            &format!("customProperties:\n  - {{property: penstock.route, value: {route}}}"),
        )
    };
    world.store().insert("artifacts", &layout::current_contract("shop"), routed("spark"));
    world.deliver(&[&world.put("shop/small.csv", FILE)]).await;
    assert_eq!(world.jobs().started().len(), 1);

    world.store().insert("artifacts", &layout::current_contract("shop"), routed("lambda"));
    world.process("shop/large.csv", rows(100_000)).await;
    assert_eq!(world.jobs().started().len(), 1);
}

#[tokio::test]
async fn a_transient_fault_of_the_submission_is_retried_and_a_permanent_one_is_a_dead_letter() {
    let world = World::new();
    let drop = Drop { size_bytes: 1_000_000, ..world.put("shop/a.csv", FILE) };
    world.jobs().fail(Fault::Transient);
    assert_eq!(world.deliver(&[&drop]).await.batch_item_failures.len(), 1);
    let state = || world.receipt("shop", &batch_id(&drop, Some("1.0.0"))).state;
    assert_eq!(state(), ReceiptState::Received, "the job was not accepted");
    world.jobs().fail(Fault::Refused);
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead()[0].code, "job_refused");
}
