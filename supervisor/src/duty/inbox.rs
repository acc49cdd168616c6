//! The inbox: rows nobody claimed lately are looked at again, whoever put them there.

use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, warn};
use uuid::Uuid;

use super::Duty;

/// How often rows are looked for that nobody was told of: another instance's, or a crashed one's.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// Receivers looked at in one sweep.
const SWEEP_MAX: u32 = 500;
/// The pause between two attempts to set a row aside.
const ASIDE_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn sweep(duty: Duty) {
    while duty.rest(SWEEP_PAUSE).await {
        match duty.store.backlog(duty.clock.now(), SWEEP_MAX).await {
            Ok(receivers) => {
                for key in receivers {
                    if let Some(branch) = duty.hub.branch(key.kind) {
                        branch.look_into_inbox(key.id);
                    }
                }
            }
            Err(failure) => {
                warn!(error = &failure as &dyn std::error::Error, "the inbox cannot be swept")
            }
        }
    }
}

pub(super) async fn set_aside(duty: Duty, mut aside: mpsc::Receiver<(Uuid, String)>) {
    while let Some((row, reason)) = aside.recv().await {
        error!(inbox.row = %row, "the inbox row {row} is set aside: {reason}");
        while let Err(failure) = duty.store.set_aside(row, reason.clone()).await {
            warn!(error = &failure as &dyn std::error::Error, "an inbox row cannot be set aside");
            tokio::time::sleep(ASIDE_PAUSE).await;
        }
    }
}
