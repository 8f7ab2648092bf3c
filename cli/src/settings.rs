//! Where the stack is: the environment's variables, else those of the local stack that runs on the nearest
//! `.penstock` folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use penstock_aws::clients::Aws;
use penstock_local::{Endpoints, LocalError};

const STATE_DIR: &str = ".penstock";
/// Names the environment as the one to use; without it all settings are the local stack's, so that the credentials
/// of one never meet the endpoints of the other.
const MARK: &str = "PENSTOCK_RAW_BUCKET";

/// Everything a command needs to reach a stack.
#[derive(Debug)]
pub(crate) struct Settings {
    variables: BTreeMap<String, String>,
}

impl Settings {
    /// The environment's, where it names a raw bucket; else the local stack's.
    pub(crate) fn find() -> Result<Self> {
        let environment: BTreeMap<String, String> = std::env::vars().collect();
        if environment.get(MARK).is_some_and(|bucket| !bucket.is_empty()) {
            return Ok(Self { variables: environment });
        }
        match Endpoints::load(&state_dir()?) {
            Ok(endpoints) => Ok(Self { variables: endpoints.variables }),
            Err(LocalError::NotRunning { .. }) => {
                bail!("the stack is not up: run `make up`, or set {MARK} and the others to use one in AWS")
            }
            Err(error) => Err(error).context("reading the local stack's endpoints"),
        }
    }

    /// A variable that the command cannot do without.
    pub(crate) fn required(&self, name: &str) -> Result<&str> {
        self.optional(name).with_context(|| format!("{name} is not set"))
    }

    /// A variable that may be missing.
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

    /// What the SDK's clients are made from.
    pub(crate) fn aws(&self) -> Result<Aws> {
        let aws = Aws::new(self.variables.clone()).context("reaching AWS")?;
        Ok(aws)
    }
}

/// The local stack's folder: `PENSTOCK_STATE_DIR`, else the nearest `.penstock` here or above, else the one beside
/// the nearest `template.yaml`, else one here.
pub(crate) fn state_dir() -> Result<PathBuf> {
    if let Some(asked) = std::env::var_os("PENSTOCK_STATE_DIR").filter(|asked| !asked.is_empty()) {
        return Ok(PathBuf::from(asked));
    }
    let here = std::env::current_dir().context("finding the current folder")?;
    let found = nearest(&here, |folder| folder.join(STATE_DIR).is_dir());
    Ok(found.or_else(|| checkout(&here)).unwrap_or(&here).join(STATE_DIR))
}

/// The nearest folder, here or above, that a stack can be started from.
pub(crate) fn checkout(here: &Path) -> Option<&Path> {
    nearest(here, |folder| folder.join("template.yaml").is_file())
}

fn nearest(here: &Path, is_it: impl Fn(&Path) -> bool) -> Option<&Path> {
    here.ancestors().find(|folder| is_it(folder))
}
