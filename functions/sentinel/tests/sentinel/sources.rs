//! Missed drops, late sources and stuck batches.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::to_json;
use penstock_aws::testing::{Call, Fault, PAGE_ENTRIES};
use penstock_engine::ENGINE_VERSION;
use penstock_pipeline::metrics::{LATE, MISSED_DROPS, SECONDS_SINCE_DROP, STUCK_BATCHES};
use penstock_pipeline::{
    Batch, DropClaim, Manifest, Receipt, ReceiptState, Refusal, RefusalCode, UNKNOWN_SOURCE, layout,
};
use penstock_sentinel::config::SentinelConfig;
use penstock_sentinel::status::{SourceStatus, SourceSummary};
use penstock_sentinel::{ScheduledEvent, SentinelError};

use crate::support::{DAY, HOUR, OLD, World, variables};

#[tokio::test]
async fn a_missed_drop_is_queued_again() {
    let world = World::with_contract("abt", "");
    let missed = world.drop("abt/a b+c%2B é.csv", OLD);
    assert_eq!(world.status("abt").await.missed_drops, 1);
    assert_eq!(world.queued(), [missed]);
}

#[tokio::test]
async fn the_receipt_of_the_current_version_takes_precedence() {
    let world = World::with_contract("abt", "");
    world.publish("abt", "1.1.0", "");
    let drop = world.drop("abt/a.csv", 2 * DAY);
    world.receipt(&drop, Some("1.0.0"), ReceiptState::Loading, DAY);
    assert_eq!(world.status("abt").await.stuck_batches, 1);
    world.receipt(&drop, Some("1.1.0"), ReceiptState::Loaded, DAY);
    assert_eq!(world.status("abt").await.stuck_batches, 0);
}

#[tokio::test]
async fn each_version_of_a_key_is_a_drop() {
    let world = World::with_contract("abt", "");
    let first = world.drop("abt/a.csv", OLD + 2);
    let second = world.drop("abt/a.csv", OLD + 1);
    let third = world.drop("abt/a.csv", OLD);
    world.receipt(&second, Some("1.0.0"), ReceiptState::Loaded, OLD);
    assert_eq!(world.status("abt").await.missed_drops, 2);
    assert_eq!(world.queued(), [third, first]);
}

#[tokio::test]
async fn a_drop_with_a_receipt_or_a_manifest_was_not_missed() {
    let world = World::with_contract("abt", "");
    world.publish("abt", "1.1.0", "");
    world.receipt(&world.drop("abt/now.csv", OLD), Some("1.1.0"), ReceiptState::Loaded, OLD);
    world.receipt(&world.drop("abt/before.csv", OLD), Some("1.0.0"), ReceiptState::Refused, OLD);
    world.receipt(&world.drop("abt/without.csv", OLD), None, ReceiptState::Refused, OLD);
    for version in [Some("1.0.0"), None] {
        let batch = Batch::new(world.drop("abt/committed.csv", OLD), version);
        let key = layout::manifest(&batch.id);
        let refusal = Refusal::new(RefusalCode::Empty, "no bytes");
        let manifest = Manifest::refused(batch, ENGINE_VERSION, refusal);
        world.store.insert("processed", &key, to_json(&manifest));
    }
    assert_eq!(world.status("abt").await.missed_drops, 0);
    assert!(world.queued().is_empty());
}

/// ingest writes the claim before anything else.
#[tokio::test]
async fn a_drop_with_a_claim_was_received() {
    let world = World::with_contract("abt", "");
    world.claim(&world.drop("abt/a.csv", OLD), None);
    assert_eq!(world.status("abt").await.missed_drops, 0);
    assert!(world.queued().is_empty());
}

#[tokio::test]
async fn the_receipt_of_the_newest_claim_decides_whether_a_batch_is_stuck() {
    let world = World::with_contract("abt", "");
    let drop = world.drop("abt/a.csv", 2 * DAY);
    let first = world.claim(&drop, None);
    let put_receipt = |claim: &DropClaim, state, seconds_ago| {
        let receipt = Receipt { state, ..Receipt::submitted(claim.batch(), world.ago(seconds_ago)) };
        let key = layout::receipt("abt", &claim.batch_id);
        world.store.insert("processed", &key, to_json(&receipt));
    };
    put_receipt(&first, ReceiptState::Loading, DAY);
    assert_eq!(world.status("abt").await.stuck_batches, 1);
    let replay = first.replay(first.contract.clone(), 10, world.now);
    world.put_claim(&replay);
    assert_eq!(world.status("abt").await.stuck_batches, 0, "its receipt is not written yet");
    put_receipt(&replay, ReceiptState::Loaded, HOUR);
    assert_eq!(world.status("abt").await.stuck_batches, 0);
    put_receipt(&replay, ReceiptState::Submitted, DAY);
    assert_eq!(world.status("abt").await.stuck_batches, 1);
    assert!(world.queued().is_empty());
}

