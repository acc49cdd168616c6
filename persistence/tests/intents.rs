//! Outside effects and whose call a report is about, on a real PostgreSQL.

mod common;

use std::collections::HashSet;

use chrono::Duration;
use common::rows::{self, IntentRow, InterviewRow};
use common::{OTHER, with_world};
use domain::ports::{
    Inbox as _, Intents as _, NewInboxRow, OpenStatus, Quarantine as _, Resolution, Resolver as _,
    Whose,
};
use domain::{CallId, EntityId, IntentId, Kind, Phone, Reach, TenantId};
use uuid::Uuid;

/// Longer than taken work is held.
const PAST_HOLD: Duration = Duration::seconds(31);
/// Whom the tests ring.
const CALLEE: &str = "+919529117230";

#[tokio::test]
async fn planned_intents_are_taken_by_reach_and_not_for_quarantined_owners() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let silent = IntentRow::planned(1, now);
        let rings =
            IntentRow { status: "planned", attempt: 2, ..IntentRow::sending(2, CALLEE, now) };
        let later = IntentRow::planned(3, now + PAST_HOLD * 2);
        let quarantined = IntentRow::planned(4, now);
        for intent in [&silent, &rings, &later, &quarantined] {
            intent.insert(&mut journal).await;
        }
        let reason = "poison".to_owned();
        world.store.put(quarantined.owner, TenantId::DEFAULT, reason, None, now).await.unwrap();

        let taken = world.store.take_planned(now, Reach::Silent, 10).await.unwrap();
        assert_eq!(taken.iter().map(|due| due.id).collect::<Vec<_>>(), [silent.id]);
        assert_eq!((taken[0].attempt, taken[0].owner), (1, silent.owner));

        let taken = world.store.take_planned(now, Reach::Rings, 10).await.unwrap();
        assert_eq!(taken.iter().map(|due| due.id).collect::<Vec<_>>(), [rings.id]);
        assert_eq!(taken[0].attempt, 3, "the one after the attempt that is stored");

        let again = world.store.take_planned(now + PAST_HOLD, Reach::Rings, 10).await.unwrap();
        let again: Vec<_> = again.iter().map(|due| (due.id, due.attempt)).collect();
        assert_eq!(again, [(rings.id, 3)], "taking counts no attempt");
    })
    .await;
}

#[tokio::test]
async fn two_takers_of_planned_intents_share_none() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        for n in 0..60 {
            IntentRow::planned(n, now).insert(&mut journal).await;
        }
        let second = world.second();

        let (one, two) = tokio::join!(
            world.store.take_planned(now, Reach::Silent, 30),
            second.store.take_planned(now, Reach::Silent, 30)
        );

        let (one, two) = (one.unwrap(), two.unwrap());
        let distinct: HashSet<_> = one.iter().chain(&two).map(|due| due.id).collect();
        assert_eq!((one.len(), two.len(), distinct.len()), (30, 30, 60));
        second.database.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_sent_intent_is_looked_for_then_ambiguous_then_held() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let sent = IntentRow::sending(1, CALLEE, now);
        sent.insert(&mut journal).await;
        IntentRow::planned(2, now).insert(&mut journal).await;
        assert_eq!(world.store.sending(vec![sent.id]).await.unwrap()[0].attempt, 1);

        let taken = world.store.take_unresolved(now, 10).await.unwrap();
        assert_eq!(taken.iter().map(|open| open.id).collect::<Vec<_>>(), [sent.id]);
        assert_eq!((taken[0].reach, taken[0].lookups), (Reach::Rings, 0));
        assert!(world.store.take_unresolved(now, 10).await.unwrap().is_empty());

        world.store.not_found(sent.id, 1, now + PAST_HOLD).await.unwrap();
        let taken = world.store.take_unresolved(now + PAST_HOLD, 10).await.unwrap();
        assert_eq!(taken[0].lookups, 1);

        let until = now + PAST_HOLD * 10;
        world.store.ambiguous(sent.id, 1, now, until).await.unwrap();
        assert!(world.store.take_unresolved(until - PAST_HOLD, 10).await.unwrap().is_empty());
        let held = world.store.take_unresolved(until, 10).await.unwrap();
        assert!(held[0].ambiguous_since.is_some());
        let mut counts = world.store.counts().await.unwrap();
        counts.sort();
        let counts: Vec<_> = counts.iter().map(|one| (one.tenant, one.status, one.count)).collect();
        let tenant = TenantId::DEFAULT;
        assert_eq!(counts, [(tenant, OpenStatus::Planned, 1), (tenant, OpenStatus::Ambiguous, 1)]);
    })
    .await;
}

