//! Panics. ractor and tokio swallow them, so one that no test planned has to fail its test by itself.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

use crate::world::World;

/// What the text of a planned panic begins with.
pub const PLANNED: &str = "planned:";

/// A panic that nobody planned, and where it was.
struct Unplanned {
    thread: ThreadId,
    is_shared: bool,
    said: String,
}

static UNPLANNED: Mutex<Vec<Unplanned>> = Mutex::new(Vec::new());

/// Begins to write down unplanned panics; planned ones are no longer shown.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let show = take_hook();
        set_hook(Box::new(move |panic| {
            let said = panic.to_string();
            if said.contains(PLANNED) {
                return;
            }
            show(panic);
            let current = thread::current();
            // Threads of a runtime serve whoever runs, those of the test runner one test each.
            let is_shared = current.name().is_none_or(|name| name.starts_with("tokio"));
            let one = Unplanned { thread: current.id(), is_shared, said };
            UNPLANNED.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }));
    });
}

/// Returns what was said by panics of this thread's test that nobody planned, once.
pub fn unplanned() -> Vec<String> {
    let here = thread::current().id();
    let mut all = UNPLANNED.lock().unwrap_or_else(PoisonError::into_inner);
    all.extract_if(.., |one| one.is_shared || one.thread == here).map(|one| one.said).collect()
}

#[tokio::test(start_paused = true)]
async fn panic_that_nobody_planned_fails_the_test_although_it_was_swallowed() {
    let world = World::new();
    let swallowed = tokio::spawn(async { assert_eq!(1, 2, "a slip") }).await;
    assert!(swallowed.is_err());

    assert!(catch_unwind(AssertUnwindSafe(|| drop(world))).is_err());
    assert_eq!(unplanned().len(), 1, "the failure itself");
}
