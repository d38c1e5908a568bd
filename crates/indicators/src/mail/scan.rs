//! The lines of a mail: boundaries, header blocks. Every search runs forward once.

use std::ops::Range;

use memchr::{memchr, memmem};

/// Something that is open where the walk stands.
pub(super) enum Frame {
    Multipart {
        boundary: Vec<u8>,
        path: String,
        body: usize,
        parts: usize,
        digest: bool,
    },
    Message {
        entity: usize,
        path: String,
    },
}

/// A boundary line.
pub(super) struct Hit {
    pub frame: usize,
    pub close: bool,
    pub start: usize,
    pub end: usize,
}

/// A header block.
pub(super) struct Block {
    pub end: usize,
    pub body: usize,
    pub bad: Option<usize>,
}

pub(super) struct Scan<'a> {
    pub bytes: &'a [u8],
    finder: memmem::Finder<'static>,
}

impl Frame {
    pub fn path(&self) -> &str {
        match self {
            Frame::Multipart { path, .. } | Frame::Message { path, .. } => path,
        }
    }
}

impl<'a> Scan<'a> {
    pub fn new(bytes: &'a [u8]) -> Scan<'a> {
        Scan {
            bytes,
            finder: memmem::Finder::new(b"\n--"),
        }
    }

    pub fn next_boundary(&self, from: usize, frames: &[Frame]) -> Option<Hit> {
        if !frames
            .iter()
            .any(|frame| matches!(frame, Frame::Multipart { .. }))
        {
            return None;
        }
        let mut at = from;
        if at == 0
            && self.bytes.starts_with(b"--")
            && let Some(hit) = self.boundary_at(0, frames)
        {
            return Some(hit);
        }
        at = at.saturating_sub(1);
        loop {
            let found = self.finder.find(self.bytes.get(at..)?)?;
            let line = at + found + 1;
            if let Some(hit) = self.boundary_at(line, frames) {
                return Some(hit);
            }
            at = line;
        }
    }

    /// The boundary line that starts at `start`, if it is one of an open multipart. A whole line
    /// counts before a beginning, the innermost before the outer ones.
    fn boundary_at(&self, start: usize, frames: &[Frame]) -> Option<Hit> {
        let end = self.line_end(start);
        let line = self.slice(start..end).strip_prefix(b"--")?.trim_ascii_end();
        let multiparts = || {
            frames
                .iter()
                .enumerate()
                .rev()
                .filter_map(|(index, frame)| match frame {
                    Frame::Multipart { boundary, .. } => {
                        Some((index, line.strip_prefix(&**boundary)?))
                    }
                    Frame::Message { .. } => None,
                })
        };
        let (frame, rest) = multiparts()
            .find(|(_, rest)| rest.is_empty() || *rest == b"--")
            .or_else(|| multiparts().next())?;
        Some(Hit {
            frame,
            close: rest.starts_with(b"--"),
            start,
            end,
        })
    }

    /// The header block at `at`: its end (empty line included), the start of the body, and the
    /// first line that is no header line.
    pub fn header_block(&self, at: usize, frames: &[Frame]) -> Block {
        let mut line = at;
        let mut bad = None;
        while line < self.bytes.len() {
            let end = self.line_end(line);
            let text = self.slice(line..end);
            if text.trim_ascii().is_empty() && !text.starts_with(b" ") && !text.starts_with(b"\t") {
                return Block {
                    end,
                    body: end,
                    bad,
                };
            }
            if text.starts_with(b"--") && self.boundary_at(line, frames).is_some() {
                return Block {
                    end: line,
                    body: line,
                    bad,
                };
            }
            if !is_header_line(text) {
                if line == at {
                    // Not one header line: the part is all body.
                    return Block {
                        end: at,
                        body: at,
                        bad: None,
                    };
                }
                bad.get_or_insert(line);
            }
            line = end;
        }
        Block {
            end: self.bytes.len(),
            body: self.bytes.len(),
            bad,
        }
    }

    /// Past a byte order mark, empty lines and the envelope line of an mbox file.
    pub fn skip_start(&self) -> usize {
        let mut at = if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        while at < self.bytes.len() {
            let end = self.line_end(at);
            let line = self.slice(at..end);
            let envelope = line.starts_with(b"From ") || line.starts_with(b">From ");
            if !line.trim_ascii().is_empty() && !envelope {
                break;
            }
            at = end;
        }
        at
    }

    fn line_end(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        memchr(b'\n', rest).map_or(self.bytes.len(), |at| start + at + 1)
    }

    /// `end` without the line break that belongs to the boundary line.
    pub fn before_break(&self, from: usize, end: usize, boundary: bool) -> usize {
        if !boundary {
            return end;
        }
        let content = self.slice(from..end);
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        from + content.len()
    }

    pub fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}

/// A field, the rest of one, or an mbox envelope line.
fn is_header_line(line: &[u8]) -> bool {
    if line.starts_with(b" ") || line.starts_with(b"\t") || line.starts_with(b">From ") {
        return true;
    }
    let Some(colon) = memchr(b':', line) else {
        return false;
    };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'<')
}
