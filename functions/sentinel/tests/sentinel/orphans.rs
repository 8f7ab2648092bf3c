//! The search for objects that no manifest lists.

use penstock_aws::commit::to_json;
use penstock_aws::testing::{Call, Fault};
use penstock_contract::TableName;
use penstock_engine::ENGINE_VERSION;
use penstock_pipeline::{
    Batch, BatchId, Chunk, ChunkBody, Manifest, ManifestState, Receipt, ReceiptState, Refusal, RefusalCode,
    layout,
};

use crate::support::{DAY, HOUR, World};

/// Older than the default of `PENSTOCK_ORPHAN_AFTER_SECONDS`.
const STALE: i64 = 3 * DAY;

/// A batch in the buckets.
struct Objects {
    batch: Batch,
    chunk: String,
    parquet: String,
    rejects: String,
}

impl Objects {
    /// Writes the objects of a batch; its drop is too old to be checked.
    fn write(world: &World, name: &str, seconds_ago: i64) -> Self {
        let drop = world.drop(&format!("abt/{name}.csv"), 9 * DAY);
        let batch = Batch::new(drop, Some("1.0.0"));
        let objects = Self {
            chunk: layout::chunk(&batch.id, 0, 0, &hash(0)),
            parquet: layout::parquet("products", "abt", &batch.id, 0, 0, &hash(0)),
            rejects: layout::rejects("abt", &batch.id, 0, 0, &hash(0)),
            batch,
        };
        for (bucket, key) in objects.keys() {
            world.store.insert_at(bucket, key, "x", world.ago(seconds_ago));
        }
        objects
    }

