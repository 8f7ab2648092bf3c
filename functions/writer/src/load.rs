//! COPY, merge and count of the chunks of one transaction.

use bytes::Bytes;
use futures_util::SinkExt as _;
use jiff::Timestamp;
use penstock_aws::database::SqlFailure;
use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_engine::Reject;
use penstock_pipeline::{BatchId, LoadMessage};
use tokio_postgres::{Statement, Transaction};

use crate::chunk::{CopyText, VerifiedChunk};
use crate::error::LoadError;
use crate::ledger::{self, ChunkCounts, SupersededRows, unsigned};
use crate::refused_rows::{PartialMerge, RefusedChunk, SAVEPOINT};
use crate::reject_files::{RejectFiles, check_limit, reject};
use crate::rejected;
use crate::sql::{
    MergeOne, MergeParameters, OneChunk, SeveralChunks, StagedChunks, VersionLists, quoted_table, upserts,
};
use crate::stage::PreparedStage;
use crate::target;
use crate::versions::OtherVersions;

/// The load of chunks that the ledger does not have yet.
pub(crate) struct ChunkLoad<'a, S> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) contract: &'a Contract,
    pub(crate) stage: &'a PreparedStage,
    pub(crate) chunks: &'a [&'a VerifiedChunk],
    /// The other versions of the chunks' object.
    pub(crate) versions: OtherVersions,
    pub(crate) rejects: &'a RejectFiles<S>,
}

