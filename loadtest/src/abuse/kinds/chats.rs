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

pub(super) fn strangers(it: &mut Attacker, tally: &mut Tally) {
    let (token, (first, last)) = (it.plan.attacker.clone(), it.plan.strangers);
    let mut next = first;
    let make = |_: &mut Attacker| {
        next = if next >= last { first } else { next + 1 };
        ("open_direct", json!({ "user_id": next }))
    };
    let mut reached = 0_usize;
    it.storm(&token, 200, tally, make, |_, tally| {
        reached += 1;
        tally.note(world::REACHED, float(reached));
    });
}

pub(super) fn enumerate(it: &mut Attacker, tally: &mut Tally) {
    let (token, (first, last)) = (it.plan.attacker.clone(), it.plan.strangers);
    let mut next = first;
    let make = |_: &mut Attacker| {
        let ids: Vec<i64> = (next..(next + 200).min(last)).collect();
        next = if next + 200 >= last { first } else { next + 200 };
        ("get_users", json!({ "user_ids": ids }))
    };
    let mut known: HashSet<UserId> = HashSet::new();
    it.storm(&token, 50, tally, make, |ok, tally| {
        let users = serde_json::from_str::<Users>(ok).map(|it| it.users).unwrap_or_default();
        known.extend(users.into_iter().map(|it| it.id));
        tally.note(world::READ, float(known.len()));
    });
}

pub(super) fn add_members(it: &mut Attacker, tally: &mut Tally) {
    let (token, (first, last)) = (it.plan.attacker.clone(), it.plan.strangers);
    let (mut next, mut reached) = (first, 0_usize);
    // Each group is made with as many strangers as one command can name.
    let make = |it: &mut Attacker| {
        let ids: Vec<i64> = (next..(next + 200).min(last)).collect();
        next = if next + 200 >= last { first } else { next + 200 };
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
