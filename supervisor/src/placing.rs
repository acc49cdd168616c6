//! Calls that somebody asks for: planned once, whatever comes twice.

use domain::interview::{DialOrder, InterviewEvent};
use domain::{EntityId, Rejected, RequestMark, TenantId};

use crate::interviews::{ENGINE_TENANT, Interviews};
use crate::routing::{Routed, Unavailable};

/// What became of a request for a call; durable in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// Its dial is planned.
    Planned,
    /// The same request led to this call before.
    Repeated,
    /// Another request led to this call.
    OtherRequest,
    /// It led to a call that was deleted.
    Deleted,
}

impl Interviews {
    /// Whether calls can be placed for `tenant`: the engine's webhooks name none, so they are of one.
    pub fn may_place(&self, tenant: TenantId) -> bool {
        tenant == ENGINE_TENANT && self.engine.is_on()
    }

    /// Has a call placed; comes back when its dial is planned, or when it is known what came before.
    ///
    /// # Errors
    /// [`Unavailable`] when that could not be made durable in time; the same request may be repeated.
    pub async fn place(
        &self,
        tenant: TenantId,
        id: EntityId,
        order: DialOrder,
    ) -> Result<Placing, Unavailable> {
        let routed = self.command(tenant, id, InterviewEvent::PlacingAsked(order)).await?;
        placing(routed).ok_or(Unavailable::Away(None))
    }

    /// Says what a request that may have come before led to; none when it led to nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when the interview cannot be asked.
    pub async fn placed_before(
        &self,
        tenant: TenantId,
        id: EntityId,
        request: RequestMark,
    ) -> Result<Option<Placing>, Unavailable> {
        let asked = InterviewEvent::AskedAgain { request };
        match self.command(tenant, id, asked).await? {
            Routed::Rejected(Rejected::Absent) => Ok(None),
            routed => placing(routed).map(Some).ok_or(Unavailable::Away(None)),
        }
    }
}

/// Reads what an interview made of a request; none where nothing was decided.
fn placing(routed: Routed) -> Option<Placing> {
    match routed {
        Routed::Applied { .. } => Some(Placing::Planned),
        Routed::Rejected(Rejected::Duplicate) => Some(Placing::Repeated),
        Routed::Rejected(Rejected::Deleted) => Some(Placing::Deleted),
        Routed::Rejected(Rejected::OtherRequest) => Some(Placing::OtherRequest),
        Routed::Rejected(_) | Routed::Parked => None,
    }
}
