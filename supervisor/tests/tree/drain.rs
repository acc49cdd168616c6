//! Going down in order, within a bound, and leaving nothing behind.

use std::sync::Arc;
use std::time::Duration;

use domain::OperationClass::Blind;
use domain::Reach;
use supervisor::{Routed, Unavailable};
use tokio::time::Instant;

use crate::memory::Status;
use crate::toy::{Event, intent};
use crate::world::{World, entity, is_applied, pass, pass_s};

const PATIENCE: Duration = Duration::from_secs(4);

#[tokio::test(start_paused = true)]
async fn deliveries_in_flight_are_answered_and_later_ones_are_unavailable() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    for n in 0..50 {
        house.push(entity(n), n, Event::Count).await.unwrap();
    }
    world.memory.fail(|faults| faults.journal_delay = Duration::from_millis(500));
    let pushes: Vec<_> = (0..60)
        .map(|n| {
            let house = Arc::clone(&house);
            // The last ten are for entities that are not loaded yet.
            tokio::spawn(async move { house.push(entity(n), 100 + n, Event::Count).await })
        })
        .collect();
    pass(Duration::from_millis(1)).await;

    let began = Instant::now();
    house.tree.drain(PATIENCE).await;
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let late = house.push(entity(1), 999, Event::Count).await;
    assert!(matches!(late, Err(Unavailable::Away(_))), "{late:?}");

    for push in pushes {
        assert!(is_applied(&push.await.unwrap()));
    }
    let counted: u64 = (0..60).map(|n| world.toy(entity(n)).count).sum();
    assert_eq!(counted, 110);
}

#[tokio::test(start_paused = true)]
async fn drain_is_bounded_when_the_journal_hangs_and_nothing_is_lost() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let id = entity(1);
    house.push(id, 1, Event::Note(1)).await.unwrap();
    world.memory.hold(true);
    let push = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.push(id, 2, Event::Note(2)).await }
    });
    pass(Duration::from_millis(1)).await;

    let began = Instant::now();
    house.tree.drain(PATIENCE).await;
    assert!(began.elapsed() < PATIENCE + Duration::from_secs(1), "{:?}", began.elapsed());
    let routed = push.await.unwrap();
    assert_eq!(routed.unwrap(), Routed::Parked);

    world.memory.hold(false);
    let _next = world.start().await;
    pass_s(60).await;
    assert_eq!(world.toy(id).notes, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn outcome_of_an_effect_under_way_is_kept() {
    let world = World::new();
    let house = world.start_up().await;
    let id = entity(1);
    world.outside.takes(Duration::from_secs(2));
    house.push(id, 1, Event::owe(1, Blind, Reach::Rings)).await.unwrap();
    pass_s(1).await;
    assert_eq!(world.outside.calls().len(), 1);

    house.tree.drain(PATIENCE).await;

    assert_eq!(world.memory.intent(intent(id, 1)).unwrap().status, Status::Done);
    assert_eq!(world.toy(id).heard, ["done 1.1"]);
}

#[tokio::test(start_paused = true)]
async fn dial_that_was_about_to_go_out_is_planned_again() {
    let world = World::new();
    let house = world.start_up().await;
    let id = entity(1);
    house.push(id, 1, Event::owe(1, Blind, Reach::Rings)).await.unwrap();
    let status = || world.memory.intent(intent(id, 1)).unwrap().status;
    world.memory.fail(|faults| faults.store_delay = Duration::from_millis(300));
    while status() == Status::Planned {
        pass(Duration::from_millis(1)).await;
    }

    house.tree.drain(PATIENCE).await;
    assert!(world.outside.calls().is_empty());
    assert_eq!(status(), Status::Planned);

    world.memory.fail(|faults| faults.store_delay = Duration::ZERO);
    let _next = world.start_up().await;
    pass_s(60).await;
    assert_eq!(world.outside.calls().len(), 1);
    assert_eq!(world.toy(id).heard, ["held", "done 1.2"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_tree_that_was_drained() {
    let world = World::new();
    let house = world.start_up().await;
    for n in 0..50 {
        house.push(entity(n), n, Event::Count).await.unwrap();
    }
    let toys = Arc::downgrade(&house.toys);
    house.tree.drain(PATIENCE).await;
    assert_eq!(house.tree.tracker().len(), 0);
    house.kill().await;
    pass_s(1).await;

    assert!(toys.upgrade().is_none(), "something still holds the branch");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_tree_that_was_killed() {
    let world = World::new();
    let house = world.start_up().await;
    world.memory.hold(true);
    for n in 0..50 {
        let (toys, now) = (Arc::clone(&house.toys), world.clock.now());
        let event = crate::world::incoming(entity(n), domain::Cause::Command, Event::Count, now);
        tokio::spawn(async move { toys.route(event).await });
    }
    pass_s(1).await;
    let toys = Arc::downgrade(&house.toys);
    house.kill().await;
    pass_s(10).await;

    assert!(toys.upgrade().is_none(), "something still holds the branch");
}

#[tokio::test(start_paused = true)]
async fn start_that_is_drained_while_it_comes_up_never_dials() {
    let world = World::new();
    let house = world.start().await;
    house.push(entity(1), 1, Event::owe(1, Blind, Reach::Rings)).await.unwrap();
    let coming_up = tokio::spawn({
        let tree = Arc::clone(&house.tree);
        async move { tree.come_up(pass_s(3_600)).await }
    });
    pass_s(1).await;
    house.tree.drain(PATIENCE).await;

    pass_s(1).await;
    assert!(coming_up.is_finished());
    assert_ne!(house.tree.phase(), supervisor::Phase::Dialing);
    assert!(world.outside.calls().is_empty());
}
