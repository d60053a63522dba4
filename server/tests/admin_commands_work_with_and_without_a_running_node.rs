//! What an operator types on the server's machine works while the node runs and while it does not.

#[path = "support/chapar.rs"]
mod chapar;

use std::time::Duration;

use chapar::Place;
use chapar_client::{Client, ClientEvent, Connection, Error, Events};

/// The node looks for signed-out devices every 15 s.
const SEEN_WITHIN: Duration = Duration::from_secs(25);

#[test]
fn without_a_node() {
    every_command(&Place::new());
}

#[test]
fn beside_a_running_node() {
    let place = Place::new();
    let node = place.start(&["--drain-seconds", "0"]);
    every_command(&place);
    node.stop();
    assert!(place.run(&["admin", "statistics"], "").good().contains("users\t1\n"), "the node stopped in order");
}

/// The database may be at its very beginning; a command must not mistake that for a directory in use.
#[test]
fn beside_a_node_that_is_just_starting() {
    let place = Place::new();
    let mut starting = place.command();
    let node = std::thread::spawn(move || chapar::Node::start(starting.args(["--listen", "127.0.0.1:0"])));
    chapar::wait_until("the node has taken its directory", Duration::from_secs(30), || {
        place.path("data/chapar.lock").exists()
    });
    place.run(&["migrate"], "").good();
    assert!(place.run(&["admin", "create-user", "sara", "--password-stdin"], "a password\n").good().contains("@sara"));
    node.join().expect("it starts").stop();
}

fn every_command(place: &Place) {
    let run = |line: &str, stdin: &str| place.run(&line.split(' ').collect::<Vec<_>>(), stdin);
    assert_eq!(run("migrate", "").good(), "");
    assert!(run("admin create-user @Sara --password-stdin", "گذر واژه\n").good().starts_with("made @sara with id "));
    assert_eq!(run("admin sessions sara", "").good(), "");
    assert!(run("admin reset-password sara --password-stdin", "another one\n").good().contains("0 sessions ended"));
    assert!(run("admin revoke sara --all", "").good().starts_with("0 sessions of @sara ended"));
    assert!(run("admin statistics", "").good().starts_with("users\t1\nsessions\t0\nchats\t0\nmessages\t0\n"));
    assert_eq!(run("admin reports", "").good(), "");
    assert!(run("admin new-epoch", "").good().contains("a new epoch has begun"));

    for (line, stdin, complaint) in [
        ("admin create-user sara --password-stdin", "a password\n", "somebody has this handle already"),
        ("admin create-user no --password-stdin", "a password\n", "a handle has 3 to 32 characters"),
        ("admin create-user nima --password-stdin", "short\n", "a password has 8 to 1024 bytes"),
        ("admin create-user nima --password-stdin", "", "the password is empty"),
        ("admin create-user nima", "", "pass it with --password-stdin"),
        ("admin reset-password nobody --password-stdin", "a password\n", "there is no user @nobody"),
        ("admin sessions nobody", "", "there is no user @nobody"),
        ("admin revoke nobody --all", "", "there is no user @nobody"),
        ("admin revoke sara --session 77", "", "@sara has no session 77: see chapar admin sessions sara"),
        ("admin revoke sara --session x", "", "a session's id is a number"),
    ] {
        let said = run(line, stdin).bad();
        assert!(said.starts_with("chapar: ") && said.contains(complaint), "{line}: {said}");
    }
}

#[tokio::test]
async fn what_is_done_beside_a_node_is_seen_by_those_who_are_connected() {
    let place = Place::new();
    let node = place.start(&["--drain-seconds", "0"]);
    place.run(&["admin", "create-user", "sara", "--password-stdin"], "a password\n").good();
    place.run(&["admin", "create-user", "nima", "--password-stdin"], "a password\n").good();
    let sign_in =
        async |handle, password, device| Client::builder(node.url()).device(device).sign_in(handle, password).await;
    let phone = sign_in("sara", "a password", "phone").await.expect("signed in");
    let desk = sign_in("sara", "a password", "desk").await.expect("signed in");
    let nima = sign_in("nima", "a password", "phone").await.expect("signed in");
    for client in [&phone, &desk, &nima] {
        client.online().await.expect("welcomed");
    }

    // One session ends, and only that one.
    let sessions = place.run(&["admin", "sessions", "sara"], "").good();
    let line = sessions.lines().find(|line| line.contains("\tphone\t")).expect("the phone is listed");
    let id = line.split('\t').next().expect("its id");
    let mut heard = phone.events();
    place.run(&["admin", "revoke", "sara", "--session", id], "").good();
    signed_out(&mut heard).await;
    desk.ping().await.expect("the other one goes on");

    // A new password ends them all, and the old one is good no longer.
    let mut heard = desk.events();
    let said = place.run(&["admin", "reset-password", "sara", "--password-stdin"], "a new password\n").good();
    assert!(said.contains("1 sessions ended"), "{said}");
    signed_out(&mut heard).await;
    assert!(matches!(sign_in("sara", "a password", "x").await, Err(Error::Server(_))));
    sign_in("sara", "a new password", "x").await.expect("signed in").close().await;

    // A new epoch: whoever is connected forgets what it knew, and goes on.
    let mut heard = nima.events();
    place.run(&["admin", "new-epoch"], "").good();
    let reset = async { while heard.next().await.expect("the client runs") != ClientEvent::Reset {} };
    tokio::time::timeout(Duration::from_secs(30), reset).await.expect("the epoch is seen");
    nima.ping().await.expect("goes on");
    nima.close().await;
    node.stop();
}

async fn signed_out(heard: &mut Events) {
    let stopped = async {
        loop {
            let event = heard.next().await.expect("it says so");
            if let ClientEvent::Connection(Connection::Stopped(stop)) = event {
                return stop;
            }
        }
    };
    let stop = tokio::time::timeout(SEEN_WITHIN, stopped).await.expect("the connection is closed");
    assert!(matches!(stop, chapar_client::Stop::SignedOut(_)), "{stop:?}");
}
