//! Objects and arrays, held against what the contract says of their insides.
//!
//! The text is walked, not parsed into values: numbers stay as they are written, what the contract does not name is
//! passed over, and what is stored is the producer's text with nothing but its keys renamed. A level of the contract
//! costs one more look at what is below it.

use std::borrow::Cow;
use std::ops::Range;

use penstock_contract::Rules;

use super::canonical::canonical;
use super::json::{self, Scanner, unquote};
use super::number::Notation;
use super::rule::{Broken, Inside, PathStep};
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
            .map(|(index, member)| (index, member.part.physical_name.as_str()))
            .collect();
        by_key.sort_unstable_by_key(|(_, key)| *key);
        if let Some((_, key)) =
            by_key.iter().zip(by_key.iter().skip(1)).find(|(a, b)| a.1 == b.1).map(|(a, _)| a)
        {
            return Err(format!("two of its members read the key `{key}`; one key is stored once"));
        }
        let by_key = by_key.into_iter().map(|(index, _)| index).collect();
        Ok(Self {
            is_array,
            structure: Some(Box::new(DocumentStructure { members, by_key, items, rules: rules.clone() })),
        })
    }

    /// True when any document is stored as it stands.
    pub(crate) fn is_free(&self) -> bool {
        self.structure.is_none()
    }

    /// True for an object where one is wanted, or an array. The text is one of both.
    #[inline]
    pub(crate) fn is_begun_by(&self, text: &str) -> bool {
        text.starts_with(if self.is_array { '[' } else { '{' })
    }

    /// True for a document that is stored as it stands, if any [is](Self::is_free). The text has no control character and
    /// no backslash.
    pub(crate) fn passes(&self, text: &str) -> bool {
        json::check(text, self.is_array, true).is_ok()
    }

    /// Checks a document and gives the text that is stored. `None` when it is no document that `jsonb` takes.
    ///
    /// `is_checked`: the text surely is one, of an object or an array.
    pub(crate) fn cast<'a>(
        &self,
        text: &'a str,
        traits: Traits,
        is_checked: bool,
        scratch: &mut DocumentScratch,
        changed: &'a mut String,
        tell: &mut dyn FnMut(Broken<'_>),
    ) -> Option<Text<'a>> {
        let checked = match is_checked {
            true if self.is_begun_by(text) => Ok(()),
            true => Err(Code::WrongType),
            false => json::check(text, self.is_array, traits.is_plain),
        };
        if let Err(code) = checked {
            refuse(code, text, tell);
            return None;
        }
        let Some(structure) = &self.structure else { return Some(Text { text, traits }) };
        let mut walk =
            Walk { text, is_plain: traits.is_plain, path: Vec::new(), renamed: Vec::new(), scratch, tell };
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
    fn new(part: NestedCast) -> Result<Self, String> {
        let renamed = if part.name == part.physical_name {
            None
        } else {
            let quoted = serde_json::to_string(&part.name).map_err(|error| error.to_string())?;
            quoted.strip_prefix('"').and_then(|name| name.strip_suffix('"')).map(str::to_owned)
        };
        Ok(Self { part, renamed })
    }
}

impl DocumentStructure {
    /// The member that a key of the producer means.
    fn member(&self, key: &str) -> Option<(usize, &DocumentMember)> {
        let key_of =
            |index: &usize| self.members.get(*index).map_or("", |member| member.part.physical_name.as_str());
        let found = self.by_key.binary_search_by(|index| key_of(index).cmp(key)).ok()?;
        let index = *self.by_key.get(found)?;
        self.members.get(index).map(|member| (index, member))
    }
}

/// On the way through a document that is known to be well-formed.
struct Walk<'w> {
    text: &'w str,
    is_plain: bool,
    path: Vec<PathStep<'w>>,
    /// Keys that are stored under another name, in the order of the text.
    renamed: Vec<(Range<usize>, &'w str)>,
    scratch: &'w mut DocumentScratch,
    tell: &'w mut dyn FnMut(Broken<'_>),
}

impl<'w> Walk<'w> {
    fn structure(&mut self, structure: &'w DocumentStructure, is_array: bool, place: Range<usize>) {
        if is_array {
            self.array(structure, place);
        } else {
            self.object(structure, place);
        }
    }

