//! Reads regular expressions.

use crate::error::{Errors, ReadResult, quoted};
use crate::node_ref::NodeRef;

/// Reads a regular expression and checks that it compiles.
pub(crate) fn read(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let text = at.text(errors)?;
    match regex::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let text_of = |syntax: &str| {
                syntax.lines().last().unwrap_or(syntax).trim_start_matches("error: ").to_owned()
            };
            let why = if let regex::Error::Syntax(syntax) = &error {
                text_of(syntax)
            } else {
                "it is too large".to_owned()
            };
            Err(at.needs(errors, format!("{} is not a supported regular expression: {why}", quoted(text))))
        }
    }
}
