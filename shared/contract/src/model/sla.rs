//! The promises of the producer.

use std::fmt;

use serde::Serialize;

/// One of the contract's `slaProperties`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sla {
    /// The promised property.
    pub property: SlaProperty,
    /// The value, as written.
    pub value: String,
    /// `valueExt`, as written.
    pub value_ext: Option<String>,
    /// The unit, as written, e.g. `d`.
    pub unit: Option<String>,
    /// The element that the promise is about, e.g. `products.changed_at`.
    pub element: Option<String>,
    /// `driver`, e.g. `regulatory`.
    pub driver: Option<String>,
    /// For a frequency, latency or retention: the value in seconds, with a month of 30 days and a year of 365.
    pub seconds: Option<u64>,
}

/// The property of a promise. Penstock acts on the first two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SlaProperty {
    /// The interval at which drops arrive.
    Frequency,
    /// The maximum age of the data when it arrives.
    Latency,
    /// The time for which the data is retained.
    Retention,
    /// Any other property, by its name.
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
