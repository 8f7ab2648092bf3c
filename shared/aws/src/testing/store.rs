//! An object store in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;

use super::faults::{Call, Fault, FaultPlan, PlannedFault, lock};
use crate::store::{ObjectBody, ObjectHead, ObjectRef, ObjectStore, PIECE_BYTES, StoreError, TaggedObject};

#[derive(Debug, Clone)]
pub(super) struct StoredVersion {
    pub(super) id: String,
    pub(super) etag: String,
    pub(super) body: Bytes,
    pub(super) written_at: Timestamp,
}

/// What another function does meanwhile.
type Effect = Box<dyn FnOnce() + Send>;

/// Effects of other functions, each of which happens once, before a call on a key that contains the text.
#[derive(Default)]
struct Interruptions(Vec<(Call, String, Effect)>);

impl fmt::Debug for Interruptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interruptions", self.0.len())
    }
}

#[derive(Debug, Default)]
pub(super) struct StoreState {
    pub(super) objects: BTreeMap<(String, String), Vec<StoredVersion>>,
    versions: u64,
    calls: Vec<(Call, String)>,
    faults: FaultPlan,
    interruptions: Interruptions,
}

/// An object store that keeps every version.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<StoreState>>);

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes an object without counting a call. Returns its reference with version id and ETag.
    pub fn insert(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> ObjectRef {
        self.insert_at(bucket, key, body, Timestamp::now())
    }

    /// Writes an object as [`MemoryStore::insert`], with `written_at` as its time.
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

    /// Deletes an object with all of its versions.
    pub fn remove(&self, bucket: &str, key: &str) {
        lock(&self.0).objects.remove(&(bucket.to_owned(), key.to_owned()));
    }

    /// Returns the newest version of an object, without counting a call.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        lock(&self.0).newest(bucket, key).map(|version| version.body.clone())
    }

    /// Returns the newest version of a JSON object.
    ///
    /// # Panics
    /// Panics if it does not exist or is not of this type.
    pub fn json<T: serde::de::DeserializeOwned>(&self, bucket: &str, key: &str) -> T {
        let body = self.object(bucket, key).unwrap_or_else(|| panic!("{bucket}/{key} does not exist"));
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{bucket}/{key}: {error}"))
    }

    /// Returns the keys of a bucket that begin with `prefix`, in order.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let state = lock(&self.0);
        let keys =
            state.objects.keys().filter(|(in_bucket, key)| in_bucket == bucket && key.starts_with(prefix));
        keys.map(|(_, key)| key.clone()).collect()
    }

    /// Makes the next call on a key that contains `matching` fail.
    pub fn fail(&self, call: Call, matching: &str, fault: Fault) {
        self.fail_times(call, matching, 0, 1, fault);
    }

    /// Makes `times` calls on keys that contain `matching` fail, after `skip` calls that succeed.
    pub fn fail_times(&self, call: Call, matching: &str, skip: usize, times: usize, fault: Fault) {
        let planned = PlannedFault { call, matching: matching.to_owned(), skip, times, fault };
        lock(&self.0).faults.add(planned);
    }

    /// Calls `effect` once, before the next call on a key that contains `matching`: what another function does meanwhile.
    pub fn interrupt(&self, call: Call, matching: &str, effect: impl FnOnce() + Send + 'static) {
        lock(&self.0).interruptions.0.push((call, matching.to_owned(), Box::new(effect)));
    }

    /// Returns all calls with their keys, in order.
    pub fn calls(&self) -> Vec<(Call, String)> {
        lock(&self.0).calls.clone()
    }

    /// Records a call, and has its effect or its planned fault.
    pub(super) fn call<T>(
        &self,
        call: Call,
        bucket: &str,
        key: &str,
        effect: impl FnOnce(&mut StoreState) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // The effect uses the store itself, so the lock must not be held.
        let interruption = lock(&self.0).interruption(call, key);
        if let Some(effect) = interruption {
            effect();
        }
        let mut state = lock(&self.0);
        state.calls.push((call, key.to_owned()));
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let message = "injected fault".to_owned();
        match state.faults.next(call, &key) {
            None => effect(&mut state),
            Some(Fault::Transient) => Err(StoreError::Transient { bucket, key, message }),
            Some(Fault::Refused) => Err(StoreError::Refused { bucket, key, message }),
            Some(Fault::NotFound) => Err(StoreError::NotFound { bucket, key }),
            Some(Fault::Changed) => Err(StoreError::Changed { bucket, key }),
            Some(Fault::Archived) => Err(StoreError::Archived { bucket, key }),
            Some(Fault::AfterEffect) => {
                effect(&mut state)?;
                Err(StoreError::Transient { bucket, key, message })
            }
        }
    }
}

impl StoreState {
    fn interruption(&mut self, call: Call, key: &str) -> Option<Effect> {
        let planned = &mut self.interruptions.0;
        let at = planned.iter().position(|(of, matching, _)| *of == call && key.contains(matching))?;
        Some(planned.remove(at).2)
    }

