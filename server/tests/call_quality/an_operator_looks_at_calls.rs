//! The figures of a small known set, computed by hand; the same before and after half hours are summed up; and marks that
//! late ratings and late calls leave.

use chapar_protocol::{call_report::CallReport, command::RateCall};
use chapar_server::store::Store;
use std::time::Duration;

use crate::support::{World, http, node::ADMIN_TOKEN, world::Plan};

/// Five calls on the 2nd and 3rd of Azar 1405 in Tehran (the night between begins at 20:30 UTC):
/// 1 connected after 0.5 s, MOS 4.0 and 3.0, 5 and 2 stars; 2 connected after 2 s, MOS 4.2 and none, 4 stars;
/// 3 answered but never connected; 4 missed; 5, on the next day, connected after 1 s, MOS 2.0 and 2.5, 1 star.
const CALLS: &str = "
INSERT INTO calls (call_id, chat_id, caller_id, callee_id, media, relay_only, invited_at, answered_at, connected_at, ended_at, reason, generations)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 1, 1001, 1002, 'voice', false, t, t + a, t + a + c, t + interval '60 s', r, 1
FROM (VALUES (1, '2026-11-23 08:00Z'::timestamptz, interval '4 s', interval '0.5 s', 'hung_up'),
             (2, '2026-11-23 08:10Z', '4 s', '2 s', 'dropped'),
             (3, '2026-11-23 20:28Z', '9 s', NULL, 'not_connected'),
             (4, '2026-11-23 20:28Z', NULL, NULL, 'missed'),
             (5, '2026-11-23 20:30Z', '4 s', '1 s', 'hung_up')) AS v (n, t, a, c, r);
INSERT INTO call_quality (call_id, user_id, part, covered_ms, reports, mos, poor_ms, worst_mos, round_trip, jitter, lost, lost_there,
    concealed, bits_in, bits_out, relayed_ms, path, network, local_end, remote_end, codec, relay, region, reported_at)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 1000 + u, p, ms, 1, ms * m, 0, m, 0, 0, 0, 0, 0, 0, 0, 0, 'relay_udp', w, 'relay', 'relay',
    'opus', r, g, '2026-11-23 08:00Z'::timestamptz + make_interval(secs => p)
FROM (VALUES (1, 1, 1, 5000, 4.0, 'wifi', 'qom-1', 'qom'), (1, 2, 1, 4000, 3.5, 'wifi', 'mecca-1', 'mecca'),
             (1, 2, 2, 4000, 2.5, 'mobile', 'mecca-2', 'mecca'), (2, 1, 1, 5000, 4.2, 'mobile', 'qom-1', 'qom'),
             (3, 1, 1, 0, 0, 'unknown', 'mecca-1', 'mecca'),
             (5, 1, 1, 5000, 2.0, 'mobile', 'mecca-1', 'mecca'), (5, 2, 1, 5000, 2.5, 'wifi', '', '')) AS v (n, u, p, ms, m, w, r, g);
INSERT INTO call_ratings (call_id, user_id, stars, issues)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 1000 + u, s, '{}' FROM (VALUES (1, 1, 5), (1, 2, 2), (2, 2, 4), (5, 1, 1)) AS v (n, u, s);";

async fn report(world: &World, by: &str) -> CallReport {
    let path = format!("/api/v1/admin/calls?from=1405-09-02&to=2026-11-24&by={by}");
    let answer = http::request(world.at(0), "GET", &path, Some(ADMIN_TOKEN), None).await;
    answer.read().expect("a report")
}

/// Value, calls, answered, connected, scored, mean MOS, poor, rated, satisfied, stars, p50 and p95 of the set-up.
fn lines(report: &CallReport) -> Vec<String> {
    let some = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let line = |it: &chapar_protocol::call_report::CallFigures| {
        format!(
            "{} {} {} {} | {} {} {} | {} {} {} | {} {}",
            it.value,
            it.calls,
            it.answered,
            it.connected,
            it.scored,
            some(it.mos),
            some(it.poor),
            it.rated,
            some(it.satisfied),
            some(it.stars),
            some(it.setup_seconds_p50),
            some(it.setup_seconds_p95)
        )
    };
    report.lines.iter().chain([&report.total]).map(line).collect()
}

