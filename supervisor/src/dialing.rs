//! The red button, as it is felt at the last moment before a phone rings.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use domain::TenantId;
use domain::ports::{DialScope, DialStop, StoreError};

use crate::tree::Tree;

/// The platform that every dial goes through.
const PROVIDER: &str = domain::MR_HIRE;

/// What this process knows of the stops. The `sending` commit reads the table itself; this is asked
/// between that commit and the request.
#[derive(Debug, Default)]
pub struct DialGate {
    state: RwLock<Stops>,
}

#[derive(Debug, Default)]
struct Stops {
    scopes: HashSet<DialScope>,
    /// The process is going down.
    is_shut: bool,
}

impl Stops {
    fn hold(&self, tenant: TenantId) -> bool {
        self.hold_everything() || self.scopes.contains(&DialScope::Tenant(tenant))
    }

    fn hold_everything(&self) -> bool {
        let holds = |scope: &DialScope| match scope {
            DialScope::All => true,
            DialScope::Provider(name) => name == PROVIDER,
            DialScope::Tenant(_) | DialScope::Unknown(_) => false,
        };
        self.is_shut || self.scopes.iter().any(holds)
    }
}

impl Tree {
    /// Whether dialing is stopped for `tenant`, whoever stopped it.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot say.
    pub async fn is_dialing_stopped(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let stops = DialGate::default();
        stops.refresh(&self.stops().await?);
        Ok(stops.is_stopped(tenant))
    }
}

impl DialGate {
    /// Whether dialing for `tenant` is stopped, as far as this process knows.
    pub fn is_stopped(&self, tenant: TenantId) -> bool {
        self.read().hold(tenant)
    }

    /// Whether no phone may ring at all.
    pub fn stops_everything(&self) -> bool {
        self.read().hold_everything()
    }

    /// Stops at once; called before the stop is committed.
    pub fn stop(&self, scope: &DialScope) {
        self.write(|stops| {
            stops.scopes.insert(scope.clone());
        });
    }

    /// Stops for good, because the process goes down.
    pub(crate) fn shut(&self) {
        self.write(|stops| stops.is_shut = true);
    }

    /// Takes over what the table says.
    pub fn refresh(&self, stops: &[DialStop]) {
        let scopes = stops.iter().map(|stop| stop.scope.clone()).collect();
        self.write(|stops| stops.scopes = scopes);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Stops> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut Stops)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}
