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
        let (copy_single, copy_shared, merge_single, merge_ordered, merge_shared) = tokio::try_join!(
            client.prepare(&sql.copy_single),
            client.prepare(&sql.copy_shared),
            sql.merge_single.prepare(client),
            sql.merge_ordered.prepare(client),
            sql.merge_shared.prepare(client),
        )?;
        Ok(Self {
            sql,
            copy_single,
            copy_shared,
            merge_single,
            merge_ordered,
            merge_shared,
            target_version: target.version,
        })
    }
}
