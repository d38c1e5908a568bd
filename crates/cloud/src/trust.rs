//! The one place that decides whether a URL may get a token.
//!
//! Redirects, next links and operation links come in answers. A token that follows one of them to
//! a stranger's host is lost, so no request can be made without a [`TrustedUrl`], and only this
//! file makes one from text.

use std::fmt;

use kernel::escape;
use url::{Host, Url};

use crate::clouds::{Endpoints, Origin, Resource, Trusted, within};

/// A URL that belongs to the cloud of its connection. It holds no user-info and no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedUrl {
    url: Url,
    origin: Origin,
    /// It is a place to fetch from and not one of the cloud's own: it gets no token.
    bare: bool,
}

impl TrustedUrl {
    pub(crate) fn new(mut url: Url) -> Option<Self> {
        url.set_fragment(None);
        let origin = Origin::of(&url)?;
        Some(Self {
            url,
            origin,
            bare: false,
        })
    }

    /// A base URL out of the checked endpoints.
    pub(crate) fn base(text: &str) -> Option<Self> {
        Self::new(Url::parse(text).ok()?)
    }

    /// Whether a token may go there; else it is only a place that a signed link points to.
    pub fn takes_token(&self) -> bool {
        !self.bare
    }

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host, in lower case.
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    /// Path and query, as a request line has them.
    pub fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..]
    }

    /// The URL without path and query, and without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.url[..url::Position::BeforePath]
    }

    /// Scheme and host stay, path and query are replaced; what the base URL had as its path is
    /// kept in front. `path_and_query` begins with a slash and is percent-encoded already.
    #[must_use]
    pub fn with_path(&self, path_and_query: &str) -> Self {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let mut url = self.url.clone();
        let front = self.url.path().trim_end_matches('/');
        url.set_path(&format!("{front}{path}"));
        url.set_query(query);
        Self {
            url,
            origin: self.origin.clone(),
            bare: self.bare,
        }
    }

    /// The same path and query at the scheme, host and port of another trusted URL: what a
    /// followed redirect asks for.
    #[must_use]
    pub fn moved_to(&self, base: &Self) -> Self {
        let mut url = base.url.clone();
        url.set_path(self.url.path());
        url.set_query(self.url.query());
        Self {
            url,
            origin: base.origin.clone(),
            bare: base.bare,
        }
    }

    /// The same place, without the right to a token.
    pub(crate) fn without_token(self) -> Self {
        Self { bare: true, ..self }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl fmt::Debug for TrustedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query may hold a page cursor; host and path say enough.
        write!(f, "{}{}", self.base_url(), self.url.path())
    }
}

