//! Withdrawal of a batch: its rows are deleted, and the rows that they had replaced are restored.
//!
//! PostgreSQL does not retain a replaced row, but the chunks of earlier batches do. The rows of those chunks are merged into
//! a table of their own, `penstock.withdrawn_<batch>`, by the same order as into the target:
//!
//! - of each other batch of the table, the rows with a key of the withdrawn batch's rows;
//! - of each batch that the withdrawn one had replaced, all rows.
//!
//! One transaction then deletes the withdrawn rows and merges that table into the target. Until it commits, readers have
//! the rows of the withdrawn batch. Before it, a crash leaves only the table, which the next attempt continues.

use penstock_contract::{Contract, TableName};
use penstock_pipeline::BatchId;
use penstock_pipeline::writer_command::WithdrawnRows;
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::batches::{chunk_index, delete_rows, lock_exclusive};
use crate::chunk::VerifiedChunk;
use crate::error::LoadError;
use crate::ledger::{bigint, chunk_number, unsigned};
use crate::load::{copy_chunk, row_base};
use crate::rejected;
use crate::sql::{
    MergeParameters, OneChunk, SqlError, VersionLists, load_sql, merge_restored, merge_table, quoted,
    quoted_table, upserts,
};
use crate::target;

/// The staging table of the chunks whose rows are collected.
const STAGE: &str = "penstock_restore";

/// The part of a batch that may be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoredPart {
    /// The rows with keys of the withdrawn batch's rows.
    Keys,
    /// All rows: the withdrawn batch had replaced the batch.
    All,
}

/// Chunks of a batch whose rows may be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredChunks {
    /// The batch.
    pub batch: BatchId,
    /// The part of its rows.
    pub part: RestoredPart,
    /// Indexes of the chunks, from 0.
    pub chunks: Vec<u32>,
}

fn work_table(batch: &BatchId) -> TableName {
    TableName { schema: "penstock".to_owned(), table: format!("withdrawn_{}", batch.simple()) }
}

/// Counts the rows of a batch that are in its table.
pub(crate) async fn count(client: &Client, contract: &Contract, batch: &BatchId) -> Result<u64, LoadError> {
    let table = quoted_table(&contract.entity.table);
    let statement = format!("SELECT count(*) FROM {table} WHERE _batch_id = $1");
    Ok(unsigned(client.query_one(&statement, &[batch]).await?.try_get(0)?))
}

/// Stops a batch and creates the table for the rows to restore.
pub(crate) async fn begin(
    client: &mut Client,
    contract: &Contract,
    batch: &BatchId,
) -> Result<(), LoadError> {
    let transaction = client.transaction().await?;
    lock_exclusive(&transaction, batch).await?;
    let stop = "INSERT INTO penstock.stopped_batch (batch_id) VALUES ($1) ON CONFLICT (batch_id) DO NOTHING";
    transaction.execute(stop, &[batch]).await?;
    let (target, work) = (quoted_table(&contract.entity.table), quoted_table(&work_table(batch)));
    let create = format!("CREATE TABLE IF NOT EXISTS {work} (LIKE {target} INCLUDING INDEXES)");
    transaction.batch_execute(&create).await?;
    Ok(transaction.commit().await?)
}

/// Returns the applied chunks whose rows have not been collected yet.
pub(crate) async fn remaining(
    client: &impl GenericClient,
    contract: &Contract,
    batch: &BatchId,
) -> Result<Vec<RestoredChunks>, LoadError> {
    let table = &contract.entity.table;
    // Without a key, a row replaces no other, so only batches that were replaced as a whole are restored.
    let statement = "SELECT b.batch_id, coalesce(b.replaced_by = $1, false), array_agg(c.chunk ORDER BY c.chunk) \
                     FROM penstock.batch AS b JOIN penstock.chunk AS c USING (batch_id) \
                     WHERE c.target_schema = $2 AND c.target_table = $3 AND b.batch_id <> $1 \
                     AND (b.replaced_by = $1 OR ($4 AND b.state IN ('loading', 'partly_loaded', 'failed', 'loaded') \
                     AND NOT EXISTS (SELECT FROM penstock.stopped_batch AS s WHERE s.batch_id = b.batch_id))) \
                     AND NOT EXISTS (SELECT FROM penstock.withdrawal AS w \
                     WHERE w.batch_id = $1 AND w.collected = c.batch_id AND w.chunk = c.chunk) \
                     GROUP BY 1, 2 ORDER BY max(b.dropped_at) DESC NULLS LAST, 1";
    let mut remaining = Vec::new();
    for row in client.query(statement, &[batch, &table.schema, &table.table, &upserts(contract)]).await? {
        let part = if row.try_get(1)? { RestoredPart::All } else { RestoredPart::Keys };
        let chunks: Vec<i32> = row.try_get(2)?;
        let chunks = chunks.into_iter().map(chunk_index).collect();
        remaining.push(RestoredChunks { batch: row.try_get(0)?, part, chunks });
    }
    Ok(remaining)
}

