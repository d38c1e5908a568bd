//! Header fields of one part, read by `mail-parser` with only the fields that matter here.

use mail_parser::parsers::MessageStream;
use mail_parser::{Header, HeaderName, HeaderValue, MessageParser};

use super::SenderHeader;

/// What the header fields of one part say.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// `type/subtype` in lower case; empty when the part names none.
    pub content_type: String,
    pub charset: Option<String>,
    pub boundary: Option<String>,
    /// Transfer encoding in lower case.
    pub encoding: String,
    pub attachment: bool,
    pub name: Option<String>,
    /// `format=flowed; delsp=yes` (RFC 3676): a blank at the end of a line is no part of the text.
    pub joins_lines: bool,
    /// `Content-Base` or `Content-Location`, against which relative links are read.
    pub base: Option<String>,
    /// `url` of a `message/external-body`.
    pub external: Option<String>,
    /// The fields of a message, for the first part of one.
    pub mail: MailHead,
    pub problems: Vec<String>,
}

/// What the header fields of a message say about who sent it.
#[derive(Debug, Clone, Default)]
pub(super) struct MailHead {
    pub senders: Vec<(SenderHeader, String, Option<String>)>,
    pub message_id: Option<String>,
    pub subject: Option<String>,
}

pub(super) struct HeadParser(MessageParser);

impl HeadParser {
    pub fn new() -> HeadParser {
        HeadParser(
            MessageParser::new()
                .with_mime_headers()
                .header_text(HeaderName::Subject)
                .header_text(HeaderName::MessageId)
                .header_text(HeaderName::Other("Content-Base".into()))
                .header_address(HeaderName::From)
                .header_address(HeaderName::Sender)
                .header_address(HeaderName::ReplyTo)
                .header_address(HeaderName::ReturnPath)
                .default_header_ignore(),
        )
    }

    /// Reads a header block. `block` ends with an empty line where the part has one.
    pub fn read(&self, block: &[u8]) -> Head {
        let mut headers = Vec::new();
        if block.ends_with(b"\n") {
            MessageStream::new(block).parse_headers(&self.0, &mut headers);
            read(&headers)
        } else {
            // A field without its line ending would be dropped.
            let ended = [block, b"\n\n"].concat();
            MessageStream::new(&ended).parse_headers(&self.0, &mut headers);
            read(&headers)
        }
    }
}

fn read(headers: &[Header<'_>]) -> Head {
    let mut head = Head::default();
    let mut types = 0;
    let mut authors = 0;
    let mut type_name = None;
    for header in headers {
        match &header.name {
            HeaderName::From => {
                authors += 1;
                senders(&mut head.mail, SenderHeader::From, &header.value);
            }
            HeaderName::Sender => senders(&mut head.mail, SenderHeader::Sender, &header.value),
            HeaderName::ReplyTo => senders(&mut head.mail, SenderHeader::ReplyTo, &header.value),
            HeaderName::ReturnPath => {
                senders(&mut head.mail, SenderHeader::ReturnPath, &header.value);
            }
            HeaderName::Subject => keep_first(&mut head.mail.subject, header.value.as_text()),
            HeaderName::MessageId => {
                keep_first(
                    &mut head.mail.message_id,
                    header.value.as_text().map(message_id),
                );
            }
            HeaderName::ContentType => {
                types += 1;
                if types == 1 {
                    type_name = content_type(&mut head, &header.value);
                }
            }
            HeaderName::ContentDisposition => disposition(&mut head, &header.value),
            HeaderName::ContentTransferEncoding if head.encoding.is_empty() => {
                head.encoding = encoding(header.value.as_text().unwrap_or_default());
            }
            HeaderName::ContentLocation => keep_first(&mut head.base, header.value.as_text()),
            HeaderName::Other(name) if name.eq_ignore_ascii_case("content-base") => {
                head.base = header.value.as_text().map(str::to_owned);
            }
            _ => {}
        }
    }
    if types > 1 {
        head.problems
            .push("has several Content-Type fields, the first one was used".to_owned());
    }
    if authors > 1 {
        head.problems
            .push("has several From fields, mail programs differ in which they show".into());
    }
    head.name = head.name.take().or(type_name);
    head
}

fn keep_first(slot: &mut Option<String>, value: Option<&str>) {
    if slot.is_none() {
        *slot = value
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
    }
}

/// The first `<…>` of the field, else the whole text.
fn message_id(text: &str) -> &str {
    let id = text.find('<').and_then(|start| {
        let end = text.get(start..)?.find('>')?;
        text.get(start..=start + end)
    });
    id.unwrap_or(text)
}

fn senders(mail: &mut MailHead, header: SenderHeader, value: &HeaderValue<'_>) {
    let Some(list) = value.as_address() else {
        return;
    };
    for address in list.iter() {
        let name = address
            .name
            .as_deref()
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let text = address
            .address
            .as_deref()
            .map(str::trim)
            .unwrap_or_default();
        match (text, name) {
            ("", None) => {}
            // A bare word in place of an address: what the field holds is the value.
            ("", Some(name)) => mail.senders.push((header, name.to_owned(), None)),
            (text, name) => {
                mail.senders
                    .push((header, text.to_owned(), name.map(str::to_owned)));
            }
        }
    }
}

/// Fills in what `Content-Type` says and gives its `name`.
fn content_type(head: &mut Head, value: &HeaderValue<'_>) -> Option<String> {
    let Some(found) = value.as_content_type() else {
        head.problems
            .push("has an unreadable Content-Type, read as text".to_owned());
        return None;
    };
    let kind = found.ctype().trim();
    head.content_type = match (kind, found.subtype()) {
        (kind, Some(subtype)) => format!("{kind}/{}", subtype.trim()),
        ("text", None) => "text/plain".to_owned(),
        (kind, None) => kind.to_owned(),
    };
    let attribute = |name: &str| found.attribute(name).map(str::to_owned);
    head.charset = attribute("charset");
    head.boundary = attribute("boundary").filter(|boundary| !boundary.trim().is_empty());
    head.joins_lines =
        is(found.attribute("format"), "flowed") && is(found.attribute("delsp"), "yes");
    if head.content_type == "message/external-body" {
        head.external = attribute("url").map(|url| url.split_whitespace().collect());
    }
    attribute("name").map(|name| words(&name))
}

fn disposition(head: &mut Head, value: &HeaderValue<'_>) {
    let Some(found) = value.as_content_type() else {
        return;
    };
    head.attachment = found.ctype().eq_ignore_ascii_case("attachment");
    if let Some(name) = found.attribute("filename") {
        head.name = Some(words(name));
    }
}

fn is(value: Option<&str>, wanted: &str) -> bool {
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case(wanted))
}

