//! Where Microsoft Graph answers in each cloud, what it offers there, and from where the reports of
//! eDiscovery searches come. Sources: Microsoft's national-cloud pages and the published schemas.

use url::{Host, Url};

use crate::{
    clouds::{CloudName, Endpoints, Origin, base_url, is_microsoft_authority, text, within},
    error::ConfigError,
    trust::{TrustedUrl, Untrusted, parsed},
};

/// The app `MicrosoftPurviewEDiscovery` hands out reports; its id is the audience, in every cloud.
pub(crate) const DOWNLOAD_SCOPE: &str = "b26e684c-5068-4120-a679-64a5d2c909d9/.default";

/// Hosts that hand out reports for a token, each with the region in front.
const REPORT_HOSTS: &[&str] = &[
    "proxyservice.ediscovery.svc.cloud.microsoft",
    "proxyservice.ediscovery.office365.com",
];
/// Where a report's link may lead with the right to read signed into it. Anybody can have an
/// account there, so no token goes there.
const SIGNED_HOSTS: &[&str] = &["blob.core.windows.net"];

/// Hosts of Graph itself, in the order of [`of`].
const GRAPH_HOSTS: &[&str] = &[
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
];

/// Parts of Graph that not every cloud has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GraphFeature {
    /// eDiscovery cases, searches, purges and reports.
    Ediscovery,
    /// `analyzedEmails` of Defender for Office 365.
    AnalyzedEmails,
    /// `permanentDelete` of a message.
    PermanentDelete,
}

/// Where Graph answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphEndpoints {
    pub base: String,
    pub scope: String,
    features: &'static [GraphFeature],
    reports: Reports,
}

/// From where reports come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reports {
    /// Their hosts in this cloud are not known.
    Unknown,
    /// Microsoft's hosts.
    Hosts,
    /// Exactly this origin.
    Origin(Origin),
}

impl GraphEndpoints {
    /// Whether a token for reports can be asked for at all.
    pub fn hands_out_reports(&self) -> bool {
        self.reports != Reports::Unknown
    }
}

const ALL: &[GraphFeature] = &[
    GraphFeature::Ediscovery,
    GraphFeature::AnalyzedEmails,
    GraphFeature::PermanentDelete,
];

/// Graph in a named cloud; custom endpoints name their own.
pub(crate) fn of(name: CloudName) -> Option<GraphEndpoints> {
    let (base, features, reports) = match name {
        CloudName::Commercial | CloudName::Gcc => ("graph.microsoft.com", ALL, Reports::Hosts),
        CloudName::GccHigh => (
            "graph.microsoft.us",
            &[GraphFeature::Ediscovery][..],
            Reports::Unknown,
        ),
        CloudName::Dod => (
            "dod-graph.microsoft.us",
            &[GraphFeature::Ediscovery][..],
            Reports::Unknown,
        ),
        CloudName::China => ("microsoftgraph.chinacloudapi.cn", &[][..], Reports::Unknown),
        CloudName::Custom => return None,
    };
    Some(GraphEndpoints {
        base: format!("https://{base}"),
        scope: format!("https://{base}/.default"),
        features,
        reports,
    })
}

impl Endpoints {
    /// Custom endpoints with a Graph of their own, and the place from which it hands out reports.
    /// The same rules as for the other services hold.
    ///
    /// # Errors
    /// When one is no usable base URL, or a stranger's host stands beside Microsoft's sign-in.
    pub fn with_graph(mut self, graph: &str, download: Option<&str>) -> Result<Self, ConfigError> {
        let base = base_url("graph", graph)?;
        let download = download.map(|url| base_url("download", url)).transpose()?;
        let authority = Url::parse(&self.authority).ok();
        if authority.as_ref().is_some_and(is_microsoft_authority) {
            let stranger = |name, url: &Url| ConfigError::StrangerBesideMicrosoft {
                authority: self.authority.clone(),
                name,
                url: text(url),
            };
            if !is_one_of(&base, GRAPH_HOSTS) {
                return Err(stranger("graph", &base));
            }
            if let Some(url) = download
                .as_ref()
                .filter(|url| !is_one_of(url, REPORT_HOSTS))
            {
                return Err(stranger("download", url));
            }
        }
        self.graph = Some(GraphEndpoints {
            scope: format!("{}/.default", text(&base)),
            base: text(&base),
            features: ALL,
            reports: download
                .as_ref()
                .and_then(Origin::of)
                .map_or(Reports::Unknown, Reports::Origin),
        });
        Ok(self)
    }

