//! Counts connections, in all and per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use tokio::net::TcpStream;

use super::Limits;

/// What a client is told for whom there is no place.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 171\r\n\r\n\
    {\"success\":false,\"message\":\"Overloaded\",\"type\":\"/problems/overloaded\",\
    \"title\":\"Overloaded\",\"status\":503,\"code\":\"overloaded\",\"retryable\":true,\
    \"docs\":\"/problems/overloaded\"}";

/// Bits of an IPv6 address that name a network; one host has all of it. Source: RFC 4291, 2.5.1.
const NETWORK_MASK: u128 = !(u64::MAX as u128);

/// The places there are.
#[derive(Debug)]
pub(super) struct Admission {
    total_max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// There is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// For anybody.
    Total,
    /// For this address.
    Address,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            total_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for `address`.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = counted_as(address);
        let mut taken = self.taken();
        if taken.total >= self.total_max {
            return Err(Full::Total);
        }
        let here = taken.by_address.entry(address).or_default();
        if *here >= self.per_address_max {
            return Err(Full::Address);
        }
        *here += 1;
        taken.total += 1;
        gauge!("ringmaster_connections_open").set(taken.total as f64);
        drop(taken);
        Ok(Place { admission: Arc::clone(self), address })
    }

    fn leave(&self, address: IpAddr) {
        let mut taken = self.taken();
        taken.total -= 1;
        if let Some(here) = taken.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&address);
            }
        }
        gauge!("ringmaster_connections_open").set(taken.total as f64);
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns the address it is counted under.
    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.leave(self.address);
    }
}

impl Full {
    /// Counts the refusal and tells the client, if that can be done without waiting.
    pub(super) fn turn_away(self, stream: &TcpStream) {
        let reason = match self {
            Self::Total => "total",
            Self::Address => "address",
        };
        counter!("ringmaster_connections_refused_total", "reason" => reason).increment(1);
        // A client that cannot be told is closed on without a word.
        let _ = stream.try_write(FULL.as_bytes());
    }
}

fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) if address.is_loopback() => IpAddr::V6(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK_MASK)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(total: usize, per_address: usize) -> Arc<Admission> {
        Admission::new(&Limits {
            connections_max: total,
            connections_per_address_max: per_address,
            ..Limits::default()
        })
    }

    #[test]
    fn place_is_free_again_when_it_is_dropped() {
        let admission = admission(3, 1);
        let address = IpAddr::from([10, 0, 0, 1]);
        let place = admission.admit(address).unwrap();
        assert_eq!(admission.admit(address).unwrap_err(), Full::Address);
        drop(place);
        let _place = admission.admit(address).unwrap();
        assert_eq!(admission.taken().by_address.len(), 1);
    }

    #[test]
    fn total_holds_over_all_addresses() {
        let admission = admission(1, 5);
        let _place = admission.admit(IpAddr::from([10, 0, 0, 1])).unwrap();
        assert_eq!(admission.admit(IpAddr::from([10, 0, 0, 2])).unwrap_err(), Full::Total);
    }

    #[test]
    fn one_network_counts_as_one_address_in_every_spelling() {
        let same =
            |a: &str, b: &str| counted_as(a.parse().unwrap()) == counted_as(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:10.0.0.1", "10.0.0.1"));
    }

    #[test]
    fn refusal_is_a_whole_answer() {
        let (head, body) = FULL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
    }
}
