//! The ledger: schema `penstock` of the target database.

use penstock_aws::database::{DatabaseError, SqlFailure};
use penstock_pipeline::{BatchId, LoadMessage};
use tokio_postgres::{Client, Transaction};

use crate::error::LoadError;
use crate::lock::{DefinitionAttempts, begin_definition};
use crate::statement::{InsertRow, Parameters};

/// The migrations, in the order in which they are applied, each once. New ones are appended, and only expand the
/// schema.
const MIGRATIONS: [(i32, &str, &str); 5] = [
    (1, "0001_ledger", include_str!("../../../infra/migrations/0001_ledger.sql")),
    (2, "0002_object_version", include_str!("../../../infra/migrations/0002_object_version.sql")),
    (3, "0003_blank_rows", include_str!("../../../infra/migrations/0003_blank_rows.sql")),
    (4, "0004_batch_states", include_str!("../../../infra/migrations/0004_batch_states.sql")),
    (5, "0005_chunk_reject", include_str!("../../../infra/migrations/0005_chunk_reject.sql")),
];

/// The rows of a chunk, counted by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunkCounts {
    /// Rows that were inserted or replaced an older row.
    pub loaded: u64,
    /// Rows that lost to another row of the same batch.
    pub deduplicated: u64,
    /// Rows that lost to a newer row of another batch.
    pub superseded: u64,
    /// Rows that the database refused.
    pub rejected: u64,
}

/// Migrates schema `penstock` to the current version.
///
/// # Errors
/// Returns an error if the database fails or refuses a statement.
pub async fn migrate(client: &mut Client) -> Result<(), DatabaseError> {
    if version(client).await? >= MIGRATIONS[MIGRATIONS.len() - 1].0 {
        return Ok(());
    }
    let mut attempts = DefinitionAttempts::default();
    while let Err(error) = apply_migrations(client).await {
        if !attempts.again(error.sql().is_some_and(SqlFailure::is_contention)).await {
            return Err(error);
        }
    }
    Ok(())
}

async fn apply_migrations(client: &mut Client) -> Result<(), DatabaseError> {
    let transaction = begin_definition(client).await?;
    // Another writer may be migrating: its migrations are visible once the lock is granted.
    transaction
        .execute("SELECT pg_advisory_xact_lock(hashtextextended('penstock migration', 0))", &[])
        .await?;
    let applied = version(transaction.client()).await?;
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, _, _)| *version > applied) {
        transaction.batch_execute(sql).await?;
        let row = InsertRow::into("migration").column("version", version).column("name", name);
        transaction.execute(&row.text(), row.values()).await?;
        tracing::info!(version, name, "migration applied");
    }
    Ok(transaction.commit().await?)
}

async fn version(client: &Client) -> Result<i32, DatabaseError> {
    // `to_regclass` would read a cache that may lack changes that were committed while this transaction waited for the
    // lock.
    let exists = "SELECT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                  WHERE n.nspname = 'penstock' AND c.relname = 'migration')";
    if !client.query_one(exists, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0) FROM penstock.migration";
    Ok(client.query_one(version, &[]).await?.try_get(0)?)
}

/// Inserts the chunks of one transaction into the ledger, with all of their rows counted as loaded, and returns the
/// indexes of those that were not in it. Chunks of batches that have been stopped are not inserted.
///
/// This precedes the load: a second writer with the same chunk waits here until the first one commits, then finds its
/// row and skips the chunk. All writers insert in the same order, so that they cannot deadlock.
pub(crate) async fn claim(
    transaction: &Transaction<'_>,
    messages: &[&LoadMessage],
) -> Result<Vec<usize>, LoadError> {
    let Some(first) = messages.first() else { return Ok(Vec::new()) };
    let batches: Vec<BatchId> = messages.iter().map(|message| message.batch_id).collect();
    let chunks: Vec<i32> = messages.iter().map(|message| chunk_number(message)).collect::<Result<_, _>>()?;
    let rows: Vec<i64> = messages.iter().map(|message| i64::from(message.chunk.rows)).collect();
    let hashes: Vec<&str> = messages.iter().map(|message| message.chunk.sha256.as_str()).collect();
    let mut parameters = Parameters::default();
    let statement = format!(
        "INSERT INTO penstock.chunk (batch_id, chunk, source, target_schema, target_table, \
         contract_version, rows, loaded, deduplicated, superseded, sha256) \
         SELECT u.batch_id, u.chunk, {source}, {schema}, {table}, {version}, u.rows, u.rows, 0, 0, u.sha256 \
         FROM unnest({batches}::uuid[], {chunks}::integer[], {rows}::bigint[], {hashes}::text[]) \
         AS u (batch_id, chunk, rows, sha256) \
         WHERE NOT EXISTS (SELECT FROM penstock.stopped_batch AS s WHERE s.batch_id = u.batch_id) \
         ORDER BY u.batch_id, u.chunk \
         ON CONFLICT (batch_id, chunk) DO NOTHING RETURNING batch_id, chunk",
        source = parameters.bind(&first.source),
        schema = parameters.bind(&first.table.schema),
        table = parameters.bind(&first.table.table),
        version = parameters.bind(&first.contract_version),
        batches = parameters.bind(&batches),
        chunks = parameters.bind(&chunks),
        rows = parameters.bind(&rows),
        hashes = parameters.bind(&hashes),
    );
    let mut indexes = Vec::new();
    for row in transaction.query(&statement, parameters.values()).await? {
        let (batch, chunk): (BatchId, i32) = (row.try_get(0)?, row.try_get(1)?);
        let index = (0..messages.len()).find(|index| batches[*index] == batch && chunks[*index] == chunk);
        indexes.push(index.expect("RETURNING yields only inserted rows"));
    }
    indexes.sort_unstable();
    Ok(indexes)
}

