//! Calls as two people have them, against real nodes, Postgres, Redis and sockets. One file for each thing that happens.
#![expect(unreachable_pub, reason = "the harness is a module of the tests")]

#[path = "../support/harness.rs"]
#[allow(dead_code, unused_imports, reason = "the scenarios use the rest of it")]
mod support;

mod phone;

mod the_first_answer_silences_the_others;
mod two_people_talk;
