//! `call-setup`: from the caller's wish to the moment at which both hear each other.

use std::time::{Duration, Instant};

use chapar_client::calls::{Call, CallOptions};
use tokio::{task::JoinSet, time::timeout};

use super::{
    CallSetup, Error, Figures, Way, percentiles,
    person::{Ear, Pair, Setting, Tone},
};

/// A call that nobody hears by then has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The times of one call.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// From the wish.
    wish: Duration,
    /// From the invite: once the caller's relay was found and the offer went out.
    invite: Duration,
}

/// Two people in a call.
pub struct Connected {
    /// The caller's end.
    pub to_callee: Call,
    /// The callee's end.
    pub at_callee: Call,
    /// What the caller and the callee hear.
    pub ears: [Ear; 2],
}

/// Runs it.
///
/// # Errors
/// [`Error`].
pub async fn run(args: &CallSetup) -> Result<Figures, Error> {
    let common = &args.common;
    let relay_only = args.way == Way::Relay;
    let setting = Setting { relay_only, legs: relay_only.then(|| common.link()), ..Setting::default() };
    let mut pairs = JoinSet::new();
    for number in 0..common.pairs {
        let mut pair = Pair::new(common, setting, u64::from(number)).await?;
        let calls = args.calls / common.pairs + u32::from(number < args.calls % common.pairs);
        pairs.spawn(async move {
            let mut outcomes = Vec::new();
            for _ in 0..calls {
                let outcome = one(&mut pair).await;
                if let Err(error) = &outcome {
                    eprintln!("a call failed: {error}");
                }
                outcomes.push(outcome.ok());
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            outcomes
        });
    }
    let outcomes: Vec<Option<Times>> = pairs.join_all().await.into_iter().flatten().collect();
    let failed = outcomes.iter().filter(|it| it.is_none()).count();
    let mut wish: Vec<Duration> = outcomes.iter().flatten().map(|it| it.wish).collect();
    let mut invite: Vec<Duration> = outcomes.iter().flatten().map(|it| it.invite).collect();
    Ok(Figures {
        scenario: "call-setup",
        parameters: serde_json::json!({ "network": common.parameters(), "way": args.way, "calls": args.calls }),
        figures: serde_json::json!({
            "failed": failed, "from_wish": percentiles(&mut wish), "from_invite": percentiles(&mut invite),
        }),
        passed: failed == 0,
    })
}

async fn one(pair: &mut Pair) -> Result<Times, Error> {
    let began = Instant::now();
    let (connected, invited) = connect(pair).await?;
    let heard = connected.ears.iter().filter_map(Ear::first).max().ok_or(Error::Never("nothing was heard"))?;
    let times =
        Times { wish: heard.saturating_duration_since(began), invite: heard.saturating_duration_since(invited) };
    end(connected).await;
    Ok(times)
}

/// Calls, accepts at once, and waits until both have heard the other. Also tells when the invite was answered.
///
/// # Errors
/// [`Error`]; also when nobody is heard for 30 s.
pub async fn connect(pair: &mut Pair) -> Result<(Connected, Instant), Error> {
    let ears = [Ear::default(), Ear::default()];
    let callee = pair.callee.id()?;
    let (to_callee, at_callee) = tokio::join!(
        async {
            let sound = (Tone::new(440.0), ears[0].clone());
            let call = pair.caller.calls.call(callee, sound.0, sound.1, CallOptions::default()).await?;
            Ok::<_, Error>((call, Instant::now()))
        },
        async {
            let call = timeout(PATIENCE, pair.callee.incoming.next()).await.ok().flatten();
            let call = call.ok_or(Error::Never("it never rang"))?;
            call.accept(Tone::new(660.0), ears[1].clone(), CallOptions::default());
            Ok::<_, Error>(call)
        }
    );
    let ((mut to_callee, invited), mut at_callee) = (to_callee?, at_callee?);
    let deadline = Instant::now() + PATIENCE;
    while ears.iter().any(|ear| ear.first().is_none()) {
        if Instant::now() > deadline {
            eprintln!("the caller saw {:?}\nthe callee saw {:?}", to_callee.view(), at_callee.view());
            return Err(Error::Never("nothing heard in 30 s"));
        }
        if to_callee.view().over.is_some() || at_callee.view().over.is_some() {
            eprintln!("the caller saw {:?}\nthe callee saw {:?}", to_callee.view(), at_callee.view());
            return Err(Error::Never("it ended before anything was heard"));
        }
        tokio::select! {
            () = to_callee.changed() => {}
            () = at_callee.changed() => {}
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
    Ok((Connected { to_callee, at_callee, ears }, invited))
}

/// Hangs up and waits until both know.
pub async fn end(mut connected: Connected) {
    connected.to_callee.hang_up();
    let both = async {
        connected.to_callee.until(|view| view.over.is_some()).await;
        connected.at_callee.until(|view| view.over.is_some()).await;
    };
    // Whoever does not learn it is told with the next sign of life; the next call is another one.
    let _ = timeout(Duration::from_secs(10), both).await;
}
