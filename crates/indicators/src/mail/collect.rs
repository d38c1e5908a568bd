//! From the tree of parts to the lists: decodes each part, searches it, removes duplicates.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use url::Url;

use super::head::{HeadParser, MailHead};
use super::resolve::{Resolved, clean, resolve};
use super::text::{self, Found, Lines};
use super::tree::{Entity, Kind, Start, Tree, is_message, walk};
use super::{
    Limits, LinkSource, MailFile, MailIndicators, MailLink, MailSender, NestedMessage, Problem,
    Wraps, decode, html, wrapper,
};
use crate::Sha256;

/// Wrappers inside wrappers are taken off this often.
const WRAPPERS: usize = 8;

/// Outlook's own file format begins like this (MS-CFB, 2.2).
const COMPOUND_FILE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> MailIndicators {
    let mut collector = Collector::new(limits, bytes.len());
    let parser = HeadParser::new();
    if bytes.starts_with(COMPOUND_FILE) {
        collector.problem(
            "",
            "is an Outlook .msg file and no mail; save it as .eml".to_owned(),
        );
        return collector.finish();
    }
    let bytes = collector.as_lines(bytes);
    let (mut tree, parts) = walk(
        &bytes,
        &parser,
        limits,
        Start {
            path: "",
            depth: 0,
            parts: 0,
        },
    );
    collector.parts = parts;
    collector.problems(std::mem::take(&mut tree.problems));
    collector.top(std::mem::take(&mut tree.mail), &bytes);
    let mut levels = vec![Level::new(bytes, tree)];
    while let Some(level) = levels.last_mut() {
        let Some(entity) = level.entities.next() else {
            levels.pop();
            continue;
        };
        let body = level.bytes.get(entity.body.clone()).unwrap_or_default();
        if let Some(inner) = collector.entity(&entity, body, &parser) {
            levels.push(inner);
        }
    }
    collector.finish()
}

/// A message that is being read; a message found inside it, encoded, comes on top.
struct Level<'a> {
    bytes: Cow<'a, [u8]>,
    entities: std::vec::IntoIter<Entity>,
}

impl<'a> Level<'a> {
    fn new(bytes: Cow<'a, [u8]>, tree: Tree) -> Level<'a> {
        Level {
            bytes,
            entities: tree.entities.into_iter(),
        }
    }
}

/// How a part is searched for links.
enum Search {
    Html,
    Text,
    Calendar,
    Not,
}

struct Collector<'a> {
    limits: &'a Limits,
    out: MailIndicators,
    /// Spelling and canonical form of a link, to its place.
    links: HashMap<String, usize>,
    senders: HashMap<String, usize>,
    hashes: HashSet<String>,
    told: HashSet<String>,
    untold: usize,
    parts: usize,
    hashed: usize,
    /// Bytes of encoded messages that may still be unpacked.
    unpack: usize,
}

