//! Whatever two people do on several devices, over connections that delay, break and say things twice, and a bus that may
//! lose what the server tells: against the server's own state machine ([`chapar_signaling::call`]) all devices agree in the
//! end, nobody rings for ever, and nobody is in one call with two devices.
//!
//! Each seed is one story. `CHAPAR_SEED=N` plays one story again, with the same choices; `CHAPAR_STORIES=N` plays so many.

mod device;
mod world;

use chapar_protocol::call::{EndReason, Standing};

use world::World;

/// Stories in one run, unless told otherwise.
const STORIES: u64 = 250;

/// How far stories came, so that nobody is comforted by stories in which nothing happens.
#[derive(Debug, Default)]
struct Reached {
    in_call: u32,
    heard: u32,
    emoji: u32,
    moved: u32,
    renewed: u32,
    rang_out: u32,
    hung_up: u32,
}

fn play(loses: bool) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (given, stories) = (number("CHAPAR_SEED"), number("CHAPAR_STORIES").unwrap_or(STORIES));
    let first: u64 = given.unwrap_or_else(rand::random);
    // Said before, so that it is known also of a run that is cut off.
    println!("CHAPAR_SEED={first} and those from there, loses: {loses}");
    let mut reached = Reached::default();
    for number in 0..if given.is_some() { 1 } else { stories } {
        let seed = first.wrapping_add(number);
        let story = std::panic::AssertUnwindSafe(|| tell(seed, loses, &mut reached));
        if let Err(panic) = std::panic::catch_unwind(story) {
            eprintln!("CHAPAR_SEED={seed}, loses: {loses}");
            std::panic::resume_unwind(panic);
        }
    }
    println!("CHAPAR_SEED={first} and the {stories} from there: {reached:?}");
    if given.is_none() {
        let all = [reached.in_call, reached.heard, reached.emoji, reached.moved, reached.renewed, reached.hung_up];
        assert!(
            all.into_iter().chain([reached.rang_out]).all(|count| count > 0),
            "stories that prove little: {reached:?}"
        );
    }
}

fn tell(seed: u64, loses: bool, reached: &mut Reached) {
    let mut world = World::new(seed, loses);
    for _ in 0..world.below(250) {
        world.happen();
        world.check();
    }
    // Everybody is back, and nobody wishes anything more: soon all agree.
    world.calm();
    world.pass(20_000);
    world.agree(true);
    let at_caller = world.standing_at_caller();
    if let Some(Standing::InCall(in_call)) = &at_caller {
        reached.in_call += 1;
        reached.renewed += u32::from(in_call.generation > 1);
        reached.moved += u32::from(world.has_moved());
        reached.emoji += u32::from(world.same_emoji());
        reached.heard += u32::from(world.both_hear());
        assert!(
            world.both_hear() || !world.both_know(),
            "they agree on a call in which nobody is heard: {}",
            world.tale()
        );
    }
    // Time alone ends the ringing.
    world.pass(90_000);
    world.agree(false);
    assert_eq!(world.ringing(), 0, "it rings for ever: {}", world.tale());
    match world.end_reason() {
        Some(EndReason::Missed | EndReason::Unreachable) => reached.rang_out += 1,
        Some(_) => {}
        None => {
            world.hang_up();
            world.pass(20_000);
            reached.hung_up += 1;
        }
    }
    assert!(world.all_over(), "not over everywhere: {}", world.tale());
}

#[test]
fn devices_agree_over_connections_that_break() {
    play(false);
}

/// Stories that once ended badly: a device that had been in the call, missed that it had moved, and was asked to take it over again
/// stood there with an open microphone.
#[test]
fn devices_agree_in_stories_that_once_ended_badly() {
    for (seed, loses) in [(12_099_697_522_433_118_344, false), (3_907_016_511_288_818_195, true)] {
        tell(seed, loses, &mut Reached::default());
    }
}

#[test]
fn devices_agree_over_a_bus_that_loses_too() {
    play(true);
}

/// The one node is killed, and its memory is gone: whatever happened before, all devices let go, soon after it is back.
#[test]
fn a_server_that_forgets_the_call_ends_it_everywhere() {
    let first: u64 = std::env::var("CHAPAR_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand::random);
    println!("CHAPAR_SEED={first}");
    for seed in 0..100 {
        let mut world = World::new(first.wrapping_add(seed), false);
        for _ in 0..world.below(150) {
            world.happen();
        }
        world.pass(1_000);
        world.dies();
        world.pass(30_000);
        assert!(world.all_over(), "CHAPAR_SEED={} somebody holds on: {}", first.wrapping_add(seed), world.tale());
    }
}