    pub(super) fn newest(&self, bucket: &str, key: &str) -> Option<&StoredVersion> {
        self.objects.get(&(bucket.to_owned(), key.to_owned())).and_then(|versions| versions.last())
    }

    fn write(&mut self, bucket: &str, key: &str, body: Bytes, written_at: Timestamp) -> StoredVersion {
        self.versions += 1;
        let (id, etag) = (format!("v{}", self.versions), format!("etag{}", self.versions));
        let version = StoredVersion { id, etag, body, written_at };
        self.objects.entry((bucket.to_owned(), key.to_owned())).or_default().push(version.clone());
        version
    }

    /// Returns the version that a request for `object` is answered with.
    fn find(&self, object: &ObjectRef) -> Result<&StoredVersion, StoreError> {
        let (bucket, key) = (object.bucket.clone(), object.key.clone());
        let versions = self.objects.get(&(bucket.clone(), key.clone())).map_or(&[][..], Vec::as_slice);
        let version = match &object.version_id {
            Some(id) => versions.iter().find(|version| version.id == *id),
            None => versions.last(),
        };
        let Some(version) = version else { return Err(StoreError::NotFound { bucket, key }) };
        if object.etag.as_ref().is_some_and(|etag| *etag != version.etag) {
            return Err(StoreError::Changed { bucket, key });
        }
        Ok(version)
    }

    fn read(&self, object: &ObjectRef, range: Range<u64>) -> Result<Bytes, StoreError> {
        let version = self.find(object)?;
        let (bucket, key) = (object.bucket.clone(), object.key.clone());
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match bounds.filter(|(start, end)| start <= end && *end <= version.body.len()) {
            Some((start, end)) => Ok(version.body.slice(start..end)),
            None => Err(StoreError::Refused { bucket, key, message: "invalid range".to_owned() }),
        }
    }
}

/// The body of an object of a [`MemoryStore`]. Each piece is one call.
#[derive(Debug)]
pub struct MemoryBody {
    store: MemoryStore,
    object: ObjectRef,
    remaining: Range<u64>,
}

impl ObjectBody for MemoryBody {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.remaining.is_empty() {
            return Ok(None);
        }
        // Other tasks run here, as they do during a request.
        tokio::task::yield_now().await;
        let end = self.remaining.end.min(self.remaining.start.saturating_add(PIECE_BYTES as u64));
        let (range, object) = (self.remaining.start..end, &self.object);
        let piece = (self.store)
            .call(Call::GetRange, &object.bucket, &object.key, |state| state.read(object, range))?;
        self.remaining.start = end;
        Ok(Some(piece))
    }
}

impl ObjectStore for MemoryStore {
    type Body = MemoryBody;

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get_tagged(bucket, key).await?.map(|object| object.body))
    }

    async fn get_tagged(&self, bucket: &str, key: &str) -> Result<Option<TaggedObject>, StoreError> {
        let object = self.call(Call::Get, bucket, key, |state| {
            let tagged = |version: &StoredVersion| TaggedObject {
                body: version.body.clone(),
                etag: version.etag.clone(),
            };
            Ok(state.newest(bucket, key).map(tagged))
        });
        match object {
            Err(StoreError::NotFound { .. }) => Ok(None),
            object => object,
        }
    }

    async fn head_object(&self, object: &ObjectRef) -> Result<ObjectHead, StoreError> {
        tokio::task::yield_now().await;
        self.call(Call::Head, &object.bucket, &object.key, |state| {
            let version = state.find(object)?;
            Ok(ObjectHead {
                version_id: Some(version.id.clone()),
                etag: version.etag.clone(),
                size_bytes: version.body.len() as u64,
                modified_at: version.written_at,
            })
        })
    }

    fn get_range(&self, object: &ObjectRef, range: Range<u64>) -> MemoryBody {
        MemoryBody { store: self.clone(), object: object.clone(), remaining: range }
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

    async fn put_if_match(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        etag: &str,
    ) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        self.call(Call::PutIfMatch, bucket, key, |state| {
            let matches = state.newest(bucket, key).is_some_and(|version| version.etag == etag);
            if matches {
                state.write(bucket, key, body, Timestamp::now());
            }
            Ok(matches)
        })
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.call(Call::Delete, bucket, key, |state| {
            state.objects.remove(&(bucket.to_owned(), key.to_owned()));
            Ok(())
        })
    }

    async fn delete_version(&self, object: &ObjectRef) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let (bucket, key) = (&object.bucket, &object.key);
        self.call(Call::DeleteVersion, bucket, key, |state| {
            let place = (bucket.clone(), key.clone());
            if let Some(versions) = state.objects.get_mut(&place) {
                versions.retain(|version| object.version_id.as_ref().is_some_and(|id| version.id != *id));
                if versions.is_empty() {
                    state.objects.remove(&place);
                }
            }
            Ok(())
        })
    }
}
