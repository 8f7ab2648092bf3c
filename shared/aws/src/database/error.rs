//! The meaning of PostgreSQL's errors, and which parts of them may be reported.

use std::fmt;
use std::io;

use tokio_postgres::error::DbError;

use crate::secrets::SecretError;

/// A database error. It never contains row values.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No session: the server does not respond, cannot be authenticated, or is not ready.
    #[error("database {host}: {message}")]
    Unreachable {
        /// Host name.
        host: String,
        /// The operation that failed, and the cause.
        message: String,
    },
    /// The server does not accept writes: a standby, a reader endpoint, or a database that is read-only by its settings.
    #[error("database {host}: {reason}")]
    ReadOnly {
        /// Host name.
        host: String,
        /// Why the session cannot write.
        reason: &'static str,
    },
    /// The server refused the login.
    #[error("database {host}: login refused: {message}")]
    Login {
        /// Host name.
        host: String,
        /// The server's message.
        message: String,
    },
    /// The credentials could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The connection was lost. It is not known whether an open transaction was committed.
    #[error("database connection lost: {message}")]
    Lost {
        /// The connection's error.
        message: String,
    },
    /// A statement failed.
    #[error("{0}")]
    Sql(Box<SqlFailure>),
    /// A response that does not fit the statement: a bug in Penstock.
    #[error("unexpected response from the database: {message}")]
    Unexpected {
        /// The unexpected part.
        message: String,
    },
}

impl DatabaseError {
    /// Returns whether the same work may succeed later.
    ///
    /// This is the case whenever there is no session: wrong credentials or certificates are a fault of the
    /// configuration, for which no message may be moved to the dead-letter queue.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::ReadOnly { .. }
            | Self::Login { .. }
            | Self::Secret(_)
            | Self::Lost { .. } => true,
            Self::Sql(failure) => failure.is_transient(),
            Self::Unexpected { .. } => false,
        }
    }

    /// Returns whether the session must not be used again: it has ended, its statements do not fit the definition of
    /// their objects, or its protocol is out of step, as after a COPY that the server refuses to begin.
    pub fn breaks_session(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::ReadOnly { .. }
            | Self::Login { .. }
            | Self::Secret(_)
            | Self::Lost { .. } => true,
            Self::Sql(failure) => failure.ends_session() || failure.concerns_definition(),
            Self::Unexpected { .. } => true,
        }
    }

    /// Returns whether the server is down, restarting or replaced by another, as far as the error shows.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::ReadOnly { .. } | Self::Lost { .. } => true,
            Self::Sql(failure) => failure.ends_session(),
            Self::Login { .. } | Self::Secret(_) | Self::Unexpected { .. } => false,
        }
    }

    /// Returns the failure of the statement, if the error is one.
    pub fn sql(&self) -> Option<&SqlFailure> {
        match self {
            Self::Sql(failure) => Some(failure),
            Self::Unreachable { .. }
            | Self::ReadOnly { .. }
            | Self::Login { .. }
            | Self::Secret(_)
            | Self::Lost { .. }
            | Self::Unexpected { .. } => None,
        }
    }

    pub(super) fn of_login(host: &str, error: &tokio_postgres::Error) -> Self {
        let host = host.to_owned();
        match error.as_db_error() {
            // Class 28: invalid authorization specification.
            Some(error) if error.code().code().starts_with("28") => {
                Self::Login { host, message: error.message().to_owned() }
            }
            _ => Self::Unreachable { host, message: chain(error) },
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(error) = error.as_db_error() {
            return Self::Sql(Box::new(SqlFailure::of(error)));
        }
        let message = chain(&error);
        let is_io = std::error::Error::source(&error).is_some_and(|source| source.is::<io::Error>());
        if error.is_closed() || is_io { Self::Lost { message } } else { Self::Unexpected { message } }
    }
}

fn chain(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The classes of the codes that PostgreSQL defines, without those of [`SqlFailure::refuses_row`].
const POSTGRESQL_CLASSES: [&str; 34] = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "21", "24", "25", "26",
    "28", "2B", "2D", "34", "3B", "3D", "3F", "40", "42", "53", "55", "57", "58", "72", "F0", "HV", "XX",
];

/// The failure of a statement, without the fields that may contain row values: PostgreSQL quotes values in `DETAIL`, in
/// `CONTEXT`, and in the message if a text cannot be converted to a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFailure {
    /// The five-character code, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub sqlstate: String,
    /// The server's message, or a general one if the server's may contain values.
    pub message: String,
    /// The table.
    pub table: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The constraint that was violated.
    pub constraint: Option<String>,
    /// The line of the COPY text, from 1.
    pub copy_line: Option<u64>,
}

impl SqlFailure {
    fn of(error: &DbError) -> Self {
        let sqlstate = error.code().code();
        let copy = error.where_().and_then(copy_position);
        Self {
            sqlstate: sqlstate.to_owned(),
            message: if is_of_function(error) {
                OMITTED.to_owned()
            } else {
                safe_message(sqlstate, error.message())
            },
            table: error.table().map(str::to_owned),
            column: error.column().map(str::to_owned).or_else(|| copy.as_ref()?.1.clone()),
            constraint: error.constraint().map(str::to_owned),
            copy_line: copy.map(|(line, _)| line),
        }
    }

