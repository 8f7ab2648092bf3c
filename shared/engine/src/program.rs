//! Processing of one column: from a raw value of the file to the value in the chunk.

mod typed;

use std::borrow::Cow;

use penstock_contract::{Case, HeaderCase, SqlType};
use regex::Regex;

pub(crate) use self::typed::common_null_values;
use crate::cast::number::Notation;
use crate::cast::rule::{RuleViolation, in_words, size_in_words};
use crate::cast::text::{Text, Traits};
use crate::cast::typed::Typed;
use crate::cast::unfit::Unfit;
use crate::cast::{Cast, CastValue, DocumentScratch, Scratch};
use crate::copy;
use crate::outcome::Code;
use crate::pseudonym::PseudonymKey;

/// A column of a compiled plan.
#[derive(Debug, Clone)]
pub struct PlanColumn {
    pub(crate) name: String,
    pub(crate) physical_name: String,
    /// How the name is compared with those of a header or schema.
    pub(crate) header_case: HeaderCase,
    pub(crate) sql_type: SqlType,
    pub(crate) is_required: bool,
    /// Whether the column collects the fields that no other column reads.
    pub(crate) is_rescued: bool,
    /// Whether rejects must not contain its values.
    pub(crate) is_hidden: bool,
    /// The key, if the values are pseudonymised.
    pub(crate) pseudonym: Option<PseudonymKey>,
    /// Whether files without the column are accepted. All values are then missing.
    pub(crate) may_be_absent: bool,
    pub(crate) trim: bool,
    pub(crate) null_values: Vec<String>,
    pub(crate) extract: Option<Regex>,
    pub(crate) case: Option<Case>,
    pub(crate) constant: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) cast: Cast,
    /// Whether [`unchanged`](Self::unchanged) may be called. It accepts nearly all valid values.
    pub(crate) may_store_unchanged: bool,
    pub(crate) rules: penstock_contract::Rules,
    pub(crate) type_rule: String,
}

