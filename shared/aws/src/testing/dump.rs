//! Dumps of what the code defines, for checks in other languages.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Compares `dump` with the file `tests/golden/<name>.json` of the repository. With `PENSTOCK_GOLDEN=write` the file is
/// written.
///
/// # Panics
/// Panics if the file differs or does not exist.
pub fn assert_dumped(name: &str, dump: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(format!("{name}.json"));
    let text = format!("{dump:#}\n");
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        fs::write(&path, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let stored = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(stored == text, "{} is out of date: run the test with PENSTOCK_GOLDEN=write", path.display());
}
