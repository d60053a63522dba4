//! Sound in, sound out: what a peer does every 20 ms once it is connected.

use std::time::Instant;

use str0m::rtp::RtpPacket;

use crate::calls::audio::{
    AudioSink, AudioSource, FRAME, Frame,
    controller::{Controller, Measured, Plan},
    jitter::Counted,
    receiver::Receiver,
    sender::{Outgoing, Sender},
};

/// The payload types that were agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payloads {
    pub(crate) opus: u8,
    pub(crate) red: Option<u8>,
}

/// The two directions of sound.
pub(crate) struct Media {
    payloads: Payloads,
    sender: Sender,
    receiver: Receiver,
    controller: Controller,
    fixed: Option<Plan>,
    source: Option<Box<dyn AudioSource>>,
    sink: Option<Box<dyn AudioSink>>,
    muted: bool,
    held: bool,
    origin: Instant,
    red_in: bool,
}

impl Media {
    pub(crate) fn new(payloads: Payloads, fixed: Option<Plan>, now: Instant) -> Option<Self> {
        let red = payloads.red.is_some();
        let controller = Controller::new(red);
        let plan = fixed.unwrap_or(Plan::FIRST);
        Some(Self {
            payloads,
            sender: Sender::new(payloads.opus, red, rand::random::<u32>(), plan).ok()?,
            receiver: Receiver::new(fixed.is_none_or(|plan| plan.fec))?,
            controller,
            fixed,
            source: None,
            sink: None,
            muted: false,
            held: false,
            origin: now,
            red_in: false,
        })
    }

    pub(crate) fn open(&mut self, source: Box<dyn AudioSource>, sink: Box<dyn AudioSink>) {
        (self.source, self.sink) = (Some(source), Some(sink));
    }

    pub(crate) fn is_open(&self) -> bool {
        self.source.is_some()
    }

    pub(crate) fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(crate) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Another set of payload types was agreed on: sound goes on with them.
    pub(crate) fn payloads(&self) -> Payloads {
        self.payloads
    }

    /// A packet of the other side.
    pub(crate) fn receive(&mut self, packet: &RtpPacket) {
        let kind = *packet.header.payload_type;
        let red = self.payloads.red == Some(kind);
        if !red && kind != self.payloads.opus {
            return;
        }
        self.red_in |= red;
        let now = self.millis(packet.timestamp);
        self.receiver.push(now, packet.header.timestamp, &packet.payload, red.then_some(self.payloads.opus));
    }

    /// 20 ms have passed: what is to be sent.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Outgoing> {
        let mut frame: Frame = [0; FRAME];
        if let Some(sink) = &mut self.sink {
            let now = u64::try_from(now.saturating_duration_since(self.origin).as_millis()).unwrap_or(u64::MAX);
            if self.receiver.pull(now, &mut frame).is_some() && !self.held {
                sink.play(&frame);
            }
        }
        frame = [0; FRAME];
        // A microphone goes on while it is muted; what it hears is dropped.
        self.source.as_mut()?.next(&mut frame);
        if self.muted || self.held {
            frame = [0; FRAME];
        }
        self.sender.push(&frame).unwrap_or_else(|error| {
            tracing::debug!(?error, "a frame that cannot be encoded");
            None
        })
    }

    /// What the other side says of what it gets.
    pub(crate) fn report(&mut self, measured: Measured) {
        self.controller.report(measured);
        self.sender.set_plan(self.plan());
    }

    pub(crate) fn plan(&self) -> Plan {
        self.fixed.unwrap_or_else(|| self.controller.plan())
    }

    pub(crate) fn counted(&self) -> (Counted, u64) {
        (self.receiver.counted(), self.receiver.delay_ms())
    }

    pub(crate) fn red_in(&self) -> bool {
        self.red_in
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.origin).as_millis()).unwrap_or(u64::MAX)
    }
}
