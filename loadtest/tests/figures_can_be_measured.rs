//! The loads that start their own node run to their end and prove what they have to. With few people and for a moment: how fast it goes is
//! measured by `script/bench-scale`.

use std::process::Command;

fn run(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_chapar-loadtest"))
        .args(arguments.split(' '))
        .output()
        .expect("the load test starts");
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{log}");
    assert!(told.contains("nothing lost"), "{told}\n{log}");
    told.into_owned()
}

#[test]
fn people_join_a_large_channel_and_leave_it() {
    let told = run("joins --members 2000 --people 40 --rounds 2 --rate 100");
    assert!(told.contains("80 joins and 80 leavings were granted, 2021 are told to be in the channel"), "{told}");
}

#[test]
fn people_react_to_one_post() {
    let told = run("reactions --people 40 --rate 100 --seconds 2");
    assert!(told.contains("200 reactions of 200 were granted"), "{told}");
}

#[test]
fn people_vote_in_a_poll() {
    let told = run("polls --people 40 --rate 100 --seconds 2 --compared 100");
    assert!(told.contains("200 votes of 200 were granted"), "{told}");
}

#[test]
fn somebody_in_many_chats_comes_back() {
    let told = run("hello --chats 60 --changed 5 --returns 10");
    assert!(told.contains("20 returns, each with all that was written in 5 chats"), "{told}");
}

#[test]
fn everybody_comes_back_at_once_also_after_the_node_has_died() {
    run("storm --connections 80 --chats 2 --members 40 --rounds 1");
    run("storm --connections 80 --chats 2 --members 40 --rounds 1 --restart");
}

#[test]
fn one_database_and_two_are_measured_in_turn() {
    run("databases --users 8 --rounds 1 --seconds 1");
}
