//! The settings of a stack: the variables of the environment, or those of the local stack of the nearest `.penstock`
//! folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use penstock_aws::clients::Aws;
use penstock_local::{Endpoints, LocalError};

const STATE_DIR: &str = ".penstock";
/// Selects the environment's settings. Without this variable all settings are those of the local stack, so that the
/// credentials of one are never used with the endpoints of the other.
const SELECTOR: &str = "PENSTOCK_RAW_BUCKET";

/// The variables with which a command reaches a stack.
#[derive(Debug)]
pub(crate) struct StackSettings {
    variables: BTreeMap<String, String>,
}

impl StackSettings {
    /// Returns the environment's settings if it has a raw bucket, otherwise those of the local stack.
    pub(crate) fn find() -> Result<Self> {
        let environment: BTreeMap<String, String> = std::env::vars().collect();
        if environment.get(SELECTOR).is_some_and(|bucket| !bucket.is_empty()) {
            return Ok(Self { variables: environment });
        }
        match Endpoints::load(&state_dir()?) {
            Ok(endpoints) => Ok(Self { variables: endpoints.variables }),
            Err(LocalError::NotRunning { .. }) => {
                bail!(
                    "the stack is not up: run `make up`, or set {SELECTOR} and the other variables of a stack in AWS"
                )
            }
            Err(error) => Err(error).context("reading the local stack's endpoints"),
        }
    }

    /// Returns settings with these variables.
    #[cfg(test)]
    pub(crate) fn of(variables: BTreeMap<String, String>) -> Self {
        Self { variables }
    }

    /// Returns a variable, or an error if it is not set.
    pub(crate) fn required(&self, name: &str) -> Result<&str> {
        self.optional(name).with_context(|| format!("{name} is not set"))
    }

    /// Returns a variable, or `None` if it is not set or empty.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the URL of each queue, by the queue's name. `PENSTOCK_JOB_EVENTS_DEAD_LETTER_QUEUE_URL` is the URL of
    /// `job-events-dead-letters`.
    pub(crate) fn queue_urls(&self) -> BTreeMap<String, &str> {
        let queue = |name: &str| {
            let queue =
                name.strip_prefix("PENSTOCK_")?.strip_suffix("_QUEUE_URL")?.to_lowercase().replace('_', "-");
            let url = self.optional(name)?;
            Some((if queue.ends_with("-dead-letter") { format!("{queue}s") } else { queue }, url))
        };
        self.variables.keys().filter_map(|name| queue(name)).collect()
    }

    /// Returns the configuration of the SDK's clients.
    pub(crate) fn aws(&self) -> Result<Aws> {
        Aws::new(self.variables.clone()).context("reading the AWS settings")
    }
}

/// Returns the local stack's folder: `PENSTOCK_STATE_DIR` if it is set, otherwise the nearest `.penstock` in the current
/// folder or above, otherwise `.penstock` next to the nearest `template.yaml` or in the current folder.
pub(crate) fn state_dir() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PENSTOCK_STATE_DIR").filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let current = std::env::current_dir().context("finding the current folder")?;
    let with_state = nearest(&current, |folder| folder.join(STATE_DIR).is_dir());
    Ok(with_state.or_else(|| checkout(&current)).unwrap_or(&current).join(STATE_DIR))
}

/// Returns the nearest folder with a `template.yaml`: the given one or one above.
pub(crate) fn checkout(folder: &Path) -> Option<&Path> {
    nearest(folder, |folder| folder.join("template.yaml").is_file())
}

fn nearest(folder: &Path, matches: impl Fn(&Path) -> bool) -> Option<&Path> {
    folder.ancestors().find(|folder| matches(folder))
}
