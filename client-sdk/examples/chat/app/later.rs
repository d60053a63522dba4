//! What goes on elsewhere, stays on top, or goes out later.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chapar_client::{
    client::new_client_id,
    protocol::{
        ChatId, Timestamp,
        command::{ForwardedItem, Send},
        message::NewBody,
    },
};

use super::{App, Outcome, first_word, seq_and_rest};

impl App {
    /// The number of a message, and the chat that it goes to.
    pub(super) async fn forward(&mut self, rest: &str) -> Outcome {
        let (seq, to) = seq_and_rest(rest)?;
        let to = if let Ok(number) = to.parse() {
            ChatId(number)
        } else {
            let user = self.user(to).await?;
            self.client.open_direct(user).await?.chat.id
        };
        let message = ForwardedItem { seq, client_id: new_client_id() };
        self.client.forward(self.here()?, vec![message], to, false).await?;
        self.screen.line("— forwarded —");
        Ok(())
    }

    /// The number of a message that is to stand above the others, or not any more.
    pub(super) async fn pin(&mut self, rest: &str, pinned: bool) -> Outcome {
        let (chat_id, (seq, _)) = (self.here()?, seq_and_rest(rest)?);
        if pinned {
            self.client.pin_message(chat_id, seq).await?
        } else {
            self.client.unpin_message(chat_id, seq).await?
        };
        Ok(())
    }

    /// In how many minutes what is sent.
    pub(super) async fn later(&mut self, rest: &str) -> Outcome {
        let (minutes, text) = first_word(rest);
        let wait: u64 = minutes.parse().map_err(|_| "when? /later 30 text: in half an hour")?;
        let at = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_mins(1) * u32::try_from(wait)?;
        let at = Timestamp::from_millis(i64::try_from(at.as_millis())?).ok_or("that is too late")?;
        let (chat_id, body) = (self.here()?, NewBody::text(text));
        let message = Send::new(chat_id, new_client_id(), body);
        self.client.schedule(message, Some(at)).await?;
        Ok(())
    }

    /// What is still to be sent here.
    pub(super) async fn scheduled(&mut self) -> Outcome {
        for it in self.client.get_scheduled(self.here()?).await?.messages {
            let when = match (it.failed, it.at) {
                (Some(why), _) => format!("refused ({})", why.name()),
                (None, Some(at)) => at.to_string(),
                (None, None) => "when the other one is online".to_owned(),
            };
            let what = match &it.message.body {
                NewBody::Text(text) => self.show.bidi.part(&text.text),
                _ => "— not a text —".into(),
            };
            self.screen.line(&format!("{when}: {what}"));
        }
        Ok(())
    }
}
