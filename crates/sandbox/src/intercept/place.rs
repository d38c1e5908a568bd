//! The host names that the proxy answers for, and what each stands for.

use crate::{cmdlet::Service, door::Entrance, graph};

/// Names of the sign-in host.
pub(super) const SIGN_IN: &[&str] = &[
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
];
/// Names of Exchange.
pub(super) const EXCHANGE: &[&str] = &["outlook.office365.com", "outlook.office.com"];
/// The front host of Compliance; each region is one label in front of it.
pub(super) const COMPLIANCE: &str = "ps.compliance.protection.outlook.com";

/// Microsoft Graph.
pub(super) const GRAPH: &str = "graph.microsoft.com";
/// The region in the links to reports.
const DOWNLOAD_REGION: &str = "apc";
/// The hosts that give out reports, the newer and the older: each region is one label in front.
pub(super) const DOWNLOADS: &[&str] = &[
    "proxyservice.ediscovery.svc.cloud.microsoft",
    "proxyservice.ediscovery.office365.com",
];

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Place {
    SignIn,
    Service(Entrance),
    Graph(graph::Entrance),
    Download,
}

/// What a host name stands for; `None` is a stranger.
pub(super) fn place(host: &str) -> Option<Place> {
    let base = format!("https://{host}");
    let entrance = |service, front| {
        Some(Place::Service(Entrance {
            service,
            base: base.clone(),
            front,
            real: true,
        }))
    };
    if SIGN_IN.contains(&host) {
        return Some(Place::SignIn);
    }
    if EXCHANGE.contains(&host) {
        return entrance(Service::Exchange, false);
    }
    if host == COMPLIANCE {
        return entrance(Service::Compliance, true);
    }
    if host == GRAPH {
        return Some(Place::Graph(graph::Entrance {
            base,
            download: format!("https://{DOWNLOAD_REGION}.{}", DOWNLOADS.first()?),
        }));
    }
    if DOWNLOADS.iter().any(|name| is_region_of(host, name)) {
        return Some(Place::Download);
    }
    if is_region_of(host, COMPLIANCE) {
        return entrance(Service::Compliance, false);
    }
    None
}

/// Whether a host is one label in front of a name.
fn is_region_of(host: &str, name: &str) -> bool {
    let label = host
        .strip_suffix(name)
        .and_then(|rest| rest.strip_suffix('.'));
    label.is_some_and(|label| {
        let ordinary = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(ordinary)
    })
}
