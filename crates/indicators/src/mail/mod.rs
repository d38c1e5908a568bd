//! What a real phishing mail holds: senders, links, files, message id and subject, from the
//! bytes of an `.eml`.
//!
//! Nothing is ever fetched: a rewritten link (Safe Links, URL Defense, …) is unwrapped from its
//! own text, and where its text does not hold the target, a problem says so. A broken mail gives
//! what was readable; every part that was not is named in [`MailIndicators::problems`].
//!
//! The tree of parts is walked here and not by the mail parser, because a hostile mail must cost
//! neither stack nor quadratic time: one pass over the bytes, frames on the heap, each bound of
//! [`Limits`] with a problem of its own. Header fields and charsets are read by `mail-parser`,
//! HTML is tokenised by `html5gum`.
//!
//! Values are kept as the mail has them, line breaks, NULs and terminal escapes included; who
//! shows them escapes them (`kernel::escape`).

mod collect;
mod decode;
mod defense;
mod head;
mod html;
mod kind;
mod links;
mod problems;
mod report;
mod resolve;
mod scan;
mod services;
mod text;
mod tree;
mod wrapper;

use std::fmt;

use serde::Serialize;

pub use report::{FileItem, MailReport, SenderItem, UrlItem, report};

/// How much of a mail is read. Past a bound the mail is still reported, with a problem that names
/// the bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// MIME parts in the whole mail, nested messages included.
    pub parts: usize,
    /// Multiparts and messages open inside each other.
    pub levels: usize,
    /// Different links.
    pub links: usize,
    /// Different sender addresses.
    pub senders: usize,
    /// Bytes of one header block.
    pub header_bytes: usize,
    /// Bytes of one text part that are searched for links.
    pub text_bytes: usize,
    /// Bytes of one link.
    pub link_bytes: usize,
    /// Bytes hashed in all; the first file always is. Messages that lie inside each other are
    /// hashed once for each level.
    pub hashed_bytes: usize,
    /// Problems told; the rest is counted.
    pub problems: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            parts: 10_000,
            levels: 100,
            links: 100_000,
            senders: 1_000,
            header_bytes: 1 << 20,
            text_bytes: 16 << 20,
            link_bytes: 32 << 10,
            hashed_bytes: 512 << 20,
            problems: 200,
        }
    }
}

/// What a mail holds. Duplicates are removed, the order is that of first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailIndicators {
    /// Addresses in `From`, `Sender`, `Reply-To` and `Return-Path`, of the mail and then of the
    /// messages inside it.
    pub senders: Vec<MailSender>,
    /// Links of text, HTML, calendar and script, wrappers and their targets.
    pub links: Vec<MailLink>,
    /// Attachments, inline files and nested messages.
    pub files: Vec<MailFile>,
    /// `Message-ID` with its angle brackets.
    pub message_id: Option<String>,
    /// `Subject`, encoded words decoded.
    pub subject: Option<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// One address that a mail claims to come from or wants answers to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSender {
    /// The address as written.
    pub address: String,
    /// The name shown beside it, encoded words decoded.
    pub display_name: Option<String>,
    /// The header fields that hold it.
    pub headers: Vec<SenderHeader>,
    /// Part number of the message it stands in; empty for the mail itself.
    pub part: String,
}

/// A header field that names a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SenderHeader {
    /// The author shown.
    #[serde(rename = "From")]
    From,
    /// Who sent it for the author.
    #[serde(rename = "Sender")]
    Sender,
    /// Where answers go.
    #[serde(rename = "Reply-To")]
    ReplyTo,
    /// The envelope sender, as the last server noted it.
    #[serde(rename = "Return-Path")]
    ReturnPath,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailLink {
    /// The link as written, with entities decoded, line breaks and tabs removed and a base
    /// applied, as a browser does; a defanged one refanged.
    pub url: String,
    /// Where it was found.
    pub source: LinkSource,
    /// Part number; empty for the mail itself.
    pub part: String,
    /// Whether it was written so that it can't be clicked (`hxxp`, `[.]`).
    pub defanged: bool,
    /// Names of the services whose wrappers were taken off to get this link, outermost first.
    pub wrapped_by: Vec<&'static str>,
    /// The outermost wrapper as it stands in the mail, for a link that was inside one.
    pub wrapper: Option<String>,
    /// Set when this link is itself a wrapper.
    pub wraps: Option<Wraps>,
}

/// What a wrapper is and whether it could be taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wraps {
    /// Name of the service.
    pub service: &'static str,
    /// Whether the service rewrites links to protect the reader (then blocking the wrapper is of
    /// no use); else it is a redirect that an attacker may choose freely.
    pub protection: bool,
    /// The target, where the text holds it.
    pub target: Option<String>,
}

/// Where a link was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkSource {
    /// `href` of `a`, and of any other element that is not listed here (Outlook's VML buttons).
    Anchor,
    /// `href` of an image map's `area`.
    Area,
    /// `action` of a form, `formaction` of a button.
    Form,
    /// A `meta` refresh.
    Refresh,
    /// `src` of a frame, `data` of an object.
    Frame,
    /// An image or another thing that is loaded and not clicked.
    Image,
    /// Written in a text, a text node or a header-less part.
    Text,
    /// Inside a script of an HTML part.
    Script,
    /// A calendar or contact part.
    Calendar,
    /// The link before Safe Links rewrote it, as Outlook keeps it (`originalsrc`).
    Original,
    /// Text outside of the parts of a multipart, or a part whose structure is broken.
    Outside,
}

/// One attachment, inline file or nested message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFile {
    /// SHA-256 of the decoded bytes, lower-case hex; none where [`Limits::hashed_bytes`] ended.
    pub sha256: Option<String>,
    /// File name, RFC 2231 and RFC 2047 decoded.
    pub name: Option<String>,
    /// Decoded size in bytes.
    pub size: usize,
    /// `type/subtype` in lower case.
    pub content_type: String,
    /// Part number.
    pub part: String,
    /// Whether it is shown in the text and not as an attachment.
    pub inline: bool,
    /// Message id and subject, for a nested message.
    pub message: Option<NestedMessage>,
}

/// What identifies a message inside a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NestedMessage {
    /// `Message-ID` with its angle brackets.
    pub message_id: Option<String>,
    /// `Subject`, encoded words decoded.
    pub subject: Option<String>,
}

/// Something that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Part number; empty for the mail itself.
    pub part: String,
    /// What happened, unescaped.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.part.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "part {}: {}", self.part, self.text)
        }
    }
}

/// Reads a mail. Never fails and never panics: whatever the bytes are, what is readable comes
/// back and what is not is a problem. Time and memory grow with the length of `bytes` only; a
/// cap on that length is the caller's.
pub fn extract(bytes: &[u8], limits: &Limits) -> MailIndicators {
    collect::extract(bytes, limits)
}
