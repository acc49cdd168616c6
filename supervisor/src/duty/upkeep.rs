//! Passivation, figures, and keeping up with stops that another instance set.

use std::time::Duration;

use tracing::{debug, warn};

use super::Duty;
use crate::tree::KindStats;

/// How often idle entities are looked for.
const PASSIVATE_PAUSE: Duration = Duration::from_secs(5);
/// How long a stop that another instance set may go unnoticed here; the `sending` commit sees it at once.
const STOPS_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn passivate(duty: Duty, idle: Duration) {
    let idle = chrono::Duration::from_std(idle).unwrap_or(chrono::Duration::MAX);
    while duty.rest(PASSIVATE_PAUSE).await {
        let before = duty.clock.now() - idle;
        for branch in duty.hub.branches() {
            let passivated = branch.passivate(before);
            if passivated > 0 {
                debug!("{passivated} idle entities of kind {} were passivated", branch.kind());
            }
            show(branch.stats());
        }
        show_set_aside(&duty).await;
    }
}

/// Shows how many rows can never be applied; each is something for a person to look at.
async fn show_set_aside(duty: &Duty) {
    match duty.store.aside().await {
        Ok(counts) => {
            for branch in duty.hub.branches() {
                let of_kind = counts.iter().find(|(kind, _)| *kind == branch.kind());
                let count = of_kind.map_or(0, |(_, count)| *count);
                metrics::gauge!("ringmaster_inbox_set_aside", "kind" => branch.kind().as_str())
                    .set(count as f64);
            }
        }
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "rows set aside cannot be counted")
        }
    }
}

/// Shows what a kind holds now.
fn show(stats: KindStats) {
    let kind = stats.kind.as_str();
    metrics::gauge!("ringmaster_actors", "kind" => kind).set(stats.live as f64);
    metrics::gauge!("ringmaster_actor_mailbox_depth", "kind" => kind).set(stats.waiting_max as f64);
    metrics::counter!("ringmaster_actor_spawned_total", "kind" => kind).absolute(stats.spawned);
    metrics::counter!("ringmaster_actor_passivated_total", "kind" => kind)
        .absolute(stats.passivated);
}

pub(super) async fn refresh_stops(duty: Duty) {
    loop {
        {
            // A stop that is being set here must not be taken back by what the table said before.
            let _turn = duty.stops.lock().await;
            match duty.store.stops().await {
                Ok(stops) => {
                    metrics::gauge!("ringmaster_dialing_stops").set(stops.len() as f64);
                    duty.gate.refresh(&stops);
                }
                Err(failure) => {
                    warn!(error = &failure as &dyn std::error::Error, "the stops cannot be read")
                }
            }
        }
        if !duty.rest(STOPS_PAUSE).await {
            return;
        }
    }
}
