//! The target database.

use std::time::{Duration, Instant};

use penstock_aws::database::Connector;
use penstock_contract::Contract;
use penstock_pipeline::{BatchId, Manifest};

use crate::chunk::VerifiedChunk;
use crate::error::LoadError;
use crate::ledger::{self, BatchSums};
use crate::session::{ChunkOutcome, LoadSession, TableAccess};
use crate::versions::ClosedBatch;

/// A session that has been idle for longer is checked before it is used: Lambda freezes a function between two
/// invocations, in which time a server or a firewall may have ended the session.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// The timeout of that check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// The operations on the target database that the handler needs. [`Postgres`] implements them.
pub trait TargetDatabase: Send {
    /// Applies chunks of one contract version in one transaction: all of them, or none. A chunk that is already in the
    /// ledger is skipped.
    fn apply(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
        access: TableAccess,
    ) -> impl Future<Output = Result<Vec<ChunkOutcome>, LoadError>> + Send;

    /// Returns the ledger's totals of a batch.
    fn sums(&mut self, batch: &BatchId) -> impl Future<Output = Result<BatchSums, LoadError>> + Send;

    /// Closes a batch whose chunks have all been applied, and deletes the rows of the versions that it replaces.
    /// Closing a closed batch changes nothing.
    fn close(
        &mut self,
        manifest: &Manifest,
        sums: &BatchSums,
        balanced: bool,
    ) -> impl Future<Output = Result<ClosedBatch, LoadError>> + Send;
}

/// A PostgreSQL database, with one session that is opened when it is first needed and reused in later invocations.
pub struct Postgres {
    connector: Connector,
    session: Option<LoadSession>,
    last_used: Instant,
}

impl Postgres {
    /// Returns a database that is not connected yet.
    pub fn new(connector: Connector) -> Self {
        Self { connector, session: None, last_used: Instant::now() }
    }

    /// Returns the session for one operation. Only [`Self::put_back`] stores it again: when an operation is cancelled,
    /// or breaks the session, the session is dropped and the server rolls back.
    async fn take(&mut self) -> Result<LoadSession, LoadError> {
        if let Some(session) = self.session.take() {
            if self.last_used.elapsed() < TRUSTED_IDLE && !session.client().is_closed() {
                return Ok(session);
            }
            let check = tokio::time::timeout(CHECK_TIMEOUT, session.client().check_connection()).await;
            if let Ok(Ok(())) = check {
                return Ok(session);
            }
            tracing::info!("the idle database connection was lost, connecting again");
        }
        self.open().await
    }

    async fn open(&self) -> Result<LoadSession, LoadError> {
        let started = Instant::now();
        let session = LoadSession::open(&self.connector).await?;
        tracing::info!(duration_ms = started.elapsed().as_millis(), "connected to the database");
        Ok(session)
    }

    fn put_back<T>(&mut self, session: LoadSession, result: Result<T, LoadError>) -> Result<T, LoadError> {
        if !result.as_ref().is_err_and(LoadError::breaks_session) {
            self.session = Some(session);
            self.last_used = Instant::now();
        }
        result
    }
}

impl TargetDatabase for Postgres {
    async fn apply(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
        access: TableAccess,
    ) -> Result<Vec<ChunkOutcome>, LoadError> {
        let mut session = self.take().await?;
        let mut result = session.apply(contract, chunks, access).await;
        if let Err(error) = &result
            && session.must_inspect_again(contract, error).await
        {
            tracing::info!(source = contract.source, %error, "inspecting the table again in a new session");
            drop(session);
            session = self.open().await?;
            result = session.apply(contract, chunks, access).await;
        }
        self.put_back(session, result)
    }

    async fn sums(&mut self, batch: &BatchId) -> Result<BatchSums, LoadError> {
        let session = self.take().await?;
        let result = ledger::sums(session.client(), batch).await;
        self.put_back(session, result)
    }

    async fn close(
        &mut self,
        manifest: &Manifest,
        sums: &BatchSums,
        balanced: bool,
    ) -> Result<ClosedBatch, LoadError> {
        let mut session = self.take().await?;
        let result = session.close(manifest, sums, balanced).await;
        self.put_back(session, result)
    }
}
