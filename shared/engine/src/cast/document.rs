//! Objects and arrays, checked against the contract's rules for their members and items.
//!
//! The text is scanned, not parsed into values. Numbers keep their notation, undeclared members are skipped, and the
//! stored text is the producer's, with only its keys renamed. Each level of the contract scans the levels below it once
//! more.

use std::borrow::Cow;
use std::ops::Range;

use penstock_contract::Rules;

use super::canonical::canonical;
use super::json::{self, Scanner, slice, unquote};
use super::number::Notation;
use super::rule::{NestedViolation, PathStep, RuleViolation};
use super::text::{Text, Traits};
use super::{Cast, DocumentCast, DocumentMember, DocumentScratch, DocumentStructure, NestedCast};
use crate::outcome::Code;

impl DocumentCast {
    pub(crate) fn new(
        is_array: bool,
        members: Vec<NestedCast>,
        items: Option<NestedCast>,
        rules: &Rules,
    ) -> Result<Self, String> {
        let is_counted = [rules.min_items, rules.max_items, rules.min_properties, rules.max_properties]
            .iter()
            .any(Option::is_some);
        let is_free = members.is_empty()
            && items.is_none()
            && rules.required_properties.is_empty()
            && !rules.unique_items
            && !is_counted;
        if is_free {
            return Ok(Self { is_array, structure: None });
        }
        let members = members.into_iter().map(DocumentMember::new).collect::<Result<Vec<_>, _>>()?;
        let mut by_key: Vec<(usize, &str)> = members
            .iter()
            .enumerate()
            .map(|(index, member)| (index, member.nested.physical_name.as_str()))
            .collect();
        by_key.sort_unstable_by_key(|(_, key)| *key);
        if let Some((_, key)) =
            by_key.iter().zip(by_key.iter().skip(1)).find(|(a, b)| a.1 == b.1).map(|(a, _)| a)
        {
            return Err(format!("two members read the key `{key}`; each key can be read by one member only"));
        }
        let by_key = by_key.into_iter().map(|(index, _)| index).collect();
        Ok(Self {
            is_array,
            structure: Some(Box::new(DocumentStructure { members, by_key, items, rules: rules.clone() })),
        })
    }

    /// Returns true if each document is stored unchanged.
    pub(crate) fn is_free(&self) -> bool {
        self.structure.is_none()
    }

    /// Returns true if the text, which is an object or an array, is of this cast's type.
    #[inline]
    pub(crate) fn matches_bracket(&self, text: &str) -> bool {
        text.starts_with(if self.is_array { '[' } else { '{' })
    }

    /// Returns true for a document that a [free](Self::is_free) cast stores unchanged. The text must not contain
    /// control characters and backslashes.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        json::check(text, self.is_array, true).is_ok()
    }

    /// Checks a document and returns the text to store, or `None` if `jsonb` does not accept the document.
    ///
    /// `is_checked` means that the text is known to be a well-formed object or array.
    pub(crate) fn cast<'a>(
        &self,
        text: &'a str,
        traits: Traits,
        is_checked: bool,
        scratch: &mut DocumentScratch,
        changed: &'a mut String,
        report: &mut dyn FnMut(RuleViolation<'_>),
    ) -> Option<Text<'a>> {
        let checked = match is_checked {
            true if self.matches_bracket(text) => Ok(()),
            true => Err(Code::WrongType),
            false => json::check(text, self.is_array, traits.is_plain),
        };
        if let Err(code) = checked {
            report_fault(code, text, report);
            return None;
        }
        let Some(structure) = &self.structure else { return Some(Text { text, traits }) };
        let mut walk = DocumentWalk {
            text,
            is_plain: traits.is_plain,
            path: Vec::new(),
            renamed: Vec::new(),
            scratch,
            report,
        };
        let start = text.len().saturating_sub(text.trim_ascii_start().len());
        walk.structure(structure, self.is_array, start..text.trim_ascii_end().len());
        let renamed = walk.renamed;
        if renamed.is_empty() {
            return Some(Text { text, traits });
        }
        rename(text, &renamed, changed);
        Some(Text { text: changed, traits: Traits::of(changed.as_bytes()) })
    }
}

impl DocumentMember {
    fn new(nested: NestedCast) -> Result<Self, String> {
        let renamed = if nested.name == nested.physical_name {
            None
        } else {
            let quoted = serde_json::to_string(&nested.name).map_err(|error| error.to_string())?;
            quoted.strip_prefix('"').and_then(|name| name.strip_suffix('"')).map(str::to_owned)
        };
        Ok(Self { nested, renamed })
    }
}

impl DocumentStructure {
    /// Returns the member that a key of the producer belongs to, with its index.
    fn member(&self, key: &str) -> Option<(usize, &DocumentMember)> {
        let member =
            |index: usize| self.members.get(index).expect("`by_key` contains indexes of the members");
        let found = self
            .by_key
            .binary_search_by(|index| member(*index).nested.physical_name.as_str().cmp(key))
            .ok()?;
        let index = *self.by_key.get(found)?;
        Some((index, member(index)))
    }
}

