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
}

impl Fault {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::Server, Self::Postmaster, Self::Pair, Self::Failpoint, Self::Database];

    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Postmaster => "postmaster",
            Self::Database => "database",
            Self::Pair => "pair",
            Self::Failpoint => "failpoint",
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
    Place { name: "shell-before-submit", passes: 120 },
    Place { name: "shell-before-reply", passes: 120 },
    Place { name: "shell-after-reply", passes: 120 },
    Place { name: "journal-after-commit", passes: 60 },
    Place { name: "careful-before-commit", passes: 2 },
    Place { name: "activation-after-claim", passes: 20 },
    Place { name: "inbox-after-park", passes: 3 },
    Place { name: "timers-after-take", passes: 3 },
    Place { name: "intents-after-take", passes: 4 },
    Place { name: "intent-before-request", passes: 4 },
    Place { name: "intent-before-outcome", passes: 4 },
    Place { name: "parked-before-readdress", passes: 1 },
];

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub number: u32,
    pub fault: Fault,
    /// How long after its calls begin it strikes.
    pub at: Duration,
    /// Which of two servers it strikes.
    pub whom: usize,
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
        if matches!(self.fault, Fault::Pair) { 2 } else { 1 }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_millis();
        write!(f, "round {:<3} {:<10} at {at:>4} ms", self.number, self.fault.name())?;
        match (&self.failpoint, self.fault) {
            (Some(place), _) => write!(f, ", {place}"),
            (None, Fault::Pair) => write!(f, ", server {}", self.whom),
            (None, _) => Ok(()),
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
    let whom = if fault == Fault::Pair { dice.random_range(0..2) } else { 0 };
    let failpoint = failpoint(&mut dice);
    let cuts = (0..dice.random_range(0..4)).map(|_| cut(&mut dice, fault)).collect();
    Round {
        number,
        fault,
        at,
        whom,
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

fn cut(dice: &mut ChaCha8Rng, fault: Fault) -> (Duration, usize, Cut) {
    let at = BURST.mul_f64(dice.random::<f64>());
    let line = dice.random_range(0..2) * usize::from(fault == Fault::Pair);
    (at, line, if dice.random() { Cut::Sent } else { Cut::Answered })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_a_seed_are_the_same_every_time_and_every_fault_comes_up() {
        let plan = |seed| -> Vec<String> {
            draw(seed, 10, &Fault::ALL, true).iter().map(ToString::to_string).collect()
        };
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        for fault in Fault::ALL {
            let rounds = draw(3, 10, &Fault::ALL, true);
            assert_eq!(rounds.iter().filter(|round| round.fault == fault).count(), 2);
        }
    }
}
