//! Versions of one object. The newest loaded version replaces the others (`penstock.overwrite: replace`).
//!
//! A batch is registered with its first chunk. From then on, rows of a later version replace those of an earlier one,
//! regardless of their event times. When a later version is closed, the rows of the earlier ones are deleted in the
//! same transaction. Chunks of one object are applied under a shared lock on the object; a version is registered, or
//! closed, under an exclusive one.

use penstock_contract::TableName;
use penstock_pipeline::{BatchId, LoadMessage, LoadProgress, Manifest, Overwritten, Replaced};
use tokio_postgres::{Client, Transaction};

use crate::batches::{self, delete_rows};
use crate::error::LoadError;
use crate::ledger::{bigint, integer, unsigned};
use crate::lock::{LockMode, lock};
use crate::statement::{InsertRow, Parameters};

/// The other versions of a batch's object, without those that have been replaced, and the batches that it replays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OtherVersions {
    /// Batches whose rows the batch's rows replace.
    pub(crate) earlier: Vec<BatchId>,
    /// Versions whose rows the batch's rows do not replace.
    pub(crate) later: Vec<BatchId>,
    /// A later version that has been loaded: none of the batch's rows is loaded.
    pub(crate) replaced_by: Option<BatchId>,
}

/// A batch after its close.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedBatch {
    /// False when it was closed before.
    pub is_new: bool,
    /// The batches that it replaced.
    pub replaced: Vec<Replaced>,
    /// The version that replaced it.
    pub replaced_by: Option<BatchId>,
}

/// A version in the ledger.
struct LedgerVersion {
    batch_id: BatchId,
    table: TableName,
    is_closed: bool,
    replaced_by: Option<BatchId>,
}

/// Locks the object until the end of the transaction, registers the batch if it is new, and returns the other versions.
///
/// This is the first step of a transaction: a transaction that waits for this lock must not hold another one.
pub(crate) async fn lock_and_register(
    transaction: &Transaction<'_>,
    message: &LoadMessage,
    generation: u32,
    object: &Overwritten,
) -> Result<OtherVersions, LoadError> {
    let registered = "SELECT FROM penstock.object_version WHERE batch_id = $1";
    let is_registered = transaction.query_opt(registered, &[&message.batch_id]).await?.is_some();
    let mode = if is_registered { LockMode::Shared } else { LockMode::Exclusive };
    lock_object(transaction, mode, &object.bucket, &object.key).await?;
    if !is_registered {
        register(transaction, message, generation, object).await?;
    }
    let versions = current_versions(transaction, &message.batch_id, &object.bucket, &object.key).await?;
    let last_closed =
        versions.later.iter().rfind(|version| version.is_closed).map(|version| version.batch_id);
    let mut replaced_by = versions.own.replaced_by;
    if let (None, Some(later)) = (replaced_by, last_closed) {
        mark_replaced(transaction, &message.batch_id, &later, 0).await?;
        replaced_by = Some(later);
    }
    let batches =
        |versions: Vec<LedgerVersion>| versions.into_iter().map(|version| version.batch_id).collect();
    Ok(OtherVersions { earlier: batches(versions.earlier), later: batches(versions.later), replaced_by })
}

/// Closes a batch whose chunks have all been applied, and deletes the rows of the batches that it replaces: earlier
/// versions of its object, and those that it replays.
pub(crate) async fn close(
    client: &mut Client,
    manifest: &Manifest,
    progress: &LoadProgress,
    balanced: bool,
) -> Result<ClosedBatch, LoadError> {
    if !manifest.replaces_others() {
        let is_new = batches::close(client, manifest, progress, balanced).await?;
        return Ok(ClosedBatch { is_new, ..ClosedBatch::default() });
    }
    let (batch, bucket, key) = (&manifest.batch_id, &manifest.drop.bucket, &manifest.drop.key);
    let transaction = client.transaction().await?;
    if manifest.replaces {
        lock_object(&transaction, LockMode::Exclusive, bucket, key).await?;
    }
    let is_new = batches::close(transaction.client(), manifest, progress, balanced).await?;
    let mut replays = manifest.replays.clone();
    replays.sort_unstable();
    for replayed in &replays {
        batches::replace(&transaction, replayed, batch).await?;
    }
    let mut replaced_by = None;
    if manifest.replaces {
        let versions = current_versions(&transaction, batch, bucket, key).await?;
        // Empty when the batch was closed before, or when a later version has been closed.
        for version in &versions.earlier {
            let rows = delete_rows(&transaction, &version.table, &version.batch_id).await?;
            mark_replaced(&transaction, &version.batch_id, batch, rows).await?;
            batches::mark_replaced(&transaction, &version.batch_id, batch).await?;
            tracing::info!(batch_id = %batch, replaced = %version.batch_id, rows, "earlier version deleted");
        }
        replaced_by = versions.own.replaced_by;
        if let Some(later) = &replaced_by {
            batches::mark_replaced(&transaction, batch, later).await?;
        }
    }
    let replaced = replaced(&transaction, batch).await?;
    transaction.commit().await?;
    Ok(ClosedBatch { is_new, replaced, replaced_by })
}

