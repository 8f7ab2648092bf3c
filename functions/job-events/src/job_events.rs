//! The clients and the configuration of the function.

use crate::config::JobEventsConfig;

/// The state of the function, created at the cold start: an object store, a queue and the configuration.
pub struct JobEvents<S, Q> {
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) config: JobEventsConfig,
}

impl<S, Q> JobEvents<S, Q> {
    /// Returns the state of the function.
    pub fn new(store: S, queue: Q, config: JobEventsConfig) -> Self {
        Self { store, queue, config }
    }
}
