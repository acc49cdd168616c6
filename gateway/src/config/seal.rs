//! The keys that credentials are sealed with.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::ConfigError;

/// The length of a key, in bytes.
const KEY_BYTES: usize = 32;

/// One key.
#[derive(Clone)]
pub struct SealKey(Arc<SecretBox<[u8; KEY_BYTES]>>);

impl SealKey {
    /// Reads 32 bytes in base64, of either alphabet and padded or not, or in hexadecimal digits.
    fn read(text: &str) -> Option<Self> {
        let mut bytes = hex(text).or_else(|| base64(text))?;
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok();
        bytes.zeroize();
        Some(Self(Arc::new(SecretBox::new(Box::new(key?)))))
    }

    /// Returns the bytes.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(****)")
    }
}

/// The keys of this server.
#[derive(Clone, Debug, Default)]
pub struct SealKeys {
    /// Seals and opens; without it nothing can be sealed.
    pub current: Option<SealKey>,
    /// Open what was sealed before.
    pub old: Vec<SealKey>,
}

impl SealKeys {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError::SealKey`] when one is no key.
    pub(super) fn read(
        current: Option<SecretString>,
        old: Option<SecretString>,
    ) -> Result<Self, ConfigError> {
        let read =
            |name, text: &str| SealKey::read(text.trim()).ok_or(ConfigError::SealKey { name });
        let current = current.map(|text| read("RINGMASTER_SEAL_KEY", text.expose_secret()));
        let old = old.as_ref().map_or("", |text| text.expose_secret());
        let old = old.split(',').filter(|text| !text.trim().is_empty());
        let old = old.map(|text| read("RINGMASTER_SEAL_KEYS_OLD", text));
        Ok(Self { current: current.transpose()?, old: old.collect::<Result<_, _>>()? })
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len() == 2 * KEY_BYTES && text.bytes().all(|b| b.is_ascii_hexdigit());
    let pairs = is_hex.then(|| (0..KEY_BYTES).map(|at| &text[2 * at..2 * at + 2]))?;
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, lenient).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<[u8; KEY_BYTES]> {
        SealKey::read(text).map(|key| *key.expose())
    }

    #[test]
    fn key_is_32_bytes_in_base64_or_hex() {
        assert_eq!(read(&"0f".repeat(32)), Some([0x0f; 32]));
        assert_eq!(read(&"0F".repeat(32)), Some([0x0f; 32]));
        assert_eq!(read(&format!("{}=", "A".repeat(43))), Some([0; 32]));
        assert_eq!(read(&"A".repeat(43)), Some([0; 32]));
        let ones = format!("{}8", "_".repeat(42));
        assert_eq!(read(&ones), Some([0xff; 32]));
        assert_eq!(read(&ones.replace('_', "/")), Some([0xff; 32]));
        let (short, long) = ("0f".repeat(31), "0f".repeat(33));
        for bad in ["", "hunter2", "A", &short, &long, &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn old_keys_are_a_list_and_a_wrong_one_is_named_by_its_setting() {
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let secret = |text: &str| Some(SecretString::from(text));
        let keys = SealKeys::read(secret(&one), secret(&format!("{two}, {one},"))).unwrap();
        assert_eq!(keys.current.unwrap().expose(), &[1; 32]);
        assert_eq!(keys.old.len(), 2);
        assert!(SealKeys::read(None, None).unwrap().current.is_none());
        let wrong = SealKeys::read(secret(&one), secret("hunter2")).unwrap_err();
        let text = wrong.to_string();
        assert!(
            text.starts_with("RINGMASTER_SEAL_KEYS_OLD") && !text.contains("hunter2"),
            "{text}"
        );
    }

    #[test]
    fn no_key_is_printed() {
        let keys = SealKeys::read(Some(SecretString::from("0f".repeat(32))), None).unwrap();
        assert_eq!(format!("{keys:?}"), "SealKeys { current: Some(SealKey(****)), old: [] }");
    }
}
