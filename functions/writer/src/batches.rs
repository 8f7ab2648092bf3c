//! The ledger's rows of batches: opened before the first chunk, failed, closed, replaced.

use penstock_contract::TableName;
use penstock_pipeline::writer_command::LedgerBatch;
use penstock_pipeline::{
    BatchId, DatabaseRejects, LoadMessage, LoadProgress, Manifest, ManifestState, MissingChunk, SupersededBy,
};
use tokio_postgres::{Client, Transaction};

use crate::error::LoadError;
use crate::ledger::{bigint, chunk_number, integer, unsigned};
use crate::lock::{LockMode, lock};
use crate::rejected;
use crate::sql::quoted_table;
use crate::statement::{InsertRow, Parameters};

/// The maximum number of batches that a receipt names as those that superseded its rows.
const MAX_SUPERSEDED_BY: i64 = 20;

/// Inserts a batch's row, if it does not exist. If the batch replays others, no further chunk of those is applied from
/// then on.
pub(crate) async fn open(client: &mut Client, manifest: &Manifest) -> Result<(), LoadError> {
    if manifest.replays.is_empty() {
        return insert(client, manifest).await;
    }
    let transaction = client.transaction().await?;
    let mut replays = manifest.replays.clone();
    // All transactions lock in this order, so that they cannot deadlock.
    replays.sort_unstable();
    for replayed in &replays {
        lock_exclusive(&transaction, replayed).await?;
        let row = InsertRow::into("stopped_batch")
            .column("batch_id", replayed)
            .column("replaced_by", &manifest.batch_id);
        let statement = format!("{} ON CONFLICT (batch_id) DO NOTHING", row.text());
        transaction.execute(&statement, row.values()).await?;
    }
    insert(transaction.client(), manifest).await?;
    Ok(transaction.commit().await?)
}

async fn insert(client: &Client, manifest: &Manifest) -> Result<(), LoadError> {
    let (drop, totals) = (&manifest.drop, &manifest.totals);
    let table = target_table(manifest)?;
    let contract_version = manifest.contract_version.as_ref().ok_or_else(|| LoadError::Miscounted {
        table: "penstock.batch".to_owned(),
        problem: format!("the manifest of batch {} has no contract version", manifest.batch_id),
    })?;
    let rows_read = bigint("batch", "rows_read", totals.rows_read)?;
    let rejected = bigint("batch", "rejected", totals.rejected)?;
    let blank = bigint("batch", "blank", totals.blank)?;
    let bytes = bigint("batch", "bytes", drop.size_bytes)?;
    let chunk_count = integer("batch", "chunk_count", manifest.chunk_count())?;
    let generation = integer("batch", "generation", manifest.generation)?;
    let object_version = drop.version();
    // Events without a sequencer are stored with an empty one, which sorts first.
    let sequencer = drop.sequencer.as_deref().unwrap_or("");
    let (state, none) = ("loading", None::<i64>);
    let (not_balanced, not_closed) = (None::<bool>, None::<jiff::Timestamp>);
    let row = InsertRow::into("batch")
        .column("batch_id", &manifest.batch_id)
        .column("state", &state)
        .column("source", &manifest.source)
        .column("bucket", &drop.bucket)
        .column("key", &drop.key)
        .column("object_version", &object_version)
        .column("dropped_at", &drop.dropped_at)
        .column("sequencer", &sequencer)
        .column("generation", &generation)
        .column("bytes", &bytes)
        .column("contract_version", contract_version)
        .column("engine_version", &manifest.engine_version)
        .column("target_schema", &table.schema)
        .column("target_table", &table.table)
        .column("chunk_count", &chunk_count)
        .column("rows_read", &rows_read)
        .column("rejected", &rejected)
        .column("blank", &blank)
        .column("loaded", &none)
        .column("deduplicated", &none)
        .column("superseded", &none)
        .column("balanced", &not_balanced)
        .column("closed_at", &not_closed);
    let statement = format!("{} ON CONFLICT (batch_id) DO NOTHING", row.text());
    client.execute(&statement, row.values()).await?;
    Ok(())
}

fn target_table(manifest: &Manifest) -> Result<&TableName, LoadError> {
    match &manifest.state {
        ManifestState::Committed { table } => Ok(table),
        ManifestState::Refused(_) => Err(LoadError::Miscounted {
            table: "penstock.batch".to_owned(),
            problem: format!("batch {} is refused, but it has chunks", manifest.batch_id),
        }),
    }
}

