//! From the text of the file to a [`Config`].

use std::{collections::BTreeMap, path::Path, sync::Arc};

use cloud::CloudName;
use kernel::{Failure, failure::code};
use toml::de::{DeTable, DeValue};

use super::{
    Config, Connection, Endpoints, GraphUse, Proxy, SignIn, Source, auth,
    document::{Document, Found, Section, nearest},
    source,
};

/// The keys of the file.
pub(super) const ROOT: &[&str] = &["version", "default_connection", "connections", "auth"];
/// The keys of `[connections.<name>]`.
pub(super) const CONNECTION: &[&str] = &[
    "tenant",
    "cloud",
    "auth",
    "endpoints",
    "proxy",
    "ca_file",
    "organization",
    "tags",
    "vips",
    "graph_case",
    "graph_requests_per_minute",
    "pace",
    "enabled",
];
/// The keys of `endpoints`.
pub(super) const ENDPOINTS: &[&str] = &["authority", "exchange", "compliance", "graph", "download"];
/// The keys of `proxy`.
pub(super) const PROXY: &[&str] = &["url", "username", "password"];

/// The only version of the format there is.
const VERSION: &str = "1";
/// Longest name of a connection or of an `[auth.<name>]`.
const NAME_LIMIT: usize = 64;

type Shared = BTreeMap<String, Arc<SignIn>>;

/// Reads a whole file.
pub(super) fn config(path: &Path, text: &str) -> Result<Config, Failure> {
    let document = Document { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let rule = kernel::escape::line(error.message()).into_owned();
        document.problem(offset, "", &format!("this is not valid TOML: {rule}"))
    })?;
    let root = Section::root(document, table.get_ref());
    root.only(ROOT)?;
    version(&root)?;
    let shared = shared_auth(&root)?;
    let connections = connections(&root, &shared)?;
    let default_connection = default_connection(&root, &connections)?;
    Ok(Config {
        file: Some(path.to_owned()),
        default_connection,
        connections,
    })
}

fn version(root: &Section<'_, '_>) -> Result<(), Failure> {
    let Some(found) = root.get("version") else {
        return Ok(());
    };
    match found.value {
        DeValue::Integer(number) if number.as_str() == VERSION => Ok(()),
        _ => Err(root.refuse(&found, "this program reads `version = 1` only")),
    }
}

fn shared_auth(root: &Section<'_, '_>) -> Result<Shared, Failure> {
    let mut shared = Shared::new();
    if let Some(section) = root.section("auth")? {
        for (name, found) in section.entries() {
            check_name(&section, name, &found)?;
            let table = Section::of(section.document, &found)?;
            shared.insert(name.to_owned(), Arc::new(SignIn::new(auth::read(&table)?)));
        }
    }
    Ok(shared)
}

fn connections(
    root: &Section<'_, '_>,
    shared: &Shared,
) -> Result<BTreeMap<String, Connection>, Failure> {
    let mut connections = BTreeMap::new();
    if let Some(section) = root.section("connections")? {
        for (name, found) in section.entries() {
            check_name(&section, name, &found)?;
            let table = Section::of(section.document, &found)?;
            connections.insert(name.to_owned(), connection(name, &table, shared)?);
        }
    }
    Ok(connections)
}

fn default_connection(
    root: &Section<'_, '_>,
    connections: &BTreeMap<String, Connection>,
) -> Result<Option<String>, Failure> {
    let Some(found) = root.get("default_connection") else {
        return Ok(None);
    };
    let name = root.text_of(&found)?;
    if connections.contains_key(name) {
        return Ok(Some(name.to_owned()));
    }
    let rule = unknown("connection", name, connections.keys().map(String::as_str));
    Err(root.refuse(&found, &rule))
}

fn connection(
    name: &str,
    section: &Section<'_, '_>,
    shared: &Shared,
) -> Result<Connection, Failure> {
    section.only(CONNECTION)?;
    let tenant = domain_or_guid(section, &section.required("tenant")?)?;
    let cloud = match section.get("cloud") {
        Some(found) => {
            section.choice(&found, &CloudName::ALL.map(|cloud| (cloud.as_str(), cloud)))?
        }
        None => CloudName::Commercial,
    };
    let organization = section
        .get("organization")
        .map(|found| organization(section, &found))
        .transpose()?;
    Ok(Connection {
        name: name.to_owned(),
        tenant,
        cloud,
        sign_in: connection_auth(section, shared)?,
        endpoints: endpoints(section, cloud)?,
        proxy: section
            .section("proxy")?
            .map(|table| proxy(&table))
            .transpose()?,
        ca_file: section
            .text("ca_file")?
            .map(|path| section.document.resolve(path)),
        organization,
        tags: section.texts("tags")?,
        vips: section.texts("vips")?,
        graph: graph_use(section)?,
        enabled: section.boolean("enabled")?.unwrap_or(true),
        line: section.document.line(section.offset),
    })
}

fn graph_use(section: &Section<'_, '_>) -> Result<GraphUse, Failure> {
    let usual = GraphUse::default();
    Ok(GraphUse {
        case: section.text("graph_case")?.map(str::to_owned),
        per_minute: section
            .number("graph_requests_per_minute", 1, 600)?
            .unwrap_or(usual.per_minute),
        pace: section.number("pace", 1, 10_000)?.unwrap_or(usual.pace),
    })
}

