//! Casts of booleans.

use crate::outcome::Code;

/// The spellings of true and false, and the allowed values.
#[derive(Debug, Clone)]
pub(crate) struct BooleanCast {
    pub(crate) spellings: Vec<(String, bool)>,
    pub(crate) allowed: Vec<bool>,
}

impl BooleanCast {
    pub(crate) fn new(true_values: &[String], false_values: &[String]) -> Self {
        let known = |word: &str, extra: &[String], value: bool| {
            let mut spellings = vec![(word.to_owned(), value)];
            spellings.extend(extra.iter().map(|spelling| (spelling.clone(), value)));
            spellings
        };
        let mut spellings = known("true", true_values, true);
        spellings.extend(known("false", false_values, false));
        Self { spellings, allowed: Vec::new() }
    }

    pub(crate) fn cast(&self, text: &str) -> Result<bool, Code> {
        let known = self.spellings.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(text));
        known.map(|(_, value)| *value).ok_or(Code::NotABoolean)
    }
}
