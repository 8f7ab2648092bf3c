//! Identifiers with check digits and codes from lists, tested with published examples.

use penstock_contract::*;

use crate::formats::{accepted, check};
use crate::support::{contract, read, text};

/// Published examples, written without separators.
const GTINS: [&str; 7] = [
    "40170725",
    "73513537",
    "036000291452",
    "4006381333931",
    "9780306406157",
    "10614141000415",
    "00012345600012",
];
const ISBN_10: [&str; 5] = ["0306406152", "080442957X", "316148410X", "0471958697", "097522980X"];
const ISBN_13: [&str; 4] = ["9780306406157", "9783161484100", "9780471117094", "9791090636071"];
const ISSNS: [&str; 4] = ["03785955", "20493630", "2434561X", "00280836"];
const LUHNS: [&str; 5] =
    ["79927398713", "4111111111111111", "5500000000000004", "378282246310005", "490154203237518"];
const LEIS: [&str; 4] =
    ["5493001KJTIIGC8Y1R12", "529900T8BM49AURSDO55", "7ZW8QJWVPR4P1J1KQY45", "213800WSGIIZCXF1P572"];
const IBANS: [&str; 12] = [
    "DE89370400440532013000",
    "GB82WEST12345698765432",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "CH9300762011623852957",
    "BE68539007547034",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "SA0380000000608010167519",
    "BR1800360305000010009795493C1",
    "ES9121000418450200051332",
    "AT611904300234573201",
];

/// Returns the variants of `value` with one digit replaced by another digit, or one letter by another letter.
fn mutated(value: &str) -> Vec<String> {
    let mut mutated = Vec::new();
    for (index, byte) in value.bytes().enumerate() {
        let kind = if byte.is_ascii_digit() { b'0'..=b'9' } else { b'A'..=b'Z' };
        for other in kind.filter(|other| *other != byte) {
            let mut bytes = value.as_bytes().to_vec();
            bytes[index] = other;
            mutated.push(String::from_utf8(bytes).unwrap());
        }
    }
    mutated
}

/// Returns the variants of `value` with two different adjacent digits, or two different adjacent letters, swapped.
fn transposed(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let pairs = (1..bytes.len()).filter(|index| bytes[*index] != bytes[index - 1]);
    pairs
        .filter(|index| bytes[*index].is_ascii_digit() == bytes[index - 1].is_ascii_digit())
        .map(|index| {
            let mut bytes = bytes.to_vec();
            bytes.swap(index - 1, index);
            String::from_utf8(bytes).unwrap()
        })
        .collect()
}

fn assert_refused(format: StringFormat, values: &[String]) {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    for (value, accepted) in values.iter().zip(accepted(format, &values)) {
        assert!(!accepted, "{format:?} {value}");
    }
}

#[test]
fn published_identifiers_are_accepted() {
    check(StringFormat::Gtin, &GTINS, &[]);
    check(StringFormat::Isbn, &[&ISBN_10[..], &ISBN_13[..]].concat(), &[]);
    check(StringFormat::Issn, &ISSNS, &[]);
    check(StringFormat::Luhn, &LUHNS, &[]);
    check(StringFormat::Lei, &LEIS, &[]);
    check(StringFormat::Iban, &IBANS, &[]);
}

#[test]
fn every_single_wrong_digit_or_letter_is_detected() {
    for (format, values) in [
        (StringFormat::Gtin, &GTINS[..]),
        (StringFormat::Isbn, &ISBN_10),
        (StringFormat::Isbn, &ISBN_13),
        (StringFormat::Issn, &ISSNS),
        (StringFormat::Luhn, &LUHNS),
        (StringFormat::Lei, &LEIS),
        (StringFormat::Iban, &IBANS),
    ] {
        for value in values {
            assert_refused(format, &mutated(value));
        }
    }
}

#[test]
fn adjacent_transpositions_are_detected_if_the_scheme_detects_them() {
    for (format, values) in [
        (StringFormat::Isbn, &ISBN_10[..]),
        (StringFormat::Issn, &ISSNS),
        (StringFormat::Lei, &LEIS),
        (StringFormat::Iban, &IBANS),
    ] {
        for value in values {
            assert_refused(format, &transposed(value));
        }
    }
    // GS1 check digits miss swapped digits that differ by 5. Luhn misses 09 and 90.
    let differs_by = |value: &String, original: &str| {
        let index = value.bytes().zip(original.bytes()).position(|(one, other)| one != other).unwrap();
        value.as_bytes()[index].abs_diff(original.as_bytes()[index])
    };
    for (format, values, missed) in [
        (StringFormat::Gtin, &GTINS[..], 5),
        (StringFormat::Isbn, &ISBN_13, 5),
        (StringFormat::Luhn, &LUHNS, 9),
    ] {
        for value in values {
            let (missed, found): (Vec<String>, Vec<String>) =
                transposed(value).into_iter().partition(|other| differs_by(other, value) == missed);
            assert_refused(format, &found);
            if format != StringFormat::Isbn && !missed.is_empty() {
                let missed: Vec<&str> = missed.iter().map(String::as_str).collect();
                assert!(accepted(format, &missed).into_iter().all(|accepted| accepted), "{missed:?}");
            }
        }
    }
}

