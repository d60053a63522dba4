//! People's lists of chats follow who is in which chat: at once by whoever has committed it, else by the chats' feed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chapar_domain::judge::Membership;
use chapar_protocol::{ChatId, ChatKind, Seq, UserDelta, UserId, event::Read};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    fanout::Fanout,
    store::{Result, Store, StoreError, chats::readers::Reader},
};

/// How long whoever has committed a change waits for the lists to follow.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How often the feed is looked at, when nothing is known to be late. In the ordinary case everything in it is done already.
const LOOK: Duration = Duration::from_secs(1);
/// After a look that failed.
const PAUSE: Duration = Duration::from_millis(500);
/// Commits read at a time.
const PAGE: i64 = 500;
/// Under this name the feed knows how far this has come.
const FOLLOWER: &str = "lists";

/// The job that compares all lists with who is in which chat, after the chats' side has lost something.
pub const COMPARE: &str = "compare_lists";
/// Lines of lists that are compared at a time.
const COMPARED: i64 = 1000;

/// How far that job has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    user: UserId,
    chat: ChatId,
}

/// See the module.
pub struct Lists {
    store: Store,
    fanout: Arc<Fanout>,
    late: Notify,
}

impl Lists {
    /// With `store` for the work at once, which is somebody's request.
    pub fn new(store: Store, fanout: Arc<Fanout>) -> Arc<Self> {
        Arc::new(Self { store, fanout, late: Notify::new() })
    }

    /// Brings lists into line with what was committed, and tells whose they are. When that cannot be done now, it is done later.
    pub async fn apply(self: &Arc<Self>, moved: Vec<Membership>) {
        if moved.is_empty() {
            return;
        }
        let this = self.clone();
        // Only the waiting ends: what is done after that is told as well.
        let work = tokio::spawn(async move {
            if let Err(error) = this.bring_into_line(&this.store, &moved, 0).await {
                tracing::warn!(%error, changes = moved.len(), "people's lists follow later");
                this.late.notify_one();
            }
        });
        let _ = timeout(AT_ONCE, work).await;
    }

    async fn bring_into_line(&self, store: &Store, moved: &[Membership], first: i64) -> Result<()> {
        match store.people.apply(moved, first).await {
            Ok(changes) => {
                let shown = now_shown(moved, &changes);
                self.fanout.publish_lists(changes);
                if !shown.is_empty() {
                    for (Reader { chat, user }, seq) in store.chats.show_read(&shown).await? {
                        self.fanout.publish_read(Read { chat_id: chat, user_id: user, seq });
                    }
                }
                Ok(())
            }
            Err(error) => {
                if let StoreError::InDoubt { users, .. } = &error {
                    self.fanout.doubt(None, users.iter().copied());
                }
                Err(error)
            }
        }
    }

    /// Follows the feed, one node at a time. Does not end by itself.
    pub async fn follow(self: Arc<Self>) {
        let store = self.store.upkeep();
        loop {
            // First of all: which history it follows must be known when another one comes.
            loop {
                match self.follow_page(&store).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "people's lists cannot follow the feed now");
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                }
            }
            let _ = timeout(LOOK, self.late.notified()).await;
        }
    }

    /// Returns whether there may be more.
    async fn follow_page(&self, store: &Store) -> Result<bool> {
        let history = store.chats.epoch().await?;
        // Another node is at it.
        let Some(mut turn) = store.people.follow(FOLLOWER, &history).await? else { return Ok(false) };
        if turn.is_anew() {
            // What was lost is recent, and what is left in its place may be older than all that the feed still has.
            turn.put_job(COMPARE, &json!(Place::default())).await?;
        }
        let page = store.chats.moved_since(turn.at(), PAGE).await?;
        if !page.who.is_empty() {
            let (moved, first) = store.chats.memberships(&page.who).await?;
            self.bring_into_line(store, &moved, first).await?;
        }
        let more = page.full;
        turn.end(page.upto).await?;
        Ok(more)
    }
}

impl Lists {
    /// Compares lists with what the chats' side has, from a place on, until the time is over. Returns where it is to be gone on.
    ///
    /// # Errors
    /// When either side is away; then it is begun again at that place.
    pub async fn compare(&self, store: &Store, from: Place, until: Instant) -> Result<Option<Place>> {
        let mut at = from;
        while Instant::now() < until {
            let listed = store.people.listed_after(Reader { user: at.user, chat: at.chat }, COMPARED).await?;
            let Some(last) = listed.last().copied() else { return Ok(None) };
            let (mut moved, first) = store.chats.memberships(&listed).await?;
            let there: HashSet<Reader> = moved.iter().map(|it| Reader { user: it.user, chat: it.chat }).collect();
            let nobody = listed.into_iter().filter(|it| !there.contains(it));
            moved.extend(nobody.map(|it| Membership::never(it.user, it.chat)));
            self.bring_into_line(store, &moved, first).await?;
            at = Place { user: last.user, chat: last.chat };
        }
        Ok(Some(at))
    }
}

/// How far those have read who have done something in a direct chat: while it was a request to them nobody else saw it.
fn now_shown(moved: &[Membership], changes: &[(UserId, UserDelta)]) -> HashMap<Reader, Seq> {
    let engaged = moved.iter().filter(|it| it.engaged && it.kind == ChatKind::Direct);
    let engaged: HashSet<Reader> = engaged.map(|it| Reader { chat: it.chat, user: it.user }).collect();
    let items = changes.iter().flat_map(|(user, delta)| delta.items.iter().map(|item| (*user, item)));
    let marks =
        items.filter_map(|(user, item)| item.chat().map(|mine| (Reader { chat: mine.chat_id, user }, mine.read_seq)));
    marks.filter(|(reader, seq)| seq.0 > 0 && engaged.contains(reader)).collect()
}
