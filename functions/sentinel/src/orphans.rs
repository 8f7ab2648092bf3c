//! Finds and removes objects that no manifest lists.
//!
//! ingest and the Spark jobs write the objects of a batch before its manifest. After a crash, with two configurations
//! on one drop, or when a batch is refused, objects remain that nobody reads: rows in the lake that are not in the
//! table, chunks, and files of rejected rows.
//!
//! An object is removed when it is older than `PENSTOCK_ORPHAN_AFTER_SECONDS` and not listed. Whoever commits a batch
//! has written all of its objects in the same attempt, a few minutes before the manifest, so an object of that age that
//! is not listed by now never will be. A batch that a Spark job reads is committed when its job's event is processed,
//! which may be weeks later; its objects are removed after [`SPARK_AFTER`]. Exactly the version that was listed is
//! deleted, so a retry that writes the object again at the same time loses nothing.
//!
//! Each run lists a part of the buckets; the next one continues there. The whole search begins again when half of
//! `PENSTOCK_ORPHAN_AFTER_SECONDS` has passed since it ended.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::{CommitError, get_json, to_json};
use penstock_aws::deadline::Deadline;
use penstock_aws::listing::{ListScope, ObjectListing, ObjectVersion, VersionMarker};
use penstock_aws::store::{ObjectRef, ObjectStore, StoreError};
use penstock_pipeline::metrics::{ByKind, ORPHANS_REMOVED};
use penstock_pipeline::{
    BatchId, ChunkBody, Manifest, ManifestObject, ManifestState, Receipt, ReceiptState, is_database_rejects,
    layout, log_events, parse_rejects,
};
use serde::{Deserialize, Serialize};

use crate::drop_status::age;
use crate::error::{Problems, SourceError};
use crate::sentinel::Sentinel;

/// Maximum number of pages that a run lists, each of at most 1,000 versions.
const MAX_PAGES: usize = 10;
/// Number of batches whose manifests are read concurrently.
const CONCURRENT_BATCHES: usize = 16;
/// A job runs for at most twelve hours. Its event may then be in the job-events queue for 14 days, and in the
/// dead-letter queue for another 14.
const SPARK_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A part of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SweepArea {
    Chunks,
    Parquet,
    Rejects,
}

impl SweepArea {
    const ALL: [Self; 3] = [Self::Chunks, Self::Parquet, Self::Rejects];

    fn kind(self) -> &'static str {
        match self {
            Self::Chunks => "chunk",
            Self::Parquet => "parquet",
            Self::Rejects => "rejects",
        }
    }

    fn next(self) -> Option<Self> {
        match self {
            Self::Chunks => Some(Self::Parquet),
            Self::Parquet => Some(Self::Rejects),
            Self::Rejects => None,
        }
    }
}

/// The position of the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SweepPosition {
    area: SweepArea,
    /// Last key of the last page; `None` at the start of the area. Its newest version was in the page, and the others
    /// are not candidates.
    after: Option<String>,
    /// The time at which the search ended; `None` while it is in progress.
    ended_at: Option<Timestamp>,
}

impl SweepPosition {
    const START: Self = Self { area: SweepArea::Chunks, after: None, ended_at: None };

    fn marker(&self) -> Option<VersionMarker> {
        self.after.as_ref().map(|key| VersionMarker { key: key.clone(), version_id: None })
    }

    /// Returns the position after a page.
    fn advance(self, next: Option<VersionMarker>, now: Timestamp) -> Self {
        match (next, self.area.next()) {
            (Some(marker), _) => Self { after: Some(marker.key), ..self },
            (None, Some(area)) => Self { area, ..Self::START },
            (None, None) => Self { ended_at: Some(now), ..Self::START },
        }
    }
}

/// The number of removed objects, by kind.
pub(crate) type RemovedCounts = BTreeMap<&'static str, u64>;

/// Continues the search, until `deadline` at most. Returns the number of removed objects, and the errors. An object that
/// cannot be removed is found again by the next search.
pub(crate) async fn sweep<S: ObjectStore + ObjectListing, Q>(
    sentinel: &Sentinel<S, Q>,
    now: Timestamp,
    deadline: Deadline,
) -> (u64, Problems) {
    let mut sweep = Sweep { sentinel, now, removed: RemovedCounts::new(), problems: Problems::default() };
    sweep.run(deadline).await;
    for area in SweepArea::ALL {
        let removed = sweep.removed.get(area.kind()).copied().unwrap_or(0);
        sentinel.config.metrics.emit(&ByKind { kind: area.kind() }, &[ORPHANS_REMOVED.count(removed)]);
    }
    (sweep.removed.values().sum(), sweep.problems)
}

