//! `physicalType` → [`SqlType`].

use std::fmt;

use crate::model::SqlType;

/// PostgreSQL's limit of `numeric`.
const MAX_PRECISION: u16 = 1_000;

/// A physical type, with the length that `varchar(n)` carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhysicalType {
    pub(crate) sql: SqlType,
    pub(crate) max_length: Option<u64>,
}

/// Names that are asked for in errors; synonyms are read, too.
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

/// Reads a PostgreSQL type name, in any letter case, with its usual synonyms.
pub(crate) fn parse(text: &str) -> Result<PhysicalType, String> {
    let (name, arguments) = split(text).ok_or_else(|| unknown(text))?;
    let plain = |sql: SqlType| match arguments.as_slice() {
        [] => Ok(PhysicalType { sql, max_length: None }),
        _ => Err(format!("`{name}` takes no size; write `{sql}`")),
    };
    match name.as_str() {
        "text" | "string" => plain(SqlType::Text),
        "varchar" | "character varying" | "char" | "character" | "bpchar" => match arguments.as_slice() {
            [] if name.contains("var") || name == "bpchar" => plain(SqlType::Text),
            [] => Ok(PhysicalType { sql: SqlType::Text, max_length: Some(1) }),
            [length] if *length > 0 => {
                Ok(PhysicalType { sql: SqlType::Text, max_length: Some(u64::from(*length)) })
            }
            _ => Err(format!("`{name}` takes one length of at least 1, as in `{name}(50)`")),
        },
        "numeric" | "decimal" | "dec" => numeric(&name, &arguments),
        "smallint" | "int2" => plain(SqlType::Smallint),
        "integer" | "int" | "int4" => plain(SqlType::Integer),
        "bigint" | "int8" => plain(SqlType::Bigint),
        "double precision" | "double" | "float8" | "float" => plain(SqlType::DoublePrecision),
        "boolean" | "bool" => plain(SqlType::Boolean),
        "date" => plain(SqlType::Date),
        "time" | "time without time zone" => plain(SqlType::Time),
        "timestamp" | "timestamp without time zone" => plain(SqlType::Timestamp),
        "timestamptz" | "timestamp with time zone" => plain(SqlType::Timestamptz),
        "jsonb" => plain(SqlType::Jsonb),
        "uuid" => plain(SqlType::Uuid),
        _ => Err(unknown(text)),
    }
}

fn numeric(name: &str, arguments: &[u16]) -> Result<PhysicalType, String> {
    let size = match *arguments {
        [] => None,
        [precision] => Some((precision, 0)),
        [precision, scale] => Some((precision, scale)),
        _ => return Err(format!("`{name}` takes a precision and a scale, as in `{name}(12,2)`")),
    };
    match size {
        Some((precision, scale)) if precision == 0 || precision > MAX_PRECISION || scale > precision => {
            Err(format!(
                "`{name}({precision},{scale})`: the precision is 1 to {MAX_PRECISION}, the scale 0 to the precision"
            ))
        }
        _ => Ok(PhysicalType { sql: SqlType::Numeric(size), max_length: None }),
    }
}

/// `Character Varying (20)` → `("character varying", [20])`.
fn split(text: &str) -> Option<(String, Vec<u16>)> {
    let (before, inside, after) = match text.split_once('(') {
        None => (text, None, ""),
        Some((before, rest)) => {
            let (inside, after) = rest.split_once(')')?;
            (before, Some(inside), after)
        }
    };
    let words = format!("{before} {after}").to_ascii_lowercase();
    let name = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let arguments = match inside {
        None => Vec::new(),
        Some(inside) => inside.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?,
    };
    Some((name, arguments))
}

fn unknown(text: &str) -> String {
    let found = crate::error::quoted(text);
    let before_size = |name: &'static str| name.split('(').next().unwrap_or_default();
    let name = text.split('(').next().unwrap_or_default().trim();
    let near = match name.to_ascii_lowercase().as_str() {
        "json" => Some("jsonb"),
        "datetime" => Some("timestamptz"),
        "timetz" | "time with time zone" => Some("time"),
        "real" | "float4" => Some("double precision"),
        "tinyint" => Some("smallint"),
        _ => crate::error::nearest(name, NAMES.into_iter().map(before_size)),
    };
    let mend = near.map_or_else(
        || format!("; {}", crate::error::one_of(&NAMES)),
        |near| format!("; did you mean `{near}`?"),
    );
    format!("{found} is not a PostgreSQL type that Penstock writes{mend}")
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

    #[test]
    fn types_are_read_with_their_synonyms() {
        for (text, sql, max_length) in [
            ("text", SqlType::Text, None),
            ("VARCHAR(20)", SqlType::Text, Some(20)),
            ("character varying ( 7 )", SqlType::Text, Some(7)),
            ("char(3)", SqlType::Text, Some(3)),
            ("char", SqlType::Text, Some(1)),
            ("varchar", SqlType::Text, None),
            ("numeric", SqlType::Numeric(None), None),
            ("Decimal(12, 2)", SqlType::Numeric(Some((12, 2))), None),
            ("numeric(5)", SqlType::Numeric(Some((5, 0))), None),
            ("int", SqlType::Integer, None),
            ("INT8", SqlType::Bigint, None),
            ("double  precision", SqlType::DoublePrecision, None),
            ("timestamp with time zone", SqlType::Timestamptz, None),
            ("timestamp", SqlType::Timestamp, None),
            ("TIME without time zone", SqlType::Time, None),
            ("uuid", SqlType::Uuid, None),
        ] {
            assert_eq!(parse(text), Ok(PhysicalType { sql, max_length }), "{text}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_with_the_mend() {
        for (text, message) in [
            ("inteher", "did you mean `integer`"),
            ("json", "did you mean `jsonb`"),
            ("real", "did you mean `double precision`"),
            ("numeric(0)", "the precision is 1 to 1000"),
            ("numeric(2,3)", "the scale 0 to the precision"),
            ("varchar(0)", "at least 1"),
            ("date(3)", "takes no size"),
            ("varchar(9", "not a PostgreSQL type"),
            ("timetz", "did you mean `time`"),
            ("money", "one of `text`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
