//! A channel, or a group, whose owner posts at fixed times while others do something else there: what `joins`, `reactions` and `polls` have in
//! common.

use std::time::{Duration, Instant};

use chapar_protocol::{
    ChatId, ChatKind, Command, UserId,
    command::{AddMembers, CreateChat, Send},
    limit::USERS_PER_COMMAND,
};
use hdrhistogram::Histogram;
use uuid::Uuid;

use super::{Error, PATIENCE, Run};
use crate::{
    args::{Common, Rate},
    http::Api,
    message::Random,
    report::AuditReport,
    rig::{Databases, Own, Plain},
    schedule::OpenLoop,
    stats::{Percentiles, latencies},
    watch::{Answer, Watch},
};

/// The handle of the channel.
pub(super) const HANDLE: &str = "everybody";
/// Connected readers who are there from the beginning, by whom posts are measured.
const WATCHERS: u32 = 20;
/// The owner, who posts.
const OWNER: u32 = 0;
/// Numbers of what is asked from here on are posts.
const POSTS: u64 = 1 << 32;
/// Who has no answer by then gets none.
const ANSWERS: Duration = Duration::from_secs(30);
/// No wave takes longer.
const WAVE: Duration = Duration::from_mins(3);

/// User 0 is the owner, then come the people, then the watchers.
pub(super) struct Broadcast {
    pub(super) run: Run,
    pub(super) plain: Plain,
    pub(super) common: Common,
    pub(super) chat_id: ChatId,
    pub(super) audit: AuditReport,
    people: u32,
    posts_per_second: u64,
    posting: Option<OpenLoop>,
    random: Random,
    answers: Vec<Answer>,
}

/// What came of asking many.
pub(super) struct Wave {
    /// From the first that was due to the last answer.
    pub(super) seconds: f64,
    /// How many were granted.
    pub(super) done: u64,
    /// From the time at which it was due until the answer.
    pub(super) latencies: Histogram<u64>,
    /// Until the watchers had what was posted meanwhile.
    pub(super) posts: Histogram<u64>,
}

impl Broadcast {
    /// Those who are in it from the beginning: the owner and the watchers.
    pub(super) const FIRST: u64 = 1 + WATCHERS as u64;

    /// Starts a node and makes people and channel; nobody but the owner and the watchers is in it. Nobody is connected yet.
    pub(super) fn set_up(own: &Own, people: u32, posts_per_second: u64) -> Result<Self, Error> {
        Self::set_up_in(ChatKind::Channel, own, people, posts_per_second)
    }

    /// The same, in a chat of this kind.
    pub(super) fn set_up_in(kind: ChatKind, own: &Own, people: u32, posts_per_second: u64) -> Result<Self, Error> {
        let plain = Plain::start(own, Databases::One)?;
        let common = plain.common(own);
        let run = Run::set_up(&common, 1 + people + WATCHERS, Vec::new(), 1..=1, 1)?;
        let mut random = Random::new(own.seed ^ 0xB0AD);
        let (title, handle) = ("load test".to_owned(), Some(HANDLE.to_owned()));
        let create = CreateChat { client_id: uuid(&mut random), kind, title, handle, members: vec![] };
        let chat_id = api(&common).call(&run.world.users[0].token, &create)?.chat.id;
        let audit = AuditReport { chats: 1, ..AuditReport::default() };
        let (posting, answers) = (None, Vec::new());
        let mut it = Self { run, plain, common, chat_id, audit, people, posts_per_second, posting, random, answers };
        it.add((people + 1)..(people + 1 + WATCHERS))?;
        it.run.engine.shared.watch = Some(Watch::new(people + 1));
        Ok(it)
    }

    /// The owner adds some users.
    pub(super) fn add(&mut self, users: std::ops::Range<u32>) -> Result<(), Error> {
        let users: Vec<UserId> = users.map(|it| UserId(self.run.world.users[it as usize].id)).collect();
        let mut api = api(&self.common);
        for some in users.chunks(USERS_PER_COMMAND) {
            let add = AddMembers { chat_id: self.chat_id, user_ids: some.to_vec() };
            api.call(&self.run.world.users[0].token, &add)?;
        }
        Ok(())
    }

    pub(super) fn watch(&mut self) -> &mut Watch {
        self.run.engine.shared.watch.get_or_insert_with(|| Watch::new(u32::MAX))
    }

    pub(super) fn violation(&mut self, kind: &str, what: &str) {
        self.audit.violations += 1;
        *self.audit.by_kind.entry(kind.to_owned()).or_default() += 1;
        if self.audit.first.len() < 20 {
            self.audit.first.push(format!("{kind}: {what}"));
        }
    }