#[tokio::test]
async fn receipts_of_all_published_versions_are_found() {
    let world = World::new();
    let versions: Vec<String> = (0..2 * PAGE_ENTRIES).map(|minor| format!("1.{minor}.0")).collect();
    for version in &versions {
        world.publish("abt", version, "{property: frequency, value: 9, unit: d}");
        let drop = world.drop(&format!("abt/{version}.csv"), OLD);
        world.receipt(&drop, Some(version), ReceiptState::Loaded, OLD);
    }
    assert_eq!(world.status("abt").await.missed_drops, 0);

    // The current contract is the last one in the listing.
    for version in &versions {
        world.store.remove("raw", &format!("abt/{version}.csv"));
    }
    assert_eq!(world.status("abt").await.late, Some(true));
}

#[tokio::test]
async fn the_receipt_of_a_version_that_only_the_current_contract_has_is_found() {
    let world = World::with_contract("abt", "");
    world.store.remove("artifacts", &layout::contract_version("abt", "1.0.0"));
    world.receipt(&world.drop("abt/a.csv", OLD), Some("1.0.0"), ReceiptState::Loaded, OLD);
    assert_eq!(world.status("abt").await.missed_drops, 0);
}

#[tokio::test]
async fn drops_that_are_too_new_or_too_old_and_folders_are_not_checked() {
    let world = World::with_contract("abt", "");
    let (missed_after, lookback) = (7_200, 3 * DAY);
    for seconds_ago in [-5, 0, missed_after - 1, lookback] {
        world.drop(&format!("abt/{seconds_ago}.csv"), seconds_ago);
    }
    world.store.insert_at("raw", "abt/folder/", "", world.ago(OLD));
    for key in ["abt/_SUCCESS", "abt/.a.csv", "abt/_temporary/a.csv", "abt/2026_$folder$"] {
        world.drop(key, OLD);
    }
    assert_eq!(world.status("abt").await.missed_drops, 0);

    let edges = [world.drop("abt/a.csv", missed_after), world.drop("abt/b.csv", lookback - 1)];
    assert_eq!(world.status("abt").await.missed_drops, 2);
    assert_eq!(world.queued(), edges);
}

#[tokio::test]
async fn objects_that_the_configuration_ignores_are_not_missed() {
    let world = World::with_variables(&[("PENSTOCK_IGNORE_KEYS", "*.md5, abt/old/**")]);
    for key in ["abt/a.csv.md5", "abt/old/2024/a.csv"] {
        world.drop(key, OLD);
    }
    let missed = world.drop("abt/a.csv", OLD);
    assert_eq!(world.status("abt").await.missed_drops, 1);
    assert_eq!(world.queued(), [missed]);
}

#[tokio::test]
async fn every_page_of_the_listing_is_checked() {
    let world = World::with_contract("abt", "");
    let drops = 4 * PAGE_ENTRIES + 1;
    for number in 0..drops {
        world.drop(&format!("abt/{number:02}.csv"), OLD);
    }
    assert_eq!(world.status("abt").await.missed_drops, u32::try_from(drops).unwrap());
    assert_eq!(world.queued().len(), drops);
}

#[tokio::test]
async fn every_source_with_drops_or_a_contract_is_checked() {
    let world = World::new();
    for source in ["a", "b", "c", "d"] {
        world.publish(source, "1.0.0", "{property: frequency, value: 1, unit: d}");
    }
    let mut expected = Vec::new();
    for key in ["c/1.csv", "stranger/1.csv", "stranger2/1.csv", "top.csv", "/empty.csv"] {
        expected.push(world.drop(key, OLD));
    }
    let run = world.run().await.unwrap();
    let checked: Vec<&str> = run.sources.iter().map(|summary| summary.source.as_str()).collect();
    let sources = ["_unknown", "_unknown", "a", "b", "c", "d", "stranger", "stranger2"];
    assert_eq!(checked, sources);
    let mut queued = world.queued();
    queued.sort_by_key(|drop| expected.iter().position(|one| one == drop));
    assert_eq!(queued, expected);
}

#[tokio::test]
async fn a_refused_drop_without_a_source_was_not_missed() {
    let world = World::new();
    for key in ["top.csv", "/empty.csv"] {
        let drop = world.drop(key, OLD);
        assert_eq!(Batch::new(drop.clone(), None).source, UNKNOWN_SOURCE);
        world.receipt(&drop, None, ReceiptState::Refused, OLD);
    }
    world.run().await.unwrap();
    assert!(world.queued().is_empty());
}

