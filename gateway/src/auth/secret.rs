//! Secrets that two sides share, compared in constant time.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The digest of a shared secret; the secret itself is not kept.
///
/// Digests are compared, not the secrets: they have one length, so not even the length leaks.
#[derive(Clone)]
pub struct SharedSecret([u8; 32]);

impl SharedSecret {
    /// Keeps the digest of `secret`.
    pub fn new(secret: &SecretString) -> Self {
        Self(Sha256::digest(secret.expose_secret().as_bytes()).into())
    }

    /// Tells, in constant time, whether `presented` is the secret.
    pub fn matches(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        self.0.ct_eq(&presented).into()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(****)")
    }
}

/// Why a webhook was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    /// None is configured here, so nothing can ever match.
    #[error("no secret is set for this webhook")]
    SecretUnset,
    /// The sender sent none.
    #[error("the webhook came without its secret")]
    SecretMissing,
    /// The sender sent another one.
    #[error("the webhook's secret is wrong")]
    SecretWrong,
}

impl WebhookRejection {
    /// Returns the label under which it is counted.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SecretUnset => "secret_unset",
            Self::SecretMissing => "secret_missing",
            Self::SecretWrong => "secret_wrong",
        }
    }
}

/// Checks what a webhook presented against what is configured.
pub(super) fn check(
    configured: Option<&SharedSecret>,
    presented: Option<&[u8]>,
) -> Result<(), WebhookRejection> {
    let secret = configured.ok_or(WebhookRejection::SecretUnset)?;
    let presented = presented.ok_or(WebhookRejection::SecretMissing)?;
    if secret.matches(presented) { Ok(()) } else { Err(WebhookRejection::SecretWrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_matches() {
        let secret = SharedSecret::new(&SecretString::from("open sesame"));
        assert_eq!(check(Some(&secret), Some(b"open sesame")), Ok(()));
        for wrong in [&b""[..], b"open", b"open sesame ", b"Open sesame"] {
            assert_eq!(check(Some(&secret), Some(wrong)), Err(WebhookRejection::SecretWrong));
        }
        assert_eq!(check(Some(&secret), None), Err(WebhookRejection::SecretMissing));
        assert_eq!(check(None, Some(b"")), Err(WebhookRejection::SecretUnset));
    }

    #[test]
    fn secret_is_not_printed() {
        let secret = SharedSecret::new(&SecretString::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "SharedSecret(****)");
    }
}
