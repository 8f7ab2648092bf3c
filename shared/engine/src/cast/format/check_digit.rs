//! Identifiers with check digits.

/// Returns true for a GTIN (GS1 General Specifications, section 7.9) with one of the given numbers of digits.
pub(super) fn is_gtin(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && has_gs1_check_digit(text.as_bytes())
}

/// Returns true for an ISBN (ISO 2108): ten digits, of which the last may be `X`, or thirteen digits that begin with
/// 978 or 979, but not with 9790, which is for printed music. Either hyphens or spaces may separate the parts.
pub(super) fn is_isbn(text: &str) -> bool {
    const MAX_SEPARATORS: usize = 4;
    let separator = if text.contains('-') { '-' } else { ' ' };
    let has_parts = text.split(separator).all(|part| !part.is_empty());
    let digits: Vec<u8> = text.bytes().filter(|byte| char::from(*byte) != separator).collect();
    let separators = text.len().saturating_sub(digits.len());
    match digits.len() {
        10 => has_parts && separators < MAX_SEPARATORS && has_modulus_11_check_digit(&digits),
        13 => {
            let is_book =
                digits.starts_with(b"978") || digits.starts_with(b"979") && !digits.starts_with(b"9790");
            has_parts && separators <= MAX_SEPARATORS && is_book && has_gs1_check_digit(&digits)
        }
        _ => false,
    }
}

/// Returns true for an ISSN (ISO 3297): eight digits, of which the last may be `X`, with or without a hyphen after the
/// fourth.
pub(super) fn is_issn(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes {
        [one, two, three, four, b'-', rest @ ..] if rest.len() == 4 => {
            let digits: Vec<u8> = [*one, *two, *three, *four].iter().chain(rest).copied().collect();
            has_modulus_11_check_digit(&digits)
        }
        _ => bytes.len() == 8 && has_modulus_11_check_digit(bytes),
    }
}

/// Returns true for a number with a Luhn check digit (ISO/IEC 7812-1, annex B): two or more digits. If every second
/// digit from the right is doubled, the sum of all digits is a multiple of 10.
pub(super) fn is_luhn(text: &str) -> bool {
    let digits = text.bytes().rev().zip([1_u8, 2].into_iter().cycle());
    let sum = digits.map(|(byte, factor)| {
        let product = digit(byte)?.checked_mul(factor)?;
        // The sum of the digits of a number from 10 to 18.
        Some(u32::from(if product > 9 { product.checked_sub(9)? } else { product }))
    });
    text.len() >= 2 && is_multiple_of(sum.sum(), 10)
}

/// Returns true for an LEI (ISO 17442): eighteen letters and digits, and two check digits of ISO/IEC 7064, MOD 97-10.
pub(super) fn is_lei(text: &str) -> bool {
    const LENGTH: usize = 20;
    let is_body = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let has_digits = text.bytes().rev().take(2).all(|byte| byte.is_ascii_digit());
    text.len() == LENGTH && has_digits && text.bytes().all(is_body) && modulo_97(text.bytes()) == Some(1)
}

/// Returns true if the sum of the digits, weighted by 1 and 3 from the right, is a multiple of 10.
fn has_gs1_check_digit(digits: &[u8]) -> bool {
    weighted(digits.iter().rev().zip([1, 3].into_iter().cycle()), 10)
}

/// Returns true if the sum of the digits, weighted by 1, 2, 3, … from the right, is a multiple of 11. The last digit
/// may be `X`, which is 10.
fn has_modulus_11_check_digit(digits: &[u8]) -> bool {
    let Some((last, rest)) = digits.split_last() else { return false };
    if *last != b'X' {
        return weighted(digits.iter().rev().zip(1..), 11);
    }
    let sum =
        rest.iter().rev().zip(2_u32..).map(|(byte, weight)| u32::from(digit(*byte)?).checked_mul(weight));
    is_multiple_of(sum.chain([Some(10)]).sum(), 11)
}

fn weighted<'d>(digits: impl Iterator<Item = (&'d u8, u32)>, modulus: u32) -> bool {
    is_multiple_of(digits.map(|(byte, weight)| u32::from(digit(*byte)?).checked_mul(weight)).sum(), modulus)
}

/// Returns true for a sum that is a multiple of `modulus`. The sum is `None` if a character was not a digit.
fn is_multiple_of(sum: Option<u32>, modulus: u32) -> bool {
    sum.is_some_and(|sum| sum.is_multiple_of(modulus))
}

fn digit(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|digit| *digit <= 9)
}

/// Returns the remainder modulo 97 of a number whose letters mean 10 to 35.
fn modulo_97(bytes: impl Iterator<Item = u8>) -> Option<u32> {
    let mut rest = 0_u32;
    for byte in bytes {
        let value = char::from(byte).to_digit(36)?;
        let shifted = rest.checked_mul(if value > 9 { 100 } else { 10 })?;
        rest = shifted.checked_add(value)?.checked_rem(97)?;
    }
    Some(rest)
}
