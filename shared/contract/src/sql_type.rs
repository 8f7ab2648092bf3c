//! Reads a `physicalType` into a [`SqlType`].
//!
//! PostgreSQL's types are read with their synonyms. Types of other systems are read if there is one PostgreSQL type
//! that can store all their values. It may depend on the `logicalType`: `tinyint(1)` is a `boolean` or a `smallint`.

mod names;
mod physical;
mod spelling;

use std::fmt;

use crate::error::quoted;
use crate::logical_name::LogicalName;
use crate::model::SqlType;
use names::{ANY_JSON, BINARIES, CHARS, ENUMS, NAMES, NUMERICS, PLAIN, TEXTS, TEXTUAL};
pub(crate) use physical::{BooleanEncoding, PhysicalType};
use spelling::{TypeSpelling, unwrapped};

/// Parses the name of a type, in any letter case. `logical` is the `logicalType` of the same column.
pub(crate) fn parse(text: &str, logical: Option<LogicalName>) -> Result<PhysicalType, String> {
    let text = unwrapped(text);
    let spelled = TypeSpelling::read(text).ok_or_else(|| unknown(text))?;
    let is_document = matches!(logical, Some(LogicalName::Object | LogicalName::Array));
    if spelled.has_elements || (is_document && spelled.in_brackets) {
        let is_array = spelled.in_brackets || matches!(spelled.name.as_str(), "array" | "list");
        return document(text, is_array, logical);
    }
    if logical == Some(LogicalName::Boolean)
        && let Some(flag) = spelled.flag()
    {
        return Ok(PhysicalType { flag: Some(flag), ..PhysicalType::of(SqlType::Boolean) });
    }
    if matches!(logical, Some(LogicalName::String) | None) && ENUMS.contains(&spelled.name.as_str()) {
        return Ok(PhysicalType { lists_values: spelled.has_values, ..PhysicalType::of(SqlType::Text) });
    }
    if logical == Some(LogicalName::String) && TEXTUAL.contains(&spelled.name.as_str()) {
        return Ok(PhysicalType::of(SqlType::Text));
    }
    match spelled.name.as_str() {
        "array" | "list" => document(text, true, logical),
        name if TEXTS.contains(&name) => spelled.text(None),
        name if CHARS.contains(&name) => spelled.text(Some(1)),
        name if NUMERICS.contains(&name) => spelled.numeric(),
        "long" if logical == Some(LogicalName::Integer) => Ok(PhysicalType::of(SqlType::Bigint)),
        "long" if logical == Some(LogicalName::String) => Ok(PhysicalType::of(SqlType::Text)),
        "year" if logical == Some(LogicalName::Integer) => Ok(PhysicalType::of(SqlType::Smallint)),
        "bit" if logical == Some(LogicalName::Integer) && spelled.sizes.is_empty() => {
            Ok(PhysicalType::of(SqlType::Smallint))
        }
        name => match PLAIN.iter().find(|(names, _)| names.contains(&name)) {
            Some((_, SqlType::Jsonb)) if logical.is_none() && ANY_JSON.contains(&name) => Err(format!(
                "{} may be an object or an array: add `logicalType: object` or `logicalType: array`",
                quoted(text)
            )),
            Some((_, SqlType::Jsonb)) => document(text, false, logical),
            Some((_, sql)) => spelled.plain(sql),
            None => unsigned(name).map(PhysicalType::of).ok_or_else(|| unknown(text)),
        },
    }
}

/// Returns the type of an object or array. It contradicts `logicalType: string`.
fn document(text: &str, is_array: bool, logical: Option<LogicalName>) -> Result<PhysicalType, String> {
    if logical == Some(LogicalName::String) {
        return Err(format!(
            "{} is an object or array, but `logicalType: string` is text: set `physicalType: text`, or `logicalType: {}`",
            quoted(text),
            if is_array { "array" } else { "object" }
        ));
    }
    Ok(PhysicalType { is_array, ..PhysicalType::of(SqlType::Jsonb) })
}

/// Returns the type that can store all values of ClickHouse's `UInt32` and similar types.
fn unsigned(name: &str) -> Option<SqlType> {
    match name {
        "uint8" => Some(SqlType::Smallint),
        "uint16" => Some(SqlType::Integer),
        "uint32" => Some(SqlType::Bigint),
        "uint64" => Some(SqlType::Numeric(Some((20, 0)))),
        _ => None,
    }
}

