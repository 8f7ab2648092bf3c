//! CloudFormation YAML as plain JSON. Short-form intrinsic functions (`!Ref x`) become their long form (`{"Ref": "x"}`).

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;

/// Parses YAML into JSON with long-form intrinsics.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str::<YamlNode>(text).map(|node| node.0).map_err(|error| error.to_string())
}

struct YamlNode(Value);

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::<Untagged>::deserialize(deserializer)?;
        match tag {
            Some(tag) if tag.starts_with('!') => {
                long_form(&tag[1..], value).map(YamlNode).map_err(D::Error::custom)
            }
            // A standard tag such as `!!str` has already determined the type of the value.
            Some(_) | None => Ok(YamlNode(value)),
        }
    }
}

fn long_form(name: &str, value: Value) -> Result<Value, String> {
    let (key, value) = match (name, value) {
        ("Ref" | "Condition", value) => (name.to_owned(), value),
        // `!GetAtt Queue.Arn`: the attribute may contain dots, the resource's name may not.
        ("GetAtt", Value::String(path)) => match path.split_once('.') {
            Some((resource, attribute)) => ("Fn::GetAtt".to_owned(), json!([resource, attribute])),
            None => return Err(format!("!GetAtt {path}: the attribute is missing")),
        },
        (name, value) => (format!("Fn::{name}"), value),
    };
    Ok(Value::Object(Map::from_iter([(key, value)])))
}

struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntaggedVisitor).map(Untagged)
    }
}

struct UntaggedVisitor;

impl<'de> Visitor<'de> for UntaggedVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a template's value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(YamlNode(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, YamlNode(value))) = entries.next_entry::<String, YamlNode>()? {
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_short_forms_become_long_forms() {
        let text =
            "a: !If [Big, !Sub 'x-${y}', !Ref AWS::NoValue]\nb: !GetAtt Queue.Arn\nc: [1, true, ~, '2']\n";
        let expected = json!({
            "a": {"Fn::If": ["Big", {"Fn::Sub": "x-${y}"}, {"Ref": "AWS::NoValue"}]},
            "b": {"Fn::GetAtt": ["Queue", "Arn"]},
            "c": [1, true, null, "2"],
        });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn an_error_names_the_line() {
        assert!(parse("a:\n  - b\n c: d\n").unwrap_err().contains("line 3"));
    }
}
