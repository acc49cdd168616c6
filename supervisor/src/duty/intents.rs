//! Intents: the planned are offered to their owners, the sent are carried out, the open are resolved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::policy::held_until;
use domain::ports::OpenIntent;
use domain::{Attempt, IntentId, OperationClass, Reach};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{error, warn};

use super::Duty;
use crate::erased::{AnyBranch, Looked};
use crate::hub::Outgoing;
use crate::tree::Phase;

/// How often due intents are looked for when nobody says that there are any.
const TICK: Duration = Duration::from_millis(500);
/// Silent intents offered at once.
const SILENT_MAX: u32 = 500;
/// Dials offered at once when the ramp is over.
const DIALS_MAX: u32 = 250;
/// The dials of the first tick of the ramp; it doubles every [`RAMP_STEP`].
const RAMP_FIRST: u32 = 1;
/// How long each step of the ramp lasts.
const RAMP_STEP: Duration = Duration::from_secs(2);
/// Open intents looked at in one pass.
const OPEN_MAX: u32 = 200;
/// Attempts in a row that may go unanswered, before the outcome of an idempotent operation counts as
/// unknown; those that provably did not happen do not count.
const UNANSWERED_MAX: u32 = 7;
/// Complete lookups that prove a searchable operation absent.
const LOOKUPS_TO_PROVE: u32 = 2;
/// How often it is tried to read what goes out.
const SENDING_READS_MAX: u32 = 10;
/// The pause between two of those times.
const SENDING_PAUSE: Duration = Duration::from_millis(300);
/// How long incomplete lookups are repeated.
const LOOKUPS_PATIENCE: chrono::Duration = chrono::Duration::hours(18);

/// Offers due intents to their owners, and looks after those whose outcome is missing.
///
/// What was just planned goes out at once; dials only with the tick, because the ramp counts by it.
pub(super) async fn dispatch(duty: Duty) {
    let mut dialing_since = None;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_tick = tokio::select! {
            () = duty.life.closing().cancelled() => return,
            () = duty.hub.owed.notified() => false,
            _ = tick.tick() => true,
        };
        offer(&duty, Reach::Silent, SILENT_MAX).await;
        if !is_tick {
            continue;
        }
        if may_ring(&duty) {
            let since = *dialing_since.get_or_insert_with(Instant::now);
            let free = permits_free(&duty).await;
            offer(&duty, Reach::Rings, ramp(since.elapsed()).min(free)).await;
        } else {
            dialing_since = None;
        }
        resolve(&duty).await;
    }
}

/// Returns how many more calls may run. The commit that sends a dial counts for itself.
async fn permits_free(duty: &Duty) -> u32 {
    match duty.store.permits_taken(duty.clock.now()).await {
        Ok(taken) => {
            metrics::gauge!("ringmaster_dial_permits_taken").set(f64::from(taken));
            duty.permits.saturating_sub(taken)
        }
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "permits cannot be counted");
            0
        }
    }
}

/// Whether dials may be offered; those that are not stay planned, and due.
fn may_ring(duty: &Duty) -> bool {
    *duty.phase.borrow() == Phase::Dialing && !duty.gate.stops_everything()
}

/// Carries out what was just moved to `sending`.
pub(super) async fn send(duty: Duty, mut sends: mpsc::Receiver<Outgoing>) {
    while let Some(first) = sends.recv().await {
        let mut outgoing = vec![first];
        while let Ok(more) = sends.try_recv() {
            outgoing.push(more);
        }
        let attempts: HashMap<IntentId, Attempt> =
            outgoing.iter().flat_map(|out| out.attempts.iter().copied()).collect();
        let Some(open) = read_sending(&duty, attempts.keys().copied().collect()).await else {
            continue;
        };
        for intent in open {
            // An intent that went on to another attempt meanwhile is that attempt's to send.
            let is_ours = attempts.get(&intent.id) == Some(&intent.attempt);
            if let Some(branch) = duty.hub.branch(intent.owner.kind).filter(|_| is_ours) {
                duty.life.work(branch.perform(intent, Arc::clone(&duty.gate)));
            }
        }
    }
}

