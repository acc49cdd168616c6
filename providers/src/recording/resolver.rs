//! Looks hosts up, and lets nobody connect to an address that was not looked at.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use domain::ports::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;
use super::places::Reach;

/// Asks for the addresses of a host.
pub(super) trait Lookup: Send + Sync {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the system.
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why a host is not connected to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    /// It is none of the hosts of recordings.
    #[error("{0} is no host of recordings")]
    Stranger(String),
    /// It could not be looked up.
    #[error("{host} cannot be looked up")]
    Lookup {
        host: String,
        #[source]
        source: io::Error,
    },
    /// One of its addresses is not where it should be.
    #[error("{host} has the address {address}, which is not where recordings are")]
    Inside { host: String, address: IpAddr },
    /// It has no address.
    #[error("{0} has no address")]
    Nowhere(String),
}

/// The client's resolver. It answers the addresses that it looked at, and the client connects to what it
/// is answered: there is no second look-up that could say something else.
pub(super) struct Vetted {
    lookup: Arc<dyn Lookup>,
    hosts: HashMap<String, Reach>,
}

impl Vetted {
    pub(super) fn new(
        lookup: Arc<dyn Lookup>,
        hosts: impl Iterator<Item = (String, Reach)>,
    ) -> Self {
        Self { lookup, hosts: hosts.collect() }
    }
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let Some(reach) = self.hosts.get(&host).copied() else {
            return Box::pin(async move { Err(Unreachable::Stranger(host).into()) });
        };
        let looking = self.lookup.addresses(host.clone());
        Box::pin(async move {
            let found = match looking.await {
                Ok(found) => vet(&host, found, reach)?,
                Err(source) => return Err(Unreachable::Lookup { host, source }.into()),
            };
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Passes the addresses of a host when all of them are where it may be: one that is not tells of a name
/// that somebody else answers for.
pub(super) fn vet(
    host: &str,
    found: Vec<IpAddr>,
    reach: Reach,
) -> Result<Vec<IpAddr>, Unreachable> {
    let is_there = |address: &IpAddr| match reach {
        Reach::Public => is_public(*address),
        Reach::Local => address.is_loopback(),
    };
    if let Some(address) = found.iter().find(|address| !is_there(address)) {
        return Err(Unreachable::Inside { host: host.to_owned(), address: *address });
    }
    if found.is_empty() { Err(Unreachable::Nowhere(host.to_owned())) } else { Ok(found) }
}
