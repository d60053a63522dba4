//! A node is killed in the middle of a call: what it had written stays, and the rest of the call, measured by another node,
//! adds up with it.

use std::time::Duration;

use chapar_protocol::call::{CallAsk, NetworkClass};

use crate::{
    a_call_is_measured_and_rated::written,
    measured,
    phone::{Phone, connect, recorded},
    reports,
    support::world::Plan,
};

#[tokio::test]
async fn and_the_sums_of_both_nodes_add_up() {
    let mut world = Plan::pair().start().await;
    let [leila, reza] = world.people().await;
    let chat = world.direct(&leila, &reza).await;
    leila.connect(world.at(0)).await;
    reza.connect(world.at(1)).await;
    let call = connect(&leila, &reza).await;
    reports(&leila, call, measured(NetworkClass::Wifi)).await;
    // A node writes what it knows every 30 s, while the call goes on.
    written(&world, call, 1, Duration::from_mins(1)).await;
    world.nodes[0].kill();
    leila.connect(world.at(1)).await;
    reports(&leila, call, measured(NetworkClass::Mobile)).await;
    reports(&reza, call, measured(NetworkClass::Wired)).await;
    leila.asks(call, CallAsk::HangUp).await;
    reza.hears_the_end(call).await;
    recorded(&leila, &reza, chat, call).await;
    written(&world, call, 2, Duration::from_secs(20)).await;
    let sides = world.database.sql(&format!(
        "SELECT user_id, count(*), sum(reports), sum(covered_ms), round((sum(mos) / sum(covered_ms))::numeric, 4)
         FROM call_quality WHERE call_id = '{call}' GROUP BY user_id ORDER BY user_id"
    ));
    assert_eq!(sides, format!("{}|2|2|10000|4.2658\n{}|1|1|5000|4.2658", leila.id(), reza.id()));
    let latest = world
        .database
        .sql("SELECT value FROM call_sums(now() - interval '1 hour', now()) WHERE dimension = 'network' ORDER BY 1");
    assert_eq!(latest, "mobile\nwired", "each side counts once, with the network that it ended on");
}