impl fmt::Display for TrustedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a URL gets no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer pointed to `{host}`, where no token is sent: {reason}")]
pub struct Untrusted {
    /// The host, or the start of the text where it has none; escaped.
    pub host: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl Untrusted {
    /// The failure to report.
    pub fn failure(&self) -> kernel::Failure {
        kernel::Failure::new(
            kernel::ErrorKind::Protocol,
            kernel::failure::code::UNTRUSTED_URL,
            format!(
                "The answer pointed to {}, where no token is sent: {}",
                self.host, self.reason
            ),
        )
        .status(502)
        .arg("host", self.host.clone())
        .hint("Check the proxy, DNS and the endpoints of the connection")
        .happened(kernel::Happened::Unreadable)
    }
}

pub(crate) fn parsed(text: &str) -> Result<Url, Untrusted> {
    let start = || escape::clipped(text, 80);
    let bad = |reason| Untrusted {
        host: start(),
        reason,
    };
    if text
        .chars()
        .any(|c| c.is_whitespace() || c == '\\' || escape::is_hostile(c))
    {
        return Err(bad("it holds blanks, backslashes or control characters"));
    }
    // Judged as written as well as parsed, since parsers forgive.
    let Some((_, rest)) = text.split_once("://") else {
        return Err(bad("it is not an absolute URL"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Untrusted {
            host: escape::clipped(authority.rsplit('@').next().unwrap_or_default(), 80),
            reason: "it holds user information",
        });
    }
    if !authority.is_ascii() || authority.contains('%') {
        return Err(bad("its host is not written in plain ASCII"));
    }
    let url = Url::parse(text).map_err(|_| bad("it is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds user information"));
    }
    Ok(url)
}

impl Endpoints {
    /// Whether a URL that came in an answer may get a token: https on port 443 with a host that is
    /// one of the cloud's or lies below one; for custom endpoints exactly the given origins.
    pub fn trust(&self, text: &str) -> Result<TrustedUrl, Untrusted> {
        let url = parsed(text)?;
        let host = escape::clipped(url.host_str().unwrap_or_default(), 120);
        let no = |reason| {
            Err(Untrusted {
                host: host.clone(),
                reason,
            })
        };
        let Some(origin) = Origin::of(&url) else {
            return no("it is not https");
        };
        match &self.trust {
            Trusted::Origins(origins) => {
                if !origins.contains(&origin) {
                    return no("it is none of the endpoints of this connection");
                }
            }
            Trusted::Suffixes { hosts, .. } => {
                if !origin.https {
                    return no("it is not https");
                }
                if origin.port != 443 {
                    return no("its port is not 443");
                }
                let Some(Host::Domain(name)) = url.host() else {
                    return no("its host is an address");
                };
                if !hosts.iter().any(|suffix| within(name, suffix)) {
                    return no("the host does not belong to the cloud of this connection");
                }
            }
        }
        TrustedUrl::new(url).ok_or_else(|| Untrusted {
            host: host.clone(),
            reason: "it is not https",
        })
    }

    /// The Compliance base that a redirect names. Microsoft answers with
    /// `https://<region>.admin.protection.outlook.com:446/…`, which is never dialled: its first
    /// label is the region, and the region's host for cmdlets is
    /// `<region>.ps.compliance.protection.outlook.com`. Custom endpoints must name one of their
    /// own origins.
    pub fn regional_compliance(&self, location: &str) -> Result<TrustedUrl, Untrusted> {
        let Trusted::Suffixes {
            compliance,
            regional,
            ..
        } = &self.trust
        else {
            let trusted = self.trust(location)?;
            return self.trust(trusted.base_url());
        };
        let url = parsed(location)?;
        let host = escape::clipped(url.host_str().unwrap_or_default(), 120);
        let no = |reason| Untrusted {
            host: host.clone(),
            reason,
        };
        if url.scheme() != "https" {
            return Err(no("it is not https"));
        }
        let name = url.host_str().unwrap_or_default();
        let known = match url.port_or_known_default() {
            Some(443) => within(name, compliance) || within(name, regional),
            Some(446) => within(name, regional),
            _ => return Err(no("its port is neither 443 nor 446")),
        };
        if !known {
            return Err(no(
                "the host does not belong to the cloud of this connection",
            ));
        }
        let label = name.split('.').next().unwrap_or_default();
        let base = if name == *compliance {
            format!("https://{compliance}")
        } else if name == *regional {
            return Err(no("it names no region"));
        } else {
            format!("https://{label}.{compliance}")
        };
        self.trust(&base)
    }

