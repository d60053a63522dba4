//! Both sides report, hang up and say how it was; an operator finds it in the report, in JSON, as CSV and as a table.

use std::time::{Duration, Instant};

use chapar_protocol::{
    ErrorCode,
    call::{CallAsk, CallId, CallIssue, NetworkClass, QualityReport},
    call_report::CallReport,
    command::RateCall,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    SCORE, measured,
    phone::{Phone, connect, recorded},
    reports,
    support::{World, http, node::ADMIN_TOKEN, node::binary, world::Plan},
};

async fn report(world: &World, query: &str) -> CallReport {
    let path = format!("/api/v1/admin/calls?{query}");
    let answer = http::request(world.at(0), "GET", &path, Some(ADMIN_TOKEN), None).await;
    answer.read().expect("a report")
}

/// Waits until both sides of a call are written.
pub async fn written(world: &World, call: CallId, sides: usize, patience: Duration) {
    let deadline = Instant::now() + patience;
    let sql = format!("SELECT count(DISTINCT user_id) FROM call_quality WHERE call_id = '{call}'");
    while world.database.sql(&sql) != sides.to_string() {
        assert!(Instant::now() < deadline, "it is not written");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn near(got: Option<f64>, want: f64) {
    assert!(got.is_some_and(|got| (got - want).abs() < 1e-4), "{got:?} is not {want}");
}

#[tokio::test]
async fn and_an_operator_sees_it() {
    let world = Plan::single().start().await;
    let [leila, reza, stranger] = world.people().await;
    let chat = world.direct(&leila, &reza).await;
    for device in [&leila, &reza, &stranger] {
        device.connect(world.at(0)).await;
    }
    let call = connect(&leila, &reza).await;
    let rate = |stars, issues: &[CallIssue]| RateCall { call_id: call, stars, issues: issues.to_vec() };
    assert_eq!(leila.refused(rate(5, &[])).await.code, ErrorCode::CallConflict, "it has not ended");
    reports(&leila, call, measured(NetworkClass::Wifi)).await;
    reports(&reza, call, measured(NetworkClass::Mobile)).await;
    let nonsense = QualityReport { lost_per_mille: 1001, ..measured(NetworkClass::Wifi) };
    reports(&reza, call, nonsense).await;
    let error =
        stranger.is_refused(call, CallAsk::Alive { revision: 0, report: Some(measured(NetworkClass::Wifi)) }).await;
    assert_eq!(error.code, ErrorCode::CallNotFound);
    leila.asks(call, CallAsk::HangUp).await;
    reza.hears_the_end(call).await;
    recorded(&leila, &reza, chat, call).await;
    written(&world, call, 2, Duration::from_secs(20)).await;
    let stored = world.database.sql(&format!(
        "SELECT reports, covered_ms, round(mos::numeric, 2), round_trip, lost, bits_in, path, codec, local_end, remote_end, relay
         FROM call_quality WHERE call_id = '{call}' AND user_id = {}",
        leila.id()
    ));
    assert_eq!(stored, "1|5000|21328.90|500000|150|150000000|direct|red|host|srflx|");

    assert_eq!(stranger.refused(rate(1, &[])).await.code, ErrorCode::CallNotFound);
    for stars in [0, 6] {
        assert_eq!(leila.refused(rate(stars, &[])).await.code, ErrorCode::BadRequest);
    }
    assert_eq!(leila.refused(rate(3, &[CallIssue::Echo; 11])).await.code, ErrorCode::TooLarge);
    let unknown = RateCall { call_id: CallId(Uuid::new_v4()), stars: 5, issues: Vec::new() };
    assert_eq!(leila.refused(unknown).await.code, ErrorCode::CallNotFound);
    leila.must(rate(1, &[CallIssue::Echo])).await;
    leila.must(rate(5, &[])).await;
    reza.must(rate(2, &[CallIssue::Choppy, CallIssue::Delay, CallIssue::Choppy])).await;
    let kept = world.database.sql("SELECT stars, issues FROM call_ratings ORDER BY stars");
    assert_eq!(kept, "2|{choppy,delay}\n5|{}", "the last word of each");

    let by_day = report(&world, "").await;
    assert_eq!(by_day.lines.len(), 1, "{by_day:?}");
    let line = &by_day.lines[0];
    assert_eq!((line.calls, line.answered, line.connected, line.scored, line.rated), (1, 1, 1, 2, 2));
    near(line.mos, SCORE);
    near(line.poor, 0.0);
    near(line.satisfied, 0.5);
    near(line.stars, 3.5);
    near(line.setup_success, 1.0);
    assert!(line.setup_seconds_p50.is_some(), "{line:?}");
    let networks = report(&world, "by=network").await;
    let sides: Vec<(&str, u64, Option<f64>)> =
        networks.lines.iter().map(|line| (line.value.as_str(), line.calls, line.stars)).collect();
    assert!(sides.contains(&("wifi", 1, Some(5.0))) && sides.contains(&("mobile", 1, Some(2.0))), "{sides:?}");
    assert_eq!(report(&world, "by=reason").await.lines[0].value, "hung_up");

    let path = "/api/v1/admin/calls?by=path&format=csv";
    let csv = http::request(world.at(0), "GET", path, Some(ADMIN_TOKEN), None).await;
    assert_eq!((csv.status, csv.body.lines().count()), (200, 2), "{}", csv.body);
    assert!(
        csv.body.contains("\r\n")
            || csv.body.lines().nth(1).is_some_and(|line| line.starts_with("direct,2,2,2,1.0000,")),
        "{}",
        csv.body
    );
    let metrics = http::get(world.at(0), "/metrics").await.body;
    for line in [
        "chapar_call_reports_total{outcome=\"counted\"} 2",
        "chapar_call_reports_total{outcome=\"implausible\"} 1",
        "chapar_call_ratings_total{stars=\"5\"} 1",
        "chapar_call_mos_count 2",
    ] {
        assert!(metrics.lines().any(|it| it == line), "no {line} in:\n{metrics}");
    }
}

#[tokio::test]
async fn and_nobody_else_sees_it() {
    let world = Plan::single().start().await;
    let [leila] = world.people().await;
    let get = async |path: &str, token: Option<&str>| http::request(world.at(0), "GET", path, token, None).await;
    assert_eq!(get("/api/v1/admin/calls", None).await.status, 401);
    assert_eq!(get("/api/v1/admin/calls", Some(leila.token())).await.status, 401);
    for query in ["by=colour", "from=yesterday", "from=2026-11-24&to=2026-11-23", "format=xml", "utc_offset=%2B03:20"] {
        let answer = get(&format!("/api/v1/admin/calls?{query}"), Some(ADMIN_TOKEN)).await;
        assert_eq!(answer.read::<CallReport>().expect_err("bad").code, ErrorCode::BadRequest, "{query}");
    }
    let empty = get("/api/v1/admin/calls?from=1405-01-01&to=1405-01-02", Some(ADMIN_TOKEN)).await;
    let empty: CallReport = empty.read().expect("a report without a call");
    assert_eq!((empty.from.as_str(), empty.lines.len(), empty.total.mos), ("2026-03-21", 0, None));
    let body = json!({ "call_id": Uuid::new_v4(), "stars": 300 });
    let answer =
        http::request(world.at(0), "POST", "/api/v1/call/call_rate", Some(leila.token()), Some(&body.to_string()))
            .await;
    assert_eq!(answer.status, 400, "{}", answer.body);

    let admin = |arguments: &[&str]| {
        let url = world.nodes[0].options().database_url.clone().expect("planned");
        let mut command = binary();
        command.args(["admin", "calls", "--database-url", &url, "--data-dir"]).arg(world.directory().join("admin"));
        command.args(arguments).output().expect("it runs")
    };
    let table = admin(&["--from", "1405-09-01", "--to", "1405-09-02"]);
    let said = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.status.success() && said.starts_with("day") && said.contains("total"), "{said}");
    let csv = admin(&["--by", "reason", "--csv"]);
    assert!(String::from_utf8_lossy(&csv.stdout).starts_with("reason,calls,answered,"), "{csv:?}");
    let bad = admin(&["--by", "colour"]);
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("colour"), "{bad:?}");
}
