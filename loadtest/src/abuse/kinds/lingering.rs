//! Connections that hold on: how long does the server let them?

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::super::{attack::Attacker, plan::Tally, world};
use crate::{
    line::{Came, connect},
    websocket::{self, Op},
};

pub(super) fn heads(it: &mut Attacker, tally: &mut Tally) {
    let head = "GET /ws HTTP/1.1\r\nHost: a\r\nX-Slow: ";
    hold(it, tally, head.as_bytes(), b"s");
}

pub(super) fn bodies(it: &mut Attacker, tally: &mut Tally) {
    let head = "POST /api/v1/sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n{";
    hold(it, tally, head.as_bytes(), b" ");
}

pub(super) fn talkers(it: &mut Attacker, tally: &mut Tally) {
    let mut frame = Vec::new();
    websocket::put(&mut frame, Op::Text, br#"{"id":1,"method":"ping"}"#, 0);
    talk(it, tally, &frame);
}

pub(super) fn pingers(it: &mut Attacker, tally: &mut Tally) {
    let mut frame = Vec::new();
    websocket::put(&mut frame, Op::Ping, b"", 0);
    talk(it, tally, &frame);
}

/// Says the same ten times a second and listens, until it is told to go or the time is over.
fn talk(it: &Attacker, tally: &mut Tally, frame: &[u8]) {
    tally.tried += 1;
    let Some(mut line) = it.open(tally) else { return };
    let started = Instant::now();
    let mut closed = None;
    while closed.is_none() && !it.over() {
        if line.stream.write_all(frame).is_err() {
            closed = Some(1006);
        }
        let next = Instant::now() + Duration::from_millis(100);
        loop {
            match line.receive(next.saturating_duration_since(Instant::now())) {
                Came::Text(_) => {}
                Came::Closed(code) => {
                    closed = Some(code);
                    break;
                }
                Came::Nothing => break,
            }
        }
    }
    tally.note(world::HELD, started.elapsed().as_secs_f64());
    match closed {
        Some(code) => tally.close(code),
        None => tally.accepted += 1,
    }
}

/// Begins, then adds a little at a time until the server has enough of it or the time is over.
fn hold(it: &Attacker, tally: &mut Tally, beginning: &[u8], more: &[u8]) {
    tally.tried += 1;
    let Ok(mut stream) = connect(it.plan.node, Some(it.anonymous())) else {
        tally.not_taken += 1;
        return;
    };
    let started = Instant::now();
    let mut open = stream.write_all(beginning).is_ok() && stream.set_nonblocking(true).is_ok();
    while open && !it.over() {
        open = stream.write_all(more).is_ok() && still_open(&mut stream);
        it.rest(Duration::from_secs(1));
    }
    tally.note(world::HELD, started.elapsed().as_secs_f64());
    if open {
        tally.accepted += 1;
    } else {
        tally.close(1006);
    }
}

fn still_open(stream: &mut TcpStream) -> bool {
    let mut trash = [0; 16 * 1024];
    loop {
        match stream.read(&mut trash) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}
