//! String formats: tables of values, and comparison with the grammars of the RFCs as regular expressions.

use std::cell::Cell;

use penstock_contract::*;
use proptest::prelude::*;
use regex::Regex;

use crate::support::{contract, read, text};

pub(crate) fn accepted(format: StringFormat, values: &[&str]) -> Vec<bool> {
    let mut column = text("a");
    column.rules.format = Some(format);
    column.harmonise.trim = false;
    let lines: Vec<String> =
        values.iter().map(|value| format!("{}\n", serde_json::json!({ "a": value }))).collect();
    let outcome = read(&contract(FormatKind::Ndjson, vec![column]), lines.concat());
    let mut accepted = vec![true; values.len()];
    for reject in &outcome.rejects {
        assert_eq!(reject.reasons[0].code.to_string(), "wrong_format");
        accepted[usize::try_from(reject.row).unwrap() - 1] = false;
    }
    accepted
}

pub(crate) fn check(format: StringFormat, right: &[&str], wrong: &[&str]) {
    let values = [right, wrong].concat();
    let expected = right.iter().map(|_| true).chain(wrong.iter().map(|_| false));
    for ((value, accepted), expected) in values.iter().zip(accepted(format, &values)).zip(expected) {
        assert_eq!(accepted, expected, "{value:?}");
    }
}

#[test]
fn an_email_has_a_mailbox_and_a_host() {
    check(
        StringFormat::Email,
        &["a@b", "anna.berg+shop@mail.example.org", "ö@xn--bcher-kva.example", "o'neil@example.com"],
        &[
            "a",
            "@b.org",
            "a@",
            "a@b@c.org",
            "a b@c.org",
            "a@b c",
            "a@-b.org",
            "a@b..org",
            "a@127.0.0.1",
            "a\t@b.org",
        ],
    );
}

#[test]
fn a_host_name_is_made_of_labels() {
    let longest = "a".repeat(63);
    let full = [longest.as_str(), &longest, &longest, &"b".repeat(61)].join(".");
    check(
        StringFormat::Hostname,
        &["localhost", "3com.example", "a-b.C9", &longest, &full],
        &[
            "-a",
            "a-",
            "a..b",
            "a.",
            ".a",
            "a_b",
            "1.2.3.4",
            "12",
            "ü.example",
            &format!("{longest}a"),
            &format!("{full}b"),
        ],
    );
}