async fn check(world: &World) {
    // Set-up times are those of the middle of their step, a tenth wide: for 0.5, 2 and 1 s at most 5 % beside.
    assert_eq!(
        lines(&report(world, "day").await),
        [
            "2026-11-23 4 3 2 | 3 3.73 0.33 | 3 0.67 3.67 | 0.52 1.98",
            "2026-11-24 1 1 1 | 2 2.25 1.00 | 1 0.00 1.00 | 1.02 1.02",
            " 5 4 3 | 5 3.14 0.60 | 4 0.50 3.00 | 1.02 1.98",
        ]
    );
    let mut reasons = lines(&report(world, "reason").await);
    reasons.sort();
    assert_eq!(reasons.len(), 5);
    assert!(reasons.iter().any(|line| line.starts_with("hung_up 2 2 2 | 4 2.88 0.75 | 3 0.33 2.67")), "{reasons:?}");
    assert!(reasons.iter().any(|line| line.starts_with("not_connected 1 1 0 | 0 - - | 0 - - | - -")), "{reasons:?}");
    let regions = lines(&report(world, "region").await);
    // Sides: call 1's callee, 3's caller, 5's caller.
    assert!(regions.iter().any(|line| line.starts_with("mecca 3 3 2 | 2 2.50 1.00 | 2 0.00 1.50")), "{regions:?}");
    assert!(regions.iter().any(|line| line.starts_with("qom 2 2 2 | 2 4.10 0.00 | 1 1.00 5.00")), "{regions:?}");
    let relays = lines(&report(world, "relay").await);
    assert!(
        relays.iter().any(|line| line.starts_with("mecca-2 1 1 1 | 1 3.00 1.00 | 1")),
        "the last part's: {relays:?}"
    );
    assert_eq!(report(world, "network").await.total.calls, 10, "each side counts");
}

#[tokio::test]
async fn the_figures_are_those_of_the_set_however_they_are_summed_up() {
    let world = Plan::single().start().await;
    let [leila] = world.people().await;
    world.database.sql(CALLS);
    check(&world).await;
    let options: sqlx::postgres::PgConnectOptions = world.database.url().parse().expect("a URL");
    let store = Store::connect(options, 2, Duration::ZERO).await.expect("connected");
    let mut rounds = 0;
    while world.database.sql("SELECT count(*) FROM call_rollup WHERE dimension = 'day'") != "3" {
        store.people.roll_up_calls().await.expect("summed up");
        // As if the 10 s between closing a half hour and summing it up were over.
        world.database.sql("UPDATE call_slots SET closed_at = closed_at - interval '1 minute'");
        rounds += 1;
        assert!(rounds < 100, "half hours are not summed up");
    }
    check(&world).await;
    world.database.sql("UPDATE calls SET reason = 'changed'");
    assert!(
        !lines(&report(&world, "reason").await).iter().any(|line| line.starts_with("changed")),
        "the sums are read"
    );
    world.database.sql("UPDATE calls SET reason = 'hung_up'");

    // A rating on the next day, and a call that was recorded late: their half hours are summed up anew.
    world.database.sql(&format!(
        "UPDATE calls SET callee_id = {} WHERE call_id = '00000000-0000-0000-0000-000000000002'",
        leila.id()
    ));
    leila.connect(world.at(0)).await;
    let call = "00000000-0000-0000-0000-000000000002".parse().map(chapar_protocol::call::CallId).expect("an id");
    leila.must(RateCall { call_id: call, stars: 3, issues: Vec::new() }).await;
    world.database.sql(
        "INSERT INTO calls SELECT gen_random_uuid(), 9, 9, 8, media, relay_only, invited_at, answered_at, connected_at, ended_at,
                                  reason, winner, by_user_id, generations FROM calls WHERE answered_at IS NULL",
    );
    let stale = world.database.sql("SELECT to_char(slot AT TIME ZONE 'UTC', 'HH24:MI') FROM call_stale ORDER BY 1");
    assert_eq!(stale, "08:00\n20:00");
    store.people.roll_up_calls().await.expect("summed up");
    assert_eq!(world.database.sql("SELECT count(*) FROM call_stale"), "0");
    let days = report(&world, "day").await;
    assert_eq!(
        (days.lines[0].calls, days.lines[0].rated),
        (5, 3),
        "its other callee's rating is gone with the callee: {days:?}"
    );
}
