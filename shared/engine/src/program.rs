//! One column of the plan: from a field's text to a value that stands in the chunk.

mod typed;

use std::borrow::Cow;

use penstock_contract::{Case, HeaderCase, SqlType};
use regex::Regex;

pub(crate) use self::typed::common_null_values;
use crate::cast::number::Notation;
use crate::cast::rule::{Broken, in_words, size_in_words};
use crate::cast::text::{Text, Traits};
use crate::cast::typed::Typed;
use crate::cast::unfit::Unfit;
use crate::cast::{Cast, CastValue, DocumentScratch, Scratch};
use crate::copy;
use crate::outcome::Code;
use crate::pseudonym::PseudonymKey;

/// One column of a compiled plan.
#[derive(Debug, Clone)]
pub struct PlanColumn {
    pub(crate) name: String,
    pub(crate) physical_name: String,
    /// How its name is compared with those of a header or schema.
    pub(crate) header_case: HeaderCase,
    pub(crate) sql_type: SqlType,
    pub(crate) is_required: bool,
    /// It takes what no other column reads.
    pub(crate) is_rescued: bool,
    /// Its values stand in no reject.
    pub(crate) is_hidden: bool,
    /// Its values leave the engine as pseudonyms.
    pub(crate) pseudonym: Option<PseudonymKey>,
    /// A file without it is read; every value is missing then.
    pub(crate) may_be_absent: bool,
    pub(crate) trim: bool,
    pub(crate) null_values: Vec<String>,
    pub(crate) extract: Option<Regex>,
    pub(crate) case: Option<Case>,
    pub(crate) constant: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) cast: Cast,
    /// Nearly all values that satisfy its rules are stored as their text is: [`keep`](Self::keep) recognises them.
    pub(crate) keeps_texts: bool,
    pub(crate) rules: penstock_contract::Rules,
    pub(crate) type_rule: String,
}

