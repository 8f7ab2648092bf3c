//! Documents that `jsonb` accepts and rejects.

use proptest::prelude::*;

use super::*;
use crate::cast::text::Traits;

fn is_read_by_serde(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object())
}

#[test]
fn documents_that_jsonb_rejects_are_reported() {
    assert_eq!(check("{\"a\":1e400}", false, false), Ok(()));
    assert_eq!(check("{\"a\":1e401}", false, false), Err(Code::OutOfRange));
    assert_eq!(check("[\"\\u0000\"]", true, false), Err(Code::NulCharacter));
    assert_eq!(check("[\"\\ud83d\\ude00\", \"\\ud83d\"]", true, false), Err(Code::InvalidJson));
    for is_plain in [false, true] {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(&deep(128), true, is_plain), Ok(()));
        assert_eq!(check(&deep(129), true, is_plain), Err(Code::OutOfRange));
    }
}

#[test]
fn numbers_have_the_limits_of_numeric() {
    let digits = |count: usize| "1".repeat(count);
    let zeros = |count: usize| "0".repeat(count);
    for (number, fits) in [
        (digits(131_072), true),
        (digits(131_073), false),
        (format!("-{}.5", digits(131_072)), true),
        (format!("0.{}", digits(16_383)), true),
        (format!("0.{}", digits(16_384)), false),
        (format!("0.{}", zeros(16_384)), false),
        (format!("1.{}0", digits(16_383)), false),
        (format!("{}e2", digits(131_070)), true),
        (format!("{}e3", digits(131_070)), false),
        (format!("{}e-1", digits(131_073)), true),
        (format!("1.{}e1", digits(16_384)), true),
        (format!("1.{}e-1", digits(16_383)), false),
        (format!("1.{}e-1", digits(16_382)), true),
        ("1e-400".to_owned(), true),
        ("0e401".to_owned(), false),
        ("1e-401".to_owned(), false),
        ("1e99999999999999999999".to_owned(), false),
        ("1e-00000000000000000000000000001".to_owned(), true),
    ] {
        let expected = if fits { Ok(()) } else { Err(Code::OutOfRange) };
        for document in [format!("[{number}]"), format!("[1,[{number} ]]"), format!("[\"\\n\",{number}]")] {
            let is_plain = Traits::of(document.as_bytes()).is_plain;
            let head = &document[..document.len().min(40)];
            assert_eq!(check(&document, true, is_plain), expected, "{head} {}", document.len());
        }
    }
}

#[test]
fn repeated_keys_are_reported_at_any_depth() {
    let many = |last: &str| {
        let keys: Vec<String> = (0..1_000).map(|key| format!("\"key {key}\":0")).collect();
        format!("[{{{},\"{last}\":1}}]", keys.join(","))
    };
    for (document, is_repeated) in [
        ("[{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":2},{\"a\":3}]}]".to_owned(), false),
        ("[{\"a\":1,\"a\":1}]".to_owned(), true),
        ("[[[{\"b\":[{\"x\":1, \"y\":2, \"x\":3}]}]]]".to_owned(), true),
        ("[{\"\":1,\"\":2}]".to_owned(), true),
        ("[{\"n\":1,\"\\u006e\":2}]".to_owned(), true),
        ("[{\"\\u006e\":1,\"n\":2}]".to_owned(), true),
        ("[{\"n\":1,\"\\\\u006e\":2}]".to_owned(), false),
        ("[{\"a/b\":1,\"a\\/b\":2}]".to_owned(), true),
        ("[{\"😀\":1,\"\\ud83d\\ude00\":2}]".to_owned(), true),
        ("[{\"é\":1,\"e\u{301}\":2}]".to_owned(), false),
        ("[{\"a\":1,\"A\":2}]".to_owned(), false),
        ("[{\"12345678\":1,\"123456789\":2,\"12345678 \":3}]".to_owned(), false),
        ("[{\"a long key of many bytes\":1,\"a long key of more bytes\":2}]".to_owned(), false),
        ("[{\"a long key of many bytes\":1,\"b\":0,\"a long key of many bytes\":2}]".to_owned(), true),
        (many("key 1000"), false),
        (many("key 0"), true),
        (many("key 999"), true),
    ] {
        let expected = if is_repeated { Err(Code::DuplicateMember) } else { Ok(()) };
        let is_plain = Traits::of(document.as_bytes()).is_plain;
        for document in [document.replace(',', ",\n"), document] {
            let is_plain = is_plain && !document.contains('\n');
            assert_eq!(check(&document, true, is_plain), expected, "{document}");
        }
    }
}