#[tokio::test]
async fn a_batch_without_progress_is_stuck_and_not_queued_again() {
    let world = World::with_contract("abt", "");
    let six_hours = 6 * HOUR;
    let cases = [
        (ReceiptState::Loading, six_hours + 1, 1),
        (ReceiptState::Submitted, six_hours + 1, 1),
        (ReceiptState::Loading, six_hours, 0),
        (ReceiptState::Loaded, 2 * DAY, 0),
        (ReceiptState::Refused, 2 * DAY, 0),
        (ReceiptState::Failed, 2 * DAY, 0),
    ];
    let mut expected = 0;
    for (number, (state, seconds_ago, stuck)) in cases.into_iter().enumerate() {
        let drop = world.drop(&format!("abt/{number}.csv"), 2 * DAY);
        world.receipt(&drop, Some("1.0.0"), state, seconds_ago);
        expected += stuck;
        assert_eq!(world.status("abt").await.stuck_batches, expected, "{state:?} {seconds_ago}");
    }
    assert!(world.queued().is_empty());
}

#[tokio::test]
async fn a_source_is_late_when_its_newest_drop_is_older_than_its_contract_allows() {
    let daily = "{property: frequency, value: 1, unit: d}, {property: latency, value: 2, unit: h}";
    for (sla, seconds_ago, is_late) in [
        (daily, DAY + 2 * HOUR + 1, true),
        (daily, DAY + 2 * HOUR, false),
        (daily, 0, false),
        ("{property: latency, value: 2, unit: h}", 9 * DAY, false),
        ("", 9 * DAY, false),
    ] {
        let world = World::with_contract("abt", sla);
        // The newest drop is on the second of three pages, so no page alone decides.
        for number in 0..3 * PAGE_ENTRIES {
            let is_newest = number == PAGE_ENTRIES + 1;
            world.drop(&format!("abt/{number}.csv"), if is_newest { seconds_ago } else { seconds_ago + 1 });
        }
        let status = world.status("abt").await;
        assert_eq!(status.late, Some(is_late), "{sla}");
        #[expect(clippy::cast_precision_loss, reason = "a few days")]
        let since_drop = seconds_ago as f64;
        assert_eq!(status.seconds_since_drop, Some(since_drop), "{sla}");
    }
}

#[tokio::test]
async fn a_source_without_drops_is_late_relative_to_the_publication_of_its_contract() {
    for (days, is_late) in [(9, true), (11, false)] {
        let sla = format!("{{property: frequency, value: {days}, unit: d}}");
        let world = World::with_contract("abt", &sla);
        // A folder of the console is not a drop.
        world.store.insert_at("raw", "abt/", "", world.now);
        let status = world.status("abt").await;
        assert_eq!((status.late, status.seconds_since_drop), (Some(is_late), None));
        assert!(!status.metrics().iter().any(|value| value.name() == "seconds_since_drop"));
    }
    let without_a_contract = World::new();
    without_a_contract.drop("abt/a.csv", 9 * DAY);
    assert_eq!(without_a_contract.status("abt").await.late, Some(false));
}

#[test]
fn the_status_is_emitted_as_metrics() {
    let now: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    let newest = Some(now - SignedDuration::from_millis(1_500));
    let status = SourceStatus { newest, is_late: Some(true), missed: 2, stuck: 3 };
    let values = SourceSummary::new("abt", &status, now).metrics();
    let expected =
        [LATE.count(1), SECONDS_SINCE_DROP.value(1.5), MISSED_DROPS.count(2), STUCK_BATCHES.count(3)];
    assert_eq!(values, expected);
}

#[tokio::test]
async fn a_problem_of_one_source_is_reported_and_the_others_are_checked() {
    let world = World::new();
    for source in ["a", "b", "c", "d"] {
        world.publish(source, "1.0.0", "");
        world.drop(&format!("{source}/1.csv"), OLD);
    }
    world.store.insert("artifacts", &layout::current_contract("a"), "kind: DataContract");
    world.store.fail(Call::ListVersions, "b/", Fault::Refused);
    world.store.fail(Call::ListObjects, "contracts/c/", Fault::Transient);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.starts_with("1 of 4 sources were checked: a: contracts/a/current.yaml:"), "{message}");
    for problem in ["; b: s3://raw/b/: injected", "; c: s3://artifacts/contracts/c/: injected"] {
        assert!(message.contains(problem), "{message}");
    }
    let queued: Vec<String> = world.queued().into_iter().map(|drop| drop.key).collect();
    assert_eq!(queued, ["a/1.csv", "d/1.csv"]);
}

