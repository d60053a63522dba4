use std::path::Path;

use clap::Parser;

use super::*;

const FILE: &str = "/etc/chapar.toml";

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    flags: Flags,
}

fn flag(name: &'static str, value: &str) -> Given {
    Given { name, value: value.to_owned(), source: Source::Flag(format!("--{name}")) }
}

fn variable(name: &'static str, variable: &'static str, value: &str) -> Given {
    Given { name, value: value.to_owned(), source: Source::Environment(variable) }
}

fn layers(given: Vec<Given>, file: &str) -> Layers {
    let mut layers = Layers { given, problems: Vec::new() };
    layers.add_file_text(Path::new(FILE), file);
    layers
}

fn complaints(layers: &Layers) -> String {
    Settings::check(layers).expect_err("problems").to_string()
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = "listen = '127.0.0.1:3'\nhash-queue = 3\ndrain-seconds = 3\n";
    let all = layers(
        vec![
            variable("hash-queue", "CHAPAR_HASH_QUEUE", "2"),
            variable("listen", "CHAPAR_LISTEN", "127.0.0.1:2"),
            flag("listen", "127.0.0.1:1"),
        ],
        file,
    );
    let settings = Settings::check(&all).expect("good settings");
    assert_eq!(settings.listen.port(), 1);
    assert_eq!(settings.source("listen"), Source::Flag("--listen".to_owned()));
    assert_eq!(settings.hash_queue, 2);
    assert_eq!(settings.source("hash-queue"), Source::Environment("CHAPAR_HASH_QUEUE"));
    assert_eq!(settings.drain_seconds, 3);
    assert_eq!(settings.source("drain-seconds"), Source::File(FILE.into()));
    assert_eq!(settings.max_connections, 20_000);
    assert_eq!(settings.source("max-connections"), Source::Default);
}

#[test]
fn every_setting_can_be_given_as_a_flag_and_is_shown() {
    let values = [
        ("listen", "[::]:1"),
        ("data-dir", "/var/lib/chapar"),
        ("database-url", "postgres://u:hush@h/d"),
        ("people-database-url", "postgres://u:hush@h/p"),
        ("redis-url", "redis+sentinel://:hush@a:1,b:2/main"),
        ("pg-bin", "/opt/pg/bin"),
        ("database-connections", "100"),
        ("public-url", "https://chat.example.org"),
        ("allowed-origins", "https://a.example,http://b.example:81"),
        ("trusted-proxies", "10.0.0.0/8,::1/128"),
        ("tls-cert", "/c.pem"),
        ("tls-key", "/k.pem"),
        ("admin-token", "hushhushhushhush"),
        ("metrics-listen", "127.0.0.1:9"),
        ("registration", "false"),
        ("log-format", "json"),
        ("log-level", "info,sqlx=warn"),
        ("max-connections", "5"),
        ("max-connections-per-address", "6"),
        ("heartbeat-seconds", "14"),
        ("drain-seconds", "7"),
        ("reconnect-spread-ms", "8"),
        ("hash-concurrency", "9"),
        ("hash-queue", "10"),
        ("messages-per-second", "30"),
        ("new-contacts-per-day", "40"),
        ("stranger-chats-per-day", "60"),
        ("lookups-per-day", "50"),
        ("commit-workers", "3"),
        ("calls-per-minute", "12"),
        ("call-rating-percent", "13"),
        ("call-loopback", "true"),
        ("call-forbidden-networks", "10.9.0.0/16"),
        ("worker-threads", "11"),
        ("relay", "127.0.0.1:3478,[::1]:3478"),
        ("relay-tls", "127.0.0.1:5349"),
        ("relay-address", "10.0.0.7/203.0.113.7,2a01::7"),
        ("relay-host", "relay.example.org"),
        ("relay-ports", "50000-50999"),
        ("relay-secret", "hushhushhushhushhush,hushhushhushhushhush"),
        ("relay-name", "qom-1"),
        ("relay-region", "Qom"),
        ("relay-allow", "10.1.0.0/16"),
        ("relay-deny", "10.1.2.0/24,5.5.5.5/32"),
        ("relays", "a@A=turn:a.example:3478 turns:a.example:443?transport=tcp,b@B=turn:b.example"),
        ("files-dir", "/var/lib/chapar-files"),
        ("blob-url", "s3://media/chapar"),
        ("s3-endpoint", "https://s3.example.org"),
        ("s3-region", "tehran-1"),
        ("s3-access-key", "AKIAEXAMPLE"),
        ("s3-secret-key", "hushhushhush"),
        ("upload-quota", "512"),
        ("scanner", "127.0.0.1:3310"),
        ("scanner-fail-open", "true"),
        ("link-previews", "true"),
        ("link-preview-networks", "10.8.0.0/16"),
        ("link-preview-ports", "80,443,8080"),
    ];
    let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(values.map(|(name, _)| name).to_vec(), names, "a setting is missing in this test");
    let arguments = values.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]);
    let line = CommandLine::parse_from(["chapar".to_owned()].into_iter().chain(arguments));
    let settings = Settings::check(&line.flags.layers()).expect("good settings");
    for (name, shown, source) in settings.effective() {
        assert_eq!(source, Source::Flag(format!("--{name}")));
        let written = values.iter().find(|(given, _)| *given == name).expect("it was given").1;
        if SETTINGS.iter().any(|setting| setting.name == name && setting.secret) {
            assert!(!shown.contains("hush"), "{name} shows its secret: {shown}");
        } else {
            assert_eq!(shown, written, "{name}");
        }
    }
    let debug = format!("{settings:?} {line:?}");
    assert!(!debug.contains("hush"), "{debug}");
}

