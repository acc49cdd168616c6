//! Who asks, for what, and what must come of it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::TenantId;
use gateway::auth::{Grant, Pages, Role, mint};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use super::rows::{Paths, Row};
use super::{OURS, Operation, THEIRS};
use crate::harness::{World, morning};

/// Somebody whom nothing belongs to.
pub const SOMEBODY: Uuid = Uuid::from_u128(0x50);

/// Who may come in, as the document says.
#[derive(Clone, Debug, PartialEq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Who shows no token, and who shows one with such a role.
    Optional(Vec<Role>),
    /// Who shows a token with such a role.
    Roles(Vec<Role>),
    /// The same, and our own services.
    RolesOrService(Vec<Role>),
    /// Our own services.
    Service,
    /// The call engine.
    Webhook,
}

impl Door {
    pub fn of(operation: &Value) -> Self {
        let security =
            operation["security"].as_array().expect("each operation says who may come in");
        let roles = || {
            let names = operation["x-roles"].as_array().expect("a bearer has roles").iter();
            names.map(|name| name.as_str().unwrap().parse().unwrap()).collect()
        };
        let schemes: Vec<Option<&String>> =
            security.iter().map(|scheme| scheme.as_object().unwrap().keys().next()).collect();
        match schemes.as_slice() {
            [] => Self::Open,
            [Some(bearer), None] if *bearer == "bearer" => Self::Optional(roles()),
            [Some(bearer)] if *bearer == "bearer" => Self::Roles(roles()),
            [Some(bearer), Some(service)] if *bearer == "bearer" && *service == "service" => {
                Self::RolesOrService(roles())
            }
            [Some(service)] if *service == "service" => Self::Service,
            [Some(webhook)] if *webhook == "mrHireWebhook" => Self::Webhook,
            other => panic!("nobody knows how to come in by {other:?}"),
        }
    }