fn connection_auth(section: &Section<'_, '_>, shared: &Shared) -> Result<Arc<SignIn>, Failure> {
    let found = section.required("auth")?;
    if !matches!(found.value, DeValue::String(_)) {
        let table = Section::of(section.document, &found)?;
        return Ok(Arc::new(SignIn::new(auth::read(&table)?)));
    }
    let name = section.text_of(&found)?;
    if let Some(auth) = shared.get(name) {
        return Ok(Arc::clone(auth));
    }
    Err(section.refuse(
        &found,
        &unknown("[auth.<name>]", name, shared.keys().map(String::as_str)),
    ))
}

fn endpoints(section: &Section<'_, '_>, cloud: CloudName) -> Result<Option<Endpoints>, Failure> {
    let Some(found) = section.get("endpoints") else {
        if cloud == CloudName::Custom {
            let key = section.path("endpoints");
            let rule = "`cloud = \"custom\"` needs `authority`, `exchange` and `compliance` here";
            return Err(section.document.problem(section.offset, &key, rule));
        }
        return Ok(None);
    };
    if cloud != CloudName::Custom {
        let rule = format!(
            "only `cloud = \"custom\"` has endpoints of its own; `{}` knows its hosts",
            cloud.as_str()
        );
        return Err(section.refuse(&found, &rule));
    }
    let table = Section::of(section.document, &found)?;
    table.only(ENDPOINTS)?;
    Ok(Some(Endpoints {
        authority: base_url(&table, "authority")?,
        exchange: base_url(&table, "exchange")?,
        compliance: base_url(&table, "compliance")?,
        graph: optional_url(&table, "graph")?,
        download: optional_url(&table, "download")?,
    }))
}

fn optional_url(table: &Section<'_, '_>, key: &str) -> Result<Option<String>, Failure> {
    table.get(key).map(|_| base_url(table, key)).transpose()
}

/// A base URL in the form that everything later relies on: `http(s)://host[:port]`, without
/// credentials, query or fragment. Which host may get a token is for `cloud` to judge.
fn base_url(table: &Section<'_, '_>, key: &str) -> Result<String, Failure> {
    let found = table.required(key)?;
    let text = table.text_of(&found)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/')) else {
        return Err(table.refuse(
            &found,
            "it must be an `https://` URL (`http://` on loopback)",
        ));
    };
    if rest.contains(['@', '?', '#', '\\', ' ']) {
        let rule = "a base URL has no user, query or fragment";
        return Err(table.refuse(&found, rule));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn proxy(table: &Section<'_, '_>) -> Result<Proxy, Failure> {
    table.only(PROXY)?;
    let found = table.required("url")?;
    let url = table.text_of(&found)?;
    let rest = ["http://", "socks5://", "socks5h://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .filter(|rest| !rest.is_empty());
    let Some(rest) = rest else {
        let rule = "it must be `http://host:port` (HTTP CONNECT) or `socks5://host:port`; \
                    NTLM and Kerberos are not supported";
        return Err(table.refuse(&found, rule));
    };
    if rest.contains('@') {
        let rule = "credentials do not belong into the URL: use `username` and \
                    `password = \"env:NAME\"` beside it";
        return Err(table.document.problem_as(
            code::PLAIN_TEXT_SECRET,
            found.offset,
            &found.key,
            rule,
        ));
    }
    let username = table.text("username")?;
    let password = table
        .get("password")
        .map(|found| source::read(table, &found))
        .transpose()?;
    let credentials: Option<(String, Arc<Source>)> = match (username, password) {
        (Some(username), Some(password)) => Some((username.to_owned(), Arc::new(password))),
        (None, None) => None,
        (Some(_), None) => return Err(alone(table, "password", "username")),
        (None, Some(_)) => return Err(alone(table, "username", "password")),
    };
    Ok(Proxy {
        url: url.to_owned(),
        credentials,
    })
}

fn alone(table: &Section<'_, '_>, missing: &str, given: &str) -> Failure {
    let rule = format!("`{given}` is given, so this is required");
    table
        .document
        .problem(table.offset, &table.path(missing), &rule)
}

fn domain_or_guid(section: &Section<'_, '_>, found: &Found<'_, '_>) -> Result<String, Failure> {
    let DeValue::String(text) = found.value else {
        let rule = "it wants a text: the tenant's GUID or one of its domains";
        return Err(section.refuse(found, rule));
    };
    let fits = !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && !text.starts_with(['.', '-'])
        && (text.contains('.') || is_guid(text));
    if fits {
        return Ok(text.to_lowercase());
    }
    let said = kernel::escape::clipped(text, 80);
    let rule = format!("`{said}` is neither a tenant GUID nor a domain of a tenant");
    Err(section.refuse(found, &rule))
}

fn organization(section: &Section<'_, '_>, found: &Found<'_, '_>) -> Result<String, Failure> {
    let domain = domain_or_guid(section, found)?;
    if is_guid(&domain) {
        let rule = "it wants the tenant's initial domain, such as `contoso.onmicrosoft.com`";
        return Err(section.refuse(found, rule));
    }
    Ok(domain)
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

fn check_name(section: &Section<'_, '_>, name: &str, found: &Found<'_, '_>) -> Result<(), Failure> {
    let fits = !name.is_empty()
        && name.len() <= NAME_LIMIT
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits {
        return Ok(());
    }
    let rule = "a name is 1 to 64 letters, digits, `-`, `_` or `.`";
    Err(section.refuse(found, rule))
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let said = kernel::escape::clipped(name, 80);
    let known: Vec<_> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} `{said}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} `{said}`, nor any other"),
        None => {
            format!(
                "there is no {what} `{said}`; there are {}",
                super::document::listed(&known)
            )
        }
    }
}
