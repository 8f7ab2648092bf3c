//! The schema of a file: its JSON into a table of types, names resolved.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/>. Only the writer's schema counts: what a column reads is found
//! by the names of the record's fields, so that aliases, defaults and the order of fields say nothing.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// More types than any feed has; each costs memory, and a row may visit each without a byte being read.
const MAX_NODES: usize = 20_000;
/// `serde_json` refuses JSON that is nested deeper than 128, and a type is one level of it at least.
const MAX_DEPTH: usize = 128;

/// Place of a type in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeId(usize);

/// How finely a time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AvroTimeUnit {
    Millis,
    Micros,
    Nanos,
}

/// One type, as its data is written and meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    /// Two's complement, most significant byte first; of so many bytes, or of as many as a length says.
    Decimal {
        size: Option<usize>,
        precision: u32,
        scale: u32,
    },
    /// Bytes that hold the number as bytes, and its scale.
    BigDecimal,
    /// Days.
    Date,
    /// Milliseconds of the day in an `int`, microseconds in a `long`.
    Time(AvroTimeUnit),
    Timestamp {
        unit: AvroTimeUnit,
        is_utc: bool,
    },
    /// A UUID in 16 bytes; one in text is [`Type::Text`].
    Uuid,
    /// Months, days and milliseconds in 12 bytes.
    Duration,
    Enum(Vec<String>),
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    Record(Vec<AvroField>),
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AvroField {
    pub(super) name: String,
    pub(super) kind: TypeId,
}

/// The types of a file; its rows are records of `fields`.
#[derive(Debug)]
pub(super) struct Schema {
    types: Vec<Type>,
    pub(super) fields: Vec<AvroField>,
}

impl Schema {
    /// Reads a schema whose top level is a record.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow "the schema".
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
        let mut parser = Parser { types: Vec::new(), names: HashMap::new() };
        let top = parser.parse(&json, "", 0)?;
        match parser.types.get(top.0) {
            Some(Type::Record(fields)) => {
                let fields = fields.clone();
                Ok(Self { types: parser.types, fields })
            }
            Some(_) | None => {
                Err("is none of a record: each row must be a record, whose fields are the columns".to_owned())
            }
        }
    }

    pub(super) fn get(&self, id: TypeId) -> &Type {
        self.types.get(id.0).unwrap_or(&Type::Null)
    }

    /// How many types there are.
    pub(super) fn len(&self) -> usize {
        self.types.len()
    }
}

struct Parser {
    types: Vec<Type>,
    names: HashMap<String, TypeId>,
}

impl Parser {
    fn parse(&mut self, json: &Json, namespace: &str, depth: usize) -> Result<TypeId, String> {
        if depth > MAX_DEPTH {
            return Err(format!("is nested deeper than {MAX_DEPTH} types"));
        }
        let depth = depth.saturating_add(1);
        match json {
            Json::String(name) => self.named(name, namespace),
            Json::Array(branches) => {
                let branches = branches.iter().map(|branch| self.parse(branch, namespace, depth));
                let branches = branches.collect::<Result<Vec<_>, _>>()?;
                self.add(Type::Union(branches))
            }
            Json::Object(object) => self.object(object, namespace, depth),
            Json::Null | Json::Bool(_) | Json::Number(_) => Err(format!("has `{json}` where a type must be")),
        }
    }

    fn add(&mut self, kind: Type) -> Result<TypeId, String> {
        if self.types.len() >= MAX_NODES {
            return Err(format!("has more than {MAX_NODES} types"));
        }
        self.types.push(kind);
        Ok(TypeId(self.types.len().saturating_sub(1)))
    }

    /// A primitive type, or one that was defined before.
    fn named(&mut self, name: &str, namespace: &str) -> Result<TypeId, String> {
        if let Some(kind) = primitive(name) {
            return self.add(kind);
        }
        let full = full_name(name, namespace);
        let known = self.names.get(&full).or_else(|| self.names.get(name));
        known.copied().ok_or_else(|| format!("does not define the type `{}`", cut(name)))
    }