#[test]
fn a_gtin_has_one_of_its_four_lengths_and_an_ean_one_of_two() {
    check(
        StringFormat::Gtin,
        &[],
        &["0", "00", "0000000", "000000000000000", "4006381 333931", "4006381333931 "],
    );
    check(
        StringFormat::Ean,
        &["40170725", "4006381333931"],
        &["036000291452", "10614141000415", "4006381333932"],
    );
    check(
        StringFormat::Gtin,
        &[],
        &["４００６３８１３３３９３１", "400638133393X", "-4006381333931", "9٣13537"],
    );
}

#[test]
fn an_isbn_has_separators_of_one_kind_between_its_parts() {
    check(
        StringFormat::Isbn,
        &[
            "0-306-40615-2",
            "978-3-16-148410-0",
            "978 3 16 148410 0",
            "978-3161484100",
            "0-8044-2957-X",
            "979-10-90636-07-1",
        ],
        &[
            "0-8044-2957-x",
            "978-3-16-148410-X",
            "X306406152",
            "-0306406152",
            "0306406152-",
            "978--3161484100",
            "978-3 161484100",
            "9-7-8-3-1-6-1484100",
            "0-3-0-6-406152",
            "978 3-16-148410 0",
            // An ISMN, and an EAN that is not a book number.
            "9790260000438",
            "4006381333931",
            "030640615",
            "97803064061577",
            " ",
        ],
    );
}

#[test]
fn an_issn_has_a_hyphen_after_four_digits_or_none() {
    check(
        StringFormat::Issn,
        &["0378-5955", "2434-561X", "0028-0836", "03785955"],
        &[
            "0378-595",
            "037-85955",
            "0378-5956",
            "2434-561x",
            "X434-5610",
            "0378--5955",
            "0378 5955",
            "0378-59551",
        ],
    );
}

#[test]
fn luhn_and_lei_have_no_separators() {
    check(
        StringFormat::Luhn,
        &["18", "00"],
        &["0", "4111 1111 1111 1111", "411111111111111a", "4111-1111-1111-1111", "５９"],
    );
    check(
        StringFormat::Lei,
        &[],
        &[
            "5493001kjtiigc8y1r12",
            "5493001KJTIIGC8Y1R1",
            "5493001KJTIIGC8Y1R123",
            "5493 001KJTIIGC8Y1R12",
            "5493001KJTIIGC8Y1RAB",
        ],
    );
}

#[test]
fn an_iban_has_the_structure_of_its_country() {
    check(
        StringFormat::Iban,
        &["DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32"],
        &[
            "de89370400440532013000",
            "GB82west12345698765432",
            "DE893704004405320130",
            "DE8937040044053201300",
            "DE89-3704-0044-0532-0130-00",
            "DE89 37040044 0532013000",
            "XX89370400440532013000",
            "US64SVBKUS6S3300958879",
            "DE",
        ],
    );
}

/// Check digits of 00, 01 and 99 have the same remainder as 97, 98 and 02, and are never issued.
#[test]
fn an_iban_has_check_digits_from_02_to_98() {
    let mut compared = 0;
    for account in 0..500 {
        let iban = |digits: &str| format!("DE{digits}370400440532{account:06}");
        let right: Vec<String> =
            (2..=98).map(|digits| iban(&format!("{digits:02}"))).filter(|iban| accepted_one(iban)).collect();
        assert_eq!(right.len(), 1, "{right:?}");
        for (digits, never) in [("97", "00"), ("98", "01"), ("02", "99")] {
            if right[0] == iban(digits) {
                compared += 1;
                assert!(!accepted_one(&iban(never)), "{never}");
            }
        }
    }
    assert!(compared > 5, "{compared}");
}

fn accepted_one(value: &str) -> bool {
    accepted(StringFormat::Iban, &[value])[0]
}

