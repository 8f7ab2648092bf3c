//! One session with PostgreSQL, and what is kept with it: a stage table and statements for each contract version.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::SinkExt as _;
use penstock_aws::database::{Connector, DatabaseError};
use penstock_contract::{Contract, Overwrite};
use penstock_pipeline::{BatchId, LoadMessage, Manifest};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Statement, Transaction};

use crate::chunk::{CopyText, VerifiedChunk};
use crate::error::LoadError;
use crate::ledger::{self, BatchSums, ChunkCounts};
use crate::sql::{LoadSql, load_sql, quoted_table, ranks_versions};
use crate::target;
use crate::versions::{self, Closed, Versions};

/// Each session begins with these.
///
/// - Times: a transaction that takes longer is in trouble, and the invocation that waits for it is nearly over. A
///   function that is killed leaves its session open on the server: it must not hold its locks for hours.
/// - JIT compiles for longer than a merge takes, whenever the planner takes the stage for large.
/// - Sorts and the stage of a chunk of 50,000 rows stay in memory.
/// - `synchronous_commit` stays as the server has it: a receipt says `loaded` only for what is on disk.
const SETTINGS: &str = "SET statement_timeout = '120s'; SET lock_timeout = '30s'; \
     SET idle_in_transaction_session_timeout = '60s'; \
     SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
     SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET jit = off; \
     SET work_mem = '32MB'; SET temp_buffers = '32MB'";

/// Stage tables that a session keeps at most: each commit empties all of them.
const MAX_STAGES: usize = 16;

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Its rows were applied, and the transaction committed.
    Now(ChunkCounts),
    /// The ledger has it: nothing was done.
    Before,
}

/// A session that is ready to load.
pub(crate) struct Session {
    client: Client,
    /// By source, contract version and number of columns: chunks of an older release have fewer.
    stages: HashMap<(String, String, usize), Stage>,
    stages_made: u64,
}

/// What is kept for one contract version.
#[derive(Clone)]
struct Stage {
    sql: LoadSql,
    copy_single: Statement,
    copy_shared: Statement,
    merge_single: Statement,
    merge_ordered: Statement,
    merge_shared: Statement,
    contract_columns: i64,
}

