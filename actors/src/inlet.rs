//! The bounded queue before an entity. The actor's mailbox carries only a wake-up.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Machine;
use ractor::ActorRef;
use uuid::Uuid;

use crate::delivery::Delivery;
use crate::shell::WakeUp;

/// How many deliveries may wait before one entity.
pub const QUEUE_MAX: usize = 64;

/// Why an entity takes nothing now; what comes for it goes the slow way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// It crashed and will be started again.
    Backoff,
    /// It crashed too often.
    Quarantine,
    /// Its stored shape is newer than this binary.
    Newer,
}

/// What became of a delivery that was pushed.
#[derive(Debug)]
pub enum Pushed<M: Machine> {
    /// It waits, and will be decided or its reply channel closes.
    Queued,
    /// As many wait as may.
    Full(Delivery<M>),
    /// The entity takes nothing now.
    Barred(Delivery<M>, Bar),
    /// This inlet is done for; the next one is a lookup away.
    Closed(Delivery<M>),
}

/// What became of an attempt to send an entity to rest.
#[derive(Debug)]
pub enum Rest {
    /// It is at work, being loaded, or barred.
    Refused,
    /// Its inlet was closed before.
    WasClosed,
    /// Its inlet is closed now; nobody wakes this actor any more.
    Taken(ActorRef<WakeUp>),
}

#[derive(Debug)]
enum Gate {
    /// Its checkpoint is being loaded.
    Loading,
    /// An actor takes what waits.
    Open { actor: ActorRef<WakeUp>, work: Work },
    /// It takes nothing for a reason.
    Barred(Bar),
    /// It was passivated or evicted.
    Closed,
}

/// What the actor behind an open gate is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Nothing; the next delivery must wake it.
    Idle,
    /// A wake-up is in its mailbox.
    Woken,
    /// It decides what it took.
    Busy,
}

/// The queue before one entity, from its first lookup to its passivation.
#[derive(Debug)]
pub struct Inlet<M: Machine> {
    state: Mutex<State<M>>,
}

#[derive(Debug)]
struct State<M: Machine> {
    gate: Gate,
    waiting: VecDeque<Delivery<M>>,
    /// The rows of the inbox that wait here or are being decided: claimed again, they come once.
    rows: HashSet<Uuid>,
}

impl<M: Machine> Inlet<M> {
    /// Makes an inlet whose entity is being loaded; deliveries may wait already.
    pub fn loading() -> Self {
        Self::with(Gate::Loading)
    }

    /// Makes an inlet that takes nothing.
    pub fn barred(bar: Bar) -> Self {
        Self::with(Gate::Barred(bar))
    }

    fn with(gate: Gate) -> Self {
        let state = State { gate, waiting: VecDeque::new(), rows: HashSet::new() };
        Self { state: Mutex::new(state) }
    }

    /// Adds a delivery and wakes the actor, if it is not awake.
    pub fn push(&self, delivery: Delivery<M>) -> Pushed<M> {
        let mut state = self.lock();
        match &state.gate {
            Gate::Closed => return Pushed::Closed(delivery),
            Gate::Barred(bar) => return Pushed::Barred(delivery, *bar),
            Gate::Loading | Gate::Open { .. } if state.waiting.len() >= QUEUE_MAX => {
                return Pushed::Full(delivery);
            }
            Gate::Loading | Gate::Open { .. } => {}
        }
        state.waiting.push_back(delivery);
        state.wake();
        Pushed::Queued
    }

    /// Adds claimed rows of the inbox, however many one claim brought; answers whether they are taken.
    ///
    /// A row that waits here already, or is being decided, is left out.
    pub fn push_rows(&self, rows: Vec<Delivery<M>>) -> bool {
        let mut state = self.lock();
        match state.gate {
            Gate::Closed | Gate::Barred(_) => return false,
            Gate::Loading | Gate::Open { .. } => {}
        }
        for delivery in rows {
            if delivery.row().is_none_or(|row| state.rows.insert(row)) {
                state.waiting.push_back(delivery);
            }
        }
        if !state.waiting.is_empty() {
            state.wake();
        }
        true
    }

