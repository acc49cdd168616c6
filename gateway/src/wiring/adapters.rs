//! Adapters as the configuration wants them.

use std::sync::Arc;

use anyhow::Context as _;
use domain::ports::{Clock, Ids, ProviderRefresh};
use persistence::{CallingStore, Keyring};
use providers::{MrHireSettings, RecordingSettings, TwilioLogin};
use uuid::Uuid;

use crate::config::{Config, EngineUrl, SealKey, TwilioAccount};
use crate::refresh::Refresher;
use crate::routes::calling::Calling;

pub(super) fn engine_settings(config: &Config) -> anyhow::Result<MrHireSettings> {
    let base = match &config.engine {
        EngineUrl::Off => None,
        EngineUrl::At(url) => Some(url.parse().context("MR_HIRE_BACKEND_URL")?),
    };
    Ok(MrHireSettings { base, token: config.service_token.clone() })
}

/// Recordings of a simulated world lie at its engine, which is on this machine (`Config` sees to that);
/// nothing else leads there.
pub(super) fn recording_settings(config: &Config) -> anyhow::Result<RecordingSettings> {
    let simulated = match (&config.engine, config.simulated_clock) {
        (EngineUrl::At(url), Some(_)) => Some(url.parse().context("MR_HIRE_BACKEND_URL")?),
        _ => None,
    };
    let twilio = config.twilio.clone();
    Ok(RecordingSettings {
        hosts: config.recording_hosts.clone(),
        twilio: twilio.map(|TwilioAccount { sid, token }| TwilioLogin { account: sid, token }),
        simulated,
        bytes_max: config.recording_bytes_max,
    })
}

/// Puts what calls are placed with behind its ports.
pub(super) fn calling_of(
    store: CallingStore,
    engine: Arc<dyn ProviderRefresh>,
    clock: Arc<dyn Clock>,
) -> Calling {
    let store = Arc::new(store);
    Calling {
        configs: Arc::clone(&store) as _,
        settings: Arc::clone(&store) as _,
        prompts: Arc::clone(&store) as _,
        choices: store,
        refresh: Refresher::new(engine),
        clock,
    }
}

pub(super) fn keyring(config: &Config) -> Arc<Keyring> {
    let old: Vec<_> = config.seal_keys.old.iter().map(SealKey::expose).collect();
    Arc::new(Keyring::new(config.seal_keys.current.as_ref().map(SealKey::expose), &old))
}

/// Draws ids at random.
pub(super) struct RandomIds;

impl Ids for RandomIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where an id is drawn: for what nobody has a name for yet"
    )]
    fn draw(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// Names this process among the writers of the journal: no two share a name.
pub(super) fn instance_name() -> Uuid {
    RandomIds.draw()
}
