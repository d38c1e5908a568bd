//! The tree of MIME parts, in one pass over the bytes and without recursion.
//!
//! A boundary counts only at the start of a line. A line that is a boundary of any open multipart
//! ends all that is open inside it, as RFC 2046 asks, so a multipart that is never closed loses
//! nothing but itself.

use std::ops::Range;

use memchr::memmem;

use super::head::{Head, HeadParser, MailHead};
use super::kind::{is_message, is_plain};
use super::scan::{Frame, Scan};
use super::{Limits, Problem};

/// One thing found in the tree. `body` is a range of the bytes that were walked.
#[derive(Debug)]
pub(super) struct Entity {
    pub kind: Kind,
    pub head: Head,
    pub body: Range<usize>,
    pub path: String,
    /// Open multiparts and messages around it.
    pub depth: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    /// A message whose parts follow; `head.mail` is the message's own.
    Message,
    /// Bytes whose structure could not be read or that no part holds: searched as text.
    Loose,
}

/// The fields of the outermost message and everything in it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub mail: MailHead,
    pub entities: Vec<Entity>,
    pub problems: Vec<Problem>,
}

/// Where a walk starts in the whole mail.
pub(super) struct Start<'a> {
    pub path: &'a str,
    pub depth: usize,
    /// Parts read before.
    pub parts: usize,
}

/// What a part turned out to be, with the start of its body.
enum Read {
    /// Its own first part starts there.
    Message(usize),
    Multipart(usize),
    Leaf(usize),
}

struct Walker<'a> {
    scan: Scan<'a>,
    limits: &'a Limits,
    start: Start<'a>,
    frames: Vec<Frame>,
    tree: Tree,
    parts: usize,
}

/// Walks one message. The number of parts read so far, these included, comes back with it.
pub(super) fn walk(
    bytes: &[u8],
    parser: &HeadParser,
    limits: &Limits,
    start: Start<'_>,
) -> (Tree, usize) {
    let parts = start.parts;
    let mut walker = Walker {
        scan: Scan::new(bytes),
        limits,
        start,
        frames: Vec::new(),
        tree: Tree::default(),
        parts,
    };
    walker.run(parser);
    (walker.tree, walker.parts)
}

