//! From the tree of parts to the lists: decodes each part and searches it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use url::Url;

use super::head::{HeadParser, MailHead};
use super::kind::{COMPOUND_FILE, Search, has_html_links, is_message, search, unfold, unopened};
use super::links::{Links, Place};
use super::problems::Problems;
use super::resolve::{Resolved, clean, resolve};
use super::text::{self, Found, Lines};
use super::tree::{Entity, Kind, Start, Tree, walk};
use super::{
    Limits, LinkSource, MailFile, MailIndicators, MailSender, NestedMessage, decode, html,
};
use crate::Sha256;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> MailIndicators {
    let mut collector = Collector::new(limits, bytes.len());
    if bytes.starts_with(COMPOUND_FILE) {
        collector
            .problems
            .add("", "is an Outlook .msg file and no mail; save it as .eml");
        return collector.finish();
    }
    let parser = HeadParser::new();
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
    collector
        .problems
        .extend(std::mem::take(&mut tree.problems));
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

struct Collector<'a> {
    limits: &'a Limits,
    out: MailIndicators,
    links: Links<'a>,
    problems: Problems,
    /// Address in lower case, to its place in the list.
    senders: HashMap<String, usize>,
    hashes: HashSet<String>,
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
            links: Links::new(limits),
            problems: Problems::new(limits.problems),
            senders: HashMap::new(),
            hashes: HashSet::new(),
            parts: 0,
            hashed: 0,
            // Base64 shrinks at each level; only quoted-printable could repeat the whole mail.
            unpack: length.saturating_mul(3).saturating_add(1 << 20),
        }
    }

    fn finish(self) -> MailIndicators {
        MailIndicators {
            links: self.links.finish(),
            problems: self.problems.finish(),
            ..self.out
        }
    }

    /// The bytes with line feeds in them, whatever the file was saved as.
    fn as_lines<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            self.problems.add("", "was saved as UTF-16, read as text");
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
            self.problems.add("", "is empty");
        } else if mail.senders.is_empty() {
            let text = "names no sender: no address in From, Sender, Reply-To or Return-Path";
            self.problems.add("", text);
        }
        self.out.message_id.clone_from(&mail.message_id);
        self.out.subject.clone_from(&mail.subject);
        self.senders(mail, "");
    }

    fn senders(&mut self, mail: MailHead, part: &str) {
        for (header, address, display_name) in mail.senders {
            let key = address.to_lowercase();
            let known = self
                .senders
                .get(&key)
                .and_then(|at| self.out.senders.get_mut(*at));
            if let Some(known) = known {
                if !known.headers.contains(&header) {
                    known.headers.push(header);
                }
                known.display_name = known.display_name.take().or(display_name);
                continue;
            }
            if self.out.senders.len() >= self.limits.senders {
                let most = self.limits.senders;
                self.problems.once(
                    part,
                    format!("more than {most} senders, the rest was left out"),
                );
                return;
            }
            self.senders.insert(key, self.out.senders.len());
            let (headers, part) = (vec![header], part.to_owned());
            self.out.senders.push(MailSender {
                address,
                display_name,
                headers,
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
        match entity.kind {
            Kind::Loose => self.loose(body, &entity.path),
            Kind::Message => {
                self.file(entity, body, Some(nested(&entity.head.mail)));
                self.senders(entity.head.mail.clone(), &entity.path);
            }
            Kind::Leaf => return self.leaf(entity, body, parser),
        }
        None
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
            self.problems.add(part, text);
        }
        if is_message(head) {
            return self.message(entity, bytes, parser);
        }
        let kind = if head.content_type.is_empty() {
            "text/plain"
        } else {
            &head.content_type
        };
        let is_body = kind.starts_with("text/") || kind.starts_with("message/");
        if head.attachment || head.name.is_some() || !is_body {
            self.file(entity, &bytes, None);
        }
        if let Some(what) = unopened(kind, head.name.as_deref(), &bytes) {
            self.problems
                .add(part, format!("is {what} and was not opened"));
        }
        if let Some(url) = &head.external {
            self.problems
                .add(part, "is kept elsewhere and was not fetched");
            self.link(url.clone(), LinkSource::Anchor, part, false);
        }
        let charset = head.charset.as_deref();
        match search(kind, head.name.as_deref(), &bytes) {
            Search::Html => {
                let text = self.readable(&bytes, charset, part);
                self.html(&text, head.base.as_deref(), part);
            }
            Search::Text => {
                let text = self.readable(&bytes, charset, part);
                let lines = if head.joins_lines {
                    Lines::Flowed
                } else {
                    Lines::Wrapped
                };
                self.text(&text, lines, LinkSource::Text, part);
            }
            Search::Calendar => {
                let text = self.readable(&bytes, charset, part);
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
        if entity.depth >= self.limits.levels || bytes.len() > self.unpack {
            self.file(entity, &bytes, None);
            let text = format!(
                "a message inside more than {} levels or larger than the mail around it, only \
                 searched for links",
                self.limits.levels
            );
            self.problems.add(part, text);
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
        self.file(entity, &bytes, Some(nested(&mail)));
        self.problems.extend(std::mem::take(&mut tree.problems));
        self.senders(mail, part);
        Some(Level::new(Cow::Owned(bytes.into_owned()), tree))
    }

    fn file(&mut self, entity: &Entity, bytes: &[u8], message: Option<NestedMessage>) {
        let head = &entity.head;
        let sha256 = self.hash(bytes, &entity.path);
        if sha256
            .as_ref()
            .is_some_and(|hash| !self.hashes.insert(hash.clone()))
        {
            return;
        }
        let kind = if head.content_type.is_empty() {
            "text/plain"
        } else {
            &head.content_type
        };
        self.out.files.push(MailFile {
            sha256,
            name: head.name.clone(),
            size: bytes.len(),
            content_type: kind.to_owned(),
            part: entity.path.clone(),
            inline: !head.attachment && message.is_none(),
            message,
        });
    }

    fn hash(&mut self, bytes: &[u8], part: &str) -> Option<String> {
        let total = self.hashed.saturating_add(bytes.len());
        // A first file is hashed however large it is.
        if self.hashed > 0 && total > self.limits.hashed_bytes {
            let most = self.limits.hashed_bytes;
            self.problems.add(
                part,
                format!("not hashed: the files are over {most} bytes together"),
            );
            return None;
        }
        self.hashed = total;
        Some(Sha256::of(bytes).canonical())
    }

    /// At most [`Limits::text_bytes`] of a part as text.
    fn readable<'b>(&mut self, bytes: &'b [u8], charset: Option<&str>, part: &str) -> Cow<'b, str> {
        let bytes = self.searched(bytes, part);
        let (text, problem) = decode::charset(bytes, charset);
        if let Some(text) = problem {
            self.problems.add(part, text);
        }
        text
    }

    fn searched<'b>(&mut self, bytes: &'b [u8], part: &str) -> &'b [u8] {
        let Some(start) = bytes
            .get(..self.limits.text_bytes)
            .filter(|s| s.len() < bytes.len())
        else {
            return bytes;
        };
        let (most, length) = (start.len(), bytes.len());
        let text = format!("only the first {most} of {length} bytes were searched for links");
        self.problems.add(part, text);
        start
    }

    fn loose(&mut self, bytes: &[u8], part: &str) {
        let text = String::from_utf8_lossy(self.searched(bytes, part));
        if has_html_links(&text) {
            self.html(&text, None, part);
        } else {
            self.text(&text, Lines::Wrapped, LinkSource::Outside, part);
        }
    }

    fn text(&mut self, text: &str, lines: Lines, source: LinkSource, part: &str) {
        text::find(text, lines, &mut |Found { url, defanged }| {
            self.link(url, source, part, defanged);
        });
    }

    fn html(&mut self, html: &str, base: Option<&str>, part: &str) {
        let page = html::read(html);
        let base = page
            .base
            .as_deref()
            .or(base)
            .and_then(|base| Url::parse(&clean(base)).ok());
        let base = base.filter(|base| !base.cannot_be_a_base());
        for (source, raw) in page.links {
            match resolve(&clean(&raw), base.as_ref()) {
                Resolved::Link(url) => self.link(url, source, part, false),
                Resolved::Inline if source != LinkSource::Image => {
                    let text = "a link that carries its page in itself (`data:`) was not opened";
                    self.problems.once(part, text);
                }
                Resolved::Inline | Resolved::None => {}
            }
        }
        self.text(&page.text, Lines::Plain, LinkSource::Text, part);
        self.text(&page.scripts, Lines::Plain, LinkSource::Script, part);
    }

    fn link(&mut self, url: String, source: LinkSource, part: &str, defanged: bool) {
        self.links.add(
            url,
            Place {
                source,
                part,
                defanged,
            },
            &mut self.problems,
        );
    }
}

fn nested(mail: &MailHead) -> NestedMessage {
    NestedMessage {
        message_id: mail.message_id.clone(),
        subject: mail.subject.clone(),
    }
}