/// A column's raw value in a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Raw<'a> {
    /// Not there, or JSON `null`.
    Missing,
    /// Text of a delimited file, or a string of a typed one. Traits of the whole record or column, which hold for each
    /// part of it.
    Text(&'a str, Traits),
    /// A JSON string, or `true` or `false`, with traits as of other texts.
    JsonText(&'a str, Traits),
    /// A JSON number.
    JsonNumber(&'a str),
    /// A JSON object or array. Plain traits: its text was read to the end, and `jsonb` takes it.
    JsonDocument(&'a str, Traits),
    /// A JSON string that is no text.
    Malformed(&'a str),
    /// A value of a file whose columns have types.
    Typed(Typed<'a>),
    /// A document with a part that JSON cannot hold as what it is. By reference: this value is copied for each column of
    /// each row, and stays as small as texts need it.
    Unfit(&'a Unfit),
}

impl<'a> Raw<'a> {
    /// The text that a reject shows.
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
    /// The harmonised column.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The producer's header or JSON key.
    pub fn physical_name(&self) -> &str {
        &self.physical_name
    }

    /// The PostgreSQL type.
    pub fn sql_type(&self) -> &SqlType {
        &self.sql_type
    }

    /// True when no accepted row has it missing.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// True when no field of the file is read for it.
    pub(crate) fn reads_nothing(&self) -> bool {
        self.constant.is_some() || self.is_rescued
    }

    /// True when a file without this column cannot be read.
    pub(crate) fn needs_field(&self) -> bool {
        !self.reads_nothing() && self.default.is_none() && !self.may_be_absent
    }

    /// True when any text may be a value of it.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.cast, Cast::Text(_)) && self.sql_type != SqlType::Uuid
    }

    pub(crate) fn has_zone(&self) -> bool {
        self.sql_type == SqlType::Timestamptz
    }

    /// True when a value that breaks no rule is stored as its text stands, but for white space around it.
    pub(crate) fn is_verbatim(&self) -> bool {
        let is_free = matches!(&self.cast, Cast::Json(document) if document.is_free());
        (self.is_text() || is_free) && !self.changes_texts()
    }

    pub(crate) fn can_keep_texts(&self) -> bool {
        let is_interval = matches!(&self.cast, Cast::Number(cast) if cast.scaled.is_some());
        self.is_verbatim() || is_interval && !self.changes_texts()
    }

    fn changes_texts(&self) -> bool {
        let Self { pseudonym, null_values, extract, case, constant, .. } = self;
        let is_changed = pseudonym.is_some() || extract.is_some() || case.is_some() || constant.is_some();
        is_changed || !null_values.is_empty()
    }

    /// A value that is stored as its text stands, and the text. `None`: to be looked at by [`run`](Self::run). Only for
    /// columns that [keep texts](Self::keeps_texts).
    #[inline(always)]
    pub(crate) fn keep<'a>(&self, raw: Raw<'a>) -> Option<(CastValue<'a>, &'a str)> {
        let text = match (raw, &self.cast) {
            (Raw::JsonNumber(text), Cast::Number(cast)) => return Some((cast.keep(text)?, text)),
            (Raw::Text(text, _) | Raw::JsonText(text, _), Cast::Number(cast)) => {
                let text = if self.trim { trim(text) } else { text };
                let is_plain = cast.notation == Notation::CONTRACT;
                return Some((cast.keep(text).filter(|_| is_plain)?, text));
            }
            (Raw::Text(text, traits), _) | (Raw::JsonText(text, traits), Cast::Text(_)) => {
                self.pass(text, traits)
            }
            (Raw::JsonDocument(text, traits), Cast::Json(document)) => {
                (traits.is_plain && document.is_begun_by(text)).then_some(Text { text, traits })
            }
            _ => None,
        }?;
        Some((CastValue::Text(text), text.text))
    }

    /// What most values of most files are: a text that is stored as it stands. `None`: to be looked at by
    /// [`run`](Self::run). Only for columns that are [verbatim](Self::is_verbatim).
    #[inline(always)]
    pub(crate) fn pass<'a>(&self, text: &'a str, traits: Traits) -> Option<Text<'a>> {
        let text = if self.trim { trim(text) } else { text };
        if text.is_empty() || !traits.is_plain {
            return None;
        }
        let mut is_broken = false;
        match &self.cast {
            Cast::Text(cast) => cast.check(Text { text, traits }, &mut |_| is_broken = true),
            Cast::Json(document) => is_broken = !document.passes(text),
            Cast::Number(_) | Cast::Boolean(_) | Cast::Date(_) | Cast::Time(_) | Cast::Timestamp(_) => {
                is_broken = true;
            }
        }
        (!is_broken).then_some(Text { text, traits })
    }

    /// Runs the column over a raw value. `Ok(None)` is a missing value that may be missing. Each broken rule is
    /// told; the value counts only when none was.
    ///
    /// It is compiled once, out of the loops over rows: these stay as small as what most values take.
    #[inline(never)]
    pub(crate) fn run<'a>(
        &'a self,
        raw: &Raw<'a>,
        scratch: &'a mut Scratch,
        tell: &mut dyn FnMut(Broken<'_>),
    ) -> Option<CastValue<'a>> {
        let (work, typed_text) = CastBuffers::of(scratch);
        if let Some(constant) = &self.constant {
            // Its rules were checked when the plan was compiled.
            return self.cast(constant, Origin::Contract, work, &mut |_| {});
        }
        let found = match *raw {
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
                | Cast::Timestamp(_) => Harmonised::Wrong(Code::WrongType),
            },
            Raw::Malformed(_) => Harmonised::Wrong(Code::InvalidJson),
            Raw::Typed(typed) => self.take(typed, typed_text, tell),
            Raw::Unfit(unfit) => {
                tell(unfit.into());
                return None;
            }
        };
        match (found, &self.default) {
            (Harmonised::Text(text, origin), _) => self.cast(text, origin, work, tell),
            (Harmonised::Value(value), _) => Some(value),
            (Harmonised::Missing, Some(default)) => self.cast(default, Origin::Contract, work, &mut |_| {}),
            (Harmonised::Missing, None) => {
                if self.is_required {
                    tell(Code::MissingRequired.into());
                }
                None
            }
            (Harmonised::Wrong(code), _) => {
                tell(code.into());
                None
            }
        }
    }

    /// Trim, null values, extract.
    #[inline]
    fn harmonise<'a>(&self, raw: &'a str, origin: Origin) -> Harmonised<'a> {
        let mut text = if self.trim { trim(raw) } else { raw };
        if text.is_empty() || self.null_values.iter().any(|null| null == text) {
            return Harmonised::Missing;
        }
        if let Some(extract) = &self.extract {
            match extract.captures(text) {
                Some(captures) => text = captures.get(1).map_or("", |group| group.as_str()),
                None if self.default.is_some() => return Harmonised::Missing,
                None => return Harmonised::Wrong(Code::ExtractMismatch),
            }
            if text.is_empty() {
                return Harmonised::Missing;
            }
        }
        Harmonised::Text(text, origin)
    }

    #[inline]
    fn cast<'a>(
        &'a self,
        text: &'a str,
        origin: Origin,
        work: CastBuffers<'a>,
        tell: &mut dyn FnMut(Broken<'_>),
    ) -> Option<CastValue<'a>> {
        let CastBuffers { changed, digits, document } = work;
        let mut tell_code = |code: Code| tell(code.into());
        let is_raw = !matches!(origin, Origin::Contract);
        // The separators of numbers are those of texts.
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
                let value = cast.cast(text, traits, digits).map_err(&mut tell_code).ok()?;
                cast.check(value, &mut tell_code);
                Some(CastValue::Text(value))
            }
            Cast::Number(cast) => {
                let notation = if is_canonical { Notation::CONTRACT } else { cast.notation };
                let (number, value) = cast.cast(text, notation, digits).map_err(&mut tell_code).ok()?;
                let value = value.map_err(&mut tell_code).ok();
                cast.check(&number, &mut tell_code);
                value
            }
            Cast::Boolean(cast) => {
                let value = cast.cast(text).map_err(&mut tell_code).ok()?;
                if !cast.allowed.is_empty() && !cast.allowed.contains(&value) {
                    tell_code(Code::NotAllowed);
                }
                Some(CastValue::Boolean(value))
            }
            Cast::Date(cast) => {
                let days = cast.cast(text, is_canonical).map_err(&mut tell_code).ok()?;
                cast.check(days, &mut tell_code);
                Some(CastValue::Date(days))
            }
            Cast::Time(cast) => {
                let micros = cast.cast(text).map_err(&mut tell_code).ok()?;
                cast.check(micros, &mut tell_code);
                Some(CastValue::Time(micros))
            }
            Cast::Timestamp(cast) => {
                let micros = cast.cast(text, is_canonical).map_err(&mut tell_code).ok()?;
                cast.check(micros, &mut tell_code);
                Some(CastValue::Timestamp(micros))
            }
            Cast::Json(cast) => {
                let traits = match origin {
                    Origin::Json(_) | Origin::Number => {
                        tell(Code::WrongType.into());
                        return None;
                    }
                    Origin::Text(traits) | Origin::Document(traits) if traits.is_plain => traits,
                    Origin::Text(_) | Origin::Document(_) | Origin::Contract => Traits::of(text.as_bytes()),
                };
                let is_checked = matches!(origin, Origin::Document(Traits { is_plain: true, .. }));
                cast.cast(text, traits, is_checked, document, digits, tell).map(CastValue::Text)
            }
        }
    }

    /// A value as COPY text has it, after a contract's literal was read as one of this column. `None` when it is none.
    pub(crate) fn written(&self, literal: &str) -> Option<Vec<u8>> {
        let mut scratch = Scratch::default();
        let mut is_broken = false;
        let (work, _) = CastBuffers::of(&mut scratch);
        let value = self.cast(literal, Origin::Contract, work, &mut |_| is_broken = true)?;
        let mut written = Vec::new();
        self.write(&value, &mut written);
        Some(written)
    }

    /// Writes a value as COPY text, or what stands for it.
    #[inline(always)]
    pub(crate) fn write(&self, value: &CastValue<'_>, out: &mut Vec<u8>) {
        match (&self.pseudonym, value) {
            (Some(key), CastValue::Text(text)) => key.write(text.text.as_bytes(), out),
            _ => copy::write(value, self.has_zone(), out),
        }
    }

    /// The rule that is broken, in words.
    pub(crate) fn rule(&self, broken: &Broken<'_>) -> String {
        let code = broken.code;
        if let Some(Unfit { path, rule, .. }) = broken.unfit {
            // The keys of a map are data.
            let path = if self.is_hidden { "" } else { path };
            return format!("{}{path}: {rule}", self.name);
        }
        match (&broken.inside, &self.extract) {
            (Some(inside), _) => inside.rule(&self.name, code),
            (None, Some(extract)) if code == Code::ExtractMismatch => format!("extract {extract}"),
            (None, _) => in_words(code, &self.rules, &self.type_rule, size_in_words(&self.sql_type)),
        }
    }
}

