//! JSON objects and arrays for `jsonb`.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::outcome::Code;

/// Checks that `text` is an object or array that `jsonb` takes.
pub(crate) fn check(text: &str, is_array: bool) -> Result<(), Code> {
    let open = if is_array { b'[' } else { b'{' };
    if text.trim_ascii_start().as_bytes().first() != Some(&open) {
        return Err(Code::WrongType);
    }
    let mut has_nul = false;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Look { has_nul: &mut has_nul }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|_| Code::WrongType)?;
    if has_nul { Err(Code::NulCharacter) } else { Ok(()) }
}

/// Walks a document and looks into its strings: `jsonb` holds no `\u0000`, which is well-formed JSON.
struct Look<'a> {
    has_nul: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        *self.has_nul |= text.contains('\0');
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Look { has_nul: self.has_nul })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(Look { has_nul: self.has_nul })?.is_some() {
            entries.next_value_seed(Look { has_nul: self.has_nul })?;
        }
        Ok(())
    }
}

/// The text of a JSON string literal. `None`: a lone surrogate, which no text can hold.
pub(crate) fn unquote<'a>(literal: &'a str, scratch: &'a mut String) -> Option<&'a str> {
    let inside = &literal[1..literal.len() - 1];
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(inside);
    }
    let mut deserializer = serde_json::Deserializer::from_str(literal);
    Deserialize::deserialize_in_place(&mut deserializer, scratch).ok()?;
    Some(scratch)
}
