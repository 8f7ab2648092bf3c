//! Versions of one object, where the newest that is loaded stands for the others (`penstock.overwrite: replace`).
//!
//! A batch is registered with its first chunk. From then on the rows of an earlier version give way to those of a later
//! one, whatever their event times; and when a later version is closed, the rows of the earlier ones are taken out in the
//! same transaction. Chunks of one object may be applied at the same time, holding its lock together; a version is
//! registered, or closed, by whoever holds it alone.

use penstock_contract::TableName;
use penstock_pipeline::{BatchId, LoadMessage, Manifest, Overwritten, Replaced};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Transaction};

use crate::error::LoadError;
use crate::ledger::{self, BatchSums};
use crate::lock::{Hold, lock};
use crate::sql::quoted_table;

/// What the ledger has of the other versions of a batch's object, those that have been replaced left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Their rows give way to the batch's.
    pub(crate) earlier: Vec<BatchId>,
    /// The batch's rows give way to theirs.
    pub(crate) later: Vec<BatchId>,
    /// A later version that has been loaded: no row of the batch is.
    pub(crate) replaced_by: Option<BatchId>,
}

/// A batch at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// False when it had been closed before.
    pub is_new: bool,
    /// The versions of its object that it stands for.
    pub replaced: Vec<Replaced>,
    /// The version that stands for it.
    pub replaced_by: Option<BatchId>,
}

/// A version as the ledger has it.
struct Version {
    batch_id: BatchId,
    table: TableName,
    is_closed: bool,
    replaced_by: Option<BatchId>,
}

/// Holds the object's lock to the end of the transaction, and registers the batch where it is new.
///
/// First in its transaction: who waits for the lock must hold nothing that one of its holders may wait for.
pub(crate) async fn hold(
    transaction: &Transaction<'_>,
    message: &LoadMessage,
    object: &Overwritten,
) -> Result<Versions, LoadError> {
    let standing = "SELECT FROM penstock.object_version WHERE batch_id = $1";
    let is_registered = transaction.query_opt(standing, &[&message.batch_id]).await?.is_some();
    let hold = if is_registered { Hold::Together } else { Hold::Alone };
    lock_object(transaction, hold, &object.bucket, &object.key).await?;
    if !is_registered {
        register(transaction, message, object).await?;
    }
    let versions = others(transaction, &message.batch_id, &object.bucket, &object.key).await?;
    let last_closed =
        versions.later.iter().rfind(|version| version.is_closed).map(|version| version.batch_id);
    let mut replaced_by = versions.own.replaced_by;
    if let (None, Some(later)) = (replaced_by, last_closed) {
        replace(transaction, &message.batch_id, &later, 0).await?;
        replaced_by = Some(later);
    }
    let batches = |versions: Vec<Version>| versions.into_iter().map(|version| version.batch_id).collect();
    Ok(Versions { earlier: batches(versions.earlier), later: batches(versions.later), replaced_by })
}

/// Enters a batch whose chunks have all been applied, and takes out the rows of the versions that it stands for.
pub(crate) async fn close(
    client: &mut Client,
    manifest: &Manifest,
    sums: &BatchSums,
    balanced: bool,
) -> Result<Closed, LoadError> {
    if !manifest.replaces {
        let is_new = ledger::close(client, manifest, sums, balanced).await?;
        return Ok(Closed { is_new, ..Closed::default() });
    }
    let (batch, bucket, key) = (&manifest.batch_id, &manifest.drop.bucket, &manifest.drop.key);
    let transaction = client.transaction().await?;
    lock_object(&transaction, Hold::Alone, bucket, key).await?;
    let is_new = ledger::close(transaction.client(), manifest, sums, balanced).await?;
    let versions = others(&transaction, batch, bucket, key).await?;
    // There are none when this was done before, or a later version has been closed.
    for version in &versions.earlier {
        let rows = take_out(&transaction, version).await?;
        replace(&transaction, &version.batch_id, batch, rows).await?;
        tracing::info!(batch_id = %batch, replaced = %version.batch_id, rows, "earlier version taken out");
    }
    let replaced = replaced(&transaction, batch).await?;
    transaction.commit().await?;
    Ok(Closed { is_new, replaced, replaced_by: versions.own.replaced_by })
}