    /// Whether all services stand on this machine, as those of a simulated tenant do.
    pub fn is_loopback(&self) -> bool {
        let graph = self.graph.as_ref().map(|graph| graph.base.as_str());
        [self.authority.as_str(), &self.exchange, &self.compliance]
            .into_iter()
            .chain(graph)
            .all(|base| {
                let origin = Url::parse(base).ok().as_ref().and_then(Origin::of);
                origin.is_some_and(|origin| origin.is_loopback())
            })
    }

    /// Whether this cloud has that part of Graph.
    pub fn offers(&self, feature: GraphFeature) -> bool {
        let graph = self.graph.as_ref();
        graph.is_some_and(|graph| graph.features.contains(&feature))
    }

    /// Whether a link that came in an answer of Graph may get Graph's token: exactly Graph's own
    /// origin, and nothing below it.
    pub fn trust_graph(&self, text: &str) -> Result<TrustedUrl, Untrusted> {
        let (url, origin) = https_or_loopback(text)?;
        let base = self
            .graph
            .as_ref()
            .and_then(|graph| Url::parse(&graph.base).ok());
        if base.as_ref().and_then(Origin::of) != Some(origin) {
            return Err(untrusted(
                &url,
                "it is not the Graph host of this connection",
            ));
        }
        TrustedUrl::new(url.clone()).ok_or_else(|| untrusted(&url, "it is not https"))
    }

    /// Whether a report may be fetched from there. Microsoft's report hosts get the token; a signed
    /// link into its storage is followed without one; nothing else is followed.
    pub fn trust_download(&self, text: &str) -> Result<TrustedUrl, Untrusted> {
        let (url, origin) = https_or_loopback(text)?;
        let reports = self
            .graph
            .as_ref()
            .map_or(&Reports::Unknown, |graph| &graph.reports);
        let (known, signed) = match reports {
            Reports::Unknown => {
                return Err(untrusted(
                    &url,
                    "from where this cloud hands out reports is not known",
                ));
            }
            Reports::Origin(own) => (*own == origin, false),
            Reports::Hosts if !origin.https => (false, false),
            Reports::Hosts if origin.port != 443 => {
                return Err(untrusted(&url, "its port is not 443"));
            }
            Reports::Hosts => (is_one_of(&url, REPORT_HOSTS), is_below(&url, SIGNED_HOSTS)),
        };
        if !known && !signed {
            return Err(untrusted(&url, "it is no host that hands out reports"));
        }
        let trusted = TrustedUrl::new(url.clone());
        let trusted = trusted.ok_or_else(|| untrusted(&url, "it is not https"))?;
        Ok(if known {
            trusted
        } else {
            trusted.without_token()
        })
    }
}

fn https_or_loopback(text: &str) -> Result<(Url, Origin), Untrusted> {
    let url = parsed(text)?;
    match Origin::of(&url) {
        Some(origin) if origin.https || origin.is_loopback() => Ok((url, origin)),
        _ => Err(untrusted(&url, "it is not https")),
    }
}

fn untrusted(url: &Url, reason: &'static str) -> Untrusted {
    Untrusted {
        host: kernel::escape::clipped(url.host_str().unwrap_or_default(), 120),
        reason,
    }
}

fn is_one_of(url: &Url, hosts: &[&str]) -> bool {
    let Some(Host::Domain(host)) = url.host() else {
        return false;
    };
    url.scheme() == "https" && hosts.iter().any(|known| within(host, known))
}