    /// Opens the gate: what was loaded goes first, what waits follows. Answers whether it opened.
    pub fn open(&self, actor: ActorRef<WakeUp>, first: Vec<Delivery<M>>) -> bool {
        let mut state = self.lock();
        if !matches!(state.gate, Gate::Loading) {
            return false;
        }
        let loaded: HashSet<Uuid> = first.iter().filter_map(Delivery::row).collect();
        state.waiting.retain(|d| d.row().is_none_or(|row| !loaded.contains(&row)));
        state.rows.extend(loaded);
        for delivery in first.into_iter().rev() {
            state.waiting.push_front(delivery);
        }
        state.gate = Gate::Open { actor, work: Work::Idle };
        if !state.waiting.is_empty() {
            state.wake();
        }
        true
    }

    /// Takes everything that waits; the entity counts as busy until nothing does.
    ///
    /// Whoever takes has answered everything that it took before.
    pub fn take_all(&self) -> Vec<Delivery<M>> {
        let mut state = self.lock();
        let taken: Vec<_> = state.waiting.drain(..).collect();
        state.rows.clear();
        state.rows.extend(taken.iter().filter_map(Delivery::row));
        if let Gate::Open { work, .. } = &mut state.gate {
            *work = if taken.is_empty() { Work::Idle } else { Work::Busy };
        }
        taken
    }

    /// Closes the gate if nothing waits and nothing is being decided.
    pub fn rest(&self) -> Rest {
        let mut state = self.lock();
        let actor = match &state.gate {
            Gate::Open { actor, work: Work::Idle } if state.waiting.is_empty() => actor.clone(),
            Gate::Closed => return Rest::WasClosed,
            Gate::Open { .. } | Gate::Loading | Gate::Barred(_) => return Rest::Refused,
        };
        state.gate = Gate::Closed;
        Rest::Taken(actor)
    }

    /// Closes the gate for good; whoever waits learns that nothing was decided.
    pub fn close(&self) {
        self.shut(|_| Some(Gate::Closed));
    }

    /// Closes the gate of an entity that could not be loaded; answers whether it was being loaded.
    pub fn close_if_loading(&self) -> bool {
        self.shut(|gate| matches!(gate, Gate::Loading).then_some(Gate::Closed))
    }

    /// Closes the gate because its actor is gone; a gate that was barred stays barred.
    pub fn abandon(&self) {
        self.shut(|gate| matches!(gate, Gate::Loading | Gate::Open { .. }).then_some(Gate::Closed));
    }

    /// Bars the gate, unless it is closed; whoever waits learns that nothing was decided.
    pub fn bar(&self, bar: Bar) {
        self.shut(|gate| (!matches!(gate, Gate::Closed)).then_some(Gate::Barred(bar)));
    }

    /// Moves the gate to what `next` says, if it says so, and lets go of everything that waits.
    fn shut(&self, next: impl FnOnce(&Gate) -> Option<Gate>) -> bool {
        let mut state = self.lock();
        let Some(gate) = next(&state.gate) else { return false };
        state.gate = gate;
        state.rows.clear();
        let waiting = std::mem::take(&mut state.waiting);
        // Whoever learns of it may come back at once, and must not find the lock held.
        drop(state);
        drop(waiting);
        true
    }

    /// Returns the actor behind an open gate.
    pub fn actor(&self) -> Option<ActorRef<WakeUp>> {
        match &self.lock().gate {
            Gate::Open { actor, .. } => Some(actor.clone()),
            Gate::Loading | Gate::Barred(_) | Gate::Closed => None,
        }
    }

    /// Returns how many deliveries wait.
    pub fn depth(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether its entity is being loaded.
    pub fn is_loading(&self) -> bool {
        matches!(self.lock().gate, Gate::Loading)
    }

    /// Whether the gate is closed for good.
    pub fn is_closed(&self) -> bool {
        matches!(self.lock().gate, Gate::Closed)
    }

    /// Returns why the gate is barred, if it is.
    pub fn barred_for(&self) -> Option<Bar> {
        match self.lock().gate {
            Gate::Barred(bar) => Some(bar),
            Gate::Loading | Gate::Open { .. } | Gate::Closed => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        // Every write under the lock is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Machine> State<M> {
    fn wake(&mut self) {
        if let Gate::Open { actor, work } = &mut self.gate
            && *work == Work::Idle
        {
            // A mailbox that takes nothing is a dying actor's: its guard closes this inlet.
            *work = Work::Woken;
            let _ = actor.cast(WakeUp);
        }
    }
}