/// Collects the rows of a chunk of another batch.
pub(crate) async fn collect(
    client: &mut Client,
    withdrawn: (&TableName, &BatchId),
    part: RestoredPart,
    contract: &Contract,
    chunk: &VerifiedChunk,
) -> Result<(), LoadError> {
    let (target, batch) = withdrawn;
    let message = &chunk.message;
    let foreign = target::foreign_columns(client, contract).await?;
    let mut into_work = contract.clone();
    into_work.entity.table = work_table(batch);
    let unusable = |error: SqlError| LoadError::Contract {
        source_name: contract.source.clone(),
        version: contract.version.clone(),
        problem: error.to_string(),
    };
    let sql = load_sql(&into_work, STAGE, &foreign).map_err(unusable)?;
    let merge = match part {
        RestoredPart::All => sql.merge_single,
        RestoredPart::Keys => merge_restored(&into_work, STAGE, &foreign, target, batch).map_err(unusable)?,
    };
    let transaction = client.transaction().await?;
    transaction.batch_execute(&sql.create_stage).await?;
    let copy = transaction.prepare(&sql.copy_single).await?;
    copy_chunk(&transaction, &copy, chunk).await?;
    rejected::delete_staged(&transaction, message, row_base(message)?, &format!("pg_temp.{}", quoted(STAGE)))
        .await?;
    let chunks = OneChunk {
        source: &message.source,
        batch_id: &message.batch_id,
        row_base: row_base(message)?,
        priority: contract.load.priority,
        dropped_at: message.dropped_at,
    };
    let versions = upserts(contract).then_some(VersionLists { earlier: &[], later: &[] });
    let merge = merge.prepare(transaction.client()).await?;
    merge.execute(transaction.client(), &MergeParameters { chunks, versions }).await?;
    transaction.batch_execute(&sql.drop_stage).await?;
    let done = "INSERT INTO penstock.withdrawal (batch_id, collected, chunk) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    transaction.execute(done, &[batch, &message.batch_id, &chunk_number(message)?]).await?;
    Ok(transaction.commit().await?)
}

/// Deletes the batch's rows and merges the collected ones into the table. Returns `None`, without having changed anything,
/// if more chunks must be collected first.
pub(crate) async fn finish(
    client: &mut Client,
    contract: &Contract,
    batch: &BatchId,
) -> Result<Option<WithdrawnRows>, LoadError> {
    let work = work_table(batch);
    let transaction = client.transaction().await?;
    lock_exclusive(&transaction, batch).await?;
    // Other writers wait: a chunk that they applied now could have rows to restore that were not collected.
    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", quoted_table(&contract.entity.table));
    transaction.batch_execute(&lock).await?;
    if !remaining(&transaction, contract, batch).await?.is_empty() {
        transaction.rollback().await?;
        return Ok(None);
    }
    let deleted = delete_rows(&transaction, &contract.entity.table, batch).await?;
    let columns = columns(&transaction, &work).await?;
    let restored = transaction.execute(&merge_table(contract, &work, &columns), &[]).await?;
    transaction.batch_execute(&format!("DROP TABLE {}", quoted_table(&work))).await?;
    mark_withdrawn(&transaction, batch, deleted).await?;
    reinstate(&transaction, batch).await?;
    transaction.commit().await?;
    tracing::info!(batch_id = %batch, deleted, restored, "batch withdrawn");
    Ok(Some(WithdrawnRows { deleted, restored: Some(restored) }))
}

async fn columns(transaction: &Transaction<'_>, table: &TableName) -> Result<Vec<String>, LoadError> {
    let statement = "SELECT a.attname::text FROM pg_attribute AS a \
                     WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped \
                     AND a.attgenerated = '' ORDER BY a.attnum";
    let rows = transaction.query(statement, &[&quoted_table(table)]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

async fn mark_withdrawn(
    transaction: &Transaction<'_>,
    batch: &BatchId,
    deleted: u64,
) -> Result<(), LoadError> {
    let deleted = bigint("stopped_batch", "deleted", deleted)?;
    let stopped = "UPDATE penstock.stopped_batch SET deleted = $2 WHERE batch_id = $1";
    transaction.execute(stopped, &[batch, &deleted]).await?;
    let state = "UPDATE penstock.batch SET state = 'withdrawn' WHERE batch_id = $1";
    transaction.execute(state, &[batch]).await?;
    // It is not among the versions of its object any more.
    transaction.execute("DELETE FROM penstock.object_version WHERE batch_id = $1", &[batch]).await?;
    transaction.execute("DELETE FROM penstock.withdrawal WHERE batch_id = $1", &[batch]).await?;
    Ok(())
}

/// Makes the batches that the withdrawn one had replaced loaded ones again.
async fn reinstate(transaction: &Transaction<'_>, batch: &BatchId) -> Result<(), LoadError> {
    for statement in [
        "UPDATE penstock.batch AS b SET replaced_by = NULL, state = CASE WHEN b.chunk_count > \
         (SELECT count(*) FROM penstock.chunk AS c WHERE c.batch_id = b.batch_id) \
         THEN 'partly_loaded' ELSE 'loaded' END WHERE b.replaced_by = $1",
        "UPDATE penstock.object_version SET replaced_by = NULL, withdrawn = NULL WHERE replaced_by = $1",
        "DELETE FROM penstock.stopped_batch WHERE replaced_by = $1",
    ] {
        transaction.execute(statement, &[batch]).await?;
    }
    Ok(())
}
