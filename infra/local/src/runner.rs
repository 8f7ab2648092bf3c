//! Runs the unchanged Lambda binaries as AWS does: the Runtime API, execution environments, event source mappings from
//! SQS, schedules.

mod batch;
mod environment;
mod function;
mod mapping;
mod runtime_api;
mod schedule;
mod status;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use environment::InvocationFailure;
pub(crate) use function::{Function, HostConfig};
use mapping::Mapping;
use schedule::Schedule;
pub use status::{EnvironmentStatus, FunctionStatus, InvocationTotals, MappingStatus, RunnerStatus};
pub use usage::Usage;

use crate::error::LocalError;
use crate::template::Application;

/// The functions of an application with their mappings and schedules. Dropping it kills all execution environments.
#[derive(Debug)]
pub(crate) struct Runner {
    functions: BTreeMap<String, Arc<Function>>,
    mappings: BTreeMap<String, Vec<Mapping>>,
    schedules: BTreeMap<String, Vec<Schedule>>,
}

impl Runner {
    /// Prepares the functions and starts to poll their queues. A queue's URL is `<queue_base>/<name>`.
    ///
    /// # Errors
    /// Returns an error if a function's binary is missing.
    pub(crate) fn start(
        application: &Application,
        host: &HostConfig,
        sqs: &aws_sdk_sqs::Client,
        queue_base: &str,
    ) -> Result<Self, LocalError> {
        let mut functions = BTreeMap::new();
        let mut mappings: BTreeMap<String, Vec<Mapping>> = BTreeMap::new();
        for spec in &application.functions {
            functions.insert(spec.binary.clone(), Function::new(spec, host)?);
        }
        let mut schedules: BTreeMap<String, Vec<Schedule>> = BTreeMap::new();
        for spec in &application.functions {
            let function = &functions[&spec.binary];
            let started =
                spec.schedules.iter().map(|schedule| Schedule::start(schedule, host, Arc::clone(function)));
            schedules.insert(spec.binary.clone(), started.collect());
            let of_function = mappings.entry(spec.binary.clone()).or_default();
            for mapping in &spec.mappings {
                let name = mapping.queue_arn.rsplit(':').next().expect("rsplit yields at least one part");
                let queue_url = format!("{queue_base}/{name}");
                let function = Arc::clone(function);
                of_function.push(Mapping::start(mapping, queue_url, &host.region, sqs.clone(), function));
            }
        }
        Ok(Self { functions, mappings, schedules })
    }

    pub(crate) fn function(&self, name: &str) -> Option<&Arc<Function>> {
        self.functions.get(name)
    }

    /// Returns the first schedule of a function.
    pub(crate) fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.get(name)?.first()
    }

    /// Pauses all mappings of a function. Returns `false` when there is no such function.
    pub(crate) async fn pause(&self, name: &str) -> bool {
        let mappings = self.mappings.get(name);
        for mapping in mappings.into_iter().flatten() {
            mapping.pause().await;
        }
        mappings.is_some()
    }

    /// Resumes all mappings of a function. Returns `false` when there is no such function.
    pub(crate) fn resume(&self, name: &str) -> bool {
        let mappings = self.mappings.get(name);
        mappings.into_iter().flatten().for_each(Mapping::resume);
        mappings.is_some()
    }

    pub(crate) fn status(&self) -> RunnerStatus {
        let functions = self.functions.iter().map(|(name, function)| (name.clone(), function.status()));
        // The status has one mapping per function, the last one. The template has no function with two.
        let mappings = self
            .mappings
            .iter()
            .filter_map(|(name, mappings)| mappings.last().map(|mapping| (name.clone(), mapping.status())));
        RunnerStatus { functions: functions.collect(), mappings: mappings.collect() }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.mappings.clear();
        self.schedules.clear();
        for function in self.functions.values() {
            function.kill();
        }
    }
}
