//! What a scenario that judges says at its end: a table, and what was wrong.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

/// The end of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// For people.
    pub text: String,
    /// For machines.
    pub json: serde_json::Value,
    /// The first broken promises, in words.
    pub violations: Vec<String>,
    /// How many there are in all.
    pub violated: u64,
}

impl Outcome {
    pub(crate) fn new(scenario: &str, figures: &serde_json::Value) -> Self {
        let json = serde_json::json!({ "scenario": scenario, "figures": figures });
        Self { text: String::new(), json, violations: Vec::new(), violated: 0 }
    }

    /// Whether every promise was kept.
    pub fn passed(&self) -> bool {
        self.violated == 0
    }

    /// The table and the verdict.
    pub fn told(&self) -> String {
        let mut text = self.text.clone();
        if self.passed() {
            text.push_str("no violation\n");
            return text;
        }
        let _ = writeln!(text, "{} VIOLATIONS", self.violated);
        for it in &self.violations {
            let _ = writeln!(text, "  {it}");
        }
        text
    }

    /// As JSON, with the violations.
    pub fn json(&self) -> serde_json::Value {
        let mut json = self.json.clone();
        json["violations"] = self.violations.clone().into();
        json["violated"] = self.violated.into();
        json
    }
}

pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
