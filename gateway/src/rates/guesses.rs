//! Guesses: what is counted is only what was wrong, and who was wrong too often is not even looked at.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;

use super::fields::Policy;
use super::shares::{Share, Shares, Ticks};

/// The most keys that are shut out at once; the wrong ones of others are counted, and looked at.
const OVER_MAX: usize = 50_000;

/// Wrong guesses, by who made them.
pub(super) struct Guesses<K: Hash + Eq + Clone> {
    wrong: Shares<K>,
    clock: Ticks,
    /// Until when each of those who were wrong too often is not looked at.
    over: Mutex<HashMap<K, Duration>>,
}

impl<K: Hash + Eq + Clone> Guesses<K> {
    pub fn new(policy: Policy, clock: Ticks) -> Self {
        Self { wrong: Shares::new(policy, clock.clone()), clock, over: Mutex::default() }
    }

    /// Tells how long `key` is not looked at, if it is not.
    pub fn over(&self, key: &K) -> Option<Share<'_>> {
        let mut over = self.keys();
        let until = *over.get(key)?;
        let now = self.clock.now();
        if now >= until {
            over.remove(key);
            return None;
        }
        Some(Share::used_up(self.wrong.policy(), until - now))
    }

    /// Counts a wrong one; tells how long `key` is not looked at from now on, if it was one too many.
    pub fn wrong(&self, key: K) -> Option<Share<'_>> {
        let share = self.wrong.take(&key).err()?;
        let now = self.clock.now();
        let mut over = self.keys();
        if over.len() >= OVER_MAX {
            over.retain(|_, until| *until > now);
        }
        if over.len() < OVER_MAX {
            over.insert(key, now + Duration::from_secs(share.wait_s));
        }
        Some(share)
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<K, Duration>> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::shares::tests::Hand;
    use super::*;

    fn sixty() -> (Arc<Hand>, Guesses<u8>) {
        let hand = Arc::new(Hand::default());
        let policy = Policy::per_minute("failures", 60.try_into().unwrap());
        (Arc::clone(&hand), Guesses::new(policy, Ticks(hand)))
    }

    #[test]
    fn who_was_wrong_too_often_is_not_looked_at_for_a_while() {
        let (hand, guesses) = sixty();
        for _ in 0..60 {
            assert!(guesses.over(&1).is_none());
            assert!(guesses.wrong(1).is_none());
        }
        assert!(guesses.over(&1).is_none(), "the next one may be right");
        let told = guesses.wrong(1).expect("it was one too many");
        assert_eq!((told.left, told.wait_s), (0, 1));
        assert!(guesses.over(&1).is_some());
        assert!(guesses.over(&2).is_none(), "another one is looked at");

        // From then on one a second, as the minute's share fills up.
        hand.pass(Duration::from_secs(1));
        assert!(guesses.over(&1).is_none());
        assert!(guesses.wrong(1).is_none());
        assert!(guesses.wrong(1).is_some());
        assert!(guesses.over(&1).is_some());
        hand.pass(Duration::from_secs(60));
        assert!((0..60).all(|_| guesses.wrong(1).is_none()), "and all of them after a minute");
    }

    #[test]
    fn who_is_right_is_never_counted() {
        let (_, guesses) = sixty();
        assert!((0..10_000).all(|_| guesses.over(&1).is_none()));
    }
}
