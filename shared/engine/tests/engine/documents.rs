//! Documents with declared members and items, compared with an oracle that works on values instead of text.

use penstock_contract::*;
use proptest::prelude::*;

use crate::nested::read_documents;
use crate::support::column;

/// A JSON value. Numbers are in tenths.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    Tenths(i64),
    Text(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Boolean),
        4 => prop_oneof![(-9..9_i64).prop_map(|whole| whole * 10), -90..90_i64].prop_map(Value::Tenths),
        3 => "[a-cé\"\\\\\n]{0,4}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let key = prop::sample::select(vec!["a", "b", "c", "d", "é\""]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..4).prop_map(Value::Object),
        ]
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let limit = || prop::option::weighted(0.3, 0..4_u64);
    let tenths = || prop::option::weighted(0.3, (-60..60_i64, any::<bool>()));
    (limit(), limit(), tenths(), tenths(), any::<bool>(), prop::option::weighted(0.2, "[a-d]")).prop_map(
        |(min, max, minimum, maximum, is_unique, key)| {
            let bound = |(value, exclusive): (i64, bool)| Bound { value: decimal(value), exclusive };
            Rules {
                min_length: min,
                max_length: max,
                min_items: min,
                max_items: max,
                min_properties: min,
                max_properties: max,
                minimum: minimum.map(bound),
                maximum: maximum.map(bound),
                unique_items: is_unique,
                required_properties: key.into_iter().collect(),
                ..Rules::default()
            }
        },
    )
}

/// Generates declarations that the values above sometimes satisfy.
fn declaration() -> impl Strategy<Value = Nested> {
    let leaf = prop_oneof![
        Just(LogicalType::String),
        Just(LogicalType::Integer),
        Just(LogicalType::Number),
        Just(LogicalType::Boolean),
        Just(LogicalType::Object { properties: vec![] }),
        Just(LogicalType::Array { items: None }),
    ];
    let nested = |logical: BoxedStrategy<LogicalType>| {
        (logical, prop::bool::weighted(0.2), rules()).prop_map(|(logical_type, required, rules)| Nested {
            name: String::new(),
            physical_name: String::new(),
            logical_type,
            required,
            rules,
        })
    };
    nested(leaf.boxed()).prop_recursive(3, 8, 3, move |inner| {
        let member = (prop::sample::select(vec!["a", "b", "c", "é\""]), inner.clone());
        let renamed = ["A\"", "d", "c"];
        let object = prop::collection::vec(member, 1..4).prop_map(move |members| {
            let mut properties: Vec<Nested> = Vec::new();
            for (index, (key, mut member)) in members.into_iter().enumerate() {
                key.clone_into(&mut member.physical_name);
                member.name = if index == 0 { renamed[key.len() % 3].to_owned() } else { key.to_owned() };
                let is_new =
                    |other: &Nested| other.name != member.name && other.physical_name != member.physical_name;
                if properties.iter().all(is_new) {
                    properties.push(member);
                }
            }
            LogicalType::Object { properties }
        });
        let array = inner.prop_map(|item| LogicalType::Array { items: Some(Box::new(item)) });
        nested(prop_oneof![object, array].boxed())
    })
}

fn decimal(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
}

/// Writes a value as JSON. The notation depends on `style`.
fn json(value: &Value, style: usize) -> String {
    let text = |text: &str| match style % 2 {
        0 => serde_json::to_string(text).unwrap(),
        _ => format!(
            "\"{}\"",
            text.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect::<String>()
        ),
    };
    let space = if style.is_multiple_of(3) { " " } else { "" };
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Tenths(tenths) if tenths % 10 == 0 && style % 5 < 2 => (tenths / 10).to_string(),
        Value::Tenths(tenths) if style % 5 == 2 => format!("{tenths}e-1"),
        Value::Tenths(tenths) => decimal(*tenths),
        Value::Text(value) => text(value),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| json(item, style / 2 + 1)).collect();
            format!("[{space}{}]", items.join(&format!("{space},")))
        }
        Value::Object(members) => {
            let members: Vec<String> = (members.iter())
                .map(|(key, value)| format!("{}{space}:{}", text(key), json(value, style / 2)))
                .collect();
            format!("{{{}{space}}}", members.join(&format!(",{space}")))
        }
    }
}

