//! Which requests go through a proxy, and HTTP CONNECT.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kernel::{Secret, escape};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;
use zeroize::Zeroizing;

use super::{
    bypass::{Exception, exceptions},
    dial::Stream,
};
use crate::{
    clouds::Origin,
    environment::ProxyEnvironment,
    error::{ConfigError, SendError, SendKind},
    secret::{SharedSecret, StaticSecret},
    settings::ProxySettings,
};

/// The metadata address of every cloud machine. It answers to the machine itself only, and hands
/// out tokens: no proxy may stand between.
const METADATA: &str = "169.254.169.254";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyKind {
    Http,
    Socks5,
}

/// One proxy.
pub(super) struct Proxy {
    pub kind: ProxyKind,
    pub host: String,
    pub port: u16,
    username: Option<String>,
    password: Option<SharedSecret>,
}

impl Proxy {
    /// `host:port`, for a person.
    pub fn label(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// User name and password, if it has them.
    pub async fn credentials(&self, target: &str) -> Result<Option<(String, Secret)>, SendError> {
        let Some(username) = &self.username else {
            return Ok(None);
        };
        let password = match &self.password {
            None => Secret::new(""),
            Some(source) => {
                let failed = |error: crate::SecretError| {
                    SendError::not_sent(
                        SendKind::Configuration,
                        target,
                        format!("The proxy's password: {error}"),
                    )
                };
                let reading = source.get().await.map_err(failed)?;
                reading.text(&source.describe()).map_err(failed)?
            }
        };
        Ok(Some((username.clone(), password)))
    }

    fn parse(
        given: &str,
        username: Option<String>,
        password: Option<SharedSecret>,
        inline_allowed: bool,
    ) -> Result<Self, ConfigError> {
        let shown = given.rsplit_once('@').map_or(given, |(_, rest)| rest);
        let bad = |reason| ConfigError::BadProxy {
            url: escape::clipped(shown, 120),
            reason,
        };
        let text = if given.contains("://") {
            given.to_owned()
        } else {
            format!("http://{given}")
        };
        let url = Url::parse(text.trim()).map_err(|_| bad("it is not a URL"))?;
        let (kind, default_port) = match url.scheme() {
            "http" => (ProxyKind::Http, 80),
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            "https" => {
                return Err(bad(
                    "a proxy behind TLS is not supported; use http:// or socks5://",
                ));
            }
            "socks4" | "socks4a" => return Err(bad("SOCKS4 is not supported; use socks5://")),
            _ => return Err(bad("it must begin with http:// or socks5://")),
        };
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| bad("it has no host"))?
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let mut proxy = Self {
            kind,
            host,
            port: url.port().unwrap_or(default_port),
            username,
            password,
        };
        if !url.username().is_empty() || url.password().is_some() {
            if !inline_allowed {
                return Err(bad(
                    "name its credentials with `username` and `password`, not in the URL",
                ));
            }
            let decode = |text: &str| {
                percent_decode(text).ok_or_else(|| bad("its user name or password is not UTF-8"))
            };
            proxy.username = Some(decode(url.username())?);
            let password = decode(url.password().unwrap_or_default())?;
            if !password.is_empty() {
                proxy.password = Some(StaticSecret::named("the proxy variable", password).into());
            }
        }
        Ok(proxy)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.label())
    }
}

fn percent_decode(text: &str) -> Option<String> {
    // `form_urlencoded` would turn a plus into a blank; keep it.
    let kept = text.replace('+', "%2B");
    let pair = format!("x={kept}").replace('&', "%26");
    let value = url::form_urlencoded::parse(pair.as_bytes())
        .next()?
        .1
        .into_owned();
    (!value.contains('\u{fffd}')).then_some(value)
}

/// The proxy of a connection and the rules about it.
#[derive(Debug)]
pub(crate) struct Proxies {
    own: Option<Proxy>,
    environment: Option<Proxy>,
    exceptions: Vec<Exception>,
}

