//! `physicalType` → [`SqlType`].
//!
//! Types of PostgreSQL are read with their synonyms, and so are types of other systems for which one PostgreSQL type holds
//! every value. Which type that is may depend on the `logicalType`: `tinyint(1)` is a `boolean` or a `smallint`.

mod spelled;

use std::fmt;

use crate::error::quoted;
use crate::model::{Harmonise, SqlType};
use crate::options::LogicalName;
use spelled::{Spelled, unwrapped};

/// A physical type, with the length that `varchar(n)` carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhysicalType {
    pub(crate) sql: SqlType,
    pub(crate) max_length: Option<u64>,
    /// The type says that the document is an array.
    pub(crate) is_array: bool,
    /// The type holds booleans in a system that has no type of its own for them.
    pub(crate) flag: Option<Flag>,
    /// The type lists its values, as in `enum('a','b')`.
    pub(crate) lists_values: bool,
}

/// How a system without booleans writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    /// As `1` and `0`.
    Digit,
    /// As one character: `1` and `0`, or `Y` and `N`.
    Character,
}

impl Flag {
    /// Adds the spellings that the contract does not give another meaning.
    pub(crate) fn add_spellings(self, harmonise: &mut Harmonise) {
        let (trues, falses): (&[&str], &[&str]) = match self {
            Self::Digit => (&["1"], &["0"]),
            Self::Character => (&["1", "Y"], &["0", "N"]),
        };
        let Harmonise { true_values, false_values, null_values, .. } = harmonise;
        let is_free = |spelling: &str, lists: [&Vec<String>; 3]| {
            !lists.iter().any(|list| list.iter().any(|known| known.eq_ignore_ascii_case(spelling)))
        };
        for (spellings, is_true) in [(trues, true), (falses, false)] {
            for spelling in spellings {
                if is_free(spelling, [true_values, false_values, null_values]) {
                    let list = if is_true { &mut *true_values } else { &mut *false_values };
                    list.push((*spelling).to_owned());
                }
            }
        }
    }
}

/// Names that are listed in errors.
const NAMES: [&str; 14] = [
    "text",
    "varchar(n)",
    "smallint",
    "integer",
    "bigint",
    "numeric(p,s)",
    "double precision",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "jsonb",
    "uuid",
];

/// Types that take no size, or one that has no effect on what a value may be: the display width of an integer, the
/// digits of a fraction of a second, which are stored as they are.
const PLAIN: [(&[&str], SqlType); 12] = [
    (
        &["tinyint", "byteint", "smallint", "int2", "int16", "short", "smallserial", "serial2"],
        SqlType::Smallint,
    ),
    (&["integer", "int", "int4", "int32", "mediumint", "serial", "serial4"], SqlType::Integer),
    (&["bigint", "int8", "int64", "bigserial", "serial8"], SqlType::Bigint),
    (&["hugeint", "int128", "int256"], SqlType::Numeric(None)),
    (
        &[
            "double precision",
            "double",
            "float8",
            "float64",
            "float",
            "real",
            "float4",
            "float32",
            "binary_float",
            "binary_double",
        ],
        SqlType::DoublePrecision,
    ),
    (&["boolean", "bool"], SqlType::Boolean),
    (&["date", "date32"], SqlType::Date),
    (&["time", "time without time zone"], SqlType::Time),
    (
        &[
            "timestamp",
            "timestamp without time zone",
            "timestamp_ntz",
            "timestampntz",
            "datetime",
            "datetime2",
            "smalldatetime",
        ],
        SqlType::Timestamp,
    ),
    (
        &[
            "timestamptz",
            "timestamp with time zone",
            "timestamp with local time zone",
            "timestamp_tz",
            "timestamptz",
            "timestamp_ltz",
            "timestampltz",
            "datetimeoffset",
        ],
        SqlType::Timestamptz,
    ),
    (&["json", "jsonb", "variant", "super", "object", "struct", "record", "map", "row"], SqlType::Jsonb),
    (&["uuid", "uniqueidentifier", "guid"], SqlType::Uuid),
];

/// Texts without a size, and those whose size is a length.
const TEXTS: [&str; 20] = [
    "text",
    "string",
    "varchar",
    "character varying",
    "char varying",
    "nvarchar",
    "varchar2",
    "nvarchar2",
    "national character varying",
    "national varchar",
    "bpchar",
    "clob",
    "nclob",
    "ntext",
    "tinytext",
    "mediumtext",
    "longtext",
    "citext",
    "character large object",
    "long varchar",
];
/// Texts of one character where they have no size.
const CHARS: [&str; 4] = ["char", "character", "nchar", "national character"];
const NUMERICS: [&str; 7] = ["numeric", "decimal", "dec", "number", "fixed", "bignumeric", "bigdecimal"];
/// Types whose values are text when the contract says that they are strings.
const TEXTUAL: [&str; 9] =
    ["xml", "xmltype", "inet", "cidr", "macaddr", "interval", "rowid", "name", "sysname"];
