//! The types of the model carry what a contract declares.

use penstock_contract::*;

/// Returns a contract with these properties of its entity, and this text before `schema`.
fn contract(api_version: &str, head: &str, properties: &str) -> Contract {
    let text = format!(
        "apiVersion: {api_version}\nkind: DataContract\nid: shop\nname: shop\nversion: 1.2.3-rc.1\nstatus: active\n\
         servers:\n  - {{server: raw, type: s3, location: 's3://raw/shop/', format: csv}}\n{head}\
         schema:\n  - name: products\n    properties:\n{properties}"
    );
    parse("shop.yaml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn column(property: &str) -> Column {
    let contract = contract("v3.1.0", "", &format!("      - {property}\n"));
    contract.entity.columns.into_iter().next().expect("one column")
}

fn date_format(pattern: &str) -> DateFormat {
    DateFormat::of_dates(pattern).or_else(|_| DateFormat::of_times(pattern)).expect("a pattern")
}

fn bound(value: &str, exclusive: bool) -> Option<Bound> {
    Some(Bound { value: value.to_owned(), exclusive })
}

#[test]
fn omitted_settings_have_defaults() {
    let contract = contract("v3.1.0", "", "      - {name: id, logicalType: string}\n");
    assert_eq!(contract.source, "shop");
    assert_eq!(contract.version, "1.2.3-rc.1");
    assert_eq!(
        contract.entity.table,
        TableName { schema: "public".to_owned(), table: "products".to_owned() }
    );
    assert_eq!(
        contract.load,
        Load { mode: WriteMode::Append, event_time: None, priority: 0, route: Route::Auto }
    );
    assert_eq!(contract.max_rejects, MaxRejects { rows: None, percent: Some(10.0) });
    assert_eq!(
        contract.format,
        Format {
            kind: FormatKind::Delimited(DelimitedDialect::default()),
            encoding: None,
            compression: None,
            null_values: vec![],
            header_case: HeaderCase::Sensitive,
            empty_file: None,
        }
    );
    let column = &contract.entity.columns[0];
    assert_eq!(column.physical_name, "id");
    assert_eq!(column.harmonise, Harmonise { trim: true, ..Harmonise::default() });
    assert!(!column.required && !column.unique && column.classification.is_none());
}

#[test]
fn a_key_is_in_the_order_of_its_positions_and_makes_upsert_the_default() {
    let contract = contract(
        "v3.1.0",
        "",
        "      - {name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 2}\n\
         \x20     - {name: title, logicalType: string}\n\
         \x20     - {name: source, logicalType: string, primaryKey: true, primaryKeyPosition: 1}\n",
    );
    assert_eq!(contract.entity.key, [2, 0]);
    assert_eq!(contract.load.mode, WriteMode::Upsert);
    assert!(contract.entity.columns[0].required && !contract.entity.columns[1].required);
}

#[test]
fn settings_are_read_from_the_contract_and_from_its_entity() {
    let head = "customProperties:\n  - {property: penstock.maxRejects, value: 5}\n  - {property: penstock.route, value: spark}\n\
                \x20 - {property: someone.else, value: {any: thing}}\n";
    let contract = contract(
        "v3.1.0",
        head,
        "      - {name: id, logicalType: string}\n    customProperties:\n      - {property: penstock.priority, value: -7}\n",
    );
    assert_eq!(contract.max_rejects, MaxRejects { rows: Some(5), percent: None });
    assert_eq!((contract.load.route, contract.load.priority), (Route::Spark, -7));
}

#[test]
fn physical_types_are_derived_from_logical_types_and_conversely() {
    for (property, logical, sql) in [
        ("{name: a, logicalType: string}", LogicalType::String, SqlType::Text),
        (
            "{name: a, logicalType: string, logicalTypeOptions: {format: uuid}}",
            LogicalType::String,
            SqlType::Uuid,
        ),
        ("{name: a, logicalType: integer}", LogicalType::Integer, SqlType::Bigint),
        (
            "{name: a, logicalType: integer, logicalTypeOptions: {format: i32}}",
            LogicalType::Integer,
            SqlType::Integer,
        ),
        ("{name: a, logicalType: number}", LogicalType::Number, SqlType::Numeric(None)),
        (
            "{name: a, logicalType: number, logicalTypeOptions: {format: f64}}",
            LogicalType::Number,
            SqlType::DoublePrecision,
        ),
        (
            "{name: a, logicalType: number, physicalType: 'decimal(12, 2)'}",
            LogicalType::Number,
            SqlType::Numeric(Some((12, 2))),
        ),
        ("{name: a, logicalType: boolean}", LogicalType::Boolean, SqlType::Boolean),
        ("{name: a, logicalType: date}", LogicalType::Date { format: None }, SqlType::Date),
        (
            "{name: a, logicalType: date, logicalTypeOptions: {format: yyyy-MM-dd}}",
            LogicalType::Date { format: None },
            SqlType::Date,
        ),
        (
            "{name: a, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}",
            LogicalType::Date { format: Some(date_format("dd.MM.yyyy")) },
            SqlType::Date,
        ),
        ("{name: a, logicalType: object}", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
        ("{name: a, logicalType: array}", LogicalType::Array { items: None }, SqlType::Jsonb),
        ("{name: a, physicalType: smallint}", LogicalType::Integer, SqlType::Smallint),
        ("{name: a, physicalType: uuid}", LogicalType::String, SqlType::Uuid),
    ] {
        let column = column(property);
        assert_eq!((column.logical_type, column.sql_type), (logical, sql), "{property}");
    }
    assert_eq!(
        column(
            "{name: a, logicalType: string, physicalType: varchar(20), logicalTypeOptions: {maxLength: 30}}"
        )
        .rules
        .max_length,
        Some(20)
    );
}

#[test]
fn points_in_time_have_a_format_and_a_time_zone() {
    for (options, format, zone) in [
        ("{}", None, "UTC"),
        ("{format: yyyy-MM-ddTHH:mm:ssZ}", Some(date_format("yyyy-MM-ddTHH:mm:ssZ")), "UTC"),
        (
            "{format: \"yyyy-MM-dd'T'HH:mm:ss.SSSXXX\"}",
            Some(date_format("yyyy-MM-dd'T'HH:mm:ss.SSSXXX")),
            "UTC",
        ),
        (
            "{format: 'dd.MM.yyyy HH:mm:ss', defaultTimezone: Europe/Berlin}",
            Some(date_format("dd.MM.yyyy HH:mm:ss")),
            "Europe/Berlin",
        ),
        (
            "{format: 'yyyy-MM-dd HH:mm:ssXXX', timezone: true}",
            Some(date_format("yyyy-MM-dd HH:mm:ssXXX")),
            "UTC",
        ),
    ] {
        let column = column(&format!("{{name: a, logicalType: timestamp, logicalTypeOptions: {options}}}"));
        let expected = LogicalType::Timestamp { format, default_timezone: zone.to_owned() };
        assert_eq!((column.logical_type, column.sql_type), (expected, SqlType::Timestamptz), "{options}");
    }
}

#[test]
fn bounds_are_plain_decimals_inclusive_or_exclusive() {
    for (options, minimum, maximum) in [
        ("{minimum: 0, maximum: 1e6}", bound("0", false), bound("1000000", false)),
        ("{exclusiveMinimum: -0.50}", bound("-0.5", true), None),
        ("{exclusiveMaximum: 7}", None, bound("7", true)),
    ] {
        let rules = column(&format!("{{name: a, logicalType: number, logicalTypeOptions: {options}}}")).rules;
        assert_eq!((rules.minimum, rules.maximum), (minimum, maximum), "{options}");
    }
    let narrowed = column(
        "{name: a, logicalType: integer, logicalTypeOptions: {format: u8, minimum: 10, maximum: 1000}}",
    );
    assert_eq!(narrowed.rules.minimum, bound("10", false));
    assert_eq!(narrowed.rules.maximum, bound("255", false));
    let dates =
        column("{name: a, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy, minimum: 2020-01-01}}");
    assert_eq!(dates.rules.minimum, bound("2020-01-01", false));
}

#[test]
fn version_3_0_of_the_standard_has_boolean_exclusive_bounds() {
    let property = "      - {name: a, logicalType: number, logicalTypeOptions: {minimum: 0, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false}}\n";
    let rules = contract("v3.0.2", "", property).entity.columns[0].rules.clone();
    assert_eq!((rules.minimum, rules.maximum), (bound("0", true), bound("9", false)));
    let newer = "      - {name: a, logicalType: number, logicalTypeOptions: {exclusiveMaximum: 9}}\n";
    assert_eq!(contract("v3.0.2", "", newer).entity.columns[0].rules.maximum, bound("9", true));
}

#[test]
fn allowed_values_are_those_of_the_quality_check_that_no_row_may_fail() {
    let allowed =
        |check: &str| column(&format!("{{name: a, logicalType: string, quality: [{check}]}}")).rules.allowed;
    assert_eq!(
        allowed("{metric: invalidValues, arguments: {validValues: [A, null, '', 2]}, mustBe: 0}"),
        ["A", "2"]
    );
    assert!(
        allowed("{metric: invalidValues, arguments: {validValues: [A]}, mustBeLessThan: 5, unit: percent}")
            .is_empty()
    );
    assert!(allowed("{metric: duplicateValues, mustBe: 0}").is_empty());
    let pattern = column(
        "{name: a, logicalType: string, quality: [{metric: invalidValues, arguments: {pattern: '^x'}, mustBe: 0}]}",
    );
    assert_eq!(pattern.rules.pattern.as_deref(), Some("^x"));
}

#[test]
fn harmonising_is_read_from_custom_properties() {
    let custom = |list: &str, logical: &str| {
        column(&format!("{{name: a, logicalType: {logical}, customProperties: [{list}]}}")).harmonise
    };
    let text = custom(
        "{property: penstock.trim, value: false}, {property: penstock.nullValues, value: [n/a, 0.0]}, \
         {property: penstock.extract, value: '([a-z]+)'}, {property: penstock.case, value: upper}, {property: penstock.default, value: NONE}",
        "string",
    );
    assert_eq!(
        text,
        Harmonise {
            trim: false,
            null_values: vec!["n/a".to_owned(), "0.0".to_owned()],
            extract: Some("([a-z]+)".to_owned()),
            case: Some(Case::Upper),
            default: Some("NONE".to_owned()),
            ..Harmonise::default()
        }
    );
    let number = custom(
        "{property: penstock.decimalSeparator, value: ','}, {property: penstock.groupSeparator, value: '.'}",
        "number",
    );
    assert_eq!((number.decimal_separator, number.group_separator), (Some(','), Some('.')));
    assert_eq!((number.negative, number.percent), (NegativeStyle::Leading, None));
    let accounting = custom(
        "{property: penstock.negative, value: parentheses}, {property: penstock.percent, value: fraction}",
        "integer",
    );
    assert_eq!(
        (accounting.negative, accounting.percent),
        (NegativeStyle::Parentheses, Some(PercentStyle::Fraction))
    );
    let boolean = custom(
        "{property: penstock.trueValues, value: [ja]}, {property: penstock.falseValues, value: [nein]}",
        "boolean",
    );
    assert_eq!((boolean.true_values, boolean.false_values), (vec!["ja".to_owned()], vec!["nein".to_owned()]));
}

#[test]
fn the_dialect_is_read_from_the_server() {
    let text = |format: &str, custom: &str| {
        format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
             servers: [{{server: raw, type: s3, location: 's3://raw/a/', {format}, customProperties: [{custom}]}}]\n\
             schema: [{{name: a, properties: [{{name: a, logicalType: string}}]}}]\n"
        )
    };
    let format = |format: &str, custom: &str| parse("a.yaml", &text(format, custom)).expect("valid").format;
    let delimited = |dialect| FormatKind::Delimited(dialect);
    assert_eq!(
        format("format: csv", "{property: penstock.delimiter, value: '|'}, {property: penstock.quote, value: none}, {property: penstock.header, value: false}").kind,
        delimited(DelimitedDialect { delimiter: Some("|".to_owned()), quote: Some(Quote::None), header: Some(false), ..DelimitedDialect::default() })
    );
    assert_eq!(
        format(
            "format: tsv",
            "{property: penstock.quote, value: \"'\"}, {property: penstock.escape, value: \"\\\\\"}"
        )
        .kind,
        delimited(DelimitedDialect {
            delimiter: Some("\t".to_owned()),
            quote: Some(Quote::Byte(b'\'')),
            escape: Some(b'\\'),
            ..DelimitedDialect::default()
        })
    );
    assert_eq!(
        format(
            "format: csv",
            "{property: penstock.delimiter, value: '||'}, {property: penstock.headerRows, value: 2}, {property: penstock.skipLines, value: 3}, {property: penstock.comment, value: '#'}, {property: penstock.ragged, value: pad}"
        )
        .kind,
        delimited(DelimitedDialect {
            delimiter: Some("||".to_owned()),
            header_rows: Some(2),
            skip_lines: Some(3),
            comment: Some("#".to_owned()),
            ragged: Ragged::Pad,
            ..DelimitedDialect::default()
        })
    );
    assert_eq!(
        format(
            "format: delimited",
            "{property: penstock.quote, value: '\"'}, {property: penstock.escape, value: '\"'}"
        )
        .kind,
        delimited(DelimitedDialect {
            quote: Some(Quote::Byte(b'"')),
            escape: Some(b'"'),
            ..DelimitedDialect::default()
        })
    );
    assert_eq!(
        format(
            "format: csv",
            "{property: penstock.ragged, value: truncate}, {property: penstock.blankRows, value: reject}, {property: penstock.repeatedHeaders, value: keep}"
        )
        .kind,
        delimited(DelimitedDialect {
            ragged: Ragged::Truncate,
            blank_rows: BlankRows::Reject,
            repeated_headers: RepeatedHeaders::Keep,
            ..DelimitedDialect::default()
        })
    );
    for kind in ["csv", "parquet", "avro"] {
        let custom = "{property: penstock.headerCase, value: insensitive}, {property: penstock.emptyFile, value: accept}";
        let format = format(&format!("format: {kind}"), custom);
        assert_eq!(
            (format.header_case, format.empty_file),
            (HeaderCase::Insensitive, Some(EmptyFile::Accept))
        );
    }
    assert_eq!(
        format("format: ndjson", "{property: penstock.emptyFile, value: refuse}").empty_file,
        Some(EmptyFile::Refuse)
    );
    assert_eq!(format("format: json, delimiter: new_line", "").kind, FormatKind::Ndjson);
    assert_eq!(format("format: json, delimiter: array", "").kind, FormatKind::JsonArray { path: vec![] });
    assert_eq!(
        format("format: json, delimiter: array", "{property: penstock.path, value: $.data.items}").kind,
        FormatKind::JsonArray { path: vec!["data".to_owned(), "items".to_owned()] }
    );
    assert_eq!(format("format: parquet", "").kind, FormatKind::Parquet);
    assert_eq!(
        format("format: avro", "{property: penstock.compression, value: gzip}").kind,
        FormatKind::Avro
    );
    let ndjson = format(
        "format: ndjson",
        "{property: penstock.encoding, value: utf-16le}, {property: penstock.compression, value: zstd}, {property: penstock.nullValues, value: [NULL, '-']}",
    );
    assert_eq!((ndjson.encoding.as_deref(), ndjson.compression), (Some("utf-16le"), Some(Compression::Zstd)));
}

#[test]
fn parts_of_the_standard_that_are_not_used_are_accepted() {
    let head = "description: {purpose: p, usage: u, limitations: l}\ntags: [a]\ndomain: d\ntenant: t\ndataProduct: p\n\
                team: {name: t, members: [{username: u}]}\nroles: [{role: r, access: read}]\n\
                price: {priceAmount: 9.95, priceCurrency: USD}\nsupport: [{channel: c, url: https://c.example}]\n\
                slaProperties: [{property: latency, value: 4, unit: d, element: t.c}]\n\
                authoritativeDefinitions: [{url: https://d.example, type: tutorial}]\ncontractCreatedTs: '2024-01-01T00:00:00Z'\n";
    let property = "      - {name: a, logicalType: object, businessName: A, encryptedName: b, partitioned: true, partitionKeyPosition: 1, \
                    criticalDataElement: true, examples: [1, x], transformLogic: x, tags: [pii], properties: [{name: b, logicalType: time}], \
                    quality: [{type: sql, query: select 1, mustBeBetween: [1, 2]}, {type: text, description: d}]}\n\
                    \x20     - {name: c, logicalType: array, items: {logicalType: string}, logicalTypeOptions: {minItems: 1}}\n";
    assert_eq!(contract("v3.1.0", head, property).entity.columns.len(), 3);
    let team = "team: [{username: u, role: owner}]\n";
    assert_eq!(contract("v3.0.2", team, "      - {name: a, logicalType: string}\n").entity.columns.len(), 2);
}

#[test]
fn anchors_and_aliases_are_expanded() {
    let properties = "      - {name: a, logicalType: string, customProperties: &c [{property: penstock.case, value: upper}]}\n\
                      \x20     - {name: b, logicalType: string, customProperties: *c}\n";
    assert_eq!(contract("v3.1.0", "", properties).entity.columns[1].harmonise.case, Some(Case::Upper));
}

#[test]
fn booleans_of_systems_without_a_boolean_type_have_the_spellings_of_their_type() {
    let spellings = |physical: &str, custom: &str| {
        let column = column(&format!(
            "{{name: a, logicalType: boolean, physicalType: '{physical}', customProperties: [{custom}]}}"
        ));
        assert_eq!(column.sql_type, SqlType::Boolean, "{physical}");
        [column.harmonise.true_values.join(" "), column.harmonise.false_values.join(" ")]
    };
    for (physical, [trues, falses]) in [
        ("boolean", ["", ""]),
        ("tinyint(1)", ["1", "0"]),
        ("TINYINT", ["1", "0"]),
        ("tinyint(1) unsigned", ["1", "0"]),
        ("byteint", ["1", "0"]),
        ("bit", ["1", "0"]),
        ("bit(1)", ["1", "0"]),
        ("NUMBER(1)", ["1", "0"]),
        ("numeric(1,0)", ["1", "0"]),
        ("char(1)", ["1 Y", "0 N"]),
        ("CHAR", ["1 Y", "0 N"]),
        ("nchar(1)", ["1 Y", "0 N"]),
        ("character(1)", ["1 Y", "0 N"]),
    ] {
        assert_eq!(spellings(physical, ""), [trues, falses], "{physical}");
    }
    for (custom, [trues, falses]) in [
        ("{property: penstock.trueValues, value: [J]}", ["J 1 Y", "0 N"]),
        ("{property: penstock.trueValues, value: [y]}", ["y 1", "0 N"]),
        // Spellings of the contract have precedence.
        (
            "{property: penstock.trueValues, value: ['0']}, {property: penstock.falseValues, value: ['1']}",
            ["0 Y", "1 N"],
        ),
        ("{property: penstock.nullValues, value: [N]}", ["1 Y", "0"]),
    ] {
        assert_eq!(spellings("char(1)", custom), [trues, falses], "{custom}");
    }
}

#[test]
fn key_columns_without_positions_or_with_equal_ones_keep_the_order_of_the_contract() {
    let key = |positions: [&str; 3]| {
        let column = |(name, position): (&str, &str)| {
            format!("      - {{name: {name}, logicalType: string, primaryKey: true{position}}}\n")
        };
        let columns: String = ["a", "b", "c"].into_iter().zip(positions).map(column).collect();
        contract("v3.1.0", "", &columns).entity.key
    };
    let at = |position: i32| format!(", primaryKeyPosition: {position}");
    for (positions, expected) in [
        ([String::new(), String::new(), String::new()], vec![0, 1, 2]),
        ([at(-1), at(-1), at(-1)], vec![0, 1, 2]),
        ([at(1), at(1), at(1)], vec![0, 1, 2]),
        ([at(2), at(1), at(1)], vec![1, 2, 0]),
        ([at(2), at(1), at(0)], vec![2, 1, 0]),
    ] {
        let positions = [&*positions[0], &*positions[1], &*positions[2]];
        assert_eq!(key(positions), expected, "{positions:?}");
    }
}