/// Compares two JSON values. The last value of a duplicate key counts.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let last = |members: &[(String, Value)], key: &str| {
                members.iter().rev().find(|(name, _)| name == key).cloned()
            };
            one.iter().chain(other).all(|(key, _)| match (last(one, key), last(other, key)) {
                (Some((_, one)), Some((_, other))) => is_equal(&one, &other),
                _ => false,
            })
        }
        (one, other) => one == other,
    }
}

fn tenths_of(bound: &Bound) -> i64 {
    bound.value.replace('.', "").parse().unwrap()
}

/// Returns the value that is stored, or `None` if the contract rejects it.
fn oracle(member: &Nested, value: &Value) -> Option<Value> {
    let rules = &member.rules;
    let is_within = |count: usize, min: Option<u64>, max: Option<u64>| {
        min.is_none_or(|min| count as u64 >= min) && max.is_none_or(|max| count as u64 <= max)
    };
    match (&member.logical_type, value) {
        (_, Value::Null) => Some(Value::Null).filter(|_| !member.required),
        (LogicalType::String, Value::Text(text)) => Some(value.clone())
            .filter(|_| is_within(text.chars().count(), rules.min_length, rules.max_length)),
        (LogicalType::Boolean, Value::Boolean(_)) => Some(value.clone()),
        (LogicalType::Integer | LogicalType::Number, Value::Tenths(tenths)) => {
            let is_whole = member.logical_type == LogicalType::Number || tenths % 10 == 0;
            let satisfies = |bound: &Option<Bound>, sign: i64| {
                bound.as_ref().is_none_or(|bound| {
                    let distance = (tenths - tenths_of(bound)) * sign;
                    distance > 0 || distance == 0 && !bound.exclusive
                })
            };
            Some(value.clone())
                .filter(|_| is_whole && satisfies(&rules.minimum, 1) && satisfies(&rules.maximum, -1))
        }
        (LogicalType::Array { items }, Value::Array(values)) => {
            let is_unique = |(index, value): (usize, &Value)| {
                values.iter().skip(index + 1).all(|other| !is_equal(value, other))
            };
            if !is_within(values.len(), rules.min_items, rules.max_items)
                || rules.unique_items && !values.iter().enumerate().all(is_unique)
            {
                return None;
            }
            let stored = values.iter().map(|value| match items {
                Some(item) => oracle(item, value),
                None => Some(value.clone()),
            });
            stored.collect::<Option<Vec<_>>>().map(Value::Array)
        }
        (LogicalType::Object { properties }, Value::Object(members)) => {
            object_oracle(properties, rules, members)
        }
        _ => None,
    }
}

/// Returns whether an object has a duplicate key, at any depth.
fn has_repeated_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_repeated_key),
        Value::Object(members) => {
            let is_known = |index: usize, key: &str| members[..index].iter().any(|(other, _)| other == key);
            members
                .iter()
                .enumerate()
                .any(|(index, (key, value))| is_known(index, key) || has_repeated_key(value))
        }
        Value::Null | Value::Boolean(_) | Value::Tenths(_) | Value::Text(_) => false,
    }
}

