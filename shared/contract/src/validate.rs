//! Checks a document against the standard: every key and value that its JSON schema refuses is reported as invalid, and
//! nothing else is. What Penstock needs beyond that is found by the readers.

mod checks;
mod relations;

use std::collections::HashSet;

use crate::at::At;
use crate::custom;
use crate::decimal::Decimal;
use crate::error::{Errors, nearest, one_of, quoted};
use crate::node::{ScalarKind, Value};
use crate::odcs;
use crate::shape::{Kind, Open, Shape};

/// Reports everything in the document that its version of the standard does not allow.
pub(crate) fn document(root: &At<'_>, is_v3_0: bool, errors: &mut Errors) {
    Validator { is_v3_0, errors }.map(&root.clone().strict(), &odcs::CONTRACT);
}

struct Validator<'e> {
    is_v3_0: bool,
    errors: &'e mut Errors,
}

impl Validator<'_> {
    fn value(&mut self, at: &At<'_>, kind: Kind) {
        match kind {
            Kind::Any => {}
            Kind::Str => _ = at.str(self.errors),
            Kind::Bool => _ = at.bool(self.errors),
            Kind::Number => _ = at.number(self.errors),
            Kind::Int => _ = at.whole(self.errors),
            Kind::Count => {
                if let Ok(number) = at.whole(self.errors)
                    && number.parts().0
                {
                    at.report(
                        self.errors,
                        format!("{} is not a whole number of at least 0", quoted(&number.to_string())),
                    );
                }
            }
            Kind::Positive => {
                if let Ok(text) = at.number(self.errors)
                    && !Decimal::parse(text).is_some_and(|number| number.is_positive())
                {
                    at.report(self.errors, format!("{} must be above 0", quoted(text)));
                }
            }
            Kind::Range => self.range(at),
            Kind::Scalar => {
                if !matches!(at.node.value, Value::Scalar(..)) {
                    at.wrong_kind("a string, number or boolean", self.errors);
                }
            }
            Kind::Word(words) => {
                if let Ok(text) = at.str(self.errors)
                    && !words.words.contains(&text)
                {
                    at.report(self.errors, words.fault(text));
                }
            }
            Kind::Id => self.id(at),
            Kind::Names => self.names(at),
            Kind::Object => {
                if !matches!(at.node.value, Value::Map(_)) {
                    at.wrong_kind("a mapping", self.errors);
                }
            }
            Kind::StrOrObject => {
                if !matches!(at.node.value, Value::Map(_)) {
                    _ = at.str(self.errors);
                }
            }
            Kind::Bound(kind) => self.bound(at, *kind),
            Kind::List(kind) => self.list(at, *kind),
            Kind::Map(shape) => self.map(at, shape),
            Kind::Property(shape) => self.property(at, shape),
            Kind::MapOrList(map, item) => match &at.node.value {
                Value::List(_) => self.list(at, Kind::Map(item)),
                Value::Map(_) | Value::Scalar(..) => self.map(at, map),
            },
            Kind::Custom(level) => {
                self.list(at, Kind::Map(&odcs::CUSTOM_PROPERTY));
                custom::check_names(at, level, self.errors);
            }
            Kind::Servers => {
                at.items(self.errors).unwrap_or_default().iter().for_each(|server| self.server(server));
            }
            Kind::Check => self.check(at),
            Kind::Reference => self.reference(at),
            Kind::ObjectRelationship => self.object_relationship(at),
            Kind::PropertyRelationship => self.property_relationship(at),
        }
    }

    fn list(&mut self, at: &At<'_>, kind: Kind) {
        for item in at.items(self.errors).unwrap_or_default() {
            self.value(&item, kind);
        }
    }

    /// Checks the keys of a mapping, and the values that they have.
    fn map(&mut self, at: &At<'_>, shape: &'static Shape) {
        self.required(at, shape.required);
        if !self.is_v3_0 {
            self.required(at, shape.required_since_v3_1);
        }
        let names = || shape.keys().map(|(name, _)| *name).collect();
        self.keys(at, |key| shape.kind(key), names, shape.open);
    }

    fn required(&mut self, at: &At<'_>, keys: &[&str]) {
        if !matches!(at.node.value, Value::Map(_)) {
            return;
        }
        for key in keys {
            if at.get(key).is_none() {
                at.missing(key, self.errors);
            }
        }
    }

    /// Checks the keys of a mapping of which `kind` knows what their values may be, and `names` the names.
    fn keys(
        &mut self,
        at: &At<'_>,
        kind: impl Fn(&str) -> Option<Kind>,
        names: impl Fn() -> Vec<&'static str>,
        open: Open,
    ) {
        let Value::Map(_) = at.node.value else {
            at.wrong_kind("a mapping", self.errors);
            return;
        };
        for (key, place, value) in at.entries() {
            match (kind(key), open) {
                (Some(kind), _) => self.value(&value, kind),
                (None, Open::Always) => {}
                (None, Open::InV3_0) if self.is_v3_0 => {
                    // A misspelled key would have no effect, although the standard allows it.
                    if let Some(near) = nearest(key, names()) {
                        value.needs(self.errors, format!("`{key}` has no effect; did you mean `{near}`?"));
                    }
                }
                (None, Open::InV3_0 | Open::Never) => {
                    let message =
                        if self.errors.is_full() { String::new() } else { unknown_key(key, &names()) };
                    self.errors.report(place, &value.path, message);
                }
            }
        }
    }

    /// A property: what its options and members are depends on its `logicalType`.
    fn property(&mut self, at: &At<'_>, shape: &'static Shape) {
        self.map(at, shape);
        let logical = at.get("logicalType");
        let name = match &logical {
            None => None,
            Some(logical) => {
                match logical.str(self.errors).map(|text| (text, odcs::logical_type_fault(text))) {
                    Ok((text, None)) => Some(text),
                    Ok((_, Some(fault))) => {
                        logical.report(self.errors, fault);
                        return;
                    }
                    Err(_) => return,
                }
            }
        };
        if let Some(options) = at.get("logicalTypeOptions")
            && matches!(options.node.value, Value::Map(_))
        {
            match name {
                Some(name) => {
                    if let Some(shape) = odcs::options(name) {
                        self.map(&options, shape);
                    }
                }
                // By the schema, such options are those of every type at once, so that there are none.
                None if options.entries().next().is_some() => {
                    options.report(
                        self.errors,
                        "the standard allows options beside a `logicalType` only; add that",
                    );
                }
                None => {}
            }
        }
        let Some(name) = name else { return };
        for (key, wanted) in [("properties", "object"), ("items", "array")] {
            let Some(members) = at.get(key).filter(|_| name != wanted) else { continue };
            let message = match name {
                "object" => odcs::ITEMS_OF_ARRAY.to_owned(),
                "array" => odcs::ARRAY_HAS_ITEMS.to_owned(),
                _ => odcs::members_of(wanted),
            };
            members.report(self.errors, message);
        }
    }

    fn server(&mut self, at: &At<'_>) {
        let name = at.get("type").and_then(|kind| kind.str(&mut Errors::default()).ok());
        let own = odcs::server(name);
        self.required(at, odcs::SERVER.required);
        self.required(at, own.required);
        let own_names = || own.required.iter().chain(own.optional).copied();
        let kind = |key: &str| {
            odcs::SERVER.kind(key).or_else(|| {
                own_names().any(|name| name == key).then_some(if key == "port" {
                    Kind::Int
                } else {
                    Kind::Str
                })
            })
        };
        let names = || odcs::SERVER.keys().map(|(name, _)| *name).chain(own_names()).collect();
        self.keys(at, kind, names, odcs::SERVER.open);
        if name == Some("sftp")
            && let Some(location) = at.get("location")
            && location.str(&mut Errors::default()).is_ok_and(|text| !text.starts_with("sftp://"))
        {
            location.report(self.errors, "must begin with `sftp://`");
        }
    }

    fn id(&mut self, at: &At<'_>) {
        let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if let Ok(text) = at.str(self.errors)
            && (text.is_empty() || !text.bytes().all(is_kept))
        {
            let message =
                format!("{} is not an identifier; write letters, digits, `_` and `-`", quoted(text));
            at.report(self.errors, message);
        }
    }

    fn names(&mut self, at: &At<'_>) {
        let Ok(items) = at.items(self.errors) else { return };
        if items.is_empty() {
            at.report(self.errors, "is empty; name a key, or leave it out");
        }
        let mut seen: HashSet<&str> = HashSet::new();
        for item in items {
            if let Ok(name) = item.str(self.errors)
                && !seen.insert(name)
            {
                item.report(self.errors, format!("{} is listed twice", quoted(name)));
            }
        }
    }

    fn bound(&mut self, at: &At<'_>, kind: Kind) {
        let is_boolean = matches!(at.node.value, Value::Scalar(ScalarKind::Bool, _));
        if is_boolean && !self.is_v3_0 {
            at.report(self.errors, odcs::BOUND_OF_V3_1);
        } else if !is_boolean {
            self.value(at, kind);
        }
    }

    fn range(&mut self, at: &At<'_>) {
        let Ok(items) = at.items(self.errors) else { return };
        let numbers: Vec<Option<Decimal>> =
            items.iter().map(|item| item.number(self.errors).ok().and_then(Decimal::parse)).collect();
        if numbers.len() != 2 {
            at.report(self.errors, odcs::range_fault(numbers.len()));
        } else if let [Some(low), Some(high)] = numbers.as_slice()
            && low == high
        {
            at.report(self.errors, odcs::RANGE_ORDER);
        }
    }
}

fn unknown_key(key: &str, names: &[&str]) -> String {
    const FEW: usize = 10;
    let what = format!("`{key}` is not a key of ODCS v3.1 here");
    match (key, nearest(key, names.iter().copied())) {
        ("enum", _) => format!("{what}; {}", odcs::ENUM_MEND),
        ("<<", _) => format!("{what}; YAML 1.2 has no merge keys: write the values out"),
        (_, Some(name)) => format!("{what}; did you mean `{name}`?"),
        _ if key.starts_with(custom::PREFIX) => {
            format!("{what}; write it under `customProperties`, as `- property: {key}` with its `value`")
        }
        _ if names.len() <= FEW => format!("{what}; {}", one_of(names)),
        _ => format!("{what}; what is not in the standard goes into `customProperties`"),
    }
}
