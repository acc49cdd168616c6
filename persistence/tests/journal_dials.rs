//! What the commit that sends a dial reads: stops, who is on a call of ours, and how many calls run.

mod common;

use chrono::{DateTime, TimeDelta, Utc};
use common::ledger::Ledger;
use common::{OTHER, World, steps, with_world};
use domain::policy::{CallingWindow, held_until};
use domain::ports::{
    DialScope, Dialing as _, Ends, IntentRow, IntentStep, Intents as _, Step, Verdict,
};
use domain::{Claim, IntentId, OperationClass, Reach, TenantId};
use persistence::JournalSettings;

/// Noon in India.
fn noon() -> DateTime<Utc> {
    "2026-11-20T06:30:00Z".parse().expect("an instant")
}

/// Longer than any call.
fn long_after() -> TimeDelta {
    TimeDelta::hours(3)
}

/// The `n`-th interview, in one tenant, at one time.
#[derive(Clone, Copy)]
struct Dial {
    n: u128,
    tenant: TenantId,
    now: DateTime<Utc>,
}

impl Dial {
    fn new(n: u128) -> Self {
        Self { n, tenant: TenantId::DEFAULT, now: noon() }
    }

    fn id(self) -> IntentId {
        IntentId::derived(steps::interview(self.n).id, "dial", 1)
    }

    /// Moves the interview on from `version`, and its dial by `intents`.
    fn step(self, version: i64, intents: Vec<IntentStep>) -> Step {
        let Self { n, tenant, now } = self;
        Step { tenant, intents, ..steps::moved(steps::interview(n), version, "queued", now) }
    }

    fn plan(self, phone: &str) -> Step {
        let row = IntentRow {
            id: self.id(),
            operation: "dial",
            class: OperationClass::Searchable,
            reach: Reach::Rings,
            callee: Some(phone.to_owned()),
            schema: 1,
            effect: "{}".to_owned(),
            due: self.now,
        };
        self.step(0, vec![IntentStep::Plan(row)])
    }

    fn send(self, version: i64, attempt: u32) -> Step {
        let not_after = self.now + TimeDelta::seconds(10);
        let verdict = CallingWindow::default().judge(noon(), noon()).expect("a good time");
        let send = IntentStep::Send {
            id: self.id(),
            attempt,
            not_after,
            look_at: not_after,
            claim: Claim::Callee { until: held_until(not_after), verdict },
        };
        self.step(version, vec![send])
    }
}

const ASHA: &str = "+919529117230";
const ROHAN: &str = "+919529117231";

fn refused(why: &str) -> Verdict {
    Verdict::Refused(why.to_owned())
}

fn is_committed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Committed { .. })
}

async fn column(world: &World, intent: IntentId, sql: &'static str) -> String {
    sqlx::query_scalar(sql)
        .bind(intent.0)
        .fetch_one(&mut world.journal().await)
        .await
        .expect("the row is there")
}

#[tokio::test]
async fn one_person_is_rung_by_one_call_at_a_time() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let other = Dial { tenant: OTHER, ..Dial::new(4) };
        let dials = [Dial::new(1), Dial::new(2), Dial::new(3), other];
        let phones = [ASHA, ASHA, ROHAN, ASHA];
        let plans = dials.iter().zip(phones).map(|(dial, phone)| dial.plan(phone)).collect();
        assert!(ledger.submit_all(plans).await.iter().all(is_committed));

        let said = ledger.submit_all(dials.iter().map(|dial| dial.send(1, 1)).collect()).await;
        assert!([0, 2, 3].iter().all(|n| is_committed(&said[*n])), "{said:?}");
        assert_eq!(said[1], refused("callee_held"), "in one batch as in two");
        assert_eq!(ledger.submit(dials[1].send(1, 1)).await, refused("callee_held"));

        let settled = IntentStep::Settle { id: dials[0].id(), attempt: 1, ends: Ends::Attempt };
        assert!(is_committed(&ledger.submit(dials[0].step(2, vec![settled])).await));
        assert_eq!(ledger.submit(dials[1].send(1, 1)).await, refused("callee_held"));
        let release = IntentStep::Release { id: dials[0].id() };
        assert!(is_committed(&ledger.submit(dials[0].step(3, vec![release])).await));
        assert!(is_committed(&ledger.submit(dials[1].send(1, 1)).await));
    })
    .await;
}

