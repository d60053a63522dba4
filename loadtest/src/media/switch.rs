//! `call-switch`: one person's address changes in mid-call and the old path is dead; how long until both hear again.

use std::time::{Duration, Instant};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    CallSwitch, Error, Figures, percentiles,
    person::{Pair, Setting},
    setup::{connect, end},
};

/// Without sound by then the call counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// A change that nobody has noticed by then was not noticeable.
const UNNOTICED: Duration = Duration::from_secs(5);

/// Runs it.
///
/// # Errors
/// [`Error`].
pub async fn run(args: &CallSwitch) -> Result<Figures, Error> {
    let common = &args.common;
    let setting = Setting { relay_only: true, legs: Some(common.link()), ..Setting::default() };
    let mut pairs = JoinSet::new();
    for number in 0..common.pairs {
        let common = common.clone();
        let mut pair = Pair::new(&common, setting, u64::from(number)).await?;
        let calls = args.calls / common.pairs + u32::from(number < args.calls % common.pairs);
        pairs.spawn(async move {
            let mut outcomes = Vec::new();
            for round in 0..calls {
                // A relay keeps what was allocated from an address that is gone until its time is over, and gives one
                // person twelve at most: other people talk after a few changes.
                if round > 0 && round % 6 == 0 {
                    match Pair::new(&common, setting, u64::from(number + 100 * round)).await {
                        Ok(new) => pair = new,
                        Err(error) => {
                            eprintln!("nobody new could sign in: {error}");
                            outcomes.push(None);
                            continue;
                        }
                    }
                }
                let outcome = one(&mut pair, round % 2 == 0).await;
                if let Err(error) = &outcome {
                    eprintln!("a call was lost: {error}");
                }
                outcomes.push(outcome.ok());
            }
            outcomes
        });
    }
    let outcomes: Vec<Option<Duration>> = pairs.join_all().await.into_iter().flatten().collect();
    let lost = outcomes.iter().filter(|it| it.is_none()).count();
    let mut gaps: Vec<Duration> = outcomes.into_iter().flatten().collect();
    Ok(Figures {
        scenario: "call-switch",
        parameters: serde_json::json!({ "network": common.parameters(), "calls": args.calls }),
        figures: serde_json::json!({ "lost": lost, "silent_for": percentiles(&mut gaps) }),
        passed: lost == 0,
    })
}

async fn one(pair: &mut Pair, callers: bool) -> Result<Duration, Error> {
    let (connected, _) = connect(pair).await?;
    sleep(Duration::from_secs(2)).await;
    let person = if callers { &pair.caller } else { &pair.callee };
    let leg = person.leg.as_ref().ok_or(Error::Never("there is no network to change"))?;
    let changed = Instant::now();
    leg.change_address();
    let back = async {
        loop {
            sleep(Duration::from_millis(20)).await;
            let noticed = connected.ears.iter().all(|ear| ear.was_silent(changed)) || changed.elapsed() > UNNOTICED;
            let back: Vec<_> = connected.ears.iter().filter_map(|ear| ear.back_since(changed)).collect();
            if noticed && back.len() == 2 {
                return back.into_iter().max().unwrap_or(changed);
            }
            if connected.to_callee.view().over.is_some() {
                return changed + PATIENCE * 2;
            }
        }
    };
    let back = timeout(PATIENCE, back).await.map_err(|_| Error::Never("no sound in 30 s after the change"))?;
    let gap = back.saturating_duration_since(changed);
    end(connected).await;
    if gap > PATIENCE { Err(Error::Never("it ended")) } else { Ok(gap) }
}
