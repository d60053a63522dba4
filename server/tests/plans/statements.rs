//! The statements in the store's sources, and the plans that Postgres says it has run.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Words that a statement with a plan begins with.
const BEGINS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// A statement, with one blank wherever there were any.
pub fn normal(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The sources of the store without their tests, by name.
fn sources() -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("store/src");
    let mut files = Vec::new();
    for folder in ["", "chats", "people"] {
        let folder = fs::read_dir(source.join(folder)).expect("the store");
        files.extend(folder.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()));
    }
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a source");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        (file.strip_prefix(&source).expect("below it").display().to_string(), text.to_owned())
    };
    files.into_iter().map(read).collect()
}

fn has_a_plan(literal: &str) -> bool {
    BEGINS.iter().any(|word| literal.starts_with(word))
}

/// All statements in the sources of the store, with their files. What a format puts in stands as `{…}`.
pub fn in_sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (file, text) in sources() {
        let statements = literals(&text).into_iter().map(|literal| normal(&literal));
        found.extend(statements.filter(|it| has_a_plan(it)).map(|it| (it, file.clone())));
    }
    found
}

/// What is asked without a plan, or not as a literal, and why that is no gap.
const NO_LITERALS: &[(&str, &str)] = &[
    ("sqlx::AssertSqlSafe(setup", "makes a schema: every start does"),
    ("sqlx::AssertSqlSafe(self.setup", "settings of a session: every connection has them"),
    ("sqlx::AssertSqlSafe(statement", "of a format, whose pieces stand among the statements"),
    ("statement)", "one of some literals above it"),
    ("\"SET LOCAL jit = off", "a setting for the statement after it"),
    ("\"CREATE TEMPORARY TABLE room", "whether the disk has room: /readyz asks it"),
];

/// What the sources ask that is neither a literal with a plan nor excepted: nobody would know whether it was ever run.
fn not_seen() -> Vec<String> {
    let mut not_seen = Vec::new();
    for (file, text) in sources() {
        for (at, _) in text.match_indices("sqlx::query").chain(text.match_indices("sqlx::raw_sql")) {
            let Some((_, asked)) = text[at..].split_once('(') else { continue };
            let asked = normal(&asked.chars().take(400).collect::<String>());
            let name: String = asked.chars().take_while(|it| it.is_ascii_uppercase() || *it == '_').collect();
            let constant = text.split_once(&format!("const {name}: &str = ")).map(|it| normal(it.1));
            let asked = constant.filter(|_| !name.is_empty()).unwrap_or(asked);
            let literal = asked.strip_prefix('"').map(str::trim_start);
            let seen = literal.is_some_and(has_a_plan) || NO_LITERALS.iter().any(|(it, _)| asked.starts_with(it));
            if !seen {
                not_seen.push(format!("{file}: {asked:.80}"));
            }
        }
    }
    not_seen
}

#[test]
fn every_statement_of_the_store_is_one_that_must_have_run() {
    assert_eq!(not_seen(), Vec::<String>::new());
    assert!(in_sources().len() > 100, "{}", in_sources().len());
}

/// The string literals of a source.
fn literals(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let (mut literals, mut open) = (Vec::new(), None::<String>);
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match (&mut open, letter) {
            (None, '\'') => {
                // A quote as a character literal opens nothing.
                if letters.peek() == Some(&'"') {
                    letters.next();
                }
            }
            (None, '"') => open = Some(String::new()),
            (Some(_), '"') => literals.extend(open.take()),
            (Some(literal), '\\') => match letters.next() {
                Some('\n') => literal.push(' '),
                Some(other) => literal.push(other),
                None => {}
            },
            (Some(literal), other) => literal.push(other),
            (None, _) => {}
        }
    }
    literals
}

/// Whether a statement that was run is this one of the sources.
pub fn is_same(source: &str, run: &str) -> bool {
    let mut rest = run;
    let mut pieces = source.split('{').enumerate().map(|(n, piece)| match piece.split_once('}') {
        Some((_, after)) if n > 0 => after,
        _ => piece,
    });
    let begins = pieces.next().is_some_and(|first| {
        rest = rest.strip_prefix(first).unwrap_or("\0");
        rest != "\0"
    });
    let fits = begins
        && pieces.all(|piece| match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        });
    fits && rest.is_empty()
}

/// What one run of a statement cost.
#[derive(Clone, Debug)]
pub struct Run {
    pub statement: String,
    /// Rows of tables that were looked at.
    pub read: f64,
    /// Rows that came out of it, or were written.
    pub returned: f64,
    pub plan: Value,
}

/// The runs in a log of `auto_explain` in JSON.
pub fn runs(log: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with(" plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(next) = lines.next_if(|next| next.starts_with('\t')) {
            json.push_str(&next[1..]);
            json.push('\n');
        }
        let told: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}:\n{json}"));
        let statement = normal(told["Query Text"].as_str().expect("a statement"));
        let plan = told["Plan"].clone();
        runs.push(Run { statement, read: read(&plan), returned: returned(&plan), plan });
    }
    runs
}

fn number(plan: &Value, name: &str) -> f64 {
    plan[name].as_f64().unwrap_or(0.0)
}

fn read(plan: &Value) -> f64 {
    let scan = plan["Node Type"].as_str().is_some_and(|it| it.contains("Scan")) && plan.get("Relation Name").is_some();
    let removed = number(plan, "Rows Removed by Filter") + number(plan, "Rows Removed by Index Recheck");
    let here = (number(plan, "Actual Rows") + removed) * number(plan, "Actual Loops");
    let below = plan["Plans"].as_array().into_iter().flatten().map(read).sum::<f64>();
    below + if scan { here } else { 0.0 }
}

/// Rows out of the top, or through what writes.
fn returned(plan: &Value) -> f64 {
    let here = number(plan, "Actual Rows") * number(plan, "Actual Loops");
    let written = written(plan);
    here.max(written)
}

fn written(plan: &Value) -> f64 {
    let below = || plan["Plans"].as_array().into_iter().flatten();
    if plan["Node Type"] == "ModifyTable" {
        return below().map(|it| number(it, "Actual Rows") * number(it, "Actual Loops")).sum();
    }
    below().map(written).sum()
}
