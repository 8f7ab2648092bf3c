//! Sets of columns whose values should not be repeated, or not too often.

use penstock_contract::{Contract, SqlType, WriteMode};

use crate::duplicates::{KeyEntry, PRIMARY_KEY};
use crate::error::PlanError;

/// The most sets besides the primary key. The number of a set has eight bits.
const MAX_SETS: usize = 254;

/// The sets of a contract: the primary key, the unique columns, and those of its quality checks.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnSets {
    /// The first set is the primary key. It is empty if rows are not replaced by key.
    sets: Vec<Vec<SetMember>>,
    /// Unique columns and the numbers of their sets.
    unique: Vec<(usize, usize)>,
    /// Whether the values of each column [have several texts](is_number).
    numbers: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SetMember {
    column: usize,
    is_number: bool,
}

impl ColumnSets {
    /// Returns the sets of the primary key and of the unique columns.
    pub(crate) fn new(contract: &Contract) -> Result<Self, PlanError> {
        let columns = &contract.entity.columns;
        let numbers = columns.iter().map(|column| is_number(&column.sql_type)).collect();
        let mut sets = Self { sets: vec![Vec::new()], unique: Vec::new(), numbers };
        if contract.load.mode == WriteMode::Upsert {
            sets.sets = vec![sets.members(&contract.entity.key)];
        }
        for (index, column) in columns.iter().enumerate().filter(|(_, column)| column.unique) {
            // Repeated keys replace rows, so a batch is not refused for them.
            if contract.load.mode != WriteMode::Upsert || contract.entity.key != [index] {
                let set = sets.add(&[index], &column.name)?;
                sets.unique.push((index, set));
            }
        }
        Ok(sets)
    }

    /// Adds a set unless it exists, and returns its number. `name` is what an error refers to.
    pub(crate) fn add(&mut self, columns: &[usize], name: &str) -> Result<usize, PlanError> {
        let members = self.members(columns);
        let existing = self.sets.iter().skip(1).position(|set| *set == members);
        if let Some(index) = existing {
            return Ok(index.saturating_add(1));
        }
        let number = self.sets.len();
        if number > MAX_SETS {
            let message = format!(
                "at most {MAX_SETS} sets of columns besides the primary key can be checked for duplicates"
            );
            return Err(PlanError::Column { column: name.to_owned(), message });
        }
        self.sets.push(members);
        Ok(number)
    }

    /// Returns the number of sets, including that of the primary key. The numbers of the sets are below it.
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Returns true if there is a set.
    pub(crate) fn has_any(&self) -> bool {
        self.sets.iter().any(|set| !set.is_empty())
    }

    /// Returns the unique columns and the numbers of their sets.
    pub(crate) fn unique(&self) -> impl Iterator<Item = (usize, usize)> {
        self.unique.iter().copied()
    }

    /// Adds a row's entries. `value` returns a column's COPY text.
    #[inline]
    pub(crate) fn add_entries<'a>(
        &self,
        value: impl Fn(usize) -> Option<&'a [u8]>,
        time: i64,
        row: u64,
        entries: &mut Vec<KeyEntry>,
    ) {
        for (index, set) in self.sets.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
            let values = set.iter().map(|member| {
                let text = value(member.column).expect("each column of a row has a COPY text");
                if member.is_number { plain_number(text) } else { text }
            });
            // Missing values are not equal to each other.
            let is_complete = index == PRIMARY_KEY || !values.clone().any(|value| value == crate::copy::NULL);
            if is_complete {
                let set = u8::try_from(index).expect("the number of a set is at most `MAX_SETS`");
                entries.push(KeyEntry::new(set, values, time, row));
            }
        }
    }

    fn members(&self, columns: &[usize]) -> Vec<SetMember> {
        let is_number = |column: usize| *self.numbers.get(column).expect("a set consists of columns");
        columns.iter().map(|column| SetMember { column: *column, is_number: is_number(*column) }).collect()
    }
}

/// Returns true for a type whose values have several texts.
pub(crate) fn is_number(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Numeric(_) | SqlType::DoublePrecision => true,
        SqlType::Text
        | SqlType::Smallint
        | SqlType::Integer
        | SqlType::Bigint
        | SqlType::Boolean
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Jsonb
        | SqlType::Uuid => false,
    }
}

/// Returns the same text for numbers that are equal in PostgreSQL, such as `1.50` and `1.5`, or `0`, `-0` and `0.0`.
pub(crate) fn plain_number(text: &[u8]) -> &[u8] {
    let text = if text.contains(&b'.') && !text.contains(&b'e') {
        let length = text.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last.saturating_add(1));
        let (text, _) = text.split_at(length);
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
    fn equal_numbers_have_the_same_text() {
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
