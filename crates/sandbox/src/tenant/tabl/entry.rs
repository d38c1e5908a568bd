//! Which values the service takes for which list, and when two of them are the same. Written from
//! the documented tables alone and shared with no client.

use std::net::{Ipv4Addr, Ipv6Addr};

/// One of the four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListType {
    /// SHA-256 of files.
    FileHash,
    /// Addresses and domains.
    Sender,
    /// URLs.
    Url,
    /// IPv6 addresses and ranges.
    Ip,
}

impl ListType {
    /// The member from its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::FileHash, Self::Sender, Self::Url, Self::Ip]
            .into_iter()
            .find(|l| l.name() == name)
    }

    /// The name as the cmdlet prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FileHash => "FileHash",
            Self::Sender => "Sender",
            Self::Url => "Url",
            Self::Ip => "IP",
        }
    }
}

/// Ordinary entries, or those of phishing simulations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubType {
    /// Ordinary.
    Tenant,
    /// Phishing simulation URLs.
    AdvancedDelivery,
}

impl SubType {
    /// The member from its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Tenant, Self::AdvancedDelivery]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The name as the cmdlet prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::AdvancedDelivery => "AdvancedDelivery",
        }
    }
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Lets mail through.
    Allow,
    /// Keeps mail out.
    Block,
}

impl Action {
    /// The name as the cmdlet prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Block => "Block",
        }
    }
}

/// Longest URL entry, in characters.
const URL_LENGTH: usize = 250;

/// File endings that are no top-level domain: alone behind a name they make a file, not a host.
const FILE_ENDINGS: &[&str] = &[
    "7z", "apk", "asp", "aspx", "bat", "bin", "bmp", "cab", "chm", "cmd", "css", "csv", "dll",
    "dmg", "doc", "docm", "docx", "dot", "dotm", "eml", "exe", "gif", "gz", "hta", "htm", "html",
    "ics", "img", "ini", "iso", "jar", "jpeg", "jpg", "js", "jse", "json", "jsp", "lnk", "log",
    "mp3", "mp4", "msg", "msi", "odt", "one", "pdf", "php", "png", "ppt", "pptm", "pptx", "ps1",
    "pst", "rar", "rtf", "scr", "svg", "tar", "tif", "tiff", "txt", "url", "vbe", "vbs", "vhd",
    "vhdx", "wav", "wsf", "xls", "xlsb", "xlsm", "xlsx", "xml",
];

/// Whether a value may stand on a list under an action; the reason when not.
pub fn judge(
    list: ListType,
    subtype: SubType,
    action: Action,
    value: &str,
) -> Result<(), &'static str> {
    match list {
        ListType::FileHash => hash(value),
        ListType::Sender => sender(value),
        ListType::Ip => ip(value),
        ListType::Url => {
            let form = url(value)?;
            if action == Action::Allow && subtype == SubType::Tenant && form == Form::Wide {
                return Err("Wildcard allow entries are supported only for AdvancedDelivery");
            }
            if action == Action::Allow && form == Form::TopLevel {
                return Err("A top-level domain can only be blocked");
            }
            Ok(())
        }
    }
}

/// The form under which two values are the same entry.
pub fn canonical(list: ListType, value: &str) -> String {
    match list {
        ListType::FileHash | ListType::Sender => value.to_lowercase(),
        ListType::Url => {
            let end = value.find(['/', '?', '#', '\\']).unwrap_or(value.len());
            let (host, rest) = value.split_at_checked(end).unwrap_or((value, ""));
            host.to_ascii_lowercase() + rest
        }
        ListType::Ip => {
            let (address, prefix) = value.split_once('/').unwrap_or((value, "128"));
            match address.parse::<Ipv6Addr>() {
                Ok(address) => format!("{address}/{prefix}"),
                Err(_) => value.to_ascii_lowercase(),
            }
        }
    }
}

fn hash(value: &str) -> Result<(), &'static str> {
    if value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err("Invalid file hash. Only SHA256 hashes are supported")
}

fn ip(value: &str) -> Result<(), &'static str> {
    const WRONG: &str = "Invalid IP address. Only IPv6 addresses and CIDR ranges are supported";
    let (address, prefix) = match value.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (value, None),
    };
    address.parse::<Ipv6Addr>().map_err(|_| WRONG)?;
    let Some(prefix) = prefix else { return Ok(()) };
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    match prefix.parse::<u8>() {
        Ok(1..=128) if digits => Ok(()),
        _ => Err(WRONG),
    }
}

/// Whether a value is an address or a domain.
pub(super) fn is_sender(value: &str) -> bool {
    sender(value).is_ok()
}

