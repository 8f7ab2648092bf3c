//! The formats of strings.

use serde::Serialize;

/// A `logicalTypeOptions.format` of strings that values are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StringFormat {
    /// A secret; any text is valid.
    Password,
    /// Base64 (RFC 4648 section 4, padded).
    Byte,
    /// Any text: in a text file, octets are not distinguished from characters.
    Binary,
    /// An e-mail address: one `@`, something before it, and a host name after it.
    Email,
    /// A UUID (RFC 9562). The column is `uuid` unless the contract declares `text`.
    Uuid,
    /// An absolute URI (RFC 3986).
    Uri,
    /// A host name (RFC 1123).
    Hostname,
    /// An IPv4 address in dotted decimal.
    Ipv4,
    /// An IPv6 address (RFC 4291).
    Ipv6,
    /// A GTIN of 8, 12, 13 or 14 digits (GS1 General Specifications).
    Gtin,
    /// A GTIN of 8 or 13 digits, formerly called EAN.
    Ean,
    /// An ISBN of 10 or 13 digits, with or without hyphens (ISO 2108).
    Isbn,
    /// An ISSN, with or without its hyphen (ISO 3297).
    Issn,
    /// An IBAN in its electronic or printed form (ISO 13616).
    Iban,
    /// Digits with a check digit of the Luhn algorithm at the end (ISO/IEC 7812-1), such as card numbers.
    Luhn,
    /// A legal entity identifier (ISO 17442).
    Lei,
    /// The syntax of a VAT identification number of a member state of the European Union.
    VatEu,
    /// A country code of two or three letters (ISO 3166-1).
    CountryCode,
    /// A currency code of three letters (ISO 4217).
    CurrencyCode,
    /// A well-formed language tag (RFC 5646, BCP 47).
    LanguageTag,
}

impl StringFormat {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 20] = [
        Self::Password,
        Self::Byte,
        Self::Binary,
        Self::Email,
        Self::Uuid,
        Self::Uri,
        Self::Hostname,
        Self::Ipv4,
        Self::Ipv6,
        Self::Gtin,
        Self::Ean,
        Self::Isbn,
        Self::Issn,
        Self::Iban,
        Self::Luhn,
        Self::Lei,
        Self::VatEu,
        Self::CountryCode,
        Self::CurrencyCode,
        Self::LanguageTag,
    ];

    /// Returns the name of the format in a contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Byte => "byte",
            Self::Binary => "binary",
            Self::Email => "email",
            Self::Uuid => "uuid",
            Self::Uri => "uri",
            Self::Hostname => "hostname",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Gtin => "gtin",
            Self::Ean => "ean",
            Self::Isbn => "isbn",
            Self::Issn => "issn",
            Self::Iban => "iban",
            Self::Luhn => "luhn",
            Self::Lei => "lei",
            Self::VatEu => "vat-eu",
            Self::CountryCode => "country-code",
            Self::CurrencyCode => "currency-code",
            Self::LanguageTag => "language-tag",
        }
    }

    /// Returns the description of a valid value, or `None` if any text is valid.
    pub fn meaning(self) -> Option<&'static str> {
        match self {
            Self::Password | Self::Binary => None,
            Self::Byte => Some("Base64"),
            Self::Email => Some("an e-mail address"),
            Self::Uuid => Some("a UUID"),
            Self::Uri => Some("a URI"),
            Self::Hostname => Some("a host name"),
            Self::Ipv4 => Some("an IPv4 address"),
            Self::Ipv6 => Some("an IPv6 address"),
            Self::Gtin => Some("a GTIN with its check digit"),
            Self::Ean => Some("an EAN of 8 or 13 digits with its check digit"),
            Self::Isbn => Some("an ISBN with its check digit"),
            Self::Issn => Some("an ISSN with its check digit"),
            Self::Iban => Some("an IBAN with its check digits"),
            Self::Luhn => Some("digits with a Luhn check digit"),
            Self::Lei => Some("an LEI with its check digits"),
            Self::VatEu => Some("a VAT identification number of the European Union, by its syntax"),
            Self::CountryCode => Some("a country code of ISO 3166-1"),
            Self::CurrencyCode => Some("a currency code of ISO 4217"),
            Self::LanguageTag => Some("a language tag of BCP 47"),
        }
    }
}
