//! Which provider it comes to, and why.

use super::{AllowedProviders, EnabledProviders};
use crate::value::Provider;

/// Who is asked last.
const FALLBACK: Provider = Provider::Vapi;

/// Who said which provider to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderSource {
    /// The order itself: that provider or none.
    Order,
    /// The recruiter's own configuration.
    HrDefault,
    /// The tenant's `CALL_PROVIDER`.
    SystemConfig,
    /// Nobody: it is what is left.
    Fallback,
}

impl ProviderSource {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::HrDefault => "hr_default",
            Self::SystemConfig => "system_config",
            Self::Fallback => "fallback",
        }
    }

    /// Returns the same in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Order => "the order's",
            Self::HrDefault => "the recruiter's default",
            Self::SystemConfig => "the tenant's CALL_PROVIDER",
            Self::Fallback => "the fallback",
        }
    }
}

/// Why a provider that was named is passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The recruiter may not use it.
    NotAllowed,
    /// It is switched off.
    SwitchedOff,
}

impl Obstacle {
    const fn in_words(self) -> &'static str {
        match self {
            Self::NotAllowed => "is none of the recruiter's",
            Self::SwitchedOff => "is switched off",
        }
    }
}

/// A provider that was named and is passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which one.
    pub provider: Provider,
    /// Who named it.
    pub source: ProviderSource,
    /// Why it is not this one.
    pub obstacle: Obstacle,
}

/// What the resolution came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderChoice {
    /// This provider carries the call.
    Chosen {
        /// Which one.
        provider: Provider,
        /// Who named it.
        source: ProviderSource,
        /// Who was asked before.
        skipped: Vec<Skipped>,
    },
    /// Nobody who was named can be used: no call can be placed.
    Nobody {
        /// What was named.
        skipped: Vec<Skipped>,
    },
}

impl ProviderChoice {
    /// Returns the provider, if there is one.
    pub const fn provider(&self) -> Option<Provider> {
        match self {
            Self::Chosen { provider, .. } => Some(*provider),
            Self::Nobody { .. } => None,
        }
    }

    /// Returns what was named and is passed by, in the order it was asked in.
    pub fn skipped(&self) -> &[Skipped] {
        match self {
            Self::Chosen { skipped, .. } | Self::Nobody { skipped } => skipped,
        }
    }

    /// Says how it came to this.
    pub fn reason(&self) -> String {
        let mut said: Vec<String> = Vec::with_capacity(3);
        for skipped in self.skipped() {
            let (source, provider) = (skipped.source.in_words(), skipped.provider.as_str());
            said.push(format!("{source} {provider} {}", skipped.obstacle.in_words()));
        }
        match self {
            Self::Chosen { provider, source, .. } => {
                said.push(format!("{} is {}", source.in_words(), provider.as_str()));
            }
            Self::Nobody { .. } => said.push("nobody else is left".to_owned()),
        }
        said.join("; ")
    }
}

/// Chooses who carries a call. An order that names a provider means that one or none; else the recruiter's
/// default is asked, then the tenant's, then the fallback. Whoever is switched off, or is none of the
/// recruiter's, is passed by.
///
/// `config` is none where the recruiter has no configuration, or an inactive one.
pub fn resolve(
    order: Option<Provider>,
    config: Option<&AllowedProviders>,
    global: Option<Provider>,
    enabled: &EnabledProviders,
) -> ProviderChoice {
    use ProviderSource as S;
    let default = config.map(AllowedProviders::default);
    let named = match order {
        Some(_) => vec![(S::Order, order)],
        None => {
            vec![(S::HrDefault, default), (S::SystemConfig, global), (S::Fallback, Some(FALLBACK))]
        }
    };
    let mut skipped = Vec::new();
    for (source, provider) in named {
        let Some(provider) = provider else { continue };
        match obstacle(provider, config, enabled) {
            None => return ProviderChoice::Chosen { provider, source, skipped },
            Some(obstacle) => skipped.push(Skipped { provider, source, obstacle }),
        }
    }
    ProviderChoice::Nobody { skipped }
}

