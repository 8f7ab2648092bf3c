//! How a date or time is written.

use std::fmt;

use serde::Serialize;

/// How values of a date, a time of day or a point in time are written. Displays as the contract has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateFormat {
    /// As the contract has it: a pattern of the JDK's `DateTimeFormatter`, e.g. `dd.MM.yyyy`.
    pub pattern: String,
    /// What it is read by: a `strptime` pattern, e.g. `%d.%m.%Y`. Several `pattern`s may have one `strptime`.
    ///
    /// The directives used are `%Y %y %m %b %B %d %j %a %A %H %I %M %S %p %f %z %:z %%`, as the crate `jiff`
    /// reads them; `%z` and `%:z` also read `Z`.
    pub strptime: String,
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}