    /// Only posts, for so long. Returns how long they took.
    pub(super) fn quiet(&mut self, length: Duration) -> Result<Percentiles, Error> {
        self.begin_posts();
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.turn()?;
        }
        Ok(Percentiles::from(&self.end_posts()?))
    }

    /// So many things are asked, each by the next of the people in turn; `make` hears the how-manieth it is. At a rate, each is due at its
    /// time whatever the server does; with `max`, as soon as at most `in_flight` are under way.
    pub(super) fn wave<C: Command>(
        &mut self,
        count: u64,
        rate: Rate,
        in_flight: u64,
        mut make: impl FnMut(u64) -> C,
        mut granted: impl FnMut(u64),
    ) -> Result<Wave, Error> {
        self.begin_posts();
        let start_us = self.run.engine.now_us();
        let mut due = Vec::new();
        let mut open = match rate {
            Rate::PerSecond(per_second) => Some(OpenLoop::new(start_us, u64::MAX, per_second)),
            Rate::Max => None,
        };
        let (mut answered, mut done, mut last_us) = (0, 0, start_us);
        let mut latencies = latencies();
        let (limit, mut patience) = (Instant::now() + WAVE, Instant::now() + ANSWERS);
        while answered < count {
            let now_us = self.run.engine.now_us();
            loop {
                let number = due.len() as u64;
                let at_us = match &mut open {
                    _ if number == count => None,
                    Some(open) => open.take(now_us),
                    None => (number < answered + in_flight).then_some(now_us),
                };
                let Some(at_us) = at_us else { break };
                due.push(at_us);
                let user = 1 + u32::try_from(number % u64::from(self.people)).unwrap_or(0);
                if !self.run.engine.ask(user, number, &make(number)) {
                    self.run.engine.shared.stats.error("not connected");
                    answered += 1;
                }
            }
            self.turn()?;
            for answer in std::mem::take(&mut self.answers) {
                answered += 1;
                last_us = last_us.max(answer.at_us);
                patience = Instant::now() + ANSWERS;
                match answer.error {
                    None => {
                        done += 1;
                        let at_us = usize::try_from(answer.number).ok().and_then(|it| due.get(it)).copied();
                        latencies.saturating_record(answer.at_us.saturating_sub(at_us.unwrap_or(answer.at_us)));
                        granted(answer.number);
                    }
                    Some(error) => self.refused(&error),
                }
            }
            if Instant::now() > patience.min(limit) {
                self.violation("no answer", &format!("{} of {count} things asked", count - answered));
                break;
            }
        }
        let posts = self.end_posts()?;
        let seconds = Duration::from_micros(last_us - start_us).as_secs_f64();
        Ok(Wave { seconds, done, latencies, posts })
    }

    fn refused(&mut self, error: &chapar_protocol::WireError) {
        let code = error.code.name();
        self.run.engine.shared.stats.error(code);
        if code == "internal" {
            self.violation("an answer was `internal`", &error.message);
        }
    }

    fn begin_posts(&mut self) {
        self.posting = Some(OpenLoop::new(self.run.engine.now_us(), u64::MAX, self.posts_per_second));
    }

    /// Waits until the watchers have all that was posted, so that what was due in one part counts for that part.
    fn end_posts(&mut self) -> Result<Histogram<u64>, Error> {
        self.posting = None;
        let patience = Instant::now() + ANSWERS;
        let expected = self.watch().posts() * u64::from(WATCHERS);
        while self.watch().arrived < expected {
            if Instant::now() > patience {
                let arrived = self.watch().arrived;
                self.violation("posts that did not arrive", &format!("{} of {expected}", expected - arrived));
                break;
            }
            self.turn()?;
        }
        Ok(self.watch().take())
    }

    fn turn(&mut self) -> Result<(), Error> {
        let now_us = self.run.engine.now_us();
        while let Some(at_us) = self.posting.as_mut().and_then(|it| it.take(now_us)) {
            let (number, text) = self.watch().post(at_us);
            let body = chapar_protocol::message::NewBody::text(text);
            let send = Send::new(self.chat_id, uuid(&mut self.random), body);
            if !self.run.engine.ask(OWNER, POSTS + number, &send) {
                self.violation("the owner's connection is gone", &format!("post {number}"));
            }
        }
        self.run.engine.turn(Duration::from_millis(1))?;
        for answer in std::mem::take(&mut self.run.engine.shared.answers) {
            match answer.error {
                _ if answer.number < POSTS => self.answers.push(answer),
                Some(error) => {
                    let what = format!("post {}: {}", answer.number - POSTS, error.message);
                    self.violation("a post was refused", &what);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Ends it: lost connections are violations, too.
    pub(super) fn finish(mut self, mut report: crate::report::Report, summary: String) -> crate::report::Report {
        for (why, count) in self.run.engine.shared.stats.lost.clone() {
            self.violation("connections were lost", &format!("{count}: {why}"));
        }
        self.audit.summary = Some(summary);
        self.audit.messages = self.watch().posts();
        report.audit = Some(self.audit);
        self.run.close(report)
    }
}

pub(super) fn api(common: &Common) -> Api {
    Api::new(common.nodes[0].clone(), PATIENCE)
}

pub(super) fn uuid(random: &mut Random) -> Uuid {
    Uuid::from_u64_pair(random.next_u64() & !0xF000 | 0x4000, random.next_u64() >> 2 | 1 << 63)
}
