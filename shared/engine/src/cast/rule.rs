//! Violations of rules, and descriptions of the rules.

use std::fmt::Display;

use penstock_contract::{Bound, Rules, SqlType, StringFormat};

use super::json::{MAX_DEPTH, MAX_FRACTION_DIGITS, MAX_WHOLE_DIGITS};
use super::number::{MAX_DIGITS, MAX_EXPONENT};
use super::unfit::Unfit;
use crate::outcome::Code;

/// The violation of a rule by a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RuleViolation<'b> {
    pub(crate) code: Code,
    /// The violating value within a document. `None` if the whole value violates the rule.
    pub(crate) nested: Option<NestedViolation<'b>>,
    /// The value within a typed document that JSON cannot represent.
    pub(crate) unfit: Option<&'b Unfit>,
}

impl From<Code> for RuleViolation<'_> {
    fn from(code: Code) -> Self {
        Self { code, nested: None, unfit: None }
    }
}

impl<'b> From<&'b Unfit> for RuleViolation<'b> {
    fn from(unfit: &'b Unfit) -> Self {
        Self { code: unfit.code, nested: None, unfit: Some(unfit) }
    }
}

impl<'b> RuleViolation<'b> {
    /// Returns the violating text: `whole`, or the value within the document.
    pub(crate) fn violating_text<'w>(&self, whole: Option<&'w str>) -> Option<&'w str>
    where
        'b: 'w,
    {
        self.nested.map_or(whole, |nested| nested.found)
    }

    /// Returns true if a value within a document violates the rule.
    pub(crate) fn is_nested(&self) -> bool {
        self.nested.is_some() || self.unfit.is_some()
    }
}

/// The violation of a rule within a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NestedViolation<'b> {
    pub(crate) path: &'b [PathStep<'b>],
    pub(crate) rules: &'b Rules,
    pub(crate) type_rule: &'b str,
    /// The missing key, as the producer names it.
    pub(crate) key: Option<&'b str>,
    /// The text of the value at the path. `None` if there is none.
    pub(crate) found: Option<&'b str>,
}

/// A step of a path into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathStep<'b> {
    /// The key as it is stored. It is the contract's, so that a path does not reveal data.
    Member(&'b str),
    /// The index of the item, from 0.
    Item(usize),
}

impl NestedViolation<'_> {
    /// Returns the path and the rule, e.g. `attributes.sizes[2]: maximum 50`.
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

/// Describes a type and the limits that are not part of its name.
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

/// Describes the rule that a code is about. `size` describes the type that the value must fit.
pub(crate) fn in_words(code: Code, rules: &Rules, type_rule: &str, size: impl Display) -> String {
    match code {
        Code::MissingRequired | Code::MissingMember => "required".to_owned(),
        Code::TooShort => described("minLength", rules.min_length),
        Code::TooLong => described("maxLength", rules.max_length),
        Code::PatternMismatch => described("pattern", rules.pattern.as_deref()),
        Code::WrongFormat => described("format", rules.format.map(StringFormat::name)),
        Code::BelowMinimum => bound("minimum", "exclusiveMinimum", rules.minimum.as_ref()),
        Code::AboveMaximum => bound("maximum", "exclusiveMaximum", rules.maximum.as_ref()),
        Code::NotAMultiple => described("multipleOf", rules.multiple_of.as_deref()),
        Code::NotAllowed => one_of(&rules.allowed),
        Code::TooFewItems => described("minItems", rules.min_items),
        Code::TooManyItems => described("maxItems", rules.max_items),
        Code::DuplicateItem => "uniqueItems".to_owned(),
        Code::TooFewMembers => described("minProperties", rules.min_properties),
        Code::TooManyMembers => described("maxProperties", rules.max_properties),
        Code::DuplicateMember => "each key once".to_owned(),
        Code::DatabaseRefused => "a rule of the target table".to_owned(),
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

/// The parameter of a violated rule.
const DECLARED: &str = "a value cannot violate a rule that the contract does not declare";

fn described(name: &str, parameter: Option<impl Display>) -> String {
    format!("{name} {}", parameter.expect(DECLARED))
}

fn bound(name: &str, exclusive: &str, bound: Option<&Bound>) -> String {
    let Bound { value, exclusive: is_exclusive } = bound.expect(DECLARED);
    format!("{} {value}", if *is_exclusive { exclusive } else { name })
}

fn one_of(allowed: &[String]) -> String {
    const MAX_VALUES: usize = 10;
    let values = allowed.iter().take(MAX_VALUES).cloned().collect::<Vec<_>>().join(", ");
    match allowed.len().saturating_sub(MAX_VALUES) {
        0 => format!("one of {values}"),
        more => format!("one of {values} and {more} more"),
    }
}
