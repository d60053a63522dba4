//! The stream of events.

use futures_util::Stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::core::event::ClientEvent;

/// Events since [`crate::Client::events`] was called. The queue is bounded: whoever reads too slowly gets
/// [`ClientEvent::Lagged`] and reads the local state again, which holds everything.
#[derive(Debug)]
pub struct Events(pub(crate) Receiver<ClientEvent>);

impl Events {
    /// The next event; `None` when the client is gone. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Option<ClientEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(ClientEvent::Lagged(count)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same as a [`Stream`].
    pub fn into_stream(self) -> impl Stream<Item = ClientEvent> {
        futures_util::stream::unfold(self, |mut events| async move { events.next().await.map(|event| (event, events)) })
    }
}
