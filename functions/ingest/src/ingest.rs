//! The clients, the configuration and the caches of the function.

use penstock_aws::secrets::ReadSecret;

use crate::compiled::CompiledContracts;
use crate::config::IngestConfig;
use crate::pseudonyms::Pseudonyms;

/// The state of the function, created at the cold start: an object store, a queue and a job service, the configuration,
/// and caches.
pub struct Ingest<S, Q, J> {
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) jobs: J,
    pub(crate) config: IngestConfig,
    pub(crate) contracts: CompiledContracts,
    pub(crate) pseudonyms: Pseudonyms,
}

impl<S, Q, J> Ingest<S, Q, J> {
    /// Returns the state with empty caches.
    pub fn new(
        store: S,
        queue: Q,
        jobs: J,
        secrets: impl ReadSecret + 'static,
        config: IngestConfig,
    ) -> Self {
        let pseudonyms = Pseudonyms::new(secrets, config.pseudonym_secret_arn.clone());
        Self { store, queue, jobs, config, contracts: CompiledContracts::default(), pseudonyms }
    }
}
