//! SQL statements with typed parameters: placeholders and values come from one definition.

use std::marker::PhantomData;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement, Transaction};

/// The values for one execution of a statement.
pub trait StatementParameters {
    /// Returns the values, in the order of their placeholders.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;
}

/// The text of a statement with the parameters `P`.
#[derive(Debug, Clone)]
pub struct StatementText<P> {
    text: String,
    parameters: PhantomData<P>,
}

impl<P: StatementParameters> StatementText<P> {
    pub(crate) fn new(text: String) -> Self {
        Self { text, parameters: PhantomData }
    }

    /// Prepares the statement.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL refuses it.
    pub async fn prepare(&self, client: &Client) -> Result<PreparedStatement<P>, tokio_postgres::Error> {
        Ok(PreparedStatement { statement: client.prepare(&self.text).await?, parameters: PhantomData })
    }

    /// Executes the statement once, and returns its rows.
    pub(crate) async fn query(
        &self,
        transaction: &Transaction<'_>,
        parameters: &P,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        transaction.query(&self.text, &parameters.values()).await
    }
}

/// A statement with the parameters `P` that a session has prepared.
#[derive(Clone)]
pub struct PreparedStatement<P> {
    statement: Statement,
    parameters: PhantomData<P>,
}

impl<P: StatementParameters> PreparedStatement<P> {
    /// Executes the statement in a client's current transaction, and returns the number of affected rows.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL refuses it.
    pub async fn execute(&self, client: &Client, parameters: &P) -> Result<u64, tokio_postgres::Error> {
        client.execute(&self.statement, &parameters.values()).await
    }
}

/// The values of a statement that is written where it is executed. Each value is numbered when the text refers to it.
///
/// ```text
/// let mut parameters = Parameters::default();
/// let statement = format!("SELECT FROM penstock.batch WHERE batch_id = {}", parameters.bind(&batch));
/// client.query_opt(&statement, parameters.values()).await?;
/// ```
#[derive(Default)]
pub(crate) struct Parameters<'a>(Vec<&'a (dyn ToSql + Sync)>);

impl<'a> Parameters<'a> {
    /// Adds a value and returns its placeholder.
    pub(crate) fn bind(&mut self, value: &'a (dyn ToSql + Sync)) -> String {
        self.0.push(value);
        format!("${}", self.0.len())
    }

    /// Returns the values, in the order of their placeholders.
    pub(crate) fn values(&self) -> &[&'a (dyn ToSql + Sync)] {
        &self.0
    }
}

/// An `INSERT` of one row, with each column next to its value.
pub(crate) struct InsertRow<'a> {
    table: &'static str,
    columns: Vec<&'static str>,
    placeholders: Vec<String>,
    parameters: Parameters<'a>,
}

impl<'a> InsertRow<'a> {
    /// Begins a row of a table of schema `penstock`.
    pub(crate) fn into(table: &'static str) -> Self {
        Self { table, columns: Vec::new(), placeholders: Vec::new(), parameters: Parameters::default() }
    }

    /// Adds a column.
    pub(crate) fn column(mut self, name: &'static str, value: &'a (dyn ToSql + Sync)) -> Self {
        self.columns.push(name);
        self.placeholders.push(self.parameters.bind(value));
        self
    }

    /// Returns the text of the statement.
    pub(crate) fn text(&self) -> String {
        let (columns, placeholders) = (self.columns.join(", "), self.placeholders.join(", "));
        format!("INSERT INTO penstock.{} ({columns}) VALUES ({placeholders})", self.table)
    }

    /// Returns the values, in the order of the columns.
    pub(crate) fn values(&self) -> &[&'a (dyn ToSql + Sync)] {
        self.parameters.values()
    }
}

/// Defines the parameters of a prepared statement: a struct of the values, and one of the placeholders by the same
/// names.
///
/// The text of a prepared statement is built once, and each execution supplies its values. Both refer to the fields,
/// whose order is defined only here.
macro_rules! statement_parameters {
    (
        $(#[$doc:meta])*
        $values:ident, $placeholders:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty as $sql_type:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $values<'a> {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        /// The placeholders of the values of the same names, cast to their types.
        pub(crate) struct $placeholders {
            $(pub(crate) $field: String,)+
        }

        impl $values<'_> {
            /// Returns the placeholders, numbered from `after` + 1, and the number of the last one.
            pub(crate) fn placeholders(after: usize) -> ($placeholders, usize) {
                let mut number = after;
                let mut next = |sql_type: &str| {
                    number += 1;
                    format!("${number}::{sql_type}")
                };
                let placeholders = $placeholders { $($field: next($sql_type),)+ };
                (placeholders, number)
            }
        }

        impl $crate::statement::StatementParameters for $values<'_> {
            fn values(&self) -> Vec<&(dyn ::tokio_postgres::types::ToSql + Sync)> {
                vec![$(&self.$field),+]
            }
        }
    };
}
pub(crate) use statement_parameters;

#[cfg(test)]
mod tests {
    #![allow(unreachable_pub, reason = "the macro makes public structs")]

    use super::*;

    statement_parameters! {
        /// Parameters of a statement.
        Sample, SamplePlaceholders {
            /// A text.
            name: &'a str as "text",
            /// A number.
            number: i64 as "bigint",
        }
    }

    #[test]
    fn placeholders_and_values_are_in_the_order_of_the_definition() {
        let (placeholders, last) = Sample::placeholders(0);
        assert_eq!(last, 2);
        assert_eq!((placeholders.name.as_str(), placeholders.number.as_str()), ("$1::text", "$2::bigint"));
        assert_eq!(Sample::placeholders(5).0.number, "$7::bigint");
        let sample = Sample { name: "a", number: 7 };
        assert_eq!(format!("{:?}", sample.values()), r#"["a", 7]"#);
    }

    #[test]
    fn bound_values_are_numbered_as_the_text_refers_to_them() {
        let mut parameters = Parameters::default();
        let text = format!("SELECT {}, {}", parameters.bind(&1i64), parameters.bind(&"b"));
        assert_eq!(text, "SELECT $1, $2");
        assert_eq!(format!("{:?}", parameters.values()), r#"[1, "b"]"#);
    }

    #[test]
    fn a_row_is_inserted_with_its_columns_and_their_values() {
        let row = InsertRow::into("migration").column("version", &1i32).column("name", &"0001_ledger");
        assert_eq!(row.text(), "INSERT INTO penstock.migration (version, name) VALUES ($1, $2)");
        assert_eq!(format!("{:?}", row.values()), r#"[1, "0001_ledger"]"#);
    }
}