#[test]
fn ip_addresses_follow_their_grammar() {
    check(
        StringFormat::Ipv4,
        &["0.0.0.0", "255.255.255.255", "192.168.1.10"],
        &["1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "0x1.2.3.4", "::1"],
    );
    check(
        StringFormat::Ipv6,
        &["::", "::1", "2001:DB8::8:800:200C:417A", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"],
        &[
            "1::2::3",
            "1:2:3:4:5:6:7",
            "12345::",
            "fe80::1%eth0",
            "[::1]",
            "1.2.3.4",
            ":1",
            "1:2:3:4:5:6:7:8:9",
        ],
    );
}

#[test]
fn a_uri_begins_with_its_scheme() {
    check(
        StringFormat::Uri,
        &[
            "https://example.org/a%20b?q=1&r=/?#top",
            "http://u:p@[2001:db8::1]:8080/",
            "http://[v7.x:y]/",
            "mailto:a@b.org",
            "urn:isbn:0451450523",
            "file:///etc/hosts",
            "x:",
            "a+b-1.c:/p",
            "http://:80",
        ],
        &[
            "example.org/a",
            "//example.org",
            "/a",
            "1a:b",
            "http://a b",
            "http://a/%2",
            "http://a/%zz",
            "http://[::1/",
            "http://[1.2.3.4]/",
            "http://a:b/",
            "http://a/#b#c",
            "http://é.org/",
            "http://a@b@c/",
            "http://a/{b}",
            ":a",
        ],
    );
}

#[test]
fn base64_is_padded_and_its_unused_bits_are_zero() {
    check(
        StringFormat::Byte,
        &["AAAA", "aGVsbG8=", "aA==", "+/+/"],
        &["A", "AA", "AAA", "AAAAA", "aB==", "aGVsbG9=", "A===", "====", "AA=A", "aA==aA==", "-_AA", "AAA\n"],
    );
}

#[test]
fn a_uuid_in_a_text_column_has_hyphens() {
    check(
        StringFormat::Uuid,
        &["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
        &[
            "123e4567e89b12d3a456426614174000",
            "{123e4567-e89b-12d3-a456-426614174000}",
            "123e4567-e89b-12d3-a456-42661417400g",
        ],
    );
}

#[test]
fn passwords_and_octets_are_any_text() {
    check(StringFormat::Password, &["a b ", "é"], &[]);
    check(StringFormat::Binary, &["a b ", "é"], &[]);
}

/// Generates text that resembles one of the formats, sometimes with one character replaced.
fn near() -> impl Strategy<Value = String> {
    let address = "([0-9a-fA-F]{0,5}:){0,8}(:|[0-9a-f]{1,4}|[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]\\.[0-9])?";
    let whole = prop_oneof![
        "[a-z0-9.-]{1,12}(\\.[a-z0-9-]{1,5}){0,3}",
        "[a-z@. é]{1,3}@[a-z0-9.-]{1,8}",
        "([0-9]{1,3}\\.){2,4}[0-9]{1,3}",
        address,
        "[A-Za-z0-9+/]{0,9}={0,3}",
        "[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "[a-z1+.]{0,3}:(//([a-z:%@]{0,4}@)?[a-z0-9.%]{0,5}(:[0-9a]{0,3})?)?[a-z/%0-9:@?#]{0,9}",
        "[a-z]:(//\\[(v[0-9a-g.]{0,3}|[0-9a-f:.]{0,9})\\]?:?[0-9]{0,2})[/a]{0,2}",
    ];
    (whole, prop::option::weighted(0.3, (any::<prop::sample::Index>(), "[ -~é]"))).prop_map(
        |(text, broken)| {
            let mut letters: Vec<char> = text.chars().collect();
            if let Some((index, with)) = broken
                && !letters.is_empty()
            {
                let index = index.index(letters.len());
                letters.splice(index..=index, with.chars());
            }
            letters.into_iter().collect()
        },
    )
}

/// Returns the grammars of the RFCs' appendices.
fn oracles() -> Vec<(StringFormat, Regex)> {
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    let last = "(?:[A-Za-z0-9]{0,62}[A-Za-z]|[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z]|[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z-][A-Za-z0-9-]*[A-Za-z0-9])";
    let host = format!("(?:{label}\\.)*{last}");
    let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    let ipv4 = format!("{octet}(?:\\.{octet}){{3}}");
    let h16 = "[0-9A-Fa-f]{1,4}";
    let ls32 = format!("(?:{h16}:{h16}|{ipv4})");
    let ipv6 = [
        format!("(?:{h16}:){{6}}{ls32}"),
        format!("::(?:{h16}:){{5}}{ls32}"),
        format!("(?:{h16})?::(?:{h16}:){{4}}{ls32}"),
        format!("(?:(?:{h16}:){{0,1}}{h16})?::(?:{h16}:){{3}}{ls32}"),
        format!("(?:(?:{h16}:){{0,2}}{h16})?::(?:{h16}:){{2}}{ls32}"),
        format!("(?:(?:{h16}:){{0,3}}{h16})?::{h16}:{ls32}"),
        format!("(?:(?:{h16}:){{0,4}}{h16})?::{ls32}"),
        format!("(?:(?:{h16}:){{0,5}}{h16})?::{h16}"),
        format!("(?:(?:{h16}:){{0,6}}{h16})?::"),
    ]
    .join("|");
    let part = "A-Za-z0-9._~!$&'()*+,;=\\-";
    let percent = "%[0-9A-Fa-f]{2}";
    let pchar = format!("(?:[{part}:@]|{percent})");
    let literal = format!("\\[(?:{ipv6}|[vV][0-9A-Fa-f]+\\.[{part}:]+)\\]");
    let authority =
        format!("(?:(?:[{part}:]|{percent})*@)?(?:{literal}|(?:[{part}]|{percent})*)(?::[0-9]*)?");
    let path =
        format!("(?://{authority}(?:/{pchar}*)*|/(?:{pchar}+(?:/{pchar}*)*)?|{pchar}+(?:/{pchar}*)*|)");
    let uri = format!("[A-Za-z][A-Za-z0-9+.-]*:{path}(?:\\?(?:{pchar}|[/?])*)?(?:#(?:{pchar}|[/?])*)?");
    let base64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?";
    let uuid = "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}";
    [
        (StringFormat::Hostname, host.as_str()),
        (StringFormat::Email, &format!("[^@\\s\\p{{Cc}}]+@{host}")),
        (StringFormat::Ipv4, &ipv4),
        (StringFormat::Ipv6, &ipv6),
        (StringFormat::Uri, &uri),
        (StringFormat::Byte, base64),
        (StringFormat::Uuid, uuid),
    ]
    .map(|(format, grammar)| (format, Regex::new(&format!("^(?:{grammar})$")).unwrap()))
    .into()
}

#[test]
fn a_string_is_accepted_exactly_when_the_grammar_matches_it() {
    let oracles = oracles();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(60));
    let right: Vec<Cell<u32>> = vec![Cell::new(0); oracles.len()];
    runner
        .run(&prop::collection::vec(near(), 200), |values| {
            let values: Vec<&str> =
                values.iter().map(String::as_str).filter(|value| !value.is_empty()).collect();
            for ((format, oracle), right) in oracles.iter().zip(&right) {
                for (value, accepted) in values.iter().zip(accepted(*format, &values)) {
                    prop_assert_eq!(accepted, oracle.is_match(value), "{:?} {:?}", format, value);
                    right.set(right.get() + u32::from(accepted));
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(right.iter().all(|right| right.get() > 50), "each format must be generated often: {right:?}");
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(values in prop::collection::vec("\\PC{1,30}", 1..10)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        for format in StringFormat::ALL {
            accepted(format, &values);
        }
    }
}
