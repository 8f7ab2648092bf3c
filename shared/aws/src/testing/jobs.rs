//! Jobs in memory.

use std::sync::{Arc, Mutex};

use super::faults::{Call, Fault, FaultPlan, lock};
use crate::jobs::{JobError, JobRequest, Jobs};

#[derive(Debug, Default)]
struct JobsState {
    started: Vec<JobRequest>,
    faults: FaultPlan,
}

/// Jobs that never run. A client token that was used before does not start another job.
#[derive(Debug, Clone, Default)]
pub struct MemoryJobs(Arc<Mutex<JobsState>>);

impl MemoryJobs {
    /// Returns no jobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the started jobs, one for each client token.
    pub fn started(&self) -> Vec<JobRequest> {
        lock(&self.0).started.clone()
    }

    /// Makes the next start fail.
    pub fn fail(&self, fault: Fault) {
        lock(&self.0).faults.add_once(Call::Start, "", fault);
    }
}

impl Jobs for MemoryJobs {
    async fn start(&self, request: &JobRequest) -> Result<String, JobError> {
        let mut state = lock(&self.0);
        let fault = state.faults.next(Call::Start, &request.application_id);
        let (application_id, message) = (request.application_id.clone(), "injected fault".to_owned());
        match fault {
            Some(Fault::Transient) => return Err(JobError::Transient { application_id, message }),
            Some(Fault::Refused | Fault::NotFound | Fault::Changed | Fault::Archived) => {
                return Err(JobError::Refused { application_id, message });
            }
            Some(Fault::AfterEffect) | None => {}
        }
        let same_token =
            state.started.iter().position(|started| started.client_token == request.client_token);
        let index = same_token.unwrap_or_else(|| {
            state.started.push(request.clone());
            state.started.len() - 1
        });
        match fault {
            Some(_) => Err(JobError::Transient { application_id, message }),
            None => Ok(format!("job-{index}")),
        }
    }
}
