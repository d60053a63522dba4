//! Against accounts, passwords and relays.

use std::time::Duration;

use serde_json::json;

use super::super::{attack::Attacker, plan::Tally, world};

pub(super) fn relays(it: &mut Attacker, tally: &mut Tally) {
    let token = it.plan.attacker.clone();
    let make = |it: &mut Attacker| ("call_relays", json!({ "call_id": world::client_id(&mut it.random) }));
    it.storm(&token, 50, tally, make, |_, _| {});
}

pub(super) fn sign_ins_to_one(it: &mut Attacker, tally: &mut Tally) {
    let victim = it.plan.victim.clone();
    sign_ins(it, tally, |_| victim.clone());
}

pub(super) fn sign_ins_to_many(it: &mut Attacker, tally: &mut Tally) {
    sign_ins(it, tally, |it| format!("somebody{:x}", it.random.next_u64() >> 32));
}

/// Some 20 tries a second from each.
fn sign_ins(it: &mut Attacker, tally: &mut Tally, handle: impl Fn(&mut Attacker) -> String) {
    while !it.over() {
        let handle = handle(it);
        tally.tried += 1;
        let wrong = format!("wrong {:x}", it.random.next_u64());
        match world::sign_in(
            it.plan.node,
            Some(it.anonymous()),
            &handle,
            &wrong,
            Duration::from_secs(10).min(it.left()),
        ) {
            Ok((200..=299, _)) => tally.accepted += 1,
            Ok((status, body)) => tally.refuse(world::code(&body).unwrap_or(&status.to_string())),
            Err(_) => tally.not_taken += 1,
        }
        it.rest(Duration::from_millis(50));
    }
}
