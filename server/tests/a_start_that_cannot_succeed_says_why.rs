//! Whatever keeps a node from starting is told in one sentence that says what to do, with exit code 1.

#[path = "support/chapar.rs"]
mod chapar;

use std::{fs, net::TcpListener, time::Duration};

use chapar::{Ended, Place, is_unused};
use chapar_server::embedded_postgres::EmbeddedPostgres;

/// What needs no waiting must not take long, even on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The one sentence of a start that fails at once.
#[track_caller]
fn sentence(ended: Ended) -> String {
    assert!(ended.took < AT_ONCE, "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    ended.bad()
}

fn start(place: &Place, arguments: &[&str]) -> Ended {
    let mut all = vec!["--listen", "127.0.0.1:0"];
    all.extend(arguments);
    place.run(&all, "")
}

#[test]
fn the_port_is_taken() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let said = sentence(place.run(&["--listen", &address], ""));
    assert!(said.starts_with(&format!("chapar: cannot listen on {address}: ")), "{said}");
    assert!(said.contains("Choose another with --listen"), "{said}");
    assert!(is_unused(&place.path("data")), "nothing was set up before");
}

#[test]
fn the_data_directory_cannot_be_made() {
    let place = Place::new();
    fs::write(place.path("file"), "").expect("a file");
    // Root may write everywhere but there.
    for directory in [place.path("file").join("data").to_str().expect("plain"), "/proc/chapar"] {
        let said = sentence(start(&place, &["--data-dir", directory]));
        assert!(said.starts_with(&format!("chapar: Making the data directory {directory} failed: ")), "{said}");
    }
}

#[test]
fn another_chapar_has_the_data_directory() {
    let place = Place::new();
    let node = place.start(&["--drain-seconds", "0"]);
    let said = sentence(start(&place, &[]));
    assert!(said.contains("Another chapar is already running on") && said.contains("data-dir"), "{said}");
    node.stop();
}

#[test]
fn settings_are_wrong() {
    let place = Place::new();
    fs::write(place.path("broken.pem"), "nothing").expect("a file");
    let broken = place.path("broken.pem");
    let broken = broken.to_str().expect("plain");
    for (arguments, complaint) in [
        (&["--hash-queue", "many"][..], "hash-queue (from the flag --hash-queue)"),
        (&["--tls-key", "/k"], "tls-cert"),
        (&["--tls-cert", "/not/there", "--tls-key", "/not/there"], "names /not/there, which cannot be read"),
        (&["--tls-cert", broken, "--tls-key", broken], "broken.pem holds no usable certificate"),
        (&["--admin-token", "short"], "admin-token"),
        (&["--redis-url", "http://127.0.0.1"], "redis-url"),
    ] {
        let ended = start(&place, arguments);
        assert!(ended.took < AT_ONCE, "{ended:?}");
        assert!(ended.err.contains(complaint), "{arguments:?}: {ended:?}");
        ended.bad();
    }
    assert!(is_unused(&place.path("data")), "nothing was set up before");
}

#[test]
fn the_database_url_is_no_url() {
    let place = Place::new();
    for url in ["postgres://sara:se/cr#et@@127.0.0.1:port/chat", "mysql://sara:secret@127.0.0.1/chat", "chat"] {
        let said = start(&place, &["--database-url", url]).bad();
        assert!(said.contains("database-url") || said.contains("DATABASE_URL"), "{said}");
        assert!(!said.contains("cret") && !said.contains("cr#et"), "the password is not repeated: {said}");
    }
}

#[tokio::test]
async fn the_database_is_there_but_not_for_us() {
    let place = Place::new();
    let pg_bin = std::env::var_os("CHAPAR_PG_BIN").map(std::path::PathBuf::from);
    let postgres = EmbeddedPostgres::start(&place.path("pg"), pg_bin.as_deref()).await.expect("Postgres starts");
    let socket = postgres.socket_dir().to_str().expect("plain").replace('/', "%2F");
    for (user, database, complaint) in [
        ("chapar", "nowhere", "database \"nowhere\" does not exist"),
        ("nobody", "chapar", "role \"nobody\" does not exist"),
    ] {
        let url = format!("postgres://{user}:secret@{socket}/{database}");
        let said = sentence(start(&place, &["--database-url", &url]));
        assert!(said.contains(complaint) && said.contains("Is DATABASE_URL right"), "{said}");
    }
    postgres.stop().await;
}

/// A database that does not answer may be one that is just starting: it gets half a minute.
#[test]
fn nobody_answers_at_the_database_url() {
    let place = Place::new();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let ended = start(&place, &["--database-url", &format!("postgres://sara:secret@{closed}/chat")]);
    assert!(ended.took < Duration::from_mins(1), "{ended:?}");
    assert!(!ended.err.contains("secret"), "{ended:?}");
    let said = ended.err.lines().last().unwrap_or_default().to_owned();
    assert!(said.starts_with("chapar: the database did not answer: ") && said.contains("refused"), "{said}");
    assert!(said.contains("Is DATABASE_URL right, and Postgres running?"), "{said}");
    assert_eq!(ended.status.code(), Some(1));
}
