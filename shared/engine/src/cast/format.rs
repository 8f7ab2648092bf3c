//! The `format` of strings. The time of each check is linear in the length of the text.

mod check_digit;
mod currency;
mod vat;

use std::net::{Ipv4Addr, Ipv6Addr};

use penstock_contract::StringFormat;

/// Returns true if the text has the format.
pub(crate) fn is_of(format: StringFormat, text: &str) -> bool {
    match format {
        StringFormat::Password | StringFormat::Binary => true,
        StringFormat::Byte => is_base64(text.as_bytes()),
        StringFormat::Email => is_email(text),
        StringFormat::Uuid => is_uuid(text),
        StringFormat::Uri => is_uri(text),
        StringFormat::Hostname => is_hostname(text),
        StringFormat::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
        StringFormat::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
        StringFormat::Gtin => check_digit::is_gtin(text, &[8, 12, 13, 14]),
        StringFormat::Ean => check_digit::is_gtin(text, &[8, 13]),
        StringFormat::Isbn => check_digit::is_isbn(text),
        StringFormat::Issn => check_digit::is_issn(text),
        StringFormat::Iban => is_iban(text),
        StringFormat::Luhn => check_digit::is_luhn(text),
        StringFormat::Lei => check_digit::is_lei(text),
        StringFormat::VatEu => vat::is_vat_eu(text),
        StringFormat::CountryCode => is_country_code(text),
        StringFormat::CurrencyCode => currency::is_currency_code(text),
        StringFormat::LanguageTag => oxilangtag::LanguageTag::parse(text).is_ok(),
    }
}

/// Returns true for Base64 with padding (RFC 4648, section 4). The unused bits of the last digit must be 0, as section
/// 3.5 requires of encoders.
fn is_base64(text: &[u8]) -> bool {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let last = digits.last().copied().unwrap_or(b'A');
    let is_whole = match text.len().abs_diff(digits.len()) {
        0 => true,
        1 => b"AEIMQUYcgkosw048".contains(&last),
        _ => b"AQgw".contains(&last),
    };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len().is_multiple_of(4) && is_whole && digits.iter().all(is_digit)
}

/// Returns true for a mailbox, an `@` and a hostname. The mailbox must not contain white space, control characters or
/// `@`.
fn is_email(text: &str) -> bool {
    let is_mailbox = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '@';
    text.rsplit_once('@').is_some_and(|(mailbox, host)| {
        !mailbox.is_empty() && mailbox.chars().all(is_mailbox) && is_hostname(host)
    })
}

/// Returns true for an IBAN (ISO 13616) that has its country's structure in SWIFT's registry, without spaces or in
/// groups of four. The check digits must be 02 to 98.
fn is_iban(text: &str) -> bool {
    let is_written = !text.bytes().any(|byte| byte.is_ascii_lowercase()) && text.get(2..4) != Some("99");
    is_written && text.parse::<iban::Iban>().is_ok()
}

/// Returns true for a code of two or three letters that ISO 3166-1 assigns to a country. Codes for private use are not
/// assigned.
fn is_country_code(text: &str) -> bool {
    use iso3166_static::{Alpha2, Alpha3, Numeric};
    let of_two = || text.parse::<Alpha2>().ok().and_then(|code| Numeric::try_from(code).ok());
    let of_three = || text.parse::<Alpha3>().ok().and_then(|code| Numeric::try_from(code).ok());
    of_two().or_else(of_three).is_some()
}

/// Returns true for a UUID with hyphens (RFC 9562, section 4).
fn is_uuid(text: &str) -> bool {
    let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hex)
}

/// Returns true for a hostname (RFC 1123, section 2.1): labels of 1 to 63 letters, digits and hyphens, without a hyphen
/// at either end, and at most 253 characters in total. The last label must not consist of digits only, because such a
/// name looks like an IPv4 address.
fn is_hostname(text: &str) -> bool {
    const MAX_LENGTH: usize = 253;
    const MAX_LABEL_LENGTH: usize = 63;
    let is_label = |label: &str| {
        (1..=MAX_LABEL_LENGTH).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_LENGTH
        && text.split('.').all(is_label)
        && !text.rsplit('.').next().is_some_and(is_number)
}

/// Returns true for a `URI` of RFC 3986, appendix A: with a scheme, and with or without a fragment.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_query = |part: &str| is_made_of(part, |byte| is_pchar(byte) || matches!(byte, b'/' | b'?'));
    let (authority, path) = match hierarchy.strip_prefix("//") {
        // The path after an authority is empty or begins with `/`.
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", hierarchy),
    };
    is_scheme(scheme)
        && is_authority(authority)
        && is_made_of(path, |byte| is_pchar(byte) || byte == b'/')
        && is_query(query)
        && is_query(fragment)
}

fn is_scheme(scheme: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_part)
}

/// Returns true for `[userinfo@]host[:port]`. The host may be empty.
fn is_authority(authority: &str) -> bool {
    let (user, host_and_port) = authority.split_once('@').unwrap_or(("", authority));
    let is_name = |byte| is_unreserved(byte) || is_sub_delimiter(byte);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let has_host = match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            is_ip_literal(address) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }
        None => {
            let (host, port) = host_and_port.split_once(':').unwrap_or((host_and_port, ""));
            is_made_of(host, is_name) && is_port(port)
        }
    };
    has_host && is_made_of(user, |byte| is_name(byte) || byte == b':')
}

/// Returns true for an address that a URI has in brackets: an IPv6 address, or one of a future version, such as `v7.x`.
fn is_ip_literal(address: &str) -> bool {
    let Some((version, future)) =
        address.strip_prefix(['v', 'V']).and_then(|address| address.split_once('.'))
    else {
        return address.parse::<Ipv6Addr>().is_ok();
    };
    let is_part = |byte| is_unreserved(byte) || is_sub_delimiter(byte) || byte == b':';
    !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !future.is_empty()
        && future.bytes().all(is_part)
}

/// Returns true if the text consists of allowed bytes and percent-encoded ones (`%` with two hexadecimal digits).
fn is_made_of(text: &str, is_allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    let is_hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    while let Some(byte) = bytes.next() {
        let is_valid =
            if byte == b'%' { is_hex(bytes.next()) && is_hex(bytes.next()) } else { is_allowed(byte) };
        if !is_valid {
            return false;
        }
    }
    true
}

fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delimiter(byte) || matches!(byte, b':' | b'@')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_sub_delimiter(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
}
