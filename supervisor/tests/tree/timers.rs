//! Wake times are rows: they survive restarts, crashes and everything a process forgets.

use std::time::Duration;

use chrono::TimeDelta;
use domain::ports::Timers as _;

use crate::toy::Event;
use crate::world::{World, entity, pass, pass_s};

#[tokio::test(start_paused = true)]
async fn wake_time_fires_once_and_is_taken_away() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    let due = world.clock.now() + TimeDelta::seconds(5);
    house.push(id, 1, Event::WakeAt(due)).await.unwrap();

    pass_s(4).await;
    assert_eq!(world.toy(id).woken, 0);
    pass_s(2).await;
    assert_eq!(world.toy(id).woken, 1);
    assert_eq!(world.memory.wake(id), None);
    pass_s(300).await;
    assert_eq!(world.toy(id).woken, 1);
}

#[tokio::test(start_paused = true)]
async fn wake_time_that_came_while_nothing_ran_fires_once_at_the_next_start() {
    let world = World::new();
    let first = world.start().await;
    let id = entity(1);
    let due = world.clock.now() + TimeDelta::seconds(60);
    first.push(id, 1, Event::WakeAt(due)).await.unwrap();
    first.kill().await;
    pass_s(600).await;
    assert_eq!(world.toy(id).woken, 0);

    let _second = world.start().await;
    pass_s(1).await;
    assert_eq!(world.toy(id).woken, 1);
    pass_s(300).await;
    assert_eq!(world.toy(id).woken, 1);
}

#[tokio::test(start_paused = true)]
async fn wake_time_of_a_passivated_entity_brings_it_back() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    let due = world.clock.now() + TimeDelta::hours(3);
    house.push(id, 1, Event::WakeAt(due)).await.unwrap();
    pass_s(3_600).await;
    assert!(!house.toys.is_live(id));

    pass_s(2 * 3_600 + 1).await;
    assert_eq!(world.toy(id).woken, 1);
}

#[tokio::test(start_paused = true)]
async fn wake_time_taken_by_a_process_that_crashed_comes_back_after_30_s() {
    let world = World::new();
    let first = world.start().await;
    let id = entity(1);
    let due = world.clock.now() + TimeDelta::seconds(5);
    first.push(id, 1, Event::WakeAt(due)).await.unwrap();
    first.kill().await;
    pass_s(6).await;
    // What a process does that takes it, and is killed before it tells the entity.
    let taken = world.memory.take_due(world.clock.now(), 500).await.unwrap();
    assert_eq!(taken.len(), 1);

    let _second = world.start().await;
    pass_s(28).await;
    assert_eq!(world.toy(id).woken, 0);
    pass_s(3).await;
    assert_eq!(world.toy(id).woken, 1);
}

#[tokio::test(start_paused = true)]
async fn wake_time_that_moved_fires_at_the_new_time_only() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    let now = world.clock.now();
    house.push(id, 1, Event::WakeAt(now + TimeDelta::seconds(10))).await.unwrap();
    house.push(id, 2, Event::WakeAt(now + TimeDelta::seconds(100))).await.unwrap();

    pass_s(99).await;
    assert_eq!(world.toy(id).woken, 0);
    pass_s(2).await;
    assert_eq!(world.toy(id).woken, 1);

    let now = world.clock.now();
    house.push(id, 3, Event::WakeAt(now + TimeDelta::seconds(100))).await.unwrap();
    house.push(id, 4, Event::WakeAt(now + TimeDelta::seconds(10))).await.unwrap();
    pass_s(11).await;
    assert_eq!(world.toy(id).woken, 2);
}

#[tokio::test(start_paused = true)]
async fn many_wake_times_missed_together_are_spread_out_and_fire_once_each() {
    let world = World::new();
    let first = world.start().await;
    let due = world.clock.now() + TimeDelta::seconds(5);
    for n in 0..1_200 {
        first.push(entity(n), n, Event::WakeAt(due)).await.unwrap();
    }
    first.kill().await;
    pass_s(60).await;
    let woken = || (0..1_200).map(|n| world.toy(entity(n)).woken).sum::<u32>();

    let _second = world.start().await;
    pass(Duration::from_millis(300)).await;
    assert_eq!(woken(), 500);
    pass_s(1).await;
    assert_eq!(woken(), 1_200);
    pass_s(120).await;
    assert_eq!(woken(), 1_200);
}