struct Sweep<'a, S, Q> {
    sentinel: &'a Sentinel<S, Q>,
    now: Timestamp,
    removed: RemovedCounts,
    problems: Problems,
}

/// The objects of one batch that may be orphans.
struct Candidates {
    batch: BatchId,
    /// The source, if the keys have it.
    source: Option<String>,
    versions: Vec<ObjectVersion>,
}

impl<S: ObjectStore + ObjectListing, Q> Sweep<'_, S, Q> {
    async fn run(&mut self, deadline: Deadline) {
        let (bucket, key) = (&self.sentinel.config.processed_bucket, layout::sweep());
        let stored = get_json(&self.sentinel.store, bucket, key).await;
        let mut position = match stored {
            Ok(position) => position.unwrap_or(SweepPosition::START),
            // The search can begin again at any time.
            Err(CommitError::Corrupt { .. }) => SweepPosition::START,
            Err(error) => return self.problems.add(&SourceError::Receipt(error)),
        };
        let pause = self.sentinel.config.orphan_after / 2;
        match position.ended_at {
            Some(ended_at) if age(ended_at, self.now) < pause => return,
            Some(_) => position = SweepPosition::START,
            None => {}
        }
        for _ in 0..MAX_PAGES {
            if position.ended_at.is_some() || deadline.is_past() {
                break;
            }
            match self.page(&position).await {
                Ok(next) => position = position.advance(next, self.now),
                Err(error) => {
                    self.problems.add(&SourceError::Store(error));
                    break;
                }
            }
        }
        if let Err(error) = self.sentinel.store.put(bucket, key, to_json(&position)).await {
            self.problems.add(&SourceError::Store(error));
        }
    }

    /// Removes the orphans of one page, and returns the start of the next one.
    async fn page(&mut self, position: &SweepPosition) -> Result<Option<VersionMarker>, StoreError> {
        let Sentinel { store, config, .. } = self.sentinel;
        let area = position.area;
        let scope = match area {
            SweepArea::Chunks => ListScope::all(&config.processed_bucket, layout::BATCHES),
            SweepArea::Parquet => ListScope::all(&config.processed_bucket, layout::DATA),
            SweepArea::Rejects => ListScope::all(&config.quarantine_bucket, ""),
        };
        let page = store.versions(scope, position.marker().as_ref()).await?;
        let batches = self.candidates(area, page.versions);
        let found = batches.into_iter().map(|batch| Box::pin(orphans(self.sentinel, area, batch, self.now)));
        let found: Vec<_> = stream::iter(found).buffer_unordered(CONCURRENT_BATCHES).collect().await;
        for orphans in found {
            match orphans {
                Ok((batch, orphans)) => self.remove(area, scope.bucket, batch, orphans).await,
                Err(error) => self.problems.add(&SourceError::Receipt(error)),
            }
        }
        Ok(page.next)
    }

    /// Returns the objects of a page that are old enough, by batch. Earlier versions of an object are left to the rules
    /// of the bucket.
    fn candidates(&self, area: SweepArea, versions: Vec<ObjectVersion>) -> Vec<Candidates> {
        let mut batches: BTreeMap<BatchId, Candidates> = BTreeMap::new();
        for version in versions {
            if !version.is_latest || age(version.modified_at, self.now) < self.sentinel.config.orphan_after {
                continue;
            }
            let Some((batch, source)) = batch_of(area, &version.key) else { continue };
            let of_batch = batches.entry(batch);
            of_batch
                .or_insert_with(|| Candidates { batch, source, versions: Vec::new() })
                .versions
                .push(version);
        }
        batches.into_values().collect()
    }

    async fn remove(&mut self, area: SweepArea, bucket: &str, batch: BatchId, orphans: Vec<ObjectVersion>) {
        for orphan in orphans {
            match remove(&self.sentinel.store, bucket, &orphan).await {
                Ok(true) => {
                    *self.removed.entry(area.kind()).or_default() += 1;
                    let age_seconds = age(orphan.modified_at, self.now).as_secs();
                    let (key, version_id, kind) = (orphan.key, orphan.version_id, area.kind());
                    tracing::warn!(
                        bucket, key, version_id, kind, batch_id = %batch, age_seconds,
                        "{}", log_events::ORPHAN_REMOVED
                    );
                }
                Ok(false) => {}
                Err(error) => self.problems.add(&SourceError::Store(error)),
            }
        }
    }
}

