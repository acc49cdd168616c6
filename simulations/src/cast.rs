//! Whom a demo calls: invented candidates, their jobs, and what shall come of their calls.
//!
//! Everything follows from a seed and a position. Their numbers belong to nobody.

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::engine::{Application, CallScript, Outcome, Start, World};

/// The first local hour at which a candidate may be rung. Source: the product's calling window.
const OPENS_HOUR: u32 = 9;
/// The local hour from which on no candidate may be rung. Source: as above.
const CLOSES_HOUR: u32 = 22;

/// Where a candidate lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// India; the server is told no zone, and takes India's by itself.
    India,
    /// The United Kingdom.
    Britain,
    /// The east of the United States.
    America,
}

impl Home {
    /// Every home, in the order in which a demo wakes up.
    pub const ALL: [Self; 3] = [Self::India, Self::Britain, Self::America];

    /// Returns the time zone.
    pub const fn zone(self) -> Tz {
        match self {
            Self::India => Tz::Asia__Kolkata,
            Self::Britain => Tz::Europe__London,
            Self::America => Tz::America__New_York,
        }
    }

    /// Says whether a phone may ring there at `at`: from 09:00 to 22:00 by the clock on the wall.
    pub fn is_open(self, at: DateTime<Utc>) -> bool {
        (OPENS_HOUR..CLOSES_HOUR).contains(&at.with_timezone(&self.zone()).hour())
    }

    /// Returns a number that nobody has. India reserves none, so the first digits are those of no
    /// operator; Britain and America reserve some for drama.
    fn phone(self, position: u32) -> String {
        const AREAS: [u32; 10] = [212, 213, 312, 415, 617, 646, 702, 718, 808, 917];
        match self {
            Self::India => format!("+9100000{:05}", position % 100_000),
            Self::Britain => format!("+447700900{:03}", position % 1_000),
            Self::America => {
                let area = AREAS[position as usize / 100 % AREAS.len()];
                format!("+1{area}55501{:02}", position % 100)
            }
        }
    }
}

/// A job, and how its candidates are scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    /// Its title.
    pub title: &'static str,
    /// What resume, quiz and call weigh; all alike where it does not say.
    pub weights: Option<[f64; 3]>,
    /// From which score on a candidate is shortlisted; without one nobody is rejected.
    pub threshold: Option<f64>,
}

/// The jobs, one for each title of the simulated world.
pub const JOBS: [Job; 5] = [
    Job { title: "Backend Engineer", weights: Some([1.0, 1.0, 2.0]), threshold: Some(60.0) },
    Job { title: "Data Analyst", weights: None, threshold: Some(62.5) },
    Job { title: "Support Lead", weights: None, threshold: None },
    Job { title: "Accountant", weights: Some([0.0, 1.0, 3.0]), threshold: Some(50.0) },
    Job { title: "Nurse", weights: Some([0.0, 0.0, 1.0]), threshold: Some(55.0) },
];

impl Job {
    /// Returns its id, the same in every run.
    pub fn id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, self.title.as_bytes())
    }
}

/// A candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What the engine knows of them.
    pub application: Application,
    /// Where they live.
    pub home: Home,
    /// What they apply for.
    pub job: Job,
    /// What their resume came to.
    pub resume_score: Option<f64>,
    /// What their quiz came to.
    pub quiz_score: Option<f64>,
}

impl Candidate {
    /// Makes up a candidate; each `position` of a seed is another one.
    ///
    /// Seven in ten live in India. The outcomes of the first dozen are scripted, so that every rule
    /// comes up; they come up again in every further dozen.
    pub fn draw(seed: u64, position: u32) -> Self {
        let home = match position % 10 {
            4 | 8 => Home::Britain,
            6 => Home::America,
            _ => Home::India,
        };
        // Abroad the window opens late by India's clock: what is settled in the second call is so today.
        let attempts = match home {
            Home::India => script(position),
            Home::Britain => second_call_settles(script(position), position),
            Home::America => vec![CallScript::ending(Outcome::NoAnswer), talk_of(140.0)],
        };
        Self::at(home, seed, position, attempts)
    }

    /// Makes up a candidate who is interviewed in the second call at the latest, and lives where the
    /// day begins early enough for it.
    pub fn draw_short(seed: u64, position: u32) -> Self {
        let home = if position % 10 == 4 { Home::Britain } else { Home::India };
        Self::at(home, seed, position, second_call_settles(script(position), position))
    }

    /// Makes up a candidate who lives at `home` and of whom nothing is scripted.
    pub fn living(home: Home, seed: u64, position: u32) -> Self {
        Self::at(home, seed, position, Vec::new())
    }

