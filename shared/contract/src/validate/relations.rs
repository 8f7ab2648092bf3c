//! Validates references to properties.

use std::sync::LazyLock;

use regex::Regex;

use crate::error::{Errors, quoted};
use crate::node::NodeValue;
use crate::node_ref::NodeRef;

/// `table.column`, or a path of keys and identifiers such as `schema/orders/properties/id`, also in another file. The
/// patterns are those of the standard's JSON schema.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^([A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*|((https?://)?[A-Za-z0-9._\-/]+\.yaml#)?/?[A-Za-z_][A-Za-z0-9_]*/[A-Za-z0-9_-]+(/[A-Za-z_][A-Za-z0-9_]*/[A-Za-z0-9_-]+)*)$",
    )
    .expect("a constant pattern that the tests compile")
});

/// Reports a value that is neither a reference nor a list of references.
pub(super) fn reference(at: &NodeRef<'_>, errors: &mut Errors) {
    match &at.node.value {
        NodeValue::List(items) if items.is_empty() => {
            at.report(errors, "is empty; list at least one property");
        }
        NodeValue::List(_) => {
            for item in at.items(errors).into_iter().flatten() {
                one_reference(&item, errors);
            }
        }
        NodeValue::Scalar(..) | NodeValue::Map(_) => one_reference(at, errors),
    }
}

fn one_reference(at: &NodeRef<'_>, errors: &mut Errors) {
    if let Ok(text) = at.str(errors)
        && !REFERENCE.is_match(text)
    {
        let message = format!(
            "{} is not a reference; write `object.property`, or a path such as `schema/orders/properties/id`",
            quoted(text)
        );
        at.report(errors, message);
    }
}
