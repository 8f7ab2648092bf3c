//! Parses the name of a type, with its size.

use super::names::ENUMS;
use super::physical::{BooleanEncoding, PhysicalType};
use crate::model::SqlType;

/// PostgreSQL's limit for `numeric`.
const MAX_PRECISION: u16 = 1_000;

/// Removes ClickHouse's `Nullable(…)` and `LowCardinality(…)`, which do not affect the values.
pub(super) fn unwrapped(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let inner = ["nullable(", "lowcardinality("].iter().find_map(|prefix| {
            let (start, rest) = text.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(rest)?.strip_suffix(')')
        });
        match inner {
            Some(inner) => text = inner.trim(),
            None => return text,
        }
    }
}

/// A type name and its size: `Character Varying (20)` has the name `character varying` and the size 20.
#[derive(Debug)]
pub(super) struct TypeSpelling {
    pub(super) name: String,
    pub(super) sizes: Vec<TypeSize>,
    /// `unsigned`, as in MySQL.
    is_unsigned: bool,
    /// `array<int>`, `struct<…>`.
    pub(super) has_elements: bool,
    /// `enum('a','b')`.
    pub(super) has_values: bool,
    /// `int[]`, and `varchar[15]`, which some tools write for `varchar(15)`.
    pub(super) in_brackets: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeSize {
    Number(u64),
    /// No limit: `varchar(max)`, `number(*)`.
    Unlimited,
}

impl TypeSpelling {
    pub(super) fn read(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if let Some((name, _)) = lower.split_once('<') {
            return Some(Self::named(name.trim(), true, false));
        }
        let (before, inside, after, in_brackets) = match lower.split_once(['(', '[']) {
            None => (lower.as_str(), None, "", false),
            Some((before, rest)) => {
                let in_brackets = lower.as_bytes().get(before.len()) == Some(&b'[');
                let (inside, after) = rest.split_once(if in_brackets { ']' } else { ')' })?;
                (before, Some(inside.trim()), after, in_brackets)
            }
        };
        if in_brackets && inside == Some("") {
            return Some(Self::named(before.trim(), true, true));
        }
        let words: Vec<&str> = before.split_whitespace().chain(after.split_whitespace()).collect();
        let is_unsigned = words.contains(&"unsigned");
        let words: Vec<&str> =
            words.into_iter().filter(|word| !matches!(*word, "unsigned" | "signed" | "zerofill")).collect();
        let name = words.join(" ");
        // The values of an `enum` and the fields of a struct are not sizes.
        let is_enum = ENUMS.contains(&name.as_str());
        let is_document = matches!(name.as_str(), "struct" | "object" | "map" | "array" | "list" | "row");
        let sizes = match inside.filter(|_| !is_enum && !is_document) {
            None => Vec::new(),
            Some(inside) => inside.split(',').map(size).collect::<Option<_>>()?,
        };
        let (has_elements, has_values) = (is_document && inside.is_some(), is_enum && inside.is_some());
        Some(Self { name, sizes, is_unsigned, has_elements, has_values, in_brackets })
    }

    fn named(name: &str, has_elements: bool, in_brackets: bool) -> Self {
        Self {
            name: name.to_owned(),
            sizes: Vec::new(),
            is_unsigned: false,
            has_elements,
            has_values: false,
            in_brackets,
        }
    }

    /// Returns the spelling of booleans, for types that store them in systems without a boolean type.
    pub(super) fn flag(&self) -> Option<BooleanEncoding> {
        let one = [TypeSize::Number(1)];
        match self.name.as_str() {
            "bit" | "tinyint" | "byteint" => {
                (self.sizes.is_empty() || self.sizes == one).then_some(BooleanEncoding::Digit)
            }
            "number" | "numeric" | "decimal" => (self.sizes == one
                || self.sizes == [TypeSize::Number(1), TypeSize::Number(0)])
            .then_some(BooleanEncoding::Digit),
            "char" | "character" | "nchar" | "national character" => {
                (self.sizes.is_empty() || self.sizes == one).then_some(BooleanEncoding::Character)
            }
            _ => None,
        }
    }

