//! Somebody opens twice as many sockets as an address may have without a `hello`, and says nothing on any of them. Whoever sits
//! behind the same address signs in as ever: the oldest of the silent ones makes room. So it does for bare connections, on which
//! not even a request comes.

use std::time::{Duration, Instant};

use chapar_protocol::{CloseCode, command::Hello};

use crate::support::{RawSocket, world::Plan};

const SILENT: usize = 200;

#[tokio::test]
async fn and_a_person_from_the_same_address_is_let_in_at_once() {
    let world = Plan::single().start().await;
    let [person] = world.people().await;
    let began = Instant::now();
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let socket = RawSocket::try_connect(world.at(0)).await;
        silent.push(socket.unwrap_or_else(|error| panic!("socket {number} was refused: {error}")));
    }
    let asked = Instant::now();
    let mut socket = RawSocket::connect(world.at(0)).await;
    let hello = Hello { token: person.token().to_owned(), resume: None };
    socket.call(1, &hello).await.expect("welcome");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    // On a machine so slow that the silent ones have had their ten seconds this shows nothing.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());

    // The oldest had to go, and are told what those are told whose time is over.
    for socket in &mut silent[..SILENT - 101] {
        assert_eq!(socket.end().await, Some(CloseCode::HelloTimeout.number()));
    }
    // Who says who they are before it is their turn to go stays.
    let mut late = silent.pop().expect("the youngest");
    late.call(1, &hello).await.expect("welcome");
    for _ in 0..SILENT {
        silent.push(RawSocket::connect(world.at(0)).await);
    }
    late.call(2, &chapar_protocol::command::Ping {}).await.expect("still there");
    socket.call(2, &chapar_protocol::command::Ping {}).await.expect("still there");
}

#[tokio::test]
async fn not_even_those_that_ask_for_nothing_at_all_fill_an_address() {
    let world = Plan::single().start().await;
    let [person] = world.people().await;
    let began = Instant::now();
    let mut bare = Vec::new();
    for _ in 0..1_100 {
        bare.push(tokio::net::TcpStream::connect(world.at(0)).await.expect("a connection"));
    }
    let mut socket = RawSocket::connect(world.at(0)).await;
    let hello = Hello { token: person.token().to_owned(), resume: None };
    socket.call(1, &hello).await.expect("welcome");
    // On a machine so slow that they have had their ten seconds this shows nothing.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}