    fn object(
        &mut self,
        object: &Map<String, Json>,
        namespace: &str,
        depth: usize,
    ) -> Result<TypeId, String> {
        let kind = match object.get("type") {
            Some(Json::String(kind)) => kind.as_str(),
            Some(nested @ (Json::Object(_) | Json::Array(_))) => return self.parse(nested, namespace, depth),
            Some(Json::Null | Json::Bool(_) | Json::Number(_)) | None => {
                return Err("has a type without `type`".to_owned());
            }
        };
        let logical = object.get("logicalType").and_then(Json::as_str).unwrap_or_default();
        match kind {
            "array" | "map" => {
                let key = if kind == "array" { "items" } else { "values" };
                let inner = object.get(key).ok_or_else(|| format!("has `{kind}` without `{key}`"))?;
                let inner = self.parse(inner, namespace, depth)?;
                self.add(if kind == "array" { Type::Array(inner) } else { Type::Map(inner) })
            }
            "record" | "error" => self.record(object, namespace, depth),
            "enum" => {
                let symbols = object.get("symbols").and_then(Json::as_array);
                let texts = symbols.and_then(|symbols| {
                    symbols
                        .iter()
                        .map(|symbol| symbol.as_str().map(str::to_owned))
                        .collect::<Option<Vec<_>>>()
                });
                let texts = texts.ok_or("has an `enum` without `symbols`")?;
                let (id, _) = self.define(object, namespace)?;
                Ok(self.set(id, Type::Enum(texts)))
            }
            "fixed" => {
                let size =
                    object.get("size").and_then(Json::as_u64).and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or("has a `fixed` without `size`")?;
                let (id, _) = self.define(object, namespace)?;
                Ok(self.set(id, fixed(size, logical, object)))
            }
            _ => match primitive(kind) {
                Some(plain) => self.add(logical_type(plain, logical, object)),
                None => self.named(kind, namespace),
            },
        }
    }

    fn record(
        &mut self,
        object: &Map<String, Json>,
        namespace: &str,
        depth: usize,
    ) -> Result<TypeId, String> {
        let fields =
            object.get("fields").and_then(Json::as_array).ok_or("has a `record` without `fields`")?;
        // Defined before its fields are read: they may refer to it.
        let (id, namespace) = self.define(object, namespace)?;
        let mut read = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Json::as_str).ok_or("has a field without `name`")?;
            let kind =
                field.get("type").ok_or_else(|| format!("has the field `{}` without `type`", cut(name)))?;
            let kind = self.parse(kind, &namespace, depth)?;
            read.push(AvroField { name: name.to_owned(), kind });
        }
        Ok(self.set(id, Type::Record(read)))
    }

    /// Enters the name of a type that is read afterwards. Gives the namespace of what it holds, too.
    fn define(&mut self, object: &Map<String, Json>, namespace: &str) -> Result<(TypeId, String), String> {
        let name = object.get("name").and_then(Json::as_str).ok_or("has a named type without `name`")?;
        let own = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
        let full = full_name(name, own);
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let id = self.add(Type::Null)?;
        if self.names.insert(full, id).is_some() {
            return Err(format!("defines the type `{}` twice", cut(name)));
        }
        Ok((id, namespace))
    }

    fn set(&mut self, id: TypeId, kind: Type) -> TypeId {
        if let Some(place) = self.types.get_mut(id.0) {
            *place = kind;
        }
        id
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn primitive(name: &str) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int,
        "long" => Type::Long,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::Text,
        _ => return None,
    })
}

/// What a primitive type means. Logical types that are unknown, or stand on another type than theirs, mean nothing:
/// so says the specification.
fn logical_type(plain: Type, logical: &str, object: &Map<String, Json>) -> Type {
    let timestamp = |unit, is_utc| Type::Timestamp { unit, is_utc };
    match (&plain, logical) {
        (Type::Int, "date") => Type::Date,
        (Type::Int, "time-millis") => Type::Time(AvroTimeUnit::Millis),
        (Type::Long, "time-micros") => Type::Time(AvroTimeUnit::Micros),
        (Type::Long, "timestamp-millis") => timestamp(AvroTimeUnit::Millis, true),
        (Type::Long, "timestamp-micros") => timestamp(AvroTimeUnit::Micros, true),
        (Type::Long, "timestamp-nanos") => timestamp(AvroTimeUnit::Nanos, true),
        (Type::Long, "local-timestamp-millis") => timestamp(AvroTimeUnit::Millis, false),
        (Type::Long, "local-timestamp-micros") => timestamp(AvroTimeUnit::Micros, false),
        (Type::Long, "local-timestamp-nanos") => timestamp(AvroTimeUnit::Nanos, false),
        (Type::Bytes, "decimal") => decimal(object, None).unwrap_or(plain),
        (Type::Bytes, "big-decimal") => Type::BigDecimal,
        _ => plain,
    }
}

fn fixed(size: usize, logical: &str, object: &Map<String, Json>) -> Type {
    match (logical, size) {
        ("decimal", _) => decimal(object, Some(size)).unwrap_or(Type::Fixed(size)),
        ("uuid", 16) => Type::Uuid,
        ("duration", 12) => Type::Duration,
        _ => Type::Fixed(size),
    }
}

