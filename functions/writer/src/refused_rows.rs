//! Merging a chunk without the rows that the database refuses.

use std::time::{Duration, Instant};

use penstock_aws::database::{DatabaseError, SqlFailure};
use penstock_contract::Contract;
use tokio_postgres::Transaction;

use crate::error::LoadError;
use crate::row_search::RowSearch;
use crate::sql::{MergeOne, MergeRows, RowRange};
use crate::stage::PreparedStage;
use crate::statement::PreparedStatement;

/// The time after which the search ends and the chunk is refused as a whole.
const MAX_SEARCH_TIME: Duration = Duration::from_secs(45);
/// The SQLSTATE of a violated foreign key.
const FOREIGN_KEY: &str = "23503";

/// The name of the savepoint to which a refused merge is rolled back.
pub(crate) const SAVEPOINT: &str = "SAVEPOINT penstock_merge";

/// A staged chunk of which at least one row is refused, in a transaction that has merged none of them.
pub(crate) struct RefusedChunk<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) contract: &'a Contract,
    pub(crate) stage: &'a PreparedStage,
    pub(crate) merge: MergeOne<'a>,
}

/// A merge without the refused rows.
pub(crate) struct PartialMerge {
    /// The number of rows that were inserted or replaced another. A row that is replaced later is counted, too.
    pub(crate) changed: u64,
    /// The numbers of the refused rows in the chunk, each with the error for it alone.
    pub(crate) refused: Vec<(i64, SqlFailure)>,
}

impl RefusedChunk<'_> {
    /// Merges all rows that the database accepts. `check` returns an error for a number of refused rows that is too large.
    pub(crate) async fn merge(
        &self,
        failure: SqlFailure,
        check: impl Fn(u64, &SqlFailure) -> Result<(), LoadError> + Send,
    ) -> Result<PartialMerge, LoadError> {
        let (client, started) = (self.transaction.client(), Instant::now());
        let rows = self.transaction.query(&self.stage.sql.staged_rows, &[]).await?;
        let rows: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        self.transaction.batch_execute(&self.stage.sql.create_row_index).await?;
        self.transaction.batch_execute(SAVEPOINT).await?;
        let merge = self.stage.sql.merge_rows.prepare(client).await?;
        // A row may refer to another row of the chunk, which may be in a range that is tried later.
        let refers_to_itself = self.refers_to_itself().await?;
        let may_pass_later = |failure: &SqlFailure| refers_to_itself && failure.sqlstate == FOREIGN_KEY;

        let mut search = RowSearch::new(rows.len(), failure);
        let mut changed = 0;
        while let Some(range) = search.next() {
            match self.try_rows(&merge, &rows[range.clone()]).await? {
                Ok(count) => changed += count,
                Err(failure) => {
                    check_time(started, &failure)?;
                    let is_one = range.len() == 1;
                    search.refuse(range, failure.clone());
                    if is_one {
                        let final_ones =
                            search.refused().iter().filter(|(_, failure)| !may_pass_later(failure));
                        check(final_ones.count() as u64, &failure)?;
                    }
                }
            }
        }
        let mut refused: Vec<(i64, SqlFailure)> =
            search.finish().into_iter().map(|(index, failure)| (rows[index], failure)).collect();
        while refused.iter().any(|(_, failure)| may_pass_later(failure)) {
            let before = refused.len();
            // Alternately from both ends, because each row may refer to the one before or after it.
            refused.reverse();
            for (row, failure) in std::mem::take(&mut refused) {
                check_time(started, &failure)?;
                match if may_pass_later(&failure) {
                    self.try_rows(&merge, &[row]).await?
                } else {
                    Err(failure)
                } {
                    Ok(count) => changed += count,
                    Err(failure) => refused.push((row, failure)),
                }
            }
            if refused.len() == before {
                break;
            }
        }
        refused.sort_by_key(|(row, _)| *row);
        if let Some((_, failure)) = refused.first() {
            check(refused.len() as u64, failure)?;
        }
        self.transaction.batch_execute(&format!("RELEASE {SAVEPOINT}")).await?;
        self.transaction.batch_execute(&self.stage.sql.drop_row_index).await?;
        Ok(PartialMerge { changed, refused })
    }

    /// Merges rows, given by their numbers in ascending order, or returns the error for which they are refused.
    async fn try_rows(
        &self,
        merge: &PreparedStatement<MergeRows<'static>>,
        rows: &[i64],
    ) -> Result<Result<u64, SqlFailure>, LoadError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Ok(0)) };
        let range = RowRange { first: *first, last: *last };
        let parameters = MergeRows { merge: self.merge.clone(), range };
        match merge.execute(self.transaction.client(), &parameters).await {
            Ok(count) => {
                let next = format!("RELEASE {SAVEPOINT}; {SAVEPOINT}");
                self.transaction.batch_execute(&next).await?;
                Ok(Ok(count))
            }
            Err(error) => {
                let error = DatabaseError::from(error);
                let Some(failure) = error.sql().filter(|failure| failure.refuses_row()).cloned() else {
                    return Err(error.into());
                };
                self.transaction.batch_execute(&format!("ROLLBACK TO {SAVEPOINT}")).await?;
                Ok(Err(failure))
            }
        }
    }

    async fn refers_to_itself(&self) -> Result<bool, LoadError> {
        let statement = "SELECT EXISTS (SELECT FROM pg_constraint AS f JOIN pg_class AS c ON c.oid = f.conrelid \
                         JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                         WHERE f.contype = 'f' AND f.confrelid = c.oid AND n.nspname = $1 AND c.relname = $2)";
        let table = &self.contract.entity.table;
        Ok(self.transaction.query_one(statement, &[&table.schema, &table.table]).await?.try_get(0)?)
    }
}

fn check_time(started: Instant, failure: &SqlFailure) -> Result<(), LoadError> {
    if started.elapsed() < MAX_SEARCH_TIME {
        return Ok(());
    }
    let problem = format!(
        "the rows of the chunk that the database refuses were not found within {} s ({failure}): remove the constraint, or \
         correct the file",
        MAX_SEARCH_TIME.as_secs()
    );
    Err(LoadError::TooManyRejects { problem })
}
