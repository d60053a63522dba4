//! What is wrong with the settings, in sentences.

use std::fmt;
use std::path::Path;

use super::sources::Source;

/// One problem, as a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    /// `what` goes on after the setting's name and source: "must be …", "is set, but …". It never quotes a secret.
    pub(super) fn new(name: &str, source: &Source, what: &str) -> Self {
        Self(format!("{name} (from {source}) {what}"))
    }

    pub(super) fn of_file(path: &Path, what: &str) -> Self {
        Self(format!("the file of settings {} {what}", path.display()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// All problems at once, one to a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "There is a problem with the settings:")?,
            count => write!(f, "There are {count} problems with the settings:")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n- {problem}."))
    }
}

impl std::error::Error for Problems {}
