//! The status of the runner.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::environment::InvocationFailure;
use super::usage::Usage;

/// The status of all functions and mappings: the response of `GET /status` of the control endpoint.
#[derive(Debug, Clone, Serialize)]
pub struct RunnerStatus {
    /// Functions by the name of their binary.
    pub functions: BTreeMap<String, FunctionStatus>,
    /// Mappings by the name of the function's binary.
    pub mappings: BTreeMap<String, MappingStatus>,
}

/// The status of a function.
#[derive(Debug, Clone, Serialize)]
pub struct FunctionStatus {
    /// The running execution environments.
    pub environments: Vec<EnvironmentStatus>,
    /// The CPU time of all environments since the start of the stack, and the memory of the largest.
    #[serde(flatten)]
    pub usage: Usage,
    /// Counts since the start of the stack.
    #[serde(flatten)]
    pub totals: InvocationTotals,
}

/// The status of an execution environment.
#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentStatus {
    /// Process id.
    pub pid: u32,
    /// The duration of the current invocation; null when idle.
    pub busy_ms: Option<f64>,
    /// The number of invocations, including the current one.
    pub invocations: u64,
    /// The last sample of its usage.
    #[serde(flatten)]
    pub usage: Usage,
}

/// The invocation counts of a function.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InvocationTotals {
    /// Invocations that have ended.
    pub invocations: u64,
    /// Invocations in which the handler returned an error.
    pub errors: u64,
    /// Invocations in which the process ended.
    pub crashes: u64,
    /// Invocations that exceeded the timeout.
    pub timeouts: u64,
    /// Invocations for which no process could be initialised.
    pub init_failures: u64,
    /// The time spent in invocations, without cold starts.
    pub duration_ms: f64,
    /// The duration of each cold start, from the start of the process to its first request for an invocation.
    pub init_durations_ms: Vec<f64>,
}

impl InvocationTotals {
    pub(super) fn count(&mut self, duration: Duration, failure: Option<&InvocationFailure>) {
        self.invocations += 1;
        self.duration_ms += duration.as_secs_f64() * 1e3;
        match failure {
            None => {}
            Some(InvocationFailure::Function(_)) => self.errors += 1,
            Some(InvocationFailure::Exited(_)) => self.crashes += 1,
            Some(InvocationFailure::TimedOut(_)) => self.timeouts += 1,
            Some(InvocationFailure::Init(_)) => self.init_failures += 1,
        }
    }
}

/// The status of an event source mapping.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MappingStatus {
    /// The ARN of the queue.
    pub queue_arn: String,
    /// Whether polling is paused.
    pub paused: bool,
    /// The number of current invocations.
    pub in_flight: u64,
    /// Batches passed to the function.
    pub batches: u64,
    /// Messages that were processed and deleted.
    pub messages_done: u64,
    /// Messages that failed and are redelivered after their visibility timeout.
    pub messages_failed: u64,
}