async fn lock_object(
    transaction: &Transaction<'_>,
    hold: Hold,
    bucket: &str,
    key: &str,
) -> Result<(), LoadError> {
    lock(transaction, hold, "object", &format!("{bucket}/{key}")).await
}

async fn register(
    transaction: &Transaction<'_>,
    message: &LoadMessage,
    object: &Overwritten,
) -> Result<(), LoadError> {
    let statement = "INSERT INTO penstock.object_version \
                     (batch_id, bucket, key, dropped_at, sequencer, target_schema, target_table) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (batch_id) DO NOTHING";
    let sequencer = object.sequencer.as_deref().unwrap_or_default();
    let (table, dropped_at) = (&message.table, &message.dropped_at);
    let values: [&(dyn ToSql + Sync); 7] =
        [&message.batch_id, &object.bucket, &object.key, dropped_at, &sequencer, &table.schema, &table.table];
    transaction.execute(statement, &values).await?;
    Ok(())
}

/// A batch among the versions of its object that have not been replaced, each side in their order.
struct Others {
    earlier: Vec<Version>,
    own: Version,
    later: Vec<Version>,
}

async fn others(
    transaction: &Transaction<'_>,
    batch: &BatchId,
    bucket: &str,
    key: &str,
) -> Result<Others, LoadError> {
    let statement = "SELECT v.batch_id, v.target_schema, v.target_table, v.replaced_by, \
                     EXISTS (SELECT FROM penstock.batch AS b WHERE b.batch_id = v.batch_id) \
                     FROM penstock.object_version AS v \
                     WHERE v.bucket = $1 AND v.key = $2 AND (v.replaced_by IS NULL OR v.batch_id = $3) \
                     ORDER BY v.dropped_at, v.sequencer, v.number";
    let (mut earlier, mut own, mut later) = (Vec::new(), None, Vec::new());
    for row in transaction.query(statement, &[&bucket, &key, batch]).await? {
        let version = Version {
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
        problem: format!("batch {batch} is not there, though it was entered with its first chunk"),
    })?;
    Ok(Others { earlier, own, later })
}

async fn replace(
    transaction: &Transaction<'_>,
    batch: &BatchId,
    by: &BatchId,
    withdrawn: u64,
) -> Result<(), LoadError> {
    let statement = "UPDATE penstock.object_version SET replaced_by = $2, withdrawn = $3 WHERE batch_id = $1";
    let withdrawn = i64::try_from(withdrawn).unwrap_or(i64::MAX);
    transaction.execute(statement, &[batch, by, &withdrawn]).await?;
    Ok(())
}

/// Gives how many rows there were. A table that is gone has none.
async fn take_out(transaction: &Transaction<'_>, version: &Version) -> Result<u64, LoadError> {
    let exists = "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                  WHERE n.nspname = $1 AND c.relname = $2)";
    let TableName { schema, table } = &version.table;
    if !transaction.query_one(exists, &[schema, table]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let statement = format!("DELETE FROM {} WHERE _batch_id = $1", quoted_table(&version.table));
    Ok(transaction.execute(&statement, &[&version.batch_id]).await?)
}

async fn replaced(transaction: &Transaction<'_>, batch: &BatchId) -> Result<Vec<Replaced>, LoadError> {
    let statement = "SELECT batch_id, withdrawn FROM penstock.object_version WHERE replaced_by = $1 \
                     ORDER BY dropped_at, sequencer, number";
    let mut replaced = Vec::new();
    for row in transaction.query(statement, &[batch]).await? {
        let rows: i64 = row.try_get(1)?;
        // Checked to be at least 0.
        replaced.push(Replaced { batch_id: row.try_get(0)?, rows: u64::try_from(rows).unwrap_or(0) });
    }
    Ok(replaced)
}
