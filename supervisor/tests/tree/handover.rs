//! From whoever pushes to the entity and back: once, bounded, whatever the journal does.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::VerdictName;
use domain::{Rejected, TenantId};
use futures_util::future::join_all;
use supervisor::{QUEUE_MAX, Routed, TreeSettings, Unavailable};
use tokio::time::Instant;

use crate::toy::Event;
use crate::world::{World, delivery_key, entity, is_applied, pass, pass_s};

#[tokio::test(start_paused = true)]
async fn thousand_deliveries_to_a_cold_entity_load_it_once() {
    let world = World::new();
    world.memory.fail(|faults| faults.store_delay = Duration::from_millis(5));
    let house = Arc::new(world.start().await);
    let id = entity(1);

    let pushes = (0..1_000).map(|n| {
        let house = Arc::clone(&house);
        async move {
            // As many as may wait do; the others come again.
            loop {
                match house.push(id, n, Event::Count).await {
                    Err(Unavailable::Busy) => pass(Duration::from_millis(1)).await,
                    other => return other,
                }
            }
        }
    });
    let routed = join_all(pushes).await;

    assert!(routed.iter().all(is_applied), "{routed:?}");
    assert_eq!(world.toy(id).count, 1_000);
    assert_eq!(world.memory.loads(id), 1);
}

#[tokio::test(start_paused = true)]
async fn repeat_of_a_decided_delivery_is_a_duplicate_for_ever() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    assert!(is_applied(&house.push(id, 1, Event::Count).await));

    let at_once = house.push(id, 1, Event::Count).await.unwrap();
    house.toys.passivate(world.clock.now() + chrono::Duration::seconds(1));
    let from_the_table = house.push(id, 1, Event::Count).await.unwrap();

    assert_eq!(at_once, Routed::Rejected(Rejected::Duplicate));
    assert_eq!(from_the_table, Routed::Rejected(Rejected::Duplicate));
    assert_eq!(world.toy(id).count, 1);
}

#[tokio::test(start_paused = true)]
async fn refusal_is_recorded_and_fenced() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Count).await.unwrap();

    world.memory.overtake(id, 1);
    let refused = house.push(id, 2, Event::Dull).await.unwrap();

    assert_eq!(refused, Routed::Rejected(Rejected::NothingNew));
    let recorded = world.memory.verdicts(delivery_key(2));
    assert_eq!(recorded, [VerdictName::Rejected(Rejected::NothingNew)]);
    assert_eq!(world.memory.loads(id), 2, "what was refused on an old version was judged again");
}

#[tokio::test(start_paused = true)]
async fn delivery_on_an_old_version_is_routed_again_and_counts_once() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Count).await.unwrap();

    world.memory.overtake(id, 2);
    let routed = house.push(id, 2, Event::Count).await;

    assert!(is_applied(&routed), "{routed:?}");
    assert_eq!(world.toy(id).count, 2);
    assert_eq!(world.memory.entity(id).unwrap().version, 4);
    assert_eq!(world.memory.verdicts(delivery_key(2)), [VerdictName::Applied]);
}

#[tokio::test(start_paused = true)]
async fn entity_that_is_overtaken_again_and_again_takes_the_slow_way() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Count).await.unwrap();

    world.memory.overtake(id, 3);
    assert_eq!(house.push(id, 2, Event::Count).await.unwrap(), Routed::Parked);
    pass_s(1).await;

    assert_eq!(world.toy(id).count, 2);
    assert!(world.memory.rows(id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn commit_whose_reply_was_lost_counts_once() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);

    world.memory.fail(|faults| faults.replies_lost = 1);
    let routed = house.push(id, 1, Event::Count).await.unwrap();

    assert_eq!(routed, Routed::Rejected(Rejected::Duplicate), "it had committed the first time");
    assert_eq!(world.toy(id).count, 1);
    assert!(is_applied(&house.push(id, 2, Event::Count).await));
}