/// The state of a walk through a document that is known to be well-formed.
struct DocumentWalk<'w> {
    text: &'w str,
    is_plain: bool,
    path: Vec<PathStep<'w>>,
    /// Keys that are stored under another name, in the order of the text.
    renamed: Vec<(Range<usize>, &'w str)>,
    scratch: &'w mut DocumentScratch,
    report: &'w mut dyn FnMut(RuleViolation<'_>),
}

impl<'w> DocumentWalk<'w> {
    fn structure(&mut self, structure: &'w DocumentStructure, is_array: bool, range: Range<usize>) {
        if is_array {
            self.array(structure, range);
        } else {
            self.object(structure, range);
        }
    }

    fn object(&mut self, structure: &'w DocumentStructure, range: Range<usize>) {
        let required = &structure.rules.required_properties;
        let mut has_member = vec![false; structure.members.len()];
        let mut has_required = vec![false; required.len()];
        // The keys as they are stored.
        let mut keys: Vec<Cow<'w, str>> = Vec::new();
        let mut scanner = Scanner::within(self.text, range.clone(), self.is_plain);
        let scanned = scanner.object(|key_range, value_range| {
            let key = self.key(key_range.clone());
            for (has, required) in has_required.iter_mut().zip(required) {
                *has |= *required == key;
            }
            let Some((index, member)) = structure.member(&key) else {
                keys.push(key);
                return;
            };
            *has_member.get_mut(index).expect("there is a flag for each member") = true;
            if let Some(renamed) = &member.renamed {
                self.renamed.push((key_range, renamed));
            }
            keys.push(Cow::Borrowed(&member.nested.name));
            self.path.push(PathStep::Member(&member.nested.name));
            self.nested(&member.nested, value_range);
            self.path.pop();
        });
        scanned.expect(WELL_FORMED);
        for (member, _) in structure.members.iter().zip(has_member).filter(|(_, has_member)| !has_member) {
            if member.nested.is_required {
                self.path.push(PathStep::Member(&member.nested.name));
                self.report(Code::MissingRequired, &member.nested.rules, None, None);
                self.path.pop();
            }
        }
        for (key, _) in required.iter().zip(has_required).filter(|(_, has_required)| !has_required) {
            self.report(Code::MissingMember, &structure.rules, Some(key), None);
        }
        let written = keys.len();
        keys.sort_unstable();
        keys.dedup();
        let rules = &structure.rules;
        let mut codes = count_violations(
            keys.len(),
            rules.min_properties,
            rules.max_properties,
            [Code::TooFewMembers, Code::TooManyMembers],
        );
        codes.extend((keys.len() < written).then_some(Code::DuplicateMember));
        for code in codes {
            self.report(code, rules, None, Some(range.clone()));
        }
    }

    fn array(&mut self, structure: &'w DocumentStructure, range: Range<usize>) {
        let rules = &structure.rules;
        // The canonical texts of the items in sequence, and the end of each.
        let mut texts = String::new();
        let mut ends = Vec::new();
        let mut items = 0_usize;
        let mut scanner = Scanner::within(self.text, range.clone(), self.is_plain);
        let scanned = scanner.array(|value_range| {
            if rules.unique_items {
                let mut item = Scanner::within(self.text, value_range.clone(), self.is_plain);
                canonical(&mut item, &mut texts).expect(WELL_FORMED);
                ends.push(texts.len());
            }
            if let Some(item) = &structure.items {
                self.path.push(PathStep::Item(items));
                self.nested(item, value_range);
                self.path.pop();
            }
            items = items.saturating_add(1);
        });
        scanned.expect(WELL_FORMED);
        let mut codes = count_violations(
            items,
            rules.min_items,
            rules.max_items,
            [Code::TooFewItems, Code::TooManyItems],
        );
        codes.extend(has_equal_texts(&texts, &ends).then_some(Code::DuplicateItem));
        for code in codes {
            self.report(code, rules, None, Some(range.clone()));
        }
    }

    /// Checks the value of a member or an item.
    fn nested(&mut self, nested: &'w NestedCast, range: Range<usize>) {
        let literal = slice(self.text, range.clone());
        let first = *literal.as_bytes().first().expect("a JSON value is not empty");
        if first == b'n' {
            if nested.is_required {
                self.report(Code::MissingRequired, &nested.rules, None, None);
            }
            return;
        }
        if let Cast::Json(document) = &nested.cast
            && first == if document.is_array { b'[' } else { b'{' }
        {
            if let Some(structure) = &document.structure {
                self.structure(structure, document.is_array, range);
            }
            return;
        }
        let Self { path, scratch, report, .. } = self;
        scalar(&nested.cast, literal, first, scratch, &mut |code| {
            let NestedCast { rules, type_rule, .. } = nested;
            report(RuleViolation {
                code,
                nested: Some(NestedViolation { path, rules, type_rule, key: None, found: Some(literal) }),
                unfit: None,
            });
        });
    }