impl<S: ObjectStore> ChunkLoad<'_, S> {
    /// Loads the chunks, and returns the counts of each after correcting the ledger.
    pub(crate) async fn run(&self) -> Result<Vec<ChunkCounts>, LoadError> {
        let LoadedCounts { counts, superseded } = match self.versions.replaced_by {
            Some(later) => self.superseded_by(later),
            None => self.load().await?,
        };
        let counted: Vec<_> =
            self.chunks.iter().map(|chunk| &chunk.message).zip(counts.iter().copied()).collect();
        ledger::correct(self.transaction, &counted).await?;
        ledger::record_superseded(self.transaction, &superseded).await?;
        Ok(counts)
    }

    /// Returns the counts of chunks that are not loaded, because `later` has replaced them.
    fn superseded_by(&self, later: BatchId) -> LoadedCounts<'_> {
        let counts = self.counts_if_all_loaded();
        let counts: Vec<ChunkCounts> =
            counts.map(|count| ChunkCounts { loaded: 0, superseded: count.loaded, ..count }).collect();
        let superseded = self
            .chunks
            .iter()
            .zip(&counts)
            .filter(|(_, count)| count.superseded > 0)
            .map(|(chunk, count)| SupersededRows {
                message: &chunk.message,
                by: later,
                rows: count.superseded,
            })
            .collect();
        LoadedCounts { counts, superseded }
    }

    async fn load(&self) -> Result<LoadedCounts<'_>, LoadError> {
        let copied = self.copy().await?;
        let rows: u64 = self.chunks.iter().map(|chunk| u64::from(chunk.message.chunk.text_rows())).sum();
        if copied != rows {
            return Err(self.miscounted(format!("{copied} of {rows} rows were copied")));
        }
        // Deferred constraints would fail the commit, when it is too late to find the row.
        self.transaction.batch_execute(&format!("SET CONSTRAINTS ALL IMMEDIATE; {SAVEPOINT}")).await?;
        let error = match self.merge().await {
            Ok(loaded) => {
                self.check_target().await?;
                return self.count(rows, loaded).await;
            }
            Err(error) => error,
        };
        // Several chunks are applied one by one (`handler`), so that each has its own rejects.
        let ([chunk], Some(failure)) = (self.chunks, error.sql().filter(|failure| failure.refuses_row()))
        else {
            return Err(error);
        };
        self.transaction.batch_execute(&format!("ROLLBACK TO {SAVEPOINT}; RELEASE {SAVEPOINT}")).await?;
        // Values may violate the new type of a column.
        self.check_target().await?;
        self.load_without_refused_rows(chunk, failure.clone()).await
    }

    /// Merges the only staged chunk without the rows that the database refuses, which become rejects.
    async fn load_without_refused_rows(
        &self,
        chunk: &VerifiedChunk,
        failure: SqlFailure,
    ) -> Result<LoadedCounts<'_>, LoadError> {
        let (message, transaction) = (&chunk.message, self.transaction);
        let totals = &chunk.manifest.totals;
        let others = rejected::count(transaction, &message.batch_id).await?;
        let check = |refused: u64, failure: &SqlFailure| {
            check_limit(self.contract, totals, others.saturating_add(refused), failure)
        };
        check(1, &failure)?;
        let chunk = RefusedChunk {
            transaction,
            contract: self.contract,
            stage: self.stage,
            merge: self.one_chunk(message)?,
        };
        let PartialMerge { changed, refused } = chunk.merge(failure, check).await?;
        self.check_target().await?;
        let rejects = self.take_rejects(message, &refused).await?;
        let rejected = rejects.len() as u64;
        let mut counts: Vec<ChunkCounts> = self.counts_if_all_loaded().collect();
        counts[0].loaded = counts[0].loaded.checked_sub(rejected).ok_or_else(|| {
            self.miscounted(format!(
                "{rejected} rows were refused, but the chunk has only {}",
                counts[0].loaded
            ))
        })?;
        counts[0].rejected = rejected;
        let superseded = self.count_losers(&mut counts).await?;
        if changed < counts[0].loaded {
            let loaded = counts[0].loaded;
            return Err(self.miscounted(format!("merged {changed} rows, but the table has {loaded} of them")));
        }
        if let Some((_, failure)) = refused.first() {
            let others = rejected::lock_and_count(transaction, &message.batch_id).await?;
            check_limit(self.contract, totals, others.saturating_add(rejected), failure)?;
            let file = self.rejects.write(message, &rejects).await?;
            rejected::insert(transaction, message, &rejects, &file).await?;
            tracing::warn!(
                source = message.source, batch_id = %message.batch_id, chunk = message.chunk.index, rejected,
                %failure, file, "rows refused by the database"
            );
        }
        Ok(LoadedCounts { counts, superseded })
    }

    /// Deletes the refused rows from the staging table, and returns them as rejects.
    async fn take_rejects(
        &self,
        message: &LoadMessage,
        refused: &[(i64, SqlFailure)],
    ) -> Result<Vec<Reject>, LoadError> {
        let rows: Vec<i64> = refused.iter().map(|(row, _)| *row).collect();
        let described = self.transaction.query(&self.stage.sql.describe_rows, &[&rows]).await?;
        let mut rejects = Vec::with_capacity(rows.len());
        for (found, (row, failure)) in described.iter().zip(refused) {
            if found.try_get::<_, i64>(0)? != *row {
                return Err(self.miscounted(format!("the staging table has no row {row}")));
            }
            let number = row.checked_add(row_base(message)?).and_then(|number| u64::try_from(number).ok());
            let number = number.ok_or_else(|| self.miscounted(format!("row {row} cannot be numbered")))?;
            rejects.push(reject(number, found.try_get(1)?, failure));
        }
        let deleted = self.transaction.execute(&self.stage.sql.delete_rows, &[&rows]).await?;
        if deleted == rows.len() as u64 && rejects.len() == rows.len() {
            return Ok(rejects);
        }
        Err(self.miscounted(format!("{deleted} of {} refused rows were staged", rows.len())))
    }

    fn one_chunk<'m>(&'m self, message: &'m LoadMessage) -> Result<MergeOne<'m>, LoadError> {
        let chunks = OneChunk {
            source: &message.source,
            batch_id: &message.batch_id,
            row_base: row_base(message)?,
            priority: self.contract.load.priority,
            dropped_at: message.dropped_at,
        };
        Ok(MergeParameters { chunks, versions: self.version_lists() })
    }

    fn version_lists(&self) -> Option<VersionLists<'_>> {
        upserts(self.contract)
            .then_some(VersionLists { earlier: &self.versions.earlier, later: &self.versions.later })
    }

    async fn copy(&self) -> Result<u64, LoadError> {
        if let [chunk] = self.chunks {
            return copy_chunk(self.transaction, &self.stage.copy_single, chunk).await;
        }
        let sink = self.transaction.copy_in::<_, Bytes>(&self.stage.copy_shared).await?;
        tokio::pin!(sink);
        for (ordinal, chunk) in self.chunks.iter().enumerate() {
            let mut text = CopyText::numbered(chunk, ordinal)?;
            while let Some(piece) = text.next_piece()? {
                sink.feed(piece).await?;
            }
        }
        Ok(sink.finish().await?)
    }

    /// Merges the staged rows, and returns how many were inserted or replaced another.
    async fn merge(&self) -> Result<u64, LoadError> {
        let (client, priority) = (self.transaction.client(), self.contract.load.priority);
        if let [chunk] = self.chunks {
            let message = &chunk.message;
            let is_sorted = message.chunk.deduplicated.is_some();
            let merge = if is_sorted { &self.stage.merge_ordered } else { &self.stage.merge_single };
            return Ok(merge.execute(client, &self.one_chunk(message)?).await?);
        }
        let ChunkArrays { ordinals, batch_ids, row_bases } = &self.arrays()?;
        let dropped_at: Vec<Timestamp> = self.chunks.iter().map(|chunk| chunk.message.dropped_at).collect();
        let positions = positions(self.chunks);
        let chunks = SeveralChunks {
            source: &self.contract.source,
            priority,
            ordinals,
            batch_ids,
            row_bases,
            dropped_at: &dropped_at,
            positions: &positions,
        };
        let parameters = MergeParameters { chunks, versions: self.version_lists() };
        Ok(self.stage.merge_shared.execute(client, &parameters).await?)
    }

    /// Checks that the table is the one for which the statements were prepared. PostgreSQL adapts a prepared statement
    /// when it can, for example by rounding to the new type of a column, and a row must replace all columns that
    /// contracts have added. After the merge, no definition can change until the transaction ends.
    async fn check_target(&self) -> Result<(), LoadError> {
        let table = &self.contract.entity.table;
        if target::version(self.transaction, table).await? == self.stage.target_version {
            return Ok(());
        }
        Err(LoadError::TableChanged { table: quoted_table(table) })
    }

    /// Returns the counts of each chunk for the case that all of its rows are loaded.
    fn counts_if_all_loaded(&self) -> impl Iterator<Item = ChunkCounts> {
        self.chunks.iter().map(|chunk| ChunkCounts {
            loaded: u64::from(chunk.message.chunk.text_rows()),
            deduplicated: u64::from(chunk.message.chunk.deduplicated.unwrap_or(0)),
            superseded: 0,
            rejected: 0,
        })
    }

    /// Returns each chunk's counts when `loaded` of all `rows` were loaded. The database is queried only when some were
    /// not.
    async fn count(&self, rows: u64, loaded: u64) -> Result<LoadedCounts<'_>, LoadError> {
        let mut counts: Vec<ChunkCounts> = self.counts_if_all_loaded().collect();
        let lost = rows
            .checked_sub(loaded)
            .ok_or_else(|| self.miscounted(format!("merged {loaded} rows, but copied only {rows}")))?;
        if lost == 0 {
            return Ok(LoadedCounts { counts, superseded: Vec::new() });
        }
        if let ([count], Some(count_keys)) = (&mut counts[..], &self.stage.sql.count_keys) {
            let keys = unsigned(self.transaction.query_one(count_keys, &[]).await?.try_get(0)?);
            // The winner of each key is in the table, so every other row lost to a row of this chunk.
            if keys == loaded {
                count.loaded = loaded;
                count.deduplicated += lost;
                return Ok(LoadedCounts { counts, superseded: Vec::new() });
            }
        }
        let superseded = self.count_losers(&mut counts).await?;
        let sum: u64 = counts.iter().map(|count| count.loaded).sum();
        if sum != loaded {
            return Err(self.miscounted(format!("merged {loaded} rows, but the table has {sum} of them")));
        }
        Ok(LoadedCounts { counts, superseded })
    }

    async fn count_losers(&self, counts: &mut [ChunkCounts]) -> Result<Vec<SupersededRows<'_>>, LoadError> {
        let ChunkArrays { ordinals, batch_ids, row_bases } = &self.arrays()?;
        let parameters = StagedChunks { ordinals, batch_ids, row_bases };
        let mut superseded = Vec::new();
        for row in self.stage.sql.count_losers.query(self.transaction, &parameters).await? {
            let (ordinal, batch, winner): (i16, BatchId, BatchId) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let lost = unsigned(row.try_get(3)?);
            let index = usize::try_from(ordinal).ok().filter(|index| *index < counts.len());
            let index = index.ok_or_else(|| {
                self.miscounted(format!("the staging table has rows of the unknown chunk {ordinal}"))
            })?;
            let count = &mut counts[index];
            count.loaded = count.loaded.checked_sub(lost).ok_or_else(|| {
                self.miscounted(format!(
                    "{lost} rows were not loaded, but the chunk has only {}",
                    count.loaded
                ))
            })?;
            if winner == batch {
                count.deduplicated += lost;
            } else {
                count.superseded += lost;
                superseded.push(SupersededRows {
                    message: &self.chunks[index].message,
                    by: winner,
                    rows: lost,
                });
            }
        }
        Ok(superseded)
    }

    fn arrays(&self) -> Result<ChunkArrays, LoadError> {
        let messages = || self.chunks.iter().map(|chunk| &chunk.message);
        let ordinal = |ordinal: usize| {
            i16::try_from(ordinal)
                .map_err(|_| self.miscounted(format!("chunk {ordinal} of a transaction exceeds a smallint")))
        };
        Ok(ChunkArrays {
            ordinals: (0..self.chunks.len()).map(ordinal).collect::<Result<_, _>>()?,
            batch_ids: messages().map(|message| message.batch_id).collect(),
            row_bases: messages().map(row_base).collect::<Result<_, _>>()?,
        })
    }

    fn miscounted(&self, problem: String) -> LoadError {
        LoadError::Miscounted { table: quoted_table(&self.contract.entity.table), problem }
    }
}

