//! How long to wait before the next try.

use std::time::Duration;

/// Doubles from its shortest to its longest wait.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    wait: Duration,
}

impl Backoff {
    pub(super) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, wait: min }
    }

    /// Returns the next wait.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.wait;
        self.wait = (wait * 2).min(self.max);
        wait
    }

    /// Starts again with the shortest.
    pub(super) const fn reset(&mut self) {
        self.wait = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(5), ms(15));
        assert_eq!([backoff.next(), backoff.next(), backoff.next()], [ms(5), ms(10), ms(15)]);
        assert_eq!(backoff.next(), ms(15));
        backoff.reset();
        assert_eq!(backoff.next(), ms(5));
    }
}
