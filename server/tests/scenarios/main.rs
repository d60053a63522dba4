//! What people do and what must then happen, against real nodes, Postgres, Redis and sockets. One file for each scenario.
#![expect(unreachable_pub, reason = "the harness is a module of the tests")]

#[path = "../support/harness.rs"]
mod support;

mod two_nodes_carry_one_chat;
