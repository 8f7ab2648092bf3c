//! Formats counts and lists.

/// Returns a count with its unit: `1 row`, `2 rows`.
pub(super) fn counted(count: impl Into<u64>, what: &str) -> String {
    let count = count.into();
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn list(values: &[String]) -> String {
    format!("`{}`", values.join("`, `"))
}
