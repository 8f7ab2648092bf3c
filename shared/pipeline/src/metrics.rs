//! The registry of metrics: name, unit, dimensions, emitting functions and meaning of each.
//!
//! A metric can be emitted only as one of the constants of this module, together with the dimensions that its type
//! names: [`RegisteredMetric`] has no public constructor. `tests/golden/metrics.json` is a dump of [`definitions`]; the
//! alarms of `template.yaml`, the dashboard and the documentation are checked against it.
//!
//! Names are in `snake_case`, and the name of a duration ends with its unit.
//!
//! ```
//! use penstock_pipeline::metrics::{BySource, DROP_TO_LOADED_SECONDS, MetricValue};
//!
//! fn emit(dimensions: &BySource<'_>, values: &[MetricValue<BySource<'_>>]) {}
//!
//! emit(&BySource { source: "abt" }, &[DROP_TO_LOADED_SECONDS.value(1.5)]);
//! ```
//!
//! A metric that has other dimensions does not compile:
//!
//! ```compile_fail
//! use penstock_pipeline::metrics::{BySource, MetricValue, ROWS_READ};
//!
//! fn emit(dimensions: &BySource<'_>, values: &[MetricValue<BySource<'_>>]) {}
//!
//! emit(&BySource { source: "abt" }, &[ROWS_READ.count(7)]);
//! ```

use std::marker::PhantomData;

use serde::Serialize;

/// The CloudWatch namespace of all metrics.
pub const NAMESPACE: &str = "Penstock";
/// The dimension that precedes the metric's own: the environments of an account share one namespace.
pub const ENVIRONMENT: &str = "environment";

/// The unit of a metric, as CloudWatch spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum MetricUnit {
    /// `Count`
    Count,
    /// `Bytes`
    Bytes,
    /// `Seconds`
    Seconds,
}

impl MetricUnit {
    /// Returns CloudWatch's name of the unit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Seconds => "Seconds",
        }
    }
}

/// A set of dimensions, without the environment.
pub trait MetricDimensions {
    /// The names.
    const NAMES: &'static [&'static str];

    /// Returns the values, in the order of [`Self::NAMES`].
    fn values(&self) -> Vec<&str>;
}

/// The dimension of metrics that are counted for each source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BySource<'a> {
    /// The source's name.
    pub source: &'a str,
}

impl MetricDimensions for BySource<'_> {
    const NAMES: &'static [&'static str] = &["source"];

    fn values(&self) -> Vec<&str> {
        vec![self.source]
    }
}

/// The dimensions of metrics that are counted for each source and decision on a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BySourceAndState<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The decision.
    pub state: BatchDecision,
}

impl MetricDimensions for BySourceAndState<'_> {
    const NAMES: &'static [&'static str] = &["source", "state"];

    fn values(&self) -> Vec<&str> {
        vec![self.source, self.state.as_str()]
    }
}

/// The dimension of metrics that are counted for each kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByKind<'a> {
    /// The kind of object: `chunk`, `parquet` or `rejects`.
    pub kind: &'a str,
}

impl MetricDimensions for ByKind<'_> {
    const NAMES: &'static [&'static str] = &["kind"];

    fn values(&self) -> Vec<&str> {
        vec![self.kind]
    }
}

/// The dimension of metrics that are counted for each queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByQueue<'a> {
    /// The queue: `drops`.
    pub queue: &'a str,
}

impl MetricDimensions for ByQueue<'_> {
    const NAMES: &'static [&'static str] = &["queue"];

    fn values(&self) -> Vec<&str> {
        vec![self.queue]
    }
}

/// The decision on a batch that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchDecision {
    /// Its chunks are loaded.
    Committed,
    /// Nothing is loaded, because the contract retains the first version of an object.
    Kept,
    /// Nothing is loaded, because of a fault.
    Refused,
}

impl BatchDecision {
    /// Every decision.
    pub const ALL: [Self; 3] = [Self::Committed, Self::Kept, Self::Refused];

    /// Returns the value of the dimension `state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Kept => "kept",
            Self::Refused => "refused",
        }
    }
}

/// A metric with the dimensions `D`. All of them are constants of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisteredMetric<D> {
    name: &'static str,
    unit: MetricUnit,
    dimensions: PhantomData<D>,
}

impl<D> RegisteredMetric<D> {
    const fn new(name: &'static str, unit: MetricUnit) -> Self {
        Self { name, unit, dimensions: PhantomData }
    }

    /// Returns the metric with a measured value in its unit.
    pub const fn value(self, value: f64) -> MetricValue<D> {
        MetricValue { metric: self, value }
    }

    /// Returns the metric with a count. CloudWatch stores doubles: counts above 2^53 are rounded.
    #[expect(clippy::cast_precision_loss, reason = "CloudWatch stores doubles")]
    pub const fn count(self, count: u64) -> MetricValue<D> {
        self.value(count as f64)
    }
}