/// Reads intents that go out. Those that cannot be read stay `sending`, and their class says what then.
async fn read_sending(duty: &Duty, ids: Vec<IntentId>) -> Option<Vec<OpenIntent>> {
    for _ in 0..SENDING_READS_MAX {
        match duty.store.sending(ids.clone()).await {
            Ok(open) => return Some(open),
            Err(failure) => error!(
                error = &failure as &dyn std::error::Error,
                "intents that go out cannot be read"
            ),
        }
        tokio::time::sleep(SENDING_PAUSE).await;
    }
    None
}

/// Returns how many dials one tick may begin, this long after dialing began.
fn ramp(elapsed: Duration) -> u32 {
    let steps = u32::try_from(elapsed.as_secs() / RAMP_STEP.as_secs()).unwrap_or(u32::MAX);
    RAMP_FIRST.saturating_mul(2_u32.saturating_pow(steps)).min(DIALS_MAX)
}

async fn offer(duty: &Duty, reach: Reach, limit: u32) {
    match duty.store.take_planned(duty.clock.now(), reach, limit).await {
        Ok(due) => {
            fail::fail_point!("intents-after-take", !due.is_empty(), |_| std::process::abort());
            for intent in due {
                if let Some(branch) = duty.hub.branch(intent.owner.kind) {
                    branch.intent_due(intent.owner.id, intent.tenant, intent.id, intent.attempt);
                }
            }
        }
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "due intents cannot be taken")
        }
    }
}

async fn resolve(duty: &Duty) {
    match duty.store.take_unresolved(duty.clock.now(), OPEN_MAX).await {
        Ok(open) => {
            for intent in open {
                if let Some(branch) = duty.hub.branch(intent.owner.kind) {
                    duty.life.work(treat(duty.clone(), branch, intent));
                }
            }
        }
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "open intents cannot be taken")
        }
    }
}

/// Treats an intent whose outcome is missing as its class says; never simply performs it again.
async fn treat(duty: Duty, branch: Arc<dyn AnyBranch>, open: OpenIntent) {
    if open.ambiguous_since.is_some() {
        branch.intent_unknown(open.owner.id, open.tenant, open.id);
        return;
    }
    match open.class {
        OperationClass::Idempotent if open.unanswered < UNANSWERED_MAX => {
            offer_again(&duty, &*branch, &open);
        }
        OperationClass::Searchable => search(&duty, branch, open).await,
        OperationClass::Idempotent | OperationClass::Blind => give_up(&duty, &open).await,
    }
}

async fn search(duty: &Duty, branch: Arc<dyn AnyBranch>, open: OpenIntent) {
    match Arc::clone(&branch).look_up(open.clone()).await {
        Looked::Done => {}
        Looked::Absent if open.lookups + 1 < LOOKUPS_TO_PROVE => {
            let again = duty.clock.now() + branch.settling();
            if let Err(failure) = duty.store.not_found(open.id, open.attempt, again).await {
                warn!(error = &failure as &dyn std::error::Error, "a lookup cannot be recorded");
            }
        }
        // Proven not to have happened, so not a doubt: its owner says how long it is still wanted.
        Looked::Absent => offer_again(duty, &*branch, &open),
        Looked::Unclear => give_up(duty, &open).await,
        // The row comes back by itself; so long a time of incomplete lookups is an answer too.
        Looked::Unsure if duty.clock.now() - open.not_after > LOOKUPS_PATIENCE => {
            give_up(duty, &open).await;
        }
        Looked::Unsure => {}
    }
}

/// Offers an intent for another attempt. A dial waits for its time like any other: its row comes back.
fn offer_again(duty: &Duty, branch: &dyn AnyBranch, open: &OpenIntent) {
    if open.reach == Reach::Silent || may_ring(duty) {
        branch.intent_due(open.owner.id, open.tenant, open.id, open.attempt + 1);
    }
}

async fn give_up(duty: &Duty, open: &OpenIntent) {
    let now = duty.clock.now();
    let until = held_until(now);
    warn!(intent.id = %open.id, "what became of {} is not known", open.id);
    metrics::counter!("ringmaster_intents_ambiguous_total").increment(1);
    if let Err(failure) = duty.store.ambiguous(open.id, open.attempt, now, until).await {
        warn!(error = &failure as &dyn std::error::Error, "an ambiguous intent cannot be recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramp_doubles_every_two_seconds_up_to_its_bound() {
        let at = |seconds| ramp(Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(2), at(4), at(15), at(3_600)], [1, 1, 2, 4, 128, DIALS_MAX]);
    }
}