#[tokio::test]
async fn a_person_is_let_go_by_time_and_not_while_the_dial_is_in_doubt() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let (first, second) = (Dial::new(1), Dial::new(2));
        ledger.submit_all(vec![first.plan(ASHA), second.plan(ASHA)]).await;
        assert!(is_committed(&ledger.submit(first.send(1, 1)).await));
        let late = Dial { now: noon() + long_after(), ..second };
        assert_eq!(ledger.submit(late.send(1, 1)).await, refused("callee_held"), "it is in doubt");

        let (now, until) = (noon(), noon() + long_after() * 2);
        world.store.ambiguous(first.id(), 1, now, until).await.unwrap();
        let later = Dial { now: until + TimeDelta::seconds(1), ..second };
        assert_eq!(ledger.submit(later.send(1, 1)).await, refused("callee_held"));
        let close = IntentStep::Close { id: first.id() };
        assert!(is_committed(&ledger.submit(first.step(2, vec![close])).await));
        assert!(is_committed(&ledger.submit(later.send(1, 1)).await));
    })
    .await;
}

#[tokio::test]
async fn a_dial_that_did_not_happen_holds_nobody() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let (first, second) = (Dial::new(1), Dial::new(2));
        ledger.submit_all(vec![first.plan(ASHA), second.plan(ASHA)]).await;
        ledger.submit(first.send(1, 1)).await;
        assert_eq!(world.store.permits_taken(noon()).await.unwrap(), 1);
        let postpone = IntentStep::Postpone { id: first.id(), due: noon() };
        assert!(is_committed(&ledger.submit(first.step(2, vec![postpone])).await));
        assert_eq!(world.store.permits_taken(noon()).await.unwrap(), 0);
        assert!(is_committed(&ledger.submit(second.send(1, 1)).await));
    })
    .await;
}

#[tokio::test]
async fn calls_beyond_the_permits_wait() {
    with_world(async |world| {
        let settings = JournalSettings { permits: 2, ..JournalSettings::default() };
        let ledger = Ledger::with(&world.database, 1, settings);
        let dials = [1, 2, 3].map(Dial::new);
        let phones = [ASHA, ROHAN, "+919529117232"];
        let plans = dials.iter().zip(phones).map(|(dial, phone)| dial.plan(phone)).collect();
        ledger.submit_all(plans).await;
        let said = ledger.submit_all(dials.iter().map(|dial| dial.send(1, 1)).collect()).await;
        assert!(is_committed(&said[0]) && is_committed(&said[1]), "{said:?}");
        assert_eq!(said[2], refused("no_permit"));
        assert_eq!(world.store.permits_taken(noon()).await.unwrap(), 2);

        let late = Dial { now: noon() + long_after(), ..dials[2] };
        assert!(is_committed(&ledger.submit(late.send(1, 1)).await), "permits end by themselves");
    })
    .await;
}

#[tokio::test]
async fn refusals_say_which_gate_was_shut() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let (first, second) = (Dial::new(1), Dial::new(2));
        ledger.submit_all(vec![first.plan(ASHA), second.plan(ROHAN)]).await;
        let stop = |scope| world.store.stop(scope, "admin".to_owned(), None, noon());
        for scope in [
            DialScope::All,
            DialScope::Tenant(TenantId::DEFAULT),
            DialScope::Provider("mr-hire".to_owned()),
        ] {
            stop(scope.clone()).await.unwrap();
            assert_eq!(ledger.submit(first.send(1, 1)).await, refused("dialing_stopped"));
            assert!(world.store.resume(scope).await.unwrap());
        }
        stop(DialScope::Tenant(OTHER)).await.unwrap();
        assert!(is_committed(&ledger.submit(first.send(1, 1)).await));

        let cancel = IntentStep::Cancel { id: second.id() };
        assert!(is_committed(&ledger.submit(second.step(1, vec![cancel])).await));
        assert_eq!(ledger.submit(second.send(2, 1)).await, refused("intent_not_planned"));
    })
    .await;
}

