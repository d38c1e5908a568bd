//! Which texts are senders.

use super::*;

#[test]
fn addresses_domains_and_wildcards() {
    for (text, kind, domain) in [
        ("Michelle@Contoso.com", SenderKind::Address, "contoso.com"),
        (
            "%22bad%2B%20attacker%22@fourthcoffee.com",
            SenderKind::Address,
            "fourthcoffee.com",
        ),
        (
            "o'neil+tag/x=1@sub.contoso.com",
            SenderKind::Address,
            "sub.contoso.com",
        ),
        ("root@localhost", SenderKind::Address, "localhost"),
        ("a@b", SenderKind::Address, "b"),
        ("Contoso.com", SenderKind::Domain, "contoso.com"),
        ("a.b", SenderKind::Domain, "a.b"),
        (
            "xn--contos-1xa.com",
            SenderKind::Domain,
            "xn--contos-1xa.com",
        ),
        ("test.pdf", SenderKind::Domain, "test.pdf"),
        ("*.SD1.TLD", SenderKind::Wildcard, "sd1.tld"),
    ] {
        let sender = Sender::parse(text).unwrap();
        assert_eq!(
            (sender.kind(), sender.domain().as_str(), sender.as_str()),
            (kind, domain, text)
        );
    }
}

#[test]
fn anything_else_is_refused_with_its_rule() {
    use SenderReason as R;
    for (text, reason, offer) in [
        ("", R::Empty, None),
        (" ", R::Empty, None),
        ("contoso", R::OneLabel, None),
        ("*.com", R::OneLabel, None),
        ("*.TLD", R::OneLabel, None),
        ("*", R::Wildcard, None),
        ("*.*", R::Wildcard, None),
        ("*contoso.com", R::Wildcard, None),
        ("con*toso.com", R::Wildcard, None),
        ("a@*.contoso.com", R::Wildcard, None),
        ("*@contoso.com", R::Wildcard, Some("contoso.com")),
        ("@contoso.com", R::NoLocalPart, Some("contoso.com")),
        ("user@", R::NoDomain, None),
        ("@", R::NoLocalPart, None),
        ("a@b@contoso.com", R::ManyAts, None),
        (
            "\"a@b\"@contoso.com",
            R::Quote,
            Some("%22a%40b%22@contoso.com"),
        ),
        ("contoso..com", R::EmptyLabel, None),
        (".contoso.com", R::EmptyLabel, None),
        ("contoso.com.", R::EmptyLabel, Some("contoso.com")),
        ("user@contoso.com.", R::EmptyLabel, Some("user@contoso.com")),
        ("*..com", R::EmptyLabel, None),
        (
            "Megan Bowen <megan@contoso.com>",
            R::DisplayName,
            Some("megan@contoso.com"),
        ),
        (
            "<megan@contoso.com>",
            R::DisplayName,
            Some("megan@contoso.com"),
        ),
        (
            "mailto:megan@contoso.com?subject=x",
            R::Url,
            Some("megan@contoso.com"),
        ),
        ("https://evil.example/a", R::Url, Some("evil.example")),
        ("evil.example/a", R::Url, None),
        ("a@x.example,b@y.example", R::List, None),
        ("a@x.example; b@y.example", R::List, None),
        (
            "\"bad+ attacker\"@fourthcoffee.com",
            R::Quote,
            Some("%22bad%2B%20attacker%22@fourthcoffee.com"),
        ),
        (" contoso.com", R::Whitespace, Some("contoso.com")),
        ("contoso.com\n", R::Whitespace, Some("contoso.com")),
        ("con toso.com", R::Whitespace, None),
        ("a@x.example b@y.example", R::ManyAts, None),
        ("user\0@contoso.com", R::ControlCharacter, None),
        (
            "us\u{200b}er@contoso.com",
            R::ControlCharacter,
            Some("us%E2%80%8Ber@contoso.com"),
        ),
        ("contoso.com:25", R::BadCharacter, None),
        ("1.2.3.4", R::IpAddress, None),
        ("user@[1.2.3.4]", R::BadCharacter, None),
        ("bücher.example", R::Unicode, Some("xn--bcher-kva.example")),
        (
            "*.bücher.example",
            R::Unicode,
            Some("*.xn--bcher-kva.example"),
        ),
        (
            "user@bücher.example",
            R::Unicode,
            Some("user@xn--bcher-kva.example"),
        ),
        (
            "jürgen@contoso.com",
            R::Unicode,
            Some("j%C3%BCrgen@contoso.com"),
        ),
        (
            "user[@]evil[.]example",
            R::Defanged,
            Some("user@evil.example"),
        ),
        ("evil[.]example", R::Defanged, Some("evil.example")),
        ("user at evil.example", R::Whitespace, None),
    ] {
        let problem = Sender::parse(text).unwrap_err();
        if reason == R::ManyAts && text.contains(' ') {
            assert!(
                [R::ManyAts, R::Whitespace].contains(&problem.reason()),
                "{problem}"
            );
            continue;
        }
        assert_eq!(problem.reason(), reason, "{problem}");
        assert_eq!(
            problem.offers().first().map(|o| o.entry.as_str()),
            offer,
            "{problem}"
        );
    }
    let long = format!("{}@contoso.com", "a".repeat(512));
    assert_eq!(Sender::parse(&long).unwrap_err().reason(), R::TooLong);
}

#[test]
fn only_defanged_signs_are_made_whole() {
    let taken = Sender::accept(" user[at]evil[.]example ").unwrap();
    assert_eq!(taken.value.as_str(), "user@evil.example");
    assert_eq!(taken.notes[0].code, "refanged");
    assert!(Sender::accept("contoso.com").unwrap().notes.is_empty());
    for text in [
        "<a@evil.example>",
        "https://evil.example",
        "hxxps://evil[.]example",
        "@evil.example",
    ] {
        assert!(Sender::accept(text).is_err(), "{text}");
    }
}
