//! Links rewritten by mail gateways and redirectors, unwrapped as text.
//!
//! The forms are those that the services publish or that their public decoders read. Where the
//! target is kept on the service's own machines, that is said and nothing is asked of them.

use url::Url;

use super::decode::{base64_any, percent};
use super::defense::{underscores, url_defense};
use super::services::{How, RULES};

/// A wrapper that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwrapped {
    pub service: &'static str,
    pub protection: bool,
    /// The target, or why the text does not give it.
    pub target: Result<String, String>,
}

/// Whether a link is a wrapper, and what it holds.
pub(super) fn unwrap(url: &Url) -> Option<Unwrapped> {
    let host = url.host_str()?.trim_end_matches('.');
    let rule = RULES
        .iter()
        .find(|rule| fits(rule.host, host) && url.path().starts_with(rule.path))?;
    let target = match rule.how {
        How::Parameter(names) => match names.iter().find_map(|name| parameter(url, name)) {
            Some(text) => Ok(text),
            // Other pages of the same service.
            None => return None,
        },
        How::Base64(name) => match parameter(url, name) {
            Some(text) => base64_any(&text.replace(' ', "+"))
                .ok_or_else(|| "its target is not readable base64".to_owned()),
            None => return None,
        },
        How::Tail => tail(url).ok_or_else(|| "it holds no target".to_owned()),
        How::Underscores => underscores(url),
        How::UrlDefense => url_defense(url),
        How::Bing => {
            match parameter(url, "u").and_then(|text| base64_any(text.strip_prefix("a1")?)) {
                Some(text) => Ok(text),
                None => return None,
            }
        }
        How::Kept(name) => Err(match parameter(url, name) {
            Some(domain) => {
                format!("its target is kept by the service, only its domain `{domain}` is known")
            }
            None => "its target is kept by the service".to_owned(),
        }),
    };
    let target = target.and_then(|text| {
        let text = text.trim();
        if text.is_empty() {
            Err("its target is empty".to_owned())
        } else {
            Ok(with_scheme(text))
        }
    });
    Some(Unwrapped {
        service: rule.service,
        protection: rule.protection,
        target,
    })
}

fn fits(rule: &str, host: &str) -> bool {
    match rule {
        "google" => google(host),
        suffix if suffix.starts_with('.') => host.ends_with(suffix),
        whole => host == whole,
    }
}

/// `google.<TLD>` and `www.google.<TLD>`, country domains of two labels included.
fn google(host: &str) -> bool {
    let host = host.strip_prefix("www.").unwrap_or(host);
    let Some(rest) = host.strip_prefix("google.") else {
        return false;
    };
    let labels: Vec<&str> = rest.split('.').collect();
    match labels.as_slice() {
        [tld] => *tld == "com" || tld.len() == 2,
        ["co" | "com", country] => country.len() == 2,
        _ => false,
    }
}

/// A query parameter, percent-decoded once; its name in any case.
pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query()?
        // A gateway that met `&amp;` undecoded leaves it in.
        .split('&')
        .map(|pair| pair.strip_prefix("amp;").unwrap_or(pair))
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| percent(value))
}

fn tail(url: &Url) -> Option<String> {
    let text = url.as_str();
    let path = text.find(url.path()).filter(|_| url.path().len() > 1)?;
    let rest = text.get(path + 1..)?;
    if let Some(at) = rest
        .find("http%3A")
        .or_else(|| rest.find("http%3a"))
        .or_else(|| rest.find("https%3A"))
        .or_else(|| rest.find("https%3a"))
    {
        return Some(percent(rest.get(at..)?));
    }
    if let Some(at) = rest.find("http://").or_else(|| rest.find("https://")) {
        return rest.get(at..).map(str::to_owned);
    }
    // AMP: what follows `/amp/s/` is an https address.
    rest.strip_prefix("amp/s/")
        .map(|rest| format!("https://{}", percent(rest)))
}

fn with_scheme(text: &str) -> String {
    if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{}", text.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<String, String> {
        unwrap(&Url::parse(text).unwrap()).unwrap().target
    }

    #[test]
    fn every_service_gives_its_target() {
        for (text, wanted) in [
            (
                "https://nam02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fa%3Fb%3D1%26c%3D2&data=05%7C02&reserved=0",
                "https://evil.example/a?b=1&c=2",
            ),
            (
                "https://urldefense.proofpoint.com/v1/url?u=http://www.evil.example/a&k=x",
                "http://www.evil.example/a",
            ),
            (
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__evil.example_a-5Fb-3Fq-3D1-26r&d=DwMFaQ&c=x",
                "https://evil.example/a_b?q=1&r",
            ),
            (
                "https://urldefense.com/v3/__https://evil.example/a?b=1__;!!x!y$",
                "https://evil.example/a?b=1",
            ),
            (
                "https://urldefense.com/v3/__https:/evil.example/a*b__;Iw!!x!y$",
                "https://evil.example/a#b",
            ),
            (
                "https://urldefense.com/v3/__https://evil.example/a**Bc__;JSUl!!x!y$",
                "https://evil.example/a%%%c",
            ),
            (
                "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fevil.example%2fa&c=E,1,x&typo=1",
                "https://evil.example/a",
            ),
            (
                "https://www.google.com/url?q=https://evil.example/a&sa=D",
                "https://evil.example/a",
            ),
            (
                "https://google.co.uk/url?sa=t&url=https%3A%2F%2Fevil.example%2F",
                "https://evil.example/",
            ),
            (
                "https://www.google.com/amp/s/evil.example/a%2Fb",
                "https://evil.example/a/b",
            ),
            (
                "https://ca-1234.trendmicro.com:443/wis/clicktime/v1/query?url=https%3a%2f%2fevil.example&umid=1",
                "https://evil.example",
            ),
            (
                "https://us-west-2.protection.sophos.com?d=evil.example&u=aHR0cHM6Ly9ldmlsLmV4YW1wbGUvYQ==&i=1",
                "https://evil.example/a",
            ),
            (
                "https://protect2.fireeye.com/v1/url?k=1&q=1&e=2&u=https%3A%2F%2Fevil.example%2Fa",
                "https://evil.example/a",
            ),
            (
                "https://secure-web.cisco.com/1aBcD/https%3A%2F%2Fevil.example%2Fa%3Fb",
                "https://evil.example/a?b",
            ),
            (
                "https://clicktime.symantec.com/3abc?u=https%3A%2F%2Fevil.example",
                "https://evil.example",
            ),
            (
                "https://protect.checkpoint.com/v2/___https://evil.example/a___.YXAz",
                "https://evil.example/a",
            ),
            (
                "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9ldmlsLmV4YW1wbGUvYQ&ntb=1",
                "https://evil.example/a",
            ),
        ] {
            assert_eq!(target(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_the_service_keeps_is_said() {
        let kept = target("https://protect-eu.mimecast.com/s/AbC?domain=evil.example").unwrap_err();
        assert!(kept.contains("evil.example"), "{kept}");
        assert!(target("https://urldefense.com/v3/nothing").is_err());
        assert!(target("https://protect.checkpoint.com/v2/r01/___mfyyux://x___.a").is_err());
    }

    #[test]
    fn other_hosts_are_none() {
        for text in [
            "https://evil.example/?url=https://a.example",
            "https://safelinks.protection.outlook.com.evil.example/?url=https://a.example",
            "https://google.evil/url?q=https://a.example",
            "https://www.google.com/search?q=https://a.example",
        ] {
            assert_eq!(unwrap(&Url::parse(text).unwrap()), None, "{text}");
        }
    }
}
