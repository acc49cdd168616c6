//! The places that recordings are fetched from, and which addresses lie in one.

use domain::ports::{RecordingError, RecordingHost};
use reqwest::Url;
use reqwest::header::HeaderValue;

/// Below this lie Twilio's recordings, and nothing else gets its login.
const TWILIO: &str = "https://api.twilio.com/2010-04-01/Accounts/";
/// The same in a simulated world, below its engine.
const TWILIO_SIMULATED: &str = "2010-04-01/Accounts/";
/// What stands in the path of a recording there.
const TWILIO_RECORDINGS: &str = "/Recordings/";
/// Below this lie Vapi's.
const VAPI: &str = "https://storage.vapi.ai/";
/// Below this, in a simulated world, lie those that need no login.
const OPEN_SIMULATED: &str = "recordings/";
/// The longest address, in bytes: what a report may hold.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// Whose login a place is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// Nobody's.
    None,
    /// Twilio's.
    Twilio,
}

/// Where the hosts of a place may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// On the public internet.
    Public,
    /// On this machine: the engine of a simulated world.
    Local,
}

/// Everything whose address begins with these characters.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Scheme, authority, and the beginning of the path; at least the slash after the authority.
    pub(super) prefix: String,
    pub(super) login: Login,
    pub(super) reach: Reach,
}

/// The closed list.
#[derive(Clone, Debug)]
pub(super) struct Places(Vec<Place>);

/// An address in one of the places.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) url: Url,
    pub(super) login: Login,
}

impl Places {
    pub(super) fn new(hosts: &[RecordingHost], simulated: Option<&Url>) -> Self {
        let public =
            |prefix: &str, login| Place { prefix: prefix.to_owned(), login, reach: Reach::Public };
        let mut places = vec![public(TWILIO, Login::Twilio), public(VAPI, Login::None)];
        places.extend(hosts.iter().map(|host| {
            let prefix = format!("https://{}/", host.as_str());
            public(&prefix, Login::None)
        }));
        if let Some(engine) = simulated {
            let base = engine.as_str().trim_end_matches('/');
            for (below, login) in [(TWILIO_SIMULATED, Login::Twilio), (OPEN_SIMULATED, Login::None)]
            {
                places.push(Place {
                    prefix: format!("{base}/{below}"),
                    login,
                    reach: Reach::Local,
                });
            }
        }
        Self(places)
    }

    #[cfg(test)]
    pub(super) fn of(places: Vec<Place>) -> Self {
        Self(places)
    }

    /// Returns the names that may be looked up, each with where it may be.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (String, Reach)> {
        self.0.iter().filter_map(|place| {
            let url = Url::parse(&place.prefix).ok()?;
            Some((url.domain()?.to_owned(), place.reach))
        })
    }

    /// Admits an address that lies in a place, character by character.
    ///
    /// What is compared is the text, before any reader of addresses has mended it: capitals, ports, logins,
    /// dots, backslashes and other spellings of a host all make it another text. What the reader makes of
    /// the rest must still lie in the place, so that no `..` leads out of it.
    ///
    /// # Errors
    /// [`RecordingError::Refused`].
    pub(super) fn admit(&self, text: &str) -> Result<Admitted, RecordingError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(RecordingError::Refused("is longer than 2,048 bytes"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(RecordingError::Refused("has characters that no address has"));
        }
        let outside = RecordingError::Refused("lies at none of the places of recordings");
        let Some(place) = self.0.iter().find(|place| text.starts_with(&place.prefix)) else {
            return Err(outside);
        };
        let Ok(mut url) = Url::parse(text) else { return Err(outside) };
        url.set_fragment(None);
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !is_plain || !url.as_str().starts_with(&place.prefix) {
            return Err(outside);
        }
        if place.login == Login::Twilio && !url.path().contains(TWILIO_RECORDINGS) {
            return Err(RecordingError::Refused("is none of a recording"));
        }
        Ok(Admitted { url, login: place.login })
    }

    /// Admits where a redirect leads.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(super) fn redirected(
        &self,
        from: &Url,
        location: Option<&HeaderValue>,
    ) -> Result<Admitted, RecordingError> {
        let location = location.and_then(|value| value.to_str().ok());
        let target = location.and_then(|text| from.join(text).ok());
        let target = target.ok_or(RecordingError::Refused("leads nowhere"))?;
        self.admit(target.as_str())
    }
}
