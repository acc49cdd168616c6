//! What is refused, claim by claim and key by key.

use chrono::Duration;
use jsonwebtoken::{EncodingKey, encode};
use serde_json::{Map, Value, json};

use super::*;
use crate::auth::Page;

const NOW: i64 = 1_800_000_000;

const RSA_PRIVATE: &[u8] = include_bytes!("../../../fixtures/keys/rsa.private.pem");
const RSA_PUBLIC: &str = include_str!("../../../fixtures/keys/rsa.public.pem");
const P256_PRIVATE: &[u8] = include_bytes!("../../../fixtures/keys/p256.private.pem");
const P256_PUBLIC: &str = include_str!("../../../fixtures/keys/p256.public.pem");

fn secret() -> SecretString {
    SecretString::from("a secret that is long enough for HS256")
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn grant() -> Grant {
    let ttl = Duration::hours(1);
    Grant { sub: Uuid::from_u128(7), role: Role::Hr, tenant: None, pages: Pages::default(), ttl }
}

fn hmac(secret: &[u8]) -> EncodingKey {
    EncodingKey::from_secret(secret)
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA_PRIVATE).unwrap()
}

fn p256() -> EncodingKey {
    EncodingKey::from_ec_pem(P256_PRIVATE).unwrap()
}

fn signed(algorithm: Algorithm, claims: &Value) -> String {
    let key = hmac(secret().expose_secret().as_bytes());
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn verify(token: &str) -> Result<Principal, TokenError> {
    JwtKeys::new(&secret()).verify(token, at(NOW))
}

fn public(pem: &str) -> JwtKeys {
    let key = PublicKey::parse(pem).unwrap();
    JwtKeys::configured(None, Some(key), &TokenRules::default()).unwrap()
}

fn ruled(rules: &TokenRules) -> JwtKeys {
    JwtKeys::configured(Some(&secret()), None, rules).unwrap()
}

fn claims(change: impl FnOnce(&mut Map<String, Value>)) -> Value {
    let mut claims = json!({"sub": Uuid::from_u128(7), "role": "HR", "exp": NOW + 60});
    change(claims.as_object_mut().unwrap());
    claims
}

fn with(name: &str, value: Value) -> Value {
    claims(|claims| drop(claims.insert(name.to_owned(), value)))
}

#[track_caller]
fn untrusted(verified: Result<Principal, TokenError>) {
    assert!(matches!(verified, Err(TokenError::Untrusted(_))), "{verified:?}");
}

#[test]
fn minted_token_speaks_for_its_subject() {
    let token = mint(&secret(), grant(), at(NOW)).unwrap();
    let principal = verify(&token).unwrap();
    assert_eq!((principal.sub, principal.role), (Uuid::from_u128(7), Role::Hr));
    assert_eq!(principal.tenant, TenantId::DEFAULT);
    assert!(!principal.pages.contains(Page::Crm));
    let pages = [Page::Crm].into_iter().collect();
    let token = mint(&secret(), Grant { pages, ..grant() }, at(NOW)).unwrap();
    assert!(verify(&token).unwrap().pages.contains(Page::Crm));
}

#[test]
fn token_ends_with_its_leeway() {
    let token = mint(&secret(), grant(), at(NOW)).unwrap();
    let keys = JwtKeys::new(&secret());
    let end = NOW + 3600 + LEEWAY_S;
    assert!(keys.verify(&token, at(end)).is_ok());
    assert!(matches!(keys.verify(&token, at(end + 1)), Err(TokenError::Expired)));
}

#[test]
fn token_must_be_complete_and_well_typed() {
    let without = |name: &str| claims(|claims| drop(claims.remove(name)));
    let broken = [
        without("exp"),
        without("sub"),
        without("role"),
        with("exp", json!((NOW + 60).to_string())),
        with("exp", json!(null)),
        with("exp", json!(-1)),
        with("exp", json!([NOW + 60])),
        with("nbf", json!("0")),
        with("sub", json!("somebody")),
        with("sub", json!(7)),
        with("role", json!("GOD")),
        with("role", json!("hr")),
        with("role", json!(["ADMIN"])),
        with("tenant", json!("everyone")),
        with("tenant", json!(["00000000-0000-0000-0000-000000000001"])),
        with("pages", json!("crm")),
        with("pages", json!([1])),
        with("aud", json!("somebody else")),
    ];
    for claims in broken {
        let error = verify(&signed(Algorithm::HS256, &claims)).unwrap_err();
        assert!(matches!(error, TokenError::Claims(_)), "{claims}: {error}");
    }
    let long_ago = verify(&signed(Algorithm::HS256, &with("exp", json!(1))));
    assert!(matches!(long_ago, Err(TokenError::Expired)));
}

#[test]
fn only_the_pinned_algorithm_and_our_key_count() {
    let good = claims(|_| {});
    assert!(verify(&signed(Algorithm::HS256, &good)).is_ok());
    untrusted(verify(&signed(Algorithm::HS512, &good)));
    let foreign = JwtKeys::new(&SecretString::from("another"));
    let token = signed(Algorithm::HS256, &good);
    untrusted(foreign.verify(&token, at(NOW)));
    // {"alg":"none","typ":"JWT"}, without and with the signature of a good token.
    let (_, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [format!("{none}.{body}."), format!("{none}.{body}.{signature}")] {
        let error = verify(&forged).unwrap_err();
        assert!(matches!(error, TokenError::Untrusted(_) | TokenError::Claims(_)), "{error}");
    }
}

#[test]
fn kind_of_a_public_key_decides_its_one_algorithm() {
    let good = claims(|_| {});
    let sign = |algorithm, key: &EncodingKey| encode(&Header::new(algorithm), &good, key).unwrap();
    let (by_rsa, by_p256) = (public(RSA_PUBLIC), public(P256_PUBLIC));
    assert!(by_rsa.verify(&sign(Algorithm::RS256, &rsa()), at(NOW)).is_ok());
    assert!(by_p256.verify(&sign(Algorithm::ES256, &p256()), at(NOW)).is_ok());
    for other in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        untrusted(by_rsa.verify(&sign(other, &rsa()), at(NOW)));
    }
    untrusted(by_rsa.verify(&sign(Algorithm::ES256, &p256()), at(NOW)));
    untrusted(by_p256.verify(&sign(Algorithm::RS256, &rsa()), at(NOW)));
}

#[test]
fn public_key_is_never_a_secret() {
    // Everybody has it, so whoever signs with its text must not be believed.
    let good = claims(|_| {});
    for pem in [RSA_PUBLIC, P256_PUBLIC] {
        for text in [pem, pem.trim_end()] {
            let swapped = encode(&Header::default(), &good, &hmac(text.as_bytes())).unwrap();
            untrusted(public(pem).verify(&swapped, at(NOW)));
            let both = JwtKeys::configured(
                Some(&secret()),
                Some(PublicKey::parse(pem).unwrap()),
                &TokenRules::default(),
            );
            untrusted(both.unwrap().verify(&swapped, at(NOW)));
        }
    }
}

#[test]
fn both_keys_may_be_set() {
    let key = PublicKey::parse(P256_PUBLIC).unwrap();
    let both = JwtKeys::configured(Some(&secret()), Some(key), &TokenRules::default()).unwrap();
    let good = claims(|_| {});
    assert!(both.verify(&signed(Algorithm::HS256, &good), at(NOW)).is_ok());
    let theirs = encode(&Header::new(Algorithm::ES256), &good, &p256()).unwrap();
    assert!(both.verify(&theirs, at(NOW)).is_ok());
    assert!(JwtKeys::configured(None, None, &TokenRules::default()).is_none());
}

#[test]
fn edited_claim_breaks_the_signature() {
    let grant = Grant { tenant: Some(TenantId(Uuid::from_u128(2))), ..grant() };
    let token = mint(&secret(), grant, at(NOW)).unwrap();
    let forged = with("tenant", json!(TenantId::DEFAULT));
    let forged = signed(Algorithm::HS256, &forged);
    let parts: Vec<&str> = token.split('.').collect();
    let body = forged.split('.').nth(1).unwrap();
    untrusted(verify(&format!("{}.{body}.{}", parts[0], parts[2])));
}

#[test]
fn key_id_is_one_of_those_that_are_allowed() {
    let rules =
        TokenRules { key_ids: vec!["2026-a".into(), "2026-b".into()], ..Default::default() };
    let keys = ruled(&rules);
    let of = |kid: Option<&str>| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::default() };
        encode(&header, &claims(|_| {}), &hmac(secret().expose_secret().as_bytes())).unwrap()
    };
    assert!(keys.verify(&of(Some("2026-b")), at(NOW)).is_ok());
    assert!(keys.verify(&rules.mint(&secret(), grant(), at(NOW)).unwrap(), at(NOW)).is_ok());
    let strange = [
        "",
        "2026-c",
        "2026-A",
        "../../dev/null",
        "/dev/null",
        "2026-a/../2026-b",
        "%2e%2e%2f",
        "2026-a\0",
        "' or 1=1 --",
        "https://keys.example/jwks.json",
    ];
    for kid in strange {
        untrusted(keys.verify(&of(Some(kid)), at(NOW)));
        assert!(verify(&of(Some(kid))).is_ok(), "without a list {kid:?} means nothing");
    }
    untrusted(keys.verify(&of(None), at(NOW)));
}

