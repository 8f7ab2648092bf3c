//! Reads `minimum`, `maximum` and their exclusive forms.

use crate::error::{Errors, ReadResult};
use crate::model::Bound;
use crate::node::{NodeValue, ScalarKind};
use crate::node_ref::NodeRef;
use crate::odcs;

/// Reads both bounds. An exclusive bound has a value of its own. In v3.0 it may instead be a boolean next to the bound.
pub(super) fn read<O: Ord + Clone>(
    at: &NodeRef<'_>,
    boolean_exclusive: bool,
    errors: &mut Errors,
    mut read: impl FnMut(&NodeRef<'_>, &mut Errors) -> ReadResult<(String, O)>,
) -> ReadResult<(Option<Bound>, Option<Bound>)> {
    let minimum = bound(at, ["minimum", "exclusiveMinimum"], boolean_exclusive, errors, &mut read);
    let maximum = bound(at, ["maximum", "exclusiveMaximum"], boolean_exclusive, errors, &mut read);
    let (minimum, maximum) = (minimum?, maximum?);
    if let (Some((low, low_order)), Some((high, high_order))) = (&minimum, &maximum) {
        let none = low_order > high_order || low_order == high_order && (low.exclusive || high.exclusive);
        if none {
            let message = format!("no value lies between minimum {} and maximum {}", low.value, high.value);
            return Err(at.report(errors, message));
        }
    }
    Ok((minimum.map(|(bound, _)| bound), maximum.map(|(bound, _)| bound)))
}

fn bound<O>(
    at: &NodeRef<'_>,
    [key, exclusive_key]: [&str; 2],
    boolean_exclusive: bool,
    errors: &mut Errors,
    read: &mut impl FnMut(&NodeRef<'_>, &mut Errors) -> ReadResult<(String, O)>,
) -> ReadResult<Option<(Bound, O)>> {
    let inclusive = at.get(key).map(|at| read(&at, errors)).transpose();
    let exclusive = match at.get(exclusive_key) {
        None => None,
        Some(exclusive) if is_boolean(&exclusive) && boolean_exclusive => {
            let (is_exclusive, inclusive) = (exclusive.bool(errors)?, inclusive?);
            return match inclusive {
                Some((value, order)) => Ok(Some((Bound { value, exclusive: is_exclusive }, order))),
                None => Err(exclusive.report(errors, format!("requires `{key}`"))),
            };
        }
        Some(exclusive) if is_boolean(&exclusive) => {
            return Err(exclusive.report(errors, odcs::BOUND_OF_V3_1));
        }
        Some(exclusive) => Some((read(&exclusive, errors), exclusive)),
    };
    match (inclusive?, exclusive) {
        (None, None) => Ok(None),
        (Some((value, order)), None) => Ok(Some((Bound { value, exclusive: false }, order))),
        (None, Some((read, _))) => read.map(|(value, order)| Some((Bound { value, exclusive: true }, order))),
        (Some(_), Some((_, exclusive))) => {
            Err(exclusive.report(errors, format!("conflicts with `{key}`; keep one of them")))
        }
    }
}

fn is_boolean(at: &NodeRef<'_>) -> bool {
    matches!(at.node.value, NodeValue::Scalar(ScalarKind::Bool, _))
}
