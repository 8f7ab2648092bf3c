//! The primary key, which is only ever guessed.

use super::columns::Profile;
use super::names::words;
use super::yaml::{ColumnDraft, Draft};

/// Last words of names that are likely keys.
const KEY_WORDS: [&str; 7] = ["id", "sku", "key", "gtin", "number", "uuid", "nr"];
/// Rows whose values must all differ before a column without such a name is taken for the key.
const MIN_ROWS_WITHOUT_NAME: u64 = 100;

/// Makes the first column that identifies rows and is named like a key the primary key; else, in a sample that is large
/// enough, the first that identifies rows. Reports the evidence, also of a column that was not taken.
pub(super) fn choose(draft: &mut Draft, profiles: &[Profile], rows: u64, notes: &mut Vec<String>) {
    let unique: Vec<usize> = draft
        .columns
        .iter()
        .zip(profiles)
        .enumerate()
        .filter(|(_, (column, profile))| profile.may_be_key(column))
        .map(|(index, _)| index)
        .collect();
    let named = unique.iter().find(|index| draft.columns.get(**index).is_some_and(is_named));
    let Some(index) = named.or(unique.first()).copied() else {
        return without_key(draft, "no column has a different value in each row".to_owned(), notes);
    };
    let (is_named, Some(column)) = (named.is_some(), draft.columns.get_mut(index)) else { return };
    let accepted = profiles.get(index).map_or(0, Profile::present);
    let evidence = format!("{accepted} distinct values in {accepted} rows");
    if !is_named && rows < MIN_ROWS_WITHOUT_NAME {
        let why = format!(
            "`{}` has {evidence}, which is too few to make it the key, and its name is not that of one",
            column.name
        );
        return without_key(draft, why, notes);
    }
    let why = if is_named { ", and it is named like one" } else { "" };
    notes.push(format!("`{}` is taken for the primary key: {evidence}{why}", column.name));
    column.key = Some(format!("the key is a guess: {evidence}{why}"));
    if column.kind.physical == "integer" {
        // Keys grow, and a wider column later means a new table.
        column.kind.physical = "bigint".to_owned();
    }
    column.allowed.clear();
}

fn is_named(column: &ColumnDraft) -> bool {
    // German compounds, such as `artikelnummer`.
    let is_key = |word: &str| KEY_WORDS.contains(&word) || word.ends_with("nummer");
    words(&column.name).next_back().is_some_and(is_key)
}

fn without_key(draft: &mut Draft, why: String, notes: &mut Vec<String>) {
    draft.comments.push(format!("No primary key, so that rows are appended: {why}."));
    notes.push(format!("the contract has no primary key, and rows are appended: {why}"));
}