    /// Returns whether the same statement may succeed later.
    pub fn is_transient(&self) -> bool {
        let (class, condition) = self.sqlstate.split_at_checked(2).unwrap_or(("", ""));
        match (class, condition) {
            // Connection exception, insufficient resources, system error.
            ("08" | "53" | "58", _) => true,
            // Serialization failure and deadlock, but not 40002, an integrity constraint violation.
            ("40", condition) => condition != "002",
            // A lock is not available, or an object is in use.
            ("55", "P03" | "006") => true,
            // The statement was cancelled, or an operator or a failover ended the session.
            ("57", _) => true,
            // The time limits of the session, and a standby that was the primary before a failover.
            ("25", "P03" | "P04" | "006") => true,
            _ => false,
        }
    }

    /// Returns whether the statement does not fit the definition of the objects that it names: it was prepared before
    /// they were changed, or is no longer prepared. An object that is dropped at the same time causes an internal error.
    pub fn concerns_definition(&self) -> bool {
        let class = self.sqlstate.get(..2).unwrap_or("");
        ["0A", "26", "3F", "42"].contains(&class) || self.sqlstate == "XX000"
    }

    /// Returns whether the statement failed because of the values of a row: without the row, it would succeed. Triggers may
    /// raise any error, so codes that PostgreSQL does not define are included.
    pub fn refuses_row(&self) -> bool {
        let class = self.sqlstate.get(..2).unwrap_or("");
        match class {
            // Case not found, data exception, constraint violation, triggered data change, SQL routine, external routine,
            // WITH CHECK OPTION, PL/pgSQL.
            "20" | "22" | "23" | "27" | "2F" | "38" | "39" | "44" | "P0" => true,
            // A row that is too large for a page, or a key for an index.
            "54" => self.sqlstate == "54000",
            "" => false,
            class => !POSTGRESQL_CLASSES.contains(&class),
        }
    }

    /// Returns the violated rule as text.
    pub fn rule(&self) -> String {
        let kind = match self.sqlstate.as_str() {
            "23502" => return "NOT NULL".to_owned(),
            "23503" => "foreign key",
            "23505" => "unique constraint",
            "23514" => "check constraint",
            "23P01" => "exclusion constraint",
            _ => "constraint",
        };
        match &self.constraint {
            Some(constraint) => format!("{kind} {constraint}"),
            None => format!("SQLSTATE {}: {}", self.sqlstate, self.message),
        }
    }

    /// Returns whether a lock was not granted in time, or a deadlock was detected.
    pub fn is_contention(&self) -> bool {
        ["55P03", "40P01"].contains(&self.sqlstate.as_str())
    }

    /// Returns whether the statement was cancelled, as after its timeout.
    pub fn is_cancelled(&self) -> bool {
        self.sqlstate == "57014"
    }

    /// Returns whether the server ends the session with this error, or the session must be opened on another server.
    fn ends_session(&self) -> bool {
        self.sqlstate.starts_with("08")
            || ["57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "25006"]
                .contains(&self.sqlstate.as_str())
    }
}

impl fmt::Display for SqlFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLSTATE {}: {}", self.sqlstate, self.message)?;
        let named = [("table", &self.table), ("column", &self.column), ("constraint", &self.constraint)];
        let objects = named.iter().filter_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?)));
        let line = self.copy_line.map(|line| format!("row {line} of the chunk"));
        let position: Vec<String> = objects.chain(line).collect();
        if position.is_empty() { Ok(()) } else { write!(f, " ({})", position.join(", ")) }
    }
}

/// Replaces the messages of triggers and functions, which may contain values.
const OMITTED: &str = "message omitted because it may contain values; see the log of the server";

/// Returns whether a function in a procedural language has raised the error, with any code.
fn is_of_function(error: &DbError) -> bool {
    error.where_().is_some_and(|context| context.contains("PL/"))
}

/// Returns the server's message for classes whose messages name objects and never contain values, and a general message
/// otherwise.
fn safe_message(sqlstate: &str, message: &str) -> String {
    // A malformed SQLSTATE has no class and gets the most general message.
    let class = sqlstate.get(..2).unwrap_or("");
    match (class, sqlstate) {
        // `missing data for column "x"`, `extra data after last expected column`.
        (_, "22P04" | "22001") => message.to_owned(),
        ("08" | "0A" | "23" | "25" | "26" | "28" | "40" | "42" | "53" | "54" | "55" | "57" | "58", _) => {
            message.to_owned()
        }
        (_, "22003") => "numeric value out of range".to_owned(),
        (_, "22007" | "22008") => "invalid date or time".to_owned(),
        (_, "22021") => "text is not valid UTF-8".to_owned(),
        (_, "22P02") => "text is not valid for the type of the column".to_owned(),
        ("22", _) => "data exception".to_owned(),
        _ => OMITTED.to_owned(),
    }
}

