//! One account and three addresses do their worst: the node keeps within its memory, ends what has to end, refuses what has to be
//! refused, lets the victim in, and goes on for the innocent, who lose nothing.
//!
//! How long the innocent wait is measured by `script/bench`; here, on a machine with other work, only that they are served.

use std::process::Command;

#[test]
fn whatever_attackers_do_the_innocent_are_served_and_memory_is_bounded() {
    let output = Command::new(env!("CARGO_BIN_EXE_chapar-loadtest"))
        .args(["abuse", "--quick", "--slack", "100", "--sign-in", "45"])
        .output()
        .expect("the load test starts");
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{log}");
    assert!(told.contains("no violation"), "{told}\n{log}");
}
