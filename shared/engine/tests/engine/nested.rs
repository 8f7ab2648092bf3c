//! Documents with declared members and items, by tables of values.

use penstock_contract::*;

use crate::casts::{bound, strings};
use crate::support::{Outcome, column, contract, date_format, read};

fn member(name: &str, logical_type: LogicalType) -> Nested {
    Nested {
        name: name.to_owned(),
        physical_name: name.to_owned(),
        logical_type,
        required: false,
        rules: Rules::default(),
    }
}

fn with(mut member: Nested, change: impl FnOnce(&mut Nested)) -> Nested {
    change(&mut member);
    member
}

fn object(properties: Vec<Nested>) -> Column {
    column("a", LogicalType::Object { properties }, SqlType::Jsonb)
}

fn array(items: Option<Nested>) -> Column {
    column("a", LogicalType::Array { items: items.map(Box::new) }, SqlType::Jsonb)
}

pub(crate) fn read_documents(column: Column, documents: &[&str]) -> Outcome {
    let lines: Vec<String> = documents.iter().map(|document| format!("{{\"a\":{document}}}\n")).collect();
    read(&contract(FormatKind::Ndjson, vec![column]), lines.concat())
}

/// Returns the stored document of each row, or code, rule and found text of each reason.
fn results(outcome: &Outcome, count: usize) -> Vec<String> {
    let mut results = vec![String::new(); count];
    for row in outcome.rows() {
        let number: usize = row[1].as_ref().unwrap().parse().unwrap();
        results[number - 1] = row[0].clone().unwrap_or_else(|| "NULL".to_owned());
    }
    for reject in &outcome.rejects {
        let reasons: Vec<String> = (reject.reasons.iter())
            .map(|reason| {
                let found = reason.found.as_deref().unwrap_or("-");
                format!("{} | {} | {found}", reason.code, reason.rule)
            })
            .collect();
        results[usize::try_from(reject.row).unwrap() - 1] = reasons.join("; ");
    }
    results
}

fn check(column: Column, table: &[(&str, &str)]) {
    let documents: Vec<&str> = table.iter().map(|(document, _)| *document).collect();
    let outcome = read_documents(column, &documents);
    for ((document, expected), found) in table.iter().zip(results(&outcome, table.len())) {
        // `=`: stored unchanged.
        assert_eq!(found, if *expected == "=" { *document } else { expected }, "{document}");
    }
}