#[tokio::test(start_paused = true)]
async fn store_that_stays_away_is_said_within_bounded_time() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.memory.fail(|faults| (faults.journal_away, faults.store_away) = (true, true));

    let began = Instant::now();
    let routed = house.push(id, 1, Event::Count).await;
    assert!(matches!(routed, Err(Unavailable::Away(_))), "{routed:?}");

    // Slow to say so is away as well.
    world.memory.fail(|faults| faults.store_delay = Duration::from_secs(60));
    let routed = house.push(id, 1, Event::Count).await;
    assert!(matches!(routed, Err(Unavailable::Away(_))), "{routed:?}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());

    world.memory.fail(|faults| *faults = Default::default());
    pass_s(60).await;
    assert!(is_applied(&house.push(id, 1, Event::Count).await));
    assert_eq!(world.toy(id).count, 1);
}

#[tokio::test(start_paused = true)]
async fn full_journal_is_busy_and_writes_nothing() {
    let world = World::new();
    let house = world.start().await;
    world.memory.fail(|faults| faults.journal_busy = true);

    let routed = house.push(entity(1), 1, Event::Count).await;

    assert!(matches!(routed, Err(Unavailable::Busy)), "{routed:?}");
    assert!(world.memory.rows(entity(1)).is_empty());
    world.memory.fail(|faults| faults.journal_busy = false);
    assert!(is_applied(&house.push(entity(1), 1, Event::Count).await));
}

#[tokio::test(start_paused = true)]
async fn queue_of_an_entity_is_bounded() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let id = entity(1);
    house.push(id, 0, Event::Note(0)).await.unwrap();
    world.memory.hold(true);
    let push = |n: usize| {
        let house = Arc::clone(&house);
        let note = u32::try_from(n).unwrap();
        tokio::spawn(async move { house.push(id, n as u128, Event::Note(note)).await })
    };

    // One is being decided, as many as may wait.
    let mut waiting = vec![push(1)];
    pass(Duration::from_millis(1)).await;
    waiting.extend((2..QUEUE_MAX + 2).map(push));
    pass(Duration::from_millis(1)).await;
    let one_too_many = push(QUEUE_MAX + 2).await.unwrap();
    assert!(matches!(one_too_many, Err(Unavailable::Busy)), "{one_too_many:?}");

    world.memory.hold(false);
    for routed in join_all(waiting).await {
        assert!(is_applied(&routed.unwrap()));
    }
    let notes: Vec<u32> = (0..=u32::try_from(QUEUE_MAX).unwrap() + 1).collect();
    assert_eq!(world.toy(id).notes, notes);
}

#[tokio::test(start_paused = true)]
async fn abandoned_request_keeps_its_permit_and_is_decided() {
    let world = World::new();
    let settings = TreeSettings { deliveries_max: 1, ..TreeSettings::default() };
    let house = Arc::new(world.start_with(settings).await);
    let id = entity(1);
    world.memory.hold(true);

    let request = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.push(id, 1, Event::Count).await }
    });
    pass(Duration::from_millis(1)).await;
    request.abort();
    pass(Duration::from_millis(1)).await;
    let next = house.push(entity(2), 2, Event::Count).await;
    assert!(matches!(next, Err(Unavailable::Busy)), "{next:?}");

    world.memory.hold(false);
    pass(Duration::from_millis(1)).await;
    assert_eq!(world.toy(id).count, 1);
    assert!(is_applied(&house.push(entity(2), 2, Event::Count).await));
}

#[tokio::test(start_paused = true)]
async fn delivery_of_another_tenant_does_not_touch_the_entity() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Count).await.unwrap();

    let cause = domain::Cause::Command;
    let mut foreign = crate::world::incoming(id, cause, Event::Count, world.clock.now());
    foreign.tenant = TenantId(uuid::Uuid::from_u128(2));
    let routed = house.toys.route(foreign).await.unwrap();

    assert_eq!(routed, Routed::Rejected(Rejected::Absent));
    assert_eq!(world.toy(id).count, 1);
    assert!(is_applied(&house.push(id, 2, Event::Count).await));
}
