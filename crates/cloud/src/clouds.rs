//! The Microsoft clouds: where each signs in, where Exchange and Compliance answer, and which
//! hosts belong to it. Sources: Microsoft's national-cloud pages and what clients use (the table
//! of the protocol notes, 1.1).

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{
    error::ConfigError,
    graph::{self, GraphEndpoints},
};

/// Which Microsoft cloud a connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloudName {
    /// The worldwide cloud.
    Commercial,
    /// US government community cloud; shares the worldwide hosts.
    Gcc,
    /// US government community cloud, high.
    GccHigh,
    /// US Department of Defense.
    Dod,
    /// Operated by 21Vianet in China.
    China,
    /// Endpoints given one by one, such as those of a sandbox.
    Custom,
}

impl CloudName {
    /// Every name, in the order in which help lists them.
    pub const ALL: [Self; 6] = [
        Self::Commercial,
        Self::Gcc,
        Self::GccHigh,
        Self::Dod,
        Self::China,
        Self::Custom,
    ];

    /// The name as a configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commercial => "commercial",
            Self::Gcc => "gcc",
            Self::GccHigh => "gcc_high",
            Self::Dod => "dod",
            Self::China => "china",
            Self::Custom => "custom",
        }
    }
}

impl fmt::Display for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A service that wants a token of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Exchange Online.
    Exchange,
    /// Security & Compliance.
    Compliance,
    /// Microsoft Graph.
    Graph,
    /// `MicrosoftPurviewEDiscovery`, which hands out the reports of eDiscovery searches.
    EdiscoveryDownload,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "Exchange",
            Self::Compliance => "Compliance",
            Self::Graph => "Microsoft Graph",
            Self::EdiscoveryDownload => "eDiscovery downloads",
        })
    }
}

/// Where one cloud answers. Base URLs have no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    pub(crate) authority: String,
    pub(crate) exchange: String,
    pub(crate) exchange_scope: String,
    pub(crate) compliance: String,
    pub(crate) compliance_scope: String,
    pub(crate) trust: Trusted,
    pub(crate) graph: Option<GraphEndpoints>,
}

/// Which hosts may get a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// Hosts of a Microsoft cloud, each with everything below it, over https on port 443.
    Suffixes {
        hosts: &'static [&'static str],
        compliance: &'static str,
        regional: &'static str,
    },
    /// Exactly these origins.
    Origins(Vec<Origin>),
}

