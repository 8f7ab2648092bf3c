//! The clients and the configuration of the function.

use crate::config::SentinelConfig;

/// The state of the function, created at the cold start: an object store, a queue and the configuration.
pub struct Sentinel<S, Q> {
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) config: SentinelConfig,
}

impl<S, Q> Sentinel<S, Q> {
    /// Returns the state of the function.
    pub fn new(store: S, queue: Q, config: SentinelConfig) -> Self {
        Self { store, queue, config }
    }
}
