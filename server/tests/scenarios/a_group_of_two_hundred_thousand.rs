//! What a group of 200,000 costs: to add one more is what it is in a small group, and a page of its members is a page wherever it begins.
//! That the statements read no more rows is seen in `tests/plans`; here it is seen from outside.

use std::time::{Duration, Instant};

use chapar_protocol::{
    ChatId, ErrorCode, UserId,
    command::{AddMembers, GetChat, GetMembers},
};

use crate::support::{Device, World, http, world::Plan};

/// With the owner and those who are added one by one.
const FILLED: usize = chapar_protocol::limit::GROUP_MEMBERS - 12;

async fn add(world: &World, owner: &Device, chat_id: ChatId, user: UserId) -> Duration {
    let add = AddMembers { chat_id, user_ids: vec![user] };
    let began = Instant::now();
    http::call(world.at(0), owner.token(), &add).await.expect("added");
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn the_last_of_them_costs_what_the_tenth_did() {
    let world = Plan::single().start().await;
    let [owner] = world.people().await;
    let (small, large) = (world.group(&owner, &[]).await, world.group(&owner, &[]).await);
    world.database.sql(&format!(
        "INSERT INTO members (chat_id, user_id, role, turn, version)
         SELECT {large}, 10000000 + n, 0, 1, 1 FROM generate_series(1, {FILLED}) n;
         UPDATE counts SET members = {FILLED} + 1 WHERE chat_id = {large};
         ANALYZE members"
    ));
    let people: Vec<UserId> = world.accounts(12).await.iter().map(|it| it.user.id).collect();
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for user in &people[..11] {
        few.push(add(&world, &owner, small, *user).await);
        many.push(add(&world, &owner, large, *user).await);
    }
    let (few, many) = (median(few), median(many));
    println!("one more in a group of ten: {few:?}, of two hundred thousand: {many:?}");
    assert!(many < few * 3 + Duration::from_millis(20), "{few:?}, {many:?}");
    let one_too_many = AddMembers { chat_id: large, user_ids: vec![people[11]] };
    let refused = http::call(world.at(0), owner.token(), &one_too_many).await.expect_err("full");
    assert_eq!(refused.code, ErrorCode::ChatFull);

    let mut pages = Vec::new();
    for n in 0..60 {
        let after = Some(UserId(if n < 20 { 0 } else { 10_000_000 + 3_000 * n }));
        let began = Instant::now();
        let page = http::call(world.at(0), owner.token(), &GetMembers { chat_id: large, after }).await.expect("a page");
        pages.push((n >= 20, began.elapsed()));
        assert!(page.members.len() == 200 && page.more);
    }
    let of = |late: bool| median(pages.iter().filter(|it| it.0 == late).map(|it| it.1).collect());
    let (first, late) = (of(false), of(true));
    println!("a page at the beginning: {first:?}, further on: {late:?}");
    assert!(late < first * 3 + Duration::from_millis(20), "{first:?}, {late:?}");
    // What one sees of it first is bounded as that of any chat.
    let began = Instant::now();
    let snapshot = http::call(world.at(0), owner.token(), &GetChat { chat_id: large }).await.expect("a snapshot");
    println!("the chat from scratch: {:?}", began.elapsed());
    assert_eq!(snapshot.members().count(), 200);
}
