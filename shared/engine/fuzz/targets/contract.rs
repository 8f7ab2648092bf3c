//! Fuzzes contracts: parsing returns a contract or a list of errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use penstock_engine::{Plan, PseudonymKey};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match penstock_contract::parse("fuzz.yaml", text) {
        Ok(contract) => {
            let key = PseudonymKey::new(b"0123456789abcdef").expect("the key has 16 bytes");
            let again = penstock_contract::parse("fuzz.yaml", text).expect("the same text was parsed before");
            assert!(
                penstock_contract::diff(&contract, &again).is_empty(),
                "a contract must not differ from itself"
            );
            if let Ok(plan) = Plan::compile_with(&contract, Some(&key)) {
                penstock_fuzz::check(&std::sync::Arc::new(plan), b"id,name\n1,one\n");
            }
        }
        Err(errors) => assert!(!errors.as_slice().is_empty() && !errors.to_string().is_empty()),
    }
});
