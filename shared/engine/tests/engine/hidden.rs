//! Pseudonymised and classified columns: values that must not appear in rows or rejects.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Limits, Plan, PlanError, PseudonymKey};

use crate::support::{Outcome, contract, csv, read, read_plan, required, text};

const SECRET: [u8; 32] = [7; 32];
const MAIL: &str = "anna@example.org";

fn pseudonymised(name: &str) -> Column {
    let rules = Rules { pattern: Some("@".to_owned()), ..Rules::default() };
    Column { pseudonymise: true, rules, ..text(name) }
}

fn classified(name: &str) -> Column {
    Column { classification: Some("confidential".to_owned()), ..text(name) }
}

fn read_hidden(kind: FormatKind, columns: Vec<Column>, file: &str) -> Outcome {
    let key = PseudonymKey::new(&SECRET).unwrap();
    let plan = Arc::new(Plan::compile_with(&contract(kind, columns), Some(&key)).unwrap());
    read_plan(&plan, Limits { arrow: true, ..Limits::default() }, file.as_bytes()).unwrap()
}

/// Computes HMAC-SHA-256 as defined by RFC 2104, independently of the engine.
fn hmac(value: &str) -> String {
    use sha2::{Digest, Sha256};
    let pad = |with: u8| -> Vec<u8> {
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(&SECRET);
        block.iter().map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(value).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_pseudonymised_value_is_checked_in_plain_text_and_stored_as_its_hmac() {
    let columns = vec![required(text("id")), pseudonymised("mail")];
    let outcome = read_hidden(csv(), columns, &format!("id,mail\n1, {MAIL} \n2,\n3,nonsense\n"));
    assert_eq!(outcome.values(), [["1", hmac(MAIL).as_str()], ["2", "NULL"]]);
    assert_eq!(outcome.reject_summary(), ["3@4 pattern_mismatch:mail"]);
}

#[test]
fn a_contract_with_a_pseudonymised_column_requires_a_key() {
    let contract = contract(csv(), vec![pseudonymised("mail")]);
    assert_eq!(Plan::compile(&contract).unwrap_err(), PlanError::NoPseudonymKey("mail".to_owned()));
}

#[test]
fn delimited_rejects_show_pseudonyms_and_placeholders_instead_of_values() {
    let columns = vec![required(text("id")), pseudonymised("mail"), classified("phone")];
    let file = format!("id;mail;phone\n;{MAIL};\"0170 \"\"12\"\"\"\n;;0\n");
    let outcome = read_hidden(csv(), columns, &file);
    let raws: Vec<&str> = outcome.rejects.iter().map(|reject| reject.raw.as_str()).collect();
    assert_eq!(raws, [format!(";{};\"[classified]\"", hmac(MAIL)).as_str(), ";;[classified]"]);
}

#[test]
fn json_rejects_show_pseudonyms_and_placeholders_instead_of_values() {
    let columns = vec![required(text("id")), pseudonymised("mail"), classified("phone")];
    let file = format!(
        "{{\"mail\":\"{MAIL}\", \"ph\\u006fne\": [1, 2], \"x\":1}}\n{{\"mail\":null,\"phone\":\"\"}}\n"
    );
    let outcome = read_hidden(FormatKind::Ndjson, columns, &file);
    let raws: Vec<&str> = outcome.rejects.iter().map(|reject| reject.raw.as_str()).collect();
    let first = format!(
        "{{\"mail\":\"{}\", \"ph\\u006fne\": \"[classified]\", \"x\":\"{}\"}}",
        hmac(MAIL),
        hmac("1")
    );
    assert_eq!(raws, [first.as_str(), "{\"mail\":null,\"phone\":\"\"}"]);
}

#[test]
fn a_malformed_record_is_withheld_if_a_column_is_hidden() {
    let file = format!("id,mail\n1,{MAIL},3\n2,\"{MAIL}\n");
    let outcome = read_hidden(csv(), vec![text("id"), pseudonymised("mail")], &file);
    assert_eq!(outcome.rejects.len(), 2);
    for reject in &outcome.rejects {
        assert!(reject.raw_withheld && reject.raw.is_empty(), "{reject:?}");
        assert!(!format!("{reject:?}").contains("anna"), "{reject:?}");
    }
    let shown = read(&contract(csv(), vec![text("id"), text("mail")]), file);
    assert!(shown.rejects.iter().all(|reject| !reject.raw_withheld && reject.raw.contains("anna")));
}

#[test]
fn a_field_read_by_two_columns_is_hidden_if_either_column_is() {
    let domain = Column { physical_name: "mail".to_owned(), ..required(text("domain")) };
    let harmonise = Harmonise { extract: Some("@(.+)".to_owned()), trim: true, ..Harmonise::default() };
    let columns = vec![Column { harmonise, ..domain }, pseudonymised("mail")];
    let outcome = read_hidden(csv(), columns, "mail\nanna\n");
    assert_eq!(outcome.reject_summary(), ["1@2 extract_mismatch:domain pattern_mismatch:mail"]);
    assert_eq!(outcome.rejects[0].raw, hmac("anna"));
}

proptest::proptest! {
    #[test]
    fn pseudonymised_values_never_appear_in_plain_text(
        values in proptest::collection::vec("[a-z]{2,8}@?", 1..20),
        id in proptest::collection::vec("[0-9]?", 20),
    ) {
        let mut file = "id,mail,note\n".to_owned();
        for (value, id) in values.iter().zip(&id) {
            file.push_str(&format!("{id},SECRET{value},x\n"));
        }
        let outcome = read_hidden(csv(), vec![required(text("id")), pseudonymised("mail"), text("note")], &file);
        let shown = format!("{:?} {:?}", outcome.rejects, outcome.rows());
        proptest::prop_assert!(!shown.contains("SECRET"), "{}", shown);
        proptest::prop_assert_eq!(outcome.totals.rows_read, values.len() as u64);
    }
}
