//! Has the counters of channels told: reactions, views, members. What moves them is stored by whoever does it, and stirs them here; the
//! counting is a change like every other, asked for at most once a second for each channel. What a dead node has left is found by
//! the others.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chapar_domain::judge::PAUSE;
use chapar_protocol::{Action, ChatId, Version, WireError};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use crate::store::Store;

/// Channels that are known here to have something to tell. What finds no room is found in the database.
const ROOM: usize = 10_000;
/// Channels that are counted at the same time.
const AT_ONCE: usize = 32;
/// How often it is looked for what nobody tells.
const LOOK: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Default)]
pub struct Counters {
    channels: Mutex<HashMap<ChatId, Channel>>,
    moved: Notify,
}

struct Channel {
    /// Not counted before.
    at: Instant,
    moved: bool,
    under_way: bool,
}

impl Counters {
    /// Notes that something has moved in some channels.
    pub fn stir(&self, chats: impl IntoIterator<Item = ChatId>) {
        let mut channels = self.channels.lock();
        let mut wake = false;
        for chat in chats {
            if !channels.contains_key(&chat) && channels.len() >= ROOM {
                continue;
            }
            let now = Channel { at: Instant::now(), moved: false, under_way: false };
            let channel = channels.entry(chat).or_insert(now);
            wake |= !std::mem::replace(&mut channel.moved, true);
        }
        drop(channels);
        if wake {
            self.moved.notify_one();
        }
    }

    /// Those that are due, at most so many; they count as under way. And when the next one will be.
    fn take(&self, most: usize, now: Instant) -> (Vec<ChatId>, Option<Instant>) {
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        let mut channels = self.channels.lock();
        channels.retain(|_, it| it.moved || it.under_way || it.at > now);
        for (chat, it) in channels.iter_mut().filter(|(_, it)| it.moved && !it.under_way) {
            if it.at > now || due.len() >= most {
                next = Some(next.map_or(it.at, |next| next.min(it.at)));
                continue;
            }
            (it.moved, it.under_way) = (false, true);
            due.push(*chat);
        }
        (due, next)
    }

    fn told(&self, chat: ChatId, outcome: Result<(), Duration>, now: Instant) {
        if let Some(it) = self.channels.lock().get_mut(&chat) {
            it.under_way = false;
            it.moved |= outcome.is_err();
            let pause = outcome.err().unwrap_or(Duration::from_millis(PAUSE.unsigned_abs()));
            it.at = now + pause;
        }
    }

    /// Has those counted that are due, by `count`. Does not end by itself.
    pub async fn run<C>(self: Arc<Self>, count: impl Fn(ChatId) -> C, store: Store)
    where
        C: Future<Output = Result<Version, WireError>> + Send + 'static,
    {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way: JoinSet<(ChatId, Result<(), Duration>)> = JoinSet::new();
        loop {
            let (due, next) = self.take(AT_ONCE - under_way.len(), Instant::now());
            for chat in due {
                let counting = count(chat);
                under_way.spawn(async move { (chat, counting.await.map(drop).or_else(|error| again(&error))) });
            }
            let has_room = under_way.len() < AT_ONCE;
            tokio::select! {
                () = self.moved.notified() => {}
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if has_room && next.is_some() => {}
                Some(ended) = under_way.join_next() => match ended {
                    Ok((chat, outcome)) => self.told(chat, outcome, Instant::now()),
                    // A panic, a bug of ours: the node ends with it.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                _ = look.tick() => match store.chats.stale_channels().await {
                    Ok(left) => self.stir(left),
                    Err(error) => tracing::warn!(%error, "what no node has counted cannot be looked for now"),
                },
            }
        }
    }
}

/// After how long a channel is to be counted again that could not be now.
fn again(error: &WireError) -> Result<(), Duration> {
    match error.action {
        Action::Retry => Err(Duration::from_millis(error.retry_after_ms.unwrap_or(1000).into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_due_at_once_and_then_once_a_second() {
        let counters = Counters::default();
        let (chat, began) = (ChatId(1), Instant::now());
        let at = |millis| began + Duration::from_millis(millis);
        let due = |millis| counters.take(9, at(millis)).0 == [chat];
        counters.stir([chat]);
        assert!(due(100));
        counters.stir([chat, chat]);
        assert!(!due(200), "it is under way");
        counters.told(chat, Ok(()), at(300));
        assert!(!due(1200), "it was told just now");
        assert!(due(1300));
        counters.told(chat, Err(Duration::from_millis(200)), at(1400));
        assert!(due(1600), "told elsewhere just before: again when it may be");
        counters.told(chat, Ok(()), at(1700));
        assert!(!due(9000), "nothing has moved");
        assert!(counters.channels.lock().is_empty(), "nothing is kept of what rests");
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let counters = Counters::default();
        counters.stir((0..20_000).map(ChatId));
        assert_eq!(counters.channels.lock().len(), ROOM);
        let (due, next) = counters.take(3, Instant::now());
        assert_eq!((due.len(), next.is_some()), (3, true));
    }
}
