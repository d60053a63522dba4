//! The real binary with real flags, variables and a file.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn check_config(arguments: &[&str], variables: &[(&str, &str)], file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chapar"))
        .arg("check-config")
        .args(arguments)
        .env_clear()
        .env("CHAPAR_CONFIG", file)
        .envs(variables.iter().copied())
        .output()
        .expect("it runs")
}

#[test]
fn flag_then_environment_then_file_then_default() {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("chapar.toml");
    fs::write(&file, "listen = '127.0.0.1:3'\nhash-queue = 3\ndrain-seconds = 3\nregistration = false\n")
        .expect("a file");
    let ran = check_config(
        &["--listen", "127.0.0.1:1"],
        &[
            ("CHAPAR_LISTEN", "127.0.0.1:2"),
            ("CHAPAR_HASH_QUEUE", "2"),
            ("CHAPAR_REGISTRATION", ""),
            ("DATABASE_URL", "postgres://chapar:hunter2@db/chapar"),
        ],
        &file,
    );
    let said = String::from_utf8(ran.stdout).expect("text");
    assert!(ran.status.success(), "{said}");
    let from_file = format!("the file {}", file.display());
    for (name, value, source) in [
        ("listen", "127.0.0.1:1", "the flag --listen"),
        ("hash-queue", "2", "the environment variable CHAPAR_HASH_QUEUE"),
        ("drain-seconds", "3", &*from_file),
        // An empty variable is no variable.
        ("registration", "false", &*from_file),
        ("max-connections", "20000", "the default"),
        ("database-url", "postgres://chapar:(hidden)@db/chapar", "the environment variable DATABASE_URL"),
    ] {
        let line = said.lines().find(|line| line.split_whitespace().next() == Some(name)).expect(name);
        assert_eq!(line.split_whitespace().nth(1), Some(value), "{line}");
        assert!(line.ends_with(source), "{line}");
    }
    assert!(!said.contains("hunter2"));
}

#[test]
fn every_problem_at_once_and_exit_code_one() {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("chapar.toml");
    fs::write(&file, "colour = 'blue'\n").expect("a file");
    let ran = check_config(&["--listen", "here"], &[("CHAPAR_HASH_QUEUE", "many")], &file);
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).expect("text");
    for part in ["3 problems", "unknown key `colour`", "the flag --listen", "CHAPAR_HASH_QUEUE"] {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
}
