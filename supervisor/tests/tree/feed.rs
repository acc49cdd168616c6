//! The feed: each committed fact once, in order, without a hole, whoever committed it.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{FactRecord, FactSink as _, State, Step, StoredFact, Verdict, Wake};
use domain::{EntityId, TenantId};
use supervisor::{Batch, Feed, History};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::toy::Event;
use crate::world::{World, entity, key_of, pass, pass_s};

fn received(live: &mut Receiver<Batch>) -> Vec<i64> {
    let mut seqs = Vec::new();
    loop {
        match live.try_recv() {
            Ok(batch) => seqs.extend(batch.iter().map(|fact| fact.seq)),
            Err(TryRecvError::Empty) => return seqs,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Commits `count` facts of an entity of its own, as another process does.
fn commit_elsewhere(world: &World, id: EntityId, expected: i64, count: usize) {
    let fact = FactRecord {
        name: "counted",
        schema: 1,
        data: "\"Counted\"".to_owned(),
        at: world.clock.now(),
    };
    let step = Step {
        key: key_of(id),
        tenant: TenantId::DEFAULT,
        expected,
        state: State::Moved { schema: 1, state: "{}".to_owned(), columns: Vec::new() },
        wake: Wake::Keep,
        deliveries: Vec::new(),
        facts: vec![fact; count],
        intents: Vec::new(),
        signals: Vec::new(),
        aliases: Vec::new(),
        erase: false,
    };
    let verdict = world.memory.commit_elsewhere(&step);
    assert!(matches!(verdict, Verdict::Committed { .. }), "{verdict:?}");
}

fn held(feed: &Feed, after: i64) -> Vec<i64> {
    match feed.after(after, usize::MAX) {
        History::Held { facts, .. } => facts.iter().map(|fact| fact.seq).collect(),
        History::Older(first) => panic!("memory begins only after {first}"),
    }
}

#[tokio::test(start_paused = true)]
async fn committed_facts_arrive_in_order_and_once() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let feed = world.start_feed(&house);
    let mut live = feed.subscribe();
    pass(Duration::from_millis(1)).await;
    let pushes: Vec<_> = (0..200_u128)
        .map(|n| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { house.push(entity(n % 7), n, Event::Count).await })
        })
        .collect();
    for push in pushes {
        push.await.unwrap().unwrap();
    }

    assert_eq!(received(&mut live), (1..=200).collect::<Vec<_>>());
    assert_eq!(feed.last(), 200);
    pass_s(5).await;
    assert!(received(&mut live).is_empty());
}

