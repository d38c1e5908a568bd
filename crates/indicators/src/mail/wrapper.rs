//! Links rewritten by mail gateways and redirectors, unwrapped as text.
//!
//! The forms are those that the services publish or that their public decoders read. Where the
//! target is kept on the service's own machines, that is said and nothing is asked of them.

use url::Url;

use super::decode::{base64_any, percent};

/// A wrapper that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwrapped {
    pub service: &'static str,
    pub protection: bool,
    /// The target, or why the text does not give it.
    pub target: Result<String, String>,
}

/// How the target stands in the link.
#[derive(Clone, Copy)]
enum How {
    /// Percent-encoded in the first of these parameters that is there.
    Parameter(&'static [&'static str]),
    /// Base64 in a parameter.
    Base64(&'static str),
    /// The rest of the link from the first `http` after the path's beginning.
    Tail,
    /// `___url___` (Check Point).
    Underscores,
    UrlDefense,
    /// `a1` and base64 in `u` (Bing).
    Bing,
    /// Only with the service; a parameter may name the target's domain.
    Kept(&'static str),
}

struct Rule {
    service: &'static str,
    protection: bool,
    /// A host, or with a dot in front any host under it.
    host: &'static str,
    path: &'static str,
    how: How,
}

const fn gateway(service: &'static str, host: &'static str, path: &'static str, how: How) -> Rule {
    Rule {
        service,
        protection: true,
        host,
        path,
        how,
    }
}

const fn redirect(service: &'static str, host: &'static str, path: &'static str, how: How) -> Rule {
    Rule {
        service,
        protection: false,
        host,
        path,
        how,
    }
}

const RULES: &[Rule] = &[
    gateway(
        "Safe Links",
        ".safelinks.protection.outlook.com",
        "/",
        How::Parameter(&["url"]),
    ),
    gateway(
        "Safe Links",
        ".safelinks.protection.office365.us",
        "/",
        How::Parameter(&["url"]),
    ),
    gateway(
        "Safe Links",
        "statics.teams.cdn.office.net",
        "/evergreen-assets/safelinks/",
        How::Parameter(&["url"]),
    ),
    gateway(
        "Proofpoint URL Defense",
        "urldefense.com",
        "/",
        How::UrlDefense,
    ),
    gateway(
        "Proofpoint URL Defense",
        "urldefense.us",
        "/",
        How::UrlDefense,
    ),
    gateway(
        "Proofpoint URL Defense",
        "urldefense.proofpoint.com",
        "/",
        How::UrlDefense,
    ),
    gateway("Mimecast", ".mimecast.com", "/s/", How::Kept("domain")),
    gateway(
        "Mimecast",
        ".mimecastprotect.com",
        "/s/",
        How::Kept("domain"),
    ),
    gateway("Mimecast", ".mimecast.com", "/r/", How::Kept("domain")),
    gateway(
        "Mimecast",
        ".mimecastprotect.com",
        "/r/",
        How::Kept("domain"),
    ),
    gateway(
        "Barracuda Link Protection",
        "linkprotect.cudasvc.com",
        "/url",
        How::Parameter(&["a"]),
    ),
    gateway(
        "Trend Micro",
        ".trendmicro.com",
        "/wis/clicktime/",
        How::Parameter(&["url"]),
    ),
    gateway(
        "Trend Micro",
        ".trendmicro.eu",
        "/wis/clicktime/",
        How::Parameter(&["url"]),
    ),
    gateway("Sophos", ".protection.sophos.com", "/", How::Base64("u")),
    gateway("FireEye", ".fireeye.com", "/", How::Parameter(&["u"])),
    gateway("FireEye", ".fireeye.com", "/url", How::Parameter(&["u"])),
    gateway("Cisco Secure Email", "secure-web.cisco.com", "/", How::Tail),
    gateway(
        "Symantec Click-time",
        "clicktime.symantec.com",
        "/",
        How::Parameter(&["u"]),
    ),
    gateway(
        "Check Point",
        "protect.checkpoint.com",
        "/v2/",
        How::Underscores,
    ),
    gateway("Check Point", "url.avanan.click", "/v2/", How::Underscores),
    gateway(
        "Trustwave",
        "scanmail.trustwave.com",
        "/",
        How::Parameter(&["u"]),
    ),
    gateway(
        "EdgePilot",
        "link.edgepilot.com",
        "/s/",
        How::Parameter(&["u"]),
    ),
    gateway(
        "Hornetsecurity",
        "atpscan.global.hornetsecurity.com",
        "/",
        How::Kept(""),
    ),
    gateway("Inky", ".inky.com", "/link", How::Kept("domain")),
    redirect(
        "Google redirect",
        "google",
        "/url",
        How::Parameter(&["q", "url"]),
    ),
    redirect("Google AMP", "google", "/amp/s/", How::Tail),
    redirect(
        "Google ads",
        "www.googleadservices.com",
        "/pagead/aclk",
        How::Parameter(&["adurl"]),
    ),
    redirect(
        "Google ads",
        ".doubleclick.net",
        "/",
        How::Parameter(&["adurl"]),
    ),
    redirect("Bing redirect", "www.bing.com", "/ck/a", How::Bing),
    redirect(
        "DuckDuckGo redirect",
        "duckduckgo.com",
        "/l/",
        How::Parameter(&["uddg"]),
    ),
    redirect(
        "Facebook redirect",
        "l.facebook.com",
        "/l.php",
        How::Parameter(&["u"]),
    ),
    redirect(
        "Facebook redirect",
        "lm.facebook.com",
        "/l.php",
        How::Parameter(&["u"]),
    ),
    redirect(
        "Instagram redirect",
        "l.instagram.com",
        "/",
        How::Parameter(&["u"]),
    ),
    redirect(
        "YouTube redirect",
        "www.youtube.com",
        "/redirect",
        How::Parameter(&["q"]),
    ),
    redirect(
        "LinkedIn redirect",
        "www.linkedin.com",
        "/redir/",
        How::Parameter(&["url"]),
    ),
    redirect(
        "Slack redirect",
        "slack-redir.net",
        "/link",
        How::Parameter(&["url"]),
    ),
    redirect(
        "VK redirect",
        "vk.com",
        "/away.php",
        How::Parameter(&["to"]),
    ),
    redirect(
        "Steam link filter",
        "steamcommunity.com",
        "/linkfilter/",
        How::Parameter(&["u", "url"]),
    ),
];

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
fn parameter(url: &Url, name: &str) -> Option<String> {
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

fn underscores(url: &Url) -> Result<String, String> {
    let text = url.as_str();
    let inner = text.split_once("___").and_then(|(before, rest)| {
        // The second form shifts the letters by a secret; only the plain one can be read.
        let plain = before.ends_with("/v2/");
        plain.then(|| rest.split_once("___").map(|(inner, _)| inner))?
    });
    inner
        .map(str::to_owned)
        .ok_or_else(|| "its target is scrambled by the service".to_owned())
}

fn url_defense(url: &Url) -> Result<String, String> {
    let path = url.path();
    if path.starts_with("/v1/") {
        let text = parameter(url, "u").ok_or("it holds no target")?;
        return Ok(text.replace("&amp;", "&"));
    }
    if path.starts_with("/v2/") {
        let pairs = url.query().unwrap_or_default().split('&');
        let text = pairs
            .filter_map(|pair| pair.strip_prefix("u="))
            .next()
            .ok_or("it holds no target")?;
        return Ok(percent(&text.replace('-', "%").replace('_', "/")).replace("&amp;", "&"));
    }
    url_defense_3(url.as_str()).ok_or_else(|| "its target can't be read".to_owned())
}

/// `/v3/__<url>__;<replaced characters>!…`: each `*` stands for one replaced character, `**x` for
/// a run whose length `x` tells.
fn url_defense_3(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("/v3/__")?;
    let (masked, rest) = rest.split_once("__;")?;
    let (encoded, _) = rest.split_once('!')?;
    let replaced = base64_any(encoded)?;
    let mut replaced = replaced.chars();
    let mut out = String::with_capacity(masked.len());
    // The URL may have lost one of its slashes on the way.
    let masked = match masked.split_once(":/") {
        Some((scheme, rest)) if !rest.starts_with('/') => format!("{scheme}://{rest}"),
        _ => masked.to_owned(),
    };
    let mut rest = masked.as_str();
    while let Some((before, after)) = rest.split_once('*') {
        out.push_str(before);
        let run = after.strip_prefix('*').and_then(|run| run.chars().next());
        match run {
            Some(mark) => {
                out.extend(replaced.by_ref().take(run_length(mark)?));
                rest = after.get(1 + mark.len_utf8()..)?;
            }
            None => {
                out.push(replaced.next()?);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Runs are two characters and longer, counted in the order of URL-safe base64.
fn run_length(mark: char) -> Option<usize> {
    const MARKS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    MARKS.find(mark).map(|at| at + 2)
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