proptest! {
    #[test]
    fn a_repeated_key_is_detected_in_any_position(
        keys in prop::collection::vec("[ab]{1,3}|[ab]{7,18}", 1..40),
        nested in prop::collection::vec(0..40_usize, 0..6),
    ) {
        // The value of some keys is an object with the remaining keys.
        let mut objects = vec![Vec::<&str>::new()];
        let mut text = String::from("{");
        for (index, key) in keys.iter().enumerate() {
            let object = objects.last_mut().unwrap();
            text.push_str(if object.is_empty() { "" } else { ", " });
            object.push(key);
            text.push_str(&format!("\"{key}\":"));
            if nested.contains(&index) && index + 1 < keys.len() {
                text.push('{');
                objects.push(Vec::new());
            } else {
                text.push('1');
            }
        }
        text.push_str(&"}".repeat(objects.len()));
        let is_repeated = objects.iter().any(|keys| {
            keys.iter().enumerate().any(|(index, key)| keys[..index].contains(key))
        });
        let expected = if is_repeated { Err(Code::DuplicateMember) } else { Ok(()) };
        prop_assert_eq!(check(&text, false, true), expected, "{}", text);
        prop_assert_eq!(check(&text, false, false), expected, "{}", text);
        prop_assert_eq!(check(&text.replace('a', "\\u0061"), false, false), expected, "{}", text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn accepted_documents_are_those_that_another_parser_accepts(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\\n\"", "\"\\ud83d\\ude00\"", "\"\\x\"", "\"é", "\"",
                "1", "0", "-", "01", "1.5", "1.", ".5", "1e5", "2E-3", "true", "false", "null", "nul", " ", "\n", "\t", "x",
            ]),
            0..12,
        ),
        is_wrapped in any::<bool>(),
    ) {
        let inside = pieces.concat();
        let text = if is_wrapped { format!("{{\"k\":[{inside}]}}") } else { format!("{{{inside}}}") };
        let found = check(&text, false, Traits::of(text.as_bytes()).is_plain);
        // The other parser reads numbers that underflow as 0 and rejects those that overflow. It keeps the last value
        // of a repeated key.
        prop_assume!(!matches!(found, Err(Code::OutOfRange | Code::DuplicateMember)));
        prop_assert_eq!(found.is_ok(), is_read_by_serde(&text), "{}", text);
    }

    #[test]
    fn the_fast_path_returns_the_members_that_the_scanner_returns(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "1,\"a\":", "[2],\"b c\": ", "{},\"\":", "{\"d\":", "}", "{", "}", "[", "]", ",", ", ", "\"\u{e9}\"", "1", "-0.5", "2e7", "1E+05", "3e-210",
                "true", "null", " ",
            ]),
            0..14,
        ),
    ) {
        let text = format!("{{\"k\":{}}}", pieces.concat());
        let (mut fast, mut thorough) = (Vec::new(), Vec::new());
        if plain::object(text.as_bytes(), |key, value| fast.push((key, value))).is_some() {
            let mut scanner = Scanner::new(&text, true);
            prop_assert!(scanner.object(|key, value| thorough.push((key, value))).is_some(), "{}", text);
            let is_passed = scanner.is_at_end() && !scanner.is_out_of_range && !scanner.may_repeat;
            prop_assert!(is_passed, "{}", text);
            prop_assert_eq!(fast, thorough);
        }
    }
}
