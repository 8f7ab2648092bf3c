//! Configuration by environment variables, which are parsed once at the cold start.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;

/// All faults of the environment variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", problems.join("; "))]
pub struct ConfigError {
    /// One sentence for each fault, with the variable's name. Values are omitted, because some are secrets.
    pub problems: Vec<String>,
    /// Every `PENSTOCK_*` variable that the configuration reads, in the order of reading.
    pub variables: Vec<ConfigVariable>,
}

/// An environment variable that a configuration reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigVariable {
    /// The name.
    pub name: String,
    /// The value that is used if the variable is not set; `None` if there is no default.
    pub default: Option<String>,
}

/// The `PENSTOCK_*` variables. Each is read by name; [`Variables::finish`] reports the remaining ones as unknown.
///
/// ```
/// # use penstock_aws::config::{ConfigError, Variables};
/// struct Config { bucket: String, chunk_rows: u32 }
///
/// fn config(variables: impl IntoIterator<Item = (String, String)>) -> Result<Config, ConfigError> {
///     let mut variables = Variables::new(variables);
///     let config = Config {
///         bucket: variables.required("PENSTOCK_BUCKET"),
///         chunk_rows: variables.number_or("PENSTOCK_CHUNK_ROWS", 50_000),
///     };
///     variables.finish(config)
/// }
///
/// let error = config([("PENSTOCK_CHUNKS".to_owned(), "7".to_owned())]).err();
/// let problems = error.map(|error| error.problems);
/// assert_eq!(problems, Some(vec!["PENSTOCK_BUCKET is not set".into(), "PENSTOCK_CHUNKS is unknown".into()]));
/// ```
#[derive(Debug)]
pub struct Variables {
    remaining: BTreeMap<String, String>,
    problems: Vec<String>,
    read: Vec<ConfigVariable>,
}

impl Variables {
    /// Selects the variables whose name begins with `PENSTOCK_`. A variable with an empty value is not set.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let remaining = variables.into_iter().filter(|(name, _)| name.starts_with("PENSTOCK_")).collect();
        Self { remaining, problems: Vec::new(), read: Vec::new() }
    }

    /// Selects the variables of the process.
    pub fn from_env() -> Self {
        Self::new(std::env::vars())
    }

    /// Returns a required text.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// Returns an optional text.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.read(name, None)
    }

    /// Returns a required number.
    pub fn number<T: FromStr + Default>(&mut self, name: &str) -> T {
        let text = self.required(name);
        if text.is_empty() { T::default() } else { self.parse(name, &text) }
    }

    /// Returns an optional number, or `default` if it is not set.
    pub fn number_or<T: FromStr + Default + Display>(&mut self, name: &str, default: T) -> T {
        match self.read(name, Some(default.to_string())) {
            Some(text) => self.parse(name, &text),
            None => default,
        }
    }

    /// Returns an optional value that is parsed from its text, or the default of its type if it is not set. The error of
    /// its type is reported, so it must not be a secret.
    pub fn parsed<T: FromStr<Err: Display> + Default>(&mut self, name: &str) -> T {
        let Some(text) = self.read(name, None) else { return T::default() };
        text.parse().unwrap_or_else(|error| {
            self.problems.push(format!("{name}: {error}"));
            T::default()
        })
    }

    /// Returns the value of a required word, given all words with their values, e.g. `[("iam", false), ("secret",
    /// true)]`.
    ///
    /// # Panics
    /// Panics if `words` is empty.
    pub fn one_of<T: Clone>(&mut self, name: &str, words: &[(&str, T)]) -> T {
        let text = self.required(name);
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return value.clone();
        }
        if !text.is_empty() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problems.push(format!("{name} must be one of {}", names.join(", ")));
        }
        words[0].1.clone()
    }

    /// Adds a fault that only the caller can detect, such as a variable that is required because of another.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Returns `config`, if there are no faults.
    ///
    /// # Errors
    /// Returns an error that lists every missing, malformed and unknown variable.
    pub fn finish<T>(mut self, config: T) -> Result<T, ConfigError> {
        self.problems.extend(self.remaining.keys().map(|name| format!("{name} is unknown")));
        if self.problems.is_empty() {
            return Ok(config);
        }
        Err(ConfigError { problems: self.problems, variables: self.read })
    }

    fn read(&mut self, name: &str, default: Option<String>) -> Option<String> {
        self.read.push(ConfigVariable { name: name.to_owned(), default });
        self.remaining.remove(name).filter(|value| !value.is_empty())
    }

    fn parse<T: FromStr + Default>(&mut self, name: &str, text: &str) -> T {
        text.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} is not a number in the valid range"));
            T::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{AddrParseError, Ipv4Addr};

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Address(Ipv4Addr);

    impl Default for Address {
        fn default() -> Self {
            Self(Ipv4Addr::UNSPECIFIED)
        }
    }

    impl FromStr for Address {
        type Err = AddrParseError;

        fn from_str(text: &str) -> Result<Self, AddrParseError> {
            text.parse().map(Self)
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn values_are_typed_and_other_variables_are_ignored() {
        let mut variables = variables(&[
            ("PENSTOCK_A", "text"),
            ("PENSTOCK_B", "12"),
            ("PENSTOCK_C", "secret"),
            ("PENSTOCK_F", "10.0.0.1"),
            ("PATH", "/bin"),
        ]);
        let config = (
            variables.required("PENSTOCK_A"),
            variables.number::<u16>("PENSTOCK_B"),
            variables.one_of("PENSTOCK_C", &[("iam", 1), ("secret", 2)]),
            variables.number_or("PENSTOCK_D", 7u64),
            variables.optional("PENSTOCK_E"),
            variables.parsed::<Address>("PENSTOCK_F"),
        );
        let address = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(variables.finish(config), Ok(("text".to_owned(), 12, 2, 7, None, Address(address))));
    }

    #[test]
    fn all_faults_are_reported_without_values() {
        let mut variables = variables(&[
            ("PENSTOCK_A", ""),
            ("PENSTOCK_B", "70000"),
            ("PENSTOCK_C", "hunter2"),
            ("PENSTOCK_D", "10.0"),
            ("PENSTOCK_X", "y"),
        ]);
        variables.required("PENSTOCK_A");
        variables.number::<u16>("PENSTOCK_B");
        variables.one_of("PENSTOCK_C", &[("iam", 1), ("secret", 2)]);
        assert_eq!(variables.parsed::<Address>("PENSTOCK_D"), Address::default());
        let error = variables.finish(()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "configuration: PENSTOCK_A is not set; PENSTOCK_B is not a number in the valid range; \
             PENSTOCK_C must be one of iam, secret; PENSTOCK_D: invalid IPv4 address syntax; PENSTOCK_X is unknown"
        );
        let read: Vec<&str> = error.variables.iter().map(|variable| variable.name.as_str()).collect();
        assert_eq!(read, ["PENSTOCK_A", "PENSTOCK_B", "PENSTOCK_C", "PENSTOCK_D"]);
    }
}
