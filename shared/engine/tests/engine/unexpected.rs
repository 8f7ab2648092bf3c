//! Columns and members that the file has and the contract does not.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Limits, Plan, PseudonymKey};

use crate::support::{contract, csv, read, read_plan, required, text};

fn rescuing(kind: FormatKind) -> Contract {
    contract(kind, vec![required(text("id")), Column::rescued()])
}

#[test]
fn unexpected_columns_are_rescued_by_name() {
    let outcome = read(&rescuing(csv()), "a \"b\",id,empty,c\n\"x\ty\",1,,2\n,2, ,\n");
    assert_eq!(outcome.values(), [["1", r#"{"a \"b\"":"x\ty","c":"2"}"#], ["2", "NULL"]]);
}

#[test]
fn unexpected_members_are_rescued_verbatim() {
    let file = "{\"id\":\"1\",\"k\\u0031\":[1.50,null],\"n\":null}\n{\"id\":\"2\",\"x\":\"\\u0000\"}\n{\"id\":\"3\"}\n";
    let outcome = read(&rescuing(FormatKind::Ndjson), file);
    assert_eq!(outcome.values(), [["1", r#"{"k\u0031":[1.50,null]}"#], ["3", "NULL"]]);
    assert_eq!(outcome.reject_summary(), ["2@2 nul_character:_rescued"]);
}

#[test]
fn unexpected_columns_are_rejected_or_ignored_if_the_contract_says_so() {
    let mut strict = contract(csv(), vec![required(text("id"))]);
    strict.unexpected_columns = UnexpectedColumns::Reject;
    let outcome = read(&strict, "id,colour,size\n1,,\n2,red,\n,red,4\n");
    assert_eq!(
        outcome.reject_summary(),
        ["2@3 unexpected_column", "3@4 unexpected_column missing_required:id"]
    );
    assert_eq!(outcome.rejects[1].reasons[0].found.as_deref(), Some("colour, size"));
    strict.unexpected_columns = UnexpectedColumns::Ignore;
    assert_eq!(read(&strict, "id,colour\n1,red\n").values(), [["1"]]);
}

#[test]
fn unexpected_values_are_hidden_if_a_column_is_pseudonymised() {
    let mail = Column { pseudonymise: true, ..text("mail") };
    let columns = vec![required(text("id")), mail, Column::rescued()];
    let key = PseudonymKey::new(&[7; 32]).unwrap();
    for (kind, file) in [
        (FormatKind::Ndjson, "{\"id\":\"1\",\"e-mail\":\"anna\"}\n{\"e-mail\":\"anna\"}\n"),
        (csv(), "id,mail,e-mail\n1,,anna\n,,anna\n"),
    ] {
        let plan = Plan::compile_with(&contract(kind, columns.clone()), Some(&key)).unwrap();
        let outcome = read_plan(&Arc::new(plan), Limits::default(), file.as_bytes()).unwrap();
        assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (1, 1));
        assert!(!format!("{:?} {:?}", outcome.rows(), outcome.rejects).contains("anna"), "{outcome:?}");
        assert!(outcome.values()[0][2].starts_with("{\"e-mail\":\""), "{outcome:?}");
    }
}
