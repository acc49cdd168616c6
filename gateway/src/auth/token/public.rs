//! The public key of whoever issues tokens elsewhere.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};

/// How every P-256 key begins in PEM: its DER has one fixed head, which names the curve.
/// Source: RFC 5480, 2.1.1.1 and 2.2.
const P256_HEAD: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
/// The shortest DER of an RSA key of 2,048 bits: its modulus alone has 256 bytes.
const RSA_BYTES_MIN: usize = 256;

/// A public key; its kind is also its algorithm.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Text that holds no key to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicKey {
    /// It is somebody's secret.
    #[error("it is a private key, which belongs to the issuer alone")]
    Private,
    /// It is none, or one that no algorithm here is for.
    #[error("it must be the PEM of a public key: RSA (for RS256) or P-256 (for ES256)")]
    Unknown,
    /// It can be broken.
    #[error("it is an RSA key of less than 2048 bits")]
    Short,
}

impl PublicKey {
    /// Reads the PEM of a public key. Line ends may be written as `\n`, as environments that know no lines do.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] for everything else.
    pub fn parse(pem: &str) -> Result<Self, InvalidPublicKey> {
        let pem = pem.replace("\\n", "\n");
        if pem.contains("PRIVATE KEY") {
            return Err(InvalidPublicKey::Private);
        }
        let is_key = ["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"]
            .map(|head| pem.trim_start().starts_with(head));
        if !is_key.contains(&true) {
            return Err(InvalidPublicKey::Unknown);
        }
        let body: String = pem.lines().skip_while(|line| line.trim().is_empty()).skip(1).collect();
        if body.starts_with(P256_HEAD) {
            let key = DecodingKey::from_ec_pem(pem.as_bytes());
            let key = key.map_err(|_| InvalidPublicKey::Unknown)?;
            return Ok(Self { algorithm: Algorithm::ES256, key });
        }
        let key = DecodingKey::from_rsa_pem(pem.as_bytes());
        let key = key.map_err(|_| InvalidPublicKey::Unknown)?;
        let bytes = key.try_get_as_bytes().map_err(|_| InvalidPublicKey::Unknown)?.len();
        if bytes < RSA_BYTES_MIN {
            return Err(InvalidPublicKey::Short);
        }
        Ok(Self { algorithm: Algorithm::RS256, key })
    }

    pub(super) fn into_parts(self) -> (Algorithm, DecodingKey) {
        (self.algorithm, self.key)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.algorithm)
    }
}