fn object_oracle(properties: &[Nested], rules: &Rules, members: &[(String, Value)]) -> Option<Value> {
    let has_rules = !properties.is_empty()
        || rules.min_properties.is_some()
        || rules.max_properties.is_some()
        || !rules.required_properties.is_empty()
        || rules.unique_items
        || rules.min_items.is_some()
        || rules.max_items.is_some();
    let has = |key: &str| members.iter().any(|(name, _)| name == key);
    let lacks = |member: &Nested| member.required && !has(&member.physical_name);
    if !rules.required_properties.iter().all(|key| has(key)) || properties.iter().any(lacks) {
        return None;
    }
    let mut stored: Vec<(String, Value)> = Vec::new();
    for (key, value) in members {
        let member = properties.iter().find(|member| member.physical_name == *key);
        let (key, value) = match member {
            Some(member) => (member.name.clone(), oracle(member, value)?),
            None => (key.clone(), value.clone()),
        };
        if has_rules && stored.iter().any(|(other, _)| *other == key) {
            return None;
        }
        stored.push((key, value));
    }
    let count = stored.len() as u64;
    let is_within = rules.min_properties.is_none_or(|min| count >= min)
        && rules.max_properties.is_none_or(|max| count <= max);
    is_within.then_some(Value::Object(stored))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the numbers have at most two digits before the point and one after it"
)]
fn tenths_of_number(number: &serde_json::Number) -> i64 {
    (number.as_f64().unwrap() * 10.0).round() as i64
}

fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Boolean(*value),
        serde_json::Value::Number(number) => Value::Tenths(tenths_of_number(number)),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        serde_json::Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), from_json(value))).collect())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_document_is_accepted_exactly_when_the_oracle_accepts_it(
        member in declaration(),
        values in prop::collection::vec((value(), 0..30_usize), 1..30),
    ) {
        let is_array = matches!(member.logical_type, LogicalType::Array { .. });
        prop_assume!(is_array || matches!(member.logical_type, LogicalType::Object { .. }));
        let mut column = column("a", member.logical_type.clone(), SqlType::Jsonb);
        column.rules = member.rules.clone();
        let member = Nested { required: true, ..member };
        // Only arrays and objects are documents, so other values are wrapped.
        let values: Vec<_> = values.into_iter().map(|(value, style)| {
            let wrapped = if matches!(value, Value::Array(_) | Value::Object(_)) {
                value
            } else if is_array {
                Value::Array(vec![value])
            } else {
                Value::Object(vec![("a".to_owned(), value)])
            };
            (json(&wrapped, style), wrapped)
        }).collect();
        let documents: Vec<&str> = values.iter().map(|(document, _)| document.as_str()).collect();
        let outcome = read_documents(column, &documents);
        let mut rows = outcome.rows().into_iter();
        for (index, (document, value)) in values.iter().enumerate() {
            let is_rejected = outcome.rejects.iter().any(|reject| reject.row == index as u64 + 1);
            let expected = oracle(&member, value).filter(|_| !has_repeated_key(value));
            prop_assert_eq!(!is_rejected, expected.is_some(), "{} {:?}", document, member);
            if let Some(expected) = expected {
                let stored = rows.next().unwrap()[0].clone().unwrap();
                let stored = from_json(&serde_json::from_str(&stored).unwrap());
                prop_assert!(is_equal(&stored, &expected), "{:?} {:?}", stored, expected);
            }
        }
    }

    #[test]
    fn no_text_causes_a_panic(
        member in declaration(),
        pieces in prop::collection::vec(
            prop::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u0062\"", "1", "-0.5e9", "null", " ", "\"", "\\", "é", "true"]),
            0..20,
        ),
    ) {
        prop_assume!(matches!(member.logical_type, LogicalType::Array { .. } | LogicalType::Object { .. }));
        let mut column = column("a", member.logical_type.clone(), SqlType::Jsonb);
        column.rules = member.rules;
        let text = pieces.concat();
        for text in [text.clone(), format!("{{\"a\":[{text}]}}"), format!("[{{\"b\":{text}}}]")] {
            let outcome = read_documents(column.clone(), &[&text]);
            prop_assert_eq!(outcome.totals.rows_read, 1);
        }
    }
}
