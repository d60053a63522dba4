//! One account against people and chats.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use chapar_protocol::{UserId, command::Users};
use serde_json::json;

use super::super::{attack::Attacker, plan::Tally, world};
use crate::line::{Came, Heard};

#[expect(clippy::cast_precision_loss, reason = "counts of a short run")]
fn float(count: usize) -> f64 {
    count as f64
}

/// Looks a stranger up by a guessed handle, then opens a chat with them.
pub(super) fn strangers(it: &mut Attacker, tally: &mut Tally) {
    let (token, strangers) = (it.plan.attacker.clone(), it.plan.strangers.clone());
    let mut turn = 0_usize;
    let make = |_: &mut Attacker| {
        let (id, handle) = &strangers[turn / 2 % strangers.len()];
        turn += 1;
        if turn.is_multiple_of(2) {
            ("open_direct", json!({ "user_id": id }))
        } else {
            ("resolve", json!({ "handle": handle }))
        }
    };
    let mut reached = 0_usize;
    it.storm(&token, 400, tally, make, |ok, tally| {
        reached += usize::from(ok.contains("\"last_seq\""));
        tally.note(world::REACHED, float(reached));
    });
}

/// The next 200 strangers, from the first again after the last.
fn some(it: &Attacker, next: &mut usize) -> Vec<i64> {
    let all = &it.plan.strangers;
    let ids = all.iter().skip(*next).take(200).map(|it| it.0).collect();
    *next = if *next + 200 >= all.len() { 0 } else { *next + 200 };
    ids
}

pub(super) fn enumerate(it: &mut Attacker, tally: &mut Tally) {
    let token = it.plan.attacker.clone();
    let mut next = 0;
    let make = |it: &mut Attacker| ("get_users", json!({ "user_ids": some(it, &mut next) }));
    let mut known: HashSet<UserId> = HashSet::new();
    it.storm(&token, 50, tally, make, |ok, tally| {
        let users = serde_json::from_str::<Users>(ok).map(|it| it.users).unwrap_or_default();
        known.extend(users.into_iter().map(|it| it.id));
        tally.note(world::READ, float(known.len()));
    });
}

pub(super) fn add_members(it: &mut Attacker, tally: &mut Tally) {
    let token = it.plan.attacker.clone();
    let (mut next, mut reached) = (0, 0_usize);
    // Each group is made with as many strangers as one command can name.
    let make = |it: &mut Attacker| {
        let ids = some(it, &mut next);
        let client_id = world::client_id(&mut it.random);
        ("create_chat", json!({ "client_id": client_id, "kind": "group", "title": "come in", "members": ids }))
    };
    it.storm(&token, 20, tally, make, |_, tally| {
        reached += 200;
        tally.note(world::REACHED, float(reached));
    });
}

pub(super) fn reactions(it: &mut Attacker, tally: &mut Tally) {
    let everybody = it.plan.crowd[..it.plan.in_group].len().max(1);
    let (token, group) = (it.plan.crowd[it.number % everybody].clone(), it.plan.group);
    let seq = it.plan.in_group as u64 + 10;
    let mut turn = it.number;
    let make = |_: &mut Attacker| {
        turn += 1;
        let emoji = ["👍", "❤️", "😂"][turn % 3];
        ("react", json!({ "chat_id": group, "seq": seq, "emoji": emoji }))
    };
    it.storm(&token, 60, tally, make, |_, _| {});
}

/// Joins and leaves again and again. All of the crowd do so at once.
pub(super) fn joins(it: &mut Attacker, tally: &mut Tally) {
    let token = it.plan.crowd[it.number % it.plan.crowd.len()].clone();
    while !it.over() {
        let Some(mut line) = it.sign_in(&token, tally) else { continue };
        let started = Instant::now();
        tally.tried += 1;
        if line.request(2, "join", &json!({ "handle": it.plan.channel })).is_err() {
            tally.close(1006);
            continue;
        }
        let mut chat = None;
        while !it.over() {
            match line.receive(it.left()) {
                Came::Text(text) => {
                    let Ok(heard) = serde_json::from_str::<Heard<'_>>(&text) else { break };
                    if heard.id != Some(2) {
                        continue;
                    }
                    if let Some(error) = heard.error {
                        tally.refuse(error.code.name());
                    } else {
                        tally.accepted += 1;
                        let snapshot = heard.ok.and_then(|it| serde_json::from_str::<serde_json::Value>(it.get()).ok());
                        chat = snapshot.and_then(|it| it["chat"]["id"].as_i64());
                    }
                    tally.note("seconds for a join", started.elapsed().as_secs_f64());
                }
                Came::Closed(code) => tally.close(code),
                Came::Nothing => {}
            }
            break;
        }
        if let Some(chat) = chat {
            let _ = line.request(3, "leave", &json!({ "chat_id": chat }));
            let _ = line.receive(Duration::from_secs(2).min(it.left()));
        }
        it.rest(Duration::from_millis(500));
    }
}

pub(super) fn typing(it: &mut Attacker, tally: &mut Tally) {
    let token = if it.number == 0 { it.plan.attacker.clone() } else { it.plan.accomplice.clone() };
    let group = it.plan.group;
    let mut turn = 0_u64;
    let make = |_: &mut Attacker| {
        turn += 1;
        if turn.is_multiple_of(2) {
            ("set_typing", json!({ "chat_id": group }))
        } else {
            ("mark_read", json!({ "chat_id": group, "seq": turn }))
        }
    };
    it.storm(&token, 200, tally, make, |_, _| {});
}