/// A column's raw value in a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Raw<'a> {
    /// A missing value, or JSON `null`.
    Missing,
    /// A text of a delimited file, or a string of a typed one. If the traits of the whole record or column are plain,
    /// so are those of each part of it.
    Text(&'a str, Traits),
    /// A JSON string, `true` or `false`, with the traits of the record.
    JsonText(&'a str, Traits),
    /// A JSON number.
    JsonNumber(&'a str),
    /// A JSON object or array. If its traits are plain, it was checked, and `jsonb` accepts it.
    JsonDocument(&'a str, Traits),
    /// A JSON string with a lone surrogate.
    Malformed(&'a str),
    /// A value of a file whose columns have types.
    Typed(Typed<'a>),
    /// A typed document that contains a value which JSON cannot represent. It is a reference because `Raw` is copied
    /// for each column of each row and must not be larger than a text needs.
    Unfit(&'a Unfit),
}

impl<'a> Raw<'a> {
    /// Returns the text that a reject contains. `None` if the value is missing.
    pub(crate) fn shown(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Missing => None,
            Self::Text(text, _)
            | Self::JsonText(text, _)
            | Self::JsonNumber(text)
            | Self::JsonDocument(text, _)
            | Self::Malformed(text) => Some(Cow::Borrowed(text)),
            Self::Unfit(unfit) => Some(Cow::Borrowed(&unfit.found)),
            Self::Typed(typed) => {
                let mut text = String::new();
                typed.render(&mut text);
                Some(Cow::Owned(text))
            }
        }
    }
}

impl PlanColumn {
    /// Returns the column's name in the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the producer's header or JSON key.
    pub fn physical_name(&self) -> &str {
        &self.physical_name
    }

    /// Returns the PostgreSQL type.
    pub fn sql_type(&self) -> &SqlType {
        &self.sql_type
    }

    /// Returns true if each accepted row has a value for the column.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// Returns true if the column does not read a field of the file.
    pub(crate) fn reads_nothing(&self) -> bool {
        self.constant.is_some() || self.is_rescued
    }

    /// Returns true if files without the column are refused.
    pub(crate) fn needs_field(&self) -> bool {
        !self.reads_nothing() && self.default.is_none() && !self.may_be_absent
    }

    /// Returns true if the column's type accepts any text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.cast, Cast::Text(_)) && self.sql_type != SqlType::Uuid
    }

    pub(crate) fn has_zone(&self) -> bool {
        self.sql_type == SqlType::Timestamptz
    }

    /// Returns true if each valid value is stored unchanged, except for white space around it.
    pub(crate) fn is_verbatim(&self) -> bool {
        let is_free = matches!(&self.cast, Cast::Json(document) if document.is_free());
        (self.is_text() || is_free) && !self.changes_texts()
    }

    /// Returns true if [`unchanged`](Self::unchanged) accepts nearly all valid values.
    pub(crate) fn can_store_unchanged(&self) -> bool {
        let is_interval = matches!(&self.cast, Cast::Number(cast) if cast.scaled.is_some());
        self.is_verbatim() || is_interval && !self.changes_texts()
    }

    /// Returns true if an option of the contract changes the texts of valid values, other than by trimming them.
    fn changes_texts(&self) -> bool {
        // Exhaustive, so that a new option does not compile until it is decided here whether it excludes the fast path.
        let Self {
            pseudonym,
            null_values,
            extract,
            case,
            constant,
            // The fast path trims texts and checks the cast's rules.
            trim: _,
            cast: _,
            rules: _,
            type_rule: _,
            sql_type: _,
            // It does not accept empty texts, for which these two decide what is stored.
            is_required: _,
            default: _,
            // These concern the assignment of fields to columns.
            name: _,
            physical_name: _,
            header_case: _,
            is_rescued: _,
            may_be_absent: _,
            // Only rejects hide values.
            is_hidden: _,
            may_store_unchanged: _,
        } = self;
        let is_changed = pseudonym.is_some() || extract.is_some() || case.is_some() || constant.is_some();
        is_changed || !null_values.is_empty()
    }

    /// Returns a value whose text is stored unchanged, and that text. If it returns `None`, [`run`](Self::run) must
    /// process the value. The column must be one that [may store texts unchanged](Self::may_store_unchanged).
    #[inline(always)]
    pub(crate) fn unchanged<'a>(&self, raw: Raw<'a>) -> Option<(CastValue<'a>, &'a str)> {
        let text = match (raw, &self.cast) {
            (Raw::JsonNumber(text), Cast::Number(cast)) => return Some((cast.unchanged(text)?, text)),
            (Raw::Text(text, _) | Raw::JsonText(text, _), Cast::Number(cast)) => {
                let text = if self.trim { trim(text) } else { text };
                let is_plain = cast.notation == Notation::CONTRACT;
                return Some((cast.unchanged(text).filter(|_| is_plain)?, text));
            }
            (Raw::Text(text, traits), _) | (Raw::JsonText(text, traits), Cast::Text(_)) => {
                self.unchanged_text(text, traits)
            }
            (Raw::JsonDocument(text, traits), Cast::Json(document)) => {
                (traits.is_plain && document.matches_bracket(text)).then_some(Text { text, traits })
            }
            (
                Raw::Missing
                | Raw::JsonText(..)
                | Raw::JsonNumber(_)
                | Raw::JsonDocument(..)
                | Raw::Malformed(_)
                | Raw::Typed(_)
                | Raw::Unfit(_),
                _,
            ) => None,
        }?;
        Some((CastValue::Text(text), text.text))
    }

    /// Returns a text that is stored unchanged, as most values are. If it returns `None`, [`run`](Self::run) must
    /// process the value. The column must be [verbatim](Self::is_verbatim).
    #[inline(always)]
    pub(crate) fn unchanged_text<'a>(&self, text: &'a str, traits: Traits) -> Option<Text<'a>> {
        let text = if self.trim { trim(text) } else { text };
        if text.is_empty() || !traits.is_plain {
            return None;
        }
        let mut is_valid = true;
        match &self.cast {
            Cast::Text(cast) => cast.check(Text { text, traits }, &mut |_| is_valid = false),
            Cast::Json(document) => is_valid = document.accepts(text),
            Cast::Number(_) | Cast::Boolean(_) | Cast::Date(_) | Cast::Time(_) | Cast::Timestamp(_) => {
                is_valid = false;
            }
        }
        is_valid.then_some(Text { text, traits })
    }

    /// Harmonises, casts and checks a raw value. Each violation is reported, and the result is only valid if there was
    /// none. `None` is then a missing value.
    ///
    /// It is not inlined, so that the loops over rows contain only the fast paths.
    #[inline(never)]
    pub(crate) fn run<'a>(
        &'a self,
        raw: &Raw<'a>,
        scratch: &'a mut Scratch,
        report: &mut dyn FnMut(RuleViolation<'_>),
    ) -> Option<CastValue<'a>> {
        let (buffers, typed_text) = CastBuffers::of(scratch);
        if let Some(constant) = &self.constant {
            // The constant was checked when the plan was compiled.
            return self.cast(constant, Origin::Contract, buffers, &mut |_| {});
        }
        let harmonised = match *raw {
            Raw::Missing => Harmonised::Missing,
            Raw::Text(text, traits) => self.harmonise(text, Origin::Text(traits)),
            Raw::JsonText(text, traits) => self.harmonise(text, Origin::Json(traits)),
            Raw::JsonNumber(text) => self.harmonise(text, Origin::Number),
            Raw::JsonDocument(text, traits) => match &self.cast {
                Cast::Json(_) => Harmonised::Text(text, Origin::Document(traits)),
                Cast::Text(_)
                | Cast::Number(_)
                | Cast::Boolean(_)
                | Cast::Date(_)
                | Cast::Time(_)
                | Cast::Timestamp(_) => Harmonised::Invalid(Code::WrongType),
            },
            Raw::Malformed(_) => Harmonised::Invalid(Code::InvalidJson),
            Raw::Typed(typed) => self.harmonise_typed(typed, typed_text, report),
            Raw::Unfit(unfit) => {
                report(unfit.into());
                return None;
            }
        };
        match (harmonised, &self.default) {
            (Harmonised::Text(text, origin), _) => self.cast(text, origin, buffers, report),
            (Harmonised::Value(value), _) => Some(value),
            (Harmonised::Missing, Some(default)) => {
                self.cast(default, Origin::Contract, buffers, &mut |_| {})
            }
            (Harmonised::Missing, None) => {
                if self.is_required {
                    report(Code::MissingRequired.into());
                }
                None
            }
            (Harmonised::Invalid(code), _) => {
                report(code.into());
                None
            }
        }
    }

    /// Trims a text, recognises null values and applies `extract`.
    #[inline]
    fn harmonise<'a>(&self, raw: &'a str, origin: Origin) -> Harmonised<'a> {
        let mut text = if self.trim { trim(raw) } else { raw };
        if text.is_empty() || self.null_values.iter().any(|null| null == text) {
            return Harmonised::Missing;
        }
        if let Some(extract) = &self.extract {
            match extract.captures(text) {
                // A group that takes no part in the match is a missing value.
                Some(captures) => text = captures.get(1).map_or("", |group| group.as_str()),
                None if self.default.is_some() => return Harmonised::Missing,
                None => return Harmonised::Invalid(Code::ExtractMismatch),
            }
            if text.is_empty() {
                return Harmonised::Missing;
            }
        }
        Harmonised::Text(text, origin)
    }

    /// Casts a text and checks its rules.
    #[inline]
    fn cast<'a>(
        &'a self,
        text: &'a str,
        origin: Origin,
        buffers: CastBuffers<'a>,
        report: &mut dyn FnMut(RuleViolation<'_>),
    ) -> Option<CastValue<'a>> {
        let CastBuffers { changed, digits, document } = buffers;
        let mut report_code = |code: Code| report(code.into());
        let is_raw = !matches!(origin, Origin::Contract);
        // The contract's separators are those of texts, not of JSON numbers.
        let is_canonical = matches!(origin, Origin::Number | Origin::Contract);
        let text = match self.case {
            Some(case) if is_raw => in_case(text, case, changed),
            Some(_) | None => text,
        };
        match &self.cast {
            Cast::Text(cast) => {
                let traits = match origin {
                    Origin::Text(traits) | Origin::Json(traits) => traits,
                    Origin::Number | Origin::Document(_) | Origin::Contract => Traits::UNKNOWN,
                };
                let value = cast.cast(text, traits, digits).map_err(&mut report_code).ok()?;
                cast.check(value, &mut report_code);
                Some(CastValue::Text(value))
            }
            Cast::Number(cast) => {
                let notation = if is_canonical { Notation::CONTRACT } else { cast.notation };
                let (number, value) = cast.cast(text, notation, digits).map_err(&mut report_code).ok()?;
                let value = value.map_err(&mut report_code).ok();
                cast.check(&number, &mut report_code);
                value
            }
            Cast::Boolean(cast) => {
                let value = cast.cast(text).map_err(&mut report_code).ok()?;
                if !cast.allowed.is_empty() && !cast.allowed.contains(&value) {
                    report_code(Code::NotAllowed);
                }
                Some(CastValue::Boolean(value))
            }
            Cast::Date(cast) => {
                let days = cast.cast(text, is_canonical).map_err(&mut report_code).ok()?;
                cast.check(days, &mut report_code);
                Some(CastValue::Date(days))
            }
            Cast::Time(cast) => {
                let micros = cast.cast(text).map_err(&mut report_code).ok()?;
                cast.check(micros, &mut report_code);
                Some(CastValue::Time(micros))
            }
            Cast::Timestamp(cast) => {
                let micros = cast.cast(text, is_canonical).map_err(&mut report_code).ok()?;
                cast.check(micros, &mut report_code);
                Some(CastValue::Timestamp(micros))
            }
            Cast::Json(cast) => {
                let traits = match origin {
                    Origin::Json(_) | Origin::Number => {
                        report(Code::WrongType.into());
                        return None;
                    }
                    Origin::Text(traits) | Origin::Document(traits) if traits.is_plain => traits,
                    Origin::Text(_) | Origin::Document(_) | Origin::Contract => Traits::of(text.as_bytes()),
                };
                let is_checked = matches!(origin, Origin::Document(Traits { is_plain: true, .. }));
                cast.cast(text, traits, is_checked, document, digits, report).map(CastValue::Text)
            }
        }
    }

    /// Returns the COPY text of a literal of the contract, or `None` if the literal is not of the column's type.
    pub(crate) fn literal_copy_text(&self, literal: &str) -> Option<Vec<u8>> {
        let mut scratch = Scratch::default();
        let (buffers, _) = CastBuffers::of(&mut scratch);
        let value = self.cast(literal, Origin::Contract, buffers, &mut |_| {})?;
        let mut text = Vec::new();
        self.write(&value, &mut text);
        Some(text)
    }

    /// Writes a value or its pseudonym as COPY text.
    #[inline(always)]
    pub(crate) fn write(&self, value: &CastValue<'_>, out: &mut Vec<u8>) {
        match &self.pseudonym {
            Some(key) => key.write(text_to_pseudonymise(value).as_bytes(), out),
            None => copy::write(value, self.has_zone(), out),
        }
    }

    /// Describes the violated rule.
    pub(crate) fn rule(&self, violation: &RuleViolation<'_>) -> String {
        let code = violation.code;
        if let Some(Unfit { path, rule, .. }) = violation.unfit {
            // The path of a hidden column is omitted, because the keys of a map are data.
            let path = if self.is_hidden { "" } else { path };
            return format!("{}{path}: {rule}", self.name);
        }
        match (&violation.nested, &self.extract) {
            (Some(nested), _) => nested.rule(&self.name, code),
            (None, Some(extract)) if code == Code::ExtractMismatch => format!("extract {extract}"),
            (None, _) => in_words(code, &self.rules, &self.type_rule, size_in_words(&self.sql_type)),
        }
    }
}

