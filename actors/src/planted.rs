//! Mistakes that can be switched on, so that a check is seen to find them. Never in a release.

use std::future::Future;
use std::path::PathBuf;
use std::sync::OnceLock;

use domain::ports::VerdictName;
use domain::{Cause, Machine};

use crate::delivery::{Answer, Delivery, Replied};
use crate::performer::Performed;

fn is_planted(name: &str) -> bool {
    std::env::var("PLANTED_DEFECT").is_ok_and(|planted| planted == name)
}

/// Answers before anything was committed.
pub(crate) fn answered_early<M: Machine>(
    mut deliveries: Vec<Delivery<M>>,
    verdicts: &[VerdictName],
) -> Vec<Delivery<M>> {
    if is_planted("answer-before-commit") {
        for (delivery, verdict) in deliveries.iter_mut().zip(verdicts) {
            let reply = std::mem::replace(&mut delivery.reply, Replied::Nobody);
            reply.answer(match verdict {
                VerdictName::Applied => Answer::Applied { seq: 0 },
                VerdictName::Rejected(why) => Answer::Rejected(*why),
            });
        }
    }
    deliveries
}

/// Sends again, at once, what was not answered as agreed.
pub(crate) async fn resent<M: Machine>(
    performed: Performed<M>,
    again: impl Future<Output = Performed<M>>,
) -> Performed<M> {
    match performed {
        Performed::Unsure(_) if is_planted("resend-a-dial") => again.await,
        other => other,
    }
}

/// Panics over whatever is told of one call (`PLANTED_CALL`), while a file (`PLANTED_WHILE`) is there.
pub(crate) fn panic_over<M: Machine>(delivery: &Delivery<M>) {
    static SICK: OnceLock<Option<(String, PathBuf)>> = OnceLock::new();
    let sick = SICK.get_or_init(|| {
        let is_asked = is_planted("panic-over-one-call");
        let sick = is_asked.then(|| Some((var("PLANTED_CALL")?, var("PLANTED_WHILE")?.into())));
        sick.flatten()
    });
    let Some((call, file)) = sick else { return };
    let is_told_of = match &delivery.cause {
        Cause::Pushed { raw, .. } => raw.windows(call.len()).any(|part| part == call.as_bytes()),
        Cause::Inbox { .. } => {
            serde_json::to_string(&*delivery.event).is_ok_and(|event| event.contains(call))
        }
        Cause::Outcome { .. } | Cause::Command | Cause::Nudge(_) => false,
    };
    assert!(!(is_told_of && file.exists()), "a planted panic");
}

fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
