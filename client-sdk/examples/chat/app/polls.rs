//! Polls: asked, answered, taken back.

use chapar_client::protocol::{
    message::NewBody,
    poll::{NewPoll, QuizKey},
};

use super::{App, Outcome, seq_and_rest};

impl App {
    /// A question and its options, apart by `|`.
    pub(super) fn poll(&mut self, rest: &str) -> Outcome {
        let mut parts = rest.split('|').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty());
        let question = parts.next().unwrap_or_default();
        let options: Vec<String> = parts.collect();
        if options.len() < 2 {
            return Err("what? /poll Tea or coffee? | Tea | Coffee".into());
        }
        let (public, multiple, closes_at, key) = (false, false, None, QuizKey::default());
        self.post_body(NewBody::Poll(NewPoll { question, options, public, multiple, closes_at, key }), None)
    }

    /// The number of the message and of what one chooses, from 1.
    pub(super) async fn vote(&mut self, rest: &str) -> Outcome {
        let (seq, chosen) = seq_and_rest(rest)?;
        let place = |it: &str| it.parse::<u8>().ok().and_then(|it| it.checked_sub(1));
        let options: Option<Vec<u8>> = chosen.split_whitespace().map(place).collect();
        let options = options.ok_or("which? /vote N 1")?;
        let vote = self.client.vote(self.here()?, seq, options).await?.vote;
        if let Some(right) = vote.key.right {
            let line = if vote.options.contains(&right) { "— right —" } else { "— not right —" };
            self.screen.line(line);
        }
        Ok(())
    }
}
