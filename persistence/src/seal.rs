//! Seals what nobody may read in a table, a dump or a backup: XChaCha20-Poly1305, a field at a time.
//!
//! What is sealed is bound to its place. The same bytes in another row, column or tenant do not open.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, Generate as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use domain::TenantId;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The length of a key, in bytes.
pub const KEY_BYTES: usize = 32;
/// The length of a nonce, in bytes; long enough to be drawn at random for ever.
const NONCE_BYTES: usize = 24;
/// How much of the key's hash names it, in bytes.
const KEY_NAME_BYTES: usize = 8;

/// The keys of this server: one seals, all open.
#[derive(Default)]
pub struct Keyring {
    current: Option<Key>,
    old: Vec<Key>,
}

impl Keyring {
    /// Takes the key that seals and opens, and those that only open.
    pub fn new(current: Option<&[u8; KEY_BYTES]>, old: &[&[u8; KEY_BYTES]]) -> Self {
        Self { current: current.map(Key::new), old: old.iter().map(|key| Key::new(key)).collect() }
    }

    /// Seals `plain` for `place`; none where there is no key to seal with.
    pub(crate) fn seal(&self, place: &Place, plain: &[u8]) -> Option<Sealed> {
        let key = self.current.as_ref()?;
        let (nonce, name) = (draw(), place.name());
        let payload = Payload { msg: plain, aad: name.as_bytes() };
        let sealed = key.cipher.encrypt(&nonce, payload).ok()?;
        Some(Sealed { key: key.name.clone(), blob: [&nonce[..], &sealed].concat() })
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: &Place, sealed: &Sealed) -> Result<Vec<u8>, Closed> {
        let mut keys = self.current.iter().chain(&self.old);
        let key = keys.find(|key| key.name == sealed.key).ok_or(Closed::KeyUnknown)?;
        let (nonce, text) = sealed.blob.split_at_checked(NONCE_BYTES).ok_or(Closed::Forged)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| Closed::Forged)?;
        let name = place.name();
        let payload = Payload { msg: text, aad: name.as_bytes() };
        key.cipher.decrypt(&nonce, payload).map_err(|_| Closed::Forged)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.current.iter().chain(&self.old).map(|key| &key.name).collect();
        f.debug_tuple("Keyring").field(&names).finish()
    }
}

struct Key {
    name: String,
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::digest(bytes);
        let name = digest[..KEY_NAME_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name, cipher: XChaCha20Poly1305::new(bytes.into()) }
    }
}

/// Draws a nonce: the one place where this crate asks for randomness.
fn draw() -> XNonce {
    XNonce::generate()
}

/// Where a sealed field stands.
pub(crate) struct Place {
    pub tenant: TenantId,
    pub table: &'static str,
    pub row: Uuid,
    pub column: &'static str,
}

impl Place {
    fn name(&self) -> String {
        format!("{}|{}|{}|{}", self.tenant, self.table, self.row, self.column)
    }
}

/// A sealed field, as it is stored.
pub(crate) struct Sealed {
    /// Names the key.
    pub key: String,
    /// Nonce and ciphertext.
    pub blob: Vec<u8>,
}

/// Why a field does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closed {
    /// Its key is none of ours.
    #[error("it was sealed with a key that this server does not have")]
    KeyUnknown,
    /// It was changed, or stands where it was not sealed for.
    #[error("it was changed since it was sealed, or belongs elsewhere")]
    Forged,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const TWO: [u8; KEY_BYTES] = [2; KEY_BYTES];

    fn place() -> Place {
        let row = Uuid::from_u128(7);
        Place { tenant: TenantId::DEFAULT, table: "configs", row, column: "credentials" }
    }

    #[test]
    fn what_is_sealed_opens_where_it_was_sealed_for_and_nowhere_else() {
        let keys = Keyring::new(Some(&ONE), &[]);
        let sealed = keys.seal(&place(), b"hunter2").unwrap();
        assert_eq!(keys.open(&place(), &sealed).unwrap(), b"hunter2");
        assert!(!sealed.blob.windows(7).any(|window| window == b"hunter2"));
        for elsewhere in [
            Place { tenant: TenantId(Uuid::from_u128(2)), ..place() },
            Place { table: "prompts", ..place() },
            Place { row: Uuid::from_u128(8), ..place() },
            Place { column: "notes", ..place() },
        ] {
            assert_eq!(keys.open(&elsewhere, &sealed), Err(Closed::Forged));
        }
    }

    #[test]
    fn any_changed_bit_and_any_cut_is_noticed() {
        let keys = Keyring::new(Some(&ONE), &[]);
        let sealed = keys.seal(&place(), b"hunter2").unwrap();
        for at in 0..sealed.blob.len() {
            let mut blob = sealed.blob.clone();
            blob[at] ^= 1;
            let changed = Sealed { key: sealed.key.clone(), blob };
            assert_eq!(keys.open(&place(), &changed), Err(Closed::Forged), "byte {at}");
            let cut = Sealed { key: sealed.key.clone(), blob: sealed.blob[..at].to_vec() };
            assert_eq!(keys.open(&place(), &cut), Err(Closed::Forged), "cut at {at}");
        }
    }

    #[test]
    fn old_keys_open_and_only_the_current_one_seals() {
        let before = Keyring::new(Some(&ONE), &[]);
        let sealed = before.seal(&place(), b"hunter2").unwrap();
        let after = Keyring::new(Some(&TWO), &[&ONE]);
        assert_eq!(after.open(&place(), &sealed).unwrap(), b"hunter2");
        let again = after.seal(&place(), b"hunter2").unwrap();
        assert_ne!(again.key, sealed.key);
        assert_eq!(before.open(&place(), &again), Err(Closed::KeyUnknown));
        let reader = Keyring::new(None, &[&ONE]);
        assert!(reader.seal(&place(), b"x").is_none());
        assert_eq!(reader.open(&place(), &sealed).unwrap(), b"hunter2");
        assert_eq!(Keyring::default().open(&place(), &sealed), Err(Closed::KeyUnknown));
    }

    #[test]
    fn nothing_is_sealed_twice_alike_and_no_key_is_printed() {
        let keys = Keyring::new(Some(&ONE), &[&TWO]);
        let blobs = [(); 2].map(|()| keys.seal(&place(), b"hunter2").unwrap().blob);
        assert_ne!(blobs[0], blobs[1]);
        let printed = format!("{keys:?}");
        assert!(!printed.contains("1, 1") && !printed.contains("01010101"), "{printed}");
    }
}
