//! The names of columns, and the references to them within a contract.

use std::collections::HashMap;

use crate::custom;
use crate::error::{Errors, ReadResult, nearest, quoted};
use crate::node_ref::NodeRef;

/// PostgreSQL truncates longer identifiers.
pub(crate) const MAX_IDENTIFIER_BYTES: usize = 63;
/// The system columns of every PostgreSQL table.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
/// The custom property that names a column.
pub(crate) const COLUMN: &str = "penstock.column";

/// Returns the name of the column that a property becomes.
pub(crate) fn column_name(property: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let at = property.require("name", errors)?;
    if let Some(declared) = custom::find(property, COLUMN) {
        return declared_name(&declared, &at, errors);
    }
    let given = at.text(errors)?;
    let name = natural_name(given);
    match fault(&name) {
        None => {
            if name != given {
                at.note(errors, format!("the column of {} is `{name}`", quoted(given)));
            }
            Ok(name)
        }
        Some(fault) => Err(at.needs(
            errors,
            format!("{} {fault}; name the column with the custom property `{COLUMN}`", quoted(given)),
        )),
    }
}

fn declared_name(at: &NodeRef<'_>, property_name: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let name = at.text(errors)?;
    let fault = if is_column(name) {
        fault(name)
    } else {
        Some("is not a valid column name; write a letter, then letters, digits and `_`".to_owned())
    };
    if let Some(fault) = fault {
        return Err(at.report(errors, format!("{} {fault}", quoted(name))));
    }
    if property_name.str(errors)? == name {
        return Err(at.report(errors, "has no effect: it is the `name` of the property"));
    }
    Ok(name.to_owned())
}

/// Reports columns with the same name. Names must differ by more than letter case: Glue's catalogue has lower-case
/// names, and Spark compares them case-insensitively.
pub(crate) fn check_unique(properties: &[NodeRef<'_>], errors: &mut Errors) -> ReadResult<()> {
    let mut first_uses: HashMap<String, (String, String)> = HashMap::new();
    let mut outcome = Ok(());
    for property in properties {
        let mut ignored = Errors::default();
        let Ok(name) = column_name(property, &mut ignored) else { continue };
        let at = property.get("name").unwrap_or_else(|| property.clone());
        let Some((first, path)) = first_uses.get(&name.to_lowercase()) else {
            first_uses.insert(name.to_lowercase(), (name, property.path.clone()));
            continue;
        };
        let fix = format!("name this one with the custom property `{COLUMN}`");
        outcome = Err(if *first == name {
            at.report(errors, format!("duplicate column {}; the first is `{path}`: {fix}", quoted(&name)))
        } else {
            at.needs(
                errors,
                format!(
                    "{} differs from the column {} of `{path}` only in letter case, which the Glue catalogue and Spark \
                     do not distinguish: {fix}",
                    quoted(&name),
                    quoted(first)
                ),
            )
        });
    }
    outcome
}

/// Returns the column for a property with this name.
fn natural_name(given: &str) -> String {
    if is_column(given) { given.to_owned() } else { slug(given) }
}

/// Returns the reason why a name is not a valid column name, or `None` if it is valid.
fn fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("has no letter or digit".to_owned());
    }
    if name.len() > MAX_IDENTIFIER_BYTES {
        return Some(format!(
            "has {} bytes; PostgreSQL's names have at most {MAX_IDENTIFIER_BYTES}",
            name.len()
        ));
    }
    let is_system = SYSTEM_COLUMNS.contains(&name);
    is_system.then(|| "is a system column of PostgreSQL".to_owned())
}

/// For each column, the name of its property and its own name. Other parts of a contract may refer to either.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnNames(Vec<[String; 2]>);

impl ColumnNames {
    pub(crate) fn push(&mut self, property: String, column: String) {
        self.0.push([property, column]);
    }

    /// Returns the index of the column that a reference, such as `penstock.eventTime`, names.
    pub(crate) fn find(&self, reference: &str) -> Option<usize> {
        let position = |is_meant: &dyn Fn(&[String; 2]) -> bool| self.0.iter().position(is_meant);
        position(&|[property, _]| property == reference)
            .or_else(|| position(&|[_, column]| column == reference))
            .or_else(|| {
                let slug = (!is_column(reference)).then(|| slug(reference))?;
                position(&|[_, column]| *column == slug)
            })
    }

    /// Returns the name that a reference is probably a misspelling of.
    pub(crate) fn nearest(&self, reference: &str) -> Option<&str> {
        nearest(reference, self.0.iter().flatten().map(String::as_str))
    }
}

/// Names that begin with `_` are reserved for Penstock's own columns.
fn is_column(name: &str) -> bool {
    is_identifier(name) && !name.starts_with('_')
}

/// Replaces each run of characters other than letters, digits and `_` by one `_`, trims `_`, and adds the prefix `c_`
/// if the first character is a digit.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for next in name.chars() {
        if next.is_alphanumeric() {
            slug.push(next);
        } else if next == '_' || !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_matches('_');
    if slug.is_empty() || slug.starts_with(char::is_alphabetic) {
        slug.to_owned()
    } else {
        format!("c_{slug}")
    }
}

/// Returns true for a name that is the same in SQL, Parquet and JSON.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|next| next.is_alphanumeric() || next == '_')
}
