//! Fuzzes values of every type with every kind of rule, as fields of delimited text and as members of JSON.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{COLUMNS, check, contract, plan};

static PLANS: LazyLock<[Arc<Plan>; 2]> = LazyLock::new(|| {
    let missing = "{property: penstock.missingColumns, value: 'null'}, {property: penstock.maxRejectsPercent, value: 100}";
    ["format: csv, customProperties: [{property: penstock.delimiter, value: ';'}]", "format: ndjson"]
        .map(|server| plan(&contract(server, missing, COLUMNS)))
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, values)) = bytes.split_first() else { return };
    let columns = PLANS[0].columns();
    // Each line is a value. Its first byte selects the column. Each row also has an id and a name.
    let mut delimited = b"Id;name;value_of\n".to_vec();
    let mut lines = Vec::new();
    for (row, value) in values.split(|byte| *byte == b'\n').enumerate() {
        let Some((column, value)) = value.split_first() else { continue };
        let column = columns[usize::from(*column) % columns.len()].physical_name();
        if column == "Id" || column == "name" {
            continue;
        }
        let header = format!("Id;name;{column}\n");
        let file = [header.as_bytes(), format!("{row};n{row};").as_bytes(), value, b"\n"].concat();
        if *choice % 2 == 0 {
            check(&PLANS[0], &file);
        }
        let start = format!("{{\"Id\":{row},\"name\":\"n{row}\",\"{column}\":");
        lines.extend_from_slice(&[start.as_bytes(), value, b"}\n"].concat());
        delimited = file;
    }
    if *choice % 2 == 1 {
        check(&PLANS[1], &lines);
    } else {
        check(&PLANS[0], &delimited);
    }
});
