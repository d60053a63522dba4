//! The places a value can come from, in the order of their rank.

use std::fmt;
use std::path::{Path, PathBuf};

use super::problem::Problem;
use super::table::SETTINGS;

/// Where a value came from. Later variants beat earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file of settings.
    File(PathBuf),
    /// This environment variable.
    Environment(&'static str),
    /// This flag, with its dashes.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "the default"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(variable) => write!(f, "the environment variable {variable}"),
            Self::Flag(flag) => write!(f, "the flag {flag}"),
        }
    }
}

/// A value as it was written, before it is checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// The setting's name in the table.
    pub name: &'static str,
    /// Its text. Lists are separated by commas.
    pub value: String,
    /// Where it stood.
    pub source: Source,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value may be a secret, or a secret in the wrong place.
        f.debug_struct("Given").field("name", &self.name).field("source", &self.source).finish_non_exhaustive()
    }
}

/// Everything that was given, in whatever order, and what was wrong with the giving itself.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The values; of several for one setting the one with the highest source counts.
    pub given: Vec<Given>,
    /// Problems met while the layers were read.
    pub problems: Vec<Problem>,
}

impl Layers {
    /// Adds a file of settings: TOML with the names of the flags as keys (underscores will do for dashes).
    pub fn add_file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.add_file_text(path, &text),
            Err(fault) => self.problems.push(Problem::of_file(path, &format!("cannot be read: {fault}"))),
        }
    }

    /// The same with the file's text at hand.
    pub fn add_file_text(&mut self, path: &Path, text: &str) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(fault) => {
                // Not the fault's Display: it quotes the line, which may hold a secret.
                let line = fault.span().map_or(1, |span| text[..span.start].lines().count().max(1));
                let what = format!("is not TOML, at line {line}: {}", fault.message());
                self.problems.push(Problem::of_file(path, &what));
                return;
            }
        };
        for (key, value) in table {
            let name = key.replace('_', "-");
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                self.problems.push(Problem::of_file(path, &format!("has the unknown key `{key}`")));
                continue;
            };
            let source = Source::File(path.to_owned());
            if self.given.iter().any(|given| given.name == setting.name && given.source == source) {
                self.problems.push(Problem::of_file(path, &format!("sets `{name}` twice")));
                continue;
            }
            match text_of(&value) {
                Some(value) => self.given.push(Given { name: setting.name, value, source }),
                None => self.problems.push(Problem::new(
                    setting.name,
                    &source,
                    &format!(
                        "must be a string, a number, true or false, or a list of strings, not {}",
                        value.type_str()
                    ),
                )),
            }
        }
    }
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(entries) => {
            let entries: Option<Vec<&str>> = entries.iter().map(toml::Value::as_str).collect();
            Some(entries?.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
