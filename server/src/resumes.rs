//! The queue of those who come back, before the database: a reconnect storm waits here. Those who wait are asked for together, many
//! in one statement. One account with very many connections waits for itself, before everybody's queue, and so does an address: in
//! the queue stand few of each, so that whoever comes from elsewhere is soon served.

use std::{net::IpAddr, time::Duration};

use chapar_protocol::{ErrorCode, UserId, WireError};
use tokio::time::{Instant, timeout_at};

use crate::{
    shares::{Share, Shares},
    store::{
        Result as Stored, Store,
        people::{
            accounts::Caller,
            lists::{ComingBack, OwnThings},
        },
        resume::Resumed,
    },
    together::{Question, Together},
};

/// For how long a connection waits before it is told to come back: clients give a `hello` up after 15 s.
const PATIENCE: Duration = Duration::from_secs(12);
/// The same behind others of the same user.
const OWN_PATIENCE: Duration = Duration::from_secs(5);
/// Connections of one user that are brought up to date at the same time.
const OF_USER: usize = 2;
/// Tokens that are looked up at once.
const TOKENS: usize = 256;
/// People who are asked for at once: an ordinary one has a few dozen chats.
const PEOPLE: usize = 64;
/// Chats that count as one of these people.
const CHATS: usize = 64;
/// In the queue stand so many of one address: two batches, of which one is under way.
const OF_NETWORK: usize = 2 * PEOPLE;

/// Who has these tokens.
struct Callers(Store);

impl Question for Callers {
    type Ask = (UserId, Vec<u8>);
    type Answer = Option<Caller>;

    async fn put(&self, asks: Vec<Self::Ask>) -> Stored<Vec<Self::Answer>> {
        self.0.people.callers(&asks).await
    }
}

/// What is their own.
struct Own(Store);

impl Question for Own {
    type Ask = ComingBack;
    type Answer = Option<OwnThings>;

    async fn put(&self, asks: Vec<ComingBack>) -> Stored<Vec<Self::Answer>> {
        self.0.people.own_things(&asks).await
    }

    /// How long the list is, is not known yet: it is by about what the device knows.
    fn weight(ask: &ComingBack) -> usize {
        1 + ask.resume.as_ref().map_or(0, |it| it.chats.len()) / CHATS
    }
}

/// What they have missed of their chats.
struct Missed(Store);

impl Question for Missed {
    type Ask = (ComingBack, OwnThings);
    type Answer = Resumed;

    async fn put(&self, asks: Vec<Self::Ask>) -> Stored<Vec<Resumed>> {
        self.0.chats.missed(asks).await
    }

    fn weight((_, own): &Self::Ask) -> usize {
        1 + own.inside().count() / CHATS
    }
}

/// See the module.
pub struct Resumes {
    of_users: Shares<UserId>,
    /// Of each address, in either queue: whoever has left the first does not stand behind those who wait for it.
    of_networks: [Shares<IpAddr>; 2],
    callers: Together<Callers>,
    own: Together<Own>,
    missed: Together<Missed>,
}

impl Resumes {
    /// Over the connections for `hello`.
    pub fn new(store: &Store) -> Self {
        let hello = store.hello();
        let at_once = usize::try_from(store.hellos()).unwrap_or(1);
        Self {
            of_users: Shares::new(OF_USER),
            of_networks: [Shares::new(OF_NETWORK), Shares::new(OF_NETWORK)],
            callers: Together::new(Callers(hello.clone()), TOKENS, at_once),
            own: Together::new(Own(hello.clone()), PEOPLE, at_once),
            missed: Together::new(Missed(hello), PEOPLE, at_once),
        }
    }

    /// Who is behind a token; none when nobody is.
    ///
    /// # Errors
    /// What the database met.
    pub async fn caller(&self, user: UserId, hash: Vec<u8>) -> Result<Option<Caller>, WireError> {
        self.callers.ask((user, hash)).await
    }

    /// A turn among the connections of one user.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with the time to wait.
    pub async fn of_user(&self, user: UserId) -> Result<Share<'_, UserId>, WireError> {
        let share = self.of_users.take(user, OWN_PATIENCE).await;
        share.ok_or_else(|| overloaded("too many of your connections resume at once"))
    }

    /// The own things of somebody from `network`; none for whoever is signed out.
    ///
    /// # Errors
    /// [`ErrorCode::Overloaded`] with the time to wait; what the database met.
    pub async fn own(&self, network: IpAddr, who: ComingBack) -> Result<Option<OwnThings>, WireError> {
        let until = Instant::now() + PATIENCE;
        let share = self.of_networks[0].take(network, PATIENCE).await;
        let _share = share.ok_or_else(|| overloaded("too many connections from your address resume at once"))?;
        let own = timeout_at(until, self.own.ask(who)).await;
        own.unwrap_or_else(|_| Err(overloaded("too many connections resume at once")))
    }

    /// What they have missed of their chats. Whoever has come so far waits for those before it, who are bounded, rather than begin
    /// again.
    ///
    /// # Errors
    /// What the database met.
    pub async fn missed(&self, network: IpAddr, who: ComingBack, own: OwnThings) -> Result<Resumed, WireError> {
        let share = self.of_networks[1].take(network, Duration::MAX).await;
        let _share = share.ok_or_else(|| overloaded("the node ends"))?;
        self.missed.ask((who, own)).await
    }
}

fn overloaded(message: &str) -> WireError {
    WireError::new(ErrorCode::Overloaded, message).after_ms(rand::random_range(1000..5000))
}