    fn key(&mut self, range: Range<usize>) -> Cow<'w, str> {
        let key = slice(self.text, range.clone());
        if self.is_plain || !key.contains('\\') {
            return Cow::Borrowed(key);
        }
        let quoted = slice(self.text, range.start.saturating_sub(1)..range.end.saturating_add(1));
        let key = unquote(quoted, &mut self.scratch.text).expect("the check rejects lone surrogates");
        Cow::Owned(key.to_owned())
    }

    /// Reports a violation at `path`. `range` is the value at that path, or `None` if there is none.
    fn report(&mut self, code: Code, rules: &Rules, key: Option<&str>, range: Option<Range<usize>>) {
        let found = range.map(|range| slice(self.text, range));
        (self.report)(RuleViolation {
            code,
            nested: Some(NestedViolation { path: &self.path, rules, type_rule: "", key, found }),
            unfit: None,
        });
    }
}

/// The walk reads documents that [`json::check`] accepted.
const WELL_FORMED: &str = "the document was checked";

/// Reports why `jsonb` does not accept a document.
#[cold]
fn report_fault(code: Code, text: &str, report: &mut dyn FnMut(RuleViolation<'_>)) {
    let repeated = if code == Code::DuplicateMember { json::repeated::key(text) } else { None };
    let rules = Rules::default();
    let nested = repeated.as_deref().map(|key| NestedViolation {
        path: &[],
        rules: &rules,
        type_rule: "",
        key: None,
        found: Some(key),
    });
    report(RuleViolation { code, nested, unfit: None });
}

/// Checks a value against a cast that does not nest, or whose type it does not have. `first` is the value's first byte.
fn scalar(
    cast: &Cast,
    literal: &str,
    first: u8,
    scratch: &mut DocumentScratch,
    report: &mut impl FnMut(Code),
) {
    let DocumentScratch { text, digits } = scratch;
    let string = if first == b'"' { unquote(literal, text) } else { None };
    let is_number = matches!(first, b'-' | b'0'..=b'9');
    let checked = match (cast, string) {
        (Cast::Text(cast), Some(text)) => {
            cast.cast(text, Traits::UNKNOWN, digits).map(|value| cast.check(value, report))
        }
        (Cast::Number(cast), text) if is_number || text.is_some() => {
            let text = text.unwrap_or(literal);
            cast.cast(text, Notation::CONTRACT, digits).and_then(|(number, value)| {
                cast.check(&number, report);
                value.map(drop)
            })
        }
        (Cast::Boolean(cast), None) if matches!(first, b't' | b'f') => {
            let is_allowed = cast.allowed.is_empty() || cast.allowed.contains(&(first == b't'));
            if is_allowed { Ok(()) } else { Err(Code::NotAllowed) }
        }
        (Cast::Date(cast), Some(text)) => cast.cast(text, false).map(|days| cast.check(days, report)),
        (Cast::Time(cast), Some(text)) => cast.cast(text).map(|micros| cast.check(micros, report)),
        (Cast::Timestamp(cast), Some(text)) => {
            cast.cast(text, false).map(|micros| cast.check(micros, report))
        }
        (
            Cast::Text(_)
            | Cast::Number(_)
            | Cast::Boolean(_)
            | Cast::Date(_)
            | Cast::Time(_)
            | Cast::Timestamp(_)
            | Cast::Json(_),
            _,
        ) => Err(Code::WrongType),
    };
    if let Err(code) = checked {
        report(code);
    }
}

/// Returns the codes of the limits that a number of items or members violates.
fn count_violations(count: usize, min: Option<u64>, max: Option<u64>, codes: [Code; 2]) -> Vec<Code> {
    let count = count as u64;
    let [too_few, too_many] = codes;
    let too_few = min.is_some_and(|min| count < min).then_some(too_few);
    let too_many = max.is_some_and(|max| count > max).then_some(too_many);
    too_few.into_iter().chain(too_many).collect()
}

/// Returns true if two of the texts are equal. `ends` contains the end of each one in `texts`.
fn has_equal_texts(texts: &str, ends: &[usize]) -> bool {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let mut items: Vec<&str> = starts.zip(ends).map(|(start, end)| slice(texts, start..*end)).collect();
    items.sort_unstable();
    items.iter().zip(items.iter().skip(1)).any(|(one, next)| one == next)
}

/// Writes a document with new keys in the given ranges.
fn rename(text: &str, renamed: &[(Range<usize>, &str)], out: &mut String) {
    out.clear();
    let mut from = 0;
    for (range, name) in renamed {
        out.push_str(slice(text, from..range.start));
        out.push_str(name);
        from = range.end;
    }
    out.push_str(slice(text, from..text.len()));
}