#[test]
fn members_may_have_date_and_time_formats() {
    let day = with(member("day", LogicalType::Date { format: Some(date_format("dd.MM.yyyy")) }), |member| {
        member.rules.minimum = bound("2024-01-31", false);
    });
    let at = member("at", LogicalType::Time { format: Some(date_format("HHmm")) });
    let format = Some(date_format("yyyy-MM-dd'T'HH:mm:ssXXX"));
    let since = member("since", LogicalType::Timestamp { format, default_timezone: "UTC".to_owned() });
    check(
        object(vec![day, at, since]),
        &[
            (r#"{"day":"31.01.2024","at":"0930","since":"2024-01-31T12:00:00Z"}"#, "="),
            (r#"{"day":"30.01.2024"}"#, r#"below_minimum | a.day: minimum 2024-01-31 | "30.01.2024""#),
            (r#"{"day":"31.01.24"}"#, r#"not_a_date | a.day: a date of the format dd.MM.yyyy | "31.01.24""#),
            (r#"{"at":"930"}"#, r#"not_a_time | a.at: a time of day of the format HHmm | "930""#),
            (
                r#"{"since":"2024-01-31"}"#,
                r#"not_a_timestamp | a.since: a timestamp of the format yyyy-MM-dd'T'HH:mm:ssXXX that exists in UTC | "2024-01-31""#,
            ),
        ],
    );
}

#[test]
fn members_are_checked_against_their_rules() {
    let members = vec![
        with(member("weight", LogicalType::Number), |member| member.rules.minimum = bound("0", false)),
        with(member("size", LogicalType::Integer), |member| member.required = true),
        with(member("code", LogicalType::String), |member| {
            member.rules.pattern = Some("^[A-Z]+$".to_owned());
            member.rules.max_length = Some(3);
        }),
        with(member("colour", LogicalType::String), |member| {
            member.rules.allowed = strings(&["red", "bl\"ue"])
        }),
        with(member("mail", LogicalType::String), |member| member.rules.format = Some(StringFormat::Email)),
        member("is_new", LogicalType::Boolean),
        member("day", LogicalType::Date { format: None }),
        member("at", LogicalType::Time { format: None }),
        member(
            "since",
            LogicalType::Timestamp { format: None, default_timezone: "Europe/Berlin".to_owned() },
        ),
    ];
    check(
        object(members),
        &[
            (r#"{"size":1}"#, "="),
            (
                r#" { "size" : 1e2 , "weight":0.10000000000000000000000000001,"other":{"size":"x"}}"#,
                r#"{ "size" : 1e2 , "weight":0.10000000000000000000000000001,"other":{"size":"x"}}"#,
            ),
            (
                r#"{"size":"12","weight":"1.50","is_new":false,"day":"2024-02-29","at":"23:59","since":"2024-01-31T12:00:00+01:00"}"#,
                "=",
            ),
            (r#"{"size":1,"weight":null,"code":null,"is_new":null}"#, "="),
            (r#"{"s\u0069ze":1,"colour":"bl\"ue","code":"\u0041"}"#, "="),
            ("{}", "missing_required | a.size: required | -"),
            (r#"{"size":null}"#, "missing_required | a.size: required | -"),
            (r#"{"size":1.5}"#, "not_an_integer | a.size: a whole number | 1.5"),
            (r#"{"size":[1]}"#, "wrong_type | a.size: a whole number | [1]"),
            (r#"{"size":"x"}"#, r#"not_an_integer | a.size: a whole number | "x""#),
            (
                r#"{"weight":-0.5,"size":true,"code":"abcd"}"#,
                r#"below_minimum | a.weight: minimum 0 | -0.5; wrong_type | a.size: a whole number | true; too_long | a.code: maxLength 3 | "abcd"; pattern_mismatch | a.code: pattern ^[A-Z]+$ | "abcd""#,
            ),
            (r#"{"size":1,"code":5}"#, "wrong_type | a.code: text | 5"),
            (r#"{"size":1,"colour":"green"}"#, r#"not_allowed | a.colour: one of red, bl"ue | "green""#),
            (r#"{"size":1,"mail":"nobody"}"#, r#"wrong_format | a.mail: format email | "nobody""#),
            (r#"{"size":1,"is_new":"true"}"#, r#"wrong_type | a.is_new: a boolean | "true""#),
            (
                r#"{"size":1,"day":"2023-02-29"}"#,
                r#"not_a_date | a.day: a date such as 2024-01-31 | "2023-02-29""#,
            ),
            (r#"{"size":1,"day":20240131}"#, "wrong_type | a.day: a date such as 2024-01-31 | 20240131"),
            (r#"{"size":1,"at":"24:00"}"#, r#"not_a_time | a.at: a time of day such as 23:59:59 | "24:00""#),
            (
                r#"{"size":1,"since":"2024-03-31T02:30"}"#,
                r#"not_a_timestamp | a.since: a timestamp such as 2024-01-31T12:00:00Z; without an offset, in Europe/Berlin | "2024-03-31T02:30""#,
            ),
            (r#"[{"size":1}]"#, r#"wrong_type | a JSON object | [{"size":1}]"#),
            (r#"{"size":1,"x":"\u0000"}"#, r#"nul_character | no NUL character | {"size":1,"x":"\u0000"}"#),
            (
                r#"{"size":1,"x":"\ud800"}"#,
                r#"invalid_json | text without lone surrogates | {"size":1,"x":"\ud800"}"#,
            ),
            (
                r#"{"size":1e999}"#,
                r#"out_of_range | jsonb: nested at most 128 levels deep, numbers of at most 131072 digits before the point and 16383 after it, exponents from -400 to 400 | {"size":1e999}"#,
            ),
            (
                r#"{"weight":"1e999","size":1}"#,
                r#"out_of_range | a.weight: at most 1000 digits on each side of the point, exponents from -400 to 400 | "1e999""#,
            ),
        ],
    );
}

#[test]
fn members_are_stored_under_their_harmonised_names() {
    let inner = vec![
        with(member("zip", LogicalType::String), |member| member.physical_name = "postcode".to_owned()),
        with(member("say \"city\"", LogicalType::String), |member| {
            member.physical_name = "town\n".to_owned()
        }),
    ];
    let swapped = vec![
        with(member("x", LogicalType::Integer), |member| member.physical_name = "y".to_owned()),
        with(member("y", LogicalType::Integer), |member| member.physical_name = "x".to_owned()),
        with(member("address", LogicalType::Object { properties: inner }), |member| {
            member.physical_name = "Adresse".to_owned();
        }),
    ];
    check(
        object(swapped),
        &[
            (r#"{"x":1, "y":2}"#, r#"{"y":1, "x":2}"#),
            (
                r#"{"Adresse": {"postcode":"1","town\n":"é","other":1.0}, "z":[{"postcode":2}]}"#,
                r#"{"address": {"zip":"1","say \"city\"":"é","other":1.0}, "z":[{"postcode":2}]}"#,
            ),
            (r#"{"\u0041dresse":{}}"#, r#"{"address":{}}"#),
            (
                r#"{"address":1,"Adresse":{}}"#,
                r#"duplicate_member | a: each key once | {"address":1,"Adresse":{}}"#,
            ),
            (r#"{"x":1,"x":2}"#, r#"duplicate_member | a: each key once | x"#),
            (r#"{"z":[{"x":1,"\u0078":2}]}"#, r#"duplicate_member | a: each key once | z[0].x"#),
            (r#"{"Adresse":{"postcode":5}}"#, "wrong_type | a.address.zip: text | 5"),
        ],
    );
}

#[test]
fn items_are_counted_checked_and_compared() {
    let item = with(member("", LogicalType::Integer), |member| {
        member.required = true;
        member.rules.maximum = bound("50", false);
    });
    let mut column = array(Some(item));
    column.rules.min_items = Some(1);
    column.rules.max_items = Some(3);
    column.rules.unique_items = true;
    check(
        column,
        &[
            ("[1, 2,3]", "="),
            ("[]", "too_few_items | a: minItems 1 | []"),
            ("[1,2,3,4]", "too_many_items | a: maxItems 3 | [1,2,3,4]"),
            ("[1,51]", "above_maximum | a[1]: maximum 50 | 51"),
            ("[null]", "missing_required | a[0]: required | -"),
            ("[10,1e1]", "duplicate_item | a: uniqueItems | [10,1e1]"),
            ("{}", "wrong_type | a JSON array | {}"),
        ],
    );
}

#[test]
fn equal_items_are_detected_in_any_notation() {
    let mut column = array(None);
    column.rules.unique_items = true;
    let has_duplicate = |document: &str| {
        results(&read_documents(column.clone(), &[document]), 1)[0].starts_with("duplicate_item")
    };
    for document in [
        r#"[0,-0.0]"#,
        r#"[100,1e2]"#,
        r#"[0.0120,12E-3]"#,
        r#"["a","\u0061"]"#,
        r#"[{"a":1,"b":[2]},{"b":[2.0],"\u0061":1}]"#,
        r#"[[],[ ]]"#,
        r#"[null,1,null]"#,
    ] {
        assert!(has_duplicate(document), "{document}");
    }
    for document in [
        r#"[1,"1"]"#,
        r#"[1,10,0.1]"#,
        r#"[1,-1]"#,
        r#"[true,"t",false,null]"#,
        r#"[[1,2],[12],[[1],2]]"#,
        r#"[{"a":"b"},{"ab":""},{"a":"b","c":1}]"#,
        r#"[{},[],""]"#,
        "[9007199254740993,9007199254740992]",
    ] {
        assert!(!has_duplicate(document), "{document}");
    }
}

#[test]
fn members_are_counted_and_required_ones_are_checked() {
    let mut column = object(vec![with(member("zip", LogicalType::String), |member| {
        member.physical_name = "postcode".to_owned()
    })]);
    column.rules.min_properties = Some(1);
    column.rules.max_properties = Some(2);
    column.rules.required_properties = strings(&["postcode"]);
    check(
        column,
        &[
            (r#"{"postcode":null}"#, r#"{"zip":null}"#),
            ("{}", "missing_member | a: required postcode | -; too_few_members | a: minProperties 1 | {}"),
            (r#"{"zip":"1"}"#, "missing_member | a: required postcode | -"),
            (
                r#"{"postcode":"1","b":1,"c":2}"#,
                r#"too_many_members | a: maxProperties 2 | {"postcode":"1","b":1,"c":2}"#,
            ),
        ],
    );
}

#[test]
fn reasons_have_a_path_and_do_not_show_classified_values() {
    let size = with(member("", LogicalType::Number), |member| member.rules.minimum = bound("0", true));
    let sizes = member("sizes", LogicalType::Array { items: Some(Box::new(size)) });
    let row = member("", LogicalType::Object { properties: vec![sizes] });
    let mut column = object(vec![member("rows", LogicalType::Array { items: Some(Box::new(row)) })]);
    let document = r#"{"rows":[{}, {"sizes":[1,2,0]}]}"#;
    check(column.clone(), &[(document, "below_minimum | a.rows[1].sizes[2]: exclusiveMinimum 0 | 0")]);
    column.classification = Some("confidential".to_owned());
    check(column, &[(document, "below_minimum | a.rows[1].sizes[2]: exclusiveMinimum 0 | -")]);
}

#[test]
fn a_document_in_a_delimited_file_is_checked_against_the_same_rules() {
    let weight = with(member("weight", LogicalType::Integer), |member| member.physical_name = "w".to_owned());
    let file = "a\n\" {\"\"w\"\": 5} \"\n\"{\"\"w\"\":\"\"\\t\"\"}\"\n";
    let outcome = read(&contract(crate::support::csv(), vec![object(vec![weight])]), file);
    assert_eq!(outcome.values(), [["{\"weight\": 5}"]]);
    assert_eq!(outcome.reject_summary(), ["2@3 not_an_integer:a"]);
}

#[test]
fn two_members_must_not_read_the_same_key() {
    let twice = vec![
        member("b", LogicalType::String),
        with(member("c", LogicalType::String), |member| member.physical_name = "b".to_owned()),
    ];
    let error =
        penstock_engine::Plan::compile(&contract(FormatKind::Ndjson, vec![object(twice)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `a`: two members read the key `b`; each key can be read by one member only"
    );
}