/// Returns the batch of a key, and its source if the key has it.
fn batch_of(area: SweepArea, key: &str) -> Option<(BatchId, Option<String>)> {
    match (area, ManifestObject::parse(key)) {
        (SweepArea::Chunks, Some(ManifestObject::Chunk(batch)))
        | (SweepArea::Parquet, Some(ManifestObject::Parquet(batch))) => Some((batch, None)),
        (SweepArea::Chunks, Some(ManifestObject::Parquet(_)) | None)
        | (SweepArea::Parquet, Some(ManifestObject::Chunk(_)) | None) => None,
        (SweepArea::Rejects, _) => parse_rejects(key).map(|(source, batch)| (batch, Some(source.to_owned()))),
    }
}

/// Returns the candidates that are orphans.
async fn orphans<S: ObjectStore + ObjectListing, Q>(
    sentinel: &Sentinel<S, Q>,
    area: SweepArea,
    candidates: Candidates,
    now: Timestamp,
) -> Result<(BatchId, Vec<ObjectVersion>), CommitError> {
    let Sentinel { store, config, .. } = sentinel;
    let Candidates { batch, source, mut versions } = candidates;
    let bucket = &config.processed_bucket;
    let manifest: Option<Manifest> = get_json(store, bucket, &layout::manifest(&batch)).await?;
    let receipt: Option<Receipt> = match source {
        Some(source) => get_json(store, bucket, &layout::receipt(&source, &batch)).await?,
        None => None,
    };
    let listed = match (area, &manifest, &receipt) {
        (SweepArea::Chunks | SweepArea::Parquet, None, _) => BTreeSet::new(),
        // The manifest may have expired before the file: the retention of the buckets differs.
        (SweepArea::Rejects, None, None) => return Ok((batch, Vec::new())),
        (_, manifest, receipt) => listed_keys(area, manifest.as_ref(), receipt.as_ref()),
    };
    versions.retain(|version| !listed.contains(version.key.as_str()));
    // The receipt lists the files of the writer only once the batch is loaded.
    if !receipt.as_ref().is_some_and(|receipt| receipt.state == ReceiptState::Loaded) {
        versions.retain(|version| !is_database_rejects(&version.key));
    }
    if manifest.is_none() && !versions.is_empty() && is_read_by_spark(store, bucket, &batch).await? {
        versions.retain(|version| age(version.modified_at, now) >= SPARK_AFTER);
    }
    Ok((batch, versions))
}

/// Returns the keys that the manifest lists, and the receipt: the writer adds files of rows that the database rejects.
fn listed_keys<'a>(
    area: SweepArea,
    manifest: Option<&'a Manifest>,
    receipt: Option<&'a Receipt>,
) -> BTreeSet<&'a str> {
    let chunks = manifest.into_iter().flat_map(|manifest| &manifest.chunks);
    match area {
        SweepArea::Chunks => chunks
            .filter_map(|chunk| match &chunk.body {
                ChunkBody::Inline(_) => None,
                ChunkBody::Object { key, .. } => Some(key.as_str()),
            })
            .collect(),
        SweepArea::Parquet => manifest
            .into_iter()
            .filter(|manifest| match manifest.state {
                ManifestState::Committed { .. } => true,
                // Its Parquet files are deleted when it is published.
                ManifestState::Refused(_) => false,
            })
            .flat_map(|manifest| manifest.parquet.iter().map(String::as_str))
            .collect(),
        SweepArea::Rejects => {
            let of_manifest = manifest.into_iter().flat_map(|manifest| &manifest.rejects);
            let of_receipt = receipt.into_iter().flat_map(|receipt| &receipt.rejects);
            let key = |uri: &'a String| Some(uri.strip_prefix("s3://")?.split_once('/')?.1);
            of_manifest.chain(of_receipt).filter_map(key).collect()
        }
    }
}

async fn is_read_by_spark(
    store: &impl ObjectListing,
    bucket: &str,
    batch: &BatchId,
) -> Result<bool, StoreError> {
    let key = layout::batch_contract(batch);
    let page = store.objects(ListScope::all(bucket, &key), None).await?;
    Ok(!page.objects.is_empty())
}

/// Removes exactly this version. Returns false if the object has been written again since the listing.
async fn remove<S: ObjectStore + ObjectListing>(
    store: &S,
    bucket: &str,
    orphan: &ObjectVersion,
) -> Result<bool, StoreError> {
    if orphan.version_id.is_none() {
        // In a bucket without versions, a delete removes whatever is stored now.
        let now = store.versions(ListScope::all(bucket, &orphan.key), None).await?;
        if now.versions.first() != Some(orphan) {
            return Ok(false);
        }
    }
    let object = ObjectRef {
        bucket: bucket.to_owned(),
        key: orphan.key.clone(),
        version_id: orphan.version_id.clone(),
        etag: None,
    };
    store.delete_version(&object).await?;
    Ok(true)
}
