//! Chooses the primary key. The choice is always a guess.

use super::columns::{MAX_KEY_CHARS, Profile, Uniqueness};
use super::error::counted;
use super::names::words;
use super::yaml::{ColumnDraft, ContractDraft};

/// The last words of names that are likely keys.
const KEY_WORDS: [&str; 7] = ["id", "sku", "key", "gtin", "number", "uuid", "nr"];
/// The minimum number of rows with distinct values for a key whose name is not that of a key.
const MIN_ROWS_WITHOUT_NAME: u64 = 100;

/// Makes the first column that identifies rows and is named like a key the primary key. If there is none, and the sample
/// is large enough, chooses the first column that identifies rows. Reports the evidence in either case.
pub(super) fn choose(draft: &mut ContractDraft, profiles: &[Profile], rows: u64, notes: &mut Vec<String>) {
    let columns = || draft.columns.iter().zip(profiles).enumerate();
    let unique: Vec<usize> = columns()
        .filter(|(_, (column, profile))| profile.uniqueness(column) == Uniqueness::Key)
        .map(|(index, _)| index)
        .collect();
    let named = unique.iter().find(|index| draft.columns.get(**index).is_some_and(is_named));
    let Some(index) = named.or(unique.first()).copied() else {
        let why = why_none(columns().map(|(_, column)| column));
        return without_key(draft, why, notes);
    };
    let is_named = named.is_some();
    let column = draft.columns.get_mut(index).expect("the index of a column");
    let accepted = profiles.get(index).expect("a profile for each column").present();
    let evidence = format!("{} in {}", counted(accepted, "distinct value"), counted(accepted, "row"));
    if !is_named && rows < MIN_ROWS_WITHOUT_NAME {
        let why = format!(
            "`{}` has {evidence}, which are too few to make it the key, and it is not named like a key",
            column.name
        );
        return without_key(draft, why, notes);
    }
    let why = if is_named { ", and it is named like a key" } else { "" };
    notes.push(format!("`{}` is assumed to be the primary key: {evidence}{why}", column.name));
    column.key = Some(format!("the key is a guess: {evidence}{why}"));
    if column.kind.physical == "integer" {
        // Key values grow, and a wider type would later require a new table.
        column.kind.physical = "bigint".to_owned();
    }
    column.allowed.clear();
}

/// Returns why no column of the sample can be the key.
fn why_none<'c>(columns: impl Iterator<Item = (&'c ColumnDraft, &'c Profile)> + Clone) -> String {
    if columns.clone().all(|(_, profile)| profile.rows() < 2) {
        return "one row does not show which column identifies it".to_owned();
    }
    let of = |uniqueness: Uniqueness| {
        let column = columns.clone().find(|(column, profile)| profile.uniqueness(column) == uniqueness);
        column.map(|(column, _)| &column.name)
    };
    if let Some(name) = of(Uniqueness::TooLong) {
        format!(
            "`{name}` has a different value in each row, but some have more than {MAX_KEY_CHARS} characters"
        )
    } else if let Some(name) = of(Uniqueness::OtherType) {
        format!("`{name}` has a different value in each row, but is neither text nor a whole number")
    } else {
        "no column has a different value in each row".to_owned()
    }
}

fn is_named(column: &ColumnDraft) -> bool {
    // German compounds, such as `artikelnummer`.
    let is_key = |word: &str| KEY_WORDS.contains(&word) || word.ends_with("nummer");
    words(&column.name).next_back().is_some_and(is_key)
}

fn without_key(draft: &mut ContractDraft, why: String, notes: &mut Vec<String>) {
    draft.comments.push(format!("No primary key, so rows are appended: {why}."));
    notes.push(format!("the contract has no primary key, so rows are appended: {why}"));
}
