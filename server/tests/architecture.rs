//! What must never import what, and what must not stand in the sources. The rules are those of `docs/ARCHITECTURE.md`.

#[path = "support/source.rs"]
mod source;

use std::{fs, path::PathBuf};

use source::{Source, sources};

/// What the files under a path may not have.
struct Rule {
    /// The reason, for whoever breaks it.
    says: &'static str,
    /// A file (with `.rs`), or a module with all that is below it.
    of: &'static [&'static str],
    /// Paths that may not be named, nor anything below them.
    paths: &'static [&'static str],
    /// Words that may not occur at all.
    words: &'static [&'static str],
}

/// The crates of the server, from the lowest up.
const SERVER: [&str; 11] = [
    "server/domain/src",
    "server/postgres/src",
    "server/store/src",
    "server/bus/src",
    "server/settings/src",
    "server/live/src",
    "server/calls/src",
    "server/media/src",
    "server/files/src",
    "server/previews/src",
    "server/src",
];

const OURS: &[&str] = &["chapar_server", "chapar_client", "chapar_signaling", "chapar_loadtest"];

const RULES: &[Rule] = &[
    Rule {
        says: "the protocol is the one source of truth of the wire: it knows nothing of ours and does no IO",
        of: &["protocol/src"],
        paths: &["tokio", "sqlx", "axum", "redis", "std::net", "std::fs", "std::thread"],
        words: OURS,
    },
    Rule {
        says: "signaling knows the protocol, never the server",
        of: &["signaling/src"],
        paths: &[],
        words: &["chapar_server", "chapar_client", "chapar_loadtest"],
    },
    Rule {
        says: "where Redis is is found without knowing what for",
        of: &["redis/src"],
        paths: &["axum", "sqlx"],
        words: &[
            "chapar_protocol",
            "chapar_server",
            "chapar_client",
            "chapar_signaling",
            "chapar_loadtest",
            "chapar_bus",
        ],
    },
    Rule {
        says: "the SDK knows the protocol, never the server",
        of: &["client-sdk/src"],
        paths: &["sqlx", "axum", "redis"],
        words: &["chapar_server", "chapar_signaling", "chapar_loadtest"],
    },
    Rule {
        says: "what is right in a chat is decided without IO, clock or dice",
        of: &["server/domain/src"],
        paths: &[
            "tokio",
            "sqlx",
            "redis",
            "axum",
            "rand",
            "std::net",
            "std::fs",
            "std::io",
            "std::thread",
            "std::time",
        ],
        words: &["chapar_server", "chapar_signaling", "async", "now_utc"],
    },
    Rule {
        says: "the load generator sees the server as a user does",
        of: &["loadtest/src"],
        paths: &["sqlx", "redis"],
        words: &["chapar_server", "chapar_signaling"],
    },
    Rule {
        says: "the server is nobody's client",
        of: &SERVER,
        paths: &[],
        words: &["chapar_client", "chapar_loadtest"],
    },
    Rule {
        says: "a command returns its reply: it knows no HTTP, no Redis and no SQL",
        of: &["server/src/commands"],
        paths: &["axum", "hyper", "redis", "sqlx"],
        words: &["axum", "redis", "sqlx"],
    },
    Rule {
        says: "what is kept knows nothing of who is told",
        of: &["server/store/src"],
        paths: &["axum", "redis"],
        words: &["hub", "fanout", "outbox"],
    },
    Rule {
        says: "the hub decides and does no IO",
        of: &["server/live/src/hub"],
        paths: &["tokio", "sqlx", "redis", "axum", "std::net", "std::fs", "std::io", "std::thread", "crate::store"],
        words: &["tokio", "sqlx", "redis", "async", "chapar_store"],
    },
    Rule {
        says: "a connection moves frames; what they mean is the session's",
        of: &["server/src/connection"],
        paths: &[
            "crate::store",
            "crate::hub",
            "crate::bus",
            "chapar_store",
            "chapar_live::hub",
            "chapar_bus",
            "sqlx",
            "redis",
            "axum",
        ],
        words: &["store", "Store"],
    },
    Rule {
        says: "a session speaks through the commands and the fan-out, never with Postgres or Redis itself",
        of: &["server/src/session"],
        paths: &["crate::hub", "chapar_live::hub", "sqlx", "redis", "axum"],
        words: &["sqlx", "redis", "axum"],
    },
];

