//! The typed contract, which the rest of Penstock works with.

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

/// The validated contract of one source. A file with several schema objects has one contract for each of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contract {
    /// ODCS `id`.
    pub id: String,
    /// The source: `penstock.source`, or derived from `name`. The first segment of a raw object's key names it.
    pub source: String,
    /// ODCS `version`, e.g. `1.2.0`.
    pub version: String,
    /// True if the ODCS `status` is `retired`: no more drops are expected, but a drop that arrives is still processed.
    pub is_retired: bool,
    /// The schema object that describes the rows of the source.
    pub entity: Entity,
    /// The format and dialect that the first server of type `s3` declares.
    pub format: Format,
    /// The rules for writing rows to the target table.
    pub load: Load,
    /// The number of rejects above which a whole batch is refused.
    pub max_rejects: MaxRejects,
    /// The maximum length of a row's primary key in bytes: the sum over its columns, as text.
    pub max_key_bytes: u32,
    /// The checks of a whole batch, in the order of the contract. Checks that reject single rows are in the [`Rules`]
    /// of their columns.
    pub quality: Vec<QualityCheck>,
    /// The checks that are not executed, in the order of the contract.
    pub not_executed: Vec<SkippedCheck>,
    /// The promises of the producer, in the order of the contract.
    pub sla: Vec<Sla>,
    /// The treatment of columns of the file that the contract does not describe.
    pub unexpected_columns: UnexpectedColumns,
    /// The treatment of a file that lacks a column of the contract.
    pub missing_columns: MissingColumns,
    /// The treatment of a second version of an object under the same key.
    pub overwrite: Overwrite,
}

impl Contract {
    /// Returns the names of the columns that a check is about, in its order; empty for a check that counts rows.
    pub fn columns_of(&self, check: &QualityCheck) -> Vec<&str> {
        let own = check.column.as_slice();
        let indexes = match &check.metric {
            Metric::DuplicateValues { columns } => columns.as_slice(),
            Metric::NullValues
            | Metric::MissingValues { .. }
            | Metric::InvalidValues { .. }
            | Metric::RowCount => own,
        };
        indexes.iter().map(|index| self.entity.column(*index).name.as_str()).collect()
    }

    /// Returns the number of seconds within which the next drop is due after the last one: the most frequent
    /// `frequency` plus the longest `latency`. `None` if no frequency is promised, and for a retired source.
    pub fn due_seconds(&self) -> Option<u64> {
        if self.is_retired {
            return None;
        }
        let promised = |property: SlaProperty| {
            self.sla.iter().filter(move |sla| sla.property == property).filter_map(|sla| sla.seconds)
        };
        let frequency = promised(SlaProperty::Frequency).min()?;
        let latency = promised(SlaProperty::Latency).max().unwrap_or(0);
        Some(frequency.saturating_add(latency))
    }
}

/// The kind of thing that a row describes, and the table that stores it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// `schema[].name`, e.g. `products`.
    pub name: String,
    /// `schema[].physicalName`, e.g. `public.products`.
    pub table: TableName,
    /// The columns in the order of the contract, which is the order of the COPY text.
    pub columns: Vec<Column>,
    /// The primary key as indexes into `columns`, by `primaryKeyPosition`. Empty if the contract has no key.
    pub key: Vec<usize>,
}

impl Entity {
    /// Returns the column at an index of the contract: of the key, the event time or a check.
    ///
    /// # Panics
    /// Panics if there is no such column. Reading a contract yields only indexes of its own columns.
    pub fn column(&self, index: usize) -> &Column {
        self.columns.get(index).expect("a contract has only indexes of its own columns")
    }

    /// Returns the columns of the primary key, in the order of the key.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().map(|index| self.column(*index))
    }
}

/// The qualified name of a table, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The schema, `public` by default.
    pub schema: String,
    /// The table.
    pub table: String,
}

/// A column of the table: the source of its values, their conversion, and their rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// The name in the table: `penstock.column`, or derived from `properties[].name`.
    pub name: String,
    /// The producer's header or JSON key: `properties[].physicalName`, else `name`. Several columns may read the same
    /// field. Ignored if `constant` is set.
    pub physical_name: String,
    /// The meaning of the values.
    pub logical_type: LogicalType,
    /// The PostgreSQL type: `physicalType`, else derived from `logical_type` and its options.
    pub sql_type: SqlType,
    /// Whether a missing value rejects the row. Key columns are always required.
    pub required: bool,
    /// Whether values are declared unique. Only the primary key enforces it.
    pub unique: bool,
    /// The rules for values that are present.
    pub rules: Rules,
    /// The changes to the raw text before it is cast.
    pub harmonise: Harmonise,
    /// ODCS `classification`. Values of a classified column never appear in messages or reject reasons. A classified
    /// member of an object or array makes the whole column classified.
    pub classification: Option<String>,
    /// Whether the value is stored only as the 64 hexadecimal digits of its HMAC-SHA-256. `sql_type` is then
    /// [`SqlType::Text`], and `rules` apply to the plain value, before it is replaced. Only strings are pseudonymised.
    pub pseudonymise: bool,
}

/// The name of the column for values that no other column reads, by their names in the file.
pub const RESCUED_COLUMN: &str = "_rescued";

impl Column {
    /// Returns the column for values that no other column reads. The entity has it if unexpected columns are rescued.
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

    /// Returns true if the values come from a field of the file.
    pub fn reads_field(&self) -> bool {
        self.harmonise.constant.is_none() && !self.is_rescued()
    }

