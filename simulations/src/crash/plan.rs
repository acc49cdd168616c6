//! What is broken in which round, and when: all of it from the seed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::line::Cut;
use super::load::BURST;
use crate::dice::{Purpose, dice};

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// `kill -9` of the only server.
    Server,
    /// `kill -9` of PostgreSQL's postmaster.
    Postmaster,
    /// An immediate stop of PostgreSQL: no checkpoint, recovery at the next start.
    Database,
    /// `kill -9` of one of two servers on one database.
    Pair,
    /// The server ends at a named place between two durable steps.
    Failpoint,
    /// The server is asked to stop, and killed while it does.
    Stop,
    /// One of two servers is held for seconds and let go again: what it remembers is old by then.
    Pause,
}

impl Fault {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self::Server,
        Self::Postmaster,
        Self::Pair,
        Self::Failpoint,
        Self::Database,
        Self::Stop,
        Self::Pause,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Postmaster => "postmaster",
            Self::Database => "database",
            Self::Pair => "pair",
            Self::Failpoint => "failpoint",
            Self::Stop => "stop",
            Self::Pause => "pause",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| anyhow::anyhow!("no such fault: {name}"))
    }
}

/// A named place in the server, and about how often it is passed in one round.
struct Place {
    name: &'static str,
    passes: u32,
}

/// Every place where the server can be made to end. `fail::fail_point!` in its sources names them.
const PLACES: [Place; 12] = [
    Place { name: "shell-before-submit", passes: 60 },
    Place { name: "shell-before-reply", passes: 60 },
    Place { name: "shell-after-reply", passes: 60 },
    Place { name: "journal-after-commit", passes: 25 },
    Place { name: "careful-before-commit", passes: 1 },
    Place { name: "activation-after-claim", passes: 20 },
    Place { name: "inbox-after-park", passes: 3 },
    Place { name: "timers-after-take", passes: 3 },
    Place { name: "intents-after-take", passes: 4 },
    Place { name: "intent-before-request", passes: 4 },
    Place { name: "intent-before-outcome", passes: 4 },
    Place { name: "parked-before-readdress", passes: 1 },
];

/// How long a server is held, in ms: longer than any of its deadlines, by its simulated clock.
const PAUSE_MS: std::ops::Range<u64> = 800..4_000;
/// How long after it was asked to stop it is killed, in ms.
const STOP_MS: std::ops::Range<u64> = 0..400;
/// How long after it came back it is killed again, in ms.
const AGAIN_MS: std::ops::Range<u64> = 0..500;

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub number: u32,
    pub fault: Fault,
    /// How long after its calls begin it strikes.
    pub at: Duration,
    /// Whether there are two servers, which get in each other's way.
    pub has_twin: bool,
    /// Which of them it strikes.
    pub whom: usize,
    /// How long it is held, or how long after it was asked to stop it is killed.
    pub lasts: Duration,
    /// It is killed again so long after it came back, in the middle of its recovery.
    pub again: Option<Duration>,
    /// Where the server ends by itself.
    pub failpoint: Option<String>,
    /// When which server's line to its database is cut.
    pub cuts: Vec<(Duration, usize, Cut)>,
    /// The engine forgets what was attached to its calls.
    pub forgets: bool,
}

impl Round {
    /// Returns how many servers it wants.
    pub const fn servers(&self) -> usize {
        if self.has_twin { 2 } else { 1 }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_millis();
        write!(f, "round {:<3} {:<10} at {at:>4} ms", self.number, self.fault.name())?;
        match (&self.failpoint, self.fault) {
            (Some(place), _) => write!(f, ", {place}"),
            (None, Fault::Pair) => write!(f, ", server {}", self.whom),
            (None, Fault::Stop | Fault::Pause) => {
                write!(f, ", server {}, {} ms", self.whom, self.lasts.as_millis())
            }
            (None, _) => Ok(()),
        }?;
        match self.again {
            Some(again) => write!(f, ", again after {} ms", again.as_millis()),
            None => Ok(()),
        }
    }
}

/// Draws `count` rounds. Each fault comes up as often as any other, in an order of the seed's.
pub(super) fn draw(seed: u64, count: u32, faults: &[Fault], has_failpoints: bool) -> Vec<Round> {
    let mut deck: Vec<Fault> = Vec::new();
    let mut order = dice(seed, Purpose::Crash, 0);
    (1..=count)
        .map(|number| {
            if deck.is_empty() {
                deck = faults.to_vec();
                deck.shuffle(&mut order);
            }
            let fault = match deck.pop() {
                Some(Fault::Failpoint) if !has_failpoints => Fault::Server,
                Some(fault) => fault,
                None => Fault::Server,
            };
            round(seed, number, fault)
        })
        .collect()
}

fn round(seed: u64, number: u32, fault: Fault) -> Round {
    let mut dice = dice(seed, Purpose::Crash, number.into());
    let at = BURST.mul_f64(dice.random_range(0.15..0.95));
    let is_of_two = matches!(fault, Fault::Pair | Fault::Pause);
    let whom = dice.random_range(0..2) * usize::from(is_of_two);
    let has_twin = is_of_two || (dice.random_bool(0.5) && fault == Fault::Failpoint);
    let failpoint = failpoint(&mut dice);
    let cuts = (0..dice.random_range(0..4)).map(|_| cut(&mut dice, has_twin)).collect();
    let lasts = match fault {
        Fault::Pause => dice.random_range(PAUSE_MS),
        _ => dice.random_range(STOP_MS),
    };
    let again = dice.random_range(AGAIN_MS);
    let is_killed_again =
        dice.random_bool(0.4) && matches!(fault, Fault::Server | Fault::Pair | Fault::Stop);
    Round {
        number,
        fault,
        at,
        has_twin,
        whom,
        lasts: Duration::from_millis(lasts),
        again: is_killed_again.then(|| Duration::from_millis(again)),
        failpoint: (fault == Fault::Failpoint).then_some(failpoint),
        cuts,
        forgets: dice.random_bool(0.5),
    }
}

fn failpoint(dice: &mut ChaCha8Rng) -> String {
    let place = PLACES.choose(dice).unwrap_or(&PLACES[0]);
    let passes = dice.random_range(0..place.passes);
    format!("{}={passes}*off->1*return", place.name)
}

fn cut(dice: &mut ChaCha8Rng, has_twin: bool) -> (Duration, usize, Cut) {
    let at = BURST.mul_f64(dice.random::<f64>());
    let line = dice.random_range(0..2) * usize::from(has_twin);
    (at, line, if dice.random() { Cut::Sent } else { Cut::Answered })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_a_seed_are_the_same_every_time_and_every_fault_comes_up() {
        let plan = |seed| -> Vec<String> {
            draw(seed, 14, &Fault::ALL, true).iter().map(ToString::to_string).collect()
        };
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        for fault in Fault::ALL {
            let rounds = draw(3, 14, &Fault::ALL, true);
            assert_eq!(rounds.iter().filter(|round| round.fault == fault).count(), 2);
        }
    }
}
