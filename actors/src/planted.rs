//! Mistakes that can be switched on, so that a check is seen to find them. Never in a release.

use std::future::Future;

use domain::Machine;
use domain::ports::VerdictName;

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