    pub(super) fn plain(&self, sql: &SqlType) -> Result<PhysicalType, String> {
        let takes_size = match sql {
            SqlType::Smallint | SqlType::Integer | SqlType::Bigint => self.sizes.len() <= 1,
            SqlType::Time | SqlType::Timestamp | SqlType::Timestamptz => self.sizes.len() <= 1,
            SqlType::DoublePrecision => self.sizes.len() <= 2,
            SqlType::Text
            | SqlType::Numeric(_)
            | SqlType::Boolean
            | SqlType::Date
            | SqlType::Jsonb
            | SqlType::Uuid => self.sizes.is_empty(),
        };
        if !takes_size {
            return Err(format!("`{}` takes no size; write `{sql}`", self.name));
        }
        if !self.is_unsigned {
            return Ok(PhysicalType::of(sql.clone()));
        }
        let name = self.name.as_str();
        // The next larger type has room for the values that use the sign bit.
        Ok(PhysicalType::of(match sql {
            SqlType::Smallint if name == "tinyint" => SqlType::Smallint,
            SqlType::Smallint => SqlType::Integer,
            SqlType::Integer if name == "mediumint" => SqlType::Integer,
            SqlType::Integer => SqlType::Bigint,
            SqlType::Bigint => SqlType::Numeric(Some((20, 0))),
            SqlType::Text
            | SqlType::Numeric(_)
            | SqlType::DoublePrecision
            | SqlType::Boolean
            | SqlType::Date
            | SqlType::Time
            | SqlType::Timestamp
            | SqlType::Timestamptz
            | SqlType::Jsonb
            | SqlType::Uuid => sql.clone(),
        }))
    }

    pub(super) fn text(&self, default_length: Option<u64>) -> Result<PhysicalType, String> {
        let max_length = match self.sizes.as_slice() {
            [] => default_length,
            [TypeSize::Unlimited] => None,
            [TypeSize::Number(length)] if *length > 0 => Some(*length),
            _ => {
                let name = &self.name;
                return Err(format!("`{name}` takes one length of at least 1, as in `{name}(50)`"));
            }
        };
        Ok(PhysicalType { max_length, ..PhysicalType::of(SqlType::Text) })
    }

    pub(super) fn numeric(&self) -> Result<PhysicalType, String> {
        let name = &self.name;
        let (precision, scale) = match self.sizes.as_slice() {
            [] | [TypeSize::Unlimited] => return Ok(PhysicalType::of(SqlType::Numeric(None))),
            [TypeSize::Number(precision)] => (*precision, 0),
            [TypeSize::Number(precision), TypeSize::Number(scale)] => (*precision, *scale),
            // Oracle's maximum precision.
            [TypeSize::Unlimited, TypeSize::Number(scale)] => (38, *scale),
            _ => return Err(format!("`{name}` takes a precision and a scale, as in `{name}(12,2)`")),
        };
        let fitting = |digits: u64| u16::try_from(digits).ok().filter(|digits| *digits <= MAX_PRECISION);
        match (fitting(precision), fitting(scale)) {
            (Some(precision), Some(scale)) if precision > 0 && scale <= precision => {
                Ok(PhysicalType::of(SqlType::Numeric(Some((precision, scale)))))
            }
            _ => Err(format!(
                "`{name}({precision},{scale})`: the precision is 1 to {MAX_PRECISION}, the scale 0 to the precision"
            )),
        }
    }
}

/// Parses a size: `100`, Oracle's `100 char`, SQL Server's `max`, Oracle's `*`.
fn size(text: &str) -> Option<TypeSize> {
    let mut words = text.split_whitespace();
    let size = match words.next()? {
        "max" | "*" => TypeSize::Unlimited,
        number => TypeSize::Number(number.parse().ok()?),
    };
    match (words.next(), words.next()) {
        (None | Some("char" | "byte"), None) => Some(size),
        _ => None,
    }
}
