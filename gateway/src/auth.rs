//! Who asks, and whether they may.

mod access;
mod page;
mod principal;
mod register;
mod secret;
mod token;

pub use access::{Access, WebhookSource};
pub use domain::{Role, UnknownRole};
pub use page::{Page, Pages};
pub use principal::{Caller, Principal, ServiceCaller};
pub use register::Register;
pub use secret::{SharedSecret, WebhookRejection};
pub use token::{
    Grant, InvalidPublicKey, JwtKeys, LEEWAY_S, PublicKey, TokenError, TokenRules, mint,
};

pub(crate) use access::{Visitor, admit, bearer, verified};
pub(crate) use register::Patience;

use secrecy::SecretString;

/// Everything that callers are recognised by.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Verifies people's bearer tokens; `None` means that every bearer route answers 401.
    pub jwt: Option<JwtKeys>,
    /// Recognises our own services.
    pub service: Option<SharedSecret>,
    /// Recognises the call engine's webhooks.
    pub mr_hire_webhook: Option<SharedSecret>,
}

impl Keys {
    /// Derives the keys from the configured secrets.
    pub fn new(
        jwt: Option<&SecretString>,
        service: Option<&SecretString>,
        mr_hire_webhook: Option<&SecretString>,
    ) -> Self {
        Self {
            jwt: jwt.map(JwtKeys::new),
            service: service.map(SharedSecret::new),
            mr_hire_webhook: mr_hire_webhook.map(SharedSecret::new),
        }
    }
}
