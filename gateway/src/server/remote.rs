//! Who is at the other end of a connection.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;

/// The address at the other end, as connections are counted: of an IPv6 host its network. Behind a proxy it is
/// the proxy's, since what a header says of others can be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote(pub(super) IpAddr);

impl Remote {
    /// Returns the address that a request came from; the unspecified one, where no connection brought it.
    pub(crate) fn of(extensions: &Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |remote| remote.0)
    }

    /// Returns the address.
    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Remote {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Self::of(&parts.extensions)))
    }
}
