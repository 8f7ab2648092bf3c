//! A session with PostgreSQL, which applies chunks in transactions.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use penstock_aws::database::{Connector, DatabaseError};
use penstock_aws::store::ObjectStore;
use penstock_contract::{Contract, Overwrite};
use penstock_pipeline::{BatchId, DeadReason, LoadMessage, LoadProgress, Manifest};
use tokio_postgres::{Client, IsolationLevel, Transaction};

use crate::batches;
use crate::chunk::VerifiedChunk;
use crate::error::LoadError;
use crate::ledger::{self, ChunkCounts};
use crate::load::ChunkLoad;
use crate::lock::try_lock;
use crate::reject_files::RejectFiles;
use crate::sql::quoted_table;
use crate::stage::PreparedStage;
use crate::target;
use crate::versions::{self, ClosedBatch, OtherVersions};

/// The timeout of a statement.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(120);

/// The time that a statement waits for a lock. A writer that waits delays the chunks of other sources, so their messages
/// are better returned to the queue.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// The same, after an earlier transaction on the table has waited in vain.
const CAUTIOUS_LOCK_TIMEOUT: Duration = Duration::from_millis(300);

/// The maximum number of batches that a session remembers as opened. Opening a batch again changes nothing.
const MAX_OPENED: usize = 10_000;

/// The maximum number of staging tables in a session: each commit truncates all of them.
const MAX_STAGES: usize = 16;

/// Returns the settings of each session.
///
/// - Timeouts: a transaction that takes longer has a problem, and the invocation that waits for it is nearly over. When
///   Lambda kills a function, its session remains open on the server: it must not hold its locks for hours.
/// - JIT compilation, which the planner chooses when it overestimates the staging table, takes longer than a merge.
/// - The memory is enough for the sorts and the staging table of a chunk of 50,000 rows.
/// - `synchronous_commit` keeps the server's setting, so rows are on disk when their receipt becomes `loaded`.
fn settings() -> String {
    format!(
        "SET statement_timeout = '{}s'; SET lock_timeout = '{}s'; \
         SET idle_in_transaction_session_timeout = '60s'; \
         SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
         SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET jit = off; \
         SET work_mem = '32MB'; SET temp_buffers = '32MB'",
        STATEMENT_TIMEOUT.as_secs(),
        LOCK_TIMEOUT.as_secs()
    )
}

/// The result of applying a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkOutcome {
    /// The rows were applied and the transaction was committed.
    Applied(ChunkCounts),
    /// The ledger has the chunk already, so nothing was done.
    AlreadyApplied,
    /// Another batch replaces the chunk's batch, or an operator withdrew it, so nothing was done.
    Stopped,
}

/// How a transaction uses its target table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableAccess {
    /// Beside other writers.
    Shared,
    /// The same, but without waiting long for a lock, because an earlier transaction has waited in vain.
    Cautious,
    /// Only if no other writer loads the table with this access, so that a slow table occupies one writer and not all.
    Alone,
}

/// Source, contract version and number of columns.
type StageKey = (String, String, usize);

/// A session that is ready to load.
pub(crate) struct LoadSession {
    client: Client,
    stages: HashMap<StageKey, PreparedStage>,
    stages_created: u64,
    /// Batches whose rows are in the ledger.
    opened: HashSet<BatchId>,
}