impl Walker<'_> {
    fn run(&mut self, parser: &HeadParser) {
        let mut at = self.scan.skip_start();
        loop {
            if self.parts >= self.limits.parts {
                let path = self.start.path.to_owned();
                let text = format!(
                    "more than {} parts, the rest was only searched for links",
                    self.limits.parts
                );
                self.tree.problems.push(Problem { part: path, text });
                self.loose(at..self.scan.bytes.len(), self.start.path.to_owned());
                self.close_frames(0, self.scan.bytes.len(), false);
                return;
            }
            self.parts += 1;
            match self.part(at, parser) {
                Read::Message(body) => at = body,
                Read::Multipart(body) => match self.seek(body, None) {
                    Some(next) => at = next,
                    None => return,
                },
                Read::Leaf(body) => {
                    match self.seek(body, self.tree.entities.len().checked_sub(1)) {
                        Some(next) => at = next,
                        None => return,
                    }
                }
            }
        }
    }

    /// Reads the part at `at` up to its body; opens a frame or records a leaf as last entity.
    fn part(&mut self, at: usize, parser: &HeadParser) -> Read {
        let block = self.scan.header_block(at, &self.frames);
        let path = self.next_path();
        let mut head = parser.read(
            self.scan
                .slice(at..block.end.min(at + self.limits.header_bytes)),
        );
        if block.end - at > self.limits.header_bytes {
            let text = format!(
                "header fields of {} bytes, only the first {} were read",
                block.end - at,
                self.limits.header_bytes
            );
            self.problem(&path, text);
        }
        if let Some(bad) = block.bad {
            self.problem(
                &path,
                "a header line that is none, read as text too".to_owned(),
            );
            self.loose(bad..block.end, path.clone());
        }
        for text in std::mem::take(&mut head.problems) {
            self.problem(&path, text);
        }
        self.place_mail(&mut head);
        let depth = self.depth();
        let open = depth < self.limits.levels;
        if let Some(subtype) = head.content_type.strip_prefix("multipart/") {
            let digest = subtype == "digest";
            if subtype == "encrypted" {
                self.problem(&path, "is encrypted, its content can't be read".to_owned());
            }
            match head.boundary.take() {
                Some(boundary) if open => {
                    let boundary = boundary.trim_end().as_bytes().to_vec();
                    let path = self.container_path(path);
                    self.frames.push(Frame::Multipart {
                        boundary,
                        path,
                        body: block.body,
                        parts: 0,
                        digest,
                    });
                    return Read::Multipart(block.body);
                }
                Some(_) => self.too_deep(&path),
                None => self.problem(&path, "a multipart without a boundary, read as text".into()),
            }
            self.push(Kind::Loose, head, block.body, path, depth);
            return Read::Leaf(block.body);
        }
        if head.content_type.is_empty() && self.in_digest() {
            "message/rfc822".clone_into(&mut head.content_type);
        }
        if is_message(&head) && is_plain(&head.encoding) {
            if open {
                self.push(Kind::Message, head, block.body, path.clone(), depth);
                let entity = self.tree.entities.len() - 1;
                self.frames.push(Frame::Message { entity, path });
                return Read::Message(block.body);
            }
            self.too_deep(&path);
            self.push(Kind::Loose, head, block.body, path, depth);
            return Read::Leaf(block.body);
        }
        self.push(Kind::Leaf, head, block.body, path, depth);
        Read::Leaf(block.body)
    }

    /// From a part just read to the start of the next one. `leaf` is the entity whose body starts
    /// at `body`; without one the bytes there belong to no part.
    fn seek(&mut self, body: usize, mut leaf: Option<usize>) -> Option<usize> {
        let mut from = body;
        loop {
            let hit = self.scan.next_boundary(from, &self.frames);
            let end = hit.as_ref().map_or(self.scan.bytes.len(), |hit| hit.start);
            let content_end = self.scan.before_break(from, end, hit.is_some());
            match leaf.take() {
                Some(index) => {
                    if let Some(entity) = self.tree.entities.get_mut(index) {
                        entity.body.end = content_end.max(entity.body.start);
                    }
                }
                None => self.outside(from..content_end),
            }
            let Some(hit) = hit else {
                self.close_frames(0, self.scan.bytes.len(), false);
                return None;
            };
            self.close_frames(hit.frame + 1, content_end, false);
            if hit.close {
                self.close_frames(hit.frame, content_end, true);
                from = hit.end;
                continue;
            }
            if let Some(Frame::Multipart { parts, .. }) = self.frames.get_mut(hit.frame) {
                *parts += 1;
            }
            return Some(hit.end);
        }
    }

    /// Ends all frames from `keep` on. `closed` is whether the innermost one met its end line.
    fn close_frames(&mut self, keep: usize, end: usize, closed: bool) {
        while self.frames.len() > keep {
            match self.frames.pop() {
                Some(Frame::Message { entity, .. }) => {
                    if let Some(entity) = self.tree.entities.get_mut(entity) {
                        entity.body.end = end.max(entity.body.start);
                    }
                }
                Some(Frame::Multipart {
                    boundary,
                    path,
                    body,
                    parts,
                    ..
                }) => {
                    let name = String::from_utf8_lossy(&boundary).into_owned();
                    if parts == 0 {
                        let text =
                            format!("no part begins with the boundary `{name}`, read as text");
                        self.problem(&path, text);
                        self.loose(body..end.max(body), path);
                    } else if !closed {
                        let text =
                            format!("the boundary `{name}` is never closed, it may be cut off");
                        self.problem(&path, text);
                    }
                }
                None => return,
            }
        }
    }

    /// Gives the fields of a message's first part to the message.
    fn place_mail(&mut self, head: &mut Head) {
        match self.frames.last() {
            None if self.parts == self.start.parts + 1 => {
                self.tree.mail = std::mem::take(&mut head.mail);
            }
            Some(Frame::Message { entity, .. }) => {
                if let Some(message) = self.tree.entities.get_mut(*entity) {
                    message.head.mail = std::mem::take(&mut head.mail);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, kind: Kind, head: Head, body: usize, path: String, depth: usize) {
        self.tree.entities.push(Entity {
            kind,
            head,
            body: body..body,
            path,
            depth,
        });
    }

    fn loose(&mut self, body: Range<usize>, path: String) {
        let depth = self.depth();
        let head = Head::default();
        self.tree.entities.push(Entity {
            kind: Kind::Loose,
            head,
            body,
            path,
            depth,
        });
    }

    /// Text before the first part or after the last one is shown by no program; it matters here
    /// only where it holds a link.
    fn outside(&mut self, range: Range<usize>) {
        if memmem::find(self.scan.slice(range.clone()), b"://").is_some() {
            let path = self
                .frames
                .last()
                .map_or(self.start.path, Frame::path)
                .to_owned();
            self.loose(range, path);
        }
    }

    fn too_deep(&mut self, path: &str) {
        let text = format!(
            "more than {} levels of parts inside each other, the rest was only searched for links",
            self.limits.levels
        );
        self.problem(path, text);
    }

    fn problem(&mut self, path: &str, text: String) {
        self.tree.problems.push(Problem {
            part: path.to_owned(),
            text,
        });
    }

    fn depth(&self) -> usize {
        self.start.depth + self.frames.len()
    }

    fn in_digest(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame::Multipart { digest: true, .. })
        )
    }

    /// Part number of the part that is about to be read.
    fn next_path(&self) -> String {
        match self.frames.last() {
            Some(Frame::Multipart { path, parts, .. }) => join(path, *parts),
            Some(Frame::Message { path, .. }) => join(path, 1),
            None => join(self.start.path, 1),
        }
    }

    /// The outermost multipart of a message has the message's own number.
    fn container_path(&self, path: String) -> String {
        match self.frames.last() {
            Some(Frame::Multipart { .. }) => path,
            Some(Frame::Message { path, .. }) => path.clone(),
            None => self.start.path.to_owned(),
        }
    }
}

fn join(path: &str, number: usize) -> String {
    if path.is_empty() {
        number.to_string()
    } else {
        format!("{path}.{number}")
    }
}