/// A value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricValue<D> {
    metric: RegisteredMetric<D>,
    value: f64,
}

impl<D> MetricValue<D> {
    /// Returns the metric's name.
    pub const fn name(&self) -> &'static str {
        self.metric.name
    }

    /// Returns the metric's unit.
    pub const fn unit(&self) -> MetricUnit {
        self.metric.unit
    }

    /// Returns the value, in [`Self::unit`].
    pub const fn value(&self) -> f64 {
        self.value
    }
}

/// The registry's entry of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricDefinition {
    /// The name.
    pub name: &'static str,
    /// The unit.
    pub unit: MetricUnit,
    /// The names of its dimensions, the environment first.
    pub dimensions: Vec<&'static str>,
    /// The functions that emit it.
    pub functions: &'static [&'static str],
    /// The measured quantity.
    pub meaning: &'static str,
}

/// Makes a constant of each metric, and the list of all.
macro_rules! registry {
    ($(
        $functions:tt emit with $dimensions:ident {
            $(#[doc = $meaning:literal] $constant:ident = $name:literal, $unit:ident;)+
        }
    )+) => {
        $($(
            #[doc = $meaning]
            pub const $constant: RegisteredMetric<$dimensions<'static>> =
                RegisteredMetric::new($name, MetricUnit::$unit);
        )+)+

        /// Returns the definitions of all metrics.
        pub fn definitions() -> Vec<MetricDefinition> {
            vec![$($(
                MetricDefinition {
                    name: $name,
                    unit: MetricUnit::$unit,
                    dimensions: [&[ENVIRONMENT], $dimensions::NAMES].concat(),
                    functions: &$functions,
                    meaning: $meaning.trim_ascii(),
                },
            )+)+]
        }
    };
}

registry! {
    ["ingest", "job-events"] emit with BySourceAndState {
        /// Batches that were read and then committed or refused.
        BATCHES = "batches", Count;
        /// Rows in those batches.
        ROWS_READ = "rows_read", Count;
        /// Rejected rows in those batches.
        ROWS_REJECTED = "rows_rejected", Count;
        /// Size of the dropped files of those batches.
        BYTES_READ = "bytes_read", Bytes;
        /// Time that reading a batch took.
        READ_SECONDS = "read_seconds", Seconds;
    }
    ["writer"] emit with BySource {
        /// Rows of the chunks that a transaction applied.
        ROWS_APPLIED = "rows_applied", Count;
        /// Applied rows that were inserted or replaced an older row.
        ROWS_LOADED = "rows_loaded", Count;
        /// Chunks that were skipped because they are already in the ledger.
        CHUNKS_SKIPPED = "chunks_skipped", Count;
        /// Duration of a transaction.
        TRANSACTION_SECONDS = "transaction_seconds", Seconds;
        /// Batches whose chunks have all been applied.
        BATCHES_LOADED = "batches_loaded", Count;
        /// Batches that violate the accounting invariant.
        ACCOUNTING_BROKEN = "accounting_broken", Count;
        /// Time from the drop of a file to the commit of its last chunk.
        DROP_TO_LOADED_SECONDS = "drop_to_loaded_seconds", Seconds;
        /// Time that a transaction waited for the writer's budget of rows per second.
        THROTTLE_WAIT_SECONDS = "throttle_wait_seconds", Seconds;
        /// The budget of rows per second of the writer that applied a transaction; not emitted while it has no limit.
        BUDGET_ROWS_PER_SECOND = "budget_rows_per_second", Count;
        /// 1 when a measurement of the database's load found congestion, else 0.
        CONGESTED = "congested", Count;
        /// Chunks that were returned to the queue because RDS reports that the instance is not available.
        CHUNKS_POSTPONED = "chunks_postponed", Count;
    }
    ["sentinel"] emit with BySource {
        /// 1 when the source has not delivered for longer than its contract allows, else 0.
        LATE = "late", Count;
        /// Age of the source's newest drop.
        SECONDS_SINCE_DROP = "seconds_since_drop", Seconds;
        /// Drops without a receipt that are older than `MissedAfterSeconds`.
        MISSED_DROPS = "missed_drops", Count;
        /// Batches that are not final and have not changed for `StuckAfterSeconds`.
        STUCK_BATCHES = "stuck_batches", Count;
    }
    ["sentinel"] emit with ByKind {
        /// Objects of batches that no manifest lists, which were removed.
        ORPHANS_REMOVED = "orphans_removed", Count;
    }
    ["ingest"] emit with ByQueue {
        /// Messages that were processed or moved to the dead-letter queue, so that Lambda deletes them.
        MESSAGES_SETTLED = "messages_settled", Count;
    }
}
