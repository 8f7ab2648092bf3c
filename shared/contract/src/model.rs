//! The typed contract: what every other part of Penstock knows of a source.

mod format;
mod harmonise;
mod quality;
mod rules;
mod sla;
mod string_format;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::date_format::DateFormat;
pub use crate::numeric_time::NumericTime;
pub use format::{
    BlankRows, Compression, DelimitedDialect, EmptyFile, Format, FormatKind, HeaderCase, Quote, Ragged,
    RepeatedHeaders,
};
pub use harmonise::{Case, NegativeStyle, PercentStyle};
pub use quality::{Metric, Operator, QualityCheck, SkippedCheck, Threshold, Unit};
pub use rules::{Bound, Rules};
pub use sla::{Sla, SlaProperty};
pub use string_format::StringFormat;

/// One source's contract, read and validated. A file of several schema objects has one for each of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contract {
    /// ODCS `id`.
    pub id: String,
    /// The source: `penstock.source`, or made of `name`. The first segment of a raw object's key names it.
    pub source: String,
    /// ODCS `version`, e.g. `1.2.0`.
    pub version: String,
    /// ODCS `status` is `retired`: no drop is expected any more, and one that comes is taken all the same.
    pub is_retired: bool,
    /// The schema object that describes the source's rows.
    pub entity: Entity,
    /// The format and dialect that the first server of type `s3` promises.
    pub format: Format,
    /// How rows reach the target table.
    pub load: Load,
    /// How many rejects a batch may have before the whole of it is refused.
    pub max_rejects: MaxRejects,
    /// Bytes that the values of a row's primary key may have together, as text.
    pub max_key_bytes: u32,
    /// What the batch as a whole must satisfy, in the order of the contract. The checks that refuse single rows are
    /// in the [`Rules`] of their columns.
    pub quality: Vec<QualityCheck>,
    /// Checks of the contract that are not executed, in the order of the contract.
    pub not_executed: Vec<SkippedCheck>,
    /// What the producer promises of the feed, in the order of the contract.
    pub sla: Vec<Sla>,
    /// What becomes of columns of the file that no column of the contract reads.
    pub unexpected_columns: UnexpectedColumns,
    /// What a file means that lacks a column which the contract reads.
    pub missing_columns: MissingColumns,
    /// What a second version of an object under the same key means.
    pub overwrite: Overwrite,
}

impl Contract {
    /// The names of the columns that a check is about, in its order; none for one that counts rows.
    pub fn columns_of(&self, check: &QualityCheck) -> Vec<&str> {
        let own = check.column.as_slice();
        let indexes = match &check.metric {
            Metric::DuplicateValues { columns } => columns.as_slice(),
            Metric::NullValues
            | Metric::MissingValues { .. }
            | Metric::InvalidValues { .. }
            | Metric::RowCount => own,
        };
        let columns = indexes.iter().filter_map(|index| self.entity.columns.get(*index));
        columns.map(|column| column.name.as_str()).collect()
    }

    /// Within how many seconds of its last drop a source owes the next: its most frequent `frequency` and its longest
    /// `latency` together. `None` where no frequency is promised, and for a source that is retired.
    pub fn due_seconds(&self) -> Option<u64> {
        if self.is_retired {
            return None;
        }
        let promised = |property: SlaProperty| {
            self.sla.iter().filter(move |sla| sla.property == property).filter_map(|sla| sla.seconds)
        };
        let frequency = promised(SlaProperty::Frequency).min()?;
        let latency = promised(SlaProperty::Latency).max().unwrap_or_default();
        Some(frequency.saturating_add(latency))
    }
}

/// What a row describes, and the table that holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// `schema[].name`, e.g. `products`.
    pub name: String,
    /// `schema[].physicalName`, e.g. `public.products`.
    pub table: TableName,
    /// In the order of the contract, which is the order of the COPY text.
    pub columns: Vec<Column>,
    /// Indexes into `columns`, by `primaryKeyPosition`. Empty when the contract has no key.
    pub key: Vec<usize>,
}

/// A table's qualified name, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The schema, `public` unless the contract says otherwise.
    pub schema: String,
    /// The table.
    pub table: String,
}