#[tokio::test(start_paused = true)]
async fn hole_that_another_process_made_is_filled_from_the_table() {
    let world = World::new();
    let house = world.start().await;
    let feed = world.start_feed(&house);
    let mut live = feed.subscribe();
    house.push(entity(1), 1, Event::Count).await.unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(received(&mut live), [1]);

    commit_elsewhere(&world, entity(9), 0, 3);
    house.push(entity(1), 2, Event::Count).await.unwrap();
    house.push(entity(1), 3, Event::Count).await.unwrap();
    pass(Duration::from_millis(10)).await;

    assert_eq!(received(&mut live), [2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn facts_of_another_process_alone_are_found_within_a_second() {
    let world = World::new();
    let house = world.start().await;
    let feed = world.start_feed(&house);
    let mut live = feed.subscribe();
    pass(Duration::from_millis(1)).await;
    commit_elsewhere(&world, entity(9), 0, 2_500);
    pass(Duration::from_millis(1_100)).await;

    assert_eq!(received(&mut live), (1..=2_500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn pages_full_of_facts_that_only_a_newer_release_knows_do_not_stop_the_feed() {
    let world = World::new();
    let house = world.start().await;
    let feed = world.start_feed(&house);
    let mut live = feed.subscribe();
    pass(Duration::from_millis(1)).await;
    // Three pages of them, and one that is known behind them.
    commit_elsewhere(&world, entity(9), 0, 3_000);
    (1..=3_000).for_each(|seq| world.memory.forget_kind(seq));
    pass_s(2).await;
    assert_eq!((received(&mut live), feed.last()), (vec![], 3_000));

    house.push(entity(1), 1, Event::Count).await.unwrap();
    pass(Duration::from_millis(10)).await;
    assert_eq!(received(&mut live), [3_001]);
    // Who resumes before them is told how far that reaches, from memory.
    assert!(matches!(feed.after(0, 9), History::Held { facts, to: 3_001 } if facts.len() == 1));
    assert!(matches!(feed.after(7, 0), History::Held { facts, to: 7 } if facts.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn table_that_is_away_delays_the_feed_and_loses_nothing() {
    let world = World::new();
    let house = world.start().await;
    let feed = world.start_feed(&house);
    let mut live = feed.subscribe();
    house.push(entity(1), 1, Event::Count).await.unwrap();
    pass(Duration::from_millis(1)).await;
    world.memory.fail(|faults| faults.store_away = true);
    commit_elsewhere(&world, entity(9), 0, 1);
    for n in 2..2_000_u128 {
        house.push(entity(1), n, Event::Count).await.unwrap();
    }
    pass_s(5).await;
    assert_eq!(received(&mut live), [1]);

    world.memory.fail(|faults| faults.store_away = false);
    pass_s(2).await;
    assert_eq!(received(&mut live), (2..=2_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn late_subscriber_has_no_gap_and_no_repeat() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let feed = world.start_feed(&house);
    pass(Duration::from_millis(1)).await;
    let pushing = tokio::spawn({
        let house = Arc::clone(&house);
        async move {
            for n in 0..500_u128 {
                house.push(entity(n % 5), n, Event::Count).await.unwrap();
                if n % 3 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    let mut watchers = Vec::new();
    for start in [0, 3, 40, 120] {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let mut live = feed.subscribe();
        let mut seqs = held(&feed, start);
        watchers.push(tokio::spawn(async move {
            let mut last = seqs.last().copied().unwrap_or(start);
            while last < 500 {
                for fact in live.recv().await.unwrap().iter().filter(|fact| fact.seq > last) {
                    seqs.push(fact.seq);
                }
                last = seqs.last().copied().unwrap_or(last);
            }
            assert_eq!(seqs, (start + 1..=500).collect::<Vec<_>>());
        }));
    }
    pushing.await.unwrap();
    for watcher in watchers {
        watcher.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn feed_of_a_new_process_begins_where_the_log_stands() {
    let world = World::new();
    let first = world.start().await;
    for n in 0..10 {
        first.push(entity(1), n, Event::Count).await.unwrap();
    }
    first.kill().await;

    let second = world.start().await;
    let feed = world.start_feed(&second);
    let mut live = feed.subscribe();
    // Committed before the feed knows where the log stands.
    second.push(entity(1), 10, Event::Count).await.unwrap();
    pass_s(2).await;
    second.push(entity(1), 11, Event::Count).await.unwrap();

    assert!(matches!(feed.after(5, 9), History::Older(10 | 11)), "{:?}", feed.after(5, 9));
    let live = received(&mut live);
    assert_eq!(live.last(), Some(&12));
    assert_eq!(held(&feed, 11), [12]);
    assert!(held(&feed, 12).is_empty());
}

#[tokio::test(start_paused = true)]
async fn memory_of_the_feed_is_bounded_and_says_where_it_begins() {
    let world = World::new();
    let house = world.start().await;
    let feed = world.start_feed(&house);
    pass(Duration::from_millis(1)).await;
    let fact = |seq| StoredFact {
        seq,
        tenant: TenantId::DEFAULT,
        key: key_of(entity(1)),
        version: seq,
        name: "counted".to_owned(),
        schema: 1,
        data: String::new(),
        at: world.clock.now(),
    };
    for batch in 0..70 {
        feed.publish((1..=1_000).map(|n| fact(batch * 1_000 + n)).collect());
    }

    assert!(matches!(feed.after(0, 9), History::Older(4_464)));
    assert_eq!(held(&feed, 4_464).len(), 65_536);
}
