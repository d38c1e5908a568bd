//! The wrappers whose targets are masked: Proofpoint URL Defense and Check Point.

use url::Url;

use super::decode::{base64_any, percent};
use super::wrapper::parameter;

/// Check Point's `___url___`.
pub(super) fn underscores(url: &Url) -> Result<String, String> {
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

/// Proofpoint's three forms.
pub(super) fn url_defense(url: &Url) -> Result<String, String> {
    let path = url.path();
    if path.starts_with("/v1/") {
        let text = parameter(url, "u").ok_or("it holds no target")?;
        return Ok(text.replace("&amp;", "&"));
    }
    if path.starts_with("/v2/") {
        let mut pairs = url.query().unwrap_or_default().split('&');
        let text = pairs
            .find_map(|pair| pair.strip_prefix("u="))
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
        if let Some(mark) = run {
            out.extend(replaced.by_ref().take(run_length(mark)?));
            rest = after.get(1 + mark.len_utf8()..)?;
        } else {
            out.push(replaced.next()?);
            rest = after;
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
