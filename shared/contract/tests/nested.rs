//! Objects and arrays are read with all their members, and other types with their options.

use penstock_contract::*;

fn parsed(api_version: &str, property: &str) -> Contract {
    let text = format!(
        "apiVersion: {api_version}\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: ndjson}}]\n\
         schema:\n  - name: a\n    properties:\n      - {property}\n"
    );
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn column(property: &str) -> Column {
    parsed("v3.1.0", property).entity.columns.remove(0)
}

fn date_format(pattern: &str) -> DateFormat {
    DateFormat::of_dates(pattern).or_else(|_| DateFormat::of_times(pattern)).expect("a pattern")
}

fn member(name: &str, logical_type: LogicalType) -> Nested {
    Nested {
        name: name.to_owned(),
        physical_name: name.to_owned(),
        logical_type,
        required: false,
        rules: Rules::default(),
    }
}

#[test]
fn an_object_has_its_members_to_any_depth() {
    let address = column(
        "{name: address, logicalType: object, logicalTypeOptions: {minProperties: 1, maxProperties: 5, required: [zip, city]}, properties: [\
         {name: zip, physicalName: postcode, logicalType: string, logicalTypeOptions: {maxLength: 9}, required: true}, \
         {name: lines, logicalType: array, logicalTypeOptions: {minItems: 1, maxItems: 3, uniqueItems: true}, items: {logicalType: string}}, \
         {name: since, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}, \
         {name: any, logicalType: object}]}",
    );
    assert_eq!(address.sql_type, SqlType::Jsonb);
    assert_eq!((address.rules.min_properties, address.rules.max_properties), (Some(1), Some(5)));
    assert_eq!(address.rules.required_properties, ["zip", "city"]);
    let zip = Nested {
        physical_name: "postcode".to_owned(),
        required: true,
        rules: Rules { max_length: Some(9), ..Rules::default() },
        ..member("zip", LogicalType::String)
    };
    let lines = Nested {
        rules: Rules { min_items: Some(1), max_items: Some(3), unique_items: true, ..Rules::default() },
        ..member("lines", LogicalType::Array { items: Some(Box::new(member("", LogicalType::String))) })
    };
    let since = member("since", LogicalType::Date { format: Some(date_format("dd.MM.yyyy")) });
    let any = member("any", LogicalType::Object { properties: vec![] });
    assert_eq!(address.logical_type, LogicalType::Object { properties: vec![zip, lines, since, any] });
}

#[test]
fn the_allowed_values_of_a_member_are_those_of_its_check() {
    let sizes = column(
        "{name: sizes, logicalType: array, items: {logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [S, M]}, mustBe: 0}]}}",
    );
    let LogicalType::Array { items: Some(items) } = sizes.logical_type else { panic!("{sizes:?}") };
    assert_eq!(items.rules.allowed, ["S", "M"]);
}

#[test]
fn a_classified_member_makes_the_whole_column_classified() {
    let deep = "{name: a, logicalType: object, properties: [{name: b, logicalType: array, items: {logicalType: object, \
                properties: [{name: c, logicalType: string, classification: pii}]}}]}";
    assert_eq!(column(deep).classification.as_deref(), Some("pii"));
    let own = deep.replace("{name: a, ", "{name: a, classification: secret, ");
    assert_eq!(column(&own).classification.as_deref(), Some("secret"));
}

#[test]
fn a_member_without_a_logical_type_has_the_one_of_its_physical_type() {
    let item = |text: &str| {
        let column = column(&format!("{{name: a, logicalType: array, items: {{{text}}}}}"));
        let LogicalType::Array { items: Some(items) } = column.logical_type else { panic!("{column:?}") };
        items.logical_type
    };
    assert_eq!(item("physicalType: numeric(3)"), LogicalType::Number);
    assert_eq!(item("logicalType: string, physicalType: whatever it is called there"), LogicalType::String);
}

#[test]
fn times_of_day_have_a_format_and_bounds() {
    for (options, format) in [
        ("{}", None),
        ("{format: 'HH:mm:ss'}", Some(date_format("HH:mm:ss"))),
        ("{format: 'HH:mm:ss.SSS'}", Some(date_format("HH:mm:ss.SSS"))),
        ("{format: 'hh:mm a'}", Some(date_format("hh:mm a"))),
    ] {
        let column = column(&format!("{{name: a, logicalType: time, logicalTypeOptions: {options}}}"));
        let expected = LogicalType::Time { format };
        assert_eq!((column.logical_type, column.sql_type), (expected, SqlType::Time), "{options}");
    }
    let open = column(
        "{name: a, logicalType: time, logicalTypeOptions: {minimum: '08:00', exclusiveMaximum: '18:00:00.5'}}",
    );
    let bound = |value: &str, exclusive| Some(Bound { value: value.to_owned(), exclusive });
    assert_eq!((open.rules.minimum, open.rules.maximum), (bound("08:00", false), bound("18:00:00.5", true)));
    assert_eq!(column("{name: a, physicalType: time}").logical_type, LogicalType::Time { format: None });
}

#[test]
fn version_3_0_writes_timestamps_and_times_as_dates() {
    for (property, sql) in [
        ("{name: a, logicalType: date}", SqlType::Date),
        ("{name: a, logicalType: date, logicalTypeOptions: {format: yyyy-MM-dd}}", SqlType::Date),
        (
            "{name: a, logicalType: date, logicalTypeOptions: {format: 'yyyy-MM-dd HH:mm:ss'}}",
            SqlType::Timestamptz,
        ),
        ("{name: a, logicalType: date, logicalTypeOptions: {format: 'HH:mm:ss'}}", SqlType::Time),
        ("{name: a, logicalType: date, physicalType: timestamp}", SqlType::Timestamp),
        ("{name: a, logicalType: date, physicalType: time}", SqlType::Time),
    ] {
        assert_eq!(parsed("v3.0.2", property).entity.columns[0].sql_type, sql, "{property}");
    }
}

#[test]
fn a_string_has_the_format_that_the_standard_names() {
    for (format, expected, sql) in [
        ("email", Some(StringFormat::Email), SqlType::Text),
        ("uuid", Some(StringFormat::Uuid), SqlType::Uuid),
        ("ipv6", Some(StringFormat::Ipv6), SqlType::Text),
        ("vat-eu", Some(StringFormat::VatEu), SqlType::Text),
        ("iban of the customer", None, SqlType::Text),
        ("isin", None, SqlType::Text),
    ] {
        let column =
            column(&format!("{{name: a, logicalType: string, logicalTypeOptions: {{format: {format}}}}}"));
        assert_eq!((column.rules.format, column.sql_type), (expected, sql), "{format}");
    }
}

#[test]
fn a_pseudonymised_column_is_text_and_keeps_the_rules_of_the_plain_value() {
    let column = column(
        "{name: a, logicalType: string, logicalTypeOptions: {format: uuid, maxLength: 36}, customProperties: [{property: penstock.pseudonymise, value: true}]}",
    );
    assert!(column.pseudonymise);
    assert_eq!(column.sql_type, SqlType::Text);
    assert_eq!((column.rules.format, column.rules.max_length), (Some(StringFormat::Uuid), Some(36)));
}

#[test]
fn the_treatment_of_irregular_files_is_read() {
    let with = |list: &str| {
        let text = format!("{{name: a, logicalType: string}}\n    customProperties: [{list}]");
        let contract = parsed("v3.1.0", &text);
        (contract.unexpected_columns, contract.missing_columns, contract.overwrite)
    };
    assert_eq!(with(""), (UnexpectedColumns::Rescue, MissingColumns::Refuse, Overwrite::Add));
    let all = "{property: penstock.unexpectedColumns, value: reject}, {property: penstock.missingColumns, value: null}, \
               {property: penstock.overwrite, value: keep}";
    assert_eq!(with(all), (UnexpectedColumns::Reject, MissingColumns::Null, Overwrite::Keep));
    let quoted =
        all.replace("value: null", "value: 'null'").replace("reject", "ignore").replace("keep", "replace");
    assert_eq!(with(&quoted), (UnexpectedColumns::Ignore, MissingColumns::Null, Overwrite::Replace));
}

#[test]
fn a_contract_of_version_3_0_is_read_as_it_is_meant() {
    let contract = parse("older.yaml", include_str!("golden/version-3.0.yaml")).expect("valid");
    let columns = &contract.entity.columns;
    let types: Vec<String> = columns.iter().map(|column| column.sql_type.to_string()).collect();
    assert_eq!(types, ["bigint", "timestamptz", "time", "jsonb"]);
    assert!(columns[0].rules.minimum.as_ref().is_some_and(|bound| bound.exclusive));
    let checks: Vec<String> = contract.quality.iter().map(ToString::to_string).collect();
    assert_eq!(
        checks,
        [
            "the percentage of rows that repeat the values of an earlier row is less than 1",
            "the number of rows is more than 0"
        ]
    );
}
