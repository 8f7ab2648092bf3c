//! The names of a delimited sample's columns.

use std::collections::HashSet;

use super::yaml::DelimitedDraft;

/// Returns the names of the header. If one of them repeats, the columns are read by their order instead.
pub(super) fn header_names(
    mut fields: Vec<String>,
    draft: &mut DelimitedDraft,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut seen: HashSet<&str> = HashSet::new();
    let has_duplicates = !fields.iter().filter(|name| !name.is_empty()).all(|name| seen.insert(name));
    if !has_duplicates {
        if fields.len() > 1 && fields.last().is_some_and(String::is_empty) {
            // Each line ends with a delimiter.
            fields.pop();
        }
        return fields;
    }
    skip_header(&fields, draft);
    notes.push(
        "the header has duplicate names: it is skipped, and the columns are read by their order".to_owned(),
    );
    numbered(fields)
}

/// Skips the header, so that the columns are read by their order.
pub(super) fn skip_header(fields: &[String], draft: &mut DelimitedDraft) {
    let lines = fields.iter().fold(1_usize, |lines, name| lines.saturating_add(name.matches('\n').count()));
    let lines = u32::try_from(lines).expect("a record is shorter than 4 GiB");
    draft.header = false;
    draft.skip_lines =
        draft.skip_lines.checked_add(lines).expect("at most 1,000 lines are before the header");
}

/// Returns unique names. Names that are empty or repeat are derived from the column's number.
pub(super) fn numbered(mut names: Vec<String>) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    for (index, name) in names.iter_mut().enumerate() {
        let number = index.saturating_add(1);
        let is_usable = !name.is_empty() && !name.contains(char::is_control);
        if !is_usable || taken.contains(name) {
            *name = if is_usable { format!("{name} {number}") } else { format!("column_{number}") };
        }
        while !taken.insert(name.clone()) {
            name.push('_');
        }
    }
    names
}
