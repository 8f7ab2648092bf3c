//! Configuration: environment variables, read once at cold start into a typed struct.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Everything that is wrong with the environment, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", problems.join("; "))]
pub struct ConfigError {
    /// One sentence each, with the variable's name. No values: some are secrets.
    pub problems: Vec<String>,
}

/// The `PENSTOCK_*` variables, taken out one by one; what is left over at [`Variables::finish`] is an error.
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
/// assert_eq!(problems, Some(vec!["PENSTOCK_BUCKET is not set".into(), "PENSTOCK_CHUNKS is not known".into()]));
/// ```
#[derive(Debug)]
pub struct Variables {
    left: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Variables {
    /// Keeps the variables whose name begins with `PENSTOCK_`. An empty value counts as not set.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let left = variables.into_iter().filter(|(name, _)| name.starts_with("PENSTOCK_")).collect();
        Self { left, problems: Vec::new() }
    }

    /// [`Variables::new`] over the process's own environment.
    pub fn from_env() -> Self {
        Self::new(std::env::vars())
    }

    /// A text that must be there.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A text that may be missing.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.left.remove(name).filter(|value| !value.is_empty())
    }

    /// A number that must be there.
    pub fn number<T: FromStr + Default>(&mut self, name: &str) -> T {
        let text = self.required(name);
        if text.is_empty() { T::default() } else { self.parsed(name, &text, "a number") }
    }

    /// A number, or `default` where it is not set.
    pub fn number_or<T: FromStr + Default>(&mut self, name: &str, default: T) -> T {
        match self.optional(name) {
            Some(text) => self.parsed(name, &text, "a number"),
            None => default,
        }
    }

    /// One of a few words that must be there, e.g. `[("iam", Auth::Iam), ("secret", Auth::Secret)]`.
    ///
    /// # Panics
    /// When `words` is empty.
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

    /// Notes a problem that only the caller can see, such as a variable needed because of another.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// The configuration, if all was well.
    ///
    /// # Errors
    /// With every missing, malformed and unknown variable.
    pub fn finish<T>(mut self, config: T) -> Result<T, ConfigError> {
        self.problems.extend(self.left.keys().map(|name| format!("{name} is not known")));
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError { problems: self.problems }) }
    }

    fn parsed<T: FromStr + Default>(&mut self, name: &str, text: &str, what: &str) -> T {
        text.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} is not {what} that fits"));
            T::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        Variables::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn values_are_typed_and_foreign_variables_are_left_alone() {
        let mut variables = variables(&[
            ("PENSTOCK_A", "text"),
            ("PENSTOCK_B", "12"),
            ("PENSTOCK_C", "secret"),
            ("PATH", "/bin"),
        ]);
        let config = (
            variables.required("PENSTOCK_A"),
            variables.number::<u16>("PENSTOCK_B"),
            variables.one_of("PENSTOCK_C", &[("iam", 1), ("secret", 2)]),
            variables.number_or("PENSTOCK_D", 7u64),
            variables.optional("PENSTOCK_E"),
        );
        assert_eq!(variables.finish(config), Ok(("text".to_owned(), 12, 2, 7, None)));
    }

    #[test]
    fn every_problem_is_listed_and_no_value_is_shown() {
        let mut variables = variables(&[
            ("PENSTOCK_A", ""),
            ("PENSTOCK_B", "70000"),
            ("PENSTOCK_C", "hunter2"),
            ("PENSTOCK_X", "y"),
        ]);
        variables.required("PENSTOCK_A");
        variables.number::<u16>("PENSTOCK_B");
        variables.one_of("PENSTOCK_C", &[("iam", 1), ("secret", 2)]);
        let error = variables.finish(()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "configuration: PENSTOCK_A is not set; PENSTOCK_B is not a number that fits; \
             PENSTOCK_C must be one of iam, secret; PENSTOCK_X is not known"
        );
    }
}
