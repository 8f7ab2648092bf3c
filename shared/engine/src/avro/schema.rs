//! The schema of a file, parsed from JSON into a table of types with resolved names.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/>. Only the writer's schema is used. Columns are bound to the
//! fields of the record by name, so aliases, defaults and the order of fields have no effect.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// Largest number of types, far above that of real files. Each type occupies memory, and decoding a row may visit each
/// one without reading a byte.
const MAX_NODES: usize = 20_000;
/// Deepest nesting of types. `serde_json` refuses JSON that is nested more than 128 levels deep, and each type is at
/// least one level.
const MAX_DEPTH: usize = 128;

/// The index of a type in its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeId(usize);

/// The unit of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AvroTimeUnit {
    Millis,
    Micros,
    Nanos,
}

/// A type with its encoding and meaning.
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
    /// A big-endian two's-complement number.
    Decimal {
        /// The number of bytes; `None` if a length precedes each value.
        size: Option<usize>,
        precision: u32,
        scale: u32,
    },
    /// A byte string that contains the number, as a byte string, and its scale.
    BigDecimal,
    /// Days since 1970-01-01.
    Date,
    /// Milliseconds since midnight in an `int`.
    TimeMillis,
    /// Microseconds since midnight in a `long`.
    TimeMicros,
    Timestamp {
        unit: AvroTimeUnit,
        is_utc: bool,
    },
    /// A UUID of 16 bytes; a UUID in text form is [`Type::Text`].
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

/// The schema of a file, whose top-level type is a record.
#[derive(Debug)]
pub(super) struct Schema {
    types: Vec<Type>,
    pub(super) fields: Vec<AvroField>,
}

impl Schema {
    /// Parses a schema.
    ///
    /// # Errors
    /// Returns the reason as a predicate of "the schema".
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| format!("is not valid JSON: {error}"))?;
        let mut parser = SchemaParser { types: Vec::new(), names: HashMap::new() };
        let top = parser.parse(&json, "", 0)?;
        match parser.types.get(top.0) {
            Some(Type::Record(fields)) => {
                let fields = fields.clone();
                Ok(Self { types: parser.types, fields })
            }
            Some(_) | None => {
                Err("is not a record: the top-level type must be a record, whose fields are the columns"
                    .to_owned())
            }
        }
    }

    pub(super) fn get(&self, id: TypeId) -> &Type {
        self.types.get(id.0).expect("an id is only made for a type of the schema")
    }

    /// Returns the number of types.
    pub(super) fn len(&self) -> usize {
        self.types.len()
    }
}

struct SchemaParser {
    types: Vec<Type>,
    names: HashMap<String, TypeId>,
}

impl SchemaParser {
    fn parse(&mut self, json: &Json, namespace: &str, depth: usize) -> Result<TypeId, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nests more than {MAX_DEPTH} types"));
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
            Json::Null | Json::Bool(_) | Json::Number(_) => {
                Err(format!("has `{json}` where a type is expected"))
            }
        }
    }

    fn add(&mut self, kind: Type) -> Result<TypeId, String> {
        if self.types.len() >= MAX_NODES {
            return Err(format!("has more than {MAX_NODES} types"));
        }
        self.types.push(kind);
        Ok(TypeId(self.types.len().saturating_sub(1)))
    }

    /// Returns a primitive type, or a named type that was defined before.
    fn named(&mut self, name: &str, namespace: &str) -> Result<TypeId, String> {
        if let Some(kind) = primitive(name) {
            return self.add(kind);
        }
        let full = full_name(name, namespace);
        let known = self.names.get(&full).or_else(|| self.names.get(name));
        known.copied().ok_or_else(|| format!("does not define the type `{}`", shortened(name)))
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
        // The type is defined before its fields are parsed, because they may refer to it.
        let (id, namespace) = self.define(object, namespace)?;
        let mut parsed = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Json::as_str).ok_or("has a field without `name`")?;
            let kind = field
                .get("type")
                .ok_or_else(|| format!("has the field `{}` without `type`", shortened(name)))?;
            let kind = self.parse(kind, &namespace, depth)?;
            parsed.push(AvroField { name: name.to_owned(), kind });
        }
        Ok(self.set(id, Type::Record(parsed)))
    }

    /// Defines a named type, which [`Self::set`] completes. Also returns the namespace for the types inside it.
    fn define(&mut self, object: &Map<String, Json>, namespace: &str) -> Result<(TypeId, String), String> {
        let name = object.get("name").and_then(Json::as_str).ok_or("has a named type without `name`")?;
        let own = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
        let full = full_name(name, own);
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let id = self.add(Type::Null)?;
        if self.names.insert(full, id).is_some() {
            return Err(format!("defines the type `{}` twice", shortened(name)));
        }
        Ok((id, namespace))
    }

    fn set(&mut self, id: TypeId, kind: Type) -> TypeId {
        *self.types.get_mut(id.0).expect("an id is only made for a type of the schema") = kind;
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

/// Returns the meaning of a primitive type. Unknown logical types, and logical types on the wrong primitive type, are
/// ignored, as the specification requires.
fn logical_type(plain: Type, logical: &str, object: &Map<String, Json>) -> Type {
    let timestamp = |unit, is_utc| Type::Timestamp { unit, is_utc };
    match (&plain, logical) {
        (Type::Int, "date") => Type::Date,
        (Type::Int, "time-millis") => Type::TimeMillis,
        (Type::Long, "time-micros") => Type::TimeMicros,
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

/// Returns a name, shortened for a message.
fn shortened(name: &str) -> String {
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
    fn logical_types_on_other_primitive_types_are_ignored() {
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
    fn names_resolve_in_their_namespaces_and_recursively() {
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
    fn incomplete_schemas_are_refused_with_a_reason() {
        let deep = format!("{}\"int\"{}", "[".repeat(200), "]".repeat(200));
        for (json, expected) in [
            ("{", "is not valid JSON"),
            ("7", "has `7` where a type is expected"),
            ("\"int\"", "is not a record"),
            (r#"["null"]"#, "is not a record"),
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
            (&deep, "is not valid JSON: recursion limit"),
        ] {
            let error = Schema::parse(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
