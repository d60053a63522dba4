//! The whole load test against a small server in memory: an honest one passes whatever goes wrong around it, and each
//! kind of lie is caught.

#[path = "fake/server.rs"]
mod server;

use chapar_loadtest::{
    args::{Cli, Scenario},
    report::Report,
    scenario,
};
use clap::Parser;
use server::Fault;

fn run(fault: Fault, mix: &str, rate: &str) -> Report {
    let url = server::start(fault);
    let line = format!(
        "chapar-loadtest chat --url {url} --url {url} --admin-token x --users 6 --group-size 6 --mix {mix} --rate {rate} \
         --seconds 1 --warmup 0 --size 1-300 --in-flight 4 --drain-seconds 3"
    );
    let cli = Cli::try_parse_from(line.split_whitespace()).expect("a good command line");
    let Scenario::Chat(args) = &cli.scenario else { panic!("a chat") };
    scenario::chat::run(args).expect("runs")
}

fn kinds(report: &Report) -> Vec<&str> {
    report.audit.as_ref().expect("audited").by_kind.keys().map(String::as_str).collect()
}

#[test]
fn an_honest_server_passes() {
    let report = run(Fault::None, "direct:50,group:30,channel:20", "300");
    assert_eq!(kinds(&report), [""; 0], "{}", report.tables());
    assert!(report.acknowledged > 250 && report.acknowledged == report.echoed, "{}", report.tables());
    assert_eq!(report.audit.expect("audited").messages, report.acknowledged);
    assert!(report.delivered > report.acknowledged && report.send_to_receive.count > 0);
}

#[test]
fn an_honest_server_passes_in_a_closed_loop() {
    let report = run(Fault::None, "group", "max");
    assert!(report.passed() && report.acknowledged > 100, "{}", report.tables());
    assert_eq!(report.delivered, report.acknowledged * 5);
    assert!(report.deltas_met_again >= report.deltas_parsed * 4, "readers share a parse");
}

#[test]
fn cuts_drains_gaps_and_overload_lose_nothing() {
    for fault in [Fault::Cut, Fault::Drain, Fault::DropDeltas, Fault::Overload, Fault::Refuse] {
        let report = run(fault, "group", "300");
        assert!(report.passed(), "{fault:?}\n{}", report.tables());
        let happened = match fault {
            Fault::Cut | Fault::Drain => !report.lost_connections.is_empty(),
            Fault::DropDeltas => report.gaps > 0,
            Fault::Overload => report.errors.contains_key("overloaded"),
            _ => report.errors.contains_key("forbidden"),
        };
        assert!(happened, "{fault:?} did not happen\n{}", report.tables());
    }
}

#[test]
fn each_lie_is_caught() {
    for (fault, expected) in [
        (Fault::Forget, "an acknowledged message is lost"),
        (Fault::RefuseButStore, "a refused message exists"),
        (Fault::ChangeText, "a message with another text"),
        (Fault::StoreTwice, "a message twice"),
        (Fault::SkipVersion, "a version was skipped"),
        (Fault::StopDelivering, "a reader missed messages"),
        (Fault::WrongAcknowledgement, "an acknowledged message at another place"),
    ] {
        let report = run(fault, "group", "300");
        assert!(!report.passed() && kinds(&report).contains(&expected), "{fault:?}: {:?}", kinds(&report));
    }
}

#[test]
fn the_exit_code_tells_a_script_what_the_audit_found() {
    for (fault, expected) in [(Fault::None, 0), (Fault::Forget, 1)] {
        let url = server::start(fault);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chapar-loadtest"));
        command.args(["chat", "--url", &url, "--admin-token", "x", "--users", "4", "--mix", "group", "--rate", "200"]);
        let outcome = command.args(["--seconds", "1", "--warmup", "0"]).output().expect("runs");
        let printed = String::from_utf8_lossy(&outcome.stdout);
        assert_eq!(outcome.status.code(), Some(expected), "{fault:?}: {printed}");
        assert!(printed.contains("audit:") && outcome.stderr.is_empty(), "{printed}");
    }
}