    fn at(home: Home, seed: u64, position: u32, attempts: Vec<CallScript>) -> Self {
        let made_up = Application::generate(seed, position, 0.0);
        let job = JOBS.into_iter().find(|job| job.title == made_up.role).unwrap_or(JOBS[0]);
        let application = Application {
            phone_number: home.phone(position),
            start: Start::Never,
            attempts,
            ..made_up
        };
        let score = |step: u32, from: u32| f64::from(from + position * step % (100 - from));
        Self {
            application,
            home,
            job,
            resume_score: (!position.is_multiple_of(4)).then(|| score(7, 40)),
            quiz_score: (!position.is_multiple_of(3)).then(|| score(11, 30)),
        }
    }

    /// Returns the application's id.
    pub fn id(&self) -> Uuid {
        self.application.application_id
    }

    fn import_row(&self) -> Value {
        let Application { application_id, phone_number, candidate_name, belongs_to, .. } =
            &self.application;
        let zone = (self.home != Home::India).then(|| self.home.zone().name());
        json!({
            "id": application_id, "jobPostId": self.job.id(), "candidateName": candidate_name,
            "phoneNumber": phone_number, "belongsTo": belongs_to, "timeZone": zone,
            "resumeScore": self.resume_score, "quizScore": self.quiz_score,
        })
    }
}

/// Returns the import of `candidates` with all jobs.
pub fn import_body(candidates: &[Candidate]) -> Value {
    let job = |job: &Job| {
        let weights =
            |[resume, quiz, call]: [f64; 3]| json!({"resume": resume, "quiz": quiz, "call": call});
        json!({
            "id": job.id(), "title": job.title, "weights": job.weights.map(weights),
            "threshold": job.threshold,
        })
    };
    json!({
        "jobPosts": JOBS.iter().map(job).collect::<Vec<_>>(),
        "applications": candidates.iter().map(Candidate::import_row).collect::<Vec<_>>(),
    })
}

/// Returns what the engine is told: whose first call begins when.
pub fn world(candidates: &[Candidate], begins: impl Fn(usize) -> DateTime<Utc>) -> World {
    let start = |(position, candidate): (usize, &Candidate)| Application {
        start: Start::At(begins(position)),
        ..candidate.application.clone()
    };
    World { applications: candidates.iter().enumerate().map(start).collect() }
}

/// Returns what shall come of the calls of the candidate at `position`.
fn script(position: u32) -> Vec<CallScript> {
    use Outcome as O;
    match position % 12 {
        0 => vec![CallScript::boundary(59.9, 400)],
        // Just long enough; of enough words to score, since what is scored of fewer makes no sense to
        // whoever watches.
        1 => vec![CallScript::boundary(60.0, 420)],
        2 => vec![CallScript::boundary(120.0, 50)],
        3 => vec![CallScript::ending(O::NoAnswer); 3],
        4 => vec![CallScript::ending(O::Busy), talk_of(200.0)],
        5 => vec![CallScript::ending(O::Voicemail), CallScript::ending(O::Rejected)],
        7 => vec![CallScript::ending(O::ProviderError), talk_of(90.0)],
        _ => Vec::new(),
    }
}

/// Keeps the first call as it is, and makes the second one an interview.
fn second_call_settles(mut attempts: Vec<CallScript>, position: u32) -> Vec<CallScript> {
    attempts.resize(1, CallScript::default());
    attempts.push(talk_of(f64::from(70 + position % 90)));
    attempts
}

fn talk_of(duration_s: f64) -> CallScript {
    CallScript { duration_s: Some(duration_s), ..CallScript::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn of_a_thousand_in_a_row_nobody_shares_a_number_a_name_or_an_id() {
        let cast: Vec<_> = (500..1_500).map(|position| Candidate::draw(42, position)).collect();
        let numbers: HashSet<_> = cast.iter().map(|c| &c.application.phone_number).collect();
        let ids: HashSet<_> = cast.iter().map(Candidate::id).collect();
        assert_eq!((numbers.len(), ids.len()), (cast.len(), cast.len()));
        let names: HashSet<_> = cast.iter().map(|c| &c.application.candidate_name).collect();
        assert_eq!(names.len(), cast.len(), "two of one name look like one who is rung twice");
    }

    #[test]
    fn every_number_is_reserved_for_nobody() {
        for position in 0..1_000 {
            let number = Candidate::draw(7, position).application.phone_number;
            let reserved = ["+9100000", "+447700900"].iter().any(|range| number.starts_with(range));
            assert!(reserved || number.contains("55501"), "{number}");
        }
    }

    #[test]
    fn at_any_hour_but_one_half_somebody_may_be_rung() {
        let day: DateTime<Utc> = "2026-11-20T00:00:00Z".parse().unwrap();
        let closed = (0..24 * 60)
            .map(|minute| day + chrono::TimeDelta::minutes(minute))
            .filter(|at| !Home::ALL.iter().any(|home| home.is_open(*at)));
        assert_eq!(closed.count(), 30);
    }
}
