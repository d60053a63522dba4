//! Redis, a node and Postgres are frozen, killed and cut in the middle of traffic: nothing acknowledged is lost, doubled or
//! reordered, every reader on every node ends equal to the database, and a node that cannot serve says so.
//!
//! What is slow here is the machine and an unoptimised server, so times are three times those of `script/bench`.

use std::process::Command;

#[test]
fn what_breaks_in_the_middle_of_traffic_loses_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_chapar-loadtest"))
        .args(["faults", "--quick", "--within", "15", "--wait", "9"])
        .output()
        .expect("the load test starts");
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{log}");
    assert!(told.contains("no violation"), "{told}\n{log}");
}
