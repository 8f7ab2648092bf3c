//! A logical type with its options.

use crate::logical_name::LogicalName;
use crate::model::{LogicalType, Rules, SqlType};

/// The type and the rules that the options of a property declare.
#[derive(Debug)]
pub(crate) struct TypeOptions {
    pub(crate) logical: LogicalType,
    /// The PostgreSQL type without a `physicalType`.
    pub(crate) derived: SqlType,
    pub(crate) rules: Rules,
}

impl TypeOptions {
    /// Returns the type without any options.
    pub(crate) fn plain(name: LogicalName) -> Self {
        let (logical, derived) = match name {
            LogicalName::String => (LogicalType::String, SqlType::Text),
            LogicalName::Integer => (LogicalType::Integer, SqlType::Bigint),
            LogicalName::Number => (LogicalType::Number, SqlType::Numeric(None)),
            LogicalName::Boolean => (LogicalType::Boolean, SqlType::Boolean),
            LogicalName::Date => (LogicalType::Date { format: None }, SqlType::Date),
            LogicalName::Timestamp => (
                LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() },
                SqlType::Timestamptz,
            ),
            LogicalName::Time => (LogicalType::Time { format: None }, SqlType::Time),
            LogicalName::Object => (LogicalType::Object { properties: Vec::new() }, SqlType::Jsonb),
            LogicalName::Array => (LogicalType::Array { items: None }, SqlType::Jsonb),
        };
        Self { logical, derived, rules: Rules::default() }
    }
}