fn obstacle(
    provider: Provider,
    config: Option<&AllowedProviders>,
    enabled: &EnabledProviders,
) -> Option<Obstacle> {
    if config.is_some_and(|config| !config.list().contains(&provider)) {
        return Some(Obstacle::NotAllowed);
    }
    (!enabled.contains(provider)).then_some(Obstacle::SwitchedOff)
}

#[cfg(test)]
mod tests {
    use Provider as P;
    use ProviderSource as S;

    use super::*;

    /// A row: what the order names, the recruiter's list (the default first), the tenant's, who is on; who it comes to.
    type Row<'a> = (Option<P>, &'a [P], Option<P>, &'a [P], Option<(P, S)>);

    #[test]
    fn resolution_goes_down_the_table() {
        let all = P::ALL.as_slice();
        let but_vapi = &[P::OpenaiTwilio, P::Elevenlabs, P::NvidiaTwilio][..];
        let two = &[P::Elevenlabs, P::Vapi][..];
        let rows: [Row<'_>; 16] = [
            (None, two, Some(P::NvidiaTwilio), all, Some((P::Elevenlabs, S::HrDefault))),
            (None, &[], Some(P::NvidiaTwilio), all, Some((P::NvidiaTwilio, S::SystemConfig))),
            (None, &[], None, all, Some((P::Vapi, S::Fallback))),
            (
                None,
                &[P::Vapi, P::Elevenlabs],
                Some(P::Elevenlabs),
                but_vapi,
                Some((P::Elevenlabs, S::SystemConfig)),
            ),
            (None, two, Some(P::NvidiaTwilio), &[P::Vapi], Some((P::Vapi, S::Fallback))),
            (None, two, None, &[P::Vapi], Some((P::Vapi, S::Fallback))),
            (None, &[], Some(P::Elevenlabs), &[P::Vapi], Some((P::Vapi, S::Fallback))),
            (None, &[], None, but_vapi, None),
            (None, &[P::Elevenlabs], Some(P::NvidiaTwilio), &[P::Vapi, P::NvidiaTwilio], None),
            (None, &[P::Elevenlabs], None, &[P::Vapi], None),
            (None, two, Some(P::NvidiaTwilio), &[], None),
            (Some(P::NvidiaTwilio), &[], Some(P::Vapi), all, Some((P::NvidiaTwilio, S::Order))),
            (Some(P::Vapi), two, None, all, Some((P::Vapi, S::Order))),
            (Some(P::NvidiaTwilio), two, None, all, None),
            (Some(P::Vapi), two, Some(P::Elevenlabs), but_vapi, None),
            (Some(P::Vapi), &[], None, but_vapi, None),
        ];
        for (order, list, global, enabled, wanted) in rows {
            let enabled = EnabledProviders::new(enabled).unwrap();
            let config =
                list.first().map(|first| AllowedProviders::new(list.to_vec(), *first).unwrap());
            let choice = resolve(order, config.as_ref(), global, &enabled);
            let came_to = match &choice {
                ProviderChoice::Chosen { provider, source, .. } => Some((*provider, *source)),
                ProviderChoice::Nobody { .. } => None,
            };
            assert_eq!(came_to, wanted, "{order:?} {list:?} {global:?} {enabled:?}");
            let passed = choice.skipped().iter();
            let hindered = |one: &Skipped| {
                obstacle(one.provider, config.as_ref(), &enabled) == Some(one.obstacle)
            };
            assert!(passed.copied().all(|one| hindered(&one)), "{choice:?}");
        }
    }

    #[test]
    fn reason_names_who_was_passed_by() {
        let enabled = EnabledProviders::new(&[P::Vapi]).unwrap();
        let config = AllowedProviders::new(vec![P::Elevenlabs, P::Vapi], P::Elevenlabs).unwrap();
        let choice = resolve(None, Some(&config), None, &enabled);
        let said = "the recruiter's default elevenlabs is switched off; the fallback is vapi";
        assert_eq!(choice.reason(), said);
        let config = AllowedProviders::only(P::Elevenlabs);
        let none = resolve(Some(P::Vapi), Some(&config), None, &enabled);
        assert_eq!(
            none.reason(),
            "the order's vapi is none of the recruiter's; nobody else is left"
        );
    }
}
