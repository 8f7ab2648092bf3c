//! Relationships, and the references that they consist of.

use std::sync::LazyLock;

use regex::Regex;

use super::Validator;
use crate::at::At;
use crate::error::quoted;
use crate::node::Value;
use crate::odcs;

/// `table.column`, or a path of keys and identifiers such as `schema/orders/properties/id`, also in another file. The patterns are
/// those of the standard's JSON schema.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^([A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*|((https?://)?[A-Za-z0-9._\-/]+\.yaml#)?/?[A-Za-z_][A-Za-z0-9_]*/[A-Za-z0-9_-]+(/[A-Za-z_][A-Za-z0-9_]*/[A-Za-z0-9_-]+)*)$",
    )
    .expect("a constant pattern that the tests compile")
});

impl Validator<'_> {
    pub(super) fn reference(&mut self, at: &At<'_>) {
        match &at.node.value {
            Value::List(items) if items.is_empty() => {
                at.report(self.errors, "is empty; name at least one property");
            }
            Value::List(_) => {
                for item in at.items(self.errors).unwrap_or_default() {
                    self.one_reference(&item);
                }
            }
            Value::Scalar(..) | Value::Map(_) => self.one_reference(at),
        }
    }

    fn one_reference(&mut self, at: &At<'_>) {
        if let Ok(text) = at.str(self.errors)
            && !REFERENCE.is_match(text)
        {
            let message = format!(
                "{} is not a reference; write `object.property`, or a path such as `schema/orders/properties/id`",
                quoted(text)
            );
            at.report(self.errors, message);
        }
    }

    pub(super) fn object_relationship(&mut self, at: &At<'_>) {
        self.map(at, &odcs::RELATIONSHIP);
        self.required(at, &["from", "to"]);
        if let (Some(from), Some(to)) = (at.get("from"), at.get("to"))
            && matches!(from.node.value, Value::List(_)) != matches!(to.node.value, Value::List(_))
        {
            to.report(self.errors, "`from` and `to` must both be one property, or both be lists");
        }
    }

    pub(super) fn property_relationship(&mut self, at: &At<'_>) {
        self.map(at, &odcs::RELATIONSHIP);
        self.required(at, &["to"]);
        if let Some(from) = at.get("from") {
            from.report(self.errors, "is the property itself here; leave it out");
        }
    }
}
