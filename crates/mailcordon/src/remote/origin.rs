//! Which service is asked: its origin, and whether a token may be sent there.

use std::net::IpAddr;

use kernel::{ErrorKind, Failure, failure::code};
use url::{Host, Url};

/// Scheme, host and port of a service. Everything is sent there and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub https: bool,
    /// The host, an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Origin {
    /// Reads a URL. It has no path, no query and no credentials; `http` only to loopback.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        // What stands there may hold a password, so it is not repeated.
        let url =
            Url::parse(text.trim()).map_err(|error| refused(&format!("is no URL: {error}")))?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(refused("begins with neither https:// nor http://")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(
                "holds credentials; a token stands in `MAILCORDON_TOKEN` or a file",
            ));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("goes on after host and port; give only those"));
        }
        let (host, loopback) = match url.host() {
            Some(Host::Ipv4(ip)) => (ip.to_string(), ip.is_loopback()),
            Some(Host::Ipv6(ip)) => (ip.to_string(), ip.is_loopback()),
            Some(Host::Domain(name)) => (name.to_owned(), name == "localhost"),
            None => return Err(refused("names no host")),
        };
        if !https && !loopback {
            return Err(refused(
                "is http beyond this machine, where anybody on the way could read the token",
            )
            .hint("use https; `--server-ca` names the certificates of an authority of your own"));
        }
        let port = url.port_or_known_default().unwrap_or(443);
        Ok(Self { https, host, port })
    }

    /// `host:port`, as the `Host` header has it.
    pub fn authority(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(
        ErrorKind::Configuration,
        code::CONFIGURATION,
        format!("the URL of the service {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_an_origin_and_http_stays_on_the_machine() {
        let of = |text: &str| Origin::parse(text).map(|origin| origin.to_string());
        assert_eq!(
            of("https://cordon.example").unwrap(),
            "https://cordon.example:443"
        );
        assert_eq!(
            of("https://cordon.example:8425/").unwrap(),
            "https://cordon.example:8425"
        );
        assert_eq!(
            of("http://127.0.0.1:8425").unwrap(),
            "http://127.0.0.1:8425"
        );
        assert_eq!(of("http://[::1]:8425").unwrap(), "http://[::1]:8425");
        assert_eq!(
            of("http://localhost:8425").unwrap(),
            "http://localhost:8425"
        );
        for text in [
            "http://cordon.example",
            "http://10.0.0.1:8425",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "https://cordon.example/api",
            "https://cordon.example/?token=x",
            "https://cordon.example/#x",
            "https://soc:hunter22@cordon.example",
            "ftp://cordon.example",
            "cordon.example",
            "",
        ] {
            let failure = of(text).unwrap_err();
            assert_eq!(failure.code, code::CONFIGURATION, "{text}");
            assert!(!format!("{failure:?}").contains("hunter22"));
        }
    }
}
