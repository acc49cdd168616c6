//! How long and how much, for each sort of run.

use std::time::Duration;

/// The sizes of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// How often interleaved figures are taken; the median counts.
    pub rounds: usize,
    /// How long a closed loop lasts.
    pub closed: Duration,
    /// How long it is run before, unmeasured.
    pub warm_up: Duration,
    /// Calls whose steps are recorded, and committed without the route.
    pub recorded: u64,
    /// How long an open loop lasts.
    pub open: Duration,
    /// Its rates, in webhooks a second.
    pub open_rates: [f64; 2],
    /// How long others are loaded before, and then beside an entity that panics.
    pub panic: Duration,
    /// Subscribers of the live feed, and how long they are watched.
    pub subscribers: usize,
    /// See [`Scale::subscribers`].
    pub watched: Duration,
    /// Facts after which the memory of the feed's ring grows no more.
    pub ring: i64,
    /// How long actors stay idle before they rest, at least.
    pub idle_min: Duration,
    /// Calls that live in the larger of two houses.
    pub live: u64,
    /// Rows in each table that grows with the calls, there.
    pub rows: u64,
    /// Calls that live in the smaller one.
    pub live_few: u64,
}

impl Scale {
    pub(super) const DEFAULT: Self = Self {
        rounds: 3,
        closed: Duration::from_secs(8),
        warm_up: Duration::from_secs(3),
        recorded: 12_000,
        open: Duration::from_secs(30),
        open_rates: [1_000.0, 5_000.0],
        panic: Duration::from_secs(60),
        subscribers: 1_000,
        watched: Duration::from_secs(15),
        ring: 65_536, // Source: `RING_MAX` of the supervisor's feed.
        idle_min: Duration::from_secs(15),
        live: 20_000,
        rows: 200_000,
        live_few: 1_000,
    };

    pub(super) const QUICK: Self = Self {
        closed: Duration::from_secs(2),
        warm_up: Duration::from_secs(1),
        recorded: 4_000,
        open: Duration::from_secs(5),
        panic: Duration::from_secs(10),
        watched: Duration::from_secs(5),
        live: 5_000,
        rows: 50_000,
        ..Self::DEFAULT
    };

    pub(super) const SOAK: Self = Self {
        closed: Duration::from_secs(15),
        open: Duration::from_secs(600),
        watched: Duration::from_secs(60),
        live: 100_000,
        rows: 1_000_000,
        ..Self::DEFAULT
    };

    pub(super) const TINY: Self = Self {
        rounds: 1,
        closed: Duration::from_millis(300),
        warm_up: Duration::from_millis(100),
        recorded: 30,
        open: Duration::from_millis(500),
        open_rates: [40.0, 80.0],
        panic: Duration::from_secs(2),
        subscribers: 5,
        watched: Duration::from_secs(1),
        ring: 0,
        idle_min: Duration::from_secs(4),
        live: 40,
        rows: 100,
        live_few: 10,
    };
}
