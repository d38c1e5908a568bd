//! The list of links: duplicates removed by canonical form, wrappers taken off.

use std::collections::HashMap;

use url::Url;

use super::problems::Problems;
use super::wrapper;
use super::{Limits, LinkSource, MailLink, Wraps};

/// Wrappers inside wrappers are taken off this often.
const WRAPPERS: usize = 8;

/// Where in the mail a link stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub source: LinkSource,
    pub part: &'a str,
    pub defanged: bool,
}

pub(super) struct Links<'a> {
    limits: &'a Limits,
    list: Vec<MailLink>,
    /// Spelling and canonical form of a link, to its place in the list.
    known: HashMap<String, usize>,
}

/// What was done with one link of a chain of wrappers.
enum Step {
    /// It is listed, or was before, or could not be.
    Done,
    /// It is listed; a service wrapped this target.
    Inside(&'static str, String),
}

impl<'a> Links<'a> {
    pub fn new(limits: &'a Limits) -> Links<'a> {
        Links {
            limits,
            list: Vec::new(),
            known: HashMap::new(),
        }
    }

    pub fn finish(self) -> Vec<MailLink> {
        self.list
    }

    /// Records a link, and what is inside it when it is a wrapper.
    pub fn add(&mut self, url: String, place: Place<'_>, problems: &mut Problems) {
        let (mut url, mut wrapped_by, mut outermost) = (url, Vec::new(), None);
        for _ in 0..=WRAPPERS {
            match self.one(&url, place, &wrapped_by, outermost.as_deref(), problems) {
                Step::Done => return,
                Step::Inside(service, target) => {
                    wrapped_by.push(service);
                    outermost.get_or_insert(url);
                    url = target;
                }
            }
        }
        let text = format!("a link inside more than {WRAPPERS} wrappers was left wrapped");
        problems.add(place.part, text);
    }

    fn one(
        &mut self,
        url: &str,
        place: Place<'_>,
        wrapped_by: &[&'static str],
        outermost: Option<&str>,
        problems: &mut Problems,
    ) -> Step {
        if url.len() > self.limits.link_bytes {
            let most = self.limits.link_bytes;
            let text = format!(
                "a link of {} bytes was left out (at most {most})",
                url.len()
            );
            problems.add(place.part, text);
            return Step::Done;
        }
        if self.is_known(url, place.source) {
            return Step::Done;
        }
        let parsed = Url::parse(url).ok();
        let canonical = parsed.as_ref().map_or(url, Url::as_str);
        if canonical != url && self.is_known(canonical, place.source) {
            return Step::Done;
        }
        if self.list.len() >= self.limits.links {
            let text = format!(
                "more than {} links, the rest was left out",
                self.limits.links
            );
            problems.once("", text);
            return Step::Done;
        }
        let index = self.list.len();
        self.known.insert(url.to_owned(), index);
        if canonical != url {
            self.known.insert(canonical.to_owned(), index);
        }
        let found = parsed.as_ref().and_then(wrapper::unwrap);
        self.list.push(MailLink {
            url: url.to_owned(),
            source: place.source,
            part: place.part.to_owned(),
            defanged: place.defanged,
            wrapped_by: wrapped_by.to_vec(),
            wrapper: outermost.map(str::to_owned),
            wraps: found.as_ref().map(|found| Wraps {
                service: found.service,
                protection: found.protection,
                target: found.target.as_ref().ok().cloned(),
            }),
        });
        let Some(found) = found else {
            return Step::Done;
        };
        match found.target {
            Ok(target) => Step::Inside(found.service, target),
            Err(why) => {
                let start: String = url.chars().take(200).collect();
                let service = found.service;
                let text = format!("a {service} link could not be unwrapped, {why}: {start}");
                problems.add(place.part, text);
                Step::Done
            }
        }
    }

    /// Whether the link is listed; one that is loaded somewhere and clicked elsewhere counts as
    /// clicked.
    fn is_known(&mut self, url: &str, source: LinkSource) -> bool {
        let Some(known) = self.known.get(url).and_then(|at| self.list.get_mut(*at)) else {
            return false;
        };
        if known.source == LinkSource::Image && source != LinkSource::Image {
            known.source = source;
        }
        true
    }
}
