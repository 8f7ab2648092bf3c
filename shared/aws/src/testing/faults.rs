//! Injected faults.

use std::sync::{Mutex, MutexGuard};

/// A call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`ObjectStore::get`](crate::store::ObjectStore::get) and
    /// [`ObjectStore::get_tagged`](crate::store::ObjectStore::get_tagged)
    Get,
    /// [`ObjectStore::head_object`](crate::store::ObjectStore::head_object)
    Head,
    /// [`ObjectStore::get_range`](crate::store::ObjectStore::get_range)
    GetRange,
    /// [`ObjectStore::put`](crate::store::ObjectStore::put)
    Put,
    /// [`ObjectStore::put_if_absent`](crate::store::ObjectStore::put_if_absent)
    PutIfAbsent,
    /// [`ObjectStore::put_if_match`](crate::store::ObjectStore::put_if_match)
    PutIfMatch,
    /// [`ObjectStore::delete`](crate::store::ObjectStore::delete)
    Delete,
    /// [`ObjectStore::delete_version`](crate::store::ObjectStore::delete_version)
    DeleteVersion,
    /// [`ObjectListing::objects`](crate::listing::ObjectListing::objects)
    ListObjects,
    /// [`ObjectListing::versions`](crate::listing::ObjectListing::versions)
    ListVersions,
    /// [`Queue::send_all`](crate::queue::Queue::send_all)
    SendAll,
    /// [`Queue::send_dead`](crate::queue::Queue::send_dead)
    SendDead,
    /// [`Queue::depth`](crate::queue::Queue::depth)
    Depth,
    /// [`Queue::delay`](crate::queue::Queue::delay)
    Delay,
    /// [`Jobs::start`](crate::jobs::Jobs::start)
    Start,
}

/// The way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Throttled: the call has no effect.
    Transient,
    /// Forbidden: the call has no effect.
    Refused,
    /// The object does not exist any more (store only).
    NotFound,
    /// The object has another ETag (store only).
    Changed,
    /// The object is archived (store only).
    Archived,
    /// The call has its effect, but the response is lost.
    AfterEffect,
}

/// A fault of the calls on targets that contain `matching`.
#[derive(Debug, Clone)]
pub(super) struct PlannedFault {
    pub(super) call: Call,
    pub(super) matching: String,
    /// Number of calls that succeed first.
    pub(super) skip: usize,
    /// Number of calls that fail then.
    pub(super) times: usize,
    pub(super) fault: Fault,
}

/// The faults that are still to be injected.
#[derive(Debug, Default)]
pub(super) struct FaultPlan(Vec<PlannedFault>);

impl FaultPlan {
    pub(super) fn add(&mut self, planned: PlannedFault) {
        self.0.push(planned);
    }

    /// Makes the next call on a target that contains `matching` fail.
    pub(super) fn add_once(&mut self, call: Call, matching: &str, fault: Fault) {
        self.add(PlannedFault { call, matching: matching.to_owned(), skip: 0, times: 1, fault });
    }

    /// Returns the fault of a call, and counts it.
    pub(super) fn next(&mut self, call: Call, target: &str) -> Option<Fault> {
        for planned in &mut self.0 {
            if planned.call != call || !target.contains(&planned.matching) || planned.times == 0 {
                continue;
            }
            if planned.skip > 0 {
                planned.skip -= 1;
                continue;
            }
            planned.times -= 1;
            return Some(planned.fault);
        }
        None
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds the lock")
}