#[test]
fn all_problems_are_told_at_once_with_name_and_source() {
    let bad = layers(
        vec![
            flag("listen", "here"),
            flag("admin-token", "short"),
            variable("registration", "CHAPAR_REGISTRATION", "perhaps"),
            variable("redis-url", "REDIS_URL", "http://h:1"),
            flag("log-level", "lound"),
        ],
        "tls-cert = '/c.pem'\ndatabase_connections = 51\ncolour = 'blue'\nlog-format = 1.5\nhash-queue = -1\n",
    );
    let said = complaints(&bad);
    for part in [
        "There are 10 problems",
        "listen (from the flag --listen) must be an address and a port",
        "admin-token (from the flag --admin-token) must have at least 16 characters, and has 5.",
        "registration (from the environment variable CHAPAR_REGISTRATION) must be true or false, not \"perhaps\".",
        "redis-url (from the environment variable REDIS_URL) has the unknown scheme \"http\"",
        "log-level (from the flag --log-level) must be error",
        "tls-cert (from the file /etc/chapar.toml) is set, but tls-key is not: set both or neither.",
        "database-connections (from the file /etc/chapar.toml) is more than the private Postgres takes (50)",
        "the file of settings /etc/chapar.toml has the unknown key `colour`.",
        "log-format (from the file /etc/chapar.toml) must be a string",
        "hash-queue (from the file /etc/chapar.toml) must be a whole number from 0 to 100000, not \"-1\".",
    ] {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
    assert!(!said.contains("short"), "a secret is quoted:\n{said}");
}

#[test]
fn a_broken_file_is_told_with_its_line_and_without_its_text() {
    let said = complaints(&layers(vec![], "listen = '127.0.0.1:1'\nadmin-token = secretsecretsecret\n"));
    assert!(said.contains("is not TOML, at line 2"), "{said}");
    assert!(!said.contains("secretsecret"), "{said}");
}

#[test]
fn a_missing_file_is_told() {
    let mut missing = Layers::default();
    missing.add_file(Path::new("/nowhere/chapar.toml"));
    let said = complaints(&missing);
    assert!(said.contains("/nowhere/chapar.toml cannot be read"), "{said}");
}

#[test]
fn the_file_takes_lists_numbers_and_truths() {
    let file = "allowed-origins = ['https://a.example', 'https://b.example']\nregistration = false\n\
                trusted_proxies = '10.0.0.1, 192.168.0.0/16'\nmax-connections = 12\n";
    let settings = Settings::check(&layers(vec![], file)).expect("good settings");
    assert_eq!(settings.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert!(!settings.registration);
    assert_eq!(settings.max_connections, 12);
}

#[test]
fn redis_addresses() {
    let good = [
        "redis://127.0.0.1",
        "redis://h:6379/1",
        "rediss://user:p/a,s@h:6379",
        "redis+unix:///run/redis.sock",
        "redis+cluster://a:1,b:2,[::1]:3",
        "rediss+cluster://:p@a:1",
        "redis+sentinel://a:26379,b:26379/main",
    ];
    for url in good {
        Settings::check(&layers(vec![flag("redis-url", url)], "")).expect(url);
    }
    let bad = [
        ("redis://a:1,b:2", "redis+cluster://"),
        ("redis+cluster://", "nodes"),
        ("redis+cluster://a:1,,b:2", "nodes"),
        ("redis+sentinel://a:1", "service"),
        ("redis://h:0", "one host:port"),
        ("127.0.0.1:6379", "must be a URL"),
    ];
    for (url, part) in bad {
        let said = complaints(&layers(vec![flag("redis-url", url)], ""));
        assert!(said.contains(part), "{url}: {said}");
    }
}

#[test]
fn origins_have_no_path() {
    for origin in ["chat.example.org", "https://chat.example.org/", "https://", "ftp://a.example"] {
        let said = complaints(&layers(vec![flag("allowed-origins", origin)], ""));
        assert!(said.contains("must hold origins"), "{origin}: {said}");
    }
}