impl Session {
    /// Connects, and brings the ledger up to date.
    pub(crate) async fn open(connector: &Connector) -> Result<Self, LoadError> {
        let mut client = connector.connect().await?;
        client.batch_execute(SETTINGS).await.map_err(DatabaseError::from)?;
        ledger::migrate(&mut client).await?;
        Ok(Self { client, stages: HashMap::new(), stages_made: 0 })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Enters a batch whose chunks have all been applied, and takes out the rows of what it stands for.
    pub(crate) async fn close(
        &mut self,
        manifest: &Manifest,
        sums: &BatchSums,
        balanced: bool,
    ) -> Result<Closed, LoadError> {
        versions::close(&mut self.client, manifest, sums, balanced).await
    }

    /// Applies chunks of one contract version in one transaction: all of them, or none.
    pub(crate) async fn apply(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
    ) -> Result<Vec<Applied>, LoadError> {
        let stage = self.stage(contract).await?;
        let answer = self.apply_staged(contract, &stage, chunks).await;
        match answer {
            Ok(Some(applied)) => Ok(applied),
            // Another contract has widened the table since: a row replaces another as a whole.
            Ok(None) => {
                self.forget_stages().await?;
                let stage = self.stage(contract).await?;
                let again = self.apply_staged(contract, &stage, chunks).await?;
                again.ok_or_else(|| {
                    miscounted(contract, "the table is being changed over and over".to_owned())
                })
            }
            Err(error) => {
                // The table may have been changed by hand: the next try looks at it again.
                if !error.is_transient()
                    && let Err(error) = self.forget_stages().await
                {
                    tracing::warn!(%error, "stage tables not dropped");
                }
                Err(error)
            }
        }
    }

    /// `None` when the table has been widened since the stage was made.
    async fn apply_staged(
        &mut self,
        contract: &Contract,
        stage: &Stage,
        chunks: &[&VerifiedChunk],
    ) -> Result<Option<Vec<Applied>>, LoadError> {
        let builder = self.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = builder.start().await?;
        let messages: Vec<&LoadMessage> = chunks.iter().map(|chunk| &chunk.message).collect();
        let versions = versions_of(&transaction, contract, &messages).await?;
        let claimed = ledger::claim(&transaction, &messages).await?;
        if claimed.is_empty() {
            transaction.rollback().await?;
            return Ok(Some(vec![Applied::Before; chunks.len()]));
        }
        let columns =
            "SELECT count(*) FROM penstock.target_column WHERE table_schema = $1 AND table_name = $2";
        let table = &contract.entity.table;
        let columns = transaction.query_one(columns, &[&table.schema, &table.table]).await?;
        if columns.try_get::<_, i64>(0)? != stage.contract_columns {
            transaction.rollback().await?;
            return Ok(None);
        }
        let new: Vec<&VerifiedChunk> = claimed.iter().map(|index| chunks[*index]).collect();
        let load = Load { transaction: &transaction, contract, stage, chunks: &new, versions };
        let counts = load.run().await?;
        transaction.commit().await?;
        let mut applied = vec![Applied::Before; chunks.len()];
        for (index, counts) in claimed.into_iter().zip(counts) {
            applied[index] = Applied::Now(counts);
        }
        Ok(Some(applied))
    }

    async fn stage(&mut self, contract: &Contract) -> Result<Stage, LoadError> {
        let columns = contract.entity.columns.len();
        let name = (contract.source.clone(), contract.version.clone(), columns);
        if let Some(stage) = self.stages.get(&name) {
            return Ok(stage.clone());
        }
        if self.stages.len() >= MAX_STAGES {
            self.forget_stages().await?;
        }
        let target = target::ensure(&mut self.client, contract).await?;
        self.stages_made += 1;
        let sql = load_sql(contract, &format!("penstock_stage_{}", self.stages_made), &target.foreign);
        let sql = sql.map_err(|error| LoadError::Contract {
            source_name: contract.source.clone(),
            version: contract.version.clone(),
            problem: error.to_string(),
        })?;
        self.client.batch_execute(&sql.create_stage).await?;
        let client = &self.client;
        let (copy_single, copy_shared, merge_single, merge_ordered, merge_shared) = tokio::try_join!(
            client.prepare(&sql.copy_single),
            client.prepare(&sql.copy_shared),
            client.prepare(&sql.merge_single),
            client.prepare(&sql.merge_ordered),
            client.prepare(&sql.merge_shared),
        )?;
        let contract_columns = target.contract_columns;
        let stage = Stage {
            sql,
            copy_single,
            copy_shared,
            merge_single,
            merge_ordered,
            merge_shared,
            contract_columns,
        };
        self.stages.insert(name, stage.clone());
        Ok(stage)
    }

    async fn forget_stages(&mut self) -> Result<(), LoadError> {
        let drops: Vec<String> = self.stages.drain().map(|(_, stage)| stage.sql.drop_stage).collect();
        Ok(self.client.batch_execute(&drops.join("; ")).await?)
    }
}

/// The other versions of the chunks' object, where the contract tells them apart.
async fn versions_of(
    transaction: &Transaction<'_>,
    contract: &Contract,
    messages: &[&LoadMessage],
) -> Result<Versions, LoadError> {
    if contract.overwrite != Overwrite::Replace {
        return Ok(Versions::default());
    }
    // All are of one batch (`group`).
    let Some(message) = messages.first() else { return Ok(Versions::default()) };
    let object = message.overwrites.as_ref().ok_or_else(|| LoadError::Chunk {
        place: format!("chunk {} of batch {}", message.chunk.index, message.batch_id),
        problem: "its contract replaces earlier versions of an object, and the message names none".to_owned(),
    })?;
    versions::hold(transaction, message, object).await
}

/// COPY and merge of chunks that the ledger did not have.
struct Load<'a> {
    transaction: &'a Transaction<'a>,
    contract: &'a Contract,
    stage: &'a Stage,
    chunks: &'a [&'a VerifiedChunk],
    /// Those of the chunks' object.
    versions: Versions,
}

