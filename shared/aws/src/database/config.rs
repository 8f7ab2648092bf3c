//! The configuration of the database connection.

use std::fmt;
use std::path::PathBuf;

use crate::config::Variables;

/// The database, its user, and the security of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// Host name, which the server's certificate must be issued for.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database name.
    pub name: String,
    /// User. A secret with a user name takes precedence.
    pub user: String,
    /// The authentication of the user.
    pub auth: Auth,
    /// Whether the connection is encrypted and the server authenticated.
    pub tls: Tls,
}

/// The authentication of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// An RDS IAM token, signed locally for each login and valid for 15 minutes.
    Iam,
    /// A secret with `password`, and optionally `username`, which takes precedence over the configured user.
    Secret {
        /// Name or ARN.
        arn: String,
    },
    /// This password, for a database on the same machine. It cannot be configured by environment variables.
    Fixed(Password),
}

/// Whether the connection is encrypted and the server authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// TLS with a certificate for the host's name, issued by a trusted authority.
    VerifyFull {
        /// PEM file of the only trusted authorities; `None` for those of the system.
        ca_file: Option<PathBuf>,
    },
    /// Plain TCP, for a database on the same machine.
    Disable,
}

/// A password. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Returns `password` as a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl DatabaseConfig {
    /// Reads the `PENSTOCK_DATABASE_*` variables.
    pub fn from_variables(variables: &mut Variables) -> Self {
        let secret_arn = variables.optional("PENSTOCK_DATABASE_SECRET_ARN");
        let ca_file = variables.optional("PENSTOCK_DATABASE_CA_FILE").map(PathBuf::from);
        let auth = match variables.one_of("PENSTOCK_DATABASE_AUTH", &[("iam", false), ("secret", true)]) {
            false => Auth::Iam,
            true => Auth::Secret {
                arn: secret_arn.unwrap_or_else(|| {
                    variables.problem(
                        "PENSTOCK_DATABASE_SECRET_ARN is not set, but PENSTOCK_DATABASE_AUTH is secret",
                    );
                    String::new()
                }),
            },
        };
        let tls = variables.one_of("PENSTOCK_DATABASE_TLS", &[("verify-full", true), ("disable", false)]);
        Self {
            host: variables.required("PENSTOCK_DATABASE_HOST"),
            port: variables.number("PENSTOCK_DATABASE_PORT"),
            name: variables.required("PENSTOCK_DATABASE_NAME"),
            user: variables.required("PENSTOCK_DATABASE_USER"),
            auth,
            tls: if tls { Tls::VerifyFull { ca_file } } else { Tls::Disable },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigError;

    fn config(changes: &[(&str, &str)]) -> Result<DatabaseConfig, ConfigError> {
        let mut pairs = vec![
            ("PENSTOCK_DATABASE_HOST", "db.example.com"),
            ("PENSTOCK_DATABASE_PORT", "5432"),
            ("PENSTOCK_DATABASE_NAME", "penstock"),
            ("PENSTOCK_DATABASE_USER", "writer"),
            ("PENSTOCK_DATABASE_AUTH", "iam"),
            ("PENSTOCK_DATABASE_TLS", "verify-full"),
        ];
        pairs.extend(changes);
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut variables = Variables::new(pairs);
        let config = DatabaseConfig::from_variables(&mut variables);
        variables.finish(config)
    }

    #[test]
    fn the_environment_configures_authentication_and_tls() {
        let config = config(&[
            ("PENSTOCK_DATABASE_AUTH", "secret"),
            ("PENSTOCK_DATABASE_SECRET_ARN", "arn:secret"),
            ("PENSTOCK_DATABASE_CA_FILE", "/opt/rds-ca.pem"),
        ])
        .unwrap();
        assert_eq!(config.auth, Auth::Secret { arn: "arn:secret".into() });
        assert_eq!(config.tls, Tls::VerifyFull { ca_file: Some("/opt/rds-ca.pem".into()) });
    }

    #[test]
    fn a_secret_needs_its_arn() {
        let error = config(&[("PENSTOCK_DATABASE_AUTH", "secret")]).unwrap_err();
        assert!(error.to_string().contains("PENSTOCK_DATABASE_SECRET_ARN is not set"), "{error}");
    }
}
