//! When a phone may ring: after everything came up, slowly at first, and never past the red button.

use std::sync::Arc;
use std::time::Duration;

use domain::OperationClass::{Blind, Idempotent};
use domain::policy::PERMITS_DEFAULT;
use domain::ports::DialScope;
use domain::{Reach, TenantId};
use supervisor::{DialGate, Phase};
use tokio::sync::Notify;

use crate::memory::Status;
use crate::toy::{Does, Event, SEND_TIMEOUT, intent};
use crate::world::{House, World, entity, pass, pass_s};

async fn plan_dials(house: &House, count: u128) {
    for n in 0..count {
        house.push(entity(n), n, Event::owe(1, Blind, Reach::Rings)).await.unwrap();
    }
}

fn statuses(world: &World, count: u128, status: Status) -> usize {
    let of = |n| world.memory.intent(intent(entity(n), 1)).unwrap().status;
    (0..count).filter(|n| of(*n) == status).count()
}

async fn stop(house: &House, scope: DialScope) {
    house.tree.stop_dialing(scope, "test".to_owned(), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_phone_rings_before_everything_was_reconciled() {
    let world = World::new();
    let house = world.start().await;
    plan_dials(&house, 1).await;
    let silent = Event::owe(1, Blind, Reach::Silent);
    house.push(entity(9), 9, silent).await.unwrap();
    pass_s(60).await;
    assert_eq!(house.tree.phase(), Phase::Observing);
    let calls = world.outside.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].intent, intent(entity(9), 1));

    let reconciled = Arc::new(Notify::new());
    let coming_up = tokio::spawn({
        let (tree, reconciled) = (Arc::clone(&house.tree), Arc::clone(&reconciled));
        async move { tree.come_up(reconciled.notified()).await }
    });
    pass_s(60).await;
    assert_eq!(house.tree.phase(), Phase::Reconciling);
    assert_eq!(world.outside.calls().len(), 1);

    reconciled.notify_one();
    coming_up.await.unwrap();
    pass_s(1).await;
    assert_eq!(house.tree.phase(), Phase::Dialing);
    assert_eq!(world.outside.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dial_in_doubt_is_not_sent_again_before_everything_was_reconciled() {
    let world = World::new();
    let first = world.start_up().await;
    world.outside.will([Does::Hangs]);
    first.push(entity(1), 1, Event::owe(1, Idempotent, Reach::Rings)).await.unwrap();
    pass_s(1).await;
    first.kill().await;

    let second = world.start().await;
    pass_s(300).await;
    assert_eq!(world.outside.calls().len(), 1);
    second.tree.come_up(async {}).await;
    pass_s(31).await;
    assert_eq!(world.outside.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dials_are_ramped_whatever_else_is_planned() {
    let world = World::new();
    let house = world.start().await;
    plan_dials(&house, 400).await;
    house.tree.come_up(async {}).await;
    let noise = async {
        // Every plan wakes the dispatcher; the ramp counts by the clock.
        for n in 1_000..1_100 {
            house.push(entity(n), n, Event::owe(1, Blind, Reach::Silent)).await.unwrap();
            pass(Duration::from_millis(20)).await;
        }
    };
    noise.await;

    let rings = |world: &World| {
        let is_dial = |id| (0..400).any(|n| intent(entity(n), 1) == id);
        world.outside.calls().iter().filter(|call| is_dial(call.intent)).count()
    };
    let after_2_s = rings(&world);
    assert!((3..=6).contains(&after_2_s), "{after_2_s}");
    pass_s(60).await;
    assert_eq!(rings(&world), 400);
    assert_eq!(statuses(&world, 400, Status::Done), 400);
}

#[tokio::test(start_paused = true)]
async fn stopped_dials_stay_planned_and_go_out_when_dialing_is_resumed() {
    let world = World::new();
    let house = world.start_up().await;
    stop(&house, DialScope::All).await;
    plan_dials(&house, 3).await;
    pass_s(300).await;
    assert!(world.outside.calls().is_empty());
    assert_eq!(statuses(&world, 3, Status::Planned), 3);
    assert_eq!(house.tree.stops().await.unwrap().len(), 1);

    assert!(house.tree.resume_dialing(DialScope::All).await.unwrap());
    assert!(!house.tree.resume_dialing(DialScope::All).await.unwrap());
    pass_s(1).await;
    assert_eq!(world.outside.calls().len(), 2, "slowly at first, as after a start");
    pass_s(1).await;
    assert_eq!(world.outside.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn stop_of_one_tenant_is_kept_by_the_commit() {
    let world = World::new();
    let house = world.start_up().await;
    stop(&house, DialScope::Tenant(TenantId::DEFAULT)).await;
    plan_dials(&house, 3).await;
    pass_s(300).await;
    assert!(world.outside.calls().is_empty());
    assert_eq!(statuses(&world, 3, Status::Planned), 3);

    house.tree.resume_dialing(DialScope::Tenant(TenantId::DEFAULT)).await.unwrap();
    pass_s(31).await;
    assert_eq!(world.outside.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn stop_that_another_process_set_is_kept_here() {
    let world = World::new();
    let here = world.start_up().await;
    let there = world.start_up().await;
    stop(&there, DialScope::All).await;

    plan_dials(&here, 3).await;
    pass_s(60).await;
    assert!(world.outside.calls().is_empty());

    there.tree.resume_dialing(DialScope::All).await.unwrap();
    pass_s(35).await;
    assert_eq!(world.outside.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn dial_between_its_commit_and_its_request_is_withheld_and_planned_again() {
    let world = World::new();
    let house = world.start_up().await;
    let id = entity(0);
    plan_dials(&house, 1).await;
    // It is `sending`, and on its way to whoever sends it, when the button is pressed.
    while statuses(&world, 1, Status::Sending) == 0 {
        if statuses(&world, 1, Status::Planned) == 1 {
            world.memory.fail(|faults| faults.store_delay = Duration::from_millis(300));
        }
        pass(Duration::from_millis(1)).await;
    }
    stop(&house, DialScope::All).await;
    world.memory.fail(|faults| faults.store_delay = Duration::ZERO);
    pass_s(5).await;

    assert!(world.outside.calls().is_empty());
    assert_eq!(world.toy(id).heard, ["held"]);
    assert_eq!(statuses(&world, 1, Status::Planned), 1);
    house.tree.resume_dialing(DialScope::All).await.unwrap();
    pass_s(31).await;
    assert_eq!(world.toy(id).heard, ["held", "done 1.2"]);
}

#[tokio::test(start_paused = true)]
async fn stop_that_cannot_be_written_holds_this_process_all_the_same() {
    let world = World::new();
    let house = world.start_up().await;
    house.push(entity(0), 100, Event::Count).await.unwrap();
    world.memory.fail(|faults| faults.store_away = true);
    let stopped = house.tree.stop_dialing(DialScope::All, "test".to_owned(), None).await;
    assert!(stopped.is_err());
    plan_dials(&house, 1).await;
    pass_s(5).await;
    assert!(world.outside.calls().is_empty());

    world.memory.fail(|faults| faults.store_away = false);
    pass_s(35).await;
    assert_eq!(world.outside.calls().len(), 1, "the table knows of no stop");
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_the_dial_that_is_on_its_way_out() {
    let world = World::new();
    let house = world.start_up().await;
    world.outside.takes(Duration::from_secs(3));
    plan_dials(&house, 1).await;
    while world.outside.calls().is_empty() {
        pass(Duration::from_millis(1)).await;
    }
    stop(&house, DialScope::All).await;
    assert_eq!(statuses(&world, 1, Status::Done), 1, "its outcome is known");
}

#[tokio::test(start_paused = true)]
async fn stop_waits_no_longer_than_a_dial_may_leave() {
    let world = World::new();
    let house = world.start_up().await;
    world.outside.will([Does::Hangs]);
    plan_dials(&house, 1).await;
    while world.outside.calls().is_empty() {
        pass(Duration::from_millis(1)).await;
    }
    let began = world.clock.now();
    stop(&house, DialScope::All).await;
    let waited = world.clock.now() - began;
    assert!(waited > SEND_TIMEOUT - chrono::Duration::seconds(1), "{waited}");
    assert!(waited < SEND_TIMEOUT + chrono::Duration::seconds(1), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_the_dials_of_another_process_too() {
    let world = World::new();
    let (here, there) = (world.start_up().await, world.start_up().await);
    world.outside.takes(Duration::from_secs(3));
    plan_dials(&there, 1).await;
    while world.outside.calls().is_empty() {
        pass(Duration::from_millis(1)).await;
    }
    stop(&here, DialScope::All).await;
    assert_eq!(statuses(&world, 1, Status::Done), 1);
}

#[tokio::test(start_paused = true)]
async fn person_is_not_rung_while_another_call_holds_them() {
    let world = World::new();
    let house = world.start_up().await;
    for n in 0..3 {
        house.push(entity(n), n, Event::ring("+919529117230")).await.unwrap();
    }
    house.push(entity(3), 3, Event::ring("+919529117231")).await.unwrap();
    pass_s(300).await;
    let rung = |world: &World| -> Vec<_> {
        (0..4).filter(|n| !world.toy(entity(*n)).heard.is_empty()).collect()
    };
    assert_eq!(world.outside.calls().len(), 2);
    let first = rung(&world)[0];
    assert_eq!(rung(&world), [first, 3]);

    house.command(entity(first), Event::HungUp(1)).await.unwrap();
    pass_s(60).await;
    assert_eq!(world.outside.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn call_that_nobody_hears_of_lets_go_of_its_person_by_itself() {
    let world = World::new();
    let house = world.start_up().await;
    for n in 0..2 {
        house.push(entity(n), n, Event::ring("+919529117230")).await.unwrap();
    }
    pass_s(129 * 60).await;
    assert_eq!(world.outside.calls().len(), 1);
    pass_s(3 * 60).await;
    assert_eq!(world.outside.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_run_than_there_are_permits() {
    let world = World::new();
    let house = world.start_up().await;
    for n in 0..60 {
        house.push(entity(n), n, Event::ring(&format!("+9195291172{n:02}"))).await.unwrap();
    }
    pass_s(600).await;
    assert_eq!(world.outside.calls().len(), PERMITS_DEFAULT as usize);
    let running = (0..60).find(|n| !world.toy(entity(*n)).heard.is_empty()).unwrap();
    house.command(entity(running), Event::HungUp(1)).await.unwrap();
    pass_s(60).await;
    assert_eq!(world.outside.calls().len(), PERMITS_DEFAULT as usize + 1);
}

#[test]
fn gate_of_one_tenant_lets_the_others_pass() {
    let gate = DialGate::default();
    let other = TenantId(uuid::Uuid::from_u128(2));
    gate.stop(&DialScope::Tenant(other));
    assert!(gate.is_stopped(other));
    assert!(!gate.is_stopped(TenantId::DEFAULT));
    gate.stop(&DialScope::Provider("mr-hire".to_owned()));
    assert!(gate.is_stopped(TenantId::DEFAULT));
    gate.refresh(&[]);
    assert!(!gate.is_stopped(other));
}