/// The counts of the chunks of a transaction.
struct LoadedCounts<'a> {
    counts: Vec<ChunkCounts>,
    superseded: Vec<SupersededRows<'a>>,
}

/// Returns the position of each chunk's batch in the order of drops of one time, as `penstock.precedes` defines it.
fn positions(chunks: &[&VerifiedChunk]) -> Vec<i32> {
    let rank = |index: usize| {
        let manifest = &chunks[index].manifest;
        let drop = &manifest.drop;
        let sequencer = drop.sequencer.as_deref().unwrap_or("");
        (&drop.key, &drop.bucket, sequencer, manifest.generation, manifest.batch_id)
    };
    let mut order: Vec<usize> = (0..chunks.len()).collect();
    order.sort_by(|one, other| rank(*one).cmp(&rank(*other)));
    let mut positions = vec![0; chunks.len()];
    for (position, index) in (0..).zip(order) {
        positions[index] = position;
    }
    // Chunks of one batch have the same position, so that their rows decide.
    for index in 0..chunks.len() {
        let first = chunks.iter().position(|chunk| chunk.message.batch_id == chunks[index].message.batch_id);
        positions[index] = positions[first.expect("the chunk itself has the batch")];
    }
    positions
}

/// Copies the rows of a chunk, without an ordinal. Returns their number.
pub(crate) async fn copy_chunk(
    transaction: &Transaction<'_>,
    statement: &Statement,
    chunk: &VerifiedChunk,
) -> Result<u64, LoadError> {
    let sink = transaction.copy_in::<_, Bytes>(statement).await?;
    tokio::pin!(sink);
    let mut text = CopyText::plain(chunk)?;
    while let Some(piece) = text.next_piece()? {
        sink.feed(piece).await?;
    }
    Ok(sink.finish().await?)
}

/// Arrays with one element per staged chunk.
struct ChunkArrays {
    ordinals: Vec<i16>,
    batch_ids: Vec<BatchId>,
    row_bases: Vec<i64>,
}

pub(crate) fn row_base(message: &LoadMessage) -> Result<i64, LoadError> {
    i64::try_from(message.chunk.row_base).map_err(|_| LoadError::Chunk {
        location: format!("chunk {} of batch {}", message.chunk.number(), message.batch_id),
        problem: "the row base exceeds a bigint".to_owned(),
    })
}
