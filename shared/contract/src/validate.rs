//! Validates a document against the standard: it reports every key and value that the JSON schema rejects, and nothing
//! else. The readers report what Penstock needs beyond the standard.

mod checks;
mod relations;

use std::collections::HashSet;

use crate::custom;
use crate::decimal::Decimal;
use crate::error::{Errors, nearest, one_of, quoted};
use crate::logical_name::LogicalName;
use crate::node::{NodeValue, ScalarKind};
use crate::node_ref::NodeRef;
use crate::odcs;
use crate::shape::{AdditionalKeys, MappingShape, ValueKind};
use checks::CheckTypes;

/// Reports everything in the document that its version of the standard does not allow.
pub(crate) fn document(root: &NodeRef<'_>, is_v3_0: bool, errors: &mut Errors) {
    Validator { is_v3_0, errors }.map(&root.clone().strict(), &odcs::CONTRACT);
}

struct Validator<'e> {
    is_v3_0: bool,
    errors: &'e mut Errors,
}

impl Validator<'_> {
    fn value(&mut self, at: &NodeRef<'_>, kind: ValueKind) {
        match kind {
            ValueKind::Any => {}
            ValueKind::Str => _ = at.str(self.errors),
            ValueKind::Bool => _ = at.bool(self.errors),
            ValueKind::Number => _ = at.number(self.errors),
            ValueKind::Int => _ = at.whole(self.errors),
            ValueKind::Count => self.count(at),
            ValueKind::Positive => self.positive(at),
            ValueKind::Range => self.range(at),
            ValueKind::Scalar => {
                if !matches!(at.node.value, NodeValue::Scalar(..)) {
                    at.wrong_kind("a string, number or boolean", self.errors);
                }
            }
            ValueKind::Word(words) => {
                if let Ok(text) = at.str(self.errors)
                    && !words.words.contains(&text)
                {
                    at.report(self.errors, words.fault(text));
                }
            }
            ValueKind::Id => self.id(at),
            ValueKind::Names => self.names(at),
            ValueKind::Object => {
                if !matches!(at.node.value, NodeValue::Map(_)) {
                    at.wrong_kind("a mapping", self.errors);
                }
            }
            ValueKind::StrOrObject => {
                if !matches!(at.node.value, NodeValue::Map(_)) {
                    _ = at.str(self.errors);
                }
            }
            ValueKind::Bound(kind) => self.bound(at, *kind),
            ValueKind::List(kind) => self.list(at, *kind),
            ValueKind::Map(shape) => self.map(at, shape),
            ValueKind::Property(shape) => self.property(at, shape),
            ValueKind::MapOrList(map, item) => match &at.node.value {
                NodeValue::List(_) => self.list(at, ValueKind::Map(item)),
                NodeValue::Map(_) | NodeValue::Scalar(..) => self.map(at, map),
            },
            ValueKind::Custom(level) => {
                self.list(at, ValueKind::Map(&odcs::CUSTOM_PROPERTY));
                custom::check_names(at, level, self.errors);
            }
            ValueKind::Servers => {
                at.items(self.errors).into_iter().flatten().for_each(|server| self.server(&server));
            }
            ValueKind::Check => self.check(at),
            ValueKind::Reference => relations::reference(at, self.errors),
            ValueKind::ObjectRelationship => self.object_relationship(at),
            ValueKind::PropertyRelationship => self.property_relationship(at),
        }
    }

    fn count(&mut self, at: &NodeRef<'_>) {
        if let Ok(number) = at.whole(self.errors)
            && number.parts().0
        {
            at.report(
                self.errors,
                format!("{} is not a whole number of at least 0", quoted(&number.to_string())),
            );
        }
    }

    fn positive(&mut self, at: &NodeRef<'_>) {
        if let Ok(text) = at.number(self.errors)
            && !Decimal::parse(text).is_some_and(|number| number.is_positive())
        {
            at.report(self.errors, format!("{} must be greater than 0", quoted(text)));
        }
    }

    fn list(&mut self, at: &NodeRef<'_>, kind: ValueKind) {
        for item in at.items(self.errors).into_iter().flatten() {
            self.value(&item, kind);
        }
    }

    /// Validates the keys and values of a mapping.
    fn map(&mut self, at: &NodeRef<'_>, shape: &'static MappingShape) {
        self.required(at, shape.required);
        if !self.is_v3_0 {
            self.required(at, shape.required_since_v3_1);
        }
        let names = || shape.keys().map(|(name, _)| *name).collect();
        self.keys(at, |key| shape.kind(key), names, shape.open);
    }

    fn required(&mut self, at: &NodeRef<'_>, keys: &[&str]) {
        if !matches!(at.node.value, NodeValue::Map(_)) {
            return;
        }
        for key in keys {
            if at.get(key).is_none() {
                at.missing(key, self.errors);
            }
        }
    }

    /// Validates the keys of a mapping. `kind` returns the kind of a key's value, and `names` returns all keys.
    fn keys(
        &mut self,
        at: &NodeRef<'_>,
        kind: impl Fn(&str) -> Option<ValueKind>,
        names: impl Fn() -> Vec<&'static str>,
        open: AdditionalKeys,
    ) {
        let NodeValue::Map(_) = at.node.value else {
            at.wrong_kind("a mapping", self.errors);
            return;
        };
        for (key, position, value) in at.entries() {
            match (kind(key), open) {
                (Some(kind), _) => self.value(&value, kind),
                (None, AdditionalKeys::Always) => {}
                (None, AdditionalKeys::InV3_0) if self.is_v3_0 => {
                    // The standard allows it, but a misspelled key would have no effect.
                    if let Some(near) = nearest(key, names()) {
                        value.needs(self.errors, format!("`{key}` has no effect; did you mean `{near}`?"));
                    }
                }
                (None, AdditionalKeys::InV3_0 | AdditionalKeys::Never) => {
                    let message =
                        if self.errors.is_full() { String::new() } else { unknown_key(key, &names()) };
                    self.errors.report(position, &value.path, message);
                }
            }
        }
    }

    /// Validates a property. Its options and members depend on its `logicalType`.
    fn property(&mut self, at: &NodeRef<'_>, shape: &'static MappingShape) {
        self.map(at, shape);
        let logical = at.get("logicalType");
        let name = match &logical {
            None => None,
            Some(logical) => match LogicalName::read(logical, self.errors) {
                Ok(name) => Some(name),
                Err(_) => return,
            },
        };
        if let Some(options) = at.get("logicalTypeOptions")
            && matches!(options.node.value, NodeValue::Map(_))
        {
            match name {
                Some(name) => {
                    if let Some(shape) = odcs::options(name) {
                        self.map(&options, shape);
                    }
                }
                // Under the schema, such options would have to be valid for every type, and no options are.
                None if options.entries().next().is_some() => {
                    options.report(
                        self.errors,
                        "the standard allows options only together with a `logicalType`; add it",
                    );
                }
                None => {}
            }
        }
        let Some(name) = name else { return };
        for (key, wanted) in [("properties", LogicalName::Object), ("items", LogicalName::Array)] {
            let Some(members) = at.get(key).filter(|_| name != wanted) else { continue };
            let message = match name {
                LogicalName::Object => odcs::ITEMS_OF_ARRAY.to_owned(),
                LogicalName::Array => odcs::ARRAY_HAS_ITEMS.to_owned(),
                LogicalName::String
                | LogicalName::Integer
                | LogicalName::Number
                | LogicalName::Boolean
                | LogicalName::Date
                | LogicalName::Timestamp
                | LogicalName::Time => odcs::members_of(wanted.as_str()),
            };
            members.report(self.errors, message);
        }
    }

    fn server(&mut self, at: &NodeRef<'_>) {
        let name = at.get("type").and_then(|kind| kind.str(&mut Errors::default()).ok());
        let own = odcs::server(name);
        self.required(at, odcs::SERVER.required);
        self.required(at, own.required);
        let own_names = || own.required.iter().chain(own.optional).copied();
        let kind = |key: &str| {
            odcs::SERVER.kind(key).or_else(|| {
                own_names().any(|name| name == key).then_some(if key == "port" {
                    ValueKind::Int
                } else {
                    ValueKind::Str
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

    /// Validates a quality check. v3.0 allows any key, and names the metric by a `rule`, which the reader checks.
    fn check(&mut self, at: &NodeRef<'_>) {
        if self.is_v3_0 || !matches!(at.node.value, NodeValue::Map(_)) {
            return self.map(at, &odcs::QUALITY);
        }
        let types = CheckTypes::of(at);
        let misplaced = || at.entries().filter(|(key, ..)| !types.has(key));
        let is_untyped = at.get("type").is_none() && !types.is_library;
        let needs_metric = |key: &str| odcs::OPERATORS.contains(&key) || key == "arguments";
        if is_untyped && at.get("rule").is_none() && misplaced().any(|(key, ..)| needs_metric(key)) {
            // All of these keys are valid together with a metric.
            at.missing("metric", self.errors);
            return self.keys(at, |key| odcs::QUALITY.kind(key), checks::names, AdditionalKeys::Never);
        }
        let required: Vec<&str> = types.required().collect();
        self.required(at, &required);
        for (key, _, value) in misplaced() {
            let message = match key {
                "rule" if is_untyped => {
                    let rule = value.str(self.errors).ok();
                    odcs::rule_fault(rule.and_then(odcs::metric_of_rule))
                }
                _ if is_untyped && at.get("rule").is_some() => continue,
                "validValues" => odcs::VALUES_WITH_METRIC.to_owned(),
                key if odcs::QUALITY.kind(key).is_some() => {
                    format!("`{key}` is not a key of a check of this type")
                }
                // `keys` reports unknown keys.
                _ => continue,
            };
            value.report(self.errors, message);
        }
        self.keys(
            at,
            |key| odcs::QUALITY.kind(key).map(|kind| if types.has(key) { kind } else { ValueKind::Any }),
            checks::names,
            AdditionalKeys::Never,
        );
        if types.has_operator() {
            checks::operator(at, self.errors);
        }
    }

    fn object_relationship(&mut self, at: &NodeRef<'_>) {
        self.map(at, &odcs::RELATIONSHIP);
        self.required(at, &["from", "to"]);
        if let (Some(from), Some(to)) = (at.get("from"), at.get("to"))
            && matches!(from.node.value, NodeValue::List(_)) != matches!(to.node.value, NodeValue::List(_))
        {
            to.report(self.errors, "`from` and `to` must both be one property, or both be lists");
        }
    }

    fn property_relationship(&mut self, at: &NodeRef<'_>) {
        self.map(at, &odcs::RELATIONSHIP);
        self.required(at, &["to"]);
        if let Some(from) = at.get("from") {
            from.report(self.errors, "is the property itself here; remove it");
        }
    }

    fn id(&mut self, at: &NodeRef<'_>) {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if let Ok(text) = at.str(self.errors)
            && (text.is_empty() || !text.bytes().all(is_allowed))
        {
            let message =
                format!("{} is not an identifier; write letters, digits, `_` and `-`", quoted(text));
            at.report(self.errors, message);
        }
    }

    fn names(&mut self, at: &NodeRef<'_>) {
        let Ok(items) = at.items(self.errors) else { return };
        if items.is_empty() {
            at.report(self.errors, "is empty; list a key, or remove it");
        }
        let mut distinct: HashSet<&str> = HashSet::new();
        for item in items {
            if let Ok(name) = item.str(self.errors)
                && !distinct.insert(name)
            {
                item.report(self.errors, format!("{} is listed twice", quoted(name)));
            }
        }
    }

    fn bound(&mut self, at: &NodeRef<'_>, kind: ValueKind) {
        let is_boolean = matches!(at.node.value, NodeValue::Scalar(ScalarKind::Bool, _));
        if is_boolean && !self.is_v3_0 {
            at.report(self.errors, odcs::BOUND_OF_V3_1);
        } else if !is_boolean {
            self.value(at, kind);
        }
    }

    fn range(&mut self, at: &NodeRef<'_>) {
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
        ("enum", _) => format!("{what}; {}", odcs::ENUM_FIX),
        ("<<", _) => format!("{what}; YAML 1.2 has no merge keys: write the values out"),
        (_, Some(name)) => format!("{what}; did you mean `{name}`?"),
        _ if key.starts_with(custom::PREFIX) => {
            format!("{what}; write it under `customProperties`, as `- property: {key}` with its `value`")
        }
        _ if names.len() <= FEW => format!("{what}; {}", one_of(names)),
        _ => format!("{what}; keys outside the standard belong in `customProperties`"),
    }
}
