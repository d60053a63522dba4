//! `docs/OPERATIONS.md` and `docs/DEPENDENCIES.md` leave nothing out.

use std::{fs, path::Path};

use chapar_server::{
    cli::Cli,
    settings::{SETTINGS, Settings},
};
use clap::CommandFactory;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_setting_stands_with_its_variable_and_default() {
    let document = read("docs/OPERATIONS.md");
    let defaults = Settings::default().effective();
    for setting in &SETTINGS {
        let begin = format!("| `{}` | `{}` |", setting.name, setting.variable);
        let line = document.lines().find(|line| line.starts_with(&begin));
        let line = line.unwrap_or_else(|| panic!("docs/OPERATIONS.md has no row that begins with {begin}"));
        let shown = &defaults.iter().find(|(name, ..)| *name == setting.name).expect("is shown").1;
        // Numbers, addresses and words; a default in words stands in parentheses, one by the machine differs.
        if !shown.starts_with('(') && setting.name != "hash-concurrency" {
            assert_eq!(line.split('|').nth(3).map(str::trim), Some(shown.as_str()), "{}", setting.name);
        }
    }
}

#[test]
fn every_metric_stands() {
    let document = read("docs/OPERATIONS.md");
    let source = read("server/live/src/metrics.rs");
    let names: Vec<&str> =
        source.split("registry.register(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 10, "metrics.rs registers its metrics by name");
    for name in names {
        let stands = document.lines().any(|line| {
            line.strip_prefix("| `chapar_")
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(['`', '{']) || rest.starts_with("_total"))
        });
        assert!(stands, "docs/OPERATIONS.md has no row for chapar_{name}");
    }
}

#[test]
fn every_metric_of_a_relay_stands() {
    let document = read("docs/RELAYS.md");
    for counter in chapar_signaling::relay::counters::Counter::ALL {
        let row = format!("| `chapar_relay_{}` |", counter.name());
        assert!(document.contains(&row), "docs/RELAYS.md has no row for {row}");
    }
}

#[test]
fn every_command_of_the_binary_stands() {
    let document = read("docs/OPERATIONS.md");
    let cli = <Cli as CommandFactory>::command();
    for command in cli.get_subcommands().filter(|it| !["serve", "admin"].contains(&it.get_name())) {
        let name = format!("chapar {}", command.get_name());
        assert!(document.contains(&name), "docs/OPERATIONS.md does not name {name}");
    }
    let admin = cli.find_subcommand("admin").expect("there is chapar admin");
    for command in admin.get_subcommands() {
        let name = format!("`chapar admin {}", command.get_name());
        assert!(document.contains(&name), "docs/OPERATIONS.md does not name {name}");
    }
}

#[test]
fn every_direct_dependency_is_justified() {
    let document = read("docs/DEPENDENCIES.md");
    // The first table is of crates; npm's packages follow under headings of their own.
    let document = document.split("\n## ").next().unwrap_or_default();
    let mut used = Vec::new();
    let workspace: toml::Table = read("Cargo.toml").parse().expect("is TOML");
    for member in workspace["workspace"]["members"].as_array().expect("members").iter().filter_map(toml::Value::as_str)
    {
        let manifest: toml::Table = read(&format!("{member}/Cargo.toml")).parse().expect("is TOML");
        // The crates of the server stand in the table as one.
        let part = member.split('/').next().unwrap_or(member);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            for name in names.filter(|name| !name.starts_with("chapar-")) {
                used.push(name.clone());
                let begin = format!("| `{name}` |");
                let line = document.lines().find(|line| line.starts_with(&begin));
                let line = line.unwrap_or_else(|| panic!("docs/DEPENDENCIES.md does not justify {name}"));
                let crates: Vec<&str> = line.split('|').nth(2).unwrap_or_default().split(',').map(str::trim).collect();
                assert!(crates.contains(&part), "docs/DEPENDENCIES.md does not say that {part} uses {name}");
            }
        }
    }
    for name in document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()) {
        assert!(used.iter().any(|it| it == name), "docs/DEPENDENCIES.md justifies {name}, which nobody uses");
    }
}
