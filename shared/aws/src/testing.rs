//! In-memory stand-ins for the store, the queues and the jobs, with faults on demand. For tests.

mod listing;

mod queue;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use jiff::Timestamp;
pub use listing::PAGE_ENTRIES;

pub use self::queue::{DeadLetter, MemoryQueue};
use crate::jobs::{JobError, JobRequest, Jobs};
use crate::secrets::{Answer, ReadSecret, SecretError};
use crate::store::{ObjectBody, ObjectRef, ObjectStore, PIECE_BYTES, StoreError};

/// A call that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`ObjectStore::get`]
    Get,
    /// [`ObjectStore::get_range`]
    GetRange,
    /// [`ObjectStore::put`]
    Put,
    /// [`ObjectStore::put_if_absent`]
    PutIfAbsent,
    /// [`ObjectStore::delete`]
    Delete,
    /// [`ObjectListing::objects`](crate::listing::ObjectListing::objects)
    ListObjects,
    /// [`ObjectListing::versions`](crate::listing::ObjectListing::versions)
    ListVersions,
    /// [`Queue::send_all`]
    SendAll,
    /// [`Queue::send_dead`]
    SendDead,
    /// [`Queue::depth`]
    Depth,
    /// [`Queue::delay`]
    Delay,
    /// [`Jobs::start`]
    Start,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// As if throttled: nothing happened.
    Transient,
    /// As if forbidden: nothing happened.
    Refused,
    /// The object is there no longer ([`ObjectStore`] only).
    NotFound,
    /// The object has another ETag ([`ObjectStore`] only).
    Changed,
    /// It happened, but the answer was lost.
    AfterEffect,
}

#[derive(Debug, Clone)]
struct Planned {
    call: Call,
    matching: String,
    skip: usize,
    times: usize,
    fault: Fault,
}

/// The faults that are still to come.
#[derive(Debug, Default)]
struct Plan(Vec<Planned>);

impl Plan {
    fn next(&mut self, call: Call, target: &str) -> Option<Fault> {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds the lock")
}

#[derive(Debug, Clone)]
struct Version {
    id: String,
    etag: String,
    body: Bytes,
    written_at: Timestamp,
}

#[derive(Debug, Default)]
struct StoreState {
    objects: BTreeMap<(String, String), Vec<Version>>,
    versions: u64,
    calls: Vec<(Call, String)>,
    plan: Plan,
}

/// An object store that keeps every version.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<StoreState>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an object without a call being counted; gives its reference with version id and ETag.
    pub fn insert(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> ObjectRef {
        self.insert_at(bucket, key, body, Timestamp::now())
    }

    /// [`MemoryStore::insert`], as if it had been done at `written_at`.
    pub fn insert_at(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        written_at: Timestamp,
    ) -> ObjectRef {
        let version = lock(&self.0).write(bucket, key, body.into(), written_at);
        ObjectRef {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: Some(version.id),
            etag: Some(version.etag),
        }
    }

    /// Takes an object with all its versions away.
    pub fn remove(&self, bucket: &str, key: &str) {
        lock(&self.0).objects.remove(&(bucket.to_owned(), key.to_owned()));
    }

    /// The newest version of an object, without a call being counted.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        lock(&self.0).newest(bucket, key).map(|version| version.body.clone())
    }

    /// The newest version of a JSON object.
    ///
    /// # Panics
    /// When it is not there or not of this type.
    pub fn json<T: serde::de::DeserializeOwned>(&self, bucket: &str, key: &str) -> T {
        let body = self.object(bucket, key).unwrap_or_else(|| panic!("{bucket}/{key} is not there"));
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{bucket}/{key}: {error}"))
    }

    /// All keys of a bucket that begin with `prefix`, in order.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let state = lock(&self.0);
        let keys =
            state.objects.keys().filter(|(in_bucket, key)| in_bucket == bucket && key.starts_with(prefix));
        keys.map(|(_, key)| key.clone()).collect()
    }

    /// Lets the next call on a key that contains `matching` fail.
    pub fn fail(&self, call: Call, matching: &str, fault: Fault) {
        self.fail_times(call, matching, 0, 1, fault);
    }

    /// Lets `times` calls fail, after `skip` that do not.
    pub fn fail_times(&self, call: Call, matching: &str, skip: usize, times: usize, fault: Fault) {
        let planned = Planned { call, matching: matching.to_owned(), skip, times, fault };
        lock(&self.0).plan.0.push(planned);
    }

    /// Every call so far with its key, in order.
    pub fn calls(&self) -> Vec<(Call, String)> {
        lock(&self.0).calls.clone()
    }

    /// Notes the call, has its effect and fails as planned.
    fn call<T>(
        &self,
        call: Call,
        bucket: &str,
        key: &str,
        effect: impl FnOnce(&mut StoreState) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = lock(&self.0);
        state.calls.push((call, key.to_owned()));
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let message = "injected fault".to_owned();
        match state.plan.next(call, &key) {
            None => effect(&mut state),
            Some(Fault::Transient) => Err(StoreError::Transient { bucket, key, message }),
            Some(Fault::Refused) => Err(StoreError::Refused { bucket, key, message }),
            Some(Fault::NotFound) => Err(StoreError::NotFound { bucket, key }),
            Some(Fault::Changed) => Err(StoreError::Changed { bucket, key }),
            Some(Fault::AfterEffect) => {
                effect(&mut state)?;
                Err(StoreError::Transient { bucket, key, message })
            }
        }
    }
}

impl StoreState {
    fn newest(&self, bucket: &str, key: &str) -> Option<&Version> {
        self.objects.get(&(bucket.to_owned(), key.to_owned())).and_then(|versions| versions.last())
    }

