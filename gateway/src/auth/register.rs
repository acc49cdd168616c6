//! Whether somebody whose token is good may still come in: their tenant is open, they were not deleted,
//! and they have the role that the token says.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain::TenantId;
use domain::ports::{
    BoxFuture, Clock, PersonStanding, Standing, Standings, StoreError, TenantStanding,
};
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use uuid::Uuid;

use super::Principal;
use crate::error::ApiError;
use crate::problem::Code;

/// How long an answer counts before it is asked for again.
const FRESH: TimeDelta = TimeDelta::seconds(30);
/// How long an answer counts while the database is away: what was true longer ago lets nobody in.
const STALE_MAX: TimeDelta = TimeDelta::seconds(60);
/// As [`STALE_MAX`], for who asks by the heartbeat: until the next one, 20 s later, the answer is not looked at.
const STALE_BETWEEN_BEATS_MAX: TimeDelta = TimeDelta::seconds(40);
/// How long somebody who asks again may take, before another one asks too.
const ASKING_MAX: TimeDelta = TimeDelta::seconds(10);
/// The most people that are remembered: as many as there are screens.
const KNOWN_MAX: usize = 12_000;

type Who = (TenantId, Uuid);

/// Remembers how people stand, for less than a minute.
pub struct Register {
    standings: Arc<dyn Standings>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Who, Known>>,
    /// The questions under way: all who want to know the same wait for one answer.
    asking: Mutex<HashMap<Who, Question>>,
}

type Answer = Result<Standing, Arc<StoreError>>;

/// A question that was begun, and when.
#[derive(Clone)]
struct Question {
    at: DateTime<Utc>,
    answer: Shared<BoxFuture<'static, Answer>>,
}

/// Somebody who stood well, and when that was so.
#[derive(Clone, Copy)]
struct Known {
    standing: Standing,
    at: DateTime<Utc>,
    /// When somebody last began to ask again.
    asked_again_at: Option<DateTime<Utc>>,
}

/// How old an answer may be when there is no newer one to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A request's.
    Request,
    /// An open socket's, which asks with each heartbeat.
    Beat,
}

impl Patience {
    const fn stale_max(self) -> TimeDelta {
        match self {
            Self::Request => STALE_MAX,
            Self::Beat => STALE_BETWEEN_BEATS_MAX,
        }
    }
}

impl Register {
    /// Makes one that remembers nobody yet.
    pub fn new(standings: Arc<dyn Standings>, clock: Arc<dyn Clock>) -> Self {
        Self { standings, clock, known: Mutex::default(), asking: Mutex::default() }
    }

    /// Lets `principal` in, or says why not. Who is refused was asked about just now.
    pub(crate) async fn admit(
        &self,
        principal: &Principal,
        patience: Patience,
    ) -> Result<(), ApiError> {
        let who = (principal.tenant, principal.sub);
        let now = self.clock.now();
        if let Some(standing) = self.remembered(who, now, patience)
            && judge(standing, principal).is_ok()
        {
            return Ok(());
        }
        let question = self.question(who, now);
        let answer = question.answer.clone().await;
        self.answered(who, &question);
        match answer {
            Ok(standing) => {
                let judged = judge(standing, principal);
                self.remember(who, question.at, judged.is_ok().then_some(standing));
                judged
            }
            Err(failure) => self.without_answer(principal, patience, failure),
        }
    }

    /// Asks, or joins those who do. A question that all who began it gave up is not joined for long: what it
    /// answers may be as old as it is.
    fn question(&self, who: Who, now: DateTime<Utc>) -> Question {
        let mut asking = self.asking();
        let recent = asking.get(&who).filter(|question| now - question.at < ASKING_MAX);
        if let Some(question) = recent {
            return question.clone();
        }
        let standings = Arc::clone(&self.standings);
        let answer = async move { standings.standing(who.0, who.1).await.map_err(Arc::new) };
        let question = Question { at: now, answer: answer.boxed().shared() };
        if asking.len() >= KNOWN_MAX {
            asking.clear(); // Whoever waits for one of them holds it.
        }
        asking.insert(who, question.clone());
        question
    }

    /// Forgets a question that was answered.
    fn answered(&self, who: Who, question: &Question) {
        let mut asking = self.asking();
        if asking.get(&who).is_some_and(|known| known.answer.ptr_eq(&question.answer)) {
            asking.remove(&who);
        }
    }

    fn asking(&self) -> MutexGuard<'_, HashMap<Who, Question>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes by what was true a moment ago, if that is no longer ago than `patience` allows.
    fn without_answer(
        &self,
        principal: &Principal,
        patience: Patience,
        failure: Arc<StoreError>,
    ) -> Result<(), ApiError> {
        let known = self.known().get(&(principal.tenant, principal.sub)).copied();
        let is_recent = |known: &Known| self.clock.now() - known.at < patience.stale_max();
        match (&*failure, known.filter(is_recent)) {
            (StoreError::Away(_), Some(known)) => judge(known.standing, principal),
            (StoreError::Away(_), None) => {
                Err(ApiError::new(Code::JournalUnavailable).because(failure))
            }
            (StoreError::Broken(_), _) => Err(ApiError::internal(failure)),
        }
    }

    /// Returns what is known and still counts. One of many who find it aged is told nothing, and asks.
    fn remembered(&self, who: Who, now: DateTime<Utc>, patience: Patience) -> Option<Standing> {
        let mut known = self.known();
        let known = known.get_mut(&who)?;
        let age = now - known.at;
        if age < FRESH {
            return Some(known.standing);
        }
        let is_asked = known.asked_again_at.is_some_and(|at| now - at < ASKING_MAX);
        if is_asked && age < patience.stale_max() {
            return Some(known.standing);
        }
        known.asked_again_at = Some(now);
        None
    }

    /// Keeps who stood well at `at`, and forgets who did not.
    fn remember(&self, who: Who, at: DateTime<Utc>, standing: Option<Standing>) {
        let mut known = self.known();
        let Some(standing) = standing else {
            known.remove(&who);
            return;
        };
        if known.len() >= KNOWN_MAX && !known.contains_key(&who) {
            known.retain(|_, known| at - known.at < FRESH);
            if known.len() >= KNOWN_MAX {
                known.clear(); // Asking all of them again costs less than remembering whom to forget.
            }
        }
        known.insert(who, Known { standing, at, asked_again_at: None });
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Who, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register").field("known", &self.known().len()).finish_non_exhaustive()
    }
}

/// Holds a token's claims against how its holder stands.
fn judge(standing: Standing, principal: &Principal) -> Result<(), ApiError> {
    let refusal = |code, why: &'static str| Err(ApiError::new(code).detail(why));
    match (standing.tenant, standing.person) {
        (TenantStanding::Unknown, _) => refusal(Code::UnknownTenant, "there is no such tenant"),
        (TenantStanding::Closed, _) => refusal(Code::UnknownTenant, "the tenant was closed"),
        (TenantStanding::Open, PersonStanding::Deleted) => {
            refusal(Code::UserDeleted, "the user whom the token names was deleted")
        }
        (TenantStanding::Open, PersonStanding::Listed(role)) if role != principal.role => {
            refusal(Code::RoleChanged, "the user has another role than the token says")
        }
        (TenantStanding::Open, PersonStanding::Listed(_) | PersonStanding::Unlisted) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
