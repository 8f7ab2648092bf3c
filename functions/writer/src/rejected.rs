//! The ledger's counts of rows that the database refuses.

use std::collections::BTreeMap;

use penstock_engine::{Code, ReasonCount, Reject, Totals};
use penstock_pipeline::{BatchId, DatabaseRejects, LoadMessage};
use tokio_postgres::{Client, Transaction};

use crate::error::LoadError;
use crate::ledger::{bigint, chunk_number, unsigned};
use crate::lock::{LockMode, lock};
use crate::statement::InsertRow;

/// Returns the number of a batch's rows that the database has refused in other chunks.
pub(crate) async fn count(transaction: &Transaction<'_>, batch: &BatchId) -> Result<u64, LoadError> {
    let statement = "SELECT coalesce(sum(rejected), 0)::bigint FROM penstock.chunk WHERE batch_id = $1";
    Ok(unsigned(transaction.query_one(statement, &[batch]).await?.try_get(0)?))
}

/// Returns the same as [`count`]. No other transaction adds rejects of the batch until this one ends.
pub(crate) async fn lock_and_count(transaction: &Transaction<'_>, batch: &BatchId) -> Result<u64, LoadError> {
    lock(transaction, LockMode::Exclusive, "rejects of batch", &batch.to_string()).await?;
    count(transaction, batch).await
}

/// Inserts the rows of a chunk that the database refused, by column and rule, and the file that has them.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    message: &LoadMessage,
    rejects: &[Reject],
    file: &str,
) -> Result<(), LoadError> {
    let mut by_rule: BTreeMap<(Option<&str>, &str), Vec<i64>> = BTreeMap::new();
    for reject in rejects {
        let row = bigint("chunk_reject", "row_numbers", reject.row)?;
        for reason in &reject.reasons {
            by_rule.entry((reason.column.as_deref(), &*reason.rule)).or_default().push(row);
        }
    }
    let chunk = chunk_number(message)?;
    for (number, ((column, rule), rows)) in (0i32..).zip(&by_rule) {
        let row = InsertRow::into("chunk_reject")
            .column("batch_id", &message.batch_id)
            .column("chunk", &chunk)
            .column("number", &number)
            .column("column_name", column)
            .column("rule", rule)
            .column("row_numbers", rows)
            .column("file", &file);
        transaction.execute(&row.text(), row.values()).await?;
    }
    Ok(())
}

/// Deletes the rows of a chunk that the database refused from the table `stage`, into which the chunk was copied.
pub(crate) async fn delete_staged(
    transaction: &Transaction<'_>,
    message: &LoadMessage,
    row_base: i64,
    stage: &str,
) -> Result<(), LoadError> {
    let statement = format!(
        "DELETE FROM {stage} WHERE _row + $1::bigint IN \
         (SELECT unnest(r.row_numbers) FROM penstock.chunk_reject AS r WHERE r.batch_id = $2 AND r.chunk = $3)"
    );
    transaction.execute(&statement, &[&row_base, &message.batch_id, &chunk_number(message)?]).await?;
    Ok(())
}

/// Returns the rows of a batch that the database refused.
pub(crate) async fn of_batch(client: &Client, batch: &BatchId) -> Result<DatabaseRejects, LoadError> {
    let counts = "SELECT column_name, sum(cardinality(row_numbers))::bigint FROM penstock.chunk_reject WHERE batch_id = $1 \
                  GROUP BY column_name ORDER BY 2 DESC, 1";
    let mut by_reason = Vec::new();
    for row in client.query(counts, &[batch]).await? {
        let rows = unsigned(row.try_get(1)?);
        by_reason.push(ReasonCount { code: Code::DatabaseRefused, column: row.try_get(0)?, rows });
    }
    let files =
        "SELECT file FROM penstock.chunk_reject WHERE batch_id = $1 GROUP BY file ORDER BY min(chunk), file";
    let files = client.query(files, &[batch]).await?;
    let files = files.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(DatabaseRejects { totals: Totals::of_rejects(by_reason), files })
}