/// Whether a value is a domain of at least two labels.
pub(super) fn is_domain(value: &str) -> bool {
    domain_name(value, 2).is_ok()
}

fn sender(value: &str) -> Result<(), &'static str> {
    if let Some((local, domain)) = value.rsplit_once('@') {
        if local.is_empty() || local.len() > 64 || !local.bytes().all(local_byte) {
            return Err("Invalid email address");
        }
        return domain_name(domain, 2).map_err(|()| "Invalid email address");
    }
    let (domain, labels) = match value.strip_prefix("*.") {
        Some(rest) => (rest, 1),
        None => (value, 2),
    };
    domain_name(domain, labels).map_err(|()| "Invalid domain")
}

/// Bytes of an unquoted local part; everything else has to come percent-encoded.
fn local_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

fn domain_name(domain: &str, least_labels: usize) -> Result<(), ()> {
    if domain.is_empty() || domain.len() > 253 {
        return Err(());
    }
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        let fits = !label.is_empty() && label.len() <= 63;
        let plain = label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !fits || !plain || label.starts_with('-') || label.ends_with('-') {
            return Err(());
        }
        labels += 1;
        last = label;
    }
    // An all-numeric last label is an address, never a domain.
    if labels < least_labels || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(());
    }
    Ok(())
}

/// The shapes of a URL entry that matter beyond validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// No wildcard on the left.
    Plain,
    /// `*.X`, `~X`, `*.X/*`, `~X~`.
    Wide,
    /// `*.TLD/*`.
    TopLevel,
}

fn url(value: &str) -> Result<Form, &'static str> {
    if value.is_empty() {
        return Err("The URL is empty");
    }
    if value.chars().count() > URL_LENGTH {
        return Err("The URL is longer than 250 characters");
    }
    if !value.is_ascii() {
        return Err("Unicode is not supported, use Punycode");
    }
    if value
        .bytes()
        .any(|byte| byte.is_ascii_control() || matches!(byte, b' ' | b'"' | b'\''))
    {
        return Err("The URL contains an invalid character");
    }
    let (star, tilde, inner) = if let Some(rest) = value.strip_prefix("*.") {
        (true, false, rest)
    } else if let Some(rest) = value.strip_prefix('~') {
        (false, true, rest)
    } else {
        (false, false, value)
    };
    let (all_below, inner) = match inner.strip_suffix("/*") {
        Some(rest) => (true, rest),
        None => (false, inner),
    };
    let inner = match inner.strip_suffix('~') {
        Some(rest) if tilde && !all_below => rest,
        Some(_) => return Err("Invalid wildcard"),
        None if tilde && all_below => return Err("Invalid wildcard"),
        None => inner,
    };
    if inner.contains('*') {
        return Err("Invalid wildcard");
    }
    let end = inner.find(['/', '?', '#', '\\']).unwrap_or(inner.len());
    let (host, path) = inner.split_at_checked(end).unwrap_or((inner, ""));
    if host.contains('~') {
        return Err("Invalid wildcard");
    }
    let host = Host {
        name: host,
        wide: star || tilde,
        whole_tree: star && all_below && path.is_empty(),
        bare: path.is_empty() && !all_below,
    };
    host.judge()
}

/// The host of a URL entry and what stands around it.
struct Host<'a> {
    name: &'a str,
    /// `*.` or `~` in front.
    wide: bool,
    /// `*.` in front and `/*` right behind.
    whole_tree: bool,
    /// Nothing behind.
    bare: bool,
}

impl Host<'_> {
    fn judge(&self) -> Result<Form, &'static str> {
        let host = self.name;
        let literal = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if literal.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv4Addr>().is_ok() {
            return if self.wide {
                Err("Wildcards in an IP address")
            } else {
                Ok(Form::Plain)
            };
        }
        if host.contains('@') {
            return Err("User name and password are not supported");
        }
        if host.contains(':') {
            return Err("Protocols and ports are not supported");
        }
        if self.whole_tree && !host.contains('.') && domain_name(host, 1).is_ok() && host.len() >= 2
        {
            return Ok(Form::TopLevel);
        }
        domain_name(host, 2).map_err(|()| "Invalid host name")?;
        let ending = host.rsplit_once('.').map_or("", |(_, ending)| ending);
        if ending.len() < 2 {
            return Err("Invalid host name");
        }
        if self.bare && !self.wide && FILE_ENDINGS.contains(&ending.to_ascii_lowercase().as_str()) {
            return Err("A file name is not a URL");
        }
        Ok(if self.wide { Form::Wide } else { Form::Plain })
    }
}
