//! Which missed drops are queued again, and how often.

use penstock_aws::testing::{Call, Fault};
use penstock_pipeline::{ReceiptState, layout};

use crate::support::{DAY, HOUR, OLD, World};

#[tokio::test]
async fn the_lost_events_of_many_sources_are_all_sent_by_one_run() {
    for sources in [50, 300] {
        let mut world = World::new();
        for source in 0..sources {
            world.drop(&format!("s{source}/a.csv"), OLD);
        }
        world.run().await.unwrap();
        assert_eq!(world.queued().len(), sources);

        // ingest has not processed them yet.
        world.pass(900);
        world.run().await.unwrap();
        assert_eq!(world.queued().len(), sources, "they are queued, so they are not queued again");
    }
}

#[tokio::test]
async fn drops_that_may_still_be_queued_are_reported_and_not_queued_again() {
    for (waiting, queued) in [(0, 3), (2, 3), (3, 0), (9, 0)] {
        let world = World::new();
        for number in 0..3 {
            world.drop(&format!("s{number}/a.csv"), OLD);
        }
        world.queue.set_depth("drops", waiting);
        let run = world.run().await.unwrap();
        assert_eq!(run.sources.iter().map(|source| source.missed_drops).sum::<u32>(), 3, "{waiting}");
        assert_eq!(world.queued().len(), queued, "{waiting}");
    }
}

#[tokio::test]
async fn a_long_queue_is_not_made_longer() {
    let mut world = World::new();
    for number in 0..40 {
        world.drop(&format!("abt/{number}.csv"), OLD + number);
    }
    world.queue.set_depth("drops", 40);
    for _ in 0..20 {
        world.run().await.unwrap();
        world.pass(900);
    }
    assert!(world.queued().is_empty());
}

/// A queue that always has messages must not prevent that the events which were lost are sent.
#[tokio::test]
async fn a_drop_that_a_much_later_one_has_overtaken_is_queued_again_whatever_the_depth() {
    let world = World::with_contract("buy", "");
    let lost = world.drop("abt/lost.csv", 6 * HOUR);
    world.drop("abt/waiting.csv", 4 * HOUR);
    let later = world.drop("buy/later.csv", 3 * HOUR);
    world.queue.set_depth("drops", 1_000);
    world.run().await.unwrap();
    assert!(world.queued().is_empty(), "nothing has been received since");

    world.receipt(&later, Some("1.0.0"), ReceiptState::Loading, OLD);
    world.run().await.unwrap();
    assert_eq!(world.queued(), [lost]);
}

/// The message of a drop whose event cannot be processed is moved to the dead-letter queue, and nothing is written.
#[tokio::test]
async fn a_drop_that_ends_in_the_dead_letter_queue_is_queued_again_more_and_more_rarely() {
    let mut world = World::new();
    world.drop("abt/a.csv", 2 * HOUR);
    let mut hours = Vec::new();
    for quarter in 0..4 * 70 {
        world.run().await.unwrap();
        let taken = world.take();
        assert!(taken.len() <= 1);
        hours.extend(taken.first().map(|_| quarter / 4));
        world.pass(900);
    }
    assert_eq!(hours, [0, 2, 6, 14, 30, 62]);
}

/// Versions of one object are ordered by their sequencers.
#[tokio::test]
async fn a_version_whose_event_was_lost_is_ordered_between_its_neighbours() {
    let world = World::new();
    let versions: Vec<_> = (0..8).map(|version| world.drop("abt/a.csv", OLD + 8 - version)).collect();
    world.drop("abt/a.csv2", OLD);
    // Of the others, the events were lost.
    let (second, fifth) = ("0055AED6DCD90281E5", "0055AED6DCD90281F0");
    world.claim(&versions[1], Some(second));
    world.claim(&versions[4], Some(fifth));
    world.claim(&versions[6], None);
    world.run().await.unwrap();
    let mut sequenced = world.sequenced();
    sequenced.retain(|drop| drop.key == "abt/a.csv");
    sequenced.sort_by_key(|drop| versions.iter().position(|version| version.version_id == drop.version_id));
    let sequencers: Vec<String> = sequenced.into_iter().filter_map(|drop| drop.sequencer).collect();
    let expected = [
        "00000001".to_owned(),
        format!("{second}00000001"),
        format!("{second}00000002"),
        format!("{fifth}00000001"),
        format!("{fifth}00000003"),
    ];
    assert_eq!(sequencers, expected);
    assert!(expected.is_sorted());
}

/// Without a sequencer, it would sort before every version of its object.
#[tokio::test]
async fn a_drop_whose_neighbours_cannot_be_read_is_sent_by_the_next_run() {
    let world = World::new();
    world.claim(&world.drop("abt/a.csv", OLD + 1), Some("0055AED6DCD90281E5"));
    let lost = world.drop("abt/a.csv", OLD);
    // The first listing is that of the source.
    world.store.fail(Call::ListVersions, "abt/a.csv", Fault::Transient);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("missed drops: s3://raw/abt/a.csv: injected fault"), "{message}");
    assert!(world.queued().is_empty());
    world.run().await.unwrap();
    assert_eq!(world.queued(), [lost]);
}

#[tokio::test]
async fn unhandled_dead_letters_do_not_prevent_that_lost_events_are_sent() {
    let world = World::new();
    let lost = world.drop("abt/a.csv", OLD);
    world.queue.set_depth("dead", 1_000);
    world.run().await.unwrap();
    assert_eq!(world.queued(), [lost]);
}

#[tokio::test]
async fn drops_that_were_sent_are_remembered_even_if_others_were_not() {
    let mut world = World::new();
    for number in 0..150 {
        world.drop(&format!("abt/{number:03}.csv"), OLD);
    }
    world.queue.fail(Call::SendAll, "drops", Fault::Refused);
    world.run().await.unwrap_err();
    let first = world.take().len();
    assert!(first == 50 || first == 100, "one of two requests failed: {first}");
    world.pass(900);
    world.run().await.unwrap();
    assert_eq!(world.take().len(), 150 - first);
}

#[tokio::test]
async fn a_malformed_list_of_queued_drops_is_reported_once_and_replaced() {
    let world = World::new();
    let lost = world.drop("abt/a.csv", OLD);
    world.store.insert("processed", layout::requeued(), "[]");
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("s3://processed/sentinel/requeued.json"), "{message}");
    assert_eq!(world.take(), [lost]);
    world.run().await.unwrap();
    assert!(world.take().is_empty());
}

#[tokio::test]
async fn without_the_depth_of_the_queue_nothing_is_sent_and_the_run_fails() {
    let world = World::new();
    world.drop("abt/a.csv", OLD);
    world.queue.fail(Call::Depth, "drops", Fault::Transient);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("queue drops: injected fault"), "{message}");
    assert!(world.queued().is_empty());
    world.run().await.unwrap();
    assert_eq!(world.queued().len(), 1);
}

#[tokio::test]
async fn drops_that_are_not_checked_any_more_are_forgotten() {
    let mut world = World::new();
    world.drop("abt/a.csv", OLD);
    world.run().await.unwrap();
    world.pass(4 * DAY);
    world.drop("abt/b.csv", OLD);
    world.take();
    world.run().await.unwrap();
    let remembered: serde_json::Value = world.store.json("processed", layout::requeued());
    assert_eq!(remembered.as_object().unwrap().len(), 1);
}
