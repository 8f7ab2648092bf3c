//! The syntax of VAT identification numbers, as the European Commission's VAT Information Exchange System (VIES)
//! publishes it for each member state. Check digits are not verified, because not every state publishes how they are
//! computed.

/// The structures of each state's numbers. `9` is a digit, `A` a letter, `X` a digit or a letter except `I` and `O`,
/// and `?` a digit, a letter, `+` or `*`. Any other character is literal. Greece is `EL`, and Northern Ireland `XI`.
const STRUCTURES: [(&str, &[&str]); 28] = [
    ("AT", &["U99999999"]),
    ("BE", &["0999999999", "1999999999"]),
    ("BG", &["999999999", "9999999999"]),
    ("CY", &["99999999A"]),
    ("CZ", &["99999999", "999999999", "9999999999"]),
    ("DE", &["999999999"]),
    ("DK", &["99999999"]),
    ("EE", &["999999999"]),
    ("EL", &["999999999"]),
    ("ES", &["A99999999", "99999999A", "A9999999A"]),
    ("FI", &["99999999"]),
    ("FR", &["XX999999999"]),
    ("HR", &["99999999999"]),
    ("HU", &["99999999"]),
    ("IE", &["9?99999A", "9999999A", "9999999AA"]),
    ("IT", &["99999999999"]),
    ("LT", &["999999999", "999999999999"]),
    ("LU", &["99999999"]),
    ("LV", &["99999999999"]),
    ("MT", &["99999999"]),
    ("NL", &["?????????B??"]),
    ("PL", &["9999999999"]),
    ("PT", &["999999999"]),
    ("RO", &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"]),
    ("SE", &["999999999999"]),
    ("SI", &["99999999"]),
    ("SK", &["9999999999"]),
    ("XI", &["999999999", "999999999999", "GD999", "HA999"]),
];

/// Returns true for a number with the prefix of its state, without spaces, hyphens and dots.
pub(super) fn is_vat_eu(text: &str) -> bool {
    let Some((state, number)) = text.split_at_checked(2) else { return false };
    let structures = STRUCTURES.iter().find(|(known, _)| *known == state);
    structures.is_some_and(|(_, structures)| structures.iter().any(|structure| matches(number, structure)))
}

fn matches(number: &str, structure: &str) -> bool {
    let is_of = |(byte, kind): (u8, u8)| match kind {
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'X' => byte.is_ascii_digit() || byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'O'),
        b'?' => byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'*'),
        itself => byte == itself,
    };
    number.len() == structure.len() && number.bytes().zip(structure.bytes()).all(is_of)
}