/// One harmonised column: where it comes from, what it becomes, what a value must satisfy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// The harmonised column: `properties[].name`.
    pub name: String,
    /// The producer's header or JSON key: `properties[].physicalName`, else `name`.
    /// Several columns may read the same one. Not looked at when `constant` is set.
    pub physical_name: String,
    /// What the value means.
    pub logical_type: LogicalType,
    /// The PostgreSQL type: `physicalType`, else derived from `logical_type` and its options.
    pub sql_type: SqlType,
    /// A missing value rejects the row. Key columns are always required.
    pub required: bool,
    /// Declared unique. Checked by the database for keys; across a batch by a later version.
    pub unique: bool,
    /// What a present value must satisfy.
    pub rules: Rules,
    /// What is done to the raw text before it is cast.
    pub harmonise: Harmonise,
    /// ODCS `classification`; values of a classified column stand in no message or reject reason.
    /// A classified member of an object or array makes the whole column classified.
    pub classification: Option<String>,
    /// The value leaves the engine only as the 64 hexadecimal digits of its HMAC-SHA-256. `sql_type` then is
    /// [`SqlType::Text`], and `rules` are those of the plain value: they are checked before. Only strings are
    /// pseudonymised.
    pub pseudonymise: bool,
}

/// The column in which the values stand that no column of the contract reads, by their names in the file.
pub const RESCUED_COLUMN: &str = "_rescued";

impl Column {
    /// The column for what no other column reads. It is one of the entity's columns where the contract rescues it.
    pub fn rescued() -> Self {
        Self {
            name: RESCUED_COLUMN.to_owned(),
            physical_name: RESCUED_COLUMN.to_owned(),
            logical_type: LogicalType::Object { properties: Vec::new() },
            sql_type: SqlType::Jsonb,
            required: false,
            unique: false,
            rules: Rules::default(),
            harmonise: Harmonise::default(),
            classification: None,
            pseudonymise: false,
        }
    }

    /// True when its values come from a field of the file.
    pub fn reads_field(&self) -> bool {
        self.harmonise.constant.is_none() && !self.is_rescued()
    }

    /// True for [`Self::rescued`]: no contract names a column so.
    pub fn is_rescued(&self) -> bool {
        self.name == RESCUED_COLUMN
    }
}

/// ODCS `logicalType` with the options that change how a value is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum LogicalType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`, and the spellings that the contract names.
    Boolean,
    /// A calendar date.
    Date {
        /// How it is written; as in ISO 8601 when `None`.
        format: Option<DateFormat>,
    },
    /// A point in time.
    Timestamp {
        /// How it is written; as in ISO 8601 or RFC 3339 when `None`. Without a time of day it means midnight.
        format: Option<DateFormat>,
        /// Taken for values that carry no offset: an IANA name or a fixed offset; `UTC` by default.
        default_timezone: String,
    },
    /// A time of day.
    Time {
        /// How it is written; as in ISO 8601 when `None`.
        format: Option<DateFormat>,
    },
    /// A JSON object, kept as `jsonb`.
    Object {
        /// What is known of its members; any other member is allowed. Empty when the contract says nothing.
        properties: Vec<Nested>,
    },
    /// A JSON array, kept as `jsonb`.
    Array {
        /// What each item is; anything when the contract does not say.
        items: Option<Box<Nested>>,
    },
}

/// A member of an object, or the items of an array.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nested {
    /// The key in the document that is stored. Empty for items.
    pub name: String,
    /// The key in the producer's document: `physicalName`, else `name`. Empty for items.
    pub physical_name: String,
    /// What the value means; its own members are in here.
    pub logical_type: LogicalType,
    /// A member that is missing or null rejects the row; for items, one that is null.
    pub required: bool,
    /// What a present value must satisfy.
    pub rules: Rules,
}

impl fmt::Display for LogicalType {
    /// In words, e.g. `a date of the format dd.MM.yyyy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_format = |f: &mut fmt::Formatter<'_>, what: &str, format: &Option<DateFormat>| match format {
            None => write!(f, "{what} in ISO 8601"),
            Some(format) => {
                write!(f, "{what} of the format {format}")?;
                format.short_years().map_or(Ok(()), |(first, last)| write!(f, ", years {first} to {last}"))
            }
        };
        match self {
            Self::String => f.write_str("text"),
            Self::Integer => f.write_str("a whole number"),
            Self::Number => f.write_str("a decimal number"),
            Self::Boolean => f.write_str("true or false"),
            Self::Date { format } => of_format(f, "a date", format),
            Self::Time { format } => of_format(f, "a time of day", format),
            Self::Timestamp { format, default_timezone } => {
                of_format(f, "a timestamp", format)?;
                write!(f, ", in {default_timezone} where it has no offset")
            }
            Self::Object { .. } => f.write_str("a JSON object"),
            Self::Array { .. } => f.write_str("a JSON array"),
        }
    }
}

