//! Calls as two people have them, against real nodes, Postgres, Redis and sockets. One file for each thing that happens.
#![expect(unreachable_pub, reason = "the harness is a module of the tests")]

#[path = "../support/harness.rs"]
mod support;

mod phone;

mod a_call_changes_its_form;
mod a_device_vanishes;
mod a_lone_node_is_killed_in_mid_call;
mod a_lone_node_restarts;
mod a_node_is_killed_in_mid_call;
mod a_page_is_loaded_anew;
mod limits_on_calls_are_honest;
mod over_two_nodes;
mod redis_is_killed_in_mid_call;
mod rules_of_a_call;
mod the_first_answer_silences_the_others;
mod time_passes;
mod two_people_talk;
