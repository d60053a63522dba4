//! The world of the attackers, and the few things that both processes say.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use chapar_protocol::{
    ChatKind, UserId,
    account::{BulkUsers, BulkUsersMade, Register, SignedIn},
    command::{AddMembers, CreateChat},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::plan::Plan;
use crate::{
    http::{Api, Failure},
    line::connect,
    message::Random,
    rig::ADMIN_TOKEN,
};

/// Notes of tallies that are judged.
pub(super) const HELLOS: &str = "hellos on one connection";
pub(super) const REACHED: &str = "strangers reached";
pub(super) const READ: &str = "strangers read";
pub(super) const HELD: &str = "seconds that one was held";

/// The password of the victim.
pub(super) const PASSWORD: &str = "the right password";

/// People whom the attacker does not know.
pub(super) const STRANGERS: u32 = 2000;
/// All who join the channel.
const CROWD: u32 = 120;
/// Those of them who are in the attacker's group.
const IN_GROUP: usize = 16;
/// Fat messages in that group: a whole page.
const FAT: usize = 200;

/// Makes it.
pub(super) fn make(api: &mut Api, node: SocketAddr, seed: u64) -> Result<Plan, Failure> {
    let mut random = Random::new(seed ^ 0xBAD);
    let bulk = |count: u32, prefix: &str| BulkUsers { count, prefix: prefix.into() };
    let bad: BulkUsersMade = api.post("/api/v1/admin/users", ADMIN_TOKEN, &bulk(2 + CROWD, "bad"))?;
    let strangers: BulkUsersMade = api.post("/api/v1/admin/users", ADMIN_TOKEN, &bulk(STRANGERS, "stranger"))?;
    let ids: Vec<UserId> = bad.users.iter().map(|it| it.user.id).collect();
    let mut tokens: Vec<String> = bad.users.into_iter().map(|it| it.token).collect();
    let crowd = tokens.split_off(2);
    let victim = "victim".to_owned();
    let (password, name, device) = (PASSWORD.to_owned(), None, None);
    let _: SignedIn = api.post("/api/v1/register", "", &Register { handle: victim.clone(), password, name, device })?;
    let create = |random: &mut Random, kind, handle: Option<String>| {
        let client_id = client_id(random);
        CreateChat { client_id, kind, title: "abuse".into(), handle, members: Vec::new() }
    };
    let channel = "everybody_joins".to_owned();
    api.call(&tokens[1], &create(&mut random, ChatKind::Channel, Some(channel.clone())))?;
    let group = api.call(&tokens[0], &create(&mut random, ChatKind::Group, None))?.chat.id;
    // The accomplice, and the first of the crowd.
    api.call(&tokens[0], &AddMembers { chat_id: group, user_ids: ids[1..2 + IN_GROUP].to_vec() })?;
    let links = fill(api, &tokens[0], &crowd[..IN_GROUP], group.0, &mut random)?;
    Ok(Plan {
        node,
        seed,
        attacker: tokens[0].clone(),
        accomplice: tokens[1].clone(),
        crowd,
        group: group.0,
        in_group: IN_GROUP,
        links,
        channel,
        strangers: strangers.users.into_iter().map(|it| (it.user.id.0, it.user.handle)).collect(),
        victim,
    })
}

/// Fills the group with messages as large as the server takes, by everybody in turn. Returns how many links they have.
fn fill(api: &mut Api, first: &str, others: &[String], group: i64, random: &mut Random) -> Result<usize, Failure> {
    let mut send = |token: &str, links: usize| -> Result<Value, Failure> {
        let send = json!({ "chat_id": group, "client_id": client_id(random), "body": fat_body(links) });
        api.post("/api/v1/call/send", token, &send)
    };
    let mut links = 0;
    for wanted in [57, 28, 14, 10, 7, 3, 0] {
        match send(first, wanted) {
            Ok(_) => {
                links = wanted;
                break;
            }
            Err(Failure::Refused { error, .. }) if error.action == chapar_protocol::Action::GiveUp => {}
            Err(Failure::Io(_)) => {}
            Err(error) => return Err(error),
        }
    }
    for number in 0..FAT {
        let token = if number.is_multiple_of(3) { first } else { &others[number % others.len()] };
        send(token, links)?;
    }
    Ok(links)
}

/// The largest text, with so many of the longest links.
pub(super) fn fat_body(links: usize) -> Value {
    let url = format!("https://a.example/{}", "x".repeat(2000));
    let link = |offset: usize| json!({ "offset": offset, "length": 1, "type": "link", "url": url });
    json!({ "kind": "text", "text": "ف".repeat(4096), "entities": (0..links).map(link).collect::<Vec<_>>() })
}

pub(super) fn client_id(random: &mut Random) -> Uuid {
    Uuid::from_u64_pair(random.next_u64() & !0xF000 | 0x4000, random.next_u64() >> 2 | 1 << 63)
}

/// Tries to sign in from an address, over a connection of its own. Status and body.
pub(super) fn sign_in(
    node: SocketAddr,
    from: Option<IpAddr>,
    handle: &str,
    password: &str,
    patience: Duration,
) -> io::Result<(u16, String)> {
    let body = json!({ "handle": handle, "password": password }).to_string();
    let mut stream = connect(node, from)?;
    stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
    let head = format!(
        "POST /api/v1/sign-in HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no status"))?;
    Ok((status, answer.split_once("\r\n\r\n").map_or("", |it| it.1).to_owned()))
}

/// The code of an error in a body.
pub(super) fn code(body: &str) -> Option<&str> {
    body.split_once(r#""code":""#)?.1.split('"').next()
}

/// How long an error in a body asks to wait.
pub(super) fn retry_after(body: &str) -> Duration {
    let millis = serde_json::from_str::<Value>(body).ok().and_then(|it| it["retry_after_ms"].as_u64());
    Duration::from_millis(millis.unwrap_or(500).clamp(50, 10_000))
}