    /// The base URL of a service as a trusted URL.
    pub fn trusted_base(&self, resource: Resource) -> Result<TrustedUrl, Untrusted> {
        let base = self.base(resource).ok_or_else(|| Untrusted {
            host: resource.to_string(),
            reason: "this cloud has no such service",
        })?;
        TrustedUrl::base(base).ok_or_else(|| Untrusted {
            host: base.to_owned(),
            reason: "it is not a URL",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds::CloudName;

    fn commercial() -> Endpoints {
        Endpoints::of(CloudName::Commercial).unwrap()
    }

    #[test]
    fn the_clouds_own_hosts_get_a_token() {
        for (url, kept) in [
            (
                "https://outlook.office365.com",
                "https://outlook.office365.com/",
            ),
            (
                "https://outlook.office365.com:443/adminapi/beta/t?$skiptoken=a%20b",
                "https://outlook.office365.com/adminapi/beta/t?$skiptoken=a%20b",
            ),
            (
                "HTTPS://OUTLOOK.Office365.COM/x",
                "https://outlook.office365.com/x",
            ),
            (
                "https://eur02.outlook.office365.com/x#fragment",
                "https://eur02.outlook.office365.com/x",
            ),
            (
                "https://outlook.office.com/x",
                "https://outlook.office.com/x",
            ),
            (
                "https://nam12b.ps.compliance.protection.outlook.com/x",
                "https://nam12b.ps.compliance.protection.outlook.com/x",
            ),
            (
                "https://outlook.office365.com/a//b/../c?u=https://evil.example/@x",
                "https://outlook.office365.com/a//c?u=https://evil.example/@x",
            ),
        ] {
            assert_eq!(commercial().trust(url).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn nobody_else_does() {
        for (url, word) in [
            (
                "https://outlook.office365.com.evil.example/x",
                "does not belong",
            ),
            (
                "https://evil-outlook.office365.com.example/x",
                "does not belong",
            ),
            ("https://xoutlook.office365.com/x", "does not belong"),
            ("https://office365.com/x", "does not belong"),
            ("https://evil@outlook.office365.com/x", "user information"),
            (
                "https://outlook.office365.com@evil.example/x",
                "user information",
            ),
            ("https://@outlook.office365.com/x", "user information"),
            ("https://u:p@outlook.office365.com/x", "user information"),
            ("https://outlook.office365.com:8443/x", "port"),
            ("https://outlook.office365.com:80/x", "port"),
            ("https://outlook.office365.com:99999/x", "not a URL"),
            ("http://outlook.office365.com/x", "not https"),
            ("http://outlook.office365.com:443/x", "not https"),
            ("ftp://outlook.office365.com/x", "not https"),
            (
                "https://evil.example\\.outlook.office365.com/x",
                "backslashes",
            ),
            ("https:\\\\outlook.office365.com/x", "backslashes"),
            (
                "https://evil.example\\@outlook.office365.com/",
                "backslashes",
            ),
            ("https://outlook.office365.com./x", "does not belong"),
            (
                "https://outlook.office365.com%2eevil.example/x",
                "plain ASCII",
            ),
            ("https://outlook.%6fffice365.com/x", "plain ASCII"),
            ("https://outlo\u{043e}k.office365.com/x", "plain ASCII"),
            ("https://outlook\u{3002}office365.com/x", "plain ASCII"),
            (
                "https://outlook.office365.com\u{2044}.evil.example/x",
                "plain ASCII",
            ),
            ("https://outlook.office365.com /x", "blanks"),
            (" https://outlook.office365.com/x", "blanks"),
            ("https://outlook.office365.com/x\r\nX-Evil: 1", "blanks"),
            ("https://out\tlook.office365.com/x", "blanks"),
            ("//outlook.office365.com/x", "absolute"),
            ("/adminapi/beta/x", "absolute"),
            ("https:outlook.office365.com/x", "absolute"),
            ("https:///outlook.office365.com", ""),
            ("https://192.0.2.1/x", "address"),
            ("https://[::1]/x", "address"),
            ("https://0x7f.1/x", "address"),
            ("https://localhost/x", "does not belong"),
            ("https://login.microsoftonline.com/x", "does not belong"),
            ("https://graph.microsoft.com/x", "does not belong"),
            ("https://nam12b.admin.protection.outlook.com:446/x", "port"),
            ("https://outlook.office365.us/x", "does not belong"),
            (
                "https://outlook.office365.com:443@evil.example",
                "user information",
            ),
            (
                "javascript://outlook.office365.com/%0aalert(1)",
                "not https",
            ),
            ("", "absolute"),
        ] {
            match commercial().trust(url) {
                Ok(trusted) => {
                    // WHATWG reads the extra slash away: the host that is dialled must be ours.
                    assert_eq!(
                        (url, trusted.host()),
                        ("https:///outlook.office365.com", "outlook.office365.com")
                    );
                }
                Err(error) => assert!(error.reason.contains(word), "{url}: {error}"),
            }
        }
    }

    #[test]
    fn custom_endpoints_trust_exactly_their_origins() {
        let sandbox = Endpoints::custom(
            "http://127.0.0.1:1",
            "http://127.0.0.1:2",
            "https://c.example",
        )
        .unwrap();
        sandbox.trust("http://127.0.0.1:2/next?x=1").unwrap();
        sandbox.trust("https://c.example:443/x").unwrap();
        for url in [
            "http://127.0.0.1:1/x",
            "http://127.0.0.1:3/x",
            "http://localhost:2/x",
            "https://127.0.0.1:2/x",
            "http://127.0.0.2:2/x",
            "https://a.c.example/x",
            "http://c.example/x",
            "https://outlook.office365.com/x",
        ] {
            assert!(
                sandbox
                    .trust(url)
                    .unwrap_err()
                    .reason
                    .contains("none of the endpoints"),
                "{url}"
            );
        }
    }

    #[test]
    fn a_redirect_names_a_region_and_nothing_else() {
        let region = |url: &str| {
            commercial()
                .regional_compliance(url)
                .map(|url| url.as_str().to_owned())
        };
        let nam = Ok("https://nam12b.ps.compliance.protection.outlook.com/".to_owned());
        assert_eq!(
            region("https://nam12b.admin.protection.outlook.com:446/adminapi/beta/t/x?y"),
            nam
        );
        assert_eq!(
            region("https://nam12b.ps.compliance.protection.outlook.com/adminapi"),
            nam
        );
        assert_eq!(
            region("https://ps.compliance.protection.outlook.com/x"),
            Ok("https://ps.compliance.protection.outlook.com/".to_owned())
        );
        for url in [
            "https://nam12b.admin.protection.outlook.com.evil.example:446/x",
            "https://nam12b.evil.example:446/x",
            "https://nam12b.admin.protection.outlook.com:447/x",
            "http://nam12b.admin.protection.outlook.com:446/x",
            "https://x@nam12b.admin.protection.outlook.com:446/x",
            "https://admin.protection.outlook.com:446/x",
            "https://nam12b.admin.protection.office365.us:446/x",
            "https://nam12b.ps.compliance.protection.outlook.com:446/x",
            "https://outlook.office365.com/x",
            "/relative",
        ] {
            assert!(region(url).is_err(), "{url}");
        }
        let sandbox = Endpoints::custom(
            "http://127.0.0.1:1",
            "http://127.0.0.1:2",
            "http://127.0.0.1:3",
        )
        .unwrap();
        assert_eq!(
            sandbox
                .regional_compliance("http://127.0.0.1:3/a/b?c")
                .unwrap()
                .as_str(),
            "http://127.0.0.1:3/"
        );
        assert!(sandbox.regional_compliance("http://127.0.0.1:4/a").is_err());
    }

    #[test]
    fn paths_are_joined_and_moved_within_trust() {
        let base = commercial().trusted_base(Resource::Exchange).unwrap();
        let call = base.with_path("/adminapi/beta/t/InvokeCommand?$select=A,B");
        assert_eq!(
            call.path_and_query(),
            "/adminapi/beta/t/InvokeCommand?$select=A,B"
        );
        assert_eq!(call.host(), "outlook.office365.com");
        assert_eq!(
            base.with_path("//evil.example/x").host(),
            "outlook.office365.com"
        );
        assert_eq!(
            base.with_path("/@evil.example").host(),
            "outlook.office365.com"
        );
        let other = commercial()
            .trust("https://eur.outlook.office365.com")
            .unwrap();
        assert_eq!(
            call.moved_to(&other).as_str(),
            "https://eur.outlook.office365.com/adminapi/beta/t/InvokeCommand?$select=A,B"
        );
        assert!(
            !format!("{call:?}").contains("select"),
            "a cursor is not shown"
        );
        let deep = Endpoints::custom(
            "https://a.example",
            "https://e.example/front/",
            "https://c.example",
        )
        .unwrap();
        let url = deep
            .trusted_base(Resource::Exchange)
            .unwrap()
            .with_path("/x");
        assert_eq!(url.as_str(), "https://e.example/front/x");
    }
}
