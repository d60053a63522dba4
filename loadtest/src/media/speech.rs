//! `call-speech`: the same speech over the same bad network, with all repair and without, recorded where it is heard.

use std::time::Duration;

use chapar_client::calls::{
    CallOptions,
    audio::{
        Silence,
        controller::Plan,
        wav::{WavSink, WavSource},
    },
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    CallSpeech, Error, Figures,
    person::{Pair, Setting},
};

const PATIENCE: Duration = Duration::from_secs(40);

/// Runs it.
///
/// # Errors
/// [`Error`].
pub async fn run(args: &CallSpeech) -> Result<Figures, Error> {
    std::fs::create_dir_all(&args.out)?;
    let mut running = JoinSet::new();
    for number in 0..args.common.pairs {
        for (name, fixed) in [("on", None), ("off", Some(Plan::BARE))] {
            let setting = Setting { relay_only: true, legs: Some(args.common.link()), fixed, ..Setting::default() };
            // The same seed for both, so the same losses as far as they send the same packets.
            let pair = Pair::new(&args.common, setting, u64::from(number)).await?;
            let source = WavSource::open(&args.speech)?.repeated();
            let sink = WavSink::create(args.out.join(format!("{name}-{number}.wav")))?;
            running.spawn(talk(pair, source, sink, name, Duration::from_secs(args.seconds)));
        }
    }
    let mut figures = serde_json::Map::new();
    while let Some(done) = running.join_next().await {
        let (name, seen) = done.map_err(|_| Error::Never("a call came to its end"))??;
        figures
            .entry(name)
            .or_insert_with(|| serde_json::json!([]))
            .as_array_mut()
            .into_iter()
            .for_each(|all| all.push(seen.clone()));
    }
    Ok(Figures {
        scenario: "call-speech",
        parameters: serde_json::json!({ "network": args.common.parameters(), "seconds": args.seconds }),
        figures: figures.into(),
        passed: true,
    })
}

async fn talk(
    mut pair: Pair,
    source: WavSource,
    sink: WavSink,
    name: &'static str,
    time: Duration,
) -> Result<(&'static str, serde_json::Value), Error> {
    let callee = pair.callee.id()?;
    let (call, at_callee) = tokio::join!(
        pair.caller.calls.call(callee, source, Silence, CallOptions::default()),
        timeout(PATIENCE, pair.callee.incoming.next()),
    );
    let mut call = call?;
    let mut at_callee = at_callee.ok().flatten().ok_or(Error::Never("it never rang"))?;
    at_callee.accept(Silence, sink.clone(), CallOptions::default());
    let hears = timeout(PATIENCE, at_callee.until(|view| view.hears)).await;
    if hears != Ok(true) {
        return Err(Error::Never("nothing was heard"));
    }
    let (sent, began) = (call.stats(), std::time::Instant::now());
    let before = sent.borrow().as_ref().map_or(0, |it| it.bytes_out);
    sleep(time).await;
    let out = sent.borrow().clone().unwrap_or_default();
    let heard = at_callee.stats().borrow().clone().unwrap_or_default();
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "bytes of one call")]
    let rate = (out.bytes_out - before) as f64 / seconds;
    call.hang_up();
    let _ = timeout(PATIENCE, call.until(|view| view.over.is_some())).await;
    sink.finish()?;
    Ok((
        name,
        serde_json::json!({
            "payload_bytes_per_second": rate.round(),
            "plan_at_the_end": format!("{:?}", out.plan),
            "loss_seen_at_the_end": heard.loss_in,
            "played": format!("{:?}", heard.played),
            "buffered_ms": u64::try_from(heard.buffered.as_millis()).unwrap_or(u64::MAX),
        }),
    ))
}
