//! Styles of negative numbers and percentages, in delimited text and JSON.

use penstock_contract::*;

use crate::support::{column, contract, csv, read};

fn styled(name: &str, sql_type: SqlType, negative: NegativeStyle, percent: Option<PercentStyle>) -> Column {
    let is_whole = matches!(sql_type, SqlType::Bigint);
    let logical_type = if is_whole { LogicalType::Integer } else { LogicalType::Number };
    let mut column = column(name, logical_type, sql_type);
    column.harmonise.negative = negative;
    column.harmonise.percent = percent;
    column
}

#[test]
fn accounting_formats_are_read_with_their_separators() {
    let mut amount = styled("amount", SqlType::Numeric(Some((12, 2))), NegativeStyle::Any, None);
    amount.harmonise.decimal_separator = Some(',');
    amount.harmonise.group_separator = Some('.');
    let contract = contract(
        csv(),
        vec![
            styled("id", SqlType::Bigint, NegativeStyle::Trailing, None),
            amount,
            styled(
                "rate",
                SqlType::DoublePrecision,
                NegativeStyle::Parentheses,
                Some(PercentStyle::Fraction),
            ),
        ],
    );
    let file = "id;amount;rate\n\
                1;(1.234,50);7%\n\
                2-;1.234,50-;(12,5%)\n\
                3;-0,5; (12.5 %) \n\
                -4;(1,00;7\n\
                5;--1;7%%\n";
    let outcome = read(&contract, file);
    assert_eq!(outcome.values(), [["1", "-1234.50", "0.07"], ["3", "-0.5", "-0.125"]]);
    assert_eq!(
        outcome.reject_summary(),
        [
            "2@3 not_a_number:rate",
            "4@5 not_an_integer:id not_a_number:amount not_a_number:rate",
            "5@6 not_a_number:amount not_a_number:rate",
        ]
    );
    let rule = |reject: usize, reason: usize| outcome.rejects[reject].reasons[reason].rule.to_string();
    assert_eq!(rule(0, 0), "a decimal number and `%`, negative numbers as in (12)");
    assert_eq!(rule(1, 0), "a whole number, negative numbers as in 12-");
    assert_eq!(rule(1, 1), "a decimal number, negative numbers as in -12, 12- or (12)");
}

#[test]
fn percentage_bounds_and_defaults_are_plain_numbers() {
    let mut rate =
        styled("rate", SqlType::Numeric(Some((6, 4))), NegativeStyle::Leading, Some(PercentStyle::Fraction));
    rate.rules.maximum = Some(Bound { value: "0.5".to_owned(), exclusive: false });
    rate.harmonise.default = Some("0.19".to_owned());
    let contract = contract(csv(), vec![styled("id", SqlType::Bigint, NegativeStyle::Leading, None), rate]);
    let outcome = read(&contract, "id,rate\n1,50%\n2,51%\n3,\n4,0.19\n");
    assert_eq!(outcome.values(), [["1", "0.50"], ["3", "0.19"]]);
    assert_eq!(outcome.reject_summary(), ["2@3 above_maximum:rate", "4@5 not_a_number:rate"]);
}

#[test]
fn styles_apply_to_json_strings_and_not_to_json_numbers() {
    let styles = [("fraction", PercentStyle::Fraction), ("points", PercentStyle::Points)];
    let columns = styles
        .map(|(name, style)| styled(name, SqlType::Numeric(None), NegativeStyle::Parentheses, Some(style)));
    let file = "{\"fraction\":0.07,\"points\":-7}\n\
                {\"fraction\":\"7%\",\"points\":\"(7%)\"}\n\
                {\"fraction\":\"0.07\",\"points\":\"-7%\"}\n";
    let outcome = read(&contract(FormatKind::Ndjson, columns.into()), file);
    assert_eq!(outcome.values(), [["0.07", "-7"], ["0.07", "-7"]]);
    assert_eq!(outcome.reject_summary(), ["3@3 not_a_number:fraction not_a_number:points"]);
}