impl<'a> Collector<'a> {
    fn new(limits: &'a Limits, length: usize) -> Collector<'a> {
        Collector {
            limits,
            out: MailIndicators::default(),
            links: HashMap::new(),
            senders: HashMap::new(),
            hashes: HashSet::new(),
            told: HashSet::new(),
            untold: 0,
            parts: 0,
            hashed: 0,
            unpack: length.saturating_mul(3).saturating_add(1 << 20),
        }
    }

    /// The bytes with line feeds in them, whatever the file was saved as.
    fn as_lines<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            self.problem("", "was saved as UTF-16, read as text".to_owned());
            return Cow::Owned(decode::charset(bytes, None).0.into_owned().into_bytes());
        }
        if memchr::memchr(b'\n', bytes).is_none() && memchr::memchr(b'\r', bytes).is_some() {
            let feed = |byte: &u8| if *byte == b'\r' { b'\n' } else { *byte };
            return Cow::Owned(bytes.iter().map(feed).collect());
        }
        Cow::Borrowed(bytes)
    }

    fn top(&mut self, mail: MailHead, bytes: &[u8]) {
        if bytes.trim_ascii().is_empty() {
            self.problem("", "is empty".to_owned());
        } else if mail.senders.is_empty() {
            self.problem(
                "",
                "names no sender: no address in From, Sender, Reply-To or Return-Path".into(),
            );
        }
        self.out.message_id.clone_from(&mail.message_id);
        self.out.subject.clone_from(&mail.subject);
        self.senders(mail, "");
    }

    fn senders(&mut self, mail: MailHead, part: &str) {
        for (header, address, display_name) in mail.senders {
            let key = address.to_lowercase();
            if let Some(known) = self
                .senders
                .get(&key)
                .and_then(|at| self.out.senders.get_mut(*at))
            {
                if !known.headers.contains(&header) {
                    known.headers.push(header);
                }
                known.display_name = known.display_name.take().or(display_name);
                continue;
            }
            if self.out.senders.len() >= self.limits.senders {
                let text = format!(
                    "more than {} senders, the rest was left out",
                    self.limits.senders
                );
                self.once(part, text);
                return;
            }
            self.senders.insert(key, self.out.senders.len());
            let part = part.to_owned();
            self.out.senders.push(MailSender {
                address,
                display_name,
                headers: vec![header],
                part,
            });
        }
    }

    /// Reads one entity. An encoded message comes back as the next level.
    fn entity(
        &mut self,
        entity: &Entity,
        body: &[u8],
        parser: &HeadParser,
    ) -> Option<Level<'static>> {
        let part = entity.path.as_str();
        match entity.kind {
            Kind::Loose => {
                self.loose(body, part);
                None
            }
            Kind::Message => {
                let mail = &entity.head.mail;
                let nested = NestedMessage {
                    message_id: mail.message_id.clone(),
                    subject: mail.subject.clone(),
                };
                self.file(entity, body, Some(nested));
                self.senders(
                    MailHead {
                        senders: mail.senders.clone(),
                        ..MailHead::default()
                    },
                    part,
                );
                None
            }
            Kind::Leaf => self.leaf(entity, body, parser),
        }
    }

    fn leaf(
        &mut self,
        entity: &Entity,
        body: &[u8],
        parser: &HeadParser,
    ) -> Option<Level<'static>> {
        let (head, part) = (&entity.head, entity.path.as_str());
        let (bytes, problem) = decode::transfer(&head.encoding, body);
        if let Some(text) = problem {
            self.problem(part, text);
        }
        if is_message(head) {
            return self.message(entity, bytes, parser);
        }
        let kind = if head.content_type.is_empty() {
            "text/plain"
        } else {
            &head.content_type
        };
        let text = kind.starts_with("text/");
        if head.attachment || head.name.is_some() || !text && !kind.starts_with("message/") {
            self.file(entity, &bytes, None);
        }
        self.name_unopened(kind, head.name.as_deref(), &bytes, part);
        if let Some(url) = &head.external {
            self.problem(part, "is kept elsewhere and was not fetched".to_owned());
            self.link(url.clone(), LinkSource::Anchor, part, false);
        }
        match search(kind, head.name.as_deref(), &bytes) {
            Search::Html => {
                let text = self.readable(&bytes, head.charset.as_deref(), part);
                self.html(&text, head.base.as_deref(), part);
            }
            Search::Text => {
                let text = self.readable(&bytes, head.charset.as_deref(), part);
                let lines = if head.joins_lines {
                    Lines::Flowed
                } else {
                    Lines::Wrapped
                };
                self.text(&text, lines, LinkSource::Text, part);
            }
            Search::Calendar => {
                let text = self.readable(&bytes, head.charset.as_deref(), part);
                self.text(&unfold(&text), Lines::Plain, LinkSource::Calendar, part);
            }
            Search::Not => {}
        }
        None
    }

    /// Opens a message that stands in the mail encoded.
    fn message(
        &mut self,
        entity: &Entity,
        bytes: Cow<'_, [u8]>,
        parser: &HeadParser,
    ) -> Option<Level<'static>> {
        let part = entity.path.as_str();
        let open = entity.depth < self.limits.levels && bytes.len() <= self.unpack;
        if !open {
            self.file(entity, &bytes, None);
            let text = format!(
                "a message inside more than {} levels or larger than the mail around it, only searched for links",
                self.limits.levels
            );
            self.problem(part, text);
            self.loose(&bytes, part);
            return None;
        }
        self.unpack -= bytes.len();
        let start = Start {
            path: part,
            depth: entity.depth + 1,
            parts: self.parts,
        };
        let (mut tree, parts) = walk(&bytes, parser, self.limits, start);
        self.parts = parts;
        let mail = std::mem::take(&mut tree.mail);
        let nested = NestedMessage {
            message_id: mail.message_id.clone(),
            subject: mail.subject.clone(),
        };
        self.file(entity, &bytes, Some(nested));
        self.problems(std::mem::take(&mut tree.problems));
        self.senders(mail, part);
        Some(Level::new(Cow::Owned(bytes.into_owned()), tree))
    }

    fn file(&mut self, entity: &Entity, bytes: &[u8], message: Option<NestedMessage>) {
        let head = &entity.head;
        let sha256 = if self.hashed.saturating_add(bytes.len())
            <= self.limits.hashed_bytes.max(bytes.len())
        {
            self.hashed = self.hashed.saturating_add(bytes.len());
            Some(Sha256::of(bytes).canonical())
        } else {
            let text = format!(
                "not hashed: the messages inside each other are over {} bytes",
                self.limits.hashed_bytes
            );
            self.problem(&entity.path, text);
            None
        };
        if sha256
            .as_ref()
            .is_some_and(|hash| !self.hashes.insert(hash.clone()))
        {
            return;
        }
        self.out.files.push(MailFile {
            sha256,
            name: head.name.clone(),
            size: bytes.len(),
            content_type: if head.content_type.is_empty() {
                "text/plain".into()
            } else {
                head.content_type.clone()
            },
            part: entity.path.clone(),
            inline: !head.attachment && message.is_none(),
            message,
        });
    }

    fn name_unopened(&mut self, kind: &str, name: Option<&str>, bytes: &[u8], part: &str) {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let what = match kind {
            "application/ms-tnef" | "application/vnd.ms-tnef" => {
                "an Outlook container (TNEF, winmail.dat)"
            }
            _ if name == "winmail.dat" => "an Outlook container (TNEF, winmail.dat)",
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => "an S/MIME container",
            "message/partial" => "one piece of a message sent in several",
            _ if name.ends_with(".msg") && bytes.starts_with(COMPOUND_FILE) => {
                "an Outlook .msg file"
            }
            _ => return,
        };
        self.problem(part, format!("is {what} and was not opened"));
    }

    /// At most [`Limits::text_bytes`] of a part as text.
    fn readable<'b>(&mut self, bytes: &'b [u8], charset: Option<&str>, part: &str) -> Cow<'b, str> {
        let length = bytes.len().min(self.limits.text_bytes);
        if bytes.len() > length {
            self.problem(
                part,
                format!(
                    "only the first {length} of {} bytes were searched for links",
                    bytes.len()
                ),
            );
        }
        let (text, problem) = decode::charset(bytes.get(..length).unwrap_or_default(), charset);
        if let Some(text) = problem {
            self.problem(part, text);
        }
        text
    }

    fn loose(&mut self, bytes: &[u8], part: &str) {
        let length = bytes.len().min(self.limits.text_bytes);
        let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
        if memchr::memmem::find(text.as_bytes(), b"href").is_some() {
            self.html(&text, None, part);
        } else {
            self.text(&text, Lines::Wrapped, LinkSource::Outside, part);
        }
    }

    fn text(&mut self, text: &str, lines: Lines, source: LinkSource, part: &str) {
        text::find(text, lines, &mut |Found { url, defanged }| {
            self.link(url, source, part, defanged)
        });
    }

    fn html(&mut self, html: &str, base: Option<&str>, part: &str) {
        let page = html::read(html);
        let base = page
            .base
            .as_deref()
            .or(base)
            .and_then(|base| Url::parse(&clean(base)).ok());
        let base = base.filter(|base| !base.cannot_be_a_base() && base.scheme() != "cid");
        for (source, raw) in page.links {
            match resolve(&clean(&raw), base.as_ref()) {
                Resolved::Link(url) => self.link(url, source, part, false),
                Resolved::Inline if source != LinkSource::Image => {
                    self.once(
                        part,
                        "a link that carries its page in itself (`data:`) was not opened".into(),
                    );
                }
                Resolved::Inline | Resolved::None => {}
            }
        }
        self.text(&page.text, Lines::Plain, LinkSource::Text, part);
        self.text(&page.scripts, Lines::Plain, LinkSource::Script, part);
    }

    /// Records a link, and what is inside it when it is a wrapper.
    fn link(&mut self, url: String, source: LinkSource, part: &str, defanged: bool) {
        let (mut url, mut wrapped_by, mut outermost) = (url, Vec::new(), None);
        for _ in 0..=WRAPPERS {
            if url.len() > self.limits.link_bytes {
                let text = format!(
                    "a link of {} bytes was left out (limit {})",
                    url.len(),
                    self.limits.link_bytes
                );
                self.problem(part, text);
                return;
            }
            if self.known(&url, source) {
                return;
            }
            let parsed = Url::parse(&url).ok();
            let canonical = parsed.as_ref().map_or(url.as_str(), Url::as_str).to_owned();
            if self.known(&canonical, source) {
                return;
            }
            if self.out.links.len() >= self.limits.links {
                let text = format!(
                    "more than {} links, the rest was left out",
                    self.limits.links
                );
                self.once("", text);
                return;
            }
            let found = parsed.as_ref().and_then(wrapper::unwrap);
            let next = found.as_ref().and_then(|found| found.target.clone().ok());
            let index = self.out.links.len();
            self.out.links.push(MailLink {
                url: url.clone(),
                source,
                part: part.to_owned(),
                defanged,
                wrapped_by: wrapped_by.clone(),
                wrapper: outermost.clone(),
                wraps: found.as_ref().map(|found| Wraps {
                    service: found.service,
                    protection: found.protection,
                    target: next.clone(),
                }),
            });
            if canonical != url {
                self.links.insert(canonical, index);
            }
            self.links.insert(url.clone(), index);
            let Some(found) = found else { return };
            if let Err(why) = &found.target {
                let clipped: String = url.chars().take(200).collect();
                self.problem(
                    part,
                    format!(
                        "a {} link could not be unwrapped, {why}: {clipped}",
                        found.service
                    ),
                );
            }
            let Some(target) = next else { return };
            wrapped_by.push(found.service);
            outermost.get_or_insert(url);
            url = target;
        }
        self.problem(
            part,
            format!("a link inside more than {WRAPPERS} wrappers was left wrapped"),
        );
    }

    /// Whether the link is listed; a link that is loaded somewhere and clicked elsewhere counts
    /// as clicked.
    fn known(&mut self, url: &str, source: LinkSource) -> bool {
        let Some(known) = self
            .links
            .get(url)
            .and_then(|at| self.out.links.get_mut(*at))
        else {
            return false;
        };
        if known.source == LinkSource::Image && source != LinkSource::Image {
            known.source = source;
        }
        true
    }

    fn problems(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            self.problem(&problem.part, problem.text);
        }
    }

    fn problem(&mut self, part: &str, text: String) {
        if self.out.problems.len() >= self.limits.problems {
            self.untold += 1;
            return;
        }
        self.out.problems.push(Problem {
            part: part.to_owned(),
            text,
        });
    }

    /// A problem that is told once a mail.
    fn once(&mut self, part: &str, text: String) {
        if self.told.insert(text.clone()) {
            self.problem(part, text);
        }
    }

    fn finish(mut self) -> MailIndicators {
        if self.untold > 0 {
            let text = format!("{} more problems are not listed", self.untold);
            self.out.problems.push(Problem {
                part: String::new(),
                text,
            });
        }
        self.out
    }
}

