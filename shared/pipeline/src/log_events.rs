//! The log events that the runbook refers to.
//!
//! An operator searches the logs for these messages, so they are defined once: the functions log the constants, and
//! `tests/golden/log-events.json`, a dump of [`ALL`], is compared with `docs/runbook.md`.

use std::fmt;

use serde::Serialize;

/// A log message that operators search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LogEvent {
    /// The text of the field `message`.
    pub message: &'static str,
    /// The functions that log it.
    pub functions: &'static [&'static str],
    /// The meaning of the event.
    pub meaning: &'static str,
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

/// Makes a constant of each event, and the list of all.
macro_rules! registry {
    ($(#[doc = $meaning:literal] $constant:ident = $message:literal by $functions:tt;)+) => {
        $(
            #[doc = $meaning]
            pub const $constant: LogEvent = LogEvent {
                message: $message,
                functions: &$functions,
                meaning: $meaning.trim_ascii(),
            };
        )+

        /// Every event.
        pub const ALL: &[LogEvent] = &[$($constant),+];
    };
}

registry! {
    /// A drop was not processed; `error` is the reason, `transient` is true when it will be retried.
    DROP_NOT_PROCESSED = "drop not processed" by ["ingest"];
    /// An object is a marker, a hidden file or another object that is not a drop; `reason` says which.
    OBJECT_IGNORED = "object is not a drop" by ["ingest"];
    /// The event of a drop lacks the size or the ETag, and the object was deleted or overwritten meanwhile.
    OBJECT_GONE = "object of an incomplete event is gone" by ["ingest"];
    /// A state change of a job was not processed; `error` is the reason, `transient` is true when it will be retried.
    JOB_EVENT_NOT_PROCESSED = "job event not processed" by ["job-events"];
    /// A chunk was not loaded; `error` is the reason, `transient` is true when it will be retried.
    CHUNK_NOT_LOADED = "chunk not loaded" by ["writer"];
    /// A chunk was skipped, because a replay replaces its batch or an operator withdrew it.
    CHUNK_OF_STOPPED_BATCH = "chunk of a stopped batch skipped" by ["writer"];
    /// PostgreSQL refused the login; it is repeated once with newly read credentials.
    LOGIN_REFUSED = "login refused, reading the credentials again" by ["writer"];
    /// The throttle of a writer permits fewer or more rows per second; `congestion` is the reason for fewer.
    BUDGET_CHANGED = "throttle budget changed" by ["writer"];
    /// A batch was closed although its counts contradict each other.
    ACCOUNTING_INVARIANT_BROKEN = "accounting invariant broken" by ["writer"];
    /// A message was moved to the dead-letter queue; `code` and `reason` are also attributes of the dead letter.
    MESSAGE_DEAD_LETTERED = "message moved to the dead-letter queue" by ["ingest", "job-events", "writer"];
    /// A message could not be moved to the dead-letter queue; it will be retried.
    DEAD_LETTER_NOT_SENT = "dead letter not sent" by ["ingest", "job-events", "writer"];
    /// A source has not delivered for longer than its contract allows.
    SOURCE_LATE = "source is late" by ["sentinel"];
    /// A drop had no receipt, and its event was sent to the drops queue again.
    DROP_REQUEUED = "drop was missed and is queued again" by ["sentinel"];
    /// Drops have no receipts; their messages may still be in the drops queue.
    DROPS_WAITING = "drops were missed or are still queued" by ["sentinel"];
    /// An object that no manifest lists was removed; `kind` is `chunk`, `parquet` or `rejects`.
    ORPHAN_REMOVED = "orphan was removed" by ["sentinel"];
    /// A batch is not final and has not changed for `StuckAfterSeconds`.
    BATCH_STUCK = "batch is stuck" by ["sentinel"];
}