#[test]
fn audience_and_issuer_are_asked_for_where_they_are_set() {
    let rules = TokenRules {
        audience: Some("ringmaster".into()),
        issuer: Some("https://id.example".into()),
        ..Default::default()
    };
    let keys = ruled(&rules);
    assert!(keys.verify(&rules.mint(&secret(), grant(), at(NOW)).unwrap(), at(NOW)).is_ok());
    let said = |aud: Value, iss: Value| {
        let claims = claims(|claims| {
            claims.insert("aud".into(), aud);
            claims.insert("iss".into(), iss);
            claims.retain(|_, value| !value.is_null());
        });
        keys.verify(&signed(Algorithm::HS256, &claims), at(NOW))
    };
    let (aud, iss) = (json!("ringmaster"), json!("https://id.example"));
    assert!(said(aud.clone(), iss.clone()).is_ok());
    assert!(said(json!(["lms", "ringmaster"]), iss.clone()).is_ok());
    let wrong = [
        (json!("lms"), iss.clone()),
        (json!(["lms"]), iss.clone()),
        (json!(""), iss.clone()),
        (json!(null), iss),
        (aud.clone(), json!("https://id.example.evil")),
        (aud.clone(), json!("")),
        (aud, json!(null)),
    ];
    for (aud, iss) in wrong {
        let verified = said(aud.clone(), iss.clone());
        assert!(matches!(verified, Err(TokenError::Claims(_))), "{aud} {iss}: {verified:?}");
    }
}

