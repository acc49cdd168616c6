//! Which provider it comes to, and why.

use super::EnabledProviders;
use crate::value::Provider;

/// Who is asked last.
const FALLBACK: Provider = Provider::Vapi;

/// Who said which provider to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderSource {
    /// The recruiter's own configuration.
    HrDefault,
    /// The tenant's `CALL_PROVIDER`.
    SystemConfig,
    /// Nobody: it is what is left.
    Fallback,
}

impl ProviderSource {
    /// Every source, in the order in which they are asked.
    pub const ALL: [Self; 3] = [Self::HrDefault, Self::SystemConfig, Self::Fallback];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HrDefault => "hr_default",
            Self::SystemConfig => "system_config",
            Self::Fallback => "fallback",
        }
    }

    /// Returns the same in words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::HrDefault => "the recruiter's default",
            Self::SystemConfig => "the tenant's CALL_PROVIDER",
            Self::Fallback => "the fallback",
        }
    }
}

/// A provider that was named and is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which one.
    pub provider: Provider,
    /// Who named it.
    pub source: ProviderSource,
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
    /// Whatever was named is switched off: no call can be placed.
    NoneEnabled {
        /// What was named.
        skipped: Vec<Skipped>,
    },
}

impl ProviderChoice {
    /// Returns the provider, if there is one.
    pub const fn provider(&self) -> Option<Provider> {
        match self {
            Self::Chosen { provider, .. } => Some(*provider),
            Self::NoneEnabled { .. } => None,
        }
    }

    /// Returns what was named and is switched off, in the order it was asked in.
    pub fn skipped(&self) -> &[Skipped] {
        match self {
            Self::Chosen { skipped, .. } | Self::NoneEnabled { skipped } => skipped,
        }
    }

    /// Says how it came to this.
    pub fn reason(&self) -> String {
        let mut said: Vec<String> = Vec::with_capacity(3);
        for skipped in self.skipped() {
            let (source, provider) = (skipped.source.in_words(), skipped.provider.as_str());
            said.push(format!("{source} {provider} is switched off"));
        }
        match self {
            Self::Chosen { provider, source, .. } => {
                said.push(format!("{} is {}", source.in_words(), provider.as_str()));
            }
            Self::NoneEnabled { .. } => said.push("nobody else is left".to_owned()),
        }
        said.join("; ")
    }
}

/// Asks the recruiter's default, then the tenant's, then the fallback; whoever is switched off is passed by.
///
/// `hr_default` is none where the recruiter has no configuration, or an inactive one.
pub fn resolve(
    hr_default: Option<Provider>,
    global: Option<Provider>,
    enabled: &EnabledProviders,
) -> ProviderChoice {
    let named = [hr_default, global, Some(FALLBACK)];
    let mut skipped = Vec::new();
    for (source, provider) in ProviderSource::ALL.into_iter().zip(named) {
        let Some(provider) = provider else { continue };
        if enabled.contains(provider) {
            return ProviderChoice::Chosen { provider, source, skipped };
        }
        skipped.push(Skipped { provider, source });
    }
    ProviderChoice::NoneEnabled { skipped }
}

#[cfg(test)]
mod tests {
    use Provider as P;
    use ProviderSource as S;

    use super::*;

    /// What is named by the recruiter and by the tenant, who is switched on, and what it comes to.
    type Row<'a> = (Option<P>, Option<P>, &'a [P], Option<(P, S)>);

    #[test]
    fn resolution_goes_down_the_table() {
        let all = P::ALL.as_slice();
        let but_vapi = [P::OpenaiTwilio, P::Elevenlabs, P::NvidiaTwilio];
        let rows: [Row<'_>; 11] = [
            (Some(P::Elevenlabs), Some(P::NvidiaTwilio), all, Some((P::Elevenlabs, S::HrDefault))),
            (None, Some(P::NvidiaTwilio), all, Some((P::NvidiaTwilio, S::SystemConfig))),
            (None, None, all, Some((P::Vapi, S::Fallback))),
            (Some(P::Vapi), Some(P::Elevenlabs), &but_vapi, Some((P::Elevenlabs, S::SystemConfig))),
            (Some(P::Elevenlabs), Some(P::NvidiaTwilio), &[P::Vapi], Some((P::Vapi, S::Fallback))),
            (Some(P::Elevenlabs), None, &[P::Vapi], Some((P::Vapi, S::Fallback))),
            (None, Some(P::Elevenlabs), &[P::Vapi], Some((P::Vapi, S::Fallback))),
            (None, None, &but_vapi, None),
            (Some(P::Vapi), Some(P::Vapi), &but_vapi, None),
            (Some(P::Elevenlabs), Some(P::NvidiaTwilio), &[P::OpenaiTwilio], None),
            (Some(P::Elevenlabs), Some(P::NvidiaTwilio), &[], None),
        ];
        for (hr, global, enabled, wanted) in rows {
            let enabled = EnabledProviders::new(enabled).unwrap();
            let choice = resolve(hr, global, &enabled);
            let came_to = match &choice {
                ProviderChoice::Chosen { provider, source, .. } => Some((*provider, *source)),
                ProviderChoice::NoneEnabled { .. } => None,
            };
            assert_eq!(came_to, wanted, "{hr:?} {global:?} {enabled:?}");
            let off = choice.skipped().iter().all(|one| !enabled.contains(one.provider));
            assert!(off, "who is switched on is not passed by: {choice:?}");
        }
    }

    #[test]
    fn reason_names_who_was_passed_by() {
        let enabled = EnabledProviders::new(&[P::Vapi]).unwrap();
        let choice = resolve(Some(P::Elevenlabs), None, &enabled);
        let said = "the recruiter's default elevenlabs is switched off; the fallback is vapi";
        assert_eq!(choice.reason(), said);
        let none = resolve(None, None, &EnabledProviders::new(&[]).unwrap());
        assert_eq!(none.reason(), "the fallback vapi is switched off; nobody else is left");
    }
}
