//! The gateways and redirectors that are known, and the form of their links.

/// How the target stands in the link.
#[derive(Clone, Copy)]
pub(super) enum How {
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

/// Where the wrappers of one service are found.
pub(super) struct Rule {
    pub service: &'static str,
    pub protection: bool,
    /// A host, or with a dot in front any host under it.
    pub host: &'static str,
    pub path: &'static str,
    pub how: How,
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

/// The first rule that fits counts.
pub(super) const RULES: &[Rule] = &[
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