#[tokio::test]
async fn without_a_valid_contract_it_is_unknown_whether_the_source_is_late() {
    let world = World::with_contract("abt", "");
    world.store.insert("artifacts", &layout::current_contract("abt"), "kind: DataContract");
    let missed = world.drop("abt/a.csv", OLD);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("publish a corrected contract"), "{message}");
    assert_eq!(world.queued(), [missed], "the drops are checked nevertheless");
}

#[tokio::test]
async fn a_failed_listing_is_reported_and_the_known_sources_are_checked() {
    let world = World::with_contract("abt", "");
    let missed = world.drop("abt/1.csv", OLD);
    world.store.fail(Call::ListObjects, "", Fault::Refused);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("s3://raw/: injected fault"), "{message}");
    assert_eq!(world.queued(), [missed]);
}

#[tokio::test]
async fn a_malformed_receipt_is_reported_and_the_other_drops_are_checked() {
    let world = World::with_contract("abt", "");
    for number in 0..5 {
        let drop = world.drop(&format!("abt/{number}.csv"), OLD);
        let batch = Batch::new(drop, Some("1.0.0"));
        world.store.insert("processed", &layout::receipt("abt", &batch.id), "{}");
    }
    let missed = world.drop("abt/missed.csv", OLD);
    let message = world.run().await.unwrap_err().to_string();
    assert!(
        message.contains("s3://processed/receipts/abt/") && message.ends_with(", and 2 more"),
        "{message}"
    );
    assert_eq!(world.queued(), [missed]);
}

#[tokio::test]
async fn drops_that_cannot_be_queued_are_reported_and_queued_by_the_next_run() {
    let world = World::with_contract("abt", "");
    let missed = world.drop("abt/a.csv", OLD);
    world.queue.fail(Call::SendAll, "drops", Fault::Transient);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("missed drops were not queued again: queue drops"), "{message}");
    assert!(world.queued().is_empty());
    world.run().await.unwrap();
    assert_eq!(world.queued(), [missed]);
}

#[tokio::test]
async fn a_second_run_does_not_queue_a_processed_drop_again() {
    let world = World::with_contract("abt", "");
    world.drop("abt/a.csv", OLD);
    world.run().await.unwrap();
    let [queued] = world.queued().try_into().unwrap();
    world.receipt(&queued, Some("1.0.0"), ReceiptState::Loaded, 0);
    world.run().await.unwrap();
    assert_eq!(world.queued().len(), 1);
}

#[tokio::test]
async fn a_run_that_runs_out_of_time_reports_its_progress() {
    let world = World::new();
    for source in ["a", "b", "c"] {
        world.drop(&format!("{source}/1.csv"), OLD);
    }
    let message = world.run_until(SystemTime::now() + Duration::from_secs(29)).await.unwrap_err().to_string();
    assert!(message.starts_with("0 of 3 sources were checked: a: out of time"), "{message}");
    assert!(world.queued().is_empty());
}

#[tokio::test]
async fn another_event_is_an_error() {
    let world = World::with_contract("abt", "");
    world.drop("abt/a.csv", OLD);
    let created = include_str!("../../../../tests/events/eventbridge-created-aws.json");
    let event: ScheduledEvent = serde_json::from_str(created).unwrap();
    let refused = world.run_event(&event, SystemTime::now() + Duration::from_mins(5)).await;
    assert!(matches!(refused, Err(SentinelError::NotScheduled { .. })), "{refused:?}");
    assert!(world.store.calls().is_empty());
}

#[test]
fn durations_that_contradict_each_other_are_reported() {
    let with = |name: &str, value: &str| SentinelConfig::new(variables(&[(name, value)]));
    assert_eq!(with("PENSTOCK_LOOKBACK_SECONDS", "86400").unwrap().lookback, SignedDuration::from_hours(24));
    for (name, value, message) in [
        ("PENSTOCK_LOOKBACK_SECONDS", "7200", "more than PENSTOCK_MISSED_AFTER_SECONDS"),
        ("PENSTOCK_STUCK_AFTER_SECONDS", "259200", "more than PENSTOCK_STUCK_AFTER_SECONDS"),
        ("PENSTOCK_IGNORE_KEYS", "**", "the pattern \"**\" matches every key"),
        ("PENSTOCK_MISSED_AFTER_SECONDS", "soon", "PENSTOCK_MISSED_AFTER_SECONDS is not a number"),
    ] {
        let error = with(name, value).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
