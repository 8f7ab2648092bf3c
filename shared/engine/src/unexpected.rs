//! Values that no column of the contract reads: rescued, rejected or ignored.

use penstock_contract::UnexpectedColumns;

use crate::cast::text::Traits;
use crate::outcome::{Code, Reason, found};
use crate::plan::Plan;
use crate::program::{Raw, key_of};
use crate::pseudonym::PseudonymKey;
use crate::rows::Rows;

/// The policy for unexpected values, and those of the current record.
#[derive(Debug)]
pub(crate) struct Unexpected {
    policy: UnexpectedColumns,
    /// The column `_rescued`, if the policy is to rescue.
    column: Option<usize>,
    /// If the contract pseudonymises columns, rescued values are pseudonymised too: one may be a secret under a wrong name.
    key: Option<PseudonymKey>,
    /// The record's unexpected values as a JSON object, or their names.
    text: String,
}

impl Unexpected {
    pub(crate) fn new(plan: &Plan) -> Self {
        let policy = plan.unexpected;
        let column = plan.columns.iter().position(|column| column.is_rescued);
        let column = column.filter(|_| policy == UnexpectedColumns::Rescue);
        Self { policy, column, key: key_of(&plan.columns).cloned(), text: String::new() }
    }

    /// Returns whether unexpected values have to be read.
    pub(crate) fn is_wanted(&self) -> bool {
        match self.policy {
            UnexpectedColumns::Rescue => self.column.is_some(),
            UnexpectedColumns::Reject => true,
            UnexpectedColumns::Ignore => false,
        }
    }

    /// Returns whether unexpected values are stored.
    pub(crate) fn are_rescued(&self) -> bool {
        self.column.is_some()
    }

    /// Starts a record. `push` adds its unexpected values, if they have to be read; a reason to reject it is reported to `rows`.
    #[inline(always)]
    pub(crate) fn start(&mut self, rows: &mut Rows, push: impl FnOnce(&mut Self)) {
        self.text.clear();
        if !self.is_wanted() {
            return;
        }
        push(self);
        if let Some(reason) = self.reason() {
            rows.report(reason);
        }
    }

    /// Returns the raw value of a column that reads no field: the object for the column `_rescued`.
    #[inline]
    pub(crate) fn raw(&self, column: usize) -> Raw<'_> {
        if self.column == Some(column) && !self.text.is_empty() {
            Raw::JsonDocument(&self.text, Traits::UNKNOWN)
        } else {
            Raw::Missing
        }
    }

    /// Adds a value of a delimited file, unless it is empty.
    pub(crate) fn push_text(&mut self, name: &str, value: &str) {
        if value.trim().is_empty() {
            return;
        }
        let json = |text: &str| serde_json::to_string(text).expect("text can always be written as JSON");
        match self.policy {
            UnexpectedColumns::Rescue => match &self.key {
                None => self.push_member(&json(name), &json(value)),
                Some(key) => self.push_member(&json(name), &json(&key.pseudonym(value.trim()))),
            },
            UnexpectedColumns::Reject => self.push_name(name),
            UnexpectedColumns::Ignore => {}
        }
    }

    /// Adds a member of a JSON object, unless it is null: its key without the quotes, and its value, both as literals.
    pub(crate) fn push_literal(&mut self, key: &str, value: &str) {
        if value == "null" {
            return;
        }
        match self.policy {
            UnexpectedColumns::Rescue => match &self.key {
                None => self.push_member(&format!("\"{key}\""), value),
                Some(secret) => {
                    let pseudonym = format!("\"{}\"", secret.pseudonym(value.trim_matches('"')));
                    self.push_member(&format!("\"{key}\""), &pseudonym);
                }
            },
            UnexpectedColumns::Reject => self.push_name(key),
            UnexpectedColumns::Ignore => {}
        }
    }

    /// Returns the reason to reject the record, if there is one.
    fn reason(&self) -> Option<Reason> {
        if self.policy != UnexpectedColumns::Reject || self.text.is_empty() {
            return None;
        }
        let rule = "only columns of the contract".into();
        Some(Reason { code: Code::UnexpectedColumn, column: None, rule, found: Some(found(&self.text)) })
    }

    fn push_member(&mut self, key: &str, value: &str) {
        // The object is always complete: each member is inserted before its closing brace.
        let start = if self.text.pop().is_some() { "," } else { "{" };
        for part in [start, key, ":", value, "}"] {
            self.text.push_str(part);
        }
    }

    fn push_name(&mut self, name: &str) {
        if !self.text.is_empty() {
            self.text.push_str(", ");
        }
        self.text.push_str(name);
    }
}
