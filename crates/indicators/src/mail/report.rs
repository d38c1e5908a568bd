//! What a mail holds, each value judged as an entry of the block lists: the shape that the command
//! line prints, one object a mail.

use serde::Serialize;

use super::{
    Limits, LinkSource, MailFile, MailIndicators, MailLink, MailSender, NestedMessage,
    SenderHeader, extract,
};
use crate::url::split_protocol;
use crate::{Offer, Sender, UrlEntry};

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailReport {
    /// The file as given.
    pub file: String,
    /// `Message-ID` with its angle brackets.
    pub message_id: Option<String>,
    /// `Subject`, decoded.
    pub subject: Option<String>,
    /// Who it claims to come from and where answers go.
    pub senders: Vec<SenderItem>,
    /// Links, wrappers and their targets.
    pub urls: Vec<UrlItem>,
    /// Attachments, inline files and nested messages.
    pub files: Vec<FileItem>,
    /// What could not be read, one line each.
    pub problems: Vec<String>,
}

/// A sender and the entry proposed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SenderItem {
    /// The address as written.
    pub value: String,
    /// What to put on the block list; none where the value can't be an entry.
    pub entry: Option<String>,
    /// Whether there is an entry.
    pub valid: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Entries that would cover a value that is none itself.
    pub offers: Vec<Offer>,
    /// The name shown beside the address.
    pub display_name: Option<String>,
    /// Header fields that hold it.
    pub headers: Vec<SenderHeader>,
    /// Part number of the message that it stands in; empty for the mail itself.
    pub part: String,
}

/// A link and the entry proposed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UrlItem {
    /// The link as a browser would read it.
    pub value: String,
    /// The link without its protocol; none where it can't be an entry as it stands, or where it
    /// is only a gateway's wrapper.
    pub entry: Option<String>,
    /// Whether there is an entry.
    pub valid: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Entries that would cover a link that is none itself, with what else they would catch.
    pub offers: Vec<Offer>,
    /// Where it was found.
    pub source: LinkSource,
    /// Part number.
    pub part: String,
    /// Whether it was written defanged.
    pub defanged: bool,
    /// Services whose wrappers were taken off, outermost first.
    pub wrapped_by: Vec<&'static str>,
    /// The outermost wrapper as it stands in the mail.
    pub wrapper: Option<String>,
    /// The service, when this is a wrapper itself.
    pub wrapper_of: Option<&'static str>,
    /// What is inside, when this is a wrapper and its text tells.
    pub target: Option<String>,
}

/// A file and the entry proposed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileItem {
    /// SHA-256 in lower-case hex; none where the file was not hashed.
    pub value: Option<String>,
    /// The same hash, where it may be blocked.
    pub entry: Option<String>,
    /// Whether there is an entry.
    pub valid: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Always empty: only the hash itself covers a file.
    pub offers: Vec<Offer>,
    /// File name.
    pub name: Option<String>,
    /// Decoded size in bytes.
    pub size: usize,
    /// `type/subtype`.
    pub content_type: String,
    /// Part number.
    pub part: String,
    /// Whether it is shown in the text.
    pub inline: bool,
    /// Message id and subject of a nested message.
    pub message: Option<NestedMessage>,
}

/// Reads a mail and judges what it holds. `file` is passed on as given.
pub fn report(file: &str, bytes: &[u8]) -> MailReport {
    MailReport::new(file, extract(bytes, &Limits::default()))
}

impl MailReport {
    /// Judges what was read from a mail.
    pub fn new(file: &str, mail: MailIndicators) -> MailReport {
        MailReport {
            file: file.to_owned(),
            message_id: mail.message_id,
            subject: mail.subject,
            senders: mail.senders.into_iter().map(SenderItem::new).collect(),
            urls: mail.links.into_iter().map(UrlItem::new).collect(),
            files: mail.files.into_iter().map(FileItem::new).collect(),
            problems: mail.problems.iter().map(ToString::to_string).collect(),
        }
    }
}

impl SenderItem {
    fn new(sender: MailSender) -> SenderItem {
        let judged = Sender::parse(&sender.address)
            .map(|entry| entry.as_str().to_owned())
            .map_err(|problem| (problem.rule().to_owned(), problem.offers().to_vec()));
        let Judged {
            entry,
            reason,
            offers,
        } = Judged::from(judged);
        SenderItem {
            value: sender.address,
            valid: entry.is_some(),
            entry,
            reason,
            offers,
            display_name: sender.display_name,
            headers: sender.headers,
            part: sender.part,
        }
    }
}

impl UrlItem {
    fn new(link: MailLink) -> UrlItem {
        let wrapper = link.wraps.as_ref();
        let rewritten = wrapper.filter(|wraps| wraps.protection && wraps.target.is_some());
        let judged = match rewritten {
            Some(wraps) => Err((
                format!(
                    "is a {} wrapper; its target stands in its own row",
                    wraps.service
                ),
                Vec::new(),
            )),
            None => UrlEntry::parse(without_protocol(&link.url))
                .map(|entry| entry.as_str().to_owned())
                .map_err(|problem| (problem.rule().to_owned(), problem.offers().to_vec())),
        };
        let Judged {
            entry,
            reason,
            offers,
        } = Judged::from(judged);
        UrlItem {
            valid: entry.is_some(),
            entry,
            reason,
            offers,
            source: link.source,
            part: link.part,
            defanged: link.defanged,
            wrapped_by: link.wrapped_by,
            wrapper: link.wrapper,
            wrapper_of: wrapper.map(|wraps| wraps.service),
            target: link.wraps.and_then(|wraps| wraps.target),
            value: link.url,
        }
    }
}

impl FileItem {
    fn new(file: MailFile) -> FileItem {
        let judged = match &file.sha256 {
            None => Err(("was not hashed".to_owned(), Vec::new())),
            Some(_) if file.size == 0 => Err((
                "is empty; its hash is that of every empty file".to_owned(),
                Vec::new(),
            )),
            Some(hash) => Ok(hash.clone()),
        };
        let Judged {
            entry,
            reason,
            offers,
        } = Judged::from(judged);
        FileItem {
            value: file.sha256,
            valid: entry.is_some(),
            entry,
            reason,
            offers,
            name: file.name,
            size: file.size,
            content_type: file.content_type,
            part: file.part,
            inline: file.inline,
            message: file.message,
        }
    }
}

struct Judged {
    entry: Option<String>,
    reason: Option<String>,
    offers: Vec<Offer>,
}

impl From<Result<String, (String, Vec<Offer>)>> for Judged {
    fn from(judged: Result<String, (String, Vec<Offer>)>) -> Judged {
        match judged {
            Ok(entry) => Judged {
                entry: Some(entry),
                reason: None,
                offers: Vec::new(),
            },
            Err((reason, offers)) => Judged {
                entry: None,
                reason: Some(reason),
                offers,
            },
        }
    }
}

/// A web link as an entry is written: without protocol, and without a path that is only `/`.
fn without_protocol(url: &str) -> &str {
    let Some(("http" | "https" | "ftp" | "ftps" | "HTTP" | "HTTPS", rest)) = split_protocol(url)
    else {
        return url;
    };
    match rest.strip_suffix('/') {
        Some(host) if !host.contains(['/', '?', '#']) => host,
        _ => rest,
    }
}
