//! Lower-case hexadecimal digits.

/// Returns bytes as a string of hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex_digits(bytes).map(char::from).collect()
}

/// Returns two hexadecimal digits per byte.
pub(crate) fn hex_digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| *DIGITS.get(usize::from(digit)).expect("a digit has four bits"))
}
