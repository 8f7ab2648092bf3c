//! Values that no column of the contract reads: kept, refused or left out.

use penstock_contract::UnexpectedColumns;

use crate::cast::text::Traits;
use crate::outcome::{Code, Reason, found};
use crate::plan::Plan;
use crate::program::{Raw, key_of};
use crate::pseudonym::PseudonymKey;
use crate::rows::Rows;

/// What becomes of such values, and those of the record at hand.
#[derive(Debug)]
pub(crate) struct Unexpected {
    policy: UnexpectedColumns,
    /// The column that keeps them; only where they are rescued.
    column: Option<usize>,
    /// Where the contract pseudonymises, a value that has got another name than it should have is no less secret.
    key: Option<PseudonymKey>,
    /// A JSON object of the record's, or its names.
    text: String,
}

impl Unexpected {
    pub(crate) fn new(plan: &Plan) -> Self {
        let policy = plan.unexpected;
        let column = plan.columns.iter().position(|column| column.is_rescued);
        let column = column.filter(|_| policy == UnexpectedColumns::Rescue);
        Self { policy, column, key: key_of(&plan.columns).cloned(), text: String::new() }
    }

    /// True when such values have to be read.
    pub(crate) fn is_wanted(&self) -> bool {
        match self.policy {
            UnexpectedColumns::Rescue => self.column.is_some(),
            UnexpectedColumns::Reject => true,
            UnexpectedColumns::Ignore => false,
        }
    }

    /// True when such values are stored.
    pub(crate) fn are_kept(&self) -> bool {
        self.column.is_some()
    }

    /// Starts with a record: `push` gives its values, if they matter, and `rows` is told when it is refused for them.
    #[inline(always)]
    pub(crate) fn start(&mut self, rows: &mut Rows, push: impl FnOnce(&mut Self)) {
        self.text.clear();
        if !self.is_wanted() {
            return;
        }
        push(self);
        if let Some(reason) = self.reason() {
            rows.tell(reason);
        }
    }

    /// What a column that reads no field gets of the record: the object, when it is the one that keeps them.
    #[inline]
    pub(crate) fn raw(&self, column: usize) -> Raw<'_> {
        if self.column == Some(column) && !self.text.is_empty() {
            Raw::JsonDocument(&self.text, Traits::UNKNOWN)
        } else {
            Raw::Missing
        }
    }

    /// A value of a delimited file. Empty ones are none.
    pub(crate) fn push_text(&mut self, name: &str, value: &str) {
        if value.trim().is_empty() {
            return;
        }
        // Text is always JSON's to write.
        let json = |text: &str| serde_json::to_string(text).unwrap_or_default();
        match self.policy {
            UnexpectedColumns::Rescue => match &self.key {
                None => self.push_member(&json(name), &json(value)),
                Some(key) => self.push_member(&json(name), &json(&key.pseudonym(value.trim()))),
            },
            UnexpectedColumns::Reject => self.push_name(name),
            UnexpectedColumns::Ignore => {}
        }
    }

    /// A member of a JSON object: its key without the quotes, and its value, both as they stand. Nulls are none.
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

    /// Why the record is refused, if it is for them.
    fn reason(&self) -> Option<Reason> {
        if self.policy != UnexpectedColumns::Reject || self.text.is_empty() {
            return None;
        }
        let rule = "only columns of the contract".into();
        Some(Reason { code: Code::UnexpectedColumn, column: None, rule, found: Some(found(&self.text)) })
    }

    fn push_member(&mut self, key: &str, value: &str) {
        // The object is closed at all times: its brace moves on with each member.
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