/// Where a cast writes the texts that it has to make: the text that it reads may be one of the scratch, too.
struct CastBuffers<'a> {
    changed: &'a mut String,
    digits: &'a mut String,
    document: &'a mut DocumentScratch,
}

impl<'a> CastBuffers<'a> {
    /// And the place for the text of a typed value.
    fn of(scratch: &'a mut Scratch) -> (Self, &'a mut String) {
        let Scratch { changed, digits, typed, document } = scratch;
        (Self { changed, digits, document }, typed)
    }
}

/// Where a text comes from.
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
    /// A typed one, its rules checked.
    Value(CastValue<'a>),
    Wrong(Code),
}

/// Takes white space off both ends.
#[inline]
fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_kept = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic());
    if is_kept(bytes.first()) && is_kept(bytes.last()) { text } else { text.trim() }
}

fn in_case<'a>(text: &'a str, case: Case, scratch: &'a mut String) -> &'a str {
    let is_there = |byte: u8| match case {
        Case::Upper => byte.is_ascii() && !byte.is_ascii_lowercase(),
        Case::Lower => byte.is_ascii() && !byte.is_ascii_uppercase(),
    };
    if text.bytes().all(is_there) {
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

/// Returns the pseudonym key, if any column is pseudonymised.
pub(crate) fn key_of(columns: &[PlanColumn]) -> Option<&PseudonymKey> {
    columns.iter().find_map(|column| column.pseudonym.as_ref())
}
