//! The target database, as the handler sees it.

use std::time::{Duration, Instant};

use penstock_aws::database::Connector;
use penstock_contract::Contract;
use penstock_pipeline::{BatchId, Manifest};

use crate::chunk::VerifiedChunk;
use crate::error::LoadError;
use crate::ledger::{self, BatchSums};
use crate::session::{Applied, Session};
use crate::versions::Closed;

/// A session that was not used for so long is asked whether it still lives: Lambda freezes a function between two
/// invocations, and a server or a firewall may have ended it meanwhile.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// For the answer to that question.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// What the handler asks of the target database. Implemented over PostgreSQL.
pub trait Database: Send {
    /// Applies chunks of one contract version in one transaction: all of them, or none. A chunk that the ledger has
    /// is left out.
    fn apply(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
    ) -> impl Future<Output = Result<Vec<Applied>, LoadError>> + Send;

    /// What the ledger has of a batch.
    fn sums(&mut self, batch: &BatchId) -> impl Future<Output = Result<BatchSums, LoadError>> + Send;

    /// Enters a batch whose chunks have all been applied, and takes out the rows of what it stands for; no error when
    /// that was done before.
    fn close(
        &mut self,
        manifest: &Manifest,
        sums: &BatchSums,
        balanced: bool,
    ) -> impl Future<Output = Result<Closed, LoadError>> + Send;
}

/// PostgreSQL over one session, opened when it is first needed and kept from one invocation to the next.
pub struct Postgres {
    connector: Connector,
    session: Option<Session>,
    last_used: Instant,
}

impl Postgres {
    /// Nothing is connected yet.
    pub fn new(connector: Connector) -> Self {
        Self { connector, session: None, last_used: Instant::now() }
    }

    /// Takes the session out for one piece of work. It is put back by [`Self::keep`] only: work that is dropped half
    /// way, or fails with the session, takes it along, and the server rolls back.
    async fn take(&mut self) -> Result<Session, LoadError> {
        if let Some(session) = self.session.take() {
            if self.last_used.elapsed() < TRUSTED_IDLE && !session.client().is_closed() {
                return Ok(session);
            }
            let check = tokio::time::timeout(CHECK_TIMEOUT, session.client().check_connection()).await;
            if let Ok(Ok(())) = check {
                return Ok(session);
            }
            tracing::info!("the database connection did not outlast the pause, connecting again");
        }
        let started = Instant::now();
        let session = Session::open(&self.connector).await?;
        tracing::info!(duration_ms = started.elapsed().as_millis(), "connected to the database");
        Ok(session)
    }

    fn keep<T>(&mut self, session: Session, answer: Result<T, LoadError>) -> Result<T, LoadError> {
        let broken = match &answer {
            Err(LoadError::Database(error)) => error.breaks_session(),
            Ok(_) | Err(_) => false,
        };
        if !broken {
            self.session = Some(session);
            self.last_used = Instant::now();
        }
        answer
    }
}

impl Database for Postgres {
    async fn apply(
        &mut self,
        contract: &Contract,
        chunks: &[&VerifiedChunk],
    ) -> Result<Vec<Applied>, LoadError> {
        let mut session = self.take().await?;
        let answer = session.apply(contract, chunks).await;
        self.keep(session, answer)
    }

    async fn sums(&mut self, batch: &BatchId) -> Result<BatchSums, LoadError> {
        let session = self.take().await?;
        let answer = ledger::sums(session.client(), batch).await;
        self.keep(session, answer)
    }

    async fn close(
        &mut self,
        manifest: &Manifest,
        sums: &BatchSums,
        balanced: bool,
    ) -> Result<Closed, LoadError> {
        let mut session = self.take().await?;
        let answer = session.close(manifest, sums, balanced).await;
        self.keep(session, answer)
    }
}
