//! The slow way: committed to the inbox, answered, applied later, once and in order.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Inbox as _, NewInboxRow, VerdictName};
use domain::{Cause, EntityId, Kind, Rejected, TenantId};
use supervisor::Routed;

use crate::toy::Event;
use crate::world::{World, delivery_key, entity, incoming, is_applied, key_of, pass_s};

#[tokio::test(start_paused = true)]
async fn delivery_that_takes_too_long_is_parked_and_applied_once() {
    for commits_late in [Duration::from_secs(3), Duration::from_secs(20)] {
        let world = World::new();
        let house = world.start().await;
        let id = entity(1);
        house.push(id, 1, Event::Note(1)).await.unwrap();
        world.memory.fail(|faults| faults.journal_delay = commits_late);

        let routed = house.push(id, 2, Event::Note(2)).await.unwrap();
        assert_eq!(routed, Routed::Parked);
        world.memory.fail(|faults| faults.journal_delay = Duration::ZERO);
        pass_s(90).await;

        assert_eq!(world.toy(id).notes, [1, 2]);
        assert!(world.memory.rows(id).is_empty());
        assert_eq!(world.memory.verdicts(delivery_key(2)), [VerdictName::Applied]);
        assert!(is_applied(&house.push(id, 3, Event::Note(3)).await));
        assert_eq!(world.toy(id).notes, [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn delivery_is_parked_with_what_of_it_could_not_be_used() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.hold(true);
    let cause = Cause::Pushed { key: delivery_key(2), raw: Arc::from(*b"{}") };
    let mut incoming = incoming(id, cause, Event::Note(2), world.clock.now());
    incoming.remarks = Some("cost: is no number".to_owned());

    assert_eq!(house.toys.route(incoming).await.unwrap(), Routed::Parked);

    let rows = world.memory.rows(id);
    assert_eq!(rows[0].remarks.as_deref(), Some("cost: is no number"));
}

#[tokio::test(start_paused = true)]
async fn commit_that_wins_over_the_inbox_is_the_only_one() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    // The commit comes after the actor's deadline, and before the slow inbox.
    world.memory.fail(|faults| {
        faults.journal_delay = Duration::from_millis(3_000);
        faults.store_delay = Duration::from_millis(2_000);
    });

    let routed = house.push(id, 2, Event::Note(2)).await.unwrap();

    assert_eq!(routed, Routed::Rejected(Rejected::Duplicate));
    world.memory.fail(|faults| *faults = Default::default());
    pass_s(90).await;
    assert_eq!(world.toy(id).notes, [1, 2]);
    assert!(world.memory.rows(id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn entity_with_open_rows_takes_the_slow_way_and_keeps_the_order() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.hold(true);
    let first = house.push(id, 2, Event::Note(2)).await.unwrap();
    assert_eq!(first, Routed::Parked);

    // Rows lie in the inbox, and the loader cannot hand them over before the store answers.
    world.memory.fail(|faults| faults.store_delay = Duration::from_millis(50));
    for n in 3..10_u32 {
        let pushed = house.push(id, n.into(), Event::Note(n)).await.unwrap();
        assert_eq!(pushed, Routed::Parked, "note {n} must not overtake");
    }
    world.memory.hold(false);
    pass_s(5).await;
    let last = house.push(id, 10, Event::Note(10)).await;

    assert!(is_applied(&last), "{last:?}: the backlog is gone");
    assert_eq!(world.toy(id).notes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[tokio::test(start_paused = true)]
async fn delivery_does_not_overtake_a_row_that_is_still_on_its_way_to_the_actor() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    let event = serde_json::to_string(&Event::Note(2)).unwrap();
    world.memory.park(row(&world, id, event)).await.unwrap();
    world.memory.fail(|faults| faults.store_delay = Duration::from_millis(200));
    house.toys.look_into_inbox(id);

    assert_eq!(house.push(id, 3, Event::Note(3)).await.unwrap(), Routed::Parked);
    pass_s(1).await;

    assert_eq!(world.toy(id).notes, [1, 2, 3]);
    assert!(is_applied(&house.push(id, 4, Event::Note(4)).await));
}

#[tokio::test(start_paused = true)]
async fn row_of_another_process_is_found_by_the_sweep() {
    let world = World::new();
    let first = world.start().await;
    let second = world.start().await;
    let id = entity(1);
    first.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.hold(true);
    assert_eq!(first.push(id, 2, Event::Note(2)).await.unwrap(), Routed::Parked);
    first.kill().await;
    world.memory.hold(false);

    pass_s(60).await;

    assert_eq!(world.toy(id).notes, [1, 2]);
    assert!(is_applied(&second.push(id, 3, Event::Note(3)).await));
}

#[tokio::test(start_paused = true)]
async fn long_backlog_is_worked_off_without_waiting_for_the_sweep() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 0, Event::Note(0)).await.unwrap();
    world.memory.hold(true);
    for n in 1..=300_u32 {
        assert_eq!(house.push(id, n.into(), Event::Note(n)).await.unwrap(), Routed::Parked);
    }
    world.memory.hold(false);
    pass_s(1).await;

    assert_eq!(world.toy(id).notes, (0..=300).collect::<Vec<_>>());
    assert!(world.memory.rows(id).is_empty());
    assert!(is_applied(&house.push(id, 301, Event::Note(301)).await));
}

#[tokio::test(start_paused = true)]
async fn rows_wait_for_a_full_journal_and_are_not_overtaken() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.hold(true);
    assert_eq!(house.push(id, 2, Event::Note(2)).await.unwrap(), Routed::Parked);
    world.memory.fail(|faults| faults.journal_busy = true);
    world.memory.hold(false);
    pass_s(2).await;
    assert_eq!(world.toy(id).notes, [1]);

    world.memory.fail(|faults| faults.journal_busy = false);
    let third = house.push(id, 3, Event::Note(3)).await;
    pass_s(1).await;

    assert_eq!(world.toy(id).notes, [1, 2, 3], "{third:?}");
}

#[tokio::test(start_paused = true)]
async fn backlog_ends_though_the_rows_could_not_be_claimed_at_first() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.fail(|faults| faults.store_away = true);
    house.toys.look_into_inbox(id);
    pass_s(3).await;
    world.memory.fail(|faults| faults.store_away = false);
    pass_s(3).await;

    assert!(is_applied(&house.push(id, 2, Event::Note(2)).await));
}

#[tokio::test(start_paused = true)]
async fn command_is_decided_although_rows_wait() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.fail(|faults| faults.store_away = true);
    house.toys.look_into_inbox(id);

    let command = incoming(id, Cause::Command, Event::Note(2), world.clock.now());
    let routed = house.toys.route(command).await;

    assert!(is_applied(&routed), "{routed:?}");
}

#[tokio::test(start_paused = true)]
async fn row_that_cannot_be_read_is_set_aside_and_the_tree_counts_it() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.memory.park(row(&world, id, "{no json".to_owned())).await.unwrap();
    assert!(house.tree.stats().await.unwrap().set_aside.is_empty());

    house.toys.look_into_inbox(id);
    pass_s(1).await;

    assert_eq!(house.tree.stats().await.unwrap().set_aside, [(Kind::Interview, 1)]);
    assert!(is_applied(&house.push(id, 1, Event::Note(1)).await));
}

/// A row of an entity's inbox, under the second key.
fn row(world: &World, id: EntityId, event: String) -> NewInboxRow {
    NewInboxRow {
        key: delivery_key(2),
        tenant: TenantId::DEFAULT,
        to: key_of(id),
        waits_for: None,
        schema: 1,
        event,
        remarks: None,
        raw: None,
        hops: 0,
        attempts: 0,
        received_at: world.clock.now(),
    }
}
