//! Which IP addresses are somewhere out on the internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not the public internet: network, and bits of its prefix.
/// Source: IANA IPv4 Special-Purpose Address Registry; multicast and class E beside it.
const INNER_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The IPv6 network of global unicast: all that is public lies in it. What holds an IPv4 address
/// (mapped, NAT64) lies outside, as do loopback, link-local, unique local and multicast.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// IPv6 networks inside of that which are not the public internet: IETF protocols with Teredo, 6to4,
/// which holds an IPv4 address, and documentation. Source: IANA IPv6 Special-Purpose Address Registry.
const INNER_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether `address` is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !INNER_V4.iter().any(|network| holds_v4(*network, v4)),
        IpAddr::V6(v6) => {
            holds_v6(GLOBAL_V6, v6) && !INNER_V6.iter().any(|network| holds_v6(*network, v6))
        }
    }
}

fn holds_v4((network, bits): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    let differing = u32::from(network) ^ u32::from(address);
    differing.leading_zeros() >= bits
}

fn holds_v6((network, bits): (Ipv6Addr, u32), address: Ipv6Addr) -> bool {
    let differing = u128::from(network) ^ u128::from(address);
    differing.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the standard library and the RFCs say of an IPv4 address, without our table.
    fn is_inner_v4(ip: Ipv4Addr) -> bool {
        let [a, b, c, _] = ip.octets();
        ip.is_private()
            || ip.is_loopback()
            || ip.is_link_local()
            || ip.is_multicast()
            || ip.is_broadcast()
            || ip.is_unspecified()
            || ip.is_documentation()
            || a == 0
            || a >= 240
            || (a == 100 && (64..128).contains(&b))
            || (a == 198 && (b == 18 || b == 19))
            || (a == 192 && b == 0 && c == 0)
            || (a == 192 && b == 88 && c == 99)
    }

    /// Networks none of whose addresses may be reached, and the bits of their prefixes.
    const NEVER: [(&str, u32); 16] = [
        ("::", 128),
        ("::1", 128),
        ("::", 96),
        ("::ffff:0:0", 96),
        ("64:ff9b::", 96),
        ("64:ff9b:1::", 48),
        ("100::", 64),
        ("2001::", 32),
        ("2001:10::", 28),
        ("2001:db8::", 32),
        ("2002::", 16),
        ("3fff::", 20),
        ("fc00::", 7),
        ("fe80::", 10),
        ("fec0::", 10),
        ("ff00::", 8),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn every_ipv4_address_is_judged_as_the_registries_do(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            prop_assert_eq!(is_public(ip.into()), !is_inner_v4(ip), "{}", ip);
        }

        #[test]
        fn edges_of_every_ipv4_network_are_judged_alike(
            network in 0..INNER_V4.len(), offset in -2_i64..=2, at_end: bool,
        ) {
            let (first, bits) = INNER_V4[network];
            let size = 1_i64 << (32 - bits);
            let edge = i64::from(u32::from(first)) + if at_end { size } else { 0 };
            let Ok(ip) = u32::try_from(edge + offset) else { return Ok(()) };
            let ip = Ipv4Addr::from(ip);
            prop_assert_eq!(is_public(ip.into()), !is_inner_v4(ip), "{}", ip);
        }

        #[test]
        fn no_ipv6_address_of_an_inner_network_is_public(network in 0..NEVER.len(), low: u128) {
            let (first, bits) = NEVER[network];
            let first: Ipv6Addr = first.parse().unwrap();
            let host = low.checked_shr(bits).unwrap_or_default();
            let ip = Ipv6Addr::from(u128::from(first) | host);
            prop_assert!(!is_public(ip.into()), "{}", ip);
        }

        #[test]
        fn ipv4_inside_of_ipv6_is_never_public(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let [a, b, c, d] = v4.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            for ip in [
                v4.to_ipv6_mapped(),
                v4.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert!(!is_public(ip.into()), "{}", ip);
            }
        }

        #[test]
        fn nothing_outside_of_global_unicast_is_public(high in 0_u128..8, low: u128) {
            let ip = Ipv6Addr::from((high << 125) | (low >> 3));
            prop_assert!(high == 1 || !is_public(ip.into()), "{}", ip);
        }
    }

    #[test]
    fn what_is_public_stays_reachable() {
        for ip in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.0",
            "54.172.60.1",
            "223.255.255.255",
            "2600:1f18::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
