//! PostgreSQL's COPY text format: one row a line, tabs between the fields, `\N` for null.
//! Source: PostgreSQL documentation, COPY, "Text Format".

/// Appends one field, escaped.
pub(crate) fn push_field(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| escape_of(*byte).is_some()) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        if let [byte, tail @ ..] = special {
            out.push(b'\\');
            out.push(escape_of(*byte).unwrap_or(*byte));
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
}

/// Appends a null.
pub(crate) fn push_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\N");
}

fn escape_of(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        0x08 => Some(b'b'),
        0x0c => Some(b'f'),
        0x0b => Some(b'v'),
        _ => None,
    }
}

/// Takes a field's escapes out. `None` for a null. Borrows where there is none.
pub(crate) fn unescape(field: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if field == b"\\N" {
        return None;
    }
    if memchr::memchr(b'\\', field).is_none() {
        return Some(field.into());
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        plain.push(match bytes.next() {
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'v') => 0x0b,
            Some(&other) => other,
            None => b'\\',
        });
    }
    Some(plain.into())
}
