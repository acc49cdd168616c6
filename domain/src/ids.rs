//! Identities: who an entity, an intent or a delivery is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The namespace of every id that is derived rather than drawn.
const NAMESPACE: Uuid = Uuid::from_u128(0x5a1d_3c0e_77f4_4b0a_9b1e_5249_4e47_4d53);

/// The closed set of things that are supervised; each has one machine and one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One candidate voice interview, which is one call.
    Interview,
    /// The screening of one job application: what follows its calls.
    Screening,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 2] = [Self::Interview, Self::Screening];

    /// Returns the name used in tables, routes and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interview => "interview",
            Self::Screening => "screening",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no [`Kind`].
#[derive(Debug, thiserror::Error)]
#[error("no such kind: {0}")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

uuid_newtype! {
    /// Whose data a row is.
    TenantId
}
uuid_newtype! {
    /// One supervised thing, unique over all kinds.
    EntityId
}
uuid_newtype! {
    /// One outside effect that is owed.
    IntentId
}
uuid_newtype! {
    /// What makes two deliveries the same delivery.
    DedupeKey
}

uuid_newtype! {
    /// What tells a request from another one under the same key: the first half of a SHA-256.
    RequestMark
}

impl RequestMark {
    /// Marks a request by its method, its path and the bytes of its body.
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes()] {
            hash.update(part);
            hash.update([0]); // Neither can hold a NUL, so no two requests are hashed alike.
        }
        hash.update(body);
        Self(first_half(hash))
    }
}

impl TenantId {
    /// The tenant of everything until a caller names another one.
    pub const DEFAULT: Self = Self(Uuid::from_u128(1));
}

impl EntityId {
    /// Derives the id of the entity that `source` knows as `external`.
    ///
    /// Two creators who have heard of the same thing meet on the same id.
    pub fn derived(tenant: TenantId, source: &str, external: &str) -> Self {
        let name = format!("{}/{source}/{external}", tenant.0);
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// Derives the id of the interview that `caller` asked for under an idempotency key.
    ///
    /// Whoever repeats the request meets the same interview, so that the key needs no table of its own.
    pub fn requested(tenant: TenantId, caller: &str, key: &str) -> Self {
        Self::derived(tenant, &format!("request/{caller}"), key)
    }

    /// Derives the id of the interview that is an application's `ordinal`-th ordered call, from 1.
    pub fn of_attempt(application: Self, ordinal: u32) -> Self {
        Self(Uuid::new_v5(&application.0, format!("attempt/{ordinal}").as_bytes()))
    }
}

impl IntentId {
    /// Derives the id of an entity's `ordinal`-th effect of the kind `operation`.
    pub fn derived(owner: EntityId, operation: &str, ordinal: u32) -> Self {
        Self(Uuid::new_v5(&owner.0, format!("{operation}/{ordinal}").as_bytes()))
    }
}

impl DedupeKey {
    /// Derives the key of a delivery to `entity` that its sender calls `name`.
    pub fn named(entity: EntityKey, name: &str) -> Self {
        Self::hashed(entity, "name", name.as_bytes())
    }

    /// Derives the key of a delivery whose sender gave it no name: its bytes are its name.
    pub fn of_bytes(entity: EntityKey, bytes: &[u8]) -> Self {
        Self::hashed(entity, "bytes", bytes)
    }

    fn hashed(entity: EntityKey, scheme: &str, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(entity.kind.as_str());
        hash.update(entity.id.0.as_bytes());
        hash.update(scheme);
        hash.update([0]);
        hash.update(bytes);
        Self(first_half(hash))
    }
}

fn first_half(hash: Sha256) -> Uuid {
    let digest = hash.finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(first)
}

/// Where a delivery goes: a kind and an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntityKey {
    /// Which machine.
    pub kind: Kind,
    /// Which of its entities.
    pub id: EntityId,
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}
