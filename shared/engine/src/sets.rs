//! Sets of columns in which no two rows, or not too many, should have the same values.

use penstock_contract::{Contract, SqlType, WriteMode};

use crate::duplicates::{KeyEntry, PRIMARY_KEY};

/// More of them are a mistake; a set's number has eight bits.
const MAX_SETS: usize = 255;

/// The sets of a contract: the primary key, the unique columns, and those of its quality checks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sets {
    /// The first is the primary key's: empty where rows are not replaced by key.
    sets: Vec<Vec<SetMember>>,
    /// Columns that are unique, with the number of their set.
    unique: Vec<(usize, usize)>,
    numbers: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SetMember {
    column: usize,
    is_number: bool,
}

impl Sets {
    pub(crate) fn new(contract: &Contract) -> Self {
        let columns = &contract.entity.columns;
        let numbers = columns.iter().map(|column| is_number(&column.sql_type)).collect();
        let mut sets = Self { sets: vec![Vec::new()], unique: Vec::new(), numbers };
        if contract.load.mode == WriteMode::Upsert {
            sets.sets = vec![sets.members(&contract.entity.key)];
        }
        for (index, _) in columns.iter().enumerate().filter(|(_, column)| column.unique) {
            // A key of one column replaces rows; nothing is refused for it.
            if contract.load.mode != WriteMode::Upsert || contract.entity.key != [index] {
                let set = sets.add(&[index]);
                sets.unique.push((index, set));
            }
        }
        sets
    }

    /// The number of a set, which is new unless it was added before.
    pub(crate) fn add(&mut self, columns: &[usize]) -> usize {
        let members = self.members(columns);
        let known = self.sets.iter().skip(1).position(|set| *set == members);
        if let Some(index) = known {
            return index.saturating_add(1);
        }
        if self.sets.len() < MAX_SETS {
            self.sets.push(members);
        }
        self.sets.len().saturating_sub(1)
    }

    pub(crate) fn is_any(&self) -> bool {
        self.sets.iter().any(|set| !set.is_empty())
    }

    pub(crate) fn unique(&self) -> impl Iterator<Item = (usize, usize)> {
        self.unique.iter().copied()
    }

    /// Adds a row's entries. `value` gives a column's COPY text.
    #[inline]
    pub(crate) fn enter<'a>(
        &self,
        value: impl Fn(usize) -> Option<&'a [u8]>,
        time: i64,
        row: u64,
        entries: &mut Vec<KeyEntry>,
    ) {
        for (index, set) in self.sets.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
            let values = set.iter().map(|member| {
                let text = value(member.column).unwrap_or_default();
                if member.is_number { plain_number(text) } else { text }
            });
            // A missing value is equal to no other.
            let is_whole = index == PRIMARY_KEY || !values.clone().any(|value| value == crate::copy::NULL);
            if is_whole {
                let set = u8::try_from(index).unwrap_or(u8::MAX);
                entries.push(KeyEntry::new(set, values, time, row));
            }
        }
    }

    fn members(&self, columns: &[usize]) -> Vec<SetMember> {
        let is_number = |column: usize| self.numbers.get(column).copied().unwrap_or_default();
        columns.iter().map(|column| SetMember { column: *column, is_number: is_number(*column) }).collect()
    }
}

/// A type whose values have several texts.
pub(crate) fn is_number(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Numeric(_) | SqlType::DoublePrecision)
}

/// `1.50`, `1.5` and `01.5` are equal in PostgreSQL, and so are `0`, `-0` and `0.0`.
pub(crate) fn plain_number(text: &[u8]) -> &[u8] {
    let text = if text.contains(&b'.') && !text.contains(&b'e') {
        let kept = text.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last.saturating_add(1));
        let text = text.get(..kept).unwrap_or_default();
        text.strip_suffix(b".").unwrap_or(text)
    } else {
        text
    };
    if text == b"-0" { b"0" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_written_alike() {
        for (text, plain) in [
            ("1.50", "1.5"),
            ("1.00", "1"),
            ("10", "10"),
            ("0.0", "0"),
            ("-0.0", "0"),
            ("1.5e10", "1.5e10"),
            ("-0", "0"),
        ] {
            assert_eq!(plain_number(text.as_bytes()), plain.as_bytes(), "{text}");
        }
    }
}
