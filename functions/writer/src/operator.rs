//! The operations on the target database that the commands of an operator need.

use penstock_contract::{Contract, TableName};
use penstock_pipeline::BatchId;
use penstock_pipeline::writer_command::{LedgerBatch, TableCheck, WithdrawnRows};

use crate::batches;
use crate::chunk::VerifiedChunk;
use crate::database::Postgres;
use crate::error::LoadError;
use crate::target;
use crate::withdraw::{self, RestoredChunks, RestoredPart};

/// The operations of commands. [`Postgres`] implements them.
pub trait OperatorDatabase: Send {
    /// Returns what the ledger has of batches. A batch that it does not have is left out.
    fn ledger(
        &mut self,
        batches: &[BatchId],
    ) -> impl Future<Output = Result<Vec<LedgerBatch>, LoadError>> + Send;

    /// Compares a contract with its target table, and changes nothing.
    fn check_table(
        &mut self,
        contract: &Contract,
    ) -> impl Future<Output = Result<TableCheck, LoadError>> + Send;

    /// Counts the rows of a batch that are in its table.
    fn count_rows(
        &mut self,
        contract: &Contract,
        batch: &BatchId,
    ) -> impl Future<Output = Result<u64, LoadError>> + Send;

    /// Stops a batch: no further chunk of it is applied. Begins its withdrawal.
    fn begin_withdrawal(
        &mut self,
        contract: &Contract,
        batch: &BatchId,
    ) -> impl Future<Output = Result<(), LoadError>> + Send;

    /// Returns the chunks whose rows must be collected before the batch can be withdrawn.
    fn remaining_chunks(
        &mut self,
        contract: &Contract,
        batch: &BatchId,
    ) -> impl Future<Output = Result<Vec<RestoredChunks>, LoadError>> + Send;

    /// Collects the rows of a chunk that may have to be restored in the table of the withdrawn batch.
    fn collect_chunk(
        &mut self,
        withdrawn: (&TableName, &BatchId),
        part: RestoredPart,
        contract: &Contract,
        chunk: &VerifiedChunk,
    ) -> impl Future<Output = Result<(), LoadError>> + Send;

    /// Deletes the batch's rows and restores others. Returns `None` if more chunks must be collected first.
    fn finish_withdrawal(
        &mut self,
        contract: &Contract,
        batch: &BatchId,
    ) -> impl Future<Output = Result<Option<WithdrawnRows>, LoadError>> + Send;
}

impl OperatorDatabase for Postgres {
    async fn ledger(&mut self, batches: &[BatchId]) -> Result<Vec<LedgerBatch>, LoadError> {
        let session = self.take().await?;
        let result = batches::ledger(session.client(), batches).await;
        self.put_back(session, result).await
    }

    async fn check_table(&mut self, contract: &Contract) -> Result<TableCheck, LoadError> {
        let session = self.take().await?;
        let result = target::check(session.client(), contract).await;
        self.put_back(session, result).await
    }

    async fn count_rows(&mut self, contract: &Contract, batch: &BatchId) -> Result<u64, LoadError> {
        let session = self.take().await?;
        let result = withdraw::count(session.client(), contract, batch).await;
        self.put_back(session, result).await
    }

    async fn begin_withdrawal(&mut self, contract: &Contract, batch: &BatchId) -> Result<(), LoadError> {
        let mut session = self.take().await?;
        let result = withdraw::begin(session.client_mut(), contract, batch).await;
        self.put_back(session, result).await
    }

    async fn remaining_chunks(
        &mut self,
        contract: &Contract,
        batch: &BatchId,
    ) -> Result<Vec<RestoredChunks>, LoadError> {
        let session = self.take().await?;
        let result = withdraw::remaining(session.client(), contract, batch).await;
        self.put_back(session, result).await
    }

    async fn collect_chunk(
        &mut self,
        withdrawn: (&TableName, &BatchId),
        part: RestoredPart,
        contract: &Contract,
        chunk: &VerifiedChunk,
    ) -> Result<(), LoadError> {
        let mut session = self.take().await?;
        let result = withdraw::collect(session.client_mut(), withdrawn, part, contract, chunk).await;
        self.put_back(session, result).await
    }

    async fn finish_withdrawal(
        &mut self,
        contract: &Contract,
        batch: &BatchId,
    ) -> Result<Option<WithdrawnRows>, LoadError> {
        let mut session = self.take().await?;
        let result = withdraw::finish(session.client_mut(), contract, batch).await;
        self.put_back(session, result).await
    }
}
