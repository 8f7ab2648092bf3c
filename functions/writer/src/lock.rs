//! Named advisory locks.

use tokio_postgres::Transaction;

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
