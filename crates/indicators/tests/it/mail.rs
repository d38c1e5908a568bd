//! Whole mails: three realistic ones with everything in them named, and hostile ones.

use std::fmt::Write as _;
use std::path::Path;

use indicators::mail::{self, Limits, LinkSource, MailIndicators, SenderHeader};
use proptest::prelude::*;

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/mail")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(bytes: &[u8]) -> MailIndicators {
    mail::extract(bytes, &Limits::default())
}

fn urls(found: &MailIndicators) -> Vec<(&str, LinkSource)> {
    found
        .links
        .iter()
        .map(|link| (link.url.as_str(), link.source))
        .collect()
}

fn problems(found: &MailIndicators) -> String {
    found
        .problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

const SAFE: &str = "https://nam02.safelinks.protection.outlook.com/?url=https%3A%2F%2Flogin.n0rthwind.example%2Fhr%2Fdirect-deposit%3Fid%3D8841%26u%3Dmegan&data=05%7C02%7Cmegan%40northwind.example%7C5f1c&sdata=k2J9&reserved=0";

#[test]
fn payroll() {
    let found = read(&sample("payroll.eml"));
    assert_eq!(found.problems, []);
    assert_eq!(
        found.message_id.as_deref(),
        Some("<8841.4f2a90c1@mailer.payslip-portal.example>")
    );
    assert_eq!(
        found.subject.as_deref(),
        Some("Action required: your September payslip – direct deposit on hold")
    );
    let senders: Vec<_> = found
        .senders
        .iter()
        .map(|s| {
            (
                s.address.as_str(),
                s.display_name.as_deref(),
                s.headers.as_slice(),
            )
        })
        .collect();
    assert_eq!(
        senders,
        [
            (
                "bounce-8841@mailer.payslip-portal.example",
                None,
                &[SenderHeader::ReturnPath][..]
            ),
            (
                "payroll@n0rthwind.example",
                Some("Northwind Payroll – Pay Desk"),
                &[SenderHeader::From]
            ),
            (
                "mailer@mailer.payslip-portal.example",
                None,
                &[SenderHeader::Sender]
            ),
            (
                "pay-desk@payslip-portal.example",
                Some("Pay Desk"),
                &[SenderHeader::ReplyTo]
            ),
        ]
    );
    assert_eq!(
        urls(&found),
        [
            (
                "https://login.n0rthwind.example/hr/direct-deposit?id=8841&u=megan",
                LinkSource::Text
            ),
            (
                "https://cdn.northwind-payroll.example/img/logo.png",
                LinkSource::Image
            ),
            (SAFE, LinkSource::Anchor),
            (
                "https://login.n0rthwind.example/hr/outlook",
                LinkSource::Anchor
            ),
            (
                "https://hr.northwind.example/direct-deposit",
                LinkSource::Text
            ),
            (
                "https://files.payslip-portal.example/view/8841",
                LinkSource::Refresh
            ),
            (
                "https://files.payslip-portal.example/collect.php",
                LinkSource::Form
            ),
        ]
    );
    let [file] = found.files.as_slice() else {
        panic!("{:?}", found.files)
    };
    assert_eq!(file.name.as_deref(), Some("Statement Sept\u{a0}2026.html"));
    assert_eq!(
        file.sha256.as_deref(),
        Some("6bb735f9ff7a6d4648ffd79d575b70747b5161032ee7d0a94a9f98b3ce51a2b5")
    );
    assert_eq!(
        (file.size, file.content_type.as_str(), file.inline),
        (304, "text/html", false)
    );
}

#[test]
fn reported() {
    let found = read(&sample("reported.eml"));
    assert_eq!(
        urls(&found),
        [
            ("https://verify.contoso-docs.example/mfa", LinkSource::Text),
            (
                "https://docs.contoso-docs.example/s/4417/open.aspx?doc=12",
                LinkSource::Text
            ),
            (
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__verify.contoso-2Ddocs.example_mfa-3Fs-3D4417&d=DwMFaQ&c=x&r=y",
                LinkSource::Anchor
            ),
            (
                "https://verify.contoso-docs.example/mfa?s=4417",
                LinkSource::Anchor
            ),
            (
                "https://protect-eu.mimecast.com/s/Qx7a?domain=files.contoso-docs.example",
                LinkSource::Anchor
            ),
            (
                "https://meet.contoso-docs.example/j/4417?pwd=abc,def",
                LinkSource::Calendar
            ),
        ]
    );
    assert!(found.links[0].defanged);
    assert_eq!(found.links[3].wrapped_by, ["Proofpoint URL Defense"]);
    assert_eq!(
        found.links[3].wrapper.as_deref(),
        Some(found.links[2].url.as_str())
    );
    assert_eq!(found.links[3].part, "2.1");
    let [file] = found.files.as_slice() else {
        panic!("{:?}", found.files)
    };
    assert_eq!(file.name.as_deref(), Some("shared.eml"));
    assert_eq!(
        file.sha256.as_deref(),
        Some("1f72db0aa1960589c61aa996fff4b0d54969157e698f3d1b3f50b1da2da57299")
    );
    let nested = file.message.as_ref().unwrap();
    assert_eq!(
        nested.message_id.as_deref(),
        Some("<share-77c1@share.contoso-docs.example>")
    );
    assert_eq!(
        nested.subject.as_deref(),
        Some("Adele Vance shared \"Angebot München\" with you")
    );
    assert_eq!(
        found.senders[1].address,
        "no-reply@share.contoso-docs.example"
    );
    assert_eq!(
        (
            found.senders[1].part.as_str(),
            found.senders[1].headers.len()
        ),
        ("2", 2)
    );
    assert_eq!(found.problems.len(), 1, "{}", problems(&found));
    assert!(
        problems(&found).contains("Mimecast"),
        "{}",
        problems(&found)
    );
    assert!(
        problems(&found).contains("files.contoso-docs.example"),
        "{}",
        problems(&found)
    );
}

#[test]
fn invoice() {
    let found = read(&sample("invoice.eml"));
    assert_eq!(
        found.subject.as_deref(),
        Some("Overdue invoice \u{1b}[2J 20441")
    );
    assert_eq!(
        urls(&found),
        [
            (
                "http://pay.northwind-billing.test/inv/20441",
                LinkSource::Anchor
            ),
            (
                "https://www.google.com/url?q=https%3A%2F%2Fpay.northwind-billing.test%3A8443%2Finv&sa=D",
                LinkSource::Anchor
            ),
            (
                "https://pay.northwind-billing.test:8443/inv",
                LinkSource::Anchor
            ),
        ]
    );
    let names: Vec<_> = found
        .files
        .iter()
        .map(|file| file.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["Invoice 20441.pdf", "winmail.dat"]);
    assert_eq!(
        found.files[0].sha256.as_deref(),
        Some("b560f3809d5dca55dca55892768c47c457c9c75c3a5b77d7baf06b150b5dff3a")
    );
    let text = problems(&found);
    for wanted in ["x-klingon", "winmail.dat", "`xx` is never closed"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn the_report_has_the_promised_shape() {
    let report = serde_json::to_value(mail::report("a b.eml", &sample("payroll.eml"))).unwrap();
    assert_eq!(report["file"], "a b.eml");
    assert_eq!(
        report["message_id"],
        "<8841.4f2a90c1@mailer.payslip-portal.example>"
    );
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["senders"][1]["value"], "payroll@n0rthwind.example");
    assert_eq!(report["senders"][1]["entry"], "payroll@n0rthwind.example");
    assert_eq!(report["senders"][1]["headers"], serde_json::json!(["From"]));
    let url = &report["urls"][0];
    assert_eq!(
        url["value"],
        "https://login.n0rthwind.example/hr/direct-deposit?id=8841&u=megan"
    );
    assert_eq!(
        url["entry"],
        "login.n0rthwind.example/hr/direct-deposit?id=8841&u=megan"
    );
    assert_eq!(
        (&url["valid"], &url["reason"]),
        (&true.into(), &serde_json::Value::Null)
    );
    let wrapper = &report["urls"][2];
    assert_eq!(wrapper["value"], SAFE);
    assert_eq!(
        (&wrapper["valid"], &wrapper["entry"]),
        (&false.into(), &serde_json::Value::Null)
    );
    assert_eq!(wrapper["wrapper_of"], "Safe Links");
    assert_eq!(report["files"][0]["entry"], report["files"][0]["value"]);
    assert_eq!(report["files"][0]["size"], 304);

    let report = mail::report("-", &sample("invoice.eml"));
    let port = &report.urls[2];
    assert!(!port.valid && port.entry.is_none() && port.reason.is_some());
    assert_eq!(port.offers[0].entry, "pay.northwind-billing.test/inv");
    assert!(
        report.urls[1].valid,
        "a redirect that anybody may use can be blocked itself"
    );
}

#[test]
fn an_empty_file_is_not_offered_for_blocking() {
    let report = mail::report("x", b"From: a@b.example\nContent-Type: image/png\n\n");
    assert_eq!(report.files[0].size, 0);
    assert!(!report.files[0].valid && report.files[0].entry.is_none());
}

#[test]
fn ten_thousand_parts_are_read_and_more_are_named() {
    let mail = |count: usize| {
        let mut text =
            String::from("From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n");
        for number in 0..count {
            write!(
                text,
                "--b\nContent-Type: text/plain\n\nhttps://a.example/{number}\n"
            )
            .unwrap();
        }
        text + "--b--\n"
    };
    let found = read(mail(9_999).as_bytes());
    assert_eq!((found.links.len(), found.problems.len()), (9_999, 0));
    let found = read(mail(20_000).as_bytes());
    assert!(found.links.len() > 19_900, "{}", found.links.len());
    assert!(
        problems(&found).contains("more than 10000 parts"),
        "{}",
        problems(&found)
    );
}

#[test]
fn parts_that_each_name_an_own_boundary_stay_linear() {
    let mut text = String::from("From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n");
    for number in 0..9_000 {
        writeln!(text, "--b\nContent-Type: multipart/mixed; boundary=never{number}\n\nhttps://a.example/{number}{}", "x".repeat(400)).unwrap();
    }
    let found = read(text.as_bytes());
    assert_eq!(found.links.len(), 9_000);
    assert!(problems(&found).contains("no part begins with the boundary `never0`"));
    assert!(problems(&found).contains("more problems are not listed"));
}

fn nested_multiparts(levels: usize) -> String {
    let mut text = String::from("From: a@b.example\n");
    for level in 0..levels {
        write!(
            text,
            "Content-Type: multipart/mixed; boundary=\"b{level}\"\n\n--b{level}\n"
        )
        .unwrap();
    }
    text.push_str("Content-Type: text/plain\n\nhttps://a.example/deep\n");
    for level in (0..levels).rev() {
        writeln!(text, "--b{level}--").unwrap();
    }
    text
}

#[test]
fn a_hundred_levels_are_read_and_more_are_named() {
    let found = read(nested_multiparts(100).as_bytes());
    assert_eq!(urls(&found), [("https://a.example/deep", LinkSource::Text)]);
    assert_eq!(problems(&found), "");
    let found = read(nested_multiparts(5_000).as_bytes());
    assert_eq!(
        urls(&found),
        [("https://a.example/deep", LinkSource::Outside)]
    );
    assert!(
        problems(&found).contains("more than 100 levels"),
        "{}",
        problems(&found)
    );
}

#[test]
fn messages_inside_messages_cost_no_stack() {
    let head = "From: a@b.example\nContent-Type: message/rfc822\n\n";
    let end = "From: a@b.example\n\nhttps://a.example/deep\n";
    let found = read((head.repeat(100) + end).as_bytes());
    assert_eq!((found.files.len(), problems(&found).as_str()), (100, ""));
    assert_eq!(found.links[0].url, "https://a.example/deep");
    let found = read((head.repeat(300_000) + end).as_bytes());
    assert_eq!(found.links[0].url, "https://a.example/deep");
    assert!(
        problems(&found).contains("more than 100 levels"),
        "{}",
        problems(&found)
    );
}

fn base64_lines(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + bytes.len() / 50);
    for line in bytes.chunks(57) {
        for group in line.chunks(3) {
            let number = group
                .iter()
                .fold(0u32, |sum, byte| sum << 8 | u32::from(*byte))
                << (8 * (3 - group.len()));
            for index in 0..4 {
                let digit = DIGITS[(number >> (18 - 6 * index)) as usize & 63];
                out.push(if index > group.len() {
                    '='
                } else {
                    digit.into()
                });
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn a_message_encoded_against_the_rules_is_opened() {
    let mut mail = "From: deep@b.example\nSubject: deep\n\nhttps://a.example/deep\n".to_owned();
    for _ in 0..20 {
        mail = format!(
            "From: a@b.example\nContent-Type: application/octet-stream; name=x.eml\nContent-Transfer-Encoding: base64\n\n{}",
            base64_lines(mail.as_bytes())
        );
    }
    let found = read(mail.as_bytes());
    assert_eq!(found.links[0].url, "https://a.example/deep");
    assert_eq!(found.files.len(), 20);
    assert_eq!(found.senders[1].address, "deep@b.example");
    assert_eq!(
        found.files[19].message.as_ref().unwrap().subject.as_deref(),
        Some("deep")
    );
}

#[test]
fn a_large_attachment_is_hashed_whole() {
    let content = vec![0u8; 50 << 20];
    let block = base64_lines(&content[..57]);
    let lines = content.len() / 57;
    let mut mail = String::from(
        "From: a@b.example\nContent-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\n",
    );
    mail.push_str(&block.repeat(lines));
    mail.push_str(&base64_lines(&content[lines * 57..]));
    let found = read(mail.as_bytes());
    assert_eq!(found.files[0].size, 50 << 20);
    assert_eq!(
        found.files[0].sha256,
        Some(indicators::Sha256::of(&content).canonical())
    );
    assert_eq!(problems(&found), "");
}

#[test]
fn header_bombs_are_named() {
    let many =
        "To: x@a.example\n".repeat(200_000) + "From: late@b.example\n\nhttps://a.example/x\n";
    let found = read(many.as_bytes());
    assert!(
        problems(&found).contains("header fields of"),
        "{}",
        problems(&found)
    );
    assert_eq!(found.links.len(), 1);
    let wide = format!("From: {}\n\n", "a@b.example, ".repeat(50_000));
    assert_eq!(read(wide.as_bytes()).senders.len(), 1);
    let mut wide = String::from("From: ");
    for number in 0..5_000 {
        write!(wide, "a{number}@b.example, ").unwrap();
    }
    let found = read((wide + "\n\n").as_bytes());
    assert_eq!(found.senders.len(), 1_000);
    assert!(problems(&found).contains("more than 1000 senders"));
    read(
        format!(
            "From: {}a@b.example\nContent-Type: {}\n\n",
            "(".repeat(400_000),
            "a; ".repeat(100_000)
        )
        .as_bytes(),
    );
}

#[test]
fn links_have_a_cap() {
    let mut text = String::from("From: a@b.example\nContent-Type: text/html\n\n");
    for number in 0..100_100 {
        write!(text, "<a href=https://a.example/{number}>").unwrap();
    }
    let found = read(text.as_bytes());
    assert_eq!(found.links.len(), 100_000);
    assert!(problems(&found).contains("more than 100000 links"));
}

#[test]
fn wrappers_end() {
    let mut url = "https://evil.example/".to_owned();
    for _ in 0..12 {
        let mut inner = String::new();
        for byte in url.bytes() {
            let _ = write!(inner, "%{byte:02X}");
        }
        url = if inner.len() > 20_000 {
            url
        } else {
            format!("https://www.google.com/url?q={inner}")
        };
    }
    let found = read(format!("From: a@b.example\n\n{url}\n").as_bytes());
    assert!(found.links.len() > 3, "{}", found.links.len());
    let mut url = "https://evil.example/".to_owned();
    for _ in 0..12 {
        url = format!("https://www.google.com/url?q={url}");
    }
    let found = read(format!("From: a@b.example\n\n{url}\n").as_bytes());
    assert!(
        problems(&found).contains("more than 8 wrappers"),
        "{}",
        problems(&found)
    );
}

#[test]
fn things_that_are_no_mail() {
    assert!(problems(&read(b"")).contains("is empty"));
    assert!(problems(&read(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1....")).contains(".msg"));
    let found = read(b"just a text with https://a.example/x in it");
    assert_eq!(found.links.len(), 1);
    assert!(problems(&found).contains("names no sender"));
    let found = read(b"From: a@b.example\rSubject: mac\r\rhttps://a.example\r");
    assert_eq!(
        (found.links.len(), found.subject.as_deref()),
        (1, Some("mac"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        mail::report("x", &bytes);
    }

    #[test]
    fn mutated_mails_are_read(
        which in 0usize..3,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0u8..4), 1..40),
    ) {
        let mut bytes = sample(["payroll.eml", "reported.eml", "invoice.eml"][which]);
        for (at, byte, what) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match what {
                _ if bytes.is_empty() => break,
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                _ => {
                    let piece: Vec<u8> = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        mail::report("x", &bytes);
    }

    #[test]
    fn any_html_and_text_is_read(text in "(<a href=|<!--\\[if|\\]>|<base href=|https?://|hxxp|\\[\\.\\]|www\\.|[ -~]|\\PC|\r\n){0,60}") {
        mail::report("x", format!("From: a@b.example\nContent-Type: text/html\n\n{text}").as_bytes());
        mail::report("x", format!("From: a@b.example\n\n{text}").as_bytes());
    }
}