#[test]
fn token_for_later_is_refused_now() {
    let token = signed(Algorithm::HS256, &with("nbf", json!(NOW + LEEWAY_S + 1)));
    assert!(matches!(verify(&token), Err(TokenError::TooEarly)));
}

#[test]
fn key_is_not_printed() {
    assert_eq!(format!("{:?}", JwtKeys::new(&secret())), "JwtKeys(****)");
}

#[test]
fn only_the_public_half_of_a_strong_key_is_taken() {
    let refused = |pem: &str| PublicKey::parse(pem).err();
    let fits =
        [RSA_PUBLIC, P256_PUBLIC, &RSA_PUBLIC.replace('\n', "\\n"), &format!("\n{P256_PUBLIC}")];
    assert!(fits.iter().all(|pem| refused(pem).is_none()));
    for private in [RSA_PRIVATE, P256_PRIVATE] {
        let private = std::str::from_utf8(private).unwrap();
        assert_eq!(refused(private), Some(InvalidPublicKey::Private));
    }
    let short = include_str!("../../../fixtures/keys/rsa1024.public.pem");
    assert_eq!(refused(short), Some(InvalidPublicKey::Short));
    for unknown in [
        include_str!("../../../fixtures/keys/p384.public.pem"),
        include_str!("../../../fixtures/keys/ed25519.public.pem"),
        "",
        "a secret",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        &RSA_PUBLIC[..RSA_PUBLIC.len() / 2],
    ] {
        assert_eq!(refused(unknown), Some(InvalidPublicKey::Unknown), "{unknown}");
    }
}
