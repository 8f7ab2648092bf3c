//! The load that others put on the database, in one query without special privileges.

use penstock_pipeline::writer_state::DatabaseLoad;
use tokio_postgres::Client;

use crate::error::LoadError;

/// The `application_name` of the sessions of all writers, by which they recognise each other.
pub const APPLICATION_NAME: &str = "penstock-writer";

/// Counts the sessions of others.
///
/// PostgreSQL shows the state of a session only to its own role and to members of `pg_read_all_stats`. The locks of all
/// sessions are visible to everyone, and a session in a transaction has a lock on its virtual transaction id. A session
/// that waits for its client or for a lock does not use the server and does not count as active.
///
/// When the writer's statement is executed after a transaction, short statements of others that waited for a core have
/// often been executed, too. Sessions that have just become idle therefore count as recent.
const MEASURE: &str = "\
WITH writers AS MATERIALIZED (
    SELECT pid FROM pg_stat_activity WHERE application_name = $1 OR pid = pg_backend_pid()
), others AS MATERIALIZED (
    SELECT pid, state, wait_event_type, state_change FROM pg_stat_activity
    WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
        AND pid NOT IN (SELECT pid FROM writers)
), locks AS MATERIALIZED (
    SELECT pid, locktype, granted FROM pg_locks
), hidden AS (
    SELECT DISTINCT others.pid FROM others JOIN locks USING (pid)
    WHERE others.state IS NULL AND locktype = 'virtualxid' AND granted
)
SELECT
    (SELECT count(*) FROM others
     WHERE state IN ('active', 'fastpath function call') AND coalesce(wait_event_type, '') NOT IN ('Client', 'Lock'))
    + (SELECT count(*) FROM hidden) AS active,
    (SELECT count(*) FROM others WHERE state_change > clock_timestamp() - interval '1 second')
    + (SELECT count(*) FROM hidden) AS recent,
    (SELECT count(*) FROM pg_stat_activity
     WHERE application_name = $1 AND pid <> pg_backend_pid() AND state = 'active') AS writers,
    (SELECT count(DISTINCT others.pid) FROM others JOIN locks USING (pid)
     WHERE NOT granted AND pg_blocking_pids(others.pid) && ARRAY(SELECT pid FROM writers)) AS blocked,
    (SELECT extract(epoch FROM max(replay_lag))::float8 FROM pg_stat_replication) AS replica_lag";

/// Measures the load.
pub(crate) async fn measure(client: &Client) -> Result<DatabaseLoad, LoadError> {
    let row = client.query_one(MEASURE, &[&APPLICATION_NAME]).await?;
    let count = |column| row.try_get::<_, i64>(column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Ok(DatabaseLoad {
        active_sessions: count(0)?,
        recent_sessions: count(1)?,
        active_writers: count(2)?,
        blocked_sessions: count(3)?,
        replica_lag_seconds: row.try_get(4)?,
    })
}