/// Returns line and column of a context such as `COPY stage, line 3, column price: "abc"`, without the value after the
/// colon.
fn copy_position(context: &str) -> Option<(u64, Option<String>)> {
    let (_, rest) = context.strip_prefix("COPY ")?.split_once(", line ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (line, rest) = rest.split_at(digits);
    let column = rest.strip_prefix(", column ").and_then(|rest| rest.split([':', ',', '\n']).next());
    Some((line.parse().ok()?, column.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(sqlstate: &str) -> SqlFailure {
        SqlFailure {
            sqlstate: sqlstate.to_owned(),
            message: "message".to_owned(),
            table: None,
            column: None,
            constraint: None,
            copy_line: None,
        }
    }

    #[test]
    fn transient_conditions_are_distinguished_from_permanent_ones() {
        for sqlstate in [
            "08006", "08P01", "25006", "25P03", "40001", "40P01", "53100", "53300", "55006", "55P03",
            "57014", "57P01", "57P02", "57P03", "58030",
        ] {
            assert!(failure(sqlstate).is_transient(), "{sqlstate}");
        }
        for sqlstate in [
            "0A000", "22003", "22P02", "23502", "23505", "23514", "25P02", "40002", "42501", "42703",
            "42P01", "54000", "55000", "P0001", "XX000", "",
        ] {
            assert!(!failure(sqlstate).is_transient(), "{sqlstate}");
        }
    }

    #[test]
    fn a_statement_that_does_not_fit_its_objects_is_detected() {
        for sqlstate in ["0A000", "26000", "3F000", "42703", "42804", "42883", "42P01", "42P10", "XX000"] {
            assert!(failure(sqlstate).concerns_definition(), "{sqlstate}");
        }
        for sqlstate in ["22001", "23505", "54000", "55P03", "P0001", "XX001", ""] {
            assert!(!failure(sqlstate).concerns_definition(), "{sqlstate}");
        }
    }

    #[test]
    fn an_error_of_a_row_is_distinguished_from_one_of_the_statement() {
        for sqlstate in
            ["22003", "23502", "23503", "23514", "23P01", "54000", "P0001", "MY001", "2F005", "99999"]
        {
            assert!(failure(sqlstate).refuses_row(), "{sqlstate}");
        }
        for sqlstate in [
            "21000", "42P01", "42501", "0A000", "55P03", "40001", "54001", "57014", "XX000", "F0000",
            "HV000", "",
        ] {
            assert!(!failure(sqlstate).refuses_row(), "{sqlstate}");
        }
    }

    #[test]
    fn a_rule_is_described_by_its_constraint() {
        let of = |sqlstate| SqlFailure { constraint: Some("c".into()), ..failure(sqlstate) }.rule();
        assert_eq!(
            ["23503", "23505", "23514", "23P01", "23001"].map(of),
            [
                "foreign key c",
                "unique constraint c",
                "check constraint c",
                "exclusion constraint c",
                "constraint c"
            ]
        );
        assert_eq!(failure("23502").rule(), "NOT NULL");
        assert_eq!(failure("54000").rule(), "SQLSTATE 54000: message");
    }

    #[test]
    fn a_message_that_quotes_a_value_is_not_reported() {
        for (sqlstate, message) in [
            ("22P02", "invalid input syntax for type integer: \"hunter2\""),
            ("22003", "value \"hunter2\" is out of range for type integer"),
            ("22007", "invalid input syntax for type date: \"hunter2\""),
            ("22008", "date/time field value out of range: \"hunter2\""),
            ("22023", "invalid value \"hunter2\""),
            ("P0001", "customer hunter2 is not welcome"),
            ("XX000", "hunter2"),
        ] {
            assert!(!safe_message(sqlstate, message).contains("hunter2"), "{sqlstate}");
        }
        let safe = "duplicate key value violates unique constraint \"t_pkey\"";
        assert_eq!(safe_message("23505", safe), safe);
    }

    #[test]
    fn the_position_in_a_copy_is_parsed_without_the_value() {
        for (context, expected) in [
            ("COPY s, line 3, column price: \"1, column x: 2\"", Some((3, Some("price")))),
            ("COPY s, line 12: \"a\tb\"", Some((12, None))),
            ("COPY s, line 7, column q", Some((7, Some("q")))),
            ("PL/pgSQL function f() line 3 at RAISE", None),
            ("COPY s, line x", None),
        ] {
            let expected =
                expected.map(|(line, column): (u64, Option<&str>)| (line, column.map(str::to_owned)));
            assert_eq!(copy_position(context), expected, "{context}");
        }
    }

    #[test]
    fn the_runbook_quotes_the_error_of_a_refused_login() {
        let error = DatabaseError::Login { host: "db".to_owned(), message: "message".to_owned() };
        assert!(error.to_string().contains(": login refused: "), "{error}");
        assert!(include_str!("../../../../docs/runbook.md").contains("`login refused`"));
    }

    #[test]
    fn a_failure_is_displayed_with_its_position() {
        let failure = SqlFailure { column: Some("price".into()), copy_line: Some(3), ..failure("22P02") };
        assert_eq!(failure.to_string(), "SQLSTATE 22P02: message (column price, row 3 of the chunk)");
    }
}