impl Proxies {
    pub fn new(
        own: Option<&ProxySettings>,
        environment: &ProxyEnvironment,
    ) -> Result<Self, ConfigError> {
        let own = own
            .map(|settings| {
                let password = settings.password.clone().map(SharedSecret::new);
                Proxy::parse(&settings.url, settings.username.clone(), password, false)
            })
            .transpose()?;
        let variable = environment
            .https_proxy
            .as_ref()
            .filter(|v| !v.expose().trim().is_empty());
        let environment_proxy = match (&own, variable) {
            (None, Some(value)) => Some(Proxy::parse(value.expose(), None, None, true)?),
            _ => None,
        };
        let exceptions = environment
            .no_proxy
            .as_deref()
            .map(exceptions)
            .unwrap_or_default();
        Ok(Self {
            own,
            environment: environment_proxy,
            exceptions,
        })
    }

    /// The proxy for an origin; `None` for a direct connection. `NO_PROXY` belongs to the
    /// environment's proxy: a proxy that the connection names itself is meant.
    pub(super) fn route(&self, origin: &Origin) -> Option<&Proxy> {
        if !origin.https || origin.is_loopback() || origin.host == METADATA {
            return None;
        }
        if self.own.is_some() {
            return self.own.as_ref();
        }
        let excepted = self
            .exceptions
            .iter()
            .any(|exception| exception.covers(origin));
        self.environment.as_ref().filter(|_| !excepted)
    }
}

/// The largest answer to CONNECT that is read.
const MAX_HEAD: usize = 16 * 1024;

/// Asks an HTTP proxy for a tunnel.
pub(super) async fn connect(
    proxy: &Proxy,
    origin: &Origin,
    mut stream: Stream,
) -> Result<Stream, SendError> {
    let target = origin.bare_host();
    let label = proxy.label();
    let failed = |text: String| SendError::not_sent(SendKind::ProxyRefused, target, text);
    let credentials = proxy.credentials(target).await?;
    let authority = format!("{}:{}", origin.host, origin.port);
    let mut request = Zeroizing::new(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {}\r\n",
        super::send::USER_AGENT
    ));
    if let Some((username, password)) = &credentials {
        let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&encoded);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let broken =
        |error: std::io::Error| failed(format!("The proxy {label} broke the connection: {error}"));
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut head = Vec::with_capacity(512);
    let end = loop {
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if head.len() > MAX_HEAD {
            return Err(failed(format!(
                "The proxy {label} answered with an endless head"
            )));
        }
        if stream.read_buf(&mut head).await.map_err(broken)? == 0 {
            return Err(failed(format!(
                "The proxy {label} closed the connection without an answer"
            )));
        }
    };
    let whole = head.len() == end + 4;
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.lines();
    let status_line = lines.next().unwrap_or_default();
    let status: Option<u16> = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|code| code.parse().ok());
    match status {
        Some(200..=299) if whole => Ok(stream),
        Some(200..=299) => Err(failed(format!(
            "The proxy {label} spoke before the other side did"
        ))),
        Some(407) => Err(authentication(&label, target, lines, credentials.is_some())),
        Some(_) => {
            let reason = status_line.split_once(' ').map_or("", |(_, rest)| rest);
            Err(failed(format!(
                "The proxy {label} refused to connect: {}",
                escape::clipped(reason, 100)
            )))
        }
        None => Err(failed(format!("{label} does not answer as an HTTP proxy"))),
    }
}

/// The error for a 407: what the proxy offers decides what to say.
fn authentication<'a>(
    label: &str,
    target: &str,
    lines: impl Iterator<Item = &'a str>,
    had_credentials: bool,
) -> SendError {
    let offers: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|(_, value)| value.split_whitespace().next().map(str::to_ascii_lowercase))
        .collect();
    let basic = offers
        .iter()
        .any(|offer| offer.trim_end_matches(',') == "basic");
    if !basic && !offers.is_empty() {
        let named: Vec<&str> = offers
            .iter()
            .map(|offer| match offer.trim_end_matches(',') {
                "negotiate" | "kerberos" => "Kerberos (Negotiate)",
                "ntlm" => "NTLM",
                "digest" => "Digest",
                _ => "another scheme",
            })
            .collect();
        return SendError::not_sent(
            SendKind::ProxyUnsupported,
            target,
            format!(
                "The proxy {label} wants {}, which is not supported",
                named.join(" or ")
            ),
        );
    }
    let text = if had_credentials {
        format!("The proxy {label} did not take the user name and password (407)")
    } else {
        format!("The proxy {label} wants a user name and a password (407)")
    };
    SendError::not_sent(SendKind::ProxyRefused, target, text)
}