    fn object(&mut self, structure: &'w DocumentStructure, place: Range<usize>) {
        let required = &structure.rules.required_properties;
        let mut has_member = vec![false; structure.members.len()];
        let mut has_required = vec![false; required.len()];
        // As they are stored.
        let mut keys: Vec<Cow<'w, str>> = Vec::new();
        let mut scanner = Scanner::within(self.text, place.clone(), self.is_plain);
        let _ = scanner.object(|key_place, value_place| {
            let key = self.key(key_place.clone());
            for (has, required) in has_required.iter_mut().zip(required) {
                *has |= *required == key;
            }
            let Some((index, member)) = structure.member(&key) else {
                keys.push(key);
                return;
            };
            if let Some(has) = has_member.get_mut(index) {
                *has = true;
            }
            if let Some(renamed) = &member.renamed {
                self.renamed.push((key_place, renamed));
            }
            keys.push(Cow::Borrowed(&member.part.name));
            self.path.push(PathStep::Member(&member.part.name));
            self.part(&member.part, value_place);
            self.path.pop();
        });
        for (member, _) in structure.members.iter().zip(has_member).filter(|(_, has_member)| !has_member) {
            if member.part.is_required {
                self.path.push(PathStep::Member(&member.part.name));
                self.tell(Code::MissingRequired, &member.part.rules, None, None);
                self.path.pop();
            }
        }
        for (key, _) in required.iter().zip(has_required).filter(|(_, has_required)| !has_required) {
            self.tell(Code::MissingMember, &structure.rules, Some(key), None);
        }
        let written = keys.len();
        keys.sort_unstable();
        keys.dedup();
        let rules = &structure.rules;
        let mut broken = count(
            keys.len(),
            rules.min_properties,
            rules.max_properties,
            [Code::TooFewMembers, Code::TooManyMembers],
        );
        broken.extend((keys.len() < written).then_some(Code::DuplicateMember));
        for code in broken {
            self.tell(code, rules, None, Some(place.clone()));
        }
    }

    fn array(&mut self, structure: &'w DocumentStructure, place: Range<usize>) {
        let rules = &structure.rules;
        // The canonical texts of the items, one after the other, and where they end.
        let mut texts = String::new();
        let mut ends = Vec::new();
        let mut items = 0_usize;
        let mut scanner = Scanner::within(self.text, place.clone(), self.is_plain);
        let _ = scanner.array(|value_place| {
            if rules.unique_items {
                canonical(&mut Scanner::within(self.text, value_place.clone(), self.is_plain), &mut texts);
                ends.push(texts.len());
            }
            if let Some(item) = &structure.items {
                self.path.push(PathStep::Item(items));
                self.part(item, value_place);
                self.path.pop();
            }
            items = items.saturating_add(1);
        });
        let mut broken =
            count(items, rules.min_items, rules.max_items, [Code::TooFewItems, Code::TooManyItems]);
        broken.extend(has_twice(&texts, &ends).then_some(Code::DuplicateItem));
        for code in broken {
            self.tell(code, rules, None, Some(place.clone()));
        }
    }

    fn part(&mut self, part: &'w NestedCast, place: Range<usize>) {
        let literal = self.text.get(place.clone()).unwrap_or_default();
        let kind = literal.as_bytes().first().copied().unwrap_or(b'n');
        if kind == b'n' {
            if part.is_required {
                self.tell(Code::MissingRequired, &part.rules, None, None);
            }
            return;
        }
        if let Cast::Json(document) = &part.cast
            && kind == if document.is_array { b'[' } else { b'{' }
        {
            if let Some(structure) = &document.structure {
                self.structure(structure, document.is_array, place);
            }
            return;
        }
        let Self { path, scratch, tell, .. } = self;
        scalar(&part.cast, literal, kind, scratch, &mut |code| {
            let NestedCast { rules, type_rule, .. } = part;
            tell(Broken {
                code,
                inside: Some(Inside { path, rules, type_rule, key: None, found: Some(literal) }),
                unfit: None,
            });
        });
    }

