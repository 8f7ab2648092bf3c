//! The ledger: schema `penstock` of the target database.

use jiff::Timestamp;
use penstock_aws::database::DatabaseError;
use penstock_pipeline::{BatchId, LoadMessage, Manifest};
use tokio_postgres::{Client, Transaction};

use crate::error::LoadError;

/// In order; each is applied once. New ones are added at the end and only expand.
const MIGRATIONS: [(i32, &str, &str); 3] = [
    (1, "0001_ledger", include_str!("../../../infra/migrations/0001_ledger.sql")),
    (2, "0002_object_version", include_str!("../../../infra/migrations/0002_object_version.sql")),
    (3, "0003_blank_rows", include_str!("../../../infra/migrations/0003_blank_rows.sql")),
];

/// What became of a chunk's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Inserted, or put in the place of an older row.
    pub loaded: u64,
    /// Lost to another row of the same batch.
    pub deduplicated: u64,
    /// Lost to a newer row of another batch.
    pub superseded: u64,
}

/// What the ledger has of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSums {
    /// Chunks applied.
    pub chunks: u64,
    /// Their rows.
    pub rows: u64,
    /// What became of them.
    pub counts: ChunkCounts,
    /// When the first of them was begun.
    pub first_applied_at: Option<Timestamp>,
}

/// Brings schema `penstock` up to date.
///
/// # Errors
/// When the database does not do as asked.
pub async fn migrate(client: &mut Client) -> Result<(), DatabaseError> {
    if version(client).await? >= MIGRATIONS[MIGRATIONS.len() - 1].0 {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    // Another writer may be at it: it is waited for here, and what it did is seen below.
    transaction
        .execute("SELECT pg_advisory_xact_lock(hashtextextended('penstock migration', 0))", &[])
        .await?;
    let applied = version(transaction.client()).await?;
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, _, _)| *version > applied) {
        transaction.batch_execute(sql).await?;
        let note = "INSERT INTO penstock.migration (version, name) VALUES ($1, $2)";
        transaction.execute(note, &[version, name]).await?;
        tracing::info!(version, name, "migration applied");
    }
    Ok(transaction.commit().await?)
}

async fn version(client: &Client) -> Result<i32, DatabaseError> {
    // Not `to_regclass`: that asks a cache, which does not yet know what was committed while the lock was waited for.
    let exists = "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                  WHERE n.nspname = 'penstock' AND c.relname = 'migration')";
    if !client.query_one(exists, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0) FROM penstock.migration";
    Ok(client.query_one(version, &[]).await?.try_get(0)?)
}

/// Enters chunks that share a transaction, with all of their rows as loaded; gives the indexes of those that were not
/// there before.
///
/// First in its transaction: a second writer on the same chunk blocks here until the first commits, then sees its row
/// and skips. In one order, so that two writers never wait for each other in a circle.
pub(crate) async fn claim(
    transaction: &Transaction<'_>,
    messages: &[&LoadMessage],
) -> Result<Vec<usize>, LoadError> {
    let Some(first) = messages.first() else { return Ok(Vec::new()) };
    let batches: Vec<BatchId> = messages.iter().map(|message| message.batch_id).collect();
    let chunks: Vec<i32> = messages.iter().map(|message| chunk_number(message)).collect();
    let rows: Vec<i64> = messages.iter().map(|message| i64::from(message.chunk.rows)).collect();
    let hashes: Vec<&str> = messages.iter().map(|message| message.chunk.sha256.as_str()).collect();
    let statement = "INSERT INTO penstock.chunk (batch_id, chunk, source, target_schema, target_table, \
                     contract_version, rows, loaded, deduplicated, superseded, sha256) \
                     SELECT u.batch_id, u.chunk, $1, $2, $3, $4, u.rows, u.rows, 0, 0, u.sha256 \
                     FROM unnest($5::uuid[], $6::integer[], $7::bigint[], $8::text[]) \
                     AS u (batch_id, chunk, rows, sha256) ORDER BY u.batch_id, u.chunk \
                     ON CONFLICT (batch_id, chunk) DO NOTHING RETURNING batch_id, chunk";
    let table = &first.table;
    let claimed = transaction
        .query(
            statement,
            &[
                &first.source,
                &table.schema,
                &table.table,
                &first.contract_version,
                &batches,
                &chunks,
                &rows,
                &hashes,
            ],
        )
        .await?;
    let mut indexes = Vec::with_capacity(claimed.len());
    for row in claimed {
        let (batch, chunk): (BatchId, i32) = (row.try_get(0)?, row.try_get(1)?);
        let index = (0..messages.len()).find(|index| batches[*index] == batch && chunks[*index] == chunk);
        indexes.extend(index);
    }
    indexes.sort_unstable();
    Ok(indexes)
}

