//! What is neither words nor a file: a place, and how somebody is reached.

use chapar_client::protocol::{
    media::{ContactBody, LocationBody},
    message::NewBody,
};

use super::{App, Outcome, first_word};

impl App {
    /// Latitude and longitude, apart by a blank or a comma.
    pub(super) fn place(&mut self, rest: &str) -> Outcome {
        let degrees = |part: Option<&str>| part.and_then(|it| it.parse::<f64>().ok()).filter(|it| it.is_finite());
        let mut parts = rest.split([',', ' ']).filter(|part| !part.is_empty());
        let (Some(latitude), Some(longitude), None) = (degrees(parts.next()), degrees(parts.next()), parts.next())
        else {
            return Err("where? /place 34.6416 50.8746".into());
        };
        self.post_body(NewBody::Location(LocationBody { latitude, longitude, accuracy_m: None }), None)
    }

    /// Somebody by handle, or by name; then a number, if there is one.
    pub(super) async fn contact(&mut self, rest: &str) -> Outcome {
        let number = |word: &str| word.trim_start_matches('+').bytes().all(|it| it.is_ascii_digit()) && word.len() > 2;
        let (words, phone) = match rest.rsplit_once(char::is_whitespace) {
            Some((words, last)) if number(last) => (words.trim(), Some(last.to_owned())),
            _ => (rest, None),
        };
        let (name, user_id) = match first_word(words).0 {
            handle if handle.starts_with('@') => {
                let found = self.client.resolve(handle.trim_start_matches('@')).await?;
                let user = found.user.ok_or_else(|| format!("{handle} is nobody"))?;
                (user.name, Some(user.id))
            }
            _ => (words.to_owned(), None),
        };
        if name.is_empty() || phone.is_none() && user_id.is_none() {
            return Err("whom? /contact @handle, or /contact Name +982537740000".into());
        }
        self.post_body(NewBody::Contact(ContactBody { name, phone, user_id }), None)
    }
}
