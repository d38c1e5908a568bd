//! Entries that would cover a text that is no entry itself.

use super::target::{Target, unwrapped};
use super::{Action, LONGEST, shape, split_protocol};
use crate::problem::Offer;
use crate::refang::refang;

/// Longest text that is looked at: no URL that works in a mail is longer.
const LOOKED_AT: usize = 64 * 1024;

/// At most this many offers.
const MOST: usize = 3;

/// What would cover the text, the narrowest first. A text without wildcards is a URL, and each
/// offer hits it as a block.
pub(super) fn offers(text: &str) -> Vec<Offer> {
    let text = unwrapped(text);
    if text.is_empty() || text.len() > LOOKED_AT {
        return Vec::new();
    }
    let whole = if shape::read(text).is_ok() {
        text.into()
    } else {
        refang(text)
    };
    let plain = split_protocol(&whole).map_or_else(|| whole.as_ref(), |(_, rest)| rest);
    let wild = |c: char| c == '*' || c == '~';
    let candidates = if plain.starts_with(wild) || plain.ends_with(wild) {
        patterns(plain)
    } else {
        urls(text)
    };
    let mut offers: Vec<Offer> = Vec::new();
    for entry in candidates {
        let Ok(entry) = shape::read(&entry) else {
            continue;
        };
        if offers.len() < MOST && !offers.iter().any(|known| known.entry == entry.as_str()) {
            let also_catches = entry.covers_note();
            offers.push(Offer {
                entry: entry.as_str().to_owned(),
                also_catches,
            });
        }
    }
    offers
}

fn urls(text: &str) -> Vec<String> {
    let target = Target::read(text);
    if target.known.is_none() {
        return Vec::new();
    }
    if let Some(exact) = target.exact()
        && covers(&exact, text)
    {
        return vec![exact];
    }
    let mut out = Vec::new();
    out.extend(longest_cut(&target));
    out.push(format!("{}/*", target.host));
    out.push(target.host.clone());
    out.extend(parent(&target));
    out.retain(|entry| covers(entry, text));
    out
}

fn covers(entry: &str, url: &str) -> bool {
    shape::read(entry).is_ok_and(|entry| entry.matches(Action::Block, url))
}

/// `host/path/*`, cut at the last slash that leaves it short enough and something behind it.
fn longest_cut(target: &Target) -> Option<String> {
    let path = target.rest.split(['?', '#']).next()?;
    let clean = path.find('*').unwrap_or(path.len());
    let room = LONGEST.checked_sub(target.host.len() + 1)?;
    let slash = path
        .match_indices('/')
        .map(|(at, _)| at)
        .take_while(|at| *at < clean && *at < room)
        .filter(|at| at + 1 < target.rest.len())
        .last()?;
    Some(format!("{}{}*", target.host, path.get(..=slash)?))
}

/// The longest parent domain that fits, for a host that is itself too long.
fn parent(target: &Target) -> Option<String> {
    if target.host.len() <= LONGEST {
        return None;
    }
    let mut host = target.host.as_str();
    while host.len() > LONGEST {
        host = host.split_once('.')?.1;
    }
    let suffix = psl::suffix_str(host)?;
    (suffix != host).then(|| host.to_owned())
}

/// What a text with wildcards in the wrong places may have meant.
fn patterns(text: &str) -> Vec<String> {
    let left = text.starts_with(['*', '~']);
    let right = text.ends_with(['*', '~']);
    let core = text
        .trim_start_matches(['*', '~', '.'])
        .trim_end_matches(['*', '~', '/', '.']);
    if core.is_empty() || core.contains(['*', '~']) {
        return Vec::new();
    }
    let target = Target::read(core);
    let (host, x) = (
        target.host.as_str(),
        format!("{}{}", target.host, target.rest),
    );
    match (left, right) {
        (true, _) if !host.contains('.') => vec![format!("*.{host}/*")],
        (true, true) => vec![format!("~{x}~"), format!("*.{x}/*"), x],
        (true, false) => vec![format!("*.{x}"), format!("~{x}"), x],
        (false, _) => vec![format!("{x}/*"), x, format!("{host}/*")],
    }
}