/// The buffers of [`Scratch`] that a cast writes to. The text that it reads may be in the remaining one.
struct CastBuffers<'a> {
    changed: &'a mut String,
    digits: &'a mut String,
    document: &'a mut DocumentScratch,
}

impl<'a> CastBuffers<'a> {
    /// Returns the buffers of a cast, and the one for the text of a typed value.
    fn of(scratch: &'a mut Scratch) -> (Self, &'a mut String) {
        let Scratch { changed, digits, typed, document } = scratch;
        (Self { changed, digits, document }, typed)
    }
}

/// The origin of a text.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Text(Traits),
    Json(Traits),
    Number,
    Document(Traits),
    Contract,
}

enum Harmonised<'a> {
    Missing,
    Text(&'a str, Origin),
    /// A typed value whose rules were checked.
    Value(CastValue<'a>),
    Invalid(Code),
}

/// Returns the text without white space at both ends.
#[inline]
fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_graphic = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic());
    if is_graphic(bytes.first()) && is_graphic(bytes.last()) { text } else { text.trim() }
}

/// Returns the text in upper or lower case.
fn in_case<'a>(text: &'a str, case: Case, scratch: &'a mut String) -> &'a str {
    let has_case = |byte: u8| match case {
        Case::Upper => byte.is_ascii() && !byte.is_ascii_lowercase(),
        Case::Lower => byte.is_ascii() && !byte.is_ascii_uppercase(),
    };
    if text.bytes().all(has_case) {
        return text;
    }
    scratch.clear();
    if text.is_ascii() {
        scratch.push_str(text);
        match case {
            Case::Upper => scratch.make_ascii_uppercase(),
            Case::Lower => scratch.make_ascii_lowercase(),
        }
    } else {
        match case {
            Case::Upper => scratch.push_str(&text.to_uppercase()),
            Case::Lower => scratch.push_str(&text.to_lowercase()),
        }
    }
    scratch
}

/// Returns the text of a pseudonymised column's value.
fn text_to_pseudonymise<'a>(value: &CastValue<'a>) -> &'a str {
    let CastValue::Text(text) = value else { unreachable!("a contract can only pseudonymise strings") };
    text.text
}

/// Returns the pseudonym key, if any column is pseudonymised.
pub(crate) fn key_of(columns: &[PlanColumn]) -> Option<&PseudonymKey> {
    columns.iter().find_map(|column| column.pseudonym.as_ref())
}
