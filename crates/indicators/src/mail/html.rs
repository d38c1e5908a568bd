//! Links of an HTML part: attributes, a `base`, text that a mail program would make clickable,
//! scripts, and what stands in Outlook's conditional comments.

use std::convert::Infallible;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

use super::LinkSource;

/// What an HTML part holds. Links are as written, in order; nothing is resolved yet, since a
/// `base` counts for links before it too.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub links: Vec<(LinkSource, String)>,
    /// `href` of the first `base`.
    pub base: Option<String>,
    /// Text as shown, a line break wherever text does not run on.
    pub text: String,
    pub scripts: String,
}

/// HTML inside HTML (comments, `srcdoc`) is read this deep.
const DEPTH: usize = 4;

/// Elements that do not interrupt the text around them.
const INLINE: [&[u8]; 26] = [
    b"abbr", b"b", b"bdi", b"bdo", b"big", b"cite", b"code", b"del", b"em", b"font", b"i", b"ins",
    b"kbd", b"mark", b"nobr", b"o:p", b"s", b"small", b"span", b"strike", b"strong", b"sub",
    b"sup", b"tt", b"u", b"wbr",
];

/// Attributes that matter, in lower case as the tokenizer gives them.
const READ: [&[u8]; 12] = [
    b"href",
    b"src",
    b"action",
    b"formaction",
    b"content",
    b"http-equiv",
    b"data",
    b"srcdoc",
    b"background",
    b"poster",
    b"xlink:href",
    b"originalsrc",
];

/// Reads a page.
pub(super) fn read(html: &str) -> Page {
    let mut page = Page::default();
    let mut waiting = read_into(html, &mut page);
    for _ in 0..DEPTH {
        let mut deeper = Vec::new();
        for fragment in waiting {
            page.text.push('\n');
            deeper.extend(read_into(&fragment, &mut page));
        }
        waiting = deeper;
    }
    page
}

/// Reads one piece and gives the HTML found inside it.
fn read_into(html: &str, page: &mut Page) -> Vec<String> {
    let mut reader = Reader {
        page,
        tag: Vec::new(),
        attributes: Vec::new(),
        reads_value: false,
        raw: Raw::None,
        inner: Vec::new(),
    };
    let callback = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        reader.event(&event);
        None
    };
    let mut emitter = CallbackEmitter::new(callback);
    emitter.naively_switch_states(true);
    // The error type of an in-memory reader has no values.
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    reader.inner
}

/// What the text that follows is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Raw {
    None,
    Script,
    /// A page's look: nothing to read.
    Style,
    /// Shown where scripts do not run, that is, in mail.
    Html,
}

struct Reader<'a> {
    page: &'a mut Page,
    tag: Vec<u8>,
    attributes: Vec<(Vec<u8>, String)>,
    /// Whether the value that follows belongs to an attribute that matters.
    reads_value: bool,
    raw: Raw,
    inner: Vec<String>,
}

impl Reader<'_> {
    fn event(&mut self, event: &CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag.clear();
                self.tag.extend_from_slice(name);
                self.attributes.clear();
            }
            CallbackEvent::AttributeName { name } => {
                self.reads_value = READ.iter().any(|known| known == name);
                if self.reads_value {
                    self.attributes.push((name.to_vec(), String::new()));
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, slot)) = self.attributes.last_mut().filter(|_| self.reads_value) {
                    *slot = String::from_utf8_lossy(value).into_owned();
                }
            }
            CallbackEvent::CloseStartTag { .. } => self.element(),
            CallbackEvent::EndTag { name } => {
                self.raw = Raw::None;
                self.interrupt(name);
                self.attributes.clear();
            }
            CallbackEvent::String { value } => {
                let text = String::from_utf8_lossy(value);
                match self.raw {
                    Raw::None => self.page.text.push_str(&text),
                    Raw::Script => {
                        self.page.scripts.push_str(&text);
                        self.page.scripts.push('\n');
                    }
                    Raw::Style => {}
                    Raw::Html => self.inner.push(text.into_owned()),
                }
            }
            CallbackEvent::Comment { value } => {
                if let Some(html) = conditional(&String::from_utf8_lossy(value)) {
                    self.inner.push(html.to_owned());
                }
            }
            CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
    }

    fn element(&mut self) {
        let tag = std::mem::take(&mut self.tag);
        self.interrupt(&tag);
        self.raw = match tag.as_slice() {
            b"script" => Raw::Script,
            b"style" | b"iframe" => Raw::Style,
            b"noscript" | b"noembed" => Raw::Html,
            _ => Raw::None,
        };
        if self.attributes.is_empty() {
            return;
        }
        match tag.as_slice() {
            b"base" => {
                if self.page.base.is_none() {
                    self.page.base = self.attribute(b"href");
                }
            }
            b"area" => self.link(LinkSource::Area, b"href"),
            b"form" => self.link(LinkSource::Form, b"action"),
            b"meta" => self.refresh(),
            b"iframe" | b"frame" | b"embed" => {
                self.link(LinkSource::Frame, b"src");
                if let Some(html) = self.attribute(b"srcdoc") {
                    self.inner.push(html);
                }
            }
            b"object" => self.link(LinkSource::Frame, b"data"),
            b"script" => self.link(LinkSource::Script, b"src"),
            b"link" | b"image" | b"use" => {
                self.link(LinkSource::Image, b"href");
                self.link(LinkSource::Image, b"xlink:href");
            }
            _ => {
                self.link(LinkSource::Anchor, b"href");
                self.link(LinkSource::Anchor, b"xlink:href");
                self.link(LinkSource::Image, b"src");
                self.link(LinkSource::Image, b"poster");
            }
        }
        self.link(LinkSource::Form, b"formaction");
        self.link(LinkSource::Image, b"background");
        self.link(LinkSource::Original, b"originalsrc");
    }

    fn refresh(&mut self) {
        let is_refresh = self
            .attribute(b"http-equiv")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("refresh"));
        if is_refresh
            && let Some(target) = self.attribute(b"content")
            && let Some(url) = refresh_target(&target)
        {
            self.page.links.push((LinkSource::Refresh, url.to_owned()));
        }
    }

    fn link(&mut self, source: LinkSource, name: &[u8]) {
        if let Some(value) = self.attribute(name) {
            self.page.links.push((source, value));
        }
    }

    /// The first attribute of that name, as browsers take it.
    fn attribute(&self, name: &[u8]) -> Option<String> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    }

    fn interrupt(&mut self, tag: &[u8]) {
        if !INLINE.contains(&tag) && !self.page.text.ends_with('\n') {
            self.page.text.push('\n');
        }
    }
}