/// Puts right the counts of chunks of which not all rows were loaded.
pub(crate) async fn correct(
    transaction: &Transaction<'_>,
    counted: &[(&LoadMessage, ChunkCounts)],
) -> Result<(), LoadError> {
    let short: Vec<_> =
        counted.iter().filter(|(message, counts)| counts.loaded < u64::from(message.chunk.rows)).collect();
    if short.is_empty() {
        return Ok(());
    }
    let batches: Vec<BatchId> = short.iter().map(|(message, _)| message.batch_id).collect();
    let chunks: Vec<i32> = short.iter().map(|(message, _)| chunk_number(message)).collect();
    let of = |count: fn(&ChunkCounts) -> u64| -> Vec<i64> {
        short.iter().map(|(_, counts)| i64::try_from(count(counts)).unwrap_or(i64::MAX)).collect()
    };
    let statement = "UPDATE penstock.chunk AS l \
                     SET loaded = u.loaded, deduplicated = u.deduplicated, superseded = u.superseded \
                     FROM unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[]) \
                     AS u (batch_id, chunk, loaded, deduplicated, superseded) \
                     WHERE l.batch_id = u.batch_id AND l.chunk = u.chunk";
    let (loaded, deduplicated, superseded) =
        (of(|counts| counts.loaded), of(|counts| counts.deduplicated), of(|counts| counts.superseded));
    transaction.execute(statement, &[&batches, &chunks, &loaded, &deduplicated, &superseded]).await?;
    Ok(())
}

/// What the ledger has of a batch.
pub(crate) async fn sums(client: &Client, batch: &BatchId) -> Result<BatchSums, LoadError> {
    let statement = "SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(sum(loaded), 0)::bigint, \
                     coalesce(sum(deduplicated), 0)::bigint, coalesce(sum(superseded), 0)::bigint, min(applied_at) \
                     FROM penstock.chunk WHERE batch_id = $1";
    let row = client.query_one(statement, &[batch]).await?;
    let count = |index: usize| -> Result<u64, LoadError> {
        let count: i64 = row.try_get(index)?;
        // Each is a count or a sum of columns that are checked to be at least 0.
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let counts = ChunkCounts { loaded: count(2)?, deduplicated: count(3)?, superseded: count(4)? };
    Ok(BatchSums { chunks: count(0)?, rows: count(1)?, counts, first_applied_at: row.try_get(5)? })
}

/// Enters a batch whose chunks have all been applied. False when it was there.
pub(crate) async fn close(
    client: &Client,
    manifest: &Manifest,
    sums: &BatchSums,
    balanced: bool,
) -> Result<bool, LoadError> {
    let statement = "INSERT INTO penstock.batch (batch_id, source, bucket, key, object_version, contract_version, \
                     rows_read, rejected, loaded, deduplicated, superseded, blank, balanced) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (batch_id) DO NOTHING";
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let drop = &manifest.drop;
    let inserted = client
        .execute(
            statement,
            &[
                &manifest.batch_id,
                &manifest.source,
                &drop.bucket,
                &drop.key,
                &drop.version(),
                &manifest.contract_version.as_deref().unwrap_or_default(),
                &number(manifest.totals.rows_read),
                &number(manifest.totals.rejected),
                &number(sums.counts.loaded),
                &number(sums.counts.deduplicated),
                &number(sums.counts.superseded),
                &number(manifest.totals.blank),
                &balanced,
            ],
        )
        .await?;
    Ok(inserted == 1)
}

fn chunk_number(message: &LoadMessage) -> i32 {
    i32::try_from(message.chunk.index).unwrap_or(i32::MAX)
}
