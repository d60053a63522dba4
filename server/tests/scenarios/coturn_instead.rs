//! coturn in place of our relay, with the configuration that docs/RELAYS.md prints: the node's credentials open it, and when
//! it dies it is not handed out.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chapar_protocol::{
    call::{CallId, CallMedia},
    command::{CallInvite, CallRelays, GetRelays},
};
use tokio::time::sleep;
use uuid::Uuid;

use crate::support::{process::Process, turn::Turn, within, world::Plan};

const SECRET: &str = "a secret that coturn and chapar share";

/// The block of the page, with this test's secret.
fn configuration() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/RELAYS.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, rest) = page.split_once("```ini\n").expect("the page has a configuration of coturn");
    let (block, _) = rest.split_once("```").expect("it ends");
    let lines = block.lines().map(|line| match line.split_once('=') {
        Some(("static-auth-secret", _)) => format!("static-auth-secret={SECRET}"),
        // What is about the operator's own machine is this test's own.
        Some(("external-ip" | "cert" | "pkey" | "realm" | "tls-listening-port" | "listening-port", _)) => String::new(),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn coturn(directory: &Path, at: SocketAddr) -> Process {
    let file = directory.join("turnserver.conf");
    fs::write(&file, configuration()).expect("written");
    let mut command = Command::new("turnserver");
    command.arg("-c").arg(&file).args(["--realm", "chapar", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1"]);
    command.args(["--listening-port", &at.port().to_string(), "--allow-loopback-peers", "--no-tls", "--no-dtls"]);
    command.args(["--cli-password", "only-for-this-test", "--log-file", "stdout"]);
    command.args(["--allowed-peer-ip", "127.0.0.1", "--pidfile"]).arg(directory.join("pid"));
    Process::start(command, &directory.join("coturn.log"))
}

#[tokio::test]
async fn the_nodes_credentials_open_it_and_its_death_is_seen() {
    if Command::new("turnserver").arg("--version").output().is_err() {
        assert!(std::env::var_os("CHAPAR_REQUIRE_COTURN").is_none(), "turnserver is not installed");
        eprintln!("SKIPPED: turnserver is not installed (Debian package coturn)");
        return;
    }
    let at = UdpSocket::bind("127.0.0.1:0").expect("a socket").local_addr().expect("an address");
    let relays = format!("qom@Qom=turn:{at}?transport=udp turn:{at}?transport=tcp");
    let world = Plan::single().flags(&["--relay", "off", "--relay-secret", SECRET, "--relays", &relays]).start().await;
    let [one, other] = world.people().await;
    one.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    let mut coturn = coturn(world.directory(), at);
    world.direct(&one, &other).await;
    let call_id = CallId(Uuid::new_v4());
    let invite = CallInvite { call_id, user_id: other.id(), media: CallMedia::Voice, relay_only: false, offer: None };
    one.must(invite).await;
    let ask = CallRelays { call_id, round_trips: Vec::new() };
    let (mine, theirs) = (one.must(ask.clone()).await.servers, other.must(ask.clone()).await.servers);
    assert_eq!((mine[0].name.as_str(), mine[0].region.as_str()), ("qom", "Qom"));
    within("coturn", async {
        while std::net::TcpStream::connect(at).is_err() {
            assert!(coturn.ended().is_none(), "{}", coturn.log());
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let (mut first, mut second) = (Turn::by_udp(&mine[0]).await, Turn::by_udp(&theirs[0]).await);
    let (here, there) = (first.allocate().await.expect("allocated"), second.allocate().await.expect("allocated"));
    first.permit(there).await.expect("permitted");
    second.permit(here).await.expect("permitted");
    first.send(there, b"hello").await;
    assert_eq!(second.receive().await, (here, b"hello".to_vec()));
    let mut forged = mine[0].clone();
    forged.credential = theirs[0].credential.clone();
    assert_eq!(Turn::by_udp(&forged).await.allocate().await, Err(401));

    // The node has to have seen it alive, to know that it died.
    within("the node's look at it", async {
        while !world.nodes[0].log().contains("a relay answers") {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    coturn.kill();
    let died = Instant::now();
    within("it is not handed out", async {
        while !one.must(GetRelays {}).await.relays.is_empty() {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    assert!(died.elapsed() < Duration::from_secs(10), "{:?}", died.elapsed());
    assert!(one.must(ask).await.servers.is_empty());
}