/// Where SQL may stand.
const SQL_IN: &[&str] = &["server/store/src", "server/postgres/src"];
const SQL: &[&str] = &["SELECT ", "INSERT INTO", "DELETE FROM", "CREATE TABLE", " SET ", "ORDER BY"];

/// Files over [`MOST_LINES`], with the reason.
const LONG: &[(&str, &str)] = &[];
const MOST_LINES: usize = 600;

const NOT_OUTSIDE_TESTS: &[&str] = &[".unwrap()", "todo!", "unimplemented!", "dbg!"];

fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn breaches(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(format!("{}: {what}", source.path));
    let paths = source.paths();
    for rule in RULES.iter().filter(|rule| rule.of.iter().any(|place| is_in(&source.path, place))) {
        for forbidden in rule.paths {
            let below = format!("{forbidden}::");
            for path in paths.iter().filter(|path| *path == forbidden || path.starts_with(&below)) {
                say(format!("names {path}; {}", rule.says));
            }
        }
        for word in rule.words.iter().filter(|word| source.has_word(word)) {
            say(format!("has the word `{word}`; {}", rule.says));
        }
    }
    if !SQL_IN.iter().any(|place| is_in(&source.path, place)) && source.path.starts_with("server/") {
        for literal in source.literals.iter().filter(|literal| SQL.iter().any(|sql| literal.contains(sql))) {
            say(format!("has SQL, which stands in the store only: {literal}"));
        }
    }
    for bad in NOT_OUTSIDE_TESTS.iter().filter(|bad| source.code.contains(*bad)) {
        say(format!("has `{bad}` outside tests: say with `expect` why it cannot fail, or return an error"));
    }
    let listed = LONG.iter().any(|(path, _)| *path == source.path);
    if source.lines > MOST_LINES && !listed {
        say(format!("has {} lines: split it, or list it in LONG with the reason", source.lines));
    }
    if source.lines <= MOST_LINES && listed {
        say("is not long any more: take it off LONG".to_owned());
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the server stands in a workspace").to_owned()
}

#[test]
fn nothing_imports_what_it_must_not_know() {
    let mut found = Vec::new();
    let mut files = 0;
    let others = ["protocol/src", "redis/src", "signaling/src", "client-sdk/src", "loadtest/src"];
    for folder in others.into_iter().chain(SERVER.iter().copied()) {
        let sources = sources(&root(), folder);
        assert!(!sources.is_empty(), "{folder}");
        files += sources.len();
        found.extend(sources.iter().flat_map(breaches));
    }
    // A reader that loses files would find nothing.
    assert!(files > 100, "{files}");
    for rule in RULES {
        let exists = |place: &&str| root().join(place).exists() || root().join(format!("{place}.rs")).exists();
        assert!(rule.of.iter().all(exists), "nothing stands at {:?} any more", rule.of);
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    let allowed: [(&str, &[&str]); 16] = [
        ("protocol", &[]),
        ("redis", &[]),
        ("signaling", &["chapar-protocol", "chapar-redis"]),
        ("client-sdk", &["chapar-protocol"]),
        ("loadtest", &["chapar-protocol", "chapar-client"]),
        ("server/domain", &["chapar-protocol"]),
        ("server/postgres", &[]),
        ("server/store", &["chapar-protocol", "chapar-signaling", "chapar-domain"]),
        ("server/bus", &["chapar-redis"]),
        ("server/media", &["chapar-protocol"]),
        ("server/settings", &["chapar-postgres", "chapar-signaling", "chapar-store"]),
        ("server/live", &["chapar-protocol", "chapar-domain", "chapar-store", "chapar-bus"]),
        (
            "server/calls",
            &[
                "chapar-protocol",
                "chapar-signaling",
                "chapar-domain",
                "chapar-store",
                "chapar-bus",
                "chapar-settings",
                "chapar-live",
            ],
        ),
        ("server/previews", &[]),
        ("server/files", &["chapar-protocol", "chapar-store", "chapar-settings", "chapar-live", "chapar-media"]),
        (
            "server",
            &[
                "chapar-protocol",
                "chapar-signaling",
                "chapar-domain",
                "chapar-postgres",
                "chapar-store",
                "chapar-bus",
                "chapar-settings",
                "chapar-live",
                "chapar-calls",
                "chapar-media",
                "chapar-files",
                "chapar-previews",
            ],
        ),
    ];
    for (folder, allowed) in allowed {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
        let manifest: toml::Table = text.parse().expect("TOML");
        let names = |table: &str| manifest.get(table).and_then(toml::Value::as_table).cloned().unwrap_or_default();
        for (name, _) in names("dependencies") {
            assert!(!name.starts_with("chapar-") || allowed.contains(&name.as_str()), "{folder} depends on {name}");
            let is_pure = ["protocol", "server/domain"].contains(&folder);
            assert!(!is_pure || !["tokio", "sqlx", "redis", "axum"].contains(&name.as_str()), "{name}");
        }
        // Tests of the server use the SDK; nobody's tests use the server from inside.
        assert!(!names("dev-dependencies").contains_key("chapar-server"), "{folder} tests with the server's inside");
    }
}

/// A checker that finds nothing is worth nothing: these break one rule each.
#[test]
fn the_checker_finds_what_it_looks_for() {
    for (path, text, complaint) in [
        ("protocol/src/event.rs", "use tokio::sync::mpsc;", "names tokio::sync::mpsc"),
        ("protocol/src/event.rs", "use std::{fmt, net::IpAddr};", "names std::net::IpAddr"),
        (
            "protocol/src/event.rs",
            "fn f() { let x = std :: mem::take(y); std::fs::read(\"\"); }",
            "names std::fs::read",
        ),
        ("client-sdk/src/core/chat.rs", "extern crate chapar_server;", "has the word `chapar_server`"),
        ("loadtest/src/main.rs", "use chapar_server::{store::Store};", "has the word `chapar_server`"),
        ("server/src/commands/send.rs", "use super::super::x; use {axum::{Json as J}, std::fmt};", "names axum::Json"),
        ("server/src/commands/send.rs", "fn f() { q(\"SELECT 1\") }", "has SQL"),
        ("server/src/commands/send.rs", "fn f() { q(r#\"say \"x\" INSERT INTO t\"#) }", "has SQL"),
        ("server/src/commands.rs", "fn f() -> redis::Value {}", "names redis::Value"),
        ("server/store/src/send.rs", "use {axum::Json, std::fmt};", "names axum::Json"),
        ("server/src/connection.rs", "use crate::{a, bus::{self, Topic}};", "names crate::bus"),
        ("server/live/src/hub.rs", "use crate::{a::b, store};", "names crate::store"),
        ("server/live/src/hub.rs", "async fn f() {}", "has the word `async`"),
        ("server/src/connection.rs", "fn f(app: &App) { app.store.ping() }", "has the word `store`"),
        ("server/src/a.rs", "fn f() { g().unwrap() }", "has `.unwrap()`"),
        ("server/src/a.rs", "#[cfg(test)] mod tests { fn a() { \"}\" } } fn f() { todo!() }", "has `todo!`"),
        ("server/src/a.rs", "/* a /* b */ } */ fn f() { dbg!(1) }", "has `dbg!`"),
    ] {
        let found = breaches(&Source::new(path, text));
        assert!(found.iter().any(|it| it.contains(complaint)), "{text}\nis not met by {complaint:?} but by {found:?}");
    }
    let long = "fn f() {}\n".repeat(MOST_LINES + 1);
    assert!(breaches(&Source::new("server/src/a.rs", &long)).concat().contains("601 lines"));
}

#[test]
fn the_checker_does_not_see_what_is_not_there() {
    for (path, text) in [
        (
            "server/live/src/hub.rs",
            "//! Does no IO: no tokio, no redis.\n/* async */ fn f<'a>(x: &'a str) -> char { '\"' }",
        ),
        ("server/src/a.rs", "fn f() { }\n#[cfg(test)]\nmod tests { fn a() { '{'; \"{\"; b().unwrap() } }"),
        ("server/src/a.rs", "#[cfg(test)]\nuse std::fs;\nfn f() {}"),
        ("server/src/commands/send.rs", "fn f() { fail(\"that is not selected or inserted\") }"),
        ("server/src/connection.rs", "fn restore(stored: u8) { stored; }"),
        ("protocol/src/a.rs", "use std::{fmt, collections::{BTreeMap, HashMap}}; fn f() { g(\"use tokio::net;\") }"),
    ] {
        assert_eq!(breaches(&Source::new(path, text)), Vec::<String>::new(), "{text}");
    }
}