/// Waits for the lock on a batch. Chunks are applied under a shared lock, and a batch is stopped under an exclusive one.
async fn lock_batch(transaction: &Transaction<'_>, mode: LockMode, batch: &BatchId) -> Result<(), LoadError> {
    lock(transaction, mode, "batch", &batch.to_string()).await
}

/// Waits for the exclusive lock on a batch.
pub(crate) async fn lock_exclusive(transaction: &Transaction<'_>, batch: &BatchId) -> Result<(), LoadError> {
    lock_batch(transaction, LockMode::Exclusive, batch).await
}

/// Waits for shared locks on batches, which are sorted: all transactions lock in this order, so that they cannot deadlock.
pub(crate) async fn lock_shared(transaction: &Transaction<'_>, batches: &[BatchId]) -> Result<(), LoadError> {
    for batch in batches {
        lock_batch(transaction, LockMode::Shared, batch).await?;
    }
    Ok(())
}

/// Returns those of `batches` of which no further chunk is applied.
pub(crate) async fn stopped(
    transaction: &Transaction<'_>,
    batches: &[BatchId],
) -> Result<Vec<BatchId>, LoadError> {
    let statement = "SELECT batch_id FROM penstock.stopped_batch WHERE batch_id = ANY ($1)";
    let rows = transaction.query(statement, &[&batches]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Records that chunks which had been moved to the dead-letter queue are applied now.
pub(crate) async fn clear_failures(
    transaction: &Transaction<'_>,
    messages: &[&LoadMessage],
) -> Result<(), LoadError> {
    let batches: Vec<BatchId> = messages.iter().map(|message| message.batch_id).collect();
    let chunks: Vec<i32> = messages.iter().map(|message| chunk_number(message)).collect::<Result<_, _>>()?;
    let mut parameters = Parameters::default();
    let delete = format!(
        "DELETE FROM penstock.chunk_failure AS f USING unnest({}::uuid[], {}::integer[]) AS u (batch_id, chunk) \
         WHERE f.batch_id = u.batch_id AND f.chunk = u.chunk",
        parameters.bind(&batches),
        parameters.bind(&chunks),
    );
    // Only the state of a failed batch changes, so that chunks of one batch do not wait for each other.
    let update = format!("{} AND state IN ('failed', 'partly_loaded')", update_state("batch_id = ANY ($1)"));
    transaction.execute(&delete, parameters.values()).await?;
    transaction.execute(&update, &[&batches]).await?;
    Ok(())
}

/// Records that a chunk has been moved to the dead-letter queue, unless it has been applied.
pub(crate) async fn fail(
    client: &mut Client,
    manifest: &Manifest,
    message: &LoadMessage,
    code: &str,
    reason: &str,
) -> Result<(), LoadError> {
    open(client, manifest).await?;
    let (chunk, rows) = (chunk_number(message)?, i64::from(message.chunk.rows));
    let transaction = client.transaction().await?;
    let insert = "INSERT INTO penstock.chunk_failure (batch_id, chunk, rows, code, message) \
                  SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS \
                  (SELECT FROM penstock.chunk AS c WHERE c.batch_id = $1 AND c.chunk = $2) \
                  ON CONFLICT (batch_id, chunk) DO UPDATE \
                  SET code = excluded.code, message = excluded.message, failed_at = excluded.failed_at";
    transaction.execute(insert, &[&manifest.batch_id, &chunk, &rows, &code, &reason]).await?;
    let update =
        format!("{} AND state IN ('loading', 'failed', 'partly_loaded')", update_state("batch_id = $1"));
    transaction.execute(&update, &[&manifest.batch_id]).await?;
    Ok(transaction.commit().await?)
}

/// Returns the statement that sets the state of the batches with this condition from their chunks.
fn update_state(condition: &str) -> String {
    format!(
        "UPDATE penstock.batch AS b SET state = CASE \
         WHEN NOT EXISTS (SELECT FROM penstock.chunk_failure AS f WHERE f.batch_id = b.batch_id) THEN 'loading' \
         WHEN EXISTS (SELECT FROM penstock.chunk AS c WHERE c.batch_id = b.batch_id) THEN 'partly_loaded' \
         ELSE 'failed' END WHERE {condition}"
    )
}

/// Sets the counts and the state of a batch whose chunks have all been applied. A batch that was replaced meanwhile stays
/// replaced. Returns false when it was closed before.
pub(crate) async fn close(
    client: &Client,
    manifest: &Manifest,
    progress: &LoadProgress,
    balanced: bool,
) -> Result<bool, LoadError> {
    let loaded = bigint("batch", "loaded", progress.loaded)?;
    let deduplicated = bigint("batch", "deduplicated", progress.deduplicated)?;
    let superseded = bigint("batch", "superseded", progress.superseded)?;
    let rejected = manifest.totals.rejected.saturating_add(progress.rejects.totals.rejected);
    let rejected = bigint("batch", "rejected", rejected)?;
    let mut parameters = Parameters::default();
    let statement = format!(
        "UPDATE penstock.batch SET loaded = {}, deduplicated = {}, superseded = {}, rejected = {}, balanced = {}, \
         closed_at = now(), state = CASE WHEN state IN ('replaced', 'withdrawn') THEN state ELSE 'loaded' END \
         WHERE batch_id = {} AND closed_at IS NULL",
        parameters.bind(&loaded),
        parameters.bind(&deduplicated),
        parameters.bind(&superseded),
        parameters.bind(&rejected),
        parameters.bind(&balanced),
        parameters.bind(&manifest.batch_id),
    );
    Ok(client.execute(&statement, parameters.values()).await? == 1)
}

/// Deletes the rows of a replayed batch, and marks it as replaced.
pub(crate) async fn replace(
    transaction: &Transaction<'_>,
    replayed: &BatchId,
    by: &BatchId,
) -> Result<(), LoadError> {
    lock_exclusive(transaction, replayed).await?;
    let is_deleted = "SELECT FROM penstock.stopped_batch WHERE batch_id = $1 AND deleted IS NOT NULL";
    if transaction.query_opt(is_deleted, &[replayed]).await?.is_some() {
        return Ok(());
    }
    let tables = "SELECT DISTINCT target_schema, target_table FROM penstock.chunk WHERE batch_id = $1";
    let mut deleted = 0u64;
    for row in transaction.query(tables, &[replayed]).await? {
        let table = TableName { schema: row.try_get(0)?, table: row.try_get(1)? };
        deleted += delete_rows(transaction, &table, replayed).await?;
    }
    let deleted = bigint("stopped_batch", "deleted", deleted)?;
    let stop = "UPDATE penstock.stopped_batch SET deleted = $2 WHERE batch_id = $1";
    transaction.execute(stop, &[replayed, &deleted]).await?;
    mark_replaced(transaction, replayed, by).await?;
    tracing::info!(batch_id = %by, replaced = %replayed, rows = deleted, "replayed batch deleted");
    Ok(())
}

/// Marks a batch as replaced by another one.
pub(crate) async fn mark_replaced(
    transaction: &Transaction<'_>,
    batch: &BatchId,
    by: &BatchId,
) -> Result<(), LoadError> {
    let update = "UPDATE penstock.batch SET state = 'replaced', replaced_by = $2 \
                  WHERE batch_id = $1 AND state <> 'withdrawn'";
    transaction.execute(update, &[batch, by]).await?;
    Ok(())
}

/// Deletes a batch's rows, and returns their number. A table that no longer exists has none.
pub(crate) async fn delete_rows(
    transaction: &Transaction<'_>,
    table: &TableName,
    batch: &BatchId,
) -> Result<u64, LoadError> {
    let exists = "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                  WHERE n.nspname = $1 AND c.relname = $2)";
    if !transaction.query_one(exists, &[&table.schema, &table.table]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let statement = format!("DELETE FROM {} WHERE _batch_id = $1", quoted_table(table));
    Ok(transaction.execute(&statement, &[batch]).await?)
}

/// Returns what the ledger has of batches, in their order. A batch that it does not have is left out.
pub(crate) async fn ledger(client: &Client, batches: &[BatchId]) -> Result<Vec<LedgerBatch>, LoadError> {
    let statement = "SELECT b.batch_id, l.state, l.replaced_by, s.batch_id IS NOT NULL, \
                     coalesce(array_agg(c.chunk ORDER BY c.chunk) FILTER (WHERE c.chunk IS NOT NULL), '{}') \
                     FROM unnest($1::uuid[]) WITH ORDINALITY AS b (batch_id, position) \
                     LEFT JOIN penstock.batch AS l USING (batch_id) \
                     LEFT JOIN penstock.stopped_batch AS s USING (batch_id) \
                     LEFT JOIN penstock.chunk AS c USING (batch_id) \
                     GROUP BY 1, 2, 3, 4, b.position \
                     HAVING l.state IS NOT NULL OR s.batch_id IS NOT NULL OR count(c.chunk) > 0 ORDER BY b.position";
    let mut found = Vec::new();
    for row in client.query(statement, &[&batches]).await? {
        let batch_id: BatchId = row.try_get(0)?;
        let indexes: Vec<i32> = row.try_get(4)?;
        let LoadProgress { loaded, deduplicated, superseded, missing, .. } =
            progress(client, &batch_id).await?.progress;
        found.push(LedgerBatch {
            batch_id,
            state: row.try_get(1)?,
            replaced_by: row.try_get(2)?,
            stopped: row.try_get(3)?,
            chunks: indexes.into_iter().map(chunk_index).collect(),
            loaded,
            deduplicated,
            superseded,
            missing,
        });
    }
    Ok(found)
}

/// Returns the index of a chunk in the ledger.
pub(crate) fn chunk_index(chunk: i32) -> u32 {
    u32::try_from(chunk).expect("the column is checked to be at least 0")
}

/// Returns the progress of a batch.
pub(crate) async fn progress(client: &Client, batch: &BatchId) -> Result<BatchProgress, LoadError> {
    let sums = "SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(sum(loaded), 0)::bigint, \
                coalesce(sum(deduplicated), 0)::bigint, coalesce(sum(superseded), 0)::bigint, min(applied_at), \
                coalesce(sum(rejected), 0)::bigint \
                FROM penstock.chunk WHERE batch_id = $1";
    let failures =
        "SELECT chunk, rows, code, message FROM penstock.chunk_failure WHERE batch_id = $1 ORDER BY 1";
    let mut parameters = Parameters::default();
    parameters.bind(batch);
    let of_batch = parameters.values();
    let (sums, failures) =
        tokio::try_join!(client.query_one(sums, of_batch), client.query(failures, of_batch))?;
    let count = |index: usize| -> Result<u64, LoadError> { Ok(unsigned(sums.try_get(index)?)) };
    let chunks = u32::try_from(count(0)?).expect("chunks of a batch are numbered by an integer");
    let missing = failures.iter().map(|row| {
        let chunk = chunk_index(row.try_get(0)?);
        let rows = unsigned(row.try_get(1)?);
        Ok(MissingChunk { chunk: chunk + 1, rows, code: row.try_get(2)?, message: row.try_get(3)? })
    });
    let missing = missing.collect::<Result<_, LoadError>>()?;
    let (loaded, deduplicated, superseded) = (count(2)?, count(3)?, count(4)?);
    let superseded_by = if superseded > 0 { superseded_by(client, batch).await? } else { Vec::new() };
    let rejects =
        if count(6)? > 0 { rejected::of_batch(client, batch).await? } else { DatabaseRejects::default() };
    Ok(BatchProgress {
        rows: count(1)?,
        first_applied_at: sums.try_get(5)?,
        progress: LoadProgress { chunks, loaded, deduplicated, superseded, superseded_by, rejects, missing },
    })
}

/// The progress of a batch in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchProgress {
    /// Rows of the applied chunks.
    pub rows: u64,
    /// The time at which the transaction of the first chunk began.
    pub first_applied_at: Option<jiff::Timestamp>,
    /// The part that the receipt has.
    pub progress: LoadProgress,
}

async fn superseded_by(client: &Client, batch: &BatchId) -> Result<Vec<SupersededBy>, LoadError> {
    let statement = "SELECT by_batch, sum(rows)::bigint FROM penstock.superseded WHERE batch_id = $1 \
                     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $2";
    let rows = client.query(statement, &[batch, &MAX_SUPERSEDED_BY]).await?;
    let superseded = |row: &tokio_postgres::Row| {
        Ok(SupersededBy { batch_id: row.try_get(0)?, rows: unsigned(row.try_get(1)?) })
    };
    rows.iter().map(superseded).collect()
}