    fn keys(&self) -> [(&'static str, &str); 3] {
        [("processed", &self.chunk), ("processed", &self.parquet), ("quarantine", &self.rejects)]
    }

    /// Returns which of chunk, Parquet file and rejects exist.
    fn exist(&self, world: &World) -> [bool; 3] {
        self.keys().map(|(bucket, key)| world.store.object(bucket, key).is_some())
    }

    /// Returns a committed manifest that lists the objects.
    fn manifest(&self) -> Manifest {
        let body = ChunkBody::Object { bucket: "processed".to_owned(), key: self.chunk.clone() };
        let chunk = Chunk {
            index: 0,
            rows: 1,
            deduplicated: None,
            row_base: 0,
            sha256: "0".repeat(64),
            text_bytes: 2,
            body,
        };
        let refused = Manifest::refused(self.batch.clone(), ENGINE_VERSION, empty());
        let table = TableName { schema: "public".to_owned(), table: "products".to_owned() };
        Manifest {
            state: ManifestState::Committed { table },
            chunks: vec![chunk],
            parquet: vec![self.parquet.clone()],
            rejects: vec![format!("s3://quarantine/{}", self.rejects)],
            ..refused
        }
    }

    fn commit(&self, world: &World, manifest: &Manifest) {
        world.store.insert("processed", &layout::manifest(&self.batch.id), to_json(manifest));
    }

    fn put_receipt(&self, world: &World, rejects: Vec<String>) {
        let receipt = Receipt { rejects, ..Receipt::submitted(self.batch.clone(), world.now) };
        let key = layout::receipt(&self.batch.source, &self.batch.id);
        world.store.insert("processed", &key, to_json(&receipt));
    }
}

fn hash(number: u32) -> String {
    format!("{number:064}").chars().rev().collect()
}

fn empty() -> Refusal {
    Refusal::new(RefusalCode::Empty, "no bytes")
}

/// Runs the sentinel until it has searched everything once.
async fn search(world: &World) -> u64 {
    let mut removed = 0;
    for _ in 0..100 {
        removed += world.run().await.unwrap().orphans_removed;
        let position: serde_json::Value = world.store.json("processed", layout::sweep());
        if !position["ended_at"].is_null() {
            return removed;
        }
    }
    panic!("the search does not end");
}

#[tokio::test]
async fn objects_of_a_batch_without_a_manifest_are_removed_when_they_are_old_enough() {
    let world = World::new();
    let (stale, young) =
        (Objects::write(&world, "stale", STALE), Objects::write(&world, "young", 2 * DAY - 1));
    stale.put_receipt(&world, Vec::new());
    young.put_receipt(&world, Vec::new());
    assert_eq!(search(&world).await, 3);
    assert_eq!((stale.exist(&world), young.exist(&world)), ([false; 3], [true; 3]));
}

#[tokio::test]
async fn what_the_manifest_lists_is_kept_and_everything_else_is_removed() {
    let mut world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    objects.commit(&world, &objects.manifest());
    let batch = objects.batch.id;
    // Of an attempt with another configuration.
    let others = [
        ("processed", layout::chunk(&batch, 0, 0, &hash(1))),
        ("processed", layout::chunk(&batch, 0, 1, &hash(2))),
        ("processed", layout::parquet("products", "abt", &batch, 0, 0, &hash(1))),
        ("quarantine", layout::rejects("abt", &batch, 0, 0, &hash(1))),
    ];
    for (bucket, key) in &others {
        world.store.insert_at(bucket, key, "x", world.ago(STALE));
    }
    // Not an object that a manifest lists.
    let kept = [layout::report(&batch, 0), layout::published(&batch)];
    for key in &kept {
        world.store.insert_at("processed", key, "{}", world.ago(STALE));
    }
    assert_eq!(search(&world).await, 4);
    assert_eq!(objects.exist(&world), [true; 3]);
    assert!(others.iter().all(|(bucket, key)| world.store.object(bucket, key).is_none()));
    assert!(kept.iter().all(|key| world.store.object("processed", key).is_some()));
    assert!(world.store.object("processed", &layout::manifest(&batch)).is_some());
    world.pass(DAY);
    assert_eq!(search(&world).await, 0, "a second search finds nothing");
}

#[tokio::test]
async fn of_a_refused_batch_only_the_listed_rejects_are_kept() {
    let world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    let refused = Manifest { state: ManifestState::Refused(empty()), chunks: vec![], ..objects.manifest() };
    objects.commit(&world, &refused);
    assert_eq!(search(&world).await, 2);
    assert_eq!(objects.exist(&world), [false, false, true]);
}

/// The writer writes the rows that the database rejects, and lists their files in the receipt only.
#[tokio::test]
async fn rejects_that_the_receipt_lists_are_kept() {
    let world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    objects.commit(&world, &Manifest { rejects: vec![], ..objects.manifest() });
    objects.put_receipt(&world, vec![format!("s3://quarantine/{}", objects.rejects)]);
    assert_eq!(search(&world).await, 0);
    objects.put_receipt(&world, Vec::new());
    let mut later = world;
    later.pass(2 * DAY);
    assert_eq!(search(&later).await, 1);
}

/// The manifest and the receipt expire with their bucket, perhaps before the rejects.
#[tokio::test]
async fn rejects_of_an_unknown_batch_are_kept() {
    let world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    search(&world).await;
    assert_eq!(objects.exist(&world), [false, false, true]);
}

/// The manifest of a batch that Spark reads is written when the event of its job is processed.
#[tokio::test]
async fn objects_of_a_spark_job_are_kept_for_a_month() {
    let mut world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    objects.put_receipt(&world, Vec::new());
    let contract = layout::batch_contract(&objects.batch.id);
    world.store.insert_at("processed", &contract, "x", world.ago(STALE));
    assert_eq!(search(&world).await, 0);
    world.pass(28 * DAY);
    assert_eq!(search(&world).await, 3);
    assert!(world.store.object("processed", &contract).is_some());
}

#[tokio::test]
async fn other_objects_and_earlier_versions_are_not_touched() {
    let world = World::new();
    let id = BatchId::from_u128(7);
    let others = [
        "data/products/source=abt/_delta_log/0.json".to_owned(),
        format!("data/products/source=abt/batch={id}/notes.txt"),
        format!("batches/{id}/notes.txt"),
        "batches/mine/chunks/0.copy.zst".to_owned(),
    ];
    for key in &others {
        world.store.insert_at("processed", key, "x", world.ago(STALE));
    }
    // A retry has just written the object again.
    let objects = Objects::write(&world, "a", STALE);
    for (bucket, key) in objects.keys() {
        world.store.insert_at(bucket, key, "x", world.now);
    }
    assert_eq!(search(&world).await, 0);
    assert!(others.iter().all(|key| world.store.object("processed", key).is_some()));
    assert_eq!(objects.exist(&world), [true; 3]);
}

#[tokio::test]
async fn a_version_that_is_written_between_the_listing_and_the_removal_remains() {
    let world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    let (store, key) = (world.store.clone(), objects.chunk.clone());
    // The manifest is read after the listing.
    world.store.interrupt(Call::Get, "manifest.json", move || {
        store.insert("processed", &key, "again");
    });
    search(&world).await;
    assert_eq!(world.store.object("processed", &objects.chunk).as_deref(), Some(&b"again"[..]));
}

#[tokio::test]
async fn each_run_searches_a_part_and_the_next_run_continues() {
    let world = World::new();
    let batches: Vec<Objects> =
        (0..40).map(|number| Objects::write(&world, &number.to_string(), STALE)).collect();
    let first = world.run().await.unwrap().orphans_removed;
    assert!(0 < first && first < 40, "ten pages: {first}");
    assert_eq!(first + search(&world).await, 80);
    assert!(batches.iter().all(|objects| objects.exist(&world) == [false, false, true]));
}

#[tokio::test]
async fn a_search_that_has_ended_begins_again_after_a_day() {
    let mut world = World::new();
    search(&world).await;
    let objects = Objects::write(&world, "a", STALE);
    world.pass(23 * HOUR);
    assert_eq!(world.run().await.unwrap().orphans_removed, 0);
    assert_eq!(objects.exist(&world), [true; 3]);
    world.pass(HOUR);
    assert_eq!(search(&world).await, 2);
}

#[tokio::test]
async fn a_fault_of_the_search_is_reported_and_loses_nothing() {
    let faults = [
        (Call::Get, "manifest.json", Fault::Transient),
        (Call::ListVersions, "data/", Fault::Refused),
        (Call::DeleteVersion, "chunks", Fault::Refused),
        (Call::Put, "sweep.json", Fault::Transient),
    ];
    for (call, matching, fault) in faults {
        let mut world = World::new();
        let objects = Objects::write(&world, "a", STALE);
        world.store.fail(call, matching, fault);
        let message = world.run().await.unwrap_err().to_string();
        assert!(message.contains("orphans: ") && message.contains("injected fault"), "{message}");
        world.pass(DAY);
        search(&world).await;
        assert_eq!(objects.exist(&world), [false, false, true], "{matching}");
    }
}

#[tokio::test]
async fn a_malformed_manifest_is_reported_and_its_objects_are_kept() {
    let world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    world.store.insert("processed", &layout::manifest(&objects.batch.id), "{}");
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("manifest.json"), "{message}");
    assert_eq!(objects.exist(&world), [true; 3]);
}

#[tokio::test]
async fn a_malformed_position_begins_the_search_again() {
    let world = World::new();
    let objects = Objects::write(&world, "a", STALE);
    world.store.insert("processed", layout::sweep(), "{}");
    search(&world).await;
    assert_eq!(objects.exist(&world), [false, false, true]);
}

#[tokio::test]
async fn a_loaded_batch_is_not_changed() {
    let world = World::new();
    let objects = Objects::write(&world, "a", 9 * DAY);
    objects.commit(&world, &objects.manifest());
    world.receipt(&objects.batch.drop, Some("1.0.0"), ReceiptState::Loaded, 9 * DAY);
    assert_eq!(search(&world).await, 0);
    assert_eq!(objects.exist(&world), [true; 3]);
}
