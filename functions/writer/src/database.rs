//! The target database.

use std::time::{Duration, Instant};

use penstock_aws::database::{Connector, DatabaseError};
use penstock_aws::rds::RdsInstance;
use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_pipeline::writer_state::DatabaseLoad;
use penstock_pipeline::{BatchId, DeadReason, LoadMessage, LoadProgress, Manifest};

use crate::batches::{self, BatchProgress};
use crate::chunk::VerifiedChunk;
use crate::error::LoadError;
use crate::outage::Outage;
use crate::pressure;
use crate::reject_files::RejectFiles;
use crate::session::{ChunkOutcome, LoadSession, TableAccess};
use crate::versions::ClosedBatch;

/// A session that has been idle for longer is checked before it is used: Lambda freezes a function between two
/// invocations, in which time a server or a firewall may have ended the session.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// The timeout of that check, and of a measurement of the load.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// The operations on the target database that the handler needs. [`Postgres`] implements them.
pub trait TargetDatabase: Send {
    /// Applies chunks of one contract version in one transaction: all of them, or none. A chunk that is already in the
    /// ledger is skipped. The rows of a single chunk that the database refuses are written to `rejects`.
    fn apply<S: ObjectStore>(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
        access: TableAccess,
        rejects: &RejectFiles<S>,
    ) -> impl Future<Output = Result<Vec<ChunkOutcome>, LoadError>> + Send;

    /// Returns the progress of a batch in the ledger.
    fn progress(&mut self, batch: &BatchId) -> impl Future<Output = Result<BatchProgress, LoadError>> + Send;

    /// Closes a batch whose chunks have all been applied, and deletes the rows of the batches that it replaces. Closing a
    /// closed batch changes nothing.
    fn close(
        &mut self,
        manifest: &Manifest,
        progress: &LoadProgress,
        balanced: bool,
    ) -> impl Future<Output = Result<ClosedBatch, LoadError>> + Send;

    /// Records that a chunk is moved to the dead-letter queue.
    fn fail(
        &mut self,
        manifest: &Manifest,
        message: &LoadMessage,
        reason: &DeadReason,
    ) -> impl Future<Output = Result<(), LoadError>> + Send;

    /// Measures the load that others put on the database.
    fn measure_load(&mut self) -> impl Future<Output = Result<DatabaseLoad, LoadError>> + Send;

    /// Returns the delay of messages that failed because the database could not be reached.
    fn outage_delay(&self) -> Duration;

    /// Returns the status of the instance as RDS reports it, while it is not available.
    fn instance_status(&self) -> Option<&str>;
}

/// A PostgreSQL database, with one session that is opened when it is first needed and reused in later invocations.
pub struct Postgres {
    connector: Connector,
    session: Option<LoadSession>,
    last_used: Instant,
    outage: Outage,
}

impl Postgres {
    /// Returns a database that is not connected yet.
    pub fn new(connector: Connector) -> Self {
        Self { connector, session: None, last_used: Instant::now(), outage: Outage::default() }
    }

    /// Returns the database with the instance whose status RDS is asked for after a failed connection.
    #[must_use]
    pub fn of_instance(self, instance: RdsInstance) -> Self {
        Self { outage: Outage::of_instance(instance), ..self }
    }

    /// Returns the session for one operation. Only [`Self::put_back`] stores it again: when an operation is cancelled,
    /// or breaks the session, the session is dropped and the server rolls back.
    pub(crate) async fn take(&mut self) -> Result<LoadSession, LoadError> {
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

    async fn open(&mut self) -> Result<LoadSession, LoadError> {
        self.outage.check().await?;
        let started = Instant::now();
        let session = match LoadSession::open(&self.connector).await {
            Ok(session) => session,
            Err(error) => return Err(self.outage.explain(error).await),
        };
        tracing::info!(duration_ms = started.elapsed().as_millis(), "connected to the database");
        Ok(session)
    }

    pub(crate) async fn put_back<T>(
        &mut self,
        session: LoadSession,
        result: Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        match result {
            Err(error) if error.breaks_session() => {
                drop(session);
                Err(self.outage.explain(error).await)
            }
            result => {
                self.session = Some(session);
                self.last_used = Instant::now();
                self.outage.ended();
                result
            }
        }
    }
}

impl TargetDatabase for Postgres {
    async fn apply<S: ObjectStore>(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
        access: TableAccess,
        rejects: &RejectFiles<S>,
    ) -> Result<Vec<ChunkOutcome>, LoadError> {
        let mut session = self.take().await?;
        let mut result = session.apply(contract, chunks, access, rejects).await;
        if let Err(error) = &result
            && session.must_inspect_again(contract, error).await
        {
            tracing::info!(source = contract.source, %error, "inspecting the table again in a new session");
            drop(session);
            session = self.open().await?;
            result = session.apply(contract, chunks, access, rejects).await;
        }
        self.put_back(session, result).await
    }

    async fn progress(&mut self, batch: &BatchId) -> Result<BatchProgress, LoadError> {
        let session = self.take().await?;
        let result = batches::progress(session.client(), batch).await;
        self.put_back(session, result).await
    }

    async fn close(
        &mut self,
        manifest: &Manifest,
        progress: &LoadProgress,
        balanced: bool,
    ) -> Result<ClosedBatch, LoadError> {
        let mut session = self.take().await?;
        let result = session.close(manifest, progress, balanced).await;
        self.put_back(session, result).await
    }

    async fn fail(
        &mut self,
        manifest: &Manifest,
        message: &LoadMessage,
        reason: &DeadReason,
    ) -> Result<(), LoadError> {
        let mut session = self.take().await?;
        let result = session.fail(manifest, message, reason).await;
        self.put_back(session, result).await
    }

    async fn measure_load(&mut self) -> Result<DatabaseLoad, LoadError> {
        let session = self.take().await?;
        let measured = tokio::time::timeout(CHECK_TIMEOUT, pressure::measure(session.client())).await;
        let result = measured.unwrap_or_else(|_| {
            let message = format!("the load was not measured within {} s", CHECK_TIMEOUT.as_secs());
            Err(DatabaseError::Lost { message }.into())
        });
        self.put_back(session, result).await
    }

    fn outage_delay(&self) -> Duration {
        self.outage.delay()
    }

    fn instance_status(&self) -> Option<&str> {
        self.outage.status()
    }
}
