//! `NO_PROXY`: which hosts the environment's proxy is not for.

use std::net::IpAddr;

use crate::clouds::Origin;

/// One entry of `NO_PROXY`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exception {
    All,
    /// A name and everything below it, perhaps on one port only.
    Name(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    Network(IpAddr, u8),
}

impl Exception {
    /// Whether requests to this origin go past the proxy.
    pub fn covers(&self, origin: &Origin) -> bool {
        let ip = origin.bare_host().parse::<IpAddr>().ok();
        let port_fits = |port: &Option<u16>| port.is_none_or(|port| port == origin.port);
        match self {
            Self::All => true,
            Self::Name(name, port) => {
                port_fits(port) && ip.is_none() && crate::clouds::within(&origin.host, name)
            }
            Self::Address(address, port) => port_fits(port) && ip == Some(*address),
            Self::Network(network, bits) => ip.is_some_and(|ip| in_network(ip, *network, *bits)),
        }
    }
}

fn in_network(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (a, b, width) = match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (u128::from(u32::from(a)), u128::from(u32::from(b)), 32_u8)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        _ => return false,
    };
    let shift = u32::from(width.saturating_sub(bits));
    a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
}

/// Reads the variable. What cannot be read excepts nothing.
pub(super) fn exceptions(text: &str) -> Vec<Exception> {
    let one = |entry: &str| {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Exception::All);
        }
        if let Some((network, bits)) = entry.split_once('/') {
            return Some(Exception::Network(
                network.parse().ok()?,
                bits.parse().ok()?,
            ));
        }
        let bare = entry.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse() {
            return Some(Exception::Address(ip, None));
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (entry.as_str(), None),
        };
        if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse() {
            return Some(Exception::Address(ip, port));
        }
        let name = name.trim_start_matches("*.").trim_start_matches('.');
        (!name.is_empty()).then(|| Exception::Name(name.to_owned(), port))
    };
    text.split([',', ' ']).filter_map(one).collect()
}
