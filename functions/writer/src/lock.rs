//! Named advisory locks, and transactions that change the definition of objects.

use std::time::Duration;

use tokio_postgres::{Client, Transaction};

use crate::error::LoadError;

/// The mode of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockMode {
    /// Excludes all other holders.
    Exclusive,
    /// Admits other shared holders.
    Shared,
}

/// Waits for the lock on the `kind` of object with this name, and holds it until the transaction ends.
pub(crate) async fn lock(
    transaction: &Transaction<'_>,
    mode: LockMode,
    kind: &str,
    name: &str,
) -> Result<(), LoadError> {
    let statement = match mode {
        LockMode::Exclusive => "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        LockMode::Shared => "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",
    };
    transaction.execute(statement, &[&format!("penstock {kind} {name}")]).await?;
    Ok(())
}

/// Returns whether the exclusive lock on the `kind` of object with this name was granted at once. It is held until the
/// transaction ends.
pub(crate) async fn try_lock(
    transaction: &Transaction<'_>,
    kind: &str,
    name: &str,
) -> Result<bool, LoadError> {
    let statement = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))";
    Ok(transaction.query_one(statement, &[&format!("penstock {kind} {name}")]).await?.try_get(0)?)
}

/// Begins a transaction that changes the definition of objects. All readers of a table wait behind a statement that waits
/// for its exclusive lock, so it waits only briefly.
pub(crate) async fn begin_definition(client: &mut Client) -> Result<Transaction<'_>, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute("SET LOCAL lock_timeout = '500ms'").await?;
    Ok(transaction)
}

/// The pauses between the attempts of a transaction that changes the definition of objects, in which readers proceed.
#[derive(Debug, Default)]
pub(crate) struct DefinitionAttempts(u32);

impl DefinitionAttempts {
    const MAX: u32 = 3;
    const PAUSE: Duration = Duration::from_millis(200);

    /// Returns whether to repeat the transaction, after a pause. Otherwise its message is retried later.
    pub(crate) async fn again(&mut self, is_contention: bool) -> bool {
        self.0 += 1;
        if !is_contention || self.0 >= Self::MAX {
            return false;
        }
        tokio::time::sleep(Self::PAUSE).await;
        true
    }
}
