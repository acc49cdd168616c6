//! What the tree does by itself: timers, inbox, intents, passivation, the stops it must know of.

mod inbox;
mod intents;
mod timers;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Clock, Store};
use tokio::sync::watch;

use crate::dialing::DialGate;
use crate::hub::{Hub, Outlets};
use crate::life::Life;
use crate::tree::Phase;

/// What every duty works with.
#[derive(Clone)]
pub(crate) struct Duty {
    pub hub: Arc<Hub>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub gate: Arc<DialGate>,
    pub stops: Arc<tokio::sync::Mutex<()>>,
    pub phase: watch::Receiver<Phase>,
    pub permits: u32,
    pub life: Life,
}

impl Duty {
    /// Starts all duties.
    pub fn start(self, outlets: Outlets, passivate_after: Duration) {
        let Outlets { sends, aside } = outlets;
        let life = self.life.clone();
        life.duty(timers::run(self.clone()));
        life.duty(inbox::sweep(self.clone()));
        life.duty(inbox::set_aside(self.clone(), aside));
        life.duty(intents::dispatch(self.clone()));
        life.duty(intents::send(self.clone(), sends));
        life.duty(upkeep::passivate(self.clone(), passivate_after));
        life.duty(upkeep::refresh_stops(self));
    }

    /// Waits for `pause`; answers whether to go on.
    async fn rest(&self, pause: Duration) -> bool {
        self.life.closing().run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }
}
