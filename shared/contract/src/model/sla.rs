//! What the producer promises of the feed.

use std::fmt;

use serde::Serialize;

/// One of the contract's `slaProperties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sla {
    /// What is promised.
    pub property: SlaProperty,
    /// The value as it is written.
    pub value: String,
    /// `valueExt` as it is written.
    pub value_ext: Option<String>,
    /// The unit as it is written, e.g. `d`.
    pub unit: Option<String>,
    /// The element that is spoken of, e.g. `products.changed_at`.
    pub element: Option<String>,
    /// `driver`, e.g. `regulatory`.
    pub driver: Option<String>,
    /// For a frequency, latency or retention: value and unit in seconds, a month being 30 days and a year 365.
    pub seconds: Option<u64>,
}

/// The SLA properties that Penstock acts on, and all others by their name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SlaProperty {
    /// How often a drop comes.
    Frequency,
    /// How old the data may be when it comes.
    Latency,
    /// How long the data is kept.
    Retention,
    /// Any other, as it is written.
    Other(String),
}

impl fmt::Display for SlaProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frequency => "frequency",
            Self::Latency => "latency",
            Self::Retention => "retention",
            Self::Other(name) => name,
        })
    }
}
