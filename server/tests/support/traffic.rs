//! People who keep writing whatever happens: each message under one client id until it is acknowledged.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chapar_protocol::{Action, ChatId, Seq, UserId, command::Send};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Device, Failure, PATIENCE, device::message, world::Routes};

/// One message whose fate matters.
#[derive(Clone, Debug)]
pub struct Written {
    pub sender: UserId,
    pub client_id: Uuid,
    pub text: String,
    /// Where the server said it is; none when it was never acknowledged.
    pub acknowledged: Option<Seq>,
}

/// Writers, and keepers that reconnect them.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<Written>>>,
    writers: Vec<JoinHandle<()>>,
    keepers: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Each device writes to the chat, `lanes` messages at a time, with `pause` after each.
    /// Device n connects to node n, then to the next one after each loss.
    pub fn start(devices: &[Device], chat: ChatId, lanes: usize, pause: Duration, routes: &Routes) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(Mutex::new(Vec::new()));
        let keepers = devices.iter().enumerate();
        let keepers = keepers.map(|(n, device)| tokio::spawn(keep(device.clone(), n, routes.clone()))).collect();
        let lanes = devices.iter().flat_map(|device| (0..lanes).map(move |lane| (device.clone(), lane)));
        let writers = lanes
            .map(|(device, lane)| tokio::spawn(write(device, lane, chat, pause, stop.clone(), written.clone())))
            .collect();
        Self { stop, written, writers, keepers }
    }

    pub fn acknowledged(&self) -> usize {
        self.written.lock().expect("not poisoned").iter().filter(|written| written.acknowledged.is_some()).count()
    }

    /// Waits until this many more messages are acknowledged.
    pub async fn more(&self, count: usize) {
        let goal = self.acknowledged() + count;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.acknowledged() < goal {
            assert!(tokio::time::Instant::now() < deadline, "traffic stands still at {}", self.acknowledged());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets each writer finish its message, and returns all of them. The devices stay connected.
    pub async fn finish(self) -> Vec<Written> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            super::within("a writer to finish", writer).await.expect("no panic");
        }
        for keeper in self.keepers {
            keeper.abort();
            let _ = keeper.await;
        }
        std::mem::take(&mut *self.written.lock().expect("not poisoned"))
    }
}

/// Keeps a device connected, now here, now there.
async fn keep(device: Device, mut turn: usize, routes: Routes) {
    loop {
        if device.connected() {
            device.ended_at_last().await;
            turn += 1;
        }
        let address = {
            let routes = routes.lock().expect("not poisoned");
            routes[turn % routes.len()]
        };
        if device.try_connect(address).await.is_err() {
            turn += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn write(
    device: Device,
    lane: usize,
    chat: ChatId,
    pause: Duration,
    stop: Arc<AtomicBool>,
    written: Arc<Mutex<Vec<Written>>>,
) {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let text = format!("{}/{lane}/{count}", device.id());
        let message = message(chat, &text);
        let at = {
            let mut written = written.lock().expect("not poisoned");
            let client_id = message.client_id;
            written.push(Written { sender: device.id(), client_id, text, acknowledged: None });
            written.len() - 1
        };
        let seq = insist(&device, &message).await;
        written.lock().expect("not poisoned")[at].acknowledged = Some(seq);
        tokio::time::sleep(pause).await;
    }
}

/// Sends until the server says where the message is.
pub async fn insist(device: &Device, message: &Send) -> Seq {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match device.call(message).await {
            Ok(sent) => return sent.seq,
            Err(Failure::Refused(error)) if error.action == Action::Retry => {
                tokio::time::sleep(Duration::from_millis(error.retry_after_ms.unwrap_or(50).into())).await;
            }
            Err(Failure::Refused(error)) => panic!("a send was refused for good: {error:?}"),
            Err(Failure::Lost) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        assert!(tokio::time::Instant::now() < deadline, "a message of {} is never acknowledged", device.id());
    }
}