#[tokio::test]
async fn rows_stay_behind_their_intent_until_it_is_over_and_they_are_addressed() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let open = IntentRow::sending(1, CALLEE, now);
        let done = IntentRow { status: "done", ..IntentRow::sending(2, CALLEE, now) };
        for intent in [&open, &done] {
            intent.insert(&mut journal).await;
        }
        let missing = IntentId(Uuid::from_u128(77));
        let long_ago = now - Duration::hours(25);
        let parked =
            [(1, open.id, now), (2, done.id, now), (3, missing, now), (4, open.id, long_ago)];
        for (n, intent, at) in parked {
            let row = rows::delivery(n, rows::interview(n), at);
            world.store.park(NewInboxRow { waits_for: Some(intent), ..row }).await.unwrap();
        }
        assert!(world.store.backlog(now + PAST_HOLD, 10).await.unwrap().is_empty());

        let released = world.store.released(now, 10).await.unwrap();

        let receivers: Vec<_> = released.iter().map(|row| row.to).collect();
        assert_eq!(receivers, [rows::interview(2), rows::interview(3), rows::interview(4)]);
        assert!(world.store.released(now, 10).await.unwrap().is_empty(), "they are taken");
        world.store.readdress(released[0].row, rows::interview(9)).await.unwrap();
        // Whoever took the others is gone: nobody applies them where they lie, they are taken again.
        let later = now + PAST_HOLD;
        assert_eq!(world.store.backlog(later, 10).await.unwrap(), [rows::interview(9)]);
        let again = world.store.released(later, 10).await.unwrap();
        let receivers: Vec<_> = again.iter().map(|row| row.to).collect();
        assert_eq!(receivers, [rows::interview(3), rows::interview(4)]);
        // Another instance was slower: what is addressed stays where it is.
        world.store.readdress(released[0].row, rows::interview(8)).await.unwrap();
        let kept = world.store.claim(Kind::Interview, vec![rows::id(9)], later).await.unwrap();
        assert_eq!(kept.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_resolved_by_intent_then_alias_then_row_then_ringing_number() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let ringing = IntentRow::sending(1, CALLEE, now);
        ringing.insert(&mut journal).await;
        InterviewRow::ringing(2, now).insert(&mut journal).await;
        alias(&mut journal, TenantId::DEFAULT, "call-2", rows::id(3)).await;
        alias(&mut journal, TenantId::DEFAULT, "call-3", rows::id(3)).await;
        InterviewRow::ringing(4, now).insert(&mut journal).await;
        let asked = vec![
            Whose { intent: Some(ringing.id), ..whose("call-2", Some(CALLEE)) },
            whose("call-2", Some(CALLEE)),
            whose("call-4", Some(CALLEE)),
            whose("call-5", Some(CALLEE)),
            whose("call-5", None),
        ];

        let resolved = world.store.resolve(asked).await.unwrap();

        let new = EntityId::derived(TenantId::DEFAULT, "mr-hire", "call-5");
        let expected = [
            Resolution::Known(ringing.owner.id),
            Resolution::Known(rows::id(3)),
            Resolution::Known(rows::id(4)),
            Resolution::Waits(ringing.id),
            Resolution::New(new),
        ];
        assert_eq!(resolved, expected);
        assert!(world.store.resolve(Vec::new()).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn nothing_of_another_tenant_resolves_a_call() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let theirs = IntentRow { tenant: OTHER, ..IntentRow::sending(1, CALLEE, now) };
        theirs.insert(&mut journal).await;
        alias(&mut journal, OTHER, "call-2", rows::id(2)).await;
        InterviewRow { tenant: OTHER, ..InterviewRow::ringing(3, now) }.insert(&mut journal).await;
        let asked = vec![
            Whose { intent: Some(theirs.id), ..whose("call-1", Some(CALLEE)) },
            whose("call-2", None),
            whose("call-3", None),
        ];

        let resolved = world.store.resolve(asked).await.unwrap();

        let new = |call| Resolution::New(EntityId::derived(TenantId::DEFAULT, "mr-hire", call));
        assert_eq!(resolved, [new("call-1"), new("call-2"), new("call-3")]);
    })
    .await;
}

fn whose(call: &str, phone: Option<&str>) -> Whose {
    Whose {
        tenant: TenantId::DEFAULT,
        call_id: CallId::parse(call).expect("it is a call id"),
        intent: None,
        phone: phone.map(|phone| Phone::parse(phone).expect("it is a number")),
    }
}

async fn alias(journal: &mut sqlx::PgConnection, tenant: TenantId, call: &str, id: EntityId) {
    sqlx::query(
        "insert into call_aliases (source, external, tenant_id, entity_id)
         values ('mr-hire', $1, $2, $3)",
    )
    .bind(call)
    .bind(tenant.0)
    .bind(id.0)
    .execute(journal)
    .await
    .expect("the alias is stored");
}