    fn roles(&self) -> &[Role] {
        match self {
            Self::Roles(roles) | Self::RolesOrService(roles) | Self::Optional(roles) => roles,
            Self::Open | Self::Service | Self::Webhook => &[],
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Caller {
    /// Who shows nothing.
    Nobody,
    /// Who shows what was good once, or a guess.
    Expired,
    /// Who may do something else.
    WrongRole(Role),
    /// Who may do this, elsewhere.
    OtherTenant,
    /// Who may see what is theirs, and owns nothing.
    OtherOwner,
    /// One of our own services, at a door for people.
    Service,
    /// Who may do this.
    Right,
}

/// For what they ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// What belongs to the right caller.
    Own,
    /// What belongs to the other tenant.
    Foreign,
    /// What nobody has.
    Missing,
}

/// Returns who asks an operation for what; who changes something by it comes last.
pub fn cells(operation: &Operation, row: &Row) -> Vec<(Caller, Target)> {
    use Target::{Foreign, Missing, Own};
    let all = [Foreign, Missing, Own];
    let door = &operation.door;
    let mut cells: Vec<_> = all.map(|target| (Caller::Nobody, target)).into();
    if *door != Door::Open {
        cells.extend(all.map(|target| (Caller::Expired, target)));
    }
    if !door.roles().is_empty() {
        let wrong = Role::ALL.into_iter().filter(|role| !door.roles().contains(role));
        cells.extend(wrong.flat_map(|role| all.map(|target| (Caller::WrongRole(role), target))));
        cells.extend([Missing, Own].map(|target| (Caller::OtherTenant, target)));
    }
    let has_owner = matches!(row.paths, Paths::Of { .. });
    if has_owner && door.roles().contains(&Role::Hr) {
        cells.extend([Foreign, Own].map(|target| (Caller::OtherOwner, target)));
    }
    if !door.roles().is_empty() {
        cells.extend(all.map(|target| (Caller::Service, target)));
    }
    cells.extend(all.map(|target| (Caller::Right, target)));
    if !door.roles().is_empty() {
        cells.push((Caller::OtherTenant, Foreign));
    }
    cells
}

/// Returns the statuses of which the answer must have one.
pub fn expected(operation: &Operation, row: &Row, caller: Caller, target: Target) -> BTreeSet<u16> {
    let good =
        || row.instead.map_or_else(|| operation.good.clone(), |status| BTreeSet::from([status]));
    let found = |is_theirs: bool| if is_theirs { good() } else { BTreeSet::from([404]) };
    match (&operation.door, caller) {
        (Door::Open, _) => found(target == Target::Own),
        (Door::Optional(_), Caller::Nobody) => good(),
        (_, Caller::Nobody | Caller::Expired) => BTreeSet::from([401]),
        (_, Caller::WrongRole(_)) => BTreeSet::from([403]),
        (Door::RolesOrService(_), Caller::Service) => found(target == Target::Own),
        (_, Caller::Service) => BTreeSet::from([401]),
        (_, Caller::OtherTenant) if row.elsewhere.is_some() => row.elsewhere.into_iter().collect(),
        (_, Caller::OtherTenant) => match row.paths {
            Paths::One(_) => good(),
            Paths::Of { .. } => found(target == Target::Foreign),
            Paths::Shared { .. } => found(target == Target::Own),
        },
        (_, Caller::OtherOwner) => found(false),
        (_, Caller::Right) => found(target == Target::Own),
    }
}

impl Caller {
    /// Returns the tenant that the caller is of, where `tenant` is the right one.
    pub fn tenant(self, tenant: Uuid) -> Uuid {
        match self {
            Self::OtherTenant if tenant == THEIRS => OURS,
            Self::OtherTenant => THEIRS,
            _ => tenant,
        }
    }

    /// Returns what the caller shows.
    pub fn credential(
        self,
        world: &World,
        operation: &Operation,
        tenant: Uuid,
    ) -> Option<(&'static str, String)> {
        let keys = &world.plan.keys;
        let guess = || "what was good once".to_owned();
        let shown = |role, age| bearer(&token(world, self.tenant(tenant), role, age));
        match (&operation.door, self) {
            (_, Self::Nobody) | (Door::Open, _) => None,
            (Door::Webhook, Self::Right) => Some(("x-webhook-secret", keys.webhook_secret.clone())),
            (Door::Webhook, _) => Some(("x-webhook-secret", guess())),
            (Door::Service, Self::Right) => Some(bearer(&keys.service_token)),
            (Door::Service, _) => Some(bearer(&guess())),
            (door, Self::Expired) => Some(shown(right(door), TimeDelta::days(2))),
            (_, Self::Service) => Some(bearer(&keys.service_token)),
            (_, Self::WrongRole(role)) => Some(shown(role, TimeDelta::zero())),
            (_, Self::OtherOwner) => Some(shown(Role::Hr, TimeDelta::zero())),
            (door, Self::OtherTenant | Self::Right) => Some(shown(right(door), TimeDelta::zero())),
        }
    }
}

/// Returns a role that a door lets in; an administrator's where there is a choice.
fn right(door: &Door) -> Role {
    let roles = door.roles();
    if roles.contains(&Role::Admin) { Role::Admin } else { roles[0] }
}

/// Writes a token for somebody who administers a tenant.
pub fn admin(world: &World, tenant: Uuid) -> String {
    token(world, tenant, Role::Admin, TimeDelta::zero())
}

fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

/// Writes a token that was written `age` ago and is good for a day.
fn token(world: &World, tenant: Uuid, role: Role, age: TimeDelta) -> String {
    let ttl = TimeDelta::days(1);
    let grant =
        Grant { sub: SOMEBODY, role, tenant: Some(TenantId(tenant)), pages: Pages::default(), ttl };
    let secret = SecretString::from(world.plan.keys.jwt_secret.as_str());
    mint(&secret, grant, morning() - age).unwrap()
}