/// The HTML in `<!--[if mso]>…<![endif]-->`, which Outlook shows.
fn conditional(comment: &str) -> Option<&str> {
    let rest = comment.trim_start();
    if !rest.get(..3)?.eq_ignore_ascii_case("[if") {
        return None;
    }
    let (_, inner) = rest.split_once("]>")?;
    Some(
        inner
            .rfind("<![")
            .and_then(|end| inner.get(..end))
            .unwrap_or(inner),
    )
}

/// The address in `0; url='…'` (HTML, shared declarative refresh steps).
fn refresh_target(content: &str) -> Option<&str> {
    let rest = content
        .trim_start()
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let rest = rest
        .trim_start()
        .trim_start_matches([';', ','])
        .trim_start();
    let rest = match rest.get(..3) {
        Some(word) if word.eq_ignore_ascii_case("url") => {
            let after = rest.get(3..)?.trim_start();
            after.strip_prefix('=').map_or(rest, str::trim_start)
        }
        _ => rest,
    };
    let url = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next()?,
        _ => rest,
    };
    (!url.is_empty()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::LinkSource::*;
    use super::*;

    fn links(html: &str) -> Vec<(LinkSource, String)> {
        read(html).links
    }

    #[test]
    fn every_clickable_element() {
        let found = links(concat!(
            "<a href='https://a.example/?x=1&amp;y=2' href=https://no.example>",
            "<map><area HREF=https://b.example></map>",
            "<form action=https://c.example><button formaction=https://d.example></form>",
            "<meta http-equiv=Refresh content=\"0; URL='https://e.example'\">",
            "<iframe src=https://f.example></iframe><img src=https://g.example/p.png>",
            "<!--[if mso]><v:roundrect href=\"https://h.example\"><![endif]-->",
            "<noscript><a href=https://i.example>x</a></noscript>",
            "<a originalsrc=https://k.example href=https://j.example>",
        ));
        let wanted = [
            (Anchor, "https://a.example/?x=1&y=2"),
            (Area, "https://b.example"),
            (Form, "https://c.example"),
            (Form, "https://d.example"),
            (Refresh, "https://e.example"),
            (Frame, "https://f.example"),
            (Image, "https://g.example/p.png"),
            (Anchor, "https://j.example"),
            (Original, "https://k.example"),
            (Anchor, "https://h.example"),
            (Anchor, "https://i.example"),
        ];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(source, url)| (*source, (*url).to_owned()))
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn text_runs_on_through_inline_elements() {
        let page = read("<p>https://evil<wbr>.<b>exam</b>ple/a</p><td>x</td>");
        assert!(
            page.text.contains("https://evil.example/a\n"),
            "{:?}",
            page.text
        );
    }

    #[test]
    fn refresh_forms() {
        for content in [
            "0;url=https://a.example",
            "5 ; URL = \"https://a.example\" x",
            "0,https://a.example",
        ] {
            assert_eq!(
                refresh_target(content),
                Some("https://a.example"),
                "{content}"
            );
        }
        assert_eq!(refresh_target("30"), None);
    }
}