/// For the SOCKS side: an error in the words of this proxy.
pub(super) fn refused(proxy: &Proxy, origin: &Origin, text: &str) -> SendError {
    SendError::not_sent(
        SendKind::ProxyRefused,
        origin.bare_host(),
        format!("The proxy {} {text}", proxy.label()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(https: bool, host: &str, port: u16) -> Origin {
        Origin {
            https,
            host: host.to_owned(),
            port,
        }
    }

    fn with_env(no_proxy: &str) -> Proxies {
        let environment = ProxyEnvironment {
            https_proxy: Some(Secret::new("http://u%40x:p%2Bq+r@proxy.example:3128/")),
            no_proxy: Some(no_proxy.to_owned()),
        };
        Proxies::new(None, &environment).unwrap()
    }

    #[test]
    fn no_proxy_is_read_as_others_read_it() {
        let cases = [
            ("outlook.office365.com", "outlook.office365.com", true),
            (".office365.com", "outlook.office365.com", true),
            ("*.office365.com", "outlook.office365.com", true),
            ("office365.com", "xoffice365.com", false),
            ("*", "anything.example", true),
            ("a.example:8443", "a.example", false),
            ("a.example:443", "a.example", true),
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("2001:db8::/32", "[2001:db8::1]", true),
            ("", "a.example", false),
            ("b.example, a.example", "a.example", true),
            ("0.0.0.0/0", "192.0.2.1", true),
        ];
        for (no_proxy, host, direct) in cases {
            let proxies = with_env(no_proxy);
            assert_eq!(
                proxies.route(&origin(true, host, 443)).is_none(),
                direct,
                "{no_proxy} for {host}"
            );
        }
    }

    #[test]
    fn loopback_and_the_metadata_address_never_go_through() {
        let own = ProxySettings {
            url: "socks5://proxy.example".to_owned(),
            username: None,
            password: None,
        };
        let proxies = Proxies::new(Some(&own), &ProxyEnvironment::default()).unwrap();
        for host in ["127.0.0.1", "[::1]", "localhost", "127.9.9.9", METADATA] {
            assert!(proxies.route(&origin(true, host, 443)).is_none(), "{host}");
        }
        assert_eq!(
            proxies.route(&origin(true, "a.example", 443)).unwrap().port,
            1080
        );
        assert!(proxies.route(&origin(false, "a.example", 80)).is_none());
    }

    #[test]
    fn the_connections_own_proxy_wins_and_is_meant() {
        let own = ProxySettings {
            url: "http://own.example:1".to_owned(),
            username: None,
            password: None,
        };
        let environment = ProxyEnvironment {
            https_proxy: Some(Secret::new("http://env.example:2")),
            no_proxy: Some("*".to_owned()),
        };
        let proxies = Proxies::new(Some(&own), &environment).unwrap();
        assert_eq!(
            proxies.route(&origin(true, "a.example", 443)).unwrap().host,
            "own.example"
        );
    }

    #[tokio::test]
    async fn credentials_of_the_variable_are_decoded_and_never_shown() {
        let proxies = with_env("");
        let proxy = proxies.route(&origin(true, "a.example", 443)).unwrap();
        let (name, password) = proxy.credentials("a").await.unwrap().unwrap();
        assert_eq!((name.as_str(), password.expose()), ("u@x", "p+q+r"));
        assert!(!format!("{proxies:?}").contains("p+q"));
    }

    #[test]
    fn proxies_that_cannot_be_used_are_named() {
        for (url, word) in [
            ("https://proxy.example", "behind TLS"),
            ("socks4://proxy.example", "SOCKS4"),
            ("ftp://proxy.example", "http://"),
            ("http://user:hunter2@proxy.example", "username"),
            ("http://", "not a URL"),
        ] {
            let own = ProxySettings {
                url: url.to_owned(),
                username: None,
                password: None,
            };
            let error = Proxies::new(Some(&own), &ProxyEnvironment::default()).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(word) && !text.contains("hunter2"),
                "{url}: {text}"
            );
            assert!(!format!("{own:?}").contains("hunter2"));
        }
    }
}