fn unknown(text: &str) -> String {
    let found = quoted(text);
    let before_size = |name: &'static str| name.split_once('(').map_or(name, |(name, _)| name);
    let name = text.split_once(['(', '[', '<']).map_or(text, |(name, _)| name);
    let lower = name.trim().to_ascii_lowercase();
    let add = |what: &str| format!("{found} is not a supported PostgreSQL type: set {what}");
    match lower.as_str() {
        name if BINARIES.contains(&name) => add(
            "`logicalType: string` and `physicalType: text`, with `logicalTypeOptions: {format: byte}` for Base64",
        ),
        "money" => add("`physicalType: numeric(19,4)`"),
        "smallmoney" => add("`physicalType: numeric(10,4)`"),
        "timetz" | "time with time zone" => add("`physicalType: time`, which has no time zone"),
        "bit" | "bit varying" | "varbit" => {
            add("`logicalType: boolean` for one bit, else `logicalType: string` and `physicalType: text`")
        }
        "long" => add("`physicalType: bigint` for numbers, or `text`"),
        "year" => add("`logicalType: integer` and `physicalType: smallint`"),
        name if TEXTUAL.contains(&name) => add("`logicalType: string` and `physicalType: text`"),
        "geometry" | "geography" | "point" | "polygon" => {
            add("`logicalType: string` and `physicalType: text`, or `logicalType: object`")
        }
        name => match crate::error::nearest(name, NAMES.into_iter().map(before_size)) {
            Some(near) => {
                format!("{found} is not a supported PostgreSQL type; did you mean `{near}`?")
            }
            None => add(&format!("`physicalType` to {}", crate::error::one_of(&NAMES))),
        },
    }
}

impl fmt::Display for SqlType {
    /// Writes the type in PostgreSQL's syntax.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SqlType::Text => "text",
            SqlType::Smallint => "smallint",
            SqlType::Integer => "integer",
            SqlType::Bigint => "bigint",
            SqlType::Numeric(None) => "numeric",
            SqlType::Numeric(Some((precision, scale))) => return write!(f, "numeric({precision},{scale})"),
            SqlType::DoublePrecision => "double precision",
            SqlType::Boolean => "boolean",
            SqlType::Date => "date",
            SqlType::Time => "time",
            SqlType::Timestamp => "timestamp",
            SqlType::Timestamptz => "timestamptz",
            SqlType::Jsonb => "jsonb",
            SqlType::Uuid => "uuid",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, logical: Option<LogicalName>) -> Result<(String, Option<u64>), String> {
        parse(text, logical).map(|physical| (physical.sql.to_string(), physical.max_length))
    }

    #[test]
    fn types_of_postgresql_are_read_with_their_synonyms() {
        for (text, sql, max_length) in [
            ("text", "text", None),
            ("VARCHAR(20)", "text", Some(20)),
            ("character varying ( 7 )", "text", Some(7)),
            ("char(3)", "text", Some(3)),
            ("char", "text", Some(1)),
            ("varchar", "text", None),
            ("bpchar", "text", None),
            ("numeric", "numeric", None),
            ("Decimal(12, 2)", "numeric(12,2)", None),
            ("numeric(5)", "numeric(5,0)", None),
            ("int", "integer", None),
            ("INT8", "bigint", None),
            ("serial", "integer", None),
            ("bigserial", "bigint", None),
            ("double  precision", "double precision", None),
            ("real", "double precision", None),
            ("timestamp with time zone", "timestamptz", None),
            ("timestamp(3) with time zone", "timestamptz", None),
            ("timestamp", "timestamp", None),
            ("TIME without time zone", "time", None),
            ("enum('a','b')", "text", None),
            ("Enum8('a' = 1, 'b' = 2)", "text", None),
            ("uuid", "uuid", None),
        ] {
            assert_eq!(read(text, None), Ok((sql.to_owned(), max_length)), "{text}");
        }
    }

    #[test]
    fn types_of_other_systems_become_the_type_that_can_store_their_values() {
        use LogicalName::{Array, Boolean, Integer, Number, Object, String, Timestamp};
        for (text, logical, sql, max_length) in [
            ("STRING", Some(String), "text", None),
            ("STRING(40)", Some(String), "text", Some(40)),
            ("VARCHAR2(100 CHAR)", Some(String), "text", Some(100)),
            ("nvarchar(max)", Some(String), "text", None),
            ("varchar[15]", Some(String), "text", Some(15)),
            ("VARCHAR(16777216)", Some(String), "text", Some(16_777_216)),
            ("LONGTEXT", Some(String), "text", None),
            ("enum('a','b')", Some(String), "text", None),
            ("xml", Some(String), "text", None),
            ("UNIQUEIDENTIFIER", Some(String), "uuid", None),
            ("NUMBER(38,0)", Some(Number), "numeric(38,0)", None),
            ("NUMBER(*,0)", Some(Integer), "numeric(38,0)", None),
            ("NUMBER", Some(Number), "numeric", None),
            ("BIGNUMERIC", Some(Number), "numeric", None),
            ("INT64", Some(Integer), "bigint", None),
            ("int(11)", Some(Integer), "integer", None),
            ("int(10) unsigned", Some(Integer), "bigint", None),
            ("bigint unsigned", Some(Integer), "numeric(20,0)", None),
            ("smallint unsigned", Some(Integer), "integer", None),
            ("tinyint unsigned", Some(Integer), "smallint", None),
            ("mediumint unsigned", Some(Integer), "integer", None),
            ("Nullable(UInt32)", Some(Integer), "bigint", None),
            ("LowCardinality(Nullable(String))", Some(String), "text", None),
            ("long", Some(Integer), "bigint", None),
            ("DOUBLE", Some(Number), "double precision", None),
            ("FLOAT64", Some(Number), "double precision", None),
            ("float(24)", Some(Number), "double precision", None),
            ("float(3,2)", Some(Number), "double precision", None),
            ("BINARY_DOUBLE", Some(Number), "double precision", None),
            ("tinyint(1)", Some(Boolean), "boolean", None),
            ("tinyint(1)", Some(Integer), "smallint", None),
            ("bit", Some(Boolean), "boolean", None),
            ("NUMBER(1)", Some(Boolean), "boolean", None),
            ("char(1)", Some(Boolean), "boolean", None),
            ("timestamp_ntz(9)", Some(Timestamp), "timestamp", None),
            ("TIMESTAMP_LTZ", Some(Timestamp), "timestamptz", None),
            ("datetime2(7)", Some(Timestamp), "timestamp", None),
            ("DATETIME", Some(Timestamp), "timestamp", None),
            ("datetimeoffset(7)", Some(Timestamp), "timestamptz", None),
            ("list", Some(Array), "jsonb", None),
            ("array<struct<a:int,b:string>>", Some(Array), "jsonb", None),
            ("text[]", Some(Array), "jsonb", None),
            ("ARRAY(VARCHAR)", Some(Array), "jsonb", None),
            ("STRUCT<a INT64>", Some(Object), "jsonb", None),
            ("VARIANT", Some(Object), "jsonb", None),
            ("SUPER", Some(Array), "jsonb", None),
        ] {
            assert_eq!(read(text, logical), Ok((sql.to_owned(), max_length)), "{text}");
        }
        for (text, is_array) in
            [("list", true), ("int[]", true), ("array<int>", true), ("object", false), ("map<a,b>", false)]
        {
            assert_eq!(parse(text, None).map(|physical| physical.is_array), Ok(is_array), "{text}");
        }
    }

    #[test]
    fn an_ambiguous_or_unsupported_type_is_reported_with_a_suggestion() {
        use LogicalName::{Number, String};
        for (text, logical, message) in [
            ("inteher", None, "did you mean `integer`"),
            ("numeric(0)", None, "the precision is 1 to 1000"),
            ("numeric(2,3)", None, "the scale 0 to the precision"),
            ("number(70000,3)", None, "the scale 0 to the precision"),
            ("varchar(0)", None, "at least 1"),
            ("date(3)", None, "takes no size"),
            ("varchar(9", None, "is not a supported PostgreSQL type"),
            ("varchar(9 inches)", None, "is not a supported PostgreSQL type"),
            ("timetz", None, "set `physicalType: time`"),
            ("money", Some(Number), "set `physicalType: numeric(19,4)`"),
            ("AccountNumber", Some(String), "one of `text`"),
            ("bytea", Some(String), "`format: byte`".trim_matches('`')),
            ("variant", Some(String), "set `physicalType: text`, or `logicalType: object`"),
            ("bit", None, "`logicalType: boolean`"),
            ("json", None, "add `logicalType: object` or `logicalType: array`"),
            ("JSONB", None, "may be an object or an array"),
            ("variant", None, "may be an object or an array"),
            ("super", None, "may be an object or an array"),
            ("long", None, "set `physicalType: bigint`"),
            ("xml", None, "set `logicalType: string` and `physicalType: text`"),
        ] {
            let error = parse(text, logical).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
