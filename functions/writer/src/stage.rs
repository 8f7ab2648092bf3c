//! The staging table of a contract version, with the statements that use it.

use penstock_contract::Contract;
use tokio_postgres::{Client, Statement};

use crate::error::LoadError;
use crate::sql::{LoadSql, MergeOne, MergeSeveral, load_sql};
use crate::statement::PreparedStatement;
use crate::target::{LoadTarget, TargetVersion};

/// A staging table and its prepared statements.
#[derive(Clone)]
pub(crate) struct PreparedStage {
    pub(crate) sql: LoadSql,
    pub(crate) copy_single: Statement,
    pub(crate) copy_shared: Statement,
    pub(crate) merge_single: PreparedStatement<MergeOne<'static>>,
    pub(crate) merge_ordered: PreparedStatement<MergeOne<'static>>,
    pub(crate) merge_shared: PreparedStatement<MergeSeveral<'static>>,
    /// The definition of the target for which the statements were prepared.
    pub(crate) target_version: TargetVersion,
}

impl PreparedStage {
    /// Creates the staging table `name` in the client's session, and prepares the statements.
    pub(crate) async fn create(
        client: &Client,
        contract: &Contract,
        target: &LoadTarget,
        name: &str,
    ) -> Result<Self, LoadError> {
        let sql = load_sql(contract, name, &target.foreign).map_err(|error| LoadError::Contract {
            source_name: contract.source.clone(),
            version: contract.version.clone(),
            problem: error.to_string(),
        })?;
        client.batch_execute(&sql.create_stage).await?;
        let drop_stage = sql.drop_stage.clone();
        let prepared = Self::prepare(client, sql, target.version).await;
        if let Err(error) = &prepared
            && !error.breaks_session()
        {
            client.batch_execute(&drop_stage).await?;
        }
        prepared
    }

    /// Prepares the statements one after the other: each of them may wait for a lock on the target, and those that were
    /// sent together would all wait, although the first one has failed.
    async fn prepare(
        client: &Client,
        sql: LoadSql,
        target_version: TargetVersion,
    ) -> Result<Self, LoadError> {
        let copy_single = client.prepare(&sql.copy_single).await?;
        let copy_shared = client.prepare(&sql.copy_shared).await?;
        let merge_single = sql.merge_single.prepare(client).await?;
        let merge_ordered = sql.merge_ordered.prepare(client).await?;
        let merge_shared = sql.merge_shared.prepare(client).await?;
        Ok(Self { sql, copy_single, copy_shared, merge_single, merge_ordered, merge_shared, target_version })
    }
}
