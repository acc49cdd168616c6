//! What we rely on in ractor. An upgrade that changes one of these must be noticed here.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::Notify;

use crate::panics::PLANNED;
use crate::world::pass;

/// What happened, in order, over all actors of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Parent(Log);

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, why) => {
                let is_typed = why.downcast_ref::<std::fmt::Error>().is_some();
                self.0.say(if is_typed { "failed: typed" } else { "failed" });
            }
            SupervisionEvent::ActorTerminated(_, _, why) => {
                self.0.say(format!("terminated: {}", why.unwrap_or_default()));
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

enum Say {
    Panic,
    Fail,
    Wait(Arc<Notify>),
    Count,
}

/// The state of a child, which says when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[derive(Clone, Default)]
struct Child {
    log: Log,
    counted: Arc<AtomicUsize>,
    is_dropped: Arc<AtomicBool>,
}

impl Actor for Child {
    type Msg = Say;
    type State = Dropped;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Say>, (): ()) -> Result<Dropped, ActorProcessingErr> {
        Ok(Dropped(Arc::clone(&self.is_dropped)))
    }

    async fn handle(
        &self,
        _: ActorRef<Say>,
        say: Say,
        _: &mut Dropped,
    ) -> Result<(), ActorProcessingErr> {
        match say {
            Say::Panic => panic!("{PLANNED} a child fails"),
            Say::Fail => return Err(std::fmt::Error.into()),
            Say::Wait(notify) => notify.notified().await,
            Say::Count => drop(self.counted.fetch_add(1, Ordering::SeqCst)),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Say>, _: &mut Dropped) -> Result<(), ActorProcessingErr> {
        self.log.say("post_stop");
        Ok(())
    }
}

async fn family() -> (ActorCell, Child, ActorRef<Say>) {
    let child = Child::default();
    let (parent, _) = Actor::spawn(None, Parent(child.log.clone()), ()).await.unwrap();
    let parent = parent.get_cell();
    let (actor, _) = Actor::spawn_linked(None, child.clone(), (), parent.clone()).await.unwrap();
    (parent, child, actor)
}

async fn moment() {
    pass(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn supervisor_survives_the_panic_of_a_child_and_so_do_its_siblings() {
    let (parent, child, actor) = family().await;
    let sibling = Child::default();
    let (other, _) = Actor::spawn_linked(None, sibling.clone(), (), parent.clone()).await.unwrap();
    actor.cast(Say::Panic).unwrap();
    moment().await;

    assert_eq!(child.log.said(), ["failed"], "and post_stop did not run");
    other.cast(Say::Count).unwrap();
    moment().await;
    assert_eq!(sibling.counted.load(Ordering::SeqCst), 1);
    assert!(Actor::spawn_linked(None, Child::default(), (), parent).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn error_of_a_handler_reaches_the_supervisor_with_its_type() {
    let (_parent, child, actor) = family().await;
    actor.cast(Say::Fail).unwrap();
    moment().await;
    assert_eq!(child.log.said(), ["failed: typed"]);
}

#[tokio::test(start_paused = true)]
async fn queued_messages_are_dropped_on_a_panic_and_the_state_is_too() {
    let (_parent, child, actor) = family().await;
    let go = Arc::new(Notify::new());
    actor.cast(Say::Wait(Arc::clone(&go))).unwrap();
    actor.cast(Say::Panic).unwrap();
    actor.cast(Say::Count).unwrap();
    moment().await;
    go.notify_one();
    moment().await;

    assert_eq!(child.counted.load(Ordering::SeqCst), 0);
    assert!(child.is_dropped.load(Ordering::SeqCst), "the guard in the state learns of it");
}

#[tokio::test(start_paused = true)]
async fn stop_lets_the_handler_finish_and_drops_what_is_queued() {
    let (_parent, child, actor) = family().await;
    let go = Arc::new(Notify::new());
    actor.cast(Say::Wait(Arc::clone(&go))).unwrap();
    actor.cast(Say::Count).unwrap();
    moment().await;
    actor.stop(None);
    moment().await;
    assert!(child.log.said().is_empty());
    go.notify_one();
    moment().await;

    assert_eq!(child.log.said(), ["post_stop", "terminated: "]);
    assert_eq!(child.counted.load(Ordering::SeqCst), 0);
    assert!(child.is_dropped.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn drain_of_the_children_handles_what_is_queued() {
    let (parent, child, actor) = family().await;
    let go = Arc::new(Notify::new());
    actor.cast(Say::Wait(Arc::clone(&go))).unwrap();
    actor.cast(Say::Count).unwrap();
    moment().await;
    let draining = tokio::spawn(async move { parent.drain_children_and_wait(None).await });
    moment().await;
    assert!(actor.cast(Say::Count).is_err(), "nothing new is taken");
    go.notify_one();
    draining.await.unwrap();

    assert_eq!(child.counted.load(Ordering::SeqCst), 1);
    assert_eq!(child.log.said()[0], "post_stop");
}

#[tokio::test(start_paused = true)]
async fn kill_of_the_parent_ends_its_children_at_their_next_await() {
    let (parent, child, actor) = family().await;
    actor.cast(Say::Wait(Arc::new(Notify::new()))).unwrap();
    moment().await;
    parent.kill();
    moment().await;

    assert!(child.is_dropped.load(Ordering::SeqCst));
    assert!(child.log.said().is_empty(), "neither post_stop nor a word to anybody");
    let orphan = Actor::spawn_linked(None, Child::default(), (), parent).await;
    assert!(orphan.is_err(), "nobody is born under a dead parent");
}