    /// Returns true for [`Self::rescued`]. No column of a contract has its name.
    pub fn is_rescued(&self) -> bool {
        self.name == RESCUED_COLUMN
    }
}

/// An ODCS `logicalType` with the options that change how a value is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum LogicalType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`, and the spellings of the contract.
    Boolean,
    /// A calendar date.
    Date {
        /// The format; ISO 8601 if `None`.
        format: Option<DateFormat>,
    },
    /// A point in time.
    Timestamp {
        /// The format; ISO 8601 or RFC 3339 if `None`. Without a time of day a value is midnight.
        format: Option<DateFormat>,
        /// The time zone of values without an offset: an IANA name or a fixed offset; `UTC` by default.
        default_timezone: String,
    },
    /// A time of day.
    Time {
        /// The format; ISO 8601 if `None`.
        format: Option<DateFormat>,
    },
    /// A JSON object, stored as `jsonb`.
    Object {
        /// The described members. Other members are allowed. Empty if the contract describes none.
        properties: Vec<Nested>,
    },
    /// A JSON array, stored as `jsonb`.
    Array {
        /// The description of the items. `None` allows any items.
        items: Option<Box<Nested>>,
    },
}

/// A member of an object, or the items of an array.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nested {
    /// The key in the stored document. Empty for items.
    pub name: String,
    /// The key in the producer's document: `physicalName`, else `name`. Empty for items.
    pub physical_name: String,
    /// The meaning of the value, with its own members.
    pub logical_type: LogicalType,
    /// Whether a missing or null member (for items: a null item) rejects the row.
    pub required: bool,
    /// The rules for values that are present.
    pub rules: Rules,
}

impl fmt::Display for LogicalType {
    /// Writes the type in words, e.g. `a date of the format dd.MM.yyyy`.
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
    /// `numeric`, with precision and scale if declared. Values are never rounded to fit.
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

/// The changes to the raw text of a column, in this order: trim, null values, extract, case, separators. Then `default`
/// replaces a missing value. `constant` replaces all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Harmonise {
    /// The value of every row. Nothing is read from the file.
    pub constant: Option<String>,
    /// The replacement of a missing value. Like `constant` it has the form that the cast reads: numbers with `.` and
    /// without group separators, dates and times in the column's `format` or as its `numeric_time`. It is checked like
    /// any other value.
    pub default: Option<String>,
    /// Whether leading and trailing white space is removed. True by default.
    pub trim: bool,
    /// Additional spellings of a missing value in this column. Those of [`Format::null_values`] are checked first.
    pub null_values: Vec<String>,
    /// A regular expression. Its first capture group replaces the value. A value that does not match is rejected, or
    /// missing if `default` is set.
    pub extract: Option<String>,
    /// The letter case that the value is converted to.
    pub case: Option<Case>,
    /// The decimal separator of numbers, `.` by default.
    pub decimal_separator: Option<char>,
    /// The group separator of numbers, removed before the cast; none by default.
    pub group_separator: Option<char>,
    /// The spelling of negative numbers.
    pub negative: NegativeStyle,
    /// The conversion of percentages, which end with `%`. `None` if the column has no percentages.
    pub percent: Option<PercentStyle>,
    /// Spellings of true, besides `true`. Compared without regard to ASCII case.
    pub true_values: Vec<String>,
    /// Spellings of false, besides `false`.
    pub false_values: Vec<String>,
    /// The unit of a date or point in time that is written as a number. `None` if it has the `format` of its logical
    /// type.
    pub numeric_time: Option<NumericTime>,
}

/// The rules for writing rows to the target table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// Whether rows are inserted or merged.
    pub mode: WriteMode,
    /// The event time, as an index into the entity's columns. `None` is the time of the drop.
    pub event_time: Option<usize>,
    /// Decides between rows with the same key and event time: the higher priority wins.
    pub priority: i16,
    /// The engine that reads the drop.
    pub route: Route,
}

/// Whether rows are inserted or merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteMode {
    /// Inserts the row, or replaces the row with the same key unless the existing row is newer. Needs a key.
    Upsert,
    /// Inserts the row. `(_batch_id, _row)` identifies a row that is delivered again.
    Append,
}

/// The engine that reads a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// By size: Lambda, or Spark for large drops.
    Auto,
    /// Always Lambda.
    Lambda,
    /// Always Spark on EMR Serverless.
    Spark,
}

/// The maximum number of rejects in a batch. If either limit is exceeded, the whole batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MaxRejects {
    /// Maximum number of rejected rows.
    pub rows: Option<u64>,
    /// Maximum percentage of rejected rows among the rows read.
    pub percent: Option<f64>,
}

/// The treatment of columns of the file that the contract does not describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnexpectedColumns {
    /// Their values are stored, by name, in the column `_rescued jsonb`.
    #[default]
    Rescue,
    /// They are ignored.
    Ignore,
    /// Each row that has a value in one is rejected.
    Reject,
}

/// The treatment of a file that lacks a column of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingColumns {
    /// The drop is refused as unreadable.
    #[default]
    Refuse,
    /// The column has no value in any row.
    Null,
}

/// The treatment of a second version of an object under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overwrite {
    /// It is loaded independently: its rows are added to those of the first version, or replace them by key.
    #[default]
    Add,
    /// It is loaded, and the rows that only the earlier version had are deleted.
    Replace,
    /// It is ignored, and its receipt reports that.
    Keep,
}