/// Below one of the hosts, which themselves are none.
fn is_below(url: &Url, hosts: &[&str]) -> bool {
    is_one_of(url, hosts) && !hosts.contains(&url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;

    fn commercial() -> Endpoints {
        Endpoints::of(CloudName::Commercial).unwrap()
    }

    #[test]
    fn every_cloud_says_where_graph_is_and_what_it_offers() {
        let of = |name| {
            let endpoints = Endpoints::of(name).unwrap();
            let offered: Vec<bool> = ALL.iter().map(|one| endpoints.offers(*one)).collect();
            (
                endpoints.scope(Resource::Graph).unwrap().to_owned(),
                offered,
                endpoints
                    .audience(Resource::EdiscoveryDownload)
                    .map(str::to_owned),
            )
        };
        let scope = |host: &str| format!("https://{host}/.default");
        let download = Some("b26e684c-5068-4120-a679-64a5d2c909d9".to_owned());
        let all = vec![true, true, true];
        assert_eq!(
            of(CloudName::Gcc),
            (scope("graph.microsoft.com"), all, download)
        );
        let search = vec![true, false, false];
        assert_eq!(
            of(CloudName::GccHigh),
            (scope("graph.microsoft.us"), search.clone(), None)
        );
        assert_eq!(
            of(CloudName::Dod),
            (scope("dod-graph.microsoft.us"), search, None)
        );
        assert_eq!(
            of(CloudName::China),
            (
                scope("microsoftgraph.chinacloudapi.cn"),
                vec![false; 3],
                None
            )
        );
    }

    #[test]
    fn a_link_of_graph_stays_at_its_own_host() {
        for url in [
            "https://graph.microsoft.com/v1.0/security/cases/ediscoverycases('a')/operations('b')",
            "https://graph.microsoft.com:443/v1.0//x?$skiptoken=1",
        ] {
            assert!(
                commercial().trust_graph(url).unwrap().takes_token(),
                "{url}"
            );
        }
        for url in [
            "https://graph.microsoft.com.evil.example/x",
            "https://eur.graph.microsoft.com/x",
            "https://graph.microsoft.com:8443/x",
            "http://graph.microsoft.com/x",
            "https://graph.microsoft.us/x",
            "https://outlook.office365.com/x",
            "https://evil@graph.microsoft.com/x",
            "https://graph.microsoft.com\\.evil.example/x",
            "/v1.0/x",
        ] {
            assert!(commercial().trust_graph(url).is_err(), "{url}");
        }
        assert!(commercial().trust("https://graph.microsoft.com/x").is_err());
    }

    #[test]
    fn a_report_comes_from_its_hosts_and_signed_links_get_no_token() {
        for (url, token) in [
            (
                "https://apc.proxyservice.ediscovery.svc.cloud.microsoft/x?y=z",
                true,
            ),
            ("https://nam.proxyservice.ediscovery.office365.com/x", true),
            ("https://store1.blob.core.windows.net/a/b.zip?sig=x", false),
        ] {
            let trusted = commercial().trust_download(url).unwrap();
            assert_eq!(trusted.takes_token(), token, "{url}");
            assert_eq!(trusted.with_path("/y").takes_token(), token);
        }
        for url in [
            "https://proxyservice.ediscovery.svc.cloud.microsoft.evil.example/x",
            "https://xproxyservice.ediscovery.svc.cloud.microsoft/x",
            "http://apc.proxyservice.ediscovery.svc.cloud.microsoft/x",
            "https://apc.proxyservice.ediscovery.svc.cloud.microsoft:444/x",
            "https://blob.core.windows.net/x",
            "https://login.microsoftonline.com/common/oauth2/authorize",
            "https://graph.microsoft.com/x",
            "http://127.0.0.1:80/x",
            "https://evil.example/x",
        ] {
            assert!(commercial().trust_download(url).is_err(), "{url}");
        }
        let us = Endpoints::of(CloudName::GccHigh).unwrap();
        let told = us.trust_download("https://x.proxyservice.ediscovery.office365.com/x");
        assert!(told.unwrap_err().reason.contains("not known"));
    }

    #[test]
    fn custom_endpoints_name_their_own_graph_and_downloads() {
        let box_of = |graph, download| {
            Endpoints::custom(
                "http://127.0.0.1:1",
                "http://127.0.0.1:2",
                "http://127.0.0.1:3",
            )
            .unwrap()
            .with_graph(graph, download)
        };
        let own = box_of("http://127.0.0.1:4", Some("http://127.0.0.1:5")).unwrap();
        assert_eq!(
            own.scope(Resource::Graph),
            Some("http://127.0.0.1:4/.default")
        );
        assert!(own.offers(GraphFeature::Ediscovery));
        own.trust_graph("http://127.0.0.1:4/v1.0/x").unwrap();
        assert!(own.trust_graph("http://127.0.0.1:5/v1.0/x").is_err());
        assert!(
            own.trust_download("http://127.0.0.1:5/x")
                .unwrap()
                .takes_token()
        );
        assert!(own.trust_download("http://127.0.0.1:4/x").is_err());
        assert!(
            own.trust_download("https://a.blob.core.windows.net/x")
                .is_err()
        );
        assert!(
            own.trust("http://127.0.0.1:4/x").is_err(),
            "an Exchange token stays away"
        );
        assert!(own.is_loopback() && !commercial().is_loopback());
        let without = box_of("http://127.0.0.1:4", None).unwrap();
        assert_eq!(without.scope(Resource::EdiscoveryDownload), None);
        assert!(box_of("http://graph.example", None).is_err());
        let real = || {
            Endpoints::custom(
                "https://login.microsoftonline.com",
                "https://outlook.office365.com",
                "https://ps.compliance.protection.outlook.com",
            )
            .unwrap()
        };
        assert!(
            real()
                .with_graph("https://graph.microsoft.com", None)
                .is_ok()
        );
        let stranger = real().with_graph("http://127.0.0.1:4", None).unwrap_err();
        assert!(stranger.to_string().contains("graph"), "{stranger}");
        let download = Some("http://127.0.0.1:5");
        assert!(
            real()
                .with_graph("https://graph.microsoft.com", download)
                .is_err()
        );
    }
}