/// Corrects the counts of chunks with rows that were not loaded.
pub(crate) async fn correct(
    transaction: &Transaction<'_>,
    counted: &[(&LoadMessage, ChunkCounts)],
) -> Result<(), LoadError> {
    let incomplete: Vec<_> =
        counted.iter().filter(|(message, counts)| counts.loaded < u64::from(message.chunk.rows)).collect();
    if incomplete.is_empty() {
        return Ok(());
    }
    let batches: Vec<BatchId> = incomplete.iter().map(|(message, _)| message.batch_id).collect();
    let chunks: Vec<i32> =
        incomplete.iter().map(|(message, _)| chunk_number(message)).collect::<Result<_, _>>()?;
    let column = |name, count: fn(&ChunkCounts) -> u64| -> Result<Vec<i64>, LoadError> {
        incomplete.iter().map(|(_, counts)| bigint("chunk", name, count(counts))).collect()
    };
    let loaded = column("loaded", |counts| counts.loaded)?;
    let deduplicated = column("deduplicated", |counts| counts.deduplicated)?;
    let superseded = column("superseded", |counts| counts.superseded)?;
    let rejected = column("rejected", |counts| counts.rejected)?;
    let mut parameters = Parameters::default();
    let statement = format!(
        "UPDATE penstock.chunk AS l \
         SET loaded = u.loaded, deduplicated = u.deduplicated, superseded = u.superseded, rejected = u.rejected \
         FROM unnest({}::uuid[], {}::integer[], {}::bigint[], {}::bigint[], {}::bigint[], {}::bigint[]) \
         AS u (batch_id, chunk, loaded, deduplicated, superseded, rejected) \
         WHERE l.batch_id = u.batch_id AND l.chunk = u.chunk",
        parameters.bind(&batches),
        parameters.bind(&chunks),
        parameters.bind(&loaded),
        parameters.bind(&deduplicated),
        parameters.bind(&superseded),
        parameters.bind(&rejected),
    );
    transaction.execute(&statement, parameters.values()).await?;
    Ok(())
}

/// Records by which batches rows of chunks were superseded.
pub(crate) async fn record_superseded(
    transaction: &Transaction<'_>,
    superseded: &[SupersededRows<'_>],
) -> Result<(), LoadError> {
    if superseded.is_empty() {
        return Ok(());
    }
    let batches: Vec<BatchId> = superseded.iter().map(|rows| rows.message.batch_id).collect();
    let chunks: Vec<i32> =
        superseded.iter().map(|rows| chunk_number(rows.message)).collect::<Result<_, _>>()?;
    let by: Vec<BatchId> = superseded.iter().map(|rows| rows.by).collect();
    let rows: Vec<i64> =
        superseded.iter().map(|rows| bigint("superseded", "rows", rows.rows)).collect::<Result<_, _>>()?;
    let mut parameters = Parameters::default();
    let statement = format!(
        "INSERT INTO penstock.superseded (batch_id, chunk, by_batch, rows) \
         SELECT * FROM unnest({}::uuid[], {}::integer[], {}::uuid[], {}::bigint[])",
        parameters.bind(&batches),
        parameters.bind(&chunks),
        parameters.bind(&by),
        parameters.bind(&rows),
    );
    transaction.execute(&statement, parameters.values()).await?;
    Ok(())
}

/// Rows of a chunk that lost to newer rows of another batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SupersededRows<'a> {
    pub(crate) message: &'a LoadMessage,
    /// The batch of the newer rows.
    pub(crate) by: BatchId,
    pub(crate) rows: u64,
}

/// Returns a count from the database as an unsigned number.
pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).expect("counts, and columns that are checked to be at least 0, are not negative")
}

/// Returns a count as a value of a column of schema `penstock`.
pub(crate) fn bigint(table: &str, column: &str, count: u64) -> Result<i64, LoadError> {
    i64::try_from(count).map_err(|_| LoadError::Miscounted {
        table: format!("penstock.{table}"),
        problem: format!("{count} exceeds column {column}"),
    })
}

/// Returns a number as a value of a column of schema `penstock`.
pub(crate) fn integer(table: &str, column: &str, value: u32) -> Result<i32, LoadError> {
    i32::try_from(value).map_err(|_| LoadError::Miscounted {
        table: format!("penstock.{table}"),
        problem: format!("{value} exceeds column {column}"),
    })
}

/// Returns a chunk's number, from 0, as a value of a column of schema `penstock`.
pub(crate) fn chunk_number(message: &LoadMessage) -> Result<i32, LoadError> {
    i32::try_from(message.chunk.index).map_err(|_| LoadError::Chunk {
        location: format!("chunk {} of batch {}", message.chunk.number(), message.batch_id),
        problem: "the chunk's number exceeds an integer".to_owned(),
    })
}