/// Decodes encoded words, which many programs write into parameters against RFC 2047.
fn words(name: &str) -> String {
    if !name.contains("=?") {
        return name.to_owned();
    }
    let line = format!("{}\n", name.replace(['\r', '\n'], " "));
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => name.to_owned(),
    }
}

/// The encoding's name without comments and parameters, in lower case.
fn encoding(text: &str) -> String {
    let end = text.find(['(', ';']).unwrap_or(text.len());
    text.get(..end)
        .unwrap_or(text)
        .trim()
        .trim_matches('"')
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        HeadParser::new().read(text.as_bytes())
    }

    #[test]
    fn names_in_all_encodings() {
        for field in [
            "Content-Disposition: attachment; filename*=UTF-8''R%C3%A9sum%C3%A9.pdf",
            "Content-Disposition: attachment; filename*0*=UTF-8''R%C3%A9s; filename*1*=um%C3%A9.pdf",
            "Content-Disposition: attachment; filename=\"=?utf-8?B?UsOpc3Vtw6kucGRm?=\"",
            "Content-Type: application/pdf; name=\"=?utf-8?Q?R=C3=A9sum=C3=A9.pdf?=\"",
        ] {
            assert_eq!(head(field).name.as_deref(), Some("Résumé.pdf"), "{field}");
        }
    }

    #[test]
    fn senders_with_names() {
        let head = head(
            "From: =?utf-8?q?P=C3=A4yroll?= <pay@a.example>\r\nReply-To: x@b.example (Desk), y@c.example\r\nReturn-Path: <>\r\nMessage-ID:\r\n <id.1@a.example>\r\n\r\n",
        );
        let senders: Vec<_> = head
            .mail
            .senders
            .iter()
            .map(|(header, address, name)| (*header, address.as_str(), name.as_deref()))
            .collect();
        assert_eq!(
            senders,
            [
                (SenderHeader::From, "pay@a.example", Some("Päyroll")),
                (SenderHeader::ReplyTo, "x@b.example", Some("Desk")),
                (SenderHeader::ReplyTo, "y@c.example", None),
            ]
        );
        assert_eq!(head.mail.message_id.as_deref(), Some("<id.1@a.example>"));
    }

    #[test]
    fn encodings_lose_their_comments() {
        assert_eq!(
            head("Content-Transfer-Encoding: Base64 (really)\n\n").encoding,
            "base64"
        );
    }
}