async fn lock_object(
    transaction: &Transaction<'_>,
    mode: LockMode,
    bucket: &str,
    key: &str,
) -> Result<(), LoadError> {
    lock(transaction, mode, "object", &format!("{bucket}/{key}")).await
}

async fn register(
    transaction: &Transaction<'_>,
    message: &LoadMessage,
    generation: u32,
    object: &Overwritten,
) -> Result<(), LoadError> {
    // Events without a sequencer are stored with an empty one, which sorts first.
    let sequencer = object.sequencer.as_deref().unwrap_or("");
    let generation = integer("object_version", "generation", generation)?;
    let row = InsertRow::into("object_version")
        .column("batch_id", &message.batch_id)
        .column("bucket", &object.bucket)
        .column("key", &object.key)
        .column("dropped_at", &message.dropped_at)
        .column("sequencer", &sequencer)
        .column("generation", &generation)
        .column("target_schema", &message.table.schema)
        .column("target_table", &message.table.table);
    let statement = format!("{} ON CONFLICT (batch_id) DO NOTHING", row.text());
    transaction.execute(&statement, row.values()).await?;
    Ok(())
}

/// A batch among the versions of its object that have not been replaced, in the order of the versions.
struct CurrentVersions {
    earlier: Vec<LedgerVersion>,
    own: LedgerVersion,
    later: Vec<LedgerVersion>,
}

async fn current_versions(
    transaction: &Transaction<'_>,
    batch: &BatchId,
    bucket: &str,
    key: &str,
) -> Result<CurrentVersions, LoadError> {
    let mut parameters = Parameters::default();
    let statement = format!(
        "SELECT v.batch_id, v.target_schema, v.target_table, v.replaced_by, \
         EXISTS (SELECT FROM penstock.batch AS b WHERE b.batch_id = v.batch_id AND b.state = 'loaded') \
         FROM penstock.object_version AS v \
         WHERE v.bucket = {} AND v.key = {} AND (v.replaced_by IS NULL OR v.batch_id = {}) \
         ORDER BY v.dropped_at, v.sequencer, v.generation, v.number",
        parameters.bind(&bucket),
        parameters.bind(&key),
        parameters.bind(batch)
    );
    let (mut earlier, mut own, mut later) = (Vec::new(), None, Vec::new());
    for row in transaction.query(&statement, parameters.values()).await? {
        let version = LedgerVersion {
            batch_id: row.try_get(0)?,
            table: TableName { schema: row.try_get(1)?, table: row.try_get(2)? },
            replaced_by: row.try_get(3)?,
            is_closed: row.try_get(4)?,
        };
        match &own {
            None if version.batch_id == *batch => own = Some(version),
            None => earlier.push(version),
            Some(_) => later.push(version),
        }
    }
    let own = own.ok_or_else(|| LoadError::Miscounted {
        table: "penstock.object_version".to_owned(),
        problem: format!("batch {batch} is missing, although it was registered with its first chunk"),
    })?;
    Ok(CurrentVersions { earlier, own, later })
}

async fn mark_replaced(
    transaction: &Transaction<'_>,
    batch: &BatchId,
    by: &BatchId,
    withdrawn: u64,
) -> Result<(), LoadError> {
    let withdrawn = bigint("object_version", "withdrawn", withdrawn)?;
    let mut parameters = Parameters::default();
    let statement = format!(
        "UPDATE penstock.object_version SET replaced_by = {}, withdrawn = {} WHERE batch_id = {}",
        parameters.bind(by),
        parameters.bind(&withdrawn),
        parameters.bind(batch)
    );
    transaction.execute(&statement, parameters.values()).await?;
    Ok(())
}

async fn replaced(transaction: &Transaction<'_>, batch: &BatchId) -> Result<Vec<Replaced>, LoadError> {
    // A replayed batch may also be an earlier version. Its rows were deleted once.
    let statement = "SELECT batch_id, max(rows) FROM (\
                     SELECT batch_id, withdrawn FROM penstock.object_version WHERE replaced_by = $1 UNION ALL \
                     SELECT batch_id, deleted FROM penstock.stopped_batch WHERE replaced_by = $1 AND deleted IS NOT NULL\
                     ) AS r (batch_id, rows) LEFT JOIN penstock.batch AS b USING (batch_id) \
                     GROUP BY batch_id, b.dropped_at, b.sequencer, b.generation \
                     ORDER BY b.dropped_at, b.sequencer, b.generation, batch_id";
    let mut replaced = Vec::new();
    for row in transaction.query(statement, &[batch]).await? {
        replaced.push(Replaced { batch_id: row.try_get(0)?, rows: unsigned(row.try_get(1)?) });
    }
    Ok(replaced)
}