fn decimal(object: &Map<String, Json>, size: Option<usize>) -> Option<Type> {
    let number =
        |key: &str| object.get(key).map(|value| value.as_u64().and_then(|value| u32::try_from(value).ok()));
    let precision = number("precision")??;
    let scale = number("scale").unwrap_or(Some(0))?;
    (precision > 0 && scale <= precision).then_some(Type::Decimal { size, precision, scale })
}

/// A name as a message shows it.
fn cut(name: &str) -> String {
    const MAX_CHARS: usize = 60;
    name.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(json: &str) -> Type {
        let schema = format!(r#"{{"type":"record","name":"r","fields":[{{"name":"f","type":{json}}}]}}"#);
        let schema = Schema::parse(&schema).unwrap_or_else(|error| panic!("{json}: {error}"));
        schema.get(schema.fields.first().unwrap().kind).clone()
    }

    #[test]
    fn logical_types_count_on_their_own_types_only() {
        let decimal = |size| Type::Decimal { size, precision: 9, scale: 2 };
        let instant = |unit| Type::Timestamp { unit, is_utc: true };
        for (json, kind) in [
            (r#""int""#, Type::Int),
            (r#"{"type":"int","logicalType":"date"}"#, Type::Date),
            (r#"{"type":"long","logicalType":"date"}"#, Type::Long),
            (r#"{"type":"long","logicalType":"timestamp-millis"}"#, instant(AvroTimeUnit::Millis)),
            (r#"{"type":"int","logicalType":"timestamp-millis"}"#, Type::Int),
            (r#"{"type":{"type":"long","logicalType":"timestamp-nanos"}}"#, instant(AvroTimeUnit::Nanos)),
            (r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, decimal(None)),
            (r#"{"type":"bytes","logicalType":"decimal","precision":1,"scale":2}"#, Type::Bytes),
            (r#"{"type":"bytes","logicalType":"decimal"}"#, Type::Bytes),
            (
                r#"{"type":"fixed","name":"d","size":5,"logicalType":"decimal","precision":9,"scale":2}"#,
                decimal(Some(5)),
            ),
            (r#"{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}"#, Type::Uuid),
            (r#"{"type":"fixed","name":"u","size":15,"logicalType":"uuid"}"#, Type::Fixed(15)),
            (r#"{"type":"string","logicalType":"uuid"}"#, Type::Text),
            (r#"{"type":"long","logicalType":"of-tomorrow"}"#, Type::Long),
        ] {
            assert_eq!(kind_of(json), kind, "{json}");
        }
    }

    #[test]
    fn names_are_found_in_their_namespaces_and_in_themselves() {
        let schema = Schema::parse(
            r#"{"type":"record","name":"a.b.Row","fields":[
                {"name":"own","type":["null","Row"]},
                {"name":"full","type":["null","a.b.Row"]},
                {"name":"e","type":{"type":"enum","name":"E","namespace":"x","symbols":["P"]}},
                {"name":"again","type":"x.E"}]}"#,
        )
        .unwrap();
        let kinds: Vec<&Type> = schema.fields.iter().map(|field| schema.get(field.kind)).collect();
        let [Type::Union(own), Type::Union(full), Type::Enum(one), Type::Enum(other)] = kinds[..] else {
            panic!("{kinds:?}");
        };
        assert_eq!((own.get(1), one), (full.get(1), other));
    }

    #[test]
    fn schemas_that_say_too_little_are_refused_in_words() {
        let deep = format!("{}\"int\"{}", "[".repeat(200), "]".repeat(200));
        for (json, told) in [
            ("{", "is no JSON"),
            ("7", "has `7` where a type must be"),
            ("\"int\"", "is none of a record"),
            (r#"["null"]"#, "is none of a record"),
            (r#"{"name":"r"}"#, "without `type`"),
            (r#"{"type":"record","name":"r"}"#, "without `fields`"),
            (r#"{"type":"record","fields":[]}"#, "without `name`"),
            (r#"{"type":"record","name":"r","fields":[{"type":"int"}]}"#, "a field without `name`"),
            (r#"{"type":"record","name":"r","fields":[{"name":"f"}]}"#, "`f` without `type`"),
            (
                r#"{"type":"record","name":"r","fields":[{"name":"f","type":"nope"}]}"#,
                "does not define the type `nope`",
            ),
            (
                r#"{"type":"record","name":"r","fields":[{"name":"f","type":{"type":"fixed","name":"r","size":1}}]}"#,
                "defines the type `r` twice",
            ),
            (&deep, "is no JSON: recursion limit"),
        ] {
            let error = Schema::parse(json).unwrap_err();
            assert!(error.contains(told), "{json}: {error}");
        }
    }
}
