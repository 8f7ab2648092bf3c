//! The contracts in `infra/contracts` are valid and consistent.

use std::fs;
use std::path::PathBuf;

use penstock_contract::{Contract, RESCUED_COLUMN, parse};

fn contracts() -> Vec<(String, Contract)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/contracts");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the examples can be read")
        .map(|entry| entry.expect("the examples can be read").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path
                .file_stem()
                .expect("the examples can be read")
                .to_str()
                .expect("the examples can be read")
                .to_owned();
            let text = fs::read_to_string(path).expect("the examples can be read");
            (name, parse(&path.display().to_string(), &text).unwrap_or_else(|errors| panic!("{errors}")))
        })
        .collect()
}

#[test]
fn every_example_is_a_valid_contract_named_after_its_source() {
    let contracts = contracts();
    let names: Vec<&str> = contracts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["abt", "amazon", "buy", "google", "lakeside", "nordwind", "orient"]);
    for (name, contract) in &contracts {
        assert_eq!(*name, contract.source);
    }
}

#[test]
fn columns_with_the_same_name_have_the_same_type_and_order_in_all_examples() {
    let order = [
        "source",
        "id",
        "title",
        "description",
        "manufacturer",
        "price",
        "currency",
        "gtin",
        "category",
        "in_stock",
        "updated_at",
        RESCUED_COLUMN,
    ];
    let contracts = contracts();
    for (name, contract) in &contracts {
        let positions: Vec<usize> = contract
            .entity
            .columns
            .iter()
            .map(|column| order.iter().position(|known| *known == column.name).unwrap())
            .collect();
        assert!(positions.is_sorted(), "{name}: {positions:?}");
        assert_eq!(contract.entity.key, [0, 1], "{name}");
        for column in &contract.entity.columns {
            for (_, other) in &contracts {
                let twin = other.entity.columns.iter().find(|twin| twin.name == column.name);
                assert!(twin.is_none_or(|twin| twin.sql_type == column.sql_type), "{name}: {}", column.name);
            }
        }
    }
}