    fn key(&mut self, place: Range<usize>) -> Cow<'w, str> {
        let text = self.text;
        let key = text.get(place.clone()).unwrap_or_default();
        if self.is_plain || !key.contains('\\') {
            return Cow::Borrowed(key);
        }
        let quoted = text.get(place.start.saturating_sub(1)..place.end.saturating_add(1)).unwrap_or_default();
        // Lone surrogates were refused before.
        unquote(quoted, &mut self.scratch.text).map_or(Cow::Borrowed(key), |key| Cow::Owned(key.to_owned()))
    }

    /// Tells a rule about what is at `path`. `place`: what stands there; `None` when nothing does.
    fn tell(&mut self, code: Code, rules: &Rules, key: Option<&str>, place: Option<Range<usize>>) {
        let found = place.and_then(|place| self.text.get(place));
        (self.tell)(Broken {
            code,
            inside: Some(Inside { path: &self.path, rules, type_rule: "", key, found }),
            unfit: None,
        });
    }
}

/// Reports why a text is not a document that `jsonb` accepts.
#[cold]
fn refuse(code: Code, text: &str, tell: &mut dyn FnMut(Broken<'_>)) {
    let repeated = if code == Code::DuplicateMember { json::repeated::key(text) } else { None };
    let rules = Rules::default();
    let inside = repeated.as_deref().map(|key| Inside {
        path: &[],
        rules: &rules,
        type_rule: "",
        key: None,
        found: Some(key),
    });
    tell(Broken { code, inside, unfit: None });
}

/// Checks a value that has no insides. `kind`: its first byte.
fn scalar(cast: &Cast, literal: &str, kind: u8, scratch: &mut DocumentScratch, tell: &mut impl FnMut(Code)) {
    let DocumentScratch { text, digits } = scratch;
    let string = if kind == b'"' { unquote(literal, text) } else { None };
    let is_number = matches!(kind, b'-' | b'0'..=b'9');
    let checked = match (cast, string) {
        (Cast::Text(cast), Some(text)) => {
            cast.cast(text, Traits::UNKNOWN, digits).map(|value| cast.check(value, tell))
        }
        (Cast::Number(cast), text) if is_number || text.is_some() => {
            let text = text.unwrap_or(literal);
            cast.cast(text, Notation::CONTRACT, digits).and_then(|(number, value)| {
                cast.check(&number, tell);
                value.map(drop)
            })
        }
        (Cast::Boolean(cast), None) if matches!(kind, b't' | b'f') => {
            let is_allowed = cast.allowed.is_empty() || cast.allowed.contains(&(kind == b't'));
            if is_allowed { Ok(()) } else { Err(Code::NotAllowed) }
        }
        (Cast::Date(cast), Some(text)) => cast.cast(text, false).map(|days| cast.check(days, tell)),
        (Cast::Time(cast), Some(text)) => cast.cast(text).map(|micros| cast.check(micros, tell)),
        (Cast::Timestamp(cast), Some(text)) => cast.cast(text, false).map(|micros| cast.check(micros, tell)),
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
        tell(code);
    }
}

/// What a number of items or members breaks: a rule for the fewest, a rule for the most.
fn count(count: usize, min: Option<u64>, max: Option<u64>, codes: [Code; 2]) -> Vec<Code> {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let [too_few, too_many] = codes;
    let too_few = min.is_some_and(|min| count < min).then_some(too_few);
    let too_many = max.is_some_and(|max| count > max).then_some(too_many);
    too_few.into_iter().chain(too_many).collect()
}

/// True when two of the texts are equal. `ends`: where each one ends.
fn has_twice(texts: &str, ends: &[usize]) -> bool {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let mut items: Vec<&str> =
        starts.zip(ends).map(|(start, end)| texts.get(start..*end).unwrap_or_default()).collect();
    items.sort_unstable();
    items.iter().zip(items.iter().skip(1)).any(|(one, next)| one == next)
}

/// Writes a document with other texts in some places.
fn rename(text: &str, renamed: &[(Range<usize>, &str)], out: &mut String) {
    out.clear();
    let mut from = 0;
    for (place, name) in renamed {
        out.push_str(text.get(from..place.start).unwrap_or_default());
        out.push_str(name);
        from = place.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
}