impl LoadSession {
    /// Connects, and migrates the ledger to the current version.
    pub(crate) async fn open(connector: &Connector) -> Result<Self, LoadError> {
        let mut client = connector.connect_to_primary().await?;
        client.batch_execute(&settings()).await.map_err(DatabaseError::from)?;
        ledger::migrate(&mut client).await?;
        Ok(Self { client, stages: HashMap::new(), stages_created: 0, opened: HashSet::new() })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Closes a batch whose chunks have all been applied, and deletes the rows of the batches that it replaces.
    pub(crate) async fn close(
        &mut self,
        manifest: &Manifest,
        progress: &LoadProgress,
        balanced: bool,
    ) -> Result<ClosedBatch, LoadError> {
        versions::close(&mut self.client, manifest, progress, balanced).await
    }

    /// Records that a chunk is moved to the dead-letter queue.
    pub(crate) async fn fail(
        &mut self,
        manifest: &Manifest,
        message: &LoadMessage,
        reason: &DeadReason,
    ) -> Result<(), LoadError> {
        let code = reason.code.as_str();
        batches::fail(&mut self.client, manifest, message, code, &reason.message).await
    }

    /// Adds the batches of the chunks to the ledger, each before its first chunk, so that other writers find its
    /// position in the order of drops.
    async fn open_batches(&mut self, chunks: &[&VerifiedChunk]) -> Result<(), LoadError> {
        for chunk in chunks {
            let manifest = &chunk.manifest;
            if self.opened.contains(&manifest.batch_id) {
                continue;
            }
            batches::open(&mut self.client, manifest).await?;
            if self.opened.len() >= MAX_OPENED {
                self.opened.clear();
            }
            self.opened.insert(manifest.batch_id);
        }
        Ok(())
    }

    /// Applies chunks of one contract version in one transaction: all of them, or none.
    pub(crate) async fn apply<S: ObjectStore>(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
        access: TableAccess,
        rejects: &RejectFiles<S>,
    ) -> Result<Vec<ChunkOutcome>, LoadError> {
        if access != TableAccess::Cautious {
            return self.apply_as(contract, chunks, access, rejects).await;
        }
        // For the whole session, because statements that are prepared outside the transaction wait for locks, too.
        self.set_lock_timeout(CAUTIOUS_LOCK_TIMEOUT).await?;
        let result = self.apply_as(contract, chunks, access, rejects).await;
        if !result.as_ref().is_err_and(LoadError::breaks_session) {
            self.set_lock_timeout(LOCK_TIMEOUT).await?;
        }
        result
    }

    async fn set_lock_timeout(&self, timeout: Duration) -> Result<(), LoadError> {
        let statement = format!("SET lock_timeout = '{}ms'", timeout.as_millis());
        Ok(self.client.batch_execute(&statement).await?)
    }

    async fn apply_as<S: ObjectStore>(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
        access: TableAccess,
        rejects: &RejectFiles<S>,
    ) -> Result<Vec<ChunkOutcome>, LoadError> {
        self.open_batches(chunks).await?;
        let stage = self.stage(contract).await?;
        let builder = self.client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
        let transaction = builder.start().await?;
        let table = quoted_table(&contract.entity.table);
        match access {
            TableAccess::Shared | TableAccess::Cautious => {}
            TableAccess::Alone if try_lock(&transaction, "slow table", &table).await? => {}
            TableAccess::Alone => return Err(LoadError::TableBusy { table }),
        }
        let messages: Vec<&LoadMessage> = chunks.iter().map(|chunk| &chunk.message).collect();
        let versions = other_versions(&transaction, contract, chunks).await?;
        let (claimed, mut outcomes) = claim(&transaction, &messages).await?;
        if claimed.is_empty() {
            transaction.rollback().await?;
            return Ok(outcomes);
        }
        let new: Vec<&VerifiedChunk> = claimed.iter().map(|index| chunks[*index]).collect();
        let load =
            ChunkLoad { transaction: &transaction, contract, stage: &stage, chunks: &new, versions, rejects };
        let counts = load.run().await?;
        let new: Vec<&LoadMessage> = new.iter().map(|chunk| &chunk.message).collect();
        batches::clear_failures(&transaction, &new).await?;
        transaction.commit().await?;
        for (index, counts) in claimed.into_iter().zip(counts) {
            outcomes[index] = ChunkOutcome::Applied(counts);
        }
        Ok(outcomes)
    }

    /// Returns whether an error may be due to statements that were prepared for another definition of the table.
    pub(crate) async fn must_inspect_again(&self, contract: &Contract, error: &LoadError) -> bool {
        if let LoadError::TableChanged { .. } = error {
            return true;
        }
        match error.sql().filter(|failure| !failure.is_transient()) {
            Some(failure) => failure.concerns_definition() || self.is_outdated(contract).await,
            None => false,
        }
    }

    /// Returns whether the table has changed since the contract's stage was created. Values may violate the new type of
    /// a column before the statements do.
    async fn is_outdated(&self, contract: &Contract) -> bool {
        let Some(stage) = self.stages.get(&stage_key(contract)) else { return false };
        match target::version(&self.client, &contract.entity.table).await {
            Ok(version) => version != stage.target_version,
            Err(error) => {
                tracing::warn!(%error, "the table's definition could not be read");
                false
            }
        }
    }

    async fn stage(&mut self, contract: &Contract) -> Result<PreparedStage, LoadError> {
        let key = stage_key(contract);
        if let Some(stage) = self.stages.get(&key) {
            return Ok(stage.clone());
        }
        if self.stages.len() >= MAX_STAGES {
            self.drop_stages().await?;
        }
        let target = target::ensure(&mut self.client, contract).await?;
        self.stages_created += 1;
        let name = format!("penstock_stage_{}", self.stages_created);
        let stage = PreparedStage::create(&self.client, contract, &target, &name).await?;
        self.stages.insert(key, stage.clone());
        Ok(stage)
    }

    async fn drop_stages(&mut self) -> Result<(), LoadError> {
        let drops: Vec<String> = self.stages.drain().map(|(_, stage)| stage.sql.drop_stage).collect();
        Ok(self.client.batch_execute(&drops.join("; ")).await?)
    }
}

/// Chunks of an older release have fewer columns than the contract.
fn stage_key(contract: &Contract) -> StageKey {
    (contract.source.clone(), contract.version.clone(), contract.entity.columns.len())
}

/// Claims the chunks under shared locks on their batches. Returns the indexes of those that must be loaded, and the
/// outcomes of all others at theirs.
async fn claim(
    transaction: &Transaction<'_>,
    messages: &[&LoadMessage],
) -> Result<(Vec<usize>, Vec<ChunkOutcome>), LoadError> {
    let mut batches: Vec<BatchId> = messages.iter().map(|message| message.batch_id).collect();
    batches.sort_unstable();
    batches.dedup();
    // In a statement of its own, so that the next one sees what was committed while this one waited.
    batches::lock_shared(transaction, &batches).await?;
    let claimed = ledger::claim(transaction, messages).await?;
    let mut outcomes = vec![ChunkOutcome::AlreadyApplied; messages.len()];
    if claimed.len() < messages.len() {
        let stopped = batches::stopped(transaction, &batches).await?;
        for (message, outcome) in messages.iter().zip(&mut outcomes) {
            if stopped.contains(&message.batch_id) {
                *outcome = ChunkOutcome::Stopped;
            }
        }
    }
    Ok((claimed, outcomes))
}

/// Returns the other versions of the chunks' object when the contract replaces earlier versions, and the batches that the
/// chunks' batch replays.
async fn other_versions(
    transaction: &Transaction<'_>,
    contract: &Contract,
    chunks: &[&VerifiedChunk],
) -> Result<OtherVersions, LoadError> {
    // All chunks are of one batch if it replaces others (`group`).
    let Some(VerifiedChunk { message, manifest, .. }) = chunks.first() else {
        return Ok(OtherVersions::default());
    };
    let mut versions = match contract.overwrite {
        Overwrite::Add | Overwrite::Keep => OtherVersions::default(),
        Overwrite::Replace => {
            let object = message.overwrites.as_ref().ok_or_else(|| LoadError::Chunk {
                location: format!("chunk {} of batch {}", message.chunk.number(), message.batch_id),
                problem:
                    "the contract replaces earlier versions of an object, but the message names no object"
                        .to_owned(),
            })?;
            versions::lock_and_register(transaction, message, manifest.generation, object).await?
        }
    };
    versions.earlier.extend(&manifest.replays);
    Ok(versions)
}