    fn write(&mut self, bucket: &str, key: &str, body: Bytes, written_at: Timestamp) -> Version {
        self.versions += 1;
        let (id, etag) = (format!("v{}", self.versions), format!("etag{}", self.versions));
        let version = Version { id, etag, body, written_at };
        self.objects.entry((bucket.to_owned(), key.to_owned())).or_default().push(version.clone());
        version
    }

    fn read(&self, object: &ObjectRef, range: Range<u64>) -> Result<Bytes, StoreError> {
        let (bucket, key) = (object.bucket.clone(), object.key.clone());
        let versions =
            self.objects.get(&(bucket.clone(), key.clone())).map(Vec::as_slice).unwrap_or_default();
        let version = match &object.version_id {
            Some(id) => versions.iter().find(|version| version.id == *id),
            None => versions.last(),
        };
        let Some(version) = version else { return Err(StoreError::NotFound { bucket, key }) };
        if object.etag.as_ref().is_some_and(|etag| *etag != version.etag) {
            return Err(StoreError::Changed { bucket, key });
        }
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match bounds.filter(|(start, end)| start <= end && *end <= version.body.len()) {
            Some((start, end)) => Ok(version.body.slice(start..end)),
            None => Err(StoreError::Refused { bucket, key, message: "no such range".to_owned() }),
        }
    }
}

/// What [`MemoryStore`] gives of an object: each piece is a call of its own.
#[derive(Debug)]
pub struct MemoryBody {
    store: MemoryStore,
    object: ObjectRef,
    left: Range<u64>,
}

impl ObjectBody for MemoryBody {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        // Another task gets its turn here, as it would while the network is waited for.
        tokio::task::yield_now().await;
        let end = self.left.end.min(self.left.start.saturating_add(PIECE_BYTES as u64));
        let (range, object) = (self.left.start..end, &self.object);
        let piece = (self.store)
            .call(Call::GetRange, &object.bucket, &object.key, |state| state.read(object, range))?;
        self.left.start = end;
        Ok(Some(piece))
    }
}

impl ObjectStore for MemoryStore {
    type Body = MemoryBody;

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, StoreError> {
        let answer = self.call(Call::Get, bucket, key, |state| {
            Ok(state.newest(bucket, key).map(|version| version.body.clone()))
        });
        match answer {
            Err(StoreError::NotFound { .. }) => Ok(None),
            answer => answer,
        }
    }

    fn get_range(&self, object: &ObjectRef, range: Range<u64>) -> MemoryBody {
        MemoryBody { store: self.clone(), object: object.clone(), left: range }
    }

    async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.call(Call::Put, bucket, key, |state| {
            state.write(bucket, key, body, Timestamp::now());
            Ok(())
        })
    }

    async fn put_if_absent(&self, bucket: &str, key: &str, body: Bytes) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        self.call(Call::PutIfAbsent, bucket, key, |state| {
            let absent = state.newest(bucket, key).is_none();
            if absent {
                state.write(bucket, key, body, Timestamp::now());
            }
            Ok(absent)
        })
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.call(Call::Delete, bucket, key, |state| {
            state.objects.remove(&(bucket.to_owned(), key.to_owned()));
            Ok(())
        })
    }
}

#[derive(Debug, Default)]
struct JobsState {
    started: Vec<JobRequest>,
    plan: Plan,
}

/// Jobs that never run; a client token seen before starts nothing new.
#[derive(Debug, Clone, Default)]
pub struct MemoryJobs(Arc<Mutex<JobsState>>);

impl MemoryJobs {
    /// No jobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The jobs started, each client token once.
    pub fn started(&self) -> Vec<JobRequest> {
        lock(&self.0).started.clone()
    }

    /// Lets the next start fail.
    pub fn fail(&self, fault: Fault) {
        let planned = Planned { call: Call::Start, matching: String::new(), skip: 0, times: 1, fault };
        lock(&self.0).plan.0.push(planned);
    }
}

impl Jobs for MemoryJobs {
    async fn start(&self, request: &JobRequest) -> Result<String, JobError> {
        let mut state = lock(&self.0);
        let fault = state.plan.next(Call::Start, &request.application_id);
        let (application_id, message) = (request.application_id.clone(), "injected fault".to_owned());
        match fault {
            Some(Fault::Transient) => return Err(JobError::Transient { application_id, message }),
            Some(Fault::Refused | Fault::NotFound | Fault::Changed) => {
                return Err(JobError::Refused { application_id, message });
            }
            Some(Fault::AfterEffect) | None => {}
        }
        let known = state.started.iter().position(|started| started.client_token == request.client_token);
        let index = known.unwrap_or_else(|| {
            state.started.push(request.clone());
            state.started.len() - 1
        });
        match fault {
            Some(_) => Err(JobError::Transient { application_id, message }),
            None => Ok(format!("job-{index}")),
        }
    }
}

/// Secrets by name. One that is not there is refused, and an empty one is out of reach for now.
#[derive(Debug, Default)]
pub struct MemorySecrets(BTreeMap<String, String>);

impl MemorySecrets {
    /// These.
    pub fn new<const N: usize>(secrets: [(&str, &str); N]) -> Self {
        Self(secrets.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect())
    }
}

impl ReadSecret for MemorySecrets {
    fn text<'a>(&'a self, id: &'a str) -> Answer<'a> {
        let id_owned = || id.to_owned();
        let answer = match self.0.get(id).map(String::as_str) {
            None => Err(SecretError::Refused { id: id_owned(), message: "there is none".to_owned() }),
            Some("") => Err(SecretError::Transient { id: id_owned(), message: "throttled".to_owned() }),
            Some(text) => Ok(text.to_owned()),
        };
        Box::pin(std::future::ready(answer))
    }
}
