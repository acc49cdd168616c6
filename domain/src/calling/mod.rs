//! Who carries a call: which providers a recruiter may use, and which one it comes to.

mod credentials;
mod resolve;

pub use credentials::{CREDENTIALS_BYTES_MAX, CREDENTIALS_DEPTH_MAX, Credentials};
pub use resolve::{Obstacle, ProviderChoice, ProviderSource, Skipped, resolve};

use std::collections::BTreeSet;

use crate::value::Provider;

/// Why a list of providers cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProviders {
    /// It is empty.
    #[error("at least one provider must be allowed")]
    Empty,
    /// The entry at this place was there before.
    #[error("a provider must be listed once")]
    Twice(usize),
    /// The default is none of the list.
    #[error("the default provider must be one of those allowed")]
    DefaultNotAllowed,
}

/// The providers a recruiter may use: at least one, each once, and the one that counts when nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedProviders {
    list: Vec<Provider>,
    default: Provider,
}

impl AllowedProviders {
    /// Takes a list and its default.
    ///
    /// # Errors
    /// [`InvalidProviders`] when the list is empty, repeats itself, or lacks the default.
    pub fn new(list: Vec<Provider>, default: Provider) -> Result<Self, InvalidProviders> {
        if list.is_empty() {
            return Err(InvalidProviders::Empty);
        }
        each_once(&list)?;
        if !list.contains(&default) {
            return Err(InvalidProviders::DefaultNotAllowed);
        }
        Ok(Self { list, default })
    }

    /// Allows one provider, which is then the default.
    pub fn only(provider: Provider) -> Self {
        Self { list: vec![provider], default: provider }
    }

    /// Returns the same list with another default.
    ///
    /// # Errors
    /// [`InvalidProviders::DefaultNotAllowed`] when the list lacks it.
    pub fn with_default(self, default: Provider) -> Result<Self, InvalidProviders> {
        Self::new(self.list, default)
    }

    /// Returns the list, in the order it was given in.
    pub fn list(&self) -> &[Provider] {
        &self.list
    }

    /// Returns the default.
    pub const fn default(&self) -> Provider {
        self.default
    }
}

/// The providers that are switched on; no call is given to another one. May be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnabledProviders(BTreeSet<Provider>);

impl EnabledProviders {
    /// Every provider: what counts until somebody says otherwise.
    pub fn all() -> Self {
        Self(Provider::ALL.into())
    }

    /// No provider at all.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Takes what somebody listed.
    ///
    /// # Errors
    /// [`InvalidProviders::Twice`] when the list repeats itself.
    pub fn new(list: &[Provider]) -> Result<Self, InvalidProviders> {
        each_once(list)?;
        Ok(Self::of(list.iter().copied()))
    }

    /// Takes these, however often each comes.
    pub fn of(providers: impl IntoIterator<Item = Provider>) -> Self {
        Self(providers.into_iter().collect())
    }

    /// Whether `provider` is switched on.
    pub fn contains(&self, provider: Provider) -> bool {
        self.0.contains(&provider)
    }

    /// Returns those that are switched on, in the order of [`Provider::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Provider> + '_ {
        self.0.iter().copied()
    }
}

fn each_once(list: &[Provider]) -> Result<(), InvalidProviders> {
    let mut seen = BTreeSet::new();
    match list.iter().position(|provider| !seen.insert(*provider)) {
        Some(index) => Err(InvalidProviders::Twice(index)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use Provider as P;

    use super::*;

    #[test]
    fn list_is_not_empty_repeats_nothing_and_has_its_default() {
        use InvalidProviders as I;
        assert_eq!(AllowedProviders::new(vec![], P::Vapi), Err(I::Empty));
        let twice = vec![P::Vapi, P::Elevenlabs, P::Vapi];
        assert_eq!(AllowedProviders::new(twice, P::Vapi), Err(I::Twice(2)));
        assert_eq!(AllowedProviders::new(vec![P::Vapi], P::Elevenlabs), Err(I::DefaultNotAllowed));
        let allowed = AllowedProviders::new(vec![P::Elevenlabs, P::Vapi], P::Vapi).unwrap();
        assert_eq!((allowed.list(), allowed.default()), (&[P::Elevenlabs, P::Vapi][..], P::Vapi));
        assert_eq!(allowed.clone().with_default(P::Elevenlabs).unwrap().default(), P::Elevenlabs);
        assert_eq!(allowed.with_default(P::NvidiaTwilio), Err(I::DefaultNotAllowed));
    }

    #[test]
    fn switched_on_may_be_none_and_are_all_to_begin_with() {
        assert!(EnabledProviders::new(&[]).unwrap().iter().next().is_none());
        assert!(P::ALL.into_iter().all(|provider| EnabledProviders::all().contains(provider)));
        let twice = EnabledProviders::new(&[P::Vapi, P::Vapi]);
        assert_eq!(twice, Err(InvalidProviders::Twice(1)));
    }
}
