//! The red button: what dialing is stopped for, and since when.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::Answer;
use crate::ids::TenantId;

/// What dialing is stopped for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DialScope {
    /// Everything.
    All,
    /// One tenant.
    Tenant(TenantId),
    /// One provider, by the name of the platform dialled through.
    Provider(String),
    /// What only a newer server can stop, as it stands in the table: shown, and felt by nobody here.
    Unknown(String),
}

impl DialScope {
    /// Reads what [`Self::as_text`] writes.
    pub fn read(text: &str) -> Self {
        let known = match text.split_once(':') {
            None if text == "all" => Some(Self::All),
            Some(("tenant", id)) => Uuid::parse_str(id).ok().map(TenantId).map(Self::Tenant),
            Some(("provider", name)) => Some(Self::Provider(name.to_owned())),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Unknown(text.to_owned()))
    }

    /// Returns the stored text: `all`, `tenant:…`, `provider:…`.
    pub fn as_text(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Tenant(id) => format!("tenant:{id}"),
            Self::Provider(name) => format!("provider:{name}"),
            Self::Unknown(text) => text.clone(),
        }
    }
}

/// One stop that is in force.
#[derive(Clone, Debug)]
pub struct DialStop {
    /// What it covers.
    pub scope: DialScope,
    /// Who pressed the button.
    pub by: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The red button.
pub trait Dialing: Send + Sync {
    /// Stops dialing; committed in line with the journal, so no later `sending` commit passes it.
    fn stop(
        &self,
        scope: DialScope,
        by: String,
        reason: Option<String>,
        at: DateTime<Utc>,
    ) -> Answer<'_, ()>;
    /// Resumes it; answers whether it was stopped.
    fn resume(&self, scope: DialScope) -> Answer<'_, bool>;
    /// Counts the dials of a scope whose request may still be on its way out, of those that must have
    /// left by `before`.
    fn leaving(
        &self,
        scope: DialScope,
        now: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Answer<'_, u32>;
    /// Returns the stops in force.
    fn stops(&self) -> Answer<'_, Vec<DialStop>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        for scope in [
            DialScope::All,
            DialScope::Tenant(TenantId::DEFAULT),
            DialScope::Provider("mr-hire".to_owned()),
            DialScope::Unknown("campaign:1".to_owned()),
        ] {
            assert_eq!(DialScope::read(&scope.as_text()), scope);
        }
        assert_eq!(DialScope::read("tenant:x"), DialScope::Unknown("tenant:x".to_owned()));
    }
}
