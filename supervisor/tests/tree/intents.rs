//! What is owed to the outside: sent once, and treated as its class says when its fate is open.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::OperationClass::{Blind, Idempotent, Searchable};
use domain::{EntityId, Reach};

use crate::memory::Status;
use crate::toy::{Does, Event, Finds, Owed, intent, poison};
use crate::world::{House, World, entity, pass, pass_s};

/// From the `sending` commit to the first look at what became of it.
const LOOK_AFTER_S: u64 = 30;

async fn owe(house: &House, id: EntityId, class: domain::OperationClass, reach: Reach) {
    house.push(id, 1, Event::owe(1, class, reach)).await.unwrap();
}

fn status(world: &World, id: EntityId) -> Status {
    world.memory.intent(intent(id, 1)).unwrap().status
}

fn attempts(world: &World) -> Vec<u32> {
    world.outside.calls().iter().map(|call| call.attempt).collect()
}

#[tokio::test(start_paused = true)]
async fn owed_effect_is_performed_once_and_its_outcome_comes_back() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    owe(&house, id, Blind, Reach::Silent).await;
    pass_s(1).await;

    assert_eq!(attempts(&world), [1]);
    assert_eq!(world.toy(id).heard, ["done 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
    pass_s(600).await;
    assert_eq!(attempts(&world), [1]);
}

#[tokio::test(start_paused = true)]
async fn planned_effect_of_a_process_that_crashed_is_sent_by_the_next() {
    let world = World::new();
    let first = world.start().await;
    let id = entity(1);
    owe(&first, id, Blind, Reach::Rings).await;
    first.kill().await;
    assert!(attempts(&world).is_empty());

    let _second = world.start_up().await;
    pass_s(1).await;
    assert_eq!(attempts(&world), [1]);
    assert_eq!(status(&world, id), Status::Done);
}

#[tokio::test(start_paused = true)]
async fn idempotent_effect_is_sent_again_only_after_its_time_and_the_settling() {
    let world = World::new();
    let first = world.start().await;
    let id = entity(1);
    world.outside.will([Does::Hangs]);
    owe(&first, id, Idempotent, Reach::Silent).await;
    pass_s(1).await;
    let sent_at = world.outside.calls()[0].at;
    first.kill().await;

    let _second = world.start().await;
    pass_s(LOOK_AFTER_S - 3).await;
    assert_eq!(attempts(&world), [1]);
    pass_s(4).await;

    assert_eq!(attempts(&world), [1, 2]);
    let waited = world.outside.calls()[1].at - sent_at;
    assert!(waited >= TimeDelta::seconds(LOOK_AFTER_S.cast_signed()), "{waited}");
    assert_eq!(world.toy(id).heard, ["done 1.2"]);
    assert_eq!(status(&world, id), Status::Done);
}

#[tokio::test(start_paused = true)]
async fn blind_effect_is_never_sent_again_and_ends_as_unknown() {
    let world = World::new();
    let first = world.start_up().await;
    let id = entity(1);
    world.outside.will([Does::Hangs]);
    owe(&first, id, Blind, Reach::Rings).await;
    pass_s(1).await;
    first.kill().await;

    let _second = world.start_up().await;
    pass_s(LOOK_AFTER_S + 2).await;
    assert_eq!(status(&world, id), Status::Ambiguous);
    pass_s(120 * 60).await;
    assert_eq!(status(&world, id), Status::Ambiguous, "it holds its person for the longest call");
    pass_s(11 * 60).await;

    assert_eq!(status(&world, id), Status::Done);
    assert_eq!(world.toy(id).heard, ["unknown"]);
    assert_eq!(attempts(&world), [1]);
}

#[tokio::test(start_paused = true)]
async fn searchable_effect_is_looked_up_twice_before_it_is_sent_again() {
    let world = World::new();
    let first = world.start_up().await;
    let id = entity(1);
    world.outside.will([Does::IsUnsure]);
    world.outside.will_find([Finds::NoAnswer, Finds::Nothing, Finds::Nothing]);
    owe(&first, id, Searchable, Reach::Rings).await;
    pass_s(1).await;
    assert_eq!(status(&world, id), Status::Sending);
    assert_eq!(world.toy(id).heard, ["unsure"]);

    pass_s(LOOK_AFTER_S + 1).await;
    assert_eq!(world.outside.lookups().len(), 1);
    pass_s(31).await;
    assert_eq!(world.outside.lookups().len(), 2, "an incomplete lookup is repeated");
    assert_eq!(world.memory.intent(intent(id, 1)).unwrap().lookups, 1);
    assert_eq!(attempts(&world), [1], "one complete lookup proves nothing");
    pass_s(22).await;

    let lookups = world.outside.lookups();
    assert_eq!(lookups.len(), 3);
    assert!(lookups[2] - lookups[1] >= TimeDelta::seconds(20), "a settling time apart");
    assert_eq!(attempts(&world), [1, 2]);
    assert_eq!(world.toy(id).heard, ["unsure", "done 1.2"]);
}

#[tokio::test(start_paused = true)]
async fn searchable_effect_that_cannot_be_told_from_another_is_ambiguous_at_once() {
    let world = World::new();
    let house = world.start_up().await;
    let id = entity(1);
    world.outside.will([Does::IsUnsure]);
    world.outside.will_find([Finds::SomethingLikeIt]);
    owe(&house, id, Searchable, Reach::Rings).await;
    pass_s(LOOK_AFTER_S + 2).await;
    assert_eq!(status(&world, id), Status::Ambiguous);
    pass_s(131 * 60).await;
    assert_eq!(status(&world, id), Status::Done);
    assert_eq!(world.toy(id).heard, ["unsure", "unknown"]);
    assert_eq!(attempts(&world), [1]);
}

#[tokio::test(start_paused = true)]
async fn searchable_effect_that_is_found_is_not_sent_again() {
    let world = World::new();
    let first = world.start_up().await;
    let id = entity(1);
    world.outside.will([Does::Hangs]);
    world.outside.will_find([Finds::Nothing, Finds::Done]);
    owe(&first, id, Searchable, Reach::Rings).await;
    pass_s(1).await;
    first.kill().await;

    let _second = world.start_up().await;
    pass_s(120).await;
    assert_eq!(attempts(&world), [1]);
    assert_eq!(world.toy(id).heard, ["found 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
}

#[tokio::test(start_paused = true)]
async fn outcome_waits_for_a_journal_that_is_away() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.outside.takes(Duration::from_secs(2));
    owe(&house, id, Blind, Reach::Silent).await;
    pass_s(1).await;
    world.memory.fail(|faults| (faults.journal_away, faults.store_away) = (true, true));
    pass_s(10).await;
    assert!(world.toy(id).heard.is_empty());

    world.memory.fail(|faults| *faults = Default::default());
    pass_s(10).await;
    assert_eq!(world.toy(id).heard, ["done 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
}

#[tokio::test(start_paused = true)]
async fn outcome_whose_commit_reply_was_lost_counts_once() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.outside.takes(Duration::from_secs(2));
    owe(&house, id, Blind, Reach::Silent).await;
    pass_s(1).await;
    world.memory.fail(|faults| faults.replies_lost = 1);
    pass_s(10).await;

    assert_eq!(world.toy(id).heard, ["done 1.1"]);
}

#[tokio::test(start_paused = true)]
async fn late_outcome_of_an_earlier_attempt_is_taken_and_ends_the_later_one() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.outside.takes(Duration::from_secs(40));
    owe(&house, id, Idempotent, Reach::Silent).await;
    pass_s(38).await;
    assert_eq!(attempts(&world), [1, 2], "the first was not answered in its time");
    pass_s(5).await;
    assert_eq!(world.toy(id).heard, ["done 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
    pass_s(300).await;
    assert_eq!(world.toy(id).heard, ["done 1.1"], "counted once");
    assert_eq!(attempts(&world), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn outcome_reaches_its_owner_although_rows_wait_before_it() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.outside.takes(Duration::from_secs(2));
    owe(&house, id, Blind, Reach::Silent).await;
    pass_s(1).await;
    world.memory.fail(|faults| faults.store_away = true);
    house.toys.look_into_inbox(id);
    pass_s(5).await;

    assert_eq!(world.toy(id).heard, ["done 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
    assert!(world.memory.rows(id).is_empty());
}

#[tokio::test(start_paused = true)]
async fn outcome_that_finds_its_owner_crashed_is_told_again_and_settles_its_intent() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    world.outside.takes(Duration::from_secs(2));
    owe(&house, id, Blind, Reach::Silent).await;
    pass(Duration::from_millis(1_900)).await;
    poison(201, true);
    house.push(id, 2, Event::Note(201)).await.unwrap();
    poison(201, false);
    pass_s(2).await;

    assert_eq!(world.toy(id).notes, [201]);
    assert_eq!(world.toy(id).heard, ["done 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
}

#[tokio::test(start_paused = true)]
async fn offer_that_comes_late_does_not_end_what_is_on_its_way() {
    let world = World::new();
    let house = Arc::new(world.start_up().await);
    let id = entity(1);
    world.outside.takes(Duration::from_secs(9));
    owe(&house, id, Blind, Reach::Rings).await;
    // Its owner is held up for so long that it is offered a second time.
    world.memory.hold(true);
    let push = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.push(id, 2, Event::Count).await }
    });
    pass_s(32).await;
    push.await.unwrap().unwrap();
    world.memory.hold(false);
    pass_s(5).await;
    assert_eq!(status(&world, id), Status::Sending);
    pass_s(60).await;

    assert_eq!(attempts(&world), [1]);
    assert_eq!(world.toy(id).heard, ["done 1.1"]);
    assert_eq!(status(&world, id), Status::Done);
}

#[tokio::test(start_paused = true)]
async fn effect_whose_time_was_over_before_it_left_is_not_performed() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    house.push(id, 2, Event::Count).await.unwrap();
    // The commit moves it to `sending`, and whoever should send it cannot read it for 10 s.
    world.memory.fail(|faults| faults.store_delay = Duration::from_secs(11));
    owe(&house, id, Blind, Reach::Silent).await;
    pass_s(40).await;
    world.memory.fail(|faults| faults.store_delay = Duration::ZERO);
    let held = world.toy(id).heard;
    assert_eq!(held, ["held"]);
    assert!(attempts(&world).is_empty());

    pass_s(60).await;
    assert_eq!(attempts(&world), [2]);
    assert_eq!(world.toy(id).heard, ["held", "done 1.2"]);
}

#[tokio::test(start_paused = true)]
async fn effect_of_a_newer_shape_is_left_alone() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    owe(&house, id, Searchable, Reach::Rings).await;
    world.memory.change_intent(intent(id, 1), |row| row.schema = 2);

    house.tree.come_up(async {}).await;
    pass_s(120).await;

    assert!(attempts(&world).is_empty());
    assert!(world.outside.lookups().is_empty());
    assert!(world.toy(id).heard.is_empty());
    assert_eq!(status(&world, id), Status::Sending);
}

#[tokio::test(start_paused = true)]
async fn effect_that_is_wanted_no_longer_is_closed() {
    let world = World::new();
    let house = world.start().await;
    let id = entity(1);
    // A ringing one waits for the dialing phase, so it can be forgone before.
    owe(&house, id, Blind, Reach::Rings).await;
    house.push(id, 2, Event::Forgo(1)).await.unwrap();
    assert_eq!(world.toy(id).owed[&1], Owed::Over);

    house.tree.come_up(async {}).await;
    pass_s(2).await;
    assert_eq!(status(&world, id), Status::Cancelled);
    assert!(attempts(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn effect_that_is_forgone_while_its_offer_waits_does_not_go_out() {
    let world = World::new();
    let house = Arc::new(world.start().await);
    let id = entity(1);
    owe(&house, id, Blind, Reach::Rings).await;
    world.memory.hold(true);
    let push = |n: u128, event: Event| {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.push(id, n, event).await })
    };
    let busy = push(2, Event::Count);
    house.tree.come_up(async {}).await;
    // The offer comes with the first tick of the dispatcher, the other one after it.
    pass_s(1).await;
    let forgone = push(3, Event::Forgo(1));
    pass_s(1).await;
    world.memory.hold(false);
    busy.await.unwrap().unwrap();
    forgone.await.unwrap().unwrap();
    pass_s(5).await;

    assert!(attempts(&world).is_empty());
    assert_eq!(status(&world, id), Status::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn two_processes_on_one_store_send_each_effect_once() {
    let world = World::new();
    let (one, two) = (world.start_up().await, world.start_up().await);
    for n in 0..200_u32 {
        let house = if n % 2 == 0 { &one } else { &two };
        let event = Event::owe(1, Blind, Reach::Silent);
        house.push(entity(n.into()), n.into(), event).await.unwrap();
        // The other one serves it as well, on what it knows.
        let other = if n % 2 == 0 { &two } else { &one };
        other.push(entity(n.into()), 1_000 + u128::from(n), Event::Count).await.unwrap();
    }
    pass_s(120).await;

    let mut calls: Vec<_> = world.outside.calls().iter().map(|call| call.intent).collect();
    assert_eq!(calls.len(), 200);
    calls.sort();
    calls.dedup();
    assert_eq!(calls.len(), 200);
    for n in 0..200 {
        let toy = world.toy(entity(n));
        assert_eq!((toy.count, &toy.heard[..]), (1, &["done 1.1".to_owned()][..]), "{n}");
    }
}
