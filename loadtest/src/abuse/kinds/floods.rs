//! Much, fast, and not read.

use std::{
    io::{ErrorKind, Read, Write},
    time::{Duration, Instant},
};

use serde_json::json;

use super::super::{attack::Attacker, plan::Tally, world};
use crate::{
    line::{Came, Heard, Line},
    websocket::{self, Op},
};

/// Writes the same bytes again and again, so many a second, until the time is over or the server closes. What comes back is
/// read only if `reads`.
fn pour(it: &Attacker, line: &mut Line, frames: &[u8], bytes_per_second: usize, reads: bool, tally: &mut Tally) {
    let _ = line.stream.set_nonblocking(true);
    let (mut at, mut written, started) = (0, 0_usize, Instant::now());
    let mut trash = vec![0; 64 * 1024];
    while !it.over() {
        if reads {
            match line.stream.read(&mut trash) {
                Ok(0) => return tally.close(1006),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return tally.close(1006),
            }
        }
        let millis = usize::try_from(started.elapsed().as_millis()).unwrap_or(usize::MAX);
        if written >= millis.saturating_mul(bytes_per_second / 1000) {
            it.rest(Duration::from_millis(2));
            continue;
        }
        match line.stream.write(&frames[at..]) {
            Ok(count) => {
                written += count;
                at = (at + count) % frames.len();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => it.rest(Duration::from_millis(5)),
            Err(_) => return tally.close(1006),
        }
        tally.note("MB written by one", f64::from(u32::try_from(written / 1_000_000).unwrap_or(u32::MAX)));
    }
}

pub(super) fn pings(it: &mut Attacker, tally: &mut Tally) {
    let mut frames = Vec::new();
    for _ in 0..500 {
        websocket::put(&mut frames, Op::Ping, &[b'p'; 125], 0);
    }
    while !it.over() {
        let Some(mut line) = it.open(tally) else { continue };
        tally.tried += 1;
        pour(it, &mut line, &frames, 15_000_000, false, tally);
        it.rest(Duration::from_millis(50));
    }
}

pub(super) fn before_hello(it: &mut Attacker, tally: &mut Tally) {
    let mut frames = Vec::new();
    for _ in 0..500 {
        websocket::put(&mut frames, Op::Text, br#"{"id":1,"method":"send","params":{}}"#, 0);
    }
    while !it.over() {
        let Some(mut line) = it.open(tally) else { continue };
        tally.tried += 1;
        // Some 5,000 requests a second.
        pour(it, &mut line, &frames, 220_000, true, tally);
        it.rest(Duration::from_millis(50));
    }
}

pub(super) fn wrong_tokens(it: &mut Attacker, tally: &mut Tally) {
    while !it.over() {
        let Some(mut line) = it.open(tally) else { continue };
        let mut here = 0_u32;
        while !it.over() {
            let token = format!("{}.{:016x}{:016x}", it.random.below(1000), it.random.next_u64(), it.random.next_u64());
            tally.tried += 1;
            here += 1;
            if line.request(u64::from(here), "hello", &json!({ "token": token })).is_err() {
                tally.close(1006);
                break;
            }
            match line.receive(Duration::from_secs(5).min(it.left())) {
                Came::Text(text) => {
                    let heard = serde_json::from_str::<Heard<'_>>(&text).ok();
                    tally.refuse(heard.and_then(|it| it.error).map_or("none", |it| it.code.name()));
                }
                Came::Closed(code) => {
                    tally.close(code);
                    break;
                }
                Came::Nothing => {}
            }
            tally.note(world::HELLOS, f64::from(here));
            it.rest(Duration::from_millis(4));
        }
        it.rest(Duration::from_millis(20));
    }
}

pub(super) fn fat_frames(it: &mut Attacker, tally: &mut Tally) {
    let (token, group) = (it.plan.attacker.clone(), it.plan.group);
    let text = "x".repeat(130_000);
    let make = |it: &mut Attacker| {
        let client_id = world::client_id(&mut it.random);
        ("send", json!({ "chat_id": group, "client_id": client_id, "body": { "kind": "text", "text": text } }))
    };
    it.storm(&token, 50, tally, make, |_, _| {});
}

pub(super) fn unread_pages(it: &mut Attacker, tally: &mut Tally) {
    let (token, group) = (it.plan.attacker.clone(), it.plan.group);
    while !it.over() {
        let Some(mut line) = it.sign_in(&token, tally) else { continue };
        for id in 2..62 {
            tally.tried += 1;
            let ask = json!({ "chat_id": group, "seq": 1_000_000, "before": 200, "after": 0 });
            if line.request(id, "history", &ask).is_err() {
                tally.close(1006);
                break;
            }
        }
        // Held, unread, as long as the time lasts.
        it.rest(Duration::from_secs(10));
    }
}

pub(super) fn stuck_readers(it: &mut Attacker, tally: &mut Tally) {
    let (attacker, group, links) = (it.plan.attacker.clone(), it.plan.group, it.plan.links);
    if it.number > 0 {
        let token = if it.number.is_multiple_of(2) { attacker } else { it.plan.accomplice.clone() };
        while !it.over() {
            let Some(line) = it.sign_in(&token, tally) else { continue };
            it.rest(Duration::from_secs(10));
            drop(line);
        }
        return;
    }
    let make = |it: &mut Attacker| {
        let client_id = world::client_id(&mut it.random);
        ("send", json!({ "chat_id": group, "client_id": client_id, "body": world::fat_body(links) }))
    };
    it.storm(&attacker, 30, tally, make, |_, _| {});
}

pub(super) fn resumes(it: &mut Attacker, tally: &mut Tally) {
    let token = it.plan.attacker.clone();
    while !it.over() {
        let Some(mut line) = it.open(tally) else { continue };
        let chats: Vec<(u64, u64, u64)> = (0..4000).map(|index| (index + 1, it.random.next_u64() >> 40, 0)).collect();
        let epoch = format!("{:x}", it.random.next_u64());
        tally.tried += 1;
        let hello = json!({ "token": token, "resume": { "epochs": [["people", epoch], ["chats", epoch]], "user_version": 0, "chats": chats } });
        if line.request(1, "hello", &hello).is_err() {
            tally.close(1006);
            continue;
        }
        match line.receive(Duration::from_secs(5).min(it.left())) {
            Came::Text(text) => match serde_json::from_str::<Heard<'_>>(&text).ok().and_then(|it| it.error) {
                Some(error) => tally.refuse(error.code.name()),
                None => tally.accepted += 1,
            },
            Came::Closed(code) => tally.close(code),
            Came::Nothing => {}
        }
        it.rest(Duration::from_millis(30));
    }
}
