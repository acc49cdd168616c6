//! Shares that fill up again: the counting itself.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::ports::Clock;
use governor::RateLimiter;
use governor::clock::Clock as GovernorClock;
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};

use super::fields::Policy;

/// The most keys that are counted apart; those beyond them have one share together.
const KEYS_MAX: usize = 50_000;
/// After so many questions those are forgotten whose share is whole again.
const TIDIED_EVERY: usize = 1_024;

/// The injected clock, as the counting wants it.
#[derive(Clone)]
pub(super) struct Ticks(pub Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let micros = self.0.now().timestamp_micros();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

/// What is left of a share, or how long it takes until something is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share<'a> {
    pub policy: &'a Policy,
    /// What may still be asked at once.
    pub left: u32,
    /// Seconds until all of it is there again.
    pub reset_s: u64,
    /// Seconds until something is there; none are needed where something is left.
    pub wait_s: u64,
}

impl<'a> Share<'a> {
    fn left(policy: &'a Policy, snapshot: &StateSnapshot) -> Self {
        let left = snapshot.remaining_burst_capacity();
        let used = u64::from(policy.times().saturating_sub(left));
        let reset_s = (used * policy.window_s()).div_ceil(u64::from(policy.times()));
        Self { policy, left, reset_s, wait_s: 0 }
    }

    pub(super) fn used_up(policy: &'a Policy, wait: Duration) -> Self {
        let wait_s = wait.as_millis().div_ceil(1_000).max(1);
        let wait_s = u64::try_from(wait_s).unwrap_or(u64::MAX);
        Self { policy, left: 0, reset_s: policy.window_s(), wait_s }
    }
}

/// One share that everybody takes from: its state is one atomic.
pub(super) struct Whole {
    policy: Policy,
    clock: Ticks,
    limiter: RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>,
}

impl Whole {
    pub fn new(policy: Policy, clock: Ticks) -> Self {
        let limiter = RateLimiter::direct_with_clock(policy.quota(), clock.clone());
        Self { policy, clock, limiter: limiter.with_middleware() }
    }

    pub fn take(&self) -> Result<Share<'_>, Share<'_>> {
        match self.limiter.check() {
            Ok(snapshot) => Ok(Share::left(&self.policy, &snapshot)),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                Err(Share::used_up(&self.policy, wait))
            }
        }
    }
}

/// A share for each key.
pub(super) struct Shares<K: Hash + Eq + Clone> {
    policy: Policy,
    clock: Ticks,
    limiter: RateLimiter<K, DashMapStateStore<K>, Ticks, StateInformationMiddleware>,
    /// What is left for all when too many keys are counted.
    crowd: Whole,
    is_crowded: AtomicBool,
    keys_max: usize,
    asked: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    pub fn new(policy: Policy, clock: Ticks) -> Self {
        Self::bounded(policy, clock, KEYS_MAX)
    }

    fn bounded(policy: Policy, clock: Ticks, keys_max: usize) -> Self {
        let limiter = RateLimiter::dashmap_with_clock(policy.quota(), clock.clone());
        Self {
            policy,
            limiter: limiter.with_middleware(),
            crowd: Whole::new(policy, clock.clone()),
            clock,
            is_crowded: AtomicBool::new(false),
            keys_max,
            asked: AtomicUsize::new(0),
        }
    }

    /// Takes one from the share of `key`.
    pub fn take(&self, key: &K) -> Result<Share<'_>, Share<'_>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDIED_EVERY == TIDIED_EVERY - 1 {
            self.tidy();
        }
        if self.is_crowded.load(Ordering::Relaxed) {
            return self.crowd.take();
        }
        match self.limiter.check_key(key) {
            Ok(snapshot) => Ok(Share::left(&self.policy, &snapshot)),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                Err(Share::used_up(&self.policy, wait))
            }
        }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Forgets whose share is whole again; what is left is at most one round more than the bound.
    fn tidy(&self) {
        self.limiter.retain_recent();
        let is_crowded = self.limiter.len() >= self.keys_max;
        self.is_crowded.store(is_crowded, Ordering::Relaxed);
        if !is_crowded {
            self.limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicI64;

    use chrono::{DateTime, Utc};

    use super::*;

    /// A clock that a test moves.
    #[derive(Default)]
    pub struct Hand(AtomicI64);

    impl Hand {
        pub fn pass(&self, by: Duration) {
            self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> DateTime<Utc> {
            let micros = 1_800_000_000_000_000 + self.0.load(Ordering::Relaxed);
            DateTime::from_timestamp_micros(micros).unwrap()
        }
    }

    fn ten(keys_max: usize) -> (Arc<Hand>, Shares<usize>) {
        let hand = Arc::new(Hand::default());
        let policy = Policy::per_second("token", 10.try_into().unwrap());
        (Arc::clone(&hand), Shares::bounded(policy, Ticks(hand), keys_max))
    }

    #[test]
    fn share_is_used_up_one_by_one_and_fills_up_again() {
        let (hand, shares) = ten(100);
        for left in (0..10).rev() {
            let share = shares.take(&1).unwrap();
            assert_eq!((share.left, share.reset_s), (left, 1));
        }
        let over = shares.take(&1).unwrap_err();
        assert_eq!((over.left, over.wait_s), (0, 1), "a wait is a whole second or more");
        assert!(shares.take(&2).is_ok(), "another one has a share of their own");
        hand.pass(Duration::from_millis(99));
        assert!(shares.take(&1).is_err());
        hand.pass(Duration::from_millis(1));
        assert!(shares.take(&1).is_ok());
        assert!(shares.take(&1).is_err());
        hand.pass(Duration::from_secs(60));
        assert_eq!(shares.take(&1).unwrap().left, 9, "it never holds more than a whole one");
    }

    #[test]
    fn keys_are_bounded_and_the_crowd_shares_what_is_one_share() {
        let (hand, shares) = ten(TIDIED_EVERY / 2);
        for key in 0..TIDIED_EVERY {
            assert!(shares.take(&key).is_ok());
        }
        let crowd = (0..100).filter(|key| shares.take(&(TIDIED_EVERY + key)).is_ok()).count();
        assert!((9..=11).contains(&crowd), "{crowd} of the crowd came in");
        assert!(shares.limiter.len() <= TIDIED_EVERY);
        hand.pass(Duration::from_secs(60));
        for key in 0..TIDIED_EVERY {
            let _crowded_until_tidied = shares.take(&key);
        }
        assert!(!shares.is_crowded.load(Ordering::Relaxed));
        assert!(shares.limiter.len() < TIDIED_EVERY, "whose share was whole is forgotten");
    }
}
