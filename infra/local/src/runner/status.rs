//! What the runner tells about itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::environment::Failure;
use super::usage::Usage;

/// All of it, as `GET /status` of the control endpoint gives it.
#[derive(Debug, Clone, Serialize)]
pub struct RunnerStatus {
    /// By name of the binary.
    pub functions: BTreeMap<String, FunctionStatus>,
    /// By name of the function's binary.
    pub mappings: BTreeMap<String, MappingStatus>,
}

/// One function.
#[derive(Debug, Clone, Serialize)]
pub struct FunctionStatus {
    /// Those that are alive.
    pub environments: Vec<EnvironmentStatus>,
    /// Processor time of all environments there ever were, and the memory of the largest.
    #[serde(flatten)]
    pub usage: Usage,
    /// Counts since the stack came up.
    #[serde(flatten)]
    pub totals: Totals,
}

/// One execution environment.
#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentStatus {
    /// Process id.
    pub pid: u32,
    /// For how long the current invocation has run; null when idle.
    pub busy_ms: Option<f64>,
    /// Invocations so far, the current one included.
    pub invocations: u64,
    /// As of the last look at it.
    #[serde(flatten)]
    pub usage: Usage,
}

/// Counts of a function.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// All invocations that ended.
    pub invocations: u64,
    /// The handler returned an error.
    pub errors: u64,
    /// The process ended in the middle.
    pub crashes: u64,
    /// Killed at the deadline.
    pub timeouts: u64,
    /// The process did not come up.
    pub init_failures: u64,
    /// Time spent in invocations, cold starts not counted.
    pub duration_ms: f64,
    /// Each cold start: from the start of the process to its first call for work.
    pub init_durations_ms: Vec<f64>,
}

impl Totals {
    pub(super) fn count(&mut self, duration: Duration, failure: Option<&Failure>) {
        self.invocations += 1;
        self.duration_ms += duration.as_secs_f64() * 1e3;
        match failure {
            None => {}
            Some(Failure::Function(_)) => self.errors += 1,
            Some(Failure::Exited(_)) => self.crashes += 1,
            Some(Failure::TimedOut(_)) => self.timeouts += 1,
            Some(Failure::Init(_)) => self.init_failures += 1,
        }
    }
}

/// One event source mapping.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MappingStatus {
    /// ARN of the queue.
    pub queue_arn: String,
    /// It does not poll.
    pub paused: bool,
    /// Invocations that run right now.
    pub in_flight: u64,
    /// Batches handed over.
    pub batches: u64,
    /// Messages that were done and deleted.
    pub messages_done: u64,
    /// Messages that were left to their visibility timeout.
    pub messages_failed: u64,
}