/// Texts that are one of a list of values.
const ENUMS: [&str; 4] = ["enum", "enum8", "enum16", "set"];
/// Types whose values may be any JSON.
const ANY_JSON: [&str; 4] = ["json", "jsonb", "variant", "super"];
const BINARIES: [&str; 12] = [
    "bytea",
    "binary",
    "varbinary",
    "blob",
    "tinyblob",
    "mediumblob",
    "longblob",
    "bytes",
    "raw",
    "long raw",
    "image",
    "byte",
];

/// Reads a type name, in any letter case. `logical` is the `logicalType` beside it.
pub(crate) fn parse(text: &str, logical: Option<LogicalName>) -> Result<PhysicalType, String> {
    let text = unwrapped(text);
    let spelled = Spelled::read(text).ok_or_else(|| unknown(text))?;
    let is_document = matches!(logical, Some(LogicalName::Object | LogicalName::Array));
    if spelled.has_elements || (is_document && spelled.in_brackets) {
        let is_array = spelled.in_brackets || matches!(spelled.name.as_str(), "array" | "list");
        return document(text, is_array, logical);
    }
    if logical == Some(LogicalName::Boolean)
        && let Some(flag) = spelled.flag()
    {
        return Ok(PhysicalType { flag: Some(flag), ..of(SqlType::Boolean) });
    }
    if matches!(logical, Some(LogicalName::String) | None) && ENUMS.contains(&spelled.name.as_str()) {
        return Ok(PhysicalType { lists_values: spelled.has_values, ..of(SqlType::Text) });
    }
    if logical == Some(LogicalName::String) && TEXTUAL.contains(&spelled.name.as_str()) {
        return Ok(of(SqlType::Text));
    }
    match spelled.name.as_str() {
        "array" | "list" => document(text, true, logical),
        name if TEXTS.contains(&name) => spelled.text(None),
        name if CHARS.contains(&name) => spelled.text(Some(1)),
        name if NUMERICS.contains(&name) => spelled.numeric(),
        "long" if logical == Some(LogicalName::Integer) => Ok(of(SqlType::Bigint)),
        "long" if logical == Some(LogicalName::String) => Ok(of(SqlType::Text)),
        "year" if logical == Some(LogicalName::Integer) => Ok(of(SqlType::Smallint)),
        "bit" if logical == Some(LogicalName::Integer) && spelled.sizes.is_empty() => {
            Ok(of(SqlType::Smallint))
        }
        name => match PLAIN.iter().find(|(names, _)| names.contains(&name)) {
            Some((_, SqlType::Jsonb)) if logical.is_none() && ANY_JSON.contains(&name) => Err(format!(
                "{} may be an object or an array: add `logicalType: object` or `logicalType: array`",
                quoted(text)
            )),
            Some((_, SqlType::Jsonb)) => document(text, false, logical),
            Some((_, sql)) => spelled.plain(sql),
            None => unsigned(name).map(of).ok_or_else(|| unknown(text)),
        },
    }
}

fn of(sql: SqlType) -> PhysicalType {
    PhysicalType { sql, max_length: None, is_array: false, flag: None, lists_values: false }
}

/// A document, which is not text: a contract that says both means one of them.
fn document(text: &str, is_array: bool, logical: Option<LogicalName>) -> Result<PhysicalType, String> {
    if logical == Some(LogicalName::String) {
        return Err(format!(
            "{} is a document and `logicalType: string` is text: set `physicalType: text`, or `logicalType: {}`",
            quoted(text),
            if is_array { "array" } else { "object" }
        ));
    }
    Ok(PhysicalType { is_array, ..of(SqlType::Jsonb) })
}

/// ClickHouse's `UInt32`: the type that holds all of its values.
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
    let before_size = |name: &'static str| name.split('(').next().unwrap_or_default();
    let lower = text.split(['(', '[', '<']).next().unwrap_or_default().trim().to_ascii_lowercase();
    let add = |what: &str| format!("{found} is no PostgreSQL type that Penstock writes: set {what}");
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
                format!("{found} is no PostgreSQL type that Penstock writes; did you mean `{near}`?")
            }
            None => add(&format!("`physicalType` to {}", crate::error::one_of(&NAMES))),
        },
    }
}

impl fmt::Display for SqlType {
    /// The type as PostgreSQL spells it.
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
    fn types_of_other_systems_become_the_one_type_that_holds_their_values() {
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
    fn a_type_that_could_be_several_is_reported_with_what_to_set() {
        use LogicalName::{Number, String};
        for (text, logical, message) in [
            ("inteher", None, "did you mean `integer`"),
            ("numeric(0)", None, "the precision is 1 to 1000"),
            ("numeric(2,3)", None, "the scale 0 to the precision"),
            ("number(70000,3)", None, "the scale 0 to the precision"),
            ("varchar(0)", None, "at least 1"),
            ("date(3)", None, "takes no size"),
            ("varchar(9", None, "is no PostgreSQL type"),
            ("varchar(9 inches)", None, "is no PostgreSQL type"),
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