impl Load<'_> {
    async fn run(&self) -> Result<Vec<ChunkCounts>, LoadError> {
        let counts = if self.versions.replaced_by.is_some() {
            self.all().map(|count| ChunkCounts { loaded: 0, superseded: count.loaded, ..count }).collect()
        } else {
            self.load().await?
        };
        let counted: Vec<_> =
            self.chunks.iter().map(|chunk| &chunk.message).zip(counts.iter().copied()).collect();
        ledger::correct(self.transaction, &counted).await?;
        Ok(counts)
    }

    async fn load(&self) -> Result<Vec<ChunkCounts>, LoadError> {
        let copied = self.copy().await?;
        let rows: u64 = self.chunks.iter().map(|chunk| u64::from(chunk.message.chunk.text_rows())).sum();
        if copied != rows {
            return Err(self.miscounted(format!("{copied} rows copied of {rows}")));
        }
        let loaded = self.merge().await?;
        self.count(rows, loaded).await
    }

    async fn copy(&self) -> Result<u64, LoadError> {
        let shared = self.chunks.len() > 1;
        let statement = if shared { &self.stage.copy_shared } else { &self.stage.copy_single };
        let sink = self.transaction.copy_in::<_, Bytes>(statement).await?;
        tokio::pin!(sink);
        for (ordinal, chunk) in self.chunks.iter().enumerate() {
            let mut text = if shared { CopyText::numbered(chunk, ordinal)? } else { CopyText::plain(chunk)? };
            while let Some(piece) = text.next_piece()? {
                sink.feed(piece).await?;
            }
        }
        Ok(sink.finish().await?)
    }

    async fn merge(&self) -> Result<u64, LoadError> {
        let priority = self.contract.load.priority;
        if let [chunk] = self.chunks {
            let message = &chunk.message;
            let (row_base, dropped_at) = (row_base(message)?, message.dropped_at);
            let is_ordered = message.chunk.deduplicated.is_some();
            let statement = if is_ordered { &self.stage.merge_ordered } else { &self.stage.merge_single };
            let values: [&(dyn ToSql + Sync); 5] =
                [&message.source, &message.batch_id, &row_base, &priority, &dropped_at];
            return Ok(self.transaction.execute(statement, &self.with_versions(&values)).await?);
        }
        let Places { ordinals, batches, row_bases } = self.places()?;
        let dropped: Vec<_> = self.chunks.iter().map(|chunk| chunk.message.dropped_at).collect();
        let values: [&(dyn ToSql + Sync); 6] =
            [&self.contract.source, &priority, &ordinals, &batches, &row_bases, &dropped];
        Ok(self.transaction.execute(&self.stage.merge_shared, &self.with_versions(&values)).await?)
    }

    /// A merge's values, with those that follow where versions of an object are told apart.
    fn with_versions<'v>(&'v self, values: &[&'v (dyn ToSql + Sync)]) -> Vec<&'v (dyn ToSql + Sync)> {
        let mut values = values.to_vec();
        if ranks_versions(self.contract) {
            values.extend([&self.versions.earlier as &(dyn ToSql + Sync), &self.versions.later]);
        }
        values
    }

    /// Each chunk's counts when all of its rows are loaded.
    fn all(&self) -> impl Iterator<Item = ChunkCounts> {
        self.chunks.iter().map(|chunk| ChunkCounts {
            loaded: u64::from(chunk.message.chunk.text_rows()),
            deduplicated: u64::from(chunk.message.chunk.deduplicated.unwrap_or(0)),
            superseded: 0,
        })
    }

    /// What became of each chunk's rows, when `loaded` of all `rows` were loaded. Looked for only when some were not.
    async fn count(&self, rows: u64, loaded: u64) -> Result<Vec<ChunkCounts>, LoadError> {
        let mut counts: Vec<ChunkCounts> = self.all().collect();
        if loaded == rows {
            return Ok(counts);
        }
        if let ([count], Some(count_keys)) = (&mut counts[..], &self.stage.sql.count_keys) {
            let keys: i64 = self.transaction.query_one(count_keys, &[]).await?.try_get(0)?;
            // Each key has its winner in the table, so whoever lost, lost to a row of this chunk.
            if u64::try_from(keys) == Ok(loaded) {
                count.loaded = loaded;
                count.deduplicated = count.deduplicated.saturating_add(rows.saturating_sub(loaded));
                return Ok(counts);
            }
        }
        self.count_losers(&mut counts).await?;
        let sum: u64 = counts.iter().map(|count| count.loaded).sum();
        if sum != loaded {
            return Err(self.miscounted(format!("{loaded} rows merged, {sum} found in the table")));
        }
        Ok(counts)
    }

    async fn count_losers(&self, counts: &mut [ChunkCounts]) -> Result<(), LoadError> {
        let Places { ordinals, batches, row_bases } = self.places()?;
        let statement = self.stage.sql.count_losers.as_str();
        for row in self.transaction.query(statement, &[&ordinals, &batches, &row_bases]).await? {
            let (ordinal, deduplicated, superseded): (i16, i64, i64) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let count = usize::try_from(ordinal).ok().and_then(|ordinal| counts.get_mut(ordinal));
            let count =
                count.ok_or_else(|| self.miscounted(format!("a row of chunk {ordinal} in the stage")))?;
            let deduplicated = u64::try_from(deduplicated).unwrap_or(0);
            count.deduplicated = count.deduplicated.saturating_add(deduplicated);
            count.superseded = u64::try_from(superseded).unwrap_or(0);
            let lost = deduplicated.saturating_add(count.superseded);
            let loaded = count.loaded.checked_sub(lost);
            count.loaded =
                loaded.ok_or_else(|| self.miscounted(format!("{lost} rows lost of {}", count.loaded)))?;
        }
        Ok(())
    }

    fn places(&self) -> Result<Places, LoadError> {
        let messages = || self.chunks.iter().map(|chunk| &chunk.message);
        Ok(Places {
            ordinals: (0..self.chunks.len())
                .map(|ordinal| i16::try_from(ordinal).unwrap_or(i16::MAX))
                .collect(),
            batches: messages().map(|message| message.batch_id).collect(),
            row_bases: messages().map(row_base).collect::<Result<_, _>>()?,
        })
    }

    fn miscounted(&self, problem: String) -> LoadError {
        miscounted(self.contract, problem)
    }
}

/// What the statements are told of the staged chunks, an element a chunk.
struct Places {
    ordinals: Vec<i16>,
    batches: Vec<BatchId>,
    row_bases: Vec<i64>,
}

fn row_base(message: &LoadMessage) -> Result<i64, LoadError> {
    i64::try_from(message.chunk.row_base).map_err(|_| LoadError::Chunk {
        place: format!("chunk {}", message.chunk.index),
        problem: "its row base is larger than a bigint".to_owned(),
    })
}

fn miscounted(contract: &Contract, problem: String) -> LoadError {
    LoadError::Miscounted { table: quoted_table(&contract.entity.table), problem }
}
