//! A poison hurts one entity: backoff, restart, quarantine, release.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::Quarantine as _;
use domain::{Rejected, TenantId};
use supervisor::Routed;

use crate::toy::{Event, poison};
use crate::world::{World, delivery_key, entity, incoming, is_applied, key_of, pass, pass_s};

#[tokio::test(start_paused = true)]
async fn poison_is_parked_and_counted_and_its_siblings_notice_nothing() {
    let world = World::new();
    let house = world.start().await;
    let (sick, well) = (entity(1), entity(2));
    house.push(sick, 1, Event::Note(1)).await.unwrap();
    house.push(well, 2, Event::Note(1)).await.unwrap();
    poison(101, true);

    let routed = house.push(sick, 3, Event::Note(101)).await.unwrap();

    assert_eq!(routed, Routed::Parked);
    assert_eq!(world.memory.rows(sick)[0].attempts, 1);
    assert!(is_applied(&house.push(well, 4, Event::Note(2)).await));
    assert_eq!(world.memory.loads(well), 1);
    // It is cured before it is started again.
    poison(101, false);
    pass_s(1).await;
    assert_eq!(world.toy(sick).notes, [1, 101]);
    assert!(is_applied(&house.push(sick, 5, Event::Note(2)).await));
}

#[tokio::test(start_paused = true)]
async fn entity_over_its_restart_intensity_is_quarantined_with_its_poison() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    let tenant = TenantId(uuid::Uuid::from_u128(7));
    let push = |n: u128, note: u32| {
        let cause = domain::Cause::Pushed { key: delivery_key(n), raw: Arc::from(*b"{}") };
        let mut incoming = incoming(id, cause, Event::Note(note), world.clock.now());
        incoming.tenant = tenant;
        house.toys.route(incoming)
    };
    push(1, 1).await.unwrap();
    poison(102, true);
    assert_eq!(push(2, 102).await.unwrap(), Routed::Parked);
    assert_eq!(push(3, 3).await.unwrap(), Routed::Parked, "it waits for its restart");
    pass_s(5).await;

    let list = world.memory.list(10).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].key, list[0].poison), (key_of(id), Some(delivery_key(2).0)));
    assert!(list[0].reason.contains("note 102 is poison"), "{}", list[0].reason);
    assert_eq!(world.memory.rows(id)[0].attempts, 4);
    assert_eq!(push(4, 4).await.unwrap(), Routed::Parked);
    pass_s(120).await;
    assert_eq!(world.memory.rows(id).len(), 3, "nothing is lost, nothing is tried");
    assert_eq!(world.memory.rows(id)[0].attempts, 4);

    poison(102, false);
    assert!(house.tree.release(key_of(id), None).await.unwrap());
    pass_s(1).await;
    assert_eq!(world.toy(id).notes, [1, 102, 3, 4]);
    assert_eq!(world.memory.entity(id).unwrap().tenant, tenant);
    assert!(is_applied(&push(5, 5).await));
}

#[tokio::test(start_paused = true)]
async fn quarantine_and_what_waits_survive_a_restart() {
    let world = World::new();
    let first = world.start().await;
    let id = entity(1);
    poison(103, true);
    first.push(id, 1, Event::Note(1)).await.unwrap();
    first.push(id, 2, Event::Note(103)).await.unwrap();
    pass_s(5).await;
    first.kill().await;

    let second = world.start_up().await;
    assert_eq!(second.push(id, 3, Event::Note(3)).await.unwrap(), Routed::Parked);
    pass_s(60).await;
    assert_eq!(world.toy(id).notes, [1]);
    assert_eq!(second.tree.stats().await.unwrap().quarantined[0].waiting, 2);

    poison(103, false);
    assert!(second.tree.release(key_of(id), None).await.unwrap());
    assert!(!second.tree.release(key_of(id), None).await.unwrap());
    pass_s(1).await;
    assert_eq!(world.toy(id).notes, [1, 103, 3]);
}

#[tokio::test(start_paused = true)]
async fn entity_that_another_process_released_is_served_here_again() {
    let world = World::new();
    let here = world.start().await;
    let there = world.start().await;
    let id = entity(1);
    poison(104, true);
    here.push(id, 1, Event::Note(1)).await.unwrap();
    here.push(id, 2, Event::Note(104)).await.unwrap();
    pass_s(5).await;
    assert_eq!(here.push(id, 3, Event::Note(3)).await.unwrap(), Routed::Parked);

    poison(104, false);
    assert!(there.tree.release(key_of(id), None).await.unwrap());
    pass_s(30).await;

    assert_eq!(world.toy(id).notes, [1, 104, 3]);
    assert!(is_applied(&here.push(id, 4, Event::Note(4)).await));
}

#[tokio::test(start_paused = true)]
async fn what_waits_before_the_poison_is_decided_and_what_waits_behind_is_not_lost() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let id = entity(1);
    house.push(id, 0, Event::Note(0)).await.unwrap();
    poison(105, true);
    world.memory.hold(true);
    let busy = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.push(id, 1, Event::Note(1)).await }
    });
    pass(Duration::from_millis(1)).await;
    let pushes = [2, 3, 105, 4, 5].map(|note| {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.push(id, note.into(), Event::Note(note)).await.unwrap() })
    });
    pass(Duration::from_millis(1)).await;
    world.memory.hold(false);
    busy.await.unwrap().unwrap();
    let mut routed = Vec::new();
    for push in pushes {
        routed.push(push.await.unwrap());
    }

    assert!(routed[..2].iter().all(|one| matches!(one, Routed::Applied { .. })), "{routed:?}");
    assert!(routed[2..].iter().all(|one| *one == Routed::Parked), "{routed:?}");
    assert_eq!(world.toy(id).notes, [0, 1, 2, 3]);
    poison(105, false);
    pass_s(2).await;
    let mut notes = world.toy(id).notes;
    assert_eq!(notes[..4], [0, 1, 2, 3]);
    notes.sort_unstable();
    assert_eq!(notes, [0, 1, 2, 3, 4, 5, 105]);
}

#[tokio::test(start_paused = true)]
async fn command_that_panics_is_unavailable_and_the_entity_goes_on() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    poison(106, true);

    assert!(house.command(id, Event::Note(106)).await.is_err());
    pass_s(1).await;

    assert!(is_applied(&house.push(id, 2, Event::Note(2)).await));
    assert_eq!(
        house.push(id, 2, Event::Note(2)).await.unwrap(),
        Routed::Rejected(Rejected::Duplicate)
    );
    assert_eq!(house.tree.stats().await.unwrap().kinds[0].restarted, 1);
}

#[tokio::test(start_paused = true)]
async fn checkpoint_that_cannot_be_read_is_quarantined_and_its_siblings_are_served() {
    let world = World::new();
    let house = world.start().await;
    world.memory.spoil(entity(1));

    let (sick, well) = tokio::join!(
        house.push(entity(1), 1, Event::Count),
        house.push(entity(2), 2, Event::Count),
    );

    assert_eq!(sick.unwrap(), Routed::Parked);
    assert!(is_applied(&well));
    pass_s(1).await;
    let list = world.memory.list(10).await.unwrap();
    assert!(list[0].reason.contains("cannot be read"), "{}", list[0].reason);
}