#[test]
fn a_vat_number_has_the_syntax_of_its_member_state() {
    check(
        StringFormat::VatEu,
        &[
            "ATU12345678",
            "BE0123456789",
            "BE1123456789",
            "BG123456789",
            "BG1234567890",
            "CY12345678X",
            "CZ12345678",
            "CZ123456789",
            "CZ1234567890",
            "DE123456789",
            "DK12345678",
            "EE123456789",
            "EL123456789",
            "ESX12345678",
            "ES12345678X",
            "ESX1234567X",
            "FI12345678",
            "FR12345678901",
            "FRX1234567890",
            "FR1X123456789",
            "FRXX123456789",
            "HR12345678901",
            "HU12345678",
            "IE1234567WA",
            "IE1234567A",
            "IE1A23456B",
            "IE1+23456B",
            "IT12345678901",
            "LT123456789",
            "LT123456789012",
            "LU12345678",
            "LV12345678901",
            "MT12345678",
            "NL123456789B01",
            "PL1234567890",
            "PT123456789",
            "RO12",
            "RO1234567890",
            "SE123456789001",
            "SI12345678",
            "SK1234567890",
            "XI123456789",
            "XIGD123",
        ],
        &[
            "AT12345678",
            "BE2123456789",
            "BE123456789",
            "CY123456789",
            "DE12345678",
            "DE1234567890",
            "DE 123456789",
            "DE123.456.789",
            "de123456789",
            "GR123456789",
            "GB123456789",
            "ES123456789",
            "FRO1234567890",
            "FRIO123456789",
            "IE12345678",
            "NL123456789A01",
            "NL123456789",
            "RO1",
            "RO12345678901",
            "US123456789",
            "123456789",
            "DE",
            "D",
            "éé123456789",
        ],
    );
}

#[test]
fn country_and_currency_codes_are_those_of_the_iso_lists() {
    check(
        StringFormat::CountryCode,
        &["DE", "DEU", "US", "USA", "GB", "TW", "PS", "SS", "CW", "ALA", "AQ", "ZWE"],
        &[
            "de", "Deu", "UK", "EU", "XX", "ZZ", "AA", "XK", "QQQ", "ZZZ", "XAA", "276", "D", "DEUT", "AN",
            "SU",
        ],
    );
    check(
        StringFormat::CurrencyCode,
        &["EUR", "USD", "JPY", "CHF", "XAU", "XXX", "SLE", "ZWG", "XCG", "VED"],
        &["eur", "EURO", "DEM", "FRF", "€", "978", "EU", "BTC", "ZZZ"],
    );
    let letters = || b'A'..=b'Z';
    let pairs: Vec<String> = letters()
        .flat_map(|one| letters().map(move |two| format!("{}{}", char::from(one), char::from(two))))
        .collect();
    let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
    let countries = accepted(StringFormat::CountryCode, &pairs).into_iter().filter(|accepted| *accepted);
    assert_eq!(countries.count(), 249, "ISO 3166-1 has 249 countries");
}

#[test]
fn a_language_tag_is_well_formed() {
    check(
        StringFormat::LanguageTag,
        &[
            "de",
            "de-CH",
            "DE-ch",
            "zh-Hant-TW",
            "sr-Latn-RS",
            "es-419",
            "sl-rozaj-biske",
            "de-CH-1901",
            "hy-Latn-IT-arevela",
            "en-US-u-islamcal",
            "x-whatever",
            "i-klingon",
            "en-GB-oed",
            "qaa-Qaaa-QM-x-southern",
        ],
        &["de_CH", "d", "de-", "-de", "de--CH", "de-419-DE", "a-DE", "german language", "de-CH-de-CH-x", "ä"],
    );
}

#[test]
fn check_digits_of_members_and_items_are_verified() {
    let member = |name: &str, format| Nested {
        name: name.to_owned(),
        physical_name: name.to_owned(),
        logical_type: LogicalType::String,
        required: false,
        rules: Rules { format: Some(format), ..Rules::default() },
    };
    let mut object = text("v");
    object.sql_type = SqlType::Jsonb;
    let codes = Nested {
        logical_type: LogicalType::Array { items: Some(Box::new(member("", StringFormat::Isbn))) },
        rules: Rules::default(),
        ..member("codes", StringFormat::Isbn)
    };
    object.logical_type = LogicalType::Object { properties: vec![member("gtin", StringFormat::Gtin), codes] };
    let file = concat!(
        "{\"v\":{\"gtin\":\"4006381333931\",\"codes\":[\"0-306-40615-2\"]}}\n",
        "{\"v\":{\"gtin\":\"4006381333932\",\"codes\":[\"0-306-40615-2\",\"0-306-40615-3\"]}}\n",
    );
    let outcome = read(&contract(FormatKind::Ndjson, vec![object]), file);
    assert_eq!(outcome.totals.accepted, 1);
    let rules: Vec<&str> = outcome.rejects[0].reasons.iter().map(|reason| &*reason.rule).collect();
    assert_eq!(rules, ["v.gtin: format gtin", "v.codes[1]: format isbn"]);
}

#[test]
fn every_format_except_password_and_binary_is_checked() {
    for format in StringFormat::ALL {
        let is_any = matches!(format, StringFormat::Password | StringFormat::Binary);
        assert_eq!(accepted(format, &["\u{1}"]), [is_any], "{format:?}");
    }
}
