//! The errors of a template.

/// The reason why a template cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The text is not YAML, or not a template.
    #[error("template: {0}")]
    Malformed(String),
    /// A name that is not defined in the template.
    #[error("template: unknown {what} {name}")]
    Unknown {
        /// The expected kind, for example `parameter`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An intrinsic function that is unsupported or malformed.
    #[error("template: {name} {problem}")]
    Intrinsic {
        /// The long name, for example `Fn::Sub`.
        name: String,
        /// The problem.
        problem: String,
    },
    /// A parameter without a value.
    #[error("template: parameter {0} has no default and no value was given")]
    NoValue(String),
    /// A resource that the local stack does not support.
    #[error("template: resource {resource}: {problem}")]
    Unsupported {
        /// The logical id.
        resource: String,
        /// The unsupported part.
        problem: String,
    },
}

pub(super) fn unsupported(resource: &str, problem: String) -> TemplateError {
    TemplateError::Unsupported { resource: resource.to_owned(), problem }
}