fn search(kind: &str, name: Option<&str>, bytes: &[u8]) -> Search {
    let name = name.unwrap_or_default().to_ascii_lowercase();
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    match (kind, end) {
        ("text/html" | "application/xhtml+xml" | "image/svg+xml", _) => Search::Html,
        (
            "text/calendar" | "text/x-vcalendar" | "text/vcard" | "text/x-vcard"
            | "application/ics",
            _,
        ) => Search::Calendar,
        (_, "html" | "htm" | "xhtml" | "xht" | "shtml" | "svg" | "hta") => Search::Html,
        (_, "ics" | "vcs" | "vcf") => Search::Calendar,
        (_, "txt" | "csv" | "url" | "rtf" | "md") => Search::Text,
        (kind, _) if kind.starts_with("text/") || kind.starts_with("message/") => {
            if looks_like_html(bytes) && kind != "text/plain" {
                Search::Html
            } else {
                Search::Text
            }
        }
        _ if looks_like_html(bytes) => Search::Html,
        _ => Search::Not,
    }
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let start = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    let begins = |word: &[u8]| {
        start
            .get(..word.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    begins(b"<!doctype html") || begins(b"<html")
}

/// Joins folded lines and undoes the escapes of RFC 5545.
fn unfold(text: &str) -> String {
    let text = text
        .replace("\r\n", "\n")
        .replace("\n ", "")
        .replace("\n\t", "");
    text.replace("\\n", "\n")
        .replace("\\N", "\n")
        .replace("\\,", ",")
        .replace("\\;", ";")
        .replace("\\\\", "\\")
}
