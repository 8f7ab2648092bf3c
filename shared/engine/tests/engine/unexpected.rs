//! Columns of the file that the contract does not have.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Limits, Plan, PseudonymKey};

use crate::support::{contract, csv, read, read_plan, required, text};

fn rescuing(kind: FormatKind) -> Contract {
    contract(kind, vec![required(text("id")), Column::rescued()])
}

#[test]
fn what_nobody_reads_is_kept_by_name() {
    let outcome = read(&rescuing(csv()), "a \"b\",id,empty,c\n\"x\ty\",1,,2\n,2, ,\n");
    assert_eq!(outcome.values(), [["1", r#"{"a \"b\"":"x\ty","c":"2"}"#], ["2", "NULL"]]);
}

#[test]
fn members_that_nobody_reads_are_kept_as_they_stand() {
    let file = "{\"id\":\"1\",\"k\\u0031\":[1.50,null],\"n\":null}\n{\"id\":\"2\",\"x\":\"\\u0000\"}\n{\"id\":\"3\"}\n";
    let outcome = read(&rescuing(FormatKind::Ndjson), file);
    assert_eq!(outcome.values(), [["1", r#"{"k\u0031":[1.50,null]}"#], ["3", "NULL"]]);
    assert_eq!(outcome.told(), ["2@2 nul_character:_rescued"]);
}

#[test]
fn they_are_refused_or_left_out_where_the_contract_says_so() {
    let mut strict = contract(csv(), vec![required(text("id"))]);
    strict.unexpected_columns = UnexpectedColumns::Reject;
    let outcome = read(&strict, "id,colour,size\n1,,\n2,red,\n,red,4\n");
    assert_eq!(outcome.told(), ["2@3 unexpected_column", "3@4 unexpected_column missing_required:id"]);
    assert_eq!(outcome.rejects[1].reasons[0].found.as_deref(), Some("colour, size"));
    strict.unexpected_columns = UnexpectedColumns::Ignore;
    assert_eq!(read(&strict, "id,colour\n1,red\n").values(), [["1"]]);
}

#[test]
fn a_secret_under_a_wrong_name_is_no_less_secret() {
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