/// Scheme, host and port, all written out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub https: bool,
    /// Lower case; an IPv6 address stands in brackets.
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// The origin of an http or https URL.
    pub fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            https,
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    /// The host without the brackets of an IPv6 address.
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the host is this machine: `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self
                .bare_host()
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Hosts where Microsoft signs users and apps in. A connection that signs in here may not name a
/// stranger's Exchange, or a real token would go there.
const MICROSOFT_AUTHORITIES: [&str; 8] = [
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "login.microsoftonline.us",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "login.microsoftonline-p.com",
];

struct Known {
    authority: &'static str,
    exchange: &'static str,
    compliance: &'static str,
    /// The audience, where it is not the host.
    compliance_audience: &'static str,
    hosts: &'static [&'static str],
    compliance_suffix: &'static str,
    regional_suffix: &'static str,
}

const WORLDWIDE: Known = Known {
    authority: "https://login.microsoftonline.com",
    exchange: "https://outlook.office365.com",
    compliance: "https://ps.compliance.protection.outlook.com",
    compliance_audience: "https://ps.compliance.protection.outlook.com",
    hosts: &[
        "outlook.office365.com",
        "outlook.office.com",
        "ps.compliance.protection.outlook.com",
    ],
    compliance_suffix: "ps.compliance.protection.outlook.com",
    regional_suffix: "admin.protection.outlook.com",
};

const GCC_HIGH: Known = Known {
    authority: "https://login.microsoftonline.us",
    exchange: "https://outlook.office365.us",
    compliance: "https://ps.compliance.protection.office365.us",
    compliance_audience: "https://ps.compliance.protection.office365.us",
    hosts: &[
        "outlook.office365.us",
        "ps.compliance.protection.office365.us",
    ],
    compliance_suffix: "ps.compliance.protection.office365.us",
    regional_suffix: "admin.protection.office365.us",
};

/// Audience and host of Compliance differ here.
const DOD: Known = Known {
    authority: "https://login.microsoftonline.us",
    exchange: "https://outlook-dod.office365.us",
    compliance: "https://l5.ps.compliance.protection.office365.us",
    compliance_audience: "https://ps.compliance.protection.office365.us",
    hosts: &[
        "outlook-dod.office365.us",
        "ps.compliance.protection.office365.us",
    ],
    compliance_suffix: "ps.compliance.protection.office365.us",
    regional_suffix: "admin.protection.office365.us",
};

const CHINA: Known = Known {
    authority: "https://login.chinacloudapi.cn",
    exchange: "https://partner.outlook.cn",
    compliance: "https://ps.compliance.protection.partner.outlook.cn",
    compliance_audience: "https://ps.compliance.protection.partner.outlook.cn",
    hosts: &[
        "partner.outlook.cn",
        "ps.compliance.protection.partner.outlook.cn",
    ],
    compliance_suffix: "ps.compliance.protection.partner.outlook.cn",
    regional_suffix: "admin.protection.partner.outlook.cn",
};

impl Endpoints {
    /// The endpoints of a named cloud.
    ///
    /// # Errors
    /// For [`CloudName::Custom`], which has none of its own: use [`Endpoints::custom`].
    pub fn of(name: CloudName) -> Result<Self, ConfigError> {
        let known = match name {
            CloudName::Commercial | CloudName::Gcc => WORLDWIDE,
            CloudName::GccHigh => GCC_HIGH,
            CloudName::Dod => DOD,
            CloudName::China => CHINA,
            CloudName::Custom => return Err(ConfigError::EndpointsMissing),
        };
        Ok(Self {
            authority: known.authority.to_owned(),
            exchange: known.exchange.to_owned(),
            exchange_scope: format!("{}/.default", known.exchange),
            compliance: known.compliance.to_owned(),
            compliance_scope: format!("{}/.default", known.compliance_audience),
            trust: Trusted::Suffixes {
                hosts: known.hosts,
                compliance: known.compliance_suffix,
                regional: known.regional_suffix,
            },
            graph: graph::of(name),
        })
    }

    /// Endpoints given one by one as base URLs. Plain http is taken on loopback only; the scope of
    /// each service is its base URL and `/.default`; where the authority is one of Microsoft's
    /// own, the services must be too.
    pub fn custom(authority: &str, exchange: &str, compliance: &str) -> Result<Self, ConfigError> {
        let authority = base_url("authority", authority)?;
        let exchange = base_url("exchange", exchange)?;
        let compliance = base_url("compliance", compliance)?;
        if is_microsoft_authority(&authority) {
            for (name, url) in [("exchange", &exchange), ("compliance", &compliance)] {
                if !is_microsoft_service(url) {
                    return Err(ConfigError::StrangerBesideMicrosoft {
                        authority: text(&authority),
                        name,
                        url: text(url),
                    });
                }
            }
        }
        let origins = [&exchange, &compliance]
            .into_iter()
            .filter_map(Origin::of)
            .collect();
        Ok(Self {
            authority: text(&authority),
            exchange_scope: format!("{}/.default", text(&exchange)),
            compliance_scope: format!("{}/.default", text(&compliance)),
            exchange: text(&exchange),
            compliance: text(&compliance),
            trust: Trusted::Origins(origins),
            graph: None,
        })
    }

    /// Base URL of the sign-in host.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Base URL of a service, before any regional redirect; none where this cloud has none. Reports
    /// have none of their own: their links come in answers.
    pub fn base(&self, resource: Resource) -> Option<&str> {
        match resource {
            Resource::Exchange => Some(&self.exchange),
            Resource::Compliance => Some(&self.compliance),
            Resource::Graph => self.graph.as_ref().map(|graph| graph.base.as_str()),
            Resource::EdiscoveryDownload => None,
        }
    }

    /// The scope to ask a token for: the audience and `/.default`; none where this cloud has no
    /// such service.
    pub fn scope(&self, resource: Resource) -> Option<&str> {
        let graph = self.graph.as_ref();
        match resource {
            Resource::Exchange => Some(&self.exchange_scope),
            Resource::Compliance => Some(&self.compliance_scope),
            Resource::Graph => graph.map(|graph| graph.scope.as_str()),
            Resource::EdiscoveryDownload => graph
                .filter(|graph| graph.hands_out_reports())
                .map(|_| graph::DOWNLOAD_SCOPE),
        }
    }

    /// The audience: the scope without `/.default`.
    pub fn audience(&self, resource: Resource) -> Option<&str> {
        let scope = self.scope(resource)?;
        Some(scope.strip_suffix("/.default").unwrap_or(scope))
    }

    /// The host suffixes whose hosts may get a token; empty for custom endpoints, where exactly
    /// the given origins may.
    pub fn trusted_suffixes(&self) -> &[&'static str] {
        match &self.trust {
            Trusted::Suffixes { hosts, .. } => hosts,
            Trusted::Origins(_) => &[],
        }
    }
}

/// A base URL as it is kept: no slash at the end.
pub(crate) fn text(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

pub(crate) fn base_url(name: &'static str, given: &str) -> Result<Url, ConfigError> {
    let bad = |reason: &'static str| ConfigError::BadEndpoint {
        name,
        url: kernel::escape::clipped(given, 120),
        reason,
    };
    let url = Url::parse(given.trim()).map_err(|_| bad("it is not a URL"))?;
    let origin = Origin::of(&url).ok_or_else(|| bad("it must begin with https://"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must not have a query or a fragment"));
    }
    if !origin.https && !origin.is_loopback() {
        return Err(bad("plain http is taken on loopback only; use https://"));
    }
    Ok(url)
}

/// Whether `host` is `suffix` or lies below it.
pub(crate) fn within(host: &str, suffix: &str) -> bool {
    host == suffix
        || host
            .strip_suffix(suffix)
            .is_some_and(|front| front.ends_with('.'))
}

pub(crate) fn is_microsoft_authority(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else {
        return false;
    };
    let host = host.trim_end_matches('.');
    MICROSOFT_AUTHORITIES
        .iter()
        .any(|known| within(host, known))
}

fn is_microsoft_service(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else {
        return false;
    };
    url.scheme() == "https"
        && [WORLDWIDE, GCC_HIGH, DOD, CHINA]
            .iter()
            .flat_map(|known| known.hosts)
            .any(|known| within(host, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_cloud_has_its_published_endpoints() {
        let rows: Vec<String> = CloudName::ALL
            .into_iter()
            .filter_map(|name| Endpoints::of(name).ok().map(|e| (name, e)))
            .map(|(name, e)| {
                format!(
                    "{name} {} {} {} {} {}",
                    e.authority(),
                    e.base(Resource::Exchange).unwrap(),
                    e.scope(Resource::Exchange).unwrap(),
                    e.base(Resource::Compliance).unwrap(),
                    e.scope(Resource::Compliance).unwrap()
                )
            })
            .collect();
        let us = "https://login.microsoftonline.us";
        let ww = "https://login.microsoftonline.com https://outlook.office365.com https://outlook.office365.com/.default https://ps.compliance.protection.outlook.com https://ps.compliance.protection.outlook.com/.default";
        assert_eq!(
            rows,
            [
                format!("commercial {ww}"),
                format!("gcc {ww}"),
                format!("gcc_high {us} https://outlook.office365.us https://outlook.office365.us/.default https://ps.compliance.protection.office365.us https://ps.compliance.protection.office365.us/.default"),
                format!("dod {us} https://outlook-dod.office365.us https://outlook-dod.office365.us/.default https://l5.ps.compliance.protection.office365.us https://ps.compliance.protection.office365.us/.default"),
                "china https://login.chinacloudapi.cn https://partner.outlook.cn https://partner.outlook.cn/.default https://ps.compliance.protection.partner.outlook.cn https://ps.compliance.protection.partner.outlook.cn/.default".to_owned(),
            ]
        );
    }

    #[test]
    fn custom_endpoints_need_https_away_from_loopback() {
        let ok = Endpoints::custom(
            "http://127.0.0.1:4001/",
            "http://localhost:4002",
            "http://[::1]:4003",
        )
        .unwrap();
        assert_eq!(ok.authority(), "http://127.0.0.1:4001");
        assert_eq!(
            ok.scope(Resource::Exchange),
            Some("http://localhost:4002/.default")
        );
        assert_eq!(ok.audience(Resource::Compliance), Some("http://[::1]:4003"));
        for (url, word) in [
            ("http://exchange.example", "loopback only"),
            ("http://10.0.0.1", "loopback only"),
            ("http://127.0.0.1.evil.example", "loopback only"),
            ("ftp://127.0.0.1", "https://"),
            ("https://user@host.example", "user name"),
            ("https://host.example/?a=b", "query"),
            ("nonsense", "not a URL"),
        ] {
            let error = Endpoints::custom("https://a.example", url, "https://c.example")
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(word) && error.contains("exchange"),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn a_real_authority_takes_no_stranger_beside_it() {
        for authority in [
            "https://login.microsoftonline.com",
            "https://LOGIN.microsoftonline.com./",
            "https://eu.login.microsoftonline.com",
            "https://sts.windows.net",
        ] {
            let error = Endpoints::custom(
                authority,
                "https://outlook.office365.com",
                "http://127.0.0.1:1",
            )
            .unwrap_err()
            .to_string();
            assert!(error.contains("compliance"), "{authority}: {error}");
        }
        Endpoints::custom(
            "https://login.microsoftonline.com",
            "https://outlook.office.com",
            "https://eur02b.ps.compliance.protection.outlook.com",
        )
        .unwrap();
        Endpoints::custom(
            "https://login.microsoftonline.com.example",
            "https://a.example",
            "https://b.example",
        )
        .unwrap();
    }
}
