//! COPY, merge and count of the chunks of one transaction.

use bytes::Bytes;
use futures_util::SinkExt as _;
use jiff::Timestamp;
use penstock_contract::Contract;
use penstock_pipeline::{BatchId, LoadMessage};
use tokio_postgres::{Statement, Transaction};

use crate::chunk::{CopyText, VerifiedChunk};
use crate::error::LoadError;
use crate::ledger::{self, ChunkCounts, SupersededRows, unsigned};
use crate::sql::{
    MergeParameters, OneChunk, SeveralChunks, StagedChunks, VersionLists, quoted_table, upserts,
};
use crate::stage::PreparedStage;
use crate::target;
use crate::versions::OtherVersions;

/// The load of chunks that the ledger does not have yet.
pub(crate) struct ChunkLoad<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) contract: &'a Contract,
    pub(crate) stage: &'a PreparedStage,
    pub(crate) chunks: &'a [&'a VerifiedChunk],
    /// The other versions of the chunks' object.
    pub(crate) versions: OtherVersions,
}

impl ChunkLoad<'_> {
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
        let loaded = self.merge().await?;
        self.check_target().await?;
        self.count(rows, loaded).await
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
        let versions = upserts(self.contract)
            .then_some(VersionLists { earlier: &self.versions.earlier, later: &self.versions.later });
        if let [chunk] = self.chunks {
            let message = &chunk.message;
            let is_sorted = message.chunk.deduplicated.is_some();
            let merge = if is_sorted { &self.stage.merge_ordered } else { &self.stage.merge_single };
            let chunks = OneChunk {
                source: &message.source,
                batch_id: &message.batch_id,
                row_base: row_base(message)?,
                priority,
                dropped_at: message.dropped_at,
            };
            return Ok(merge.execute(client, &MergeParameters { chunks, versions }).await?);
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
        Ok(self.stage.merge_shared.execute(client, &MergeParameters { chunks, versions }).await?)
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
