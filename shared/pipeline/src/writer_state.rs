//! The state of a writer, which it stores in S3 so that operators see it without a connection to the database.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The age in seconds from which a state is ignored: its writer has been idle or has ended.
const STALE_AFTER_SECONDS: i64 = 300;

/// Returns whether a state that was stored at `updated_at` is too old to describe a running writer.
pub fn is_stale(updated_at: Timestamp, now: Timestamp) -> bool {
    now.as_second().saturating_sub(updated_at.as_second()) > STALE_AFTER_SECONDS
}

/// The state of one writer, an execution environment of the function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriterState {
    /// Identifies the writer while it exists.
    pub writer: Uuid,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The budget of the throttle in rows per second; `None` while there is no limit.
    pub budget_rows_per_second: Option<u64>,
    /// The configured maximum of the budget; `None` if there is none.
    pub max_rows_per_second: Option<u64>,
    /// The smallest budget; `None` if the budget is fixed.
    pub min_rows_per_second: Option<u64>,
    /// Rows per second of the latest transactions, without the time between them; `None` if there was none, or the
    /// budget is fixed.
    pub transaction_rows_per_second: Option<u64>,
    /// The signals of congestion in the last measurement; empty if there was none.
    pub congestion: Vec<CongestionSignal>,
    /// The last measurement of the database's load.
    pub load: Option<DatabaseLoad>,
    /// The status of the instance as RDS reports it, while the writer waits for the instance to be available.
    pub waits_for_instance: Option<String>,
}

/// The load that other sessions put on the database. The role of the writer may not see all of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DatabaseLoad {
    /// Sessions of others than writers that execute a statement, or are in a transaction if their state is not visible.
    pub active_sessions: u32,
    /// Sessions of others than writers that are active or were within the last second, as far as that is visible.
    pub recent_sessions: u32,
    /// Sessions of other writers that execute a statement.
    pub active_writers: u32,
    /// Other sessions that wait for a lock of a writer.
    pub blocked_sessions: u32,
    /// Seconds by which the slowest replica is behind; `None` if there is no replica or it is not visible.
    pub replica_lag_seconds: Option<f64>,
}

/// A reason to load fewer rows per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CongestionSignal {
    /// Transactions of the writer take longer per row than they used to.
    TransactionLatency,
    /// Others are active, and together with the writers more than the limit, or more than while the writer pauses.
    ActiveSessions,
    /// Sessions of others wait for a lock of a writer.
    BlockedSessions,
    /// A replica is too far behind.
    ReplicaLag,
}

impl CongestionSignal {
    /// Returns the description for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransactionLatency => "slow transactions",
            Self::ActiveSessions => "active sessions",
            Self::BlockedSessions => "blocked sessions",
            Self::ReplicaLag => "replica lag",
        }
    }
}
