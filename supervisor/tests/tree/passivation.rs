//! Passivation without a lost delivery.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use domain::Cause;
use futures_util::future::join_all;
use supervisor::{Routed, TreeSettings, Unavailable};
use tokio::time::Instant;

use crate::toy::Event;
use crate::world::{House, World, delivery_key, entity, incoming, is_applied, pass_s};

/// Deliveries, over all tasks.
const DELIVERIES: u64 = 1_000_000;
/// Entities they go to.
const ENTITIES: u64 = 1_000;
/// Tasks that push.
const TASKS: u64 = 8;
/// Deliveries one task has under way at once.
const AT_ONCE: u64 = 256;
/// Deliveries that may take the slow way, as all under way do when the machine stalls for a moment.
/// One that an entity took to rest with it does too, so many of them are a defect, although none is lost.
const SLOW_WAYS_MAX: u64 = DELIVERIES / 200;

#[tokio::test(start_paused = true)]
async fn idle_entity_is_sent_to_rest_and_comes_back_with_the_next_delivery() {
    let world = World::new();
    let settings = TreeSettings { passivate_after: Duration::from_secs(60), ..Default::default() };
    let house = world.start_with(settings).await;
    let id = entity(1);
    house.push(id, 1, Event::Count).await.unwrap();
    pass_s(50).await;
    assert!(house.toys.is_live(id));

    pass_s(20).await;
    assert!(!house.toys.is_live(id));
    assert_eq!(house.tree.stats().await.unwrap().kinds[0].live, 0);

    assert!(is_applied(&house.push(id, 2, Event::Count).await));
    assert_eq!(world.toy(id).count, 2);
    assert_eq!(world.memory.loads(id), 2);
}

#[tokio::test(start_paused = true)]
async fn entity_at_work_is_not_sent_to_rest() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let id = entity(1);
    world.memory.hold(true);
    let push = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.push(id, 1, Event::Count).await }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;

    assert_eq!(house.toys.passivate(world.clock.now() + chrono::Duration::seconds(9)), 0);

    world.memory.hold(false);
    assert!(is_applied(&push.await.unwrap()));
}

/// On real time and real threads, because it is about races.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn million_deliveries_against_constant_passivation_count_once_each() {
    let world = World::new();
    world.memory.keep_no_facts();
    let house = Arc::new(world.start().await);
    let began = Instant::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let parked = Arc::new(AtomicU64::new(0));
    let passivator = tokio::spawn(passivate(Arc::clone(&house), Arc::clone(&is_over)));

    let tasks = (0..TASKS).map(|task| {
        let (house, parked) = (Arc::clone(&house), Arc::clone(&parked));
        tokio::spawn(push_share(house, task, parked))
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let pushed = began.elapsed();
    // What took the slow way is applied in a moment.
    while (0..ENTITIES).any(|n| !world.memory.rows(entity(n.into())).is_empty()) {
        assert!(began.elapsed() < pushed + Duration::from_secs(45), "a row is stuck");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    is_over.store(true, Ordering::Release);
    let passivated = passivator.await.unwrap();

    let mut steps = 0;
    for n in 0..ENTITIES {
        let row = world.memory.entity(entity(n.into())).unwrap();
        let toy = world.toy(entity(n.into()));
        assert_eq!(toy.count, DELIVERIES / ENTITIES, "entity {n}");
        assert_eq!(row.facts, i64::try_from(toy.count).unwrap(), "entity {n}");
        steps += row.version;
    }
    assert_eq!(world.memory.seq(), i64::try_from(DELIVERIES).unwrap());
    let parked = parked.load(Ordering::Relaxed);
    println!(
        "{DELIVERIES} deliveries in {pushed:.1?}: {steps} steps, {passivated} times sent to rest, \
         {parked} took the slow way"
    );
    assert!(passivated > ENTITIES as usize, "the passivator hardly got to work");
}

async fn passivate(house: Arc<House>, is_over: Arc<AtomicBool>) -> usize {
    let mut passivated = 0;
    while !is_over.load(Ordering::Acquire) {
        passivated += house.toys.passivate(chrono::DateTime::<chrono::Utc>::MAX_UTC);
        tokio::task::yield_now().await;
    }
    passivated
}

async fn push_share(house: Arc<House>, task: u64, parked: Arc<AtomicU64>) {
    let share = DELIVERIES / TASKS;
    for start in (0..share).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let some = (start..share.min(start + AT_ONCE)).map(|n| {
            let n = task * share + n;
            push_until_taken(&house, n, &parked)
        });
        join_all(some).await;
    }
}

async fn push_until_taken(house: &House, n: u64, parked: &AtomicU64) {
    // Neighbours in time go to different entities, and sometimes several to one.
    let id = entity(((n * 7) % ENTITIES).into());
    let cause = Cause::Pushed { key: delivery_key(n.into()), raw: Arc::from([]) };
    let delivery = incoming(id, cause, Event::Count, chrono::DateTime::UNIX_EPOCH);
    loop {
        match house.toys.route(delivery.clone()).await {
            Ok(Routed::Applied { .. }) => return,
            Ok(Routed::Parked) => {
                let before = parked.fetch_add(1, Ordering::Relaxed);
                assert!(before < SLOW_WAYS_MAX, "deliveries wait where nobody takes them");
                return;
            }
            Err(Unavailable::Busy) => tokio::task::yield_now().await,
            other => panic!("delivery {n}: {other:?}"),
        }
    }
}