#[tokio::test]
async fn dials_that_may_still_leave_are_counted_by_scope() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let (ours, theirs) = (Dial::new(1), Dial { tenant: OTHER, ..Dial::new(2) });
        ledger.submit_all(vec![ours.plan(ASHA), theirs.plan(ASHA)]).await;
        ledger.submit_all(vec![ours.send(1, 1), theirs.send(1, 1)]).await;
        let before = noon() + TimeDelta::seconds(10);
        let leaving = |scope, now| world.store.leaving(scope, now, before);
        assert_eq!(leaving(DialScope::All, noon()).await.unwrap(), 2);
        assert_eq!(leaving(DialScope::Tenant(OTHER), noon()).await.unwrap(), 1);
        let settled = IntentStep::Settle { id: theirs.id(), attempt: 1, ends: Ends::Attempt };
        ledger.submit(theirs.step(2, vec![settled])).await;
        assert_eq!(leaving(DialScope::All, noon()).await.unwrap(), 1);
        let earlier = noon() + TimeDelta::seconds(9);
        let resumed = world.store.leaving(DialScope::All, noon(), earlier).await.unwrap();
        assert_eq!(resumed, 0, "what may leave later than that was sent after a resume");
        let too_late = noon() + TimeDelta::seconds(11);
        assert_eq!(leaving(DialScope::All, too_late).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn attempts_that_were_never_answered_are_counted_and_forgotten_with_a_proof() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let dial = Dial::new(1);
        ledger.submit(dial.plan(ASHA)).await;
        let unanswered = async || {
            let open = world.store.sending(vec![dial.id()]).await.unwrap();
            (open[0].attempt, open[0].unanswered)
        };
        ledger.submit(dial.send(1, 1)).await;
        assert_eq!(unanswered().await, (1, 0));
        ledger.submit(dial.send(2, 2)).await;
        assert_eq!(unanswered().await, (2, 1));
        let postpone = IntentStep::Postpone { id: dial.id(), due: noon() };
        ledger.submit(dial.step(3, vec![postpone])).await;
        ledger.submit(dial.send(4, 3)).await;
        assert_eq!(unanswered().await, (3, 0));
    })
    .await;
}

#[tokio::test]
async fn an_outcome_that_was_taken_ends_later_attempts_too() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let dial = Dial::new(1);
        ledger.submit(dial.plan(ASHA)).await;
        ledger.submit(dial.send(1, 1)).await;
        ledger.submit(dial.send(2, 2)).await;
        let settle = |ends| vec![IntentStep::Settle { id: dial.id(), attempt: 1, ends }];
        let said = ledger.submit(dial.step(3, settle(Ends::Attempt))).await;
        assert!(matches!(said, Verdict::Duplicate(_)), "{said:?}");
        assert!(is_committed(&ledger.submit(dial.step(3, settle(Ends::Intent))).await));
        let said = ledger.submit(dial.step(4, settle(Ends::Intent))).await;
        assert!(matches!(said, Verdict::Duplicate(_)), "an outcome counts once: {said:?}");
    })
    .await;
}

#[tokio::test]
async fn a_sent_dial_keeps_why_the_phone_might_ring_and_lives_by_the_given_time() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let dial = Dial::new(1);
        ledger.submit(dial.plan(ASHA)).await;
        ledger.submit(dial.send(1, 1)).await;
        let verdict = "select dial_verdict::text from intents where id = $1";
        let verdict = column(world, dial.id(), verdict).await;
        let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
        assert_eq!(verdict["zone"], "Asia/Kolkata");
        assert_eq!(verdict["localTime"], "2026-11-20T12:00:00+05:30");
        let planned =
            "select to_json(planned_at at time zone 'UTC')::text from intents where id = $1";
        assert_eq!(column(world, dial.id(), planned).await, "\"2026-11-20T06:30:00\"");
    })
    .await;
}
