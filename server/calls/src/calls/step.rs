//! The steps of a call: loaded or remembered, put to the state machine, written by compare-and-swap, and told only then.

use std::sync::Arc;

use chapar_protocol::{
    Event, WireError,
    call::{CallId, CallSignaled},
};
use chapar_signaling::call::{Call, CallError, Input, Output};

use super::{
    CallStore, Calls, MAX_TRIES, Trouble,
    shared::{Newer, Swapped},
};

/// Several steps of one call, taken as one change of the store.
pub(super) struct Taken {
    /// The call after them.
    pub(super) call: Arc<Call>,
    /// What became of each, in their order.
    pub(super) outcomes: Vec<Result<(), Refusal>>,
}

/// Why one step of several was not taken.
pub(super) enum Refusal {
    /// The state machine says no.
    Call(CallError),
    /// It could not be put to the state machine.
    Bad(WireError),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Call(error) => Self::Refused(error),
            Refusal::Bad(error) => Self::Bad(error),
        }
    }
}

impl Calls {
    /// One step of a call.
    pub(super) async fn step(&self, id: CallId, input: &Input) -> Result<Arc<Call>, Trouble> {
        let Taken { call, outcomes } = self.steps(id, 1, |_, _| Ok(input.clone())).await?;
        outcomes.into_iter().collect::<Result<(), Refusal>>()?;
        Ok(call)
    }

    /// So many steps of a call, one after the other, and all in one change of the store: either all of them are taken or none,
    /// and what they put out is carried out after that. `input` is made for the state that it will be put to, each time anew.
    pub(super) async fn steps(
        &self,
        id: CallId,
        count: usize,
        input: impl Fn(usize, &Call) -> Result<Input, WireError>,
    ) -> Result<Taken, Trouble> {
        let remembered = if self.remembers() { self.known.get(id) } else { None };
        let mut from_memory = remembered.is_some();
        let mut call = if let Some(call) = remembered {
            call
        } else {
            let call = self.shared.load(id).await?.ok_or(Trouble::NoSuchCall)?;
            // Whoever asks here holds this node for the one that knows the call: should the store lose it, it is put
            // back from here.
            if self.remembers() {
                self.known.put(&call);
            }
            call
        };
        for _ in 0..MAX_TRIES {
            let now = self.clock.now();
            let (mut next, mut outputs, mut outcomes) = (call.clone(), Vec::new(), Vec::with_capacity(count));
            for nth in 0..count {
                outcomes.push(match input(nth, &next) {
                    Ok(input) => {
                        let step = next.step(input, now);
                        outputs.extend(step.outputs);
                        if let Some(call) = step.call {
                            next = Arc::new(call);
                        }
                        step.refused.map_or(Ok(()), |error| Err(Refusal::Call(error)))
                    }
                    Err(error) => Err(Refusal::Bad(error)),
                });
            }
            if outcomes.iter().all(|outcome| matches!(outcome, Err(Refusal::Bad(_)))) {
                return Ok(Taken { call, outcomes });
            }
            if next.revision() == call.revision() {
                // Nothing comes of it, as far as this node knows. Is what it knows the latest?
                if std::mem::take(&mut from_memory) {
                    match self.shared.newer(id, call.revision()).await? {
                        Newer::Same => {}
                        Newer::Call(newer) => {
                            self.known.put(&newer);
                            call = newer;
                            continue;
                        }
                        Newer::Gone if call.is_live() => {
                            self.shared.restore(&call).await?;
                            continue;
                        }
                        Newer::Gone => {
                            self.known.forget(id);
                            return Err(Trouble::NoSuchCall);
                        }
                    }
                }
                self.carry_out(outputs);
                return Ok(Taken { call, outcomes });
            }
            match self.shared.swap(&next, call.revision()).await? {
                Swapped::Stored => {}
                // The answer to the first try was lost on the way.
                Swapped::Behind(there) if there == next => {}
                Swapped::Behind(there) => {
                    from_memory = false;
                    self.known.put(&there);
                    call = there;
                    continue;
                }
                Swapped::Gone if from_memory && call.is_live() => {
                    tracing::warn!(call = %id, "the store has lost a call: putting it back");
                    self.shared.restore(&call).await?;
                    from_memory = false;
                    continue;
                }
                Swapped::Gone => {
                    self.known.forget(id);
                    return Err(Trouble::NoSuchCall);
                }
            }
            self.taken(Some(&call), &next);
            self.carry_out(outputs);
            return Ok(Taken { call: next, outcomes });
        }
        Err(Trouble::Contended)
    }

    /// Whether this node keeps a memory of its own beside the store.
    fn remembers(&self) -> bool {
        matches!(self.shared, CallStore::Redis(_))
    }

    /// The store has taken a new state.
    pub(super) fn taken(&self, before: Option<&Call>, after: &Arc<Call>) {
        if self.remembers() {
            self.known.put(after);
        } else {
            self.unfinished.changed(before, after);
        }
        self.figures.changed(before, after);
        if !after.is_live() && before.is_none_or(Call::is_live) {
            self.quality.ended(after.id());
            if let Some(relays) = &self.relays {
                relays.call_ended(after.id());
            }
        }
    }

    /// What the store has taken is told, and what has ended is recorded.
    pub(super) fn carry_out(&self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::State { to, state } => self.fanout.publish_to_device(to, &Event::Call(*state)),
                Output::Signal { to, call_id, signal } => {
                    self.fanout.publish_to_device(to, &Event::CallSignal(CallSignaled { call_id, signal }));
                }
                Output::Record(record) => {
                    if self.records.try_send(*record).is_err() {
                        tracing::warn!("too many calls wait to be recorded: this one comes again");
                    }
                }
            }
        }
    }
}