/// A PostgreSQL column type that Penstock writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum SqlType {
    /// `text`
    Text,
    /// `smallint`
    Smallint,
    /// `integer`
    Integer,
    /// `bigint`
    Bigint,
    /// `numeric`, with precision and scale when given. Values are never rounded to fit.
    Numeric(Option<(u16, u16)>),
    /// `double precision`
    DoublePrecision,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `time` (without time zone)
    Time,
    /// `timestamp` (without time zone)
    Timestamp,
    /// `timestamptz`
    Timestamptz,
    /// `jsonb`
    Jsonb,
    /// `uuid`
    Uuid,
}

/// What is done to a column's raw text, in this order: trim, null values, extract, case, replace
/// of separators; then `default` takes the place of a missing value. `constant` replaces all of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Harmonise {
    /// Every row gets this value; nothing is read.
    pub constant: Option<String>,
    /// A missing value becomes this. Like `constant` it is in the form that the cast reads: numbers with `.`
    /// and no group separator, dates and times in the column's `format` or as its `numeric_time`. It is checked like any value.
    pub default: Option<String>,
    /// Leading and trailing white space is taken off. True unless the contract says otherwise.
    pub trim: bool,
    /// Further spellings of a missing value in this column (the format's own come first).
    pub null_values: Vec<String>,
    /// A regular expression; the value becomes its first capture group. A value that does not match
    /// is a reject, or missing where `default` is set.
    pub extract: Option<String>,
    /// Letter case that the value is brought to.
    pub case: Option<Case>,
    /// The decimal separator of numbers, `.` by default.
    pub decimal_separator: Option<char>,
    /// The group separator of numbers, taken out before the cast; none by default.
    pub group_separator: Option<char>,
    /// How texts mark negative numbers.
    pub negative: NegativeStyle,
    /// Texts are percentages, which end with `%`; `None` when no number has one.
    pub percent: Option<PercentStyle>,
    /// Spellings of true, beside `true`. Compared without regard to ASCII case.
    pub true_values: Vec<String>,
    /// Spellings of false, beside `false`.
    pub false_values: Vec<String>,
    /// The number that a date or a point in time is written as. `None`: it is written by the `format` of its logical type.
    pub numeric_time: Option<NumericTime>,
}

/// How rows reach the target table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// What a row does to the table.
    pub mode: WriteMode,
    /// Index into the entity's columns of the event time. `None`: the time of the drop.
    pub event_time: Option<usize>,
    /// Decides between rows of one key and one event time: the higher wins.
    pub priority: i16,
    /// Which engine reads the drop.
    pub route: Route,
}

/// What a row does to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteMode {
    /// Inserted, or replaces the row of the same key when not older. Needs a key.
    Upsert,
    /// Inserted. A row is told from its redelivery by `(_batch_id, _row)`.
    Append,
}

/// Which engine reads a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// By size: Lambda, or Spark for what is too large.
    Auto,
    /// Always Lambda.
    Lambda,
    /// Always Spark on EMR Serverless.
    Spark,
}

/// The rejects that a batch may have. Over either one the whole batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MaxRejects {
    /// Most rejected rows.
    pub rows: Option<u64>,
    /// Most rejected rows, in percent of the rows read.
    pub percent: Option<f64>,
}

/// What becomes of columns of the file that no column of the contract reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnexpectedColumns {
    /// Kept, by name, in the column `_rescued jsonb`.
    #[default]
    Rescue,
    /// Left out.
    Ignore,
    /// Each row that has one is a reject.
    Reject,
}

/// What a file means that lacks a column which the contract reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingColumns {
    /// The drop is unreadable.
    #[default]
    Refuse,
    /// The column reads as missing in every row.
    Null,
}

/// What a second version of an object under the same key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overwrite {
    /// Another drop like any other: its rows are loaded beside those of the first, or replace them by key.
    #[default]
    Add,
    /// It stands for the first: when it is loaded, the rows that only the first had are taken out.
    Replace,
    /// The first stands: the second is not read, and its receipt says so.
    Keep,
}
