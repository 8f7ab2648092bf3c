//! Advisory locks, by name.

use tokio_postgres::Transaction;

use crate::error::LoadError;

/// With whom a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Nobody.
    Alone,
    /// All others that hold it together.
    Together,
}

/// Waits for the lock of `what` that is called `name`, and holds it to the end of the transaction.
pub(crate) async fn lock(
    transaction: &Transaction<'_>,
    hold: Hold,
    what: &str,
    name: &str,
) -> Result<(), LoadError> {
    let statement = match hold {
        Hold::Alone => "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        Hold::Together => "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",
    };
    transaction.execute(statement, &[&format!("penstock {what} {name}")]).await?;
    Ok(())
}
