//! What an actor holds of its entity in memory; nothing of it outlives a doubt.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use domain::ports::Wake;
use domain::{DedupeKey, Machine, TenantId};

/// How many keys of decided deliveries are remembered, so that a repeat costs no round trip.
const RECENT_MAX: usize = 16;

/// An entity in memory.
#[derive(Debug)]
pub(crate) struct Live<M: Machine> {
    pub machine: M,
    pub version: i64,
    /// Whose data it is; none before its first commit.
    pub tenant: Option<TenantId>,
    pub timer: StoredWake,
    recent: VecDeque<DedupeKey>,
}

/// What is known of the entity's row among the wake times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredWake {
    /// There is none.
    Absent,
    /// It is set to this instant.
    At(DateTime<Utc>),
    /// It was taken, or not looked at.
    Unknown,
}

impl<M: Machine> Live<M> {
    pub fn new(machine: M, version: i64, tenant: Option<TenantId>) -> Self {
        let timer = if version == 0 { StoredWake::Absent } else { StoredWake::Unknown };
        Self { machine, version, tenant, timer, recent: VecDeque::new() }
    }

    /// Whether a delivery under this key was decided by this actor a moment ago.
    pub fn has_decided(&self, key: DedupeKey) -> bool {
        self.recent.contains(&key)
    }

    pub fn remember(&mut self, key: DedupeKey) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(key);
    }
}

impl StoredWake {
    /// Returns what must be written so that the entity is woken at `wanted`.
    ///
    /// A row that is due earlier is left alone: it fires, is refused as stale, and is then set right.
    /// That is one refused wake-up for a long call, and one write less for every step of a short one.
    pub fn change(self, wanted: Option<DateTime<Utc>>) -> Wake {
        match (self, wanted) {
            (Self::Absent, None) => Wake::Keep,
            (Self::At(stored), Some(at)) if stored <= at => Wake::Keep,
            (_, Some(at)) => Wake::At(at),
            (_, None) => Wake::Never,
        }
    }

    /// Returns what is stored once `change` is.
    pub fn after(self, change: Wake) -> Self {
        match change {
            Wake::Keep => self,
            Wake::At(at) => Self::At(at),
            Wake::Never => Self::Absent,
        }
    }
}
