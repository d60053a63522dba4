//! The terminal chat of the examples, fed through pipes.

#[expect(dead_code, reason = "each test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use world::{PATIENCE, Server, built};

struct Terminal {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn open(url: &str, handle: &str) -> Self {
        let mut process = Command::new(built("examples/chat"))
            .args(["--url", url, "--handle", handle, "--register"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { process, input, output }
    }

    async fn types(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("typed");
    }

    async fn shows(&mut self, wanted: &str) {
        let mut seen = Vec::new();
        let wait = async {
            while let Some(line) = self.output.next_line().await.expect("a line") {
                if line.contains(wanted) {
                    return true;
                }
                seen.push(line);
            }
            false
        };
        let found = tokio::time::timeout(PATIENCE, wait).await.unwrap_or(false);
        assert!(found, "never shown: {wanted}\nbut: {seen:#?}");
    }

    async fn ends(mut self) {
        drop(self.input);
        let status = tokio::time::timeout(Duration::from_secs(20), self.process.wait()).await.expect("it ends");
        assert!(status.expect("a status").success());
    }
}

#[tokio::test]
async fn two_terminals_chat_through_pipes() {
    let server = Server::start();
    let mut sara = Terminal::open(&server.url, "sara");
    let mut reza = Terminal::open(&server.url, "reza");
    // The first line is the password.
    sara.types("a long password").await;
    reza.types("a long password").await;
    sara.shows("you are @sara").await;
    reza.shows("you are @reza").await;
    reza.shows("— online —").await;
    sara.types("/open @reza").await;
    sara.shows("— @reza (chat").await;
    // What comes before Reza knows of the chat is counted as unread, and not shown line by line.
    reza.types("/open @sara").await;
    reza.shows("— @sara (chat").await;
    sara.types("سلام @reza (ساعت ۱۰:۳۰)").await;
    // In visual order, with the handle and the time in theirs.
    reza.shows("#1 @sara: (۱۰:۳۰ تعاس) @reza مالس").await;
    sara.shows("✓✓ @reza read up to #1").await;
    reza.types("/reply 1 hello").await;
    sara.shows("#2 @reza ↩#1: hello").await;
    sara.types("/react 2 🌹").await;
    reza.shows("🌹1").await;
    reza.types("/edit 2 hello again").await;
    sara.shows("#2 @reza ↩#1: hello again (edited)").await;
    sara.types("/place 34.641589, 50.874608").await;
    reza.shows("@sara: — a place: 34.641589, 50.874608 —").await;
    sara.types("/place here").await;
    sara.shows("✗ where?").await;
    sara.types("/contact @reza").await;
    reza.shows("@sara: — reza: @reza —").await;
    reza.types("/contact Hotel Nur +982537740000").await;
    sara.shows("@reza: — Hotel Nur: +982537740000 —").await;
    reza.types("/contact nobody").await;
    reza.shows("✗ whom?").await;
    sara.types("/forward 1 @reza").await;
    reza.shows("@sara (forwarded): ").await;
    reza.types("/pin 1").await;
    reza.types("/pin 99").await;
    reza.shows("✗ ").await;
    reza.types("/later 30 at last").await;
    reza.types("/scheduled").await;
    reza.shows(": at last").await;
    sara.types("/nonsense").await;
    sara.shows("✗ /nonsense?").await;
    sara.types("last words").await;
    sara.ends().await;
    reza.shows("last words").await;
    reza.ends().await;
}
