//! The logical types of ODCS by name.

use crate::error::{Errors, ReadResult};
use crate::model::SqlType;
use crate::node_ref::NodeRef;
use crate::odcs;

/// A logical type without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogicalName {
    String,
    Integer,
    Number,
    Boolean,
    Date,
    Timestamp,
    Time,
    Object,
    Array,
}

const NAMES: [(&str, LogicalName); 9] = [
    ("string", LogicalName::String),
    ("integer", LogicalName::Integer),
    ("number", LogicalName::Number),
    ("boolean", LogicalName::Boolean),
    ("date", LogicalName::Date),
    ("timestamp", LogicalName::Timestamp),
    ("time", LogicalName::Time),
    ("object", LogicalName::Object),
    ("array", LogicalName::Array),
];

impl LogicalName {
    pub(crate) fn read(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Self> {
        let text = at.str(errors)?;
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, name)| *name);
        found.ok_or_else(|| {
            let fault = odcs::logical_type_fault(text).expect("the standard has the same types");
            at.report(errors, fault)
        })
    }

    /// Returns the logical type of a physical type.
    pub(crate) fn of(sql: &SqlType) -> Self {
        match sql {
            SqlType::Text | SqlType::Uuid => Self::String,
            SqlType::Smallint | SqlType::Integer | SqlType::Bigint => Self::Integer,
            SqlType::Numeric(_) | SqlType::DoublePrecision => Self::Number,
            SqlType::Boolean => Self::Boolean,
            SqlType::Date => Self::Date,
            SqlType::Time => Self::Time,
            SqlType::Timestamp | SqlType::Timestamptz => Self::Timestamp,
            SqlType::Jsonb => Self::Object,
        }
    }

    /// Returns true if a column of this PostgreSQL type can store every value of the logical type, or reject it as too
    /// large.
    pub(crate) fn fits(self, sql: &SqlType) -> bool {
        match sql {
            SqlType::Text | SqlType::Uuid => self == Self::String,
            SqlType::Smallint | SqlType::Integer | SqlType::Bigint => self == Self::Integer,
            SqlType::Numeric(_) => [Self::Integer, Self::Number].contains(&self),
            SqlType::DoublePrecision => self == Self::Number,
            SqlType::Boolean => self == Self::Boolean,
            SqlType::Date => self == Self::Date,
            SqlType::Timestamp | SqlType::Timestamptz => self == Self::Timestamp,
            SqlType::Time => self == Self::Time,
            SqlType::Jsonb => [Self::Object, Self::Array].contains(&self),
        }
    }

    /// Returns true if this is the logical type of the physical type.
    pub(crate) fn is_of(self, sql: &SqlType) -> bool {
        Self::of(sql) == self
    }

    pub(crate) fn as_str(self) -> &'static str {
        let (text, _) = NAMES.iter().find(|(_, name)| *name == self).expect("each type has a name");
        text
    }
}
