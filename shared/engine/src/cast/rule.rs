//! Broken rules, and the rules in words.

use std::fmt::Display;

use penstock_contract::{Bound, Rules, SqlType, StringFormat};

use super::json::{MAX_DEPTH, MAX_FRACTION_DIGITS, MAX_WHOLE_DIGITS};
use super::number::{MAX_DIGITS, MAX_EXPONENT};
use super::unfit::Unfit;
use crate::outcome::Code;

/// A rule that a value breaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken<'b> {
    pub(crate) code: Code,
    /// Where in a document; `None` for the value as a whole.
    pub(crate) inside: Option<Inside<'b>>,
    /// A part of a typed document that JSON cannot hold.
    pub(crate) unfit: Option<&'b Unfit>,
}

impl From<Code> for Broken<'_> {
    fn from(code: Code) -> Self {
        Self { code, inside: None, unfit: None }
    }
}

impl<'b> From<&'b Unfit> for Broken<'b> {
    fn from(unfit: &'b Unfit) -> Self {
        Self { code: unfit.code, inside: None, unfit: Some(unfit) }
    }
}

impl<'b> Broken<'b> {
    /// What breaks it: of a document, the part that does. `whole`: the value as a whole.
    pub(crate) fn shown<'w>(&self, whole: Option<&'w str>) -> Option<&'w str>
    where
        'b: 'w,
    {
        self.inside.map_or(whole, |inside| inside.found)
    }

    /// True for a part of a document: its rule is its own.
    pub(crate) fn is_within(&self) -> bool {
        self.inside.is_some() || self.unfit.is_some()
    }
}

/// A place in a document, and what is said of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inside<'b> {
    pub(crate) path: &'b [PathStep<'b>],
    pub(crate) rules: &'b Rules,
    pub(crate) type_rule: &'b str,
    /// The producer's key that is missing.
    pub(crate) key: Option<&'b str>,
    /// What stands there, as it is written; `None` when nothing does.
    pub(crate) found: Option<&'b str>,
}

/// One step into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathStep<'b> {
    /// By the key that is stored, which is the contract's: a path tells nothing of the data.
    Member(&'b str),
    /// From 0.
    Item(usize),
}

impl Inside<'_> {
    /// The path and the rule, e.g. `attributes.sizes[2]: maximum 50`.
    pub(crate) fn rule(&self, column: &str, code: Code) -> String {
        let mut rule = column.to_owned();
        for step in self.path {
            match step {
                PathStep::Member(name) => {
                    rule.push('.');
                    rule.push_str(name);
                }
                PathStep::Item(index) => rule.push_str(&format!("[{index}]")),
            }
        }
        rule.push_str(": ");
        match self.key {
            Some(key) => rule.push_str(&format!("required {key}")),
            None => {
                let size = format!(
                    "at most {MAX_DIGITS} digits on each side of the point, exponents from -{MAX_EXPONENT} to {MAX_EXPONENT}"
                );
                rule.push_str(&in_words(code, self.rules, self.type_rule, size));
            }
        }
        rule
    }
}

/// A type with the limits that are not part of its name.
pub(crate) fn size_in_words(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::Jsonb => format!(
            "jsonb: nested at most {MAX_DEPTH} levels deep, numbers of at most {MAX_WHOLE_DIGITS} digits before the point and \
             {MAX_FRACTION_DIGITS} after it, exponents from -{MAX_EXPONENT} to {MAX_EXPONENT}"
        ),
        SqlType::Numeric(None) => format!(
            "numeric: at most {MAX_DIGITS} digits on each side of the point, exponents from -{MAX_EXPONENT} to {MAX_EXPONENT}"
        ),
        SqlType::Numeric(Some(_))
        | SqlType::Text
        | SqlType::Smallint
        | SqlType::Integer
        | SqlType::Bigint
        | SqlType::DoublePrecision
        | SqlType::Boolean
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Uuid => sql_type.to_string(),
    }
}

/// The rule that a code is about. `size`: the type that a value must fit into.
pub(crate) fn in_words(code: Code, rules: &Rules, type_rule: &str, size: impl Display) -> String {
    match code {
        Code::MissingRequired | Code::MissingMember => "required".to_owned(),
        Code::TooShort => number("minLength", rules.min_length),
        Code::TooLong => number("maxLength", rules.max_length),
        Code::PatternMismatch => format!("pattern {}", rules.pattern.as_deref().unwrap_or_default()),
        Code::WrongFormat => format!("format {}", rules.format.map_or("", StringFormat::name)),
        Code::BelowMinimum => bound("minimum", "exclusiveMinimum", rules.minimum.as_ref()),
        Code::AboveMaximum => bound("maximum", "exclusiveMaximum", rules.maximum.as_ref()),
        Code::NotAMultiple => format!("multipleOf {}", rules.multiple_of.as_deref().unwrap_or_default()),
        Code::NotAllowed => one_of(&rules.allowed),
        Code::TooFewItems => number("minItems", rules.min_items),
        Code::TooManyItems => number("maxItems", rules.max_items),
        Code::DuplicateItem => "uniqueItems".to_owned(),
        Code::TooFewMembers => number("minProperties", rules.min_properties),
        Code::TooManyMembers => number("maxProperties", rules.max_properties),
        Code::DuplicateMember => "each key once".to_owned(),
        Code::NulCharacter => "no NUL character".to_owned(),
        Code::InvalidJson => "text without lone surrogates".to_owned(),
        Code::OutOfRange => size.to_string(),
        Code::NotAnInteger
        | Code::NotANumber
        | Code::NotABoolean
        | Code::NotADate
        | Code::NotATime
        | Code::NotATimestamp
        | Code::NotAUuid
        | Code::WrongType => type_rule.to_owned(),
        Code::InvalidEncoding => "text in UTF-8".to_owned(),
        Code::ExtractMismatch => "extract".to_owned(),
        Code::UnexpectedColumn
        | Code::TooFewFields
        | Code::TooManyFields
        | Code::MalformedQuote
        | Code::RecordTooLong
        | Code::BlankRow
        | Code::MalformedBlock => code.to_string(),
    }
}

fn number(name: &str, number: Option<u64>) -> String {
    number.map_or_else(|| name.to_owned(), |number| format!("{name} {number}"))
}

fn bound(name: &str, exclusive: &str, bound: Option<&Bound>) -> String {
    match bound {
        Some(bound) if bound.exclusive => format!("{exclusive} {}", bound.value),
        Some(bound) => format!("{name} {}", bound.value),
        None => name.to_owned(),
    }
}

fn one_of(allowed: &[String]) -> String {
    const MAX_VALUES: usize = 10;
    let values = allowed.iter().take(MAX_VALUES).cloned().collect::<Vec<_>>().join(", ");
    match allowed.len().saturating_sub(MAX_VALUES) {
        0 => format!("one of {values}"),
        more => format!("one of {values} and {more} more"),
    }
}
