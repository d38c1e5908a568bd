//! The rules behind the published tables, on cases that the tables leave out.

use indicators::Action::{self, Allow, Block};
use indicators::url::UrlReason as R;
use indicators::{UrlEntry, UrlKind as K};

fn offered(text: &str) -> Vec<String> {
    let problem = UrlEntry::parse(text).unwrap_err();
    problem
        .offers()
        .iter()
        .map(|offer| offer.entry.clone())
        .collect()
}

#[test]
fn valid_forms() {
    for (text, kind, canonical) in [
        ("t.co", K::Host, "t.co"),
        ("Contoso.COM", K::Host, "contoso.com"),
        ("a_b.contoso.com", K::Host, "a_b.contoso.com"),
        ("contoso.com/a", K::HostAndPath, "contoso.com/a"),
        (
            "CONTOSO.com/A/B.html?x=Y#Z",
            K::HostAndPath,
            "contoso.com/A/B.html?x=Y#Z",
        ),
        ("contoso.com/", K::HostAndPath, "contoso.com/"),
        ("contoso.com?q=1", K::HostAndPath, "contoso.com?q=1"),
        ("contoso.com/~user/a", K::HostAndPath, "contoso.com/~user/a"),
        ("contoso.com/a@b:80", K::HostAndPath, "contoso.com/a@b:80"),
        (
            "contoso.com/file.pdf",
            K::HostAndPath,
            "contoso.com/file.pdf",
        ),
        ("contoso.com/a(.)b", K::HostAndPath, "contoso.com/a(.)b"),
        (
            "test.com/q=http://x.example",
            K::HostAndPath,
            "test.com/q=http://x.example",
        ),
        ("*.contoso.com", K::Subdomains, "*.contoso.com"),
        ("*.a.b.contoso.com", K::Subdomains, "*.a.b.contoso.com"),
        ("~Contoso.com", K::DomainAndSubdomains, "~contoso.com"),
        (
            "~contoso.com~",
            K::DomainSubdomainsAndPaths,
            "~contoso.com~",
        ),
        ("contoso.com/*", K::Paths, "contoso.com/*"),
        ("contoso.com/A/b/*", K::Paths, "contoso.com/A/b/*"),
        ("*.contoso.com/*", K::SubdomainPaths, "*.contoso.com/*"),
        ("*.contoso.com/a/*", K::SubdomainPaths, "*.contoso.com/a/*"),
        ("*.ML/*", K::TopLevel, "*.ml/*"),
        ("*.xn--p1ai/*", K::TopLevel, "*.xn--p1ai/*"),
        ("*.co.uk/*", K::SubdomainPaths, "*.co.uk/*"),
        ("archive.zip", K::Host, "archive.zip"),
        ("clip.mov", K::Host, "clip.mov"),
        ("host.notarealtld", K::Host, "host.notarealtld"),
        ("1.2.3.4/a", K::HostAndPath, "1.2.3.4/a"),
        ("1.2.3.4/a/*", K::Paths, "1.2.3.4/a/*"),
        ("2001:DB8::1", K::Host, "2001:db8::1"),
        ("2001:0db8:0:0:0:0:0:1", K::Host, "2001:db8::1"),
        ("[2001:db8::1]/a", K::HostAndPath, "2001:db8::1/a"),
        ("2001:db8::1/*", K::Paths, "2001:db8::1/*"),
        ("xn--80ak6aa92e.com", K::Host, "xn--80ak6aa92e.com"),
    ] {
        let entry = UrlEntry::parse(text).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(
            (entry.kind(), entry.canonical().as_str(), entry.as_str()),
            (kind, canonical, text)
        );
        let again = UrlEntry::parse(&entry.canonical()).unwrap();
        assert_eq!((again.kind(), again.canonical()), (kind, entry.canonical()));
    }
}

#[test]
fn refusals_name_their_rule() {
    for (text, reason) in [
        ("", R::Empty),
        ("  ", R::Empty),
        ("contoso", R::HostShape),
        ("contoso.", R::HostShape),
        ("contoso.com.", R::HostShape),
        ("contoso..com", R::HostShape),
        ("contoso.c", R::HostShape),
        (".com", R::HostShape),
        ("localhost", R::HostShape),
        ("localhost/a", R::HostShape),
        ("/a/b", R::NoHost),
        ("?q=contoso.com", R::NoHost),
        ("*.com", R::TopLevel),
        ("*.pdf", R::HostShape),
        ("*.com/a/*", R::TopLevel),
        ("*.com/a", R::TopLevel),
        ("*.pdf/*", R::FileName),
        ("*.c/*", R::HostShape),
        ("*.com*", R::UnspacedWildcard),
        ("~com", R::HostShape),
        ("~com~", R::HostShape),
        ("*", R::BareWildcard),
        ("**", R::BareWildcard),
        ("*.*", R::BareWildcard),
        ("*.*/*", R::BareWildcard),
        ("*/*", R::BareWildcard),
        ("~", R::BareWildcard),
        ("~~", R::BareWildcard),
        ("*.contoso.*", R::UnspacedWildcard),
        ("*1.2.3.4", R::UnspacedWildcard),
        ("*contoso.com", R::UnspacedWildcard),
        ("*contoso.com*", R::UnspacedWildcard),
        ("contoso.com/a.*", R::UnspacedWildcard),
        ("contoso.com**", R::DoubleWildcard),
        ("contoso.com/**", R::DoubleWildcard),
        ("**.contoso.com", R::UnspacedWildcard),
        ("*.*.contoso.com", R::DoubleWildcard),
        ("~~contoso.com", R::DoubleWildcard),
        ("~contoso.com~~", R::DoubleWildcard),
        ("~*.contoso.com", R::DoubleWildcard),
        ("*.~contoso.com", R::DoubleWildcard),
        ("contoso.*/a", R::MiddleWildcard),
        ("contoso.com/*/a", R::DoubleWildcard),
        ("contoso.com/a*b", R::MiddleWildcard),
        ("contoso.com/a*/b/*", R::MiddleWildcard),
        ("www.*.contoso.com", R::MiddleWildcard),
        ("conto~so.com", R::MiddleWildcard),
        ("contoso.com~", R::LoneTilde),
        ("contoso.com/a~", R::LoneTilde),
        ("~contoso.com/*", R::MixedWildcards),
        ("*.contoso.com~", R::MixedWildcards),
        ("1.2.*.4", R::MiddleWildcard),
        ("*.1.2.3.4", R::WildcardInIp),
        ("~1.2.3.4", R::WildcardInIp),
        ("~1.2.3.4~", R::WildcardInIp),
        ("*.2001:db8::1", R::WildcardInIp),
        ("999.1.1.1", R::BadIp),
        ("1.2.3.4.5", R::BadIp),
        ("1.2.3.04", R::BadIp),
        ("2001:db8:::1", R::BadIp),
        ("[2001:db8::1", R::BadIp),
        ("[contoso.com]", R::BadIp),
        ("[2001:db8::1]x/a", R::BadIp),
        ("[2001:db8::1]:443/a", R::Port),
        ("contoso.com:443/a", R::Port),
        ("contoso.com:", R::Port),
        ("1.2.3.4:80/*", R::Port),
        ("user@contoso.com", R::Credentials),
        ("user:pw@contoso.com/a", R::Credentials),
        ("@contoso.com", R::Credentials),
        ("http://contoso.com/a", R::Protocol),
        ("HTTPS://contoso.com", R::Protocol),
        ("//contoso.com", R::Protocol),
        ("https:contoso.com", R::Protocol),
        ("mailto:user@contoso.com", R::Protocol),
        ("javascript:alert(1)", R::Protocol),
        ("hxxps://evil.example", R::Protocol),
        ("evil[.]example", R::Defanged),
        ("evil(dot)example/a", R::Defanged),
        ("bücher.example", R::Unicode),
        ("contoso。com", R::Unicode),
        ("*.рф/*", R::Unicode),
        ("contoso.com/ä", R::Unicode),
        ("con toso.com", R::Whitespace),
        (" contoso.com", R::Whitespace),
        ("contoso.com\n", R::Whitespace),
        ("contoso.com/a b", R::Whitespace),
        ("contoso.com/\u{0}", R::ControlCharacter),
        ("contoso.com/\u{202e}fdp", R::ControlCharacter),
        ("cont\u{200b}oso.com", R::ControlCharacter),
        ("contoso.com/it's", R::Quote),
        ("<contoso.com>", R::BadCharacter),
        ("contoso.com\\a", R::BadCharacter),
        ("contoso.com,fabrikam.com", R::BadHost),
        ("evil%2Eexample", R::BadHost),
        ("invoice.PDF", R::FileName),
        ("setup.exe", R::FileName),
        ("a.b.docx", R::FileName),
    ] {
        let Err(problem) = UrlEntry::parse(text) else {
            panic!("`{text}` is taken")
        };
        assert_eq!(problem.reason(), reason, "{problem}");
        assert!(!problem.to_string().contains('\n'), "{problem}");
    }
}

#[test]
fn the_limit_is_250_characters() {
    let fits = format!("contoso.com/{}", "a".repeat(238));
    assert_eq!(fits.len(), 250);
    assert!(UrlEntry::parse(&fits).is_ok());
    let problem = UrlEntry::parse(&format!("{fits}a")).unwrap_err();
    assert_eq!(problem.reason(), R::TooLong);
    assert!(problem.rule().contains("251"), "{problem}");
    assert_eq!(problem.offers()[0].entry, "contoso.com/*");
    assert!(UrlEntry::parse(&format!("{}.example.com", "a".repeat(238))).is_ok());
}

#[test]
fn a_long_url_is_cut_at_a_slash() {
    let url = format!(
        "https://evil.example/a/b/{}?token={}",
        "c".repeat(100),
        "d".repeat(200)
    );
    assert_eq!(
        offered(&url),
        ["evil.example/a/b/*", "evil.example/*", "evil.example"]
    );
    let deep = format!("evil.example/{}", "x/".repeat(200));
    let cut = &offered(&deep)[0];
    assert!(cut.len() <= 250 && cut.len() > 245, "{}", cut.len());
    // Nothing below a slash: only the host itself is left.
    let query = format!("evil.example?{}", "q".repeat(300));
    assert_eq!(offered(&query), ["evil.example"]);
    // A slash in a query is no place to cut.
    let query = format!("evil.example/a?u={}/{}", "q".repeat(100), "r".repeat(200));
    assert_eq!(offered(&query), ["evil.example/*", "evil.example"]);
    let host = format!("{}.evil.example/a", "h".repeat(250));
    assert_eq!(offered(&host), ["evil.example"]);
}

#[test]
fn offers_for_what_cannot_be_an_entry() {
    for (text, first) in [
        ("https://contoso.com/a", "contoso.com/a"),
        ("https://contoso.com/", "contoso.com"),
        (
            "HTTPS://user:secret@Contoso.com:8443/A?b=C",
            "contoso.com/A?b=C",
        ),
        ("https:\\\\contoso.com\\a", "contoso.com/a"),
        ("//contoso.com/a", "contoso.com/a"),
        ("contoso.com:443", "contoso.com"),
        ("user:secret@contoso.com", "contoso.com"),
        ("hxxps://evil[.]example/a", "evil.example/a"),
        ("evil[dot]example", "evil.example"),
        ("https://bücher.example/x", "xn--bcher-kva.example/x"),
        ("contoso。com", "contoso.com"),
        ("contoso.com/ä b", "contoso.com/%C3%A4%20b"),
        ("contoso.com/it's", "contoso.com/it%27s"),
        ("'contoso.com'", "contoso.com"),
        ("\"contoso.com\"", "contoso.com"),
        ("<https://contoso.com/a>", "contoso.com/a"),
        (" contoso.com ", "contoso.com"),
        ("contoso.com.", "contoso.com"),
        ("evil%2Eexample/a", "evil.example/a"),
        ("https://[2001:db8::1]:8080/a", "2001:db8::1/a"),
        ("https://1.2.3.4:8080/a", "1.2.3.4/a"),
        ("*contoso.com", "*.contoso.com"),
        ("contoso.com*", "contoso.com/*"),
        ("contoso.com/a*", "contoso.com/a/*"),
        ("contoso.com/**", "contoso.com/*"),
        ("1.2.3.4*", "1.2.3.4/*"),
        ("*.com", "*.com/*"),
        ("~contoso.com/*", "~contoso.com~"),
        ("evil.example/a/b?x=*y", "evil.example/a/*"),
        ("https://*.contoso.com/*", "~contoso.com~"),
    ] {
        assert_eq!(
            offered(text).first().map(String::as_str),
            Some(first),
            "{text}"
        );
    }
    for text in [
        "",
        "contoso",
        "test.pdf",
        "conto*so.com",
        "*",
        "javascript:alert(1)",
        "https://",
    ] {
        assert!(offered(text).is_empty(), "{text}: {:?}", offered(text));
    }
}

#[test]
fn pasted_text_is_taken_and_the_change_said() {
    for (text, sent, codes) in [
        ("contoso.com/a", "contoso.com/a", &[][..]),
        (
            "https://evil.example/a",
            "evil.example/a",
            &["protocol_removed"][..],
        ),
        (
            "https://evil.example/",
            "evil.example",
            &["protocol_removed"],
        ),
        (
            " hxxps://evil[.]example/A ",
            "evil.example/A",
            &["refanged", "protocol_removed"],
        ),
        ("evil[.]example", "evil.example", &["refanged"]),
        ("contoso.com/a(.)b", "contoso.com/a(.)b", &[]),
        (
            "https://*.contoso.com/*",
            "*.contoso.com/*",
            &["protocol_removed"],
        ),
    ] {
        let taken = UrlEntry::accept(text).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(taken.value.as_str(), sent);
        assert_eq!(
            taken.notes.iter().map(|note| note.code).collect::<Vec<_>>(),
            codes,
            "{text}"
        );
    }
    for (text, reason) in [
        ("https://contoso.com:443", R::Port),
        ("https://user:pw@contoso.com", R::Credentials),
        ("mailto:user@contoso.com", R::Protocol),
        ("https://", R::Protocol),
        ("hxxps://bücher[.]example", R::Unicode),
        ("https://test.pdf", R::FileName),
        ("<https://contoso.com>", R::BadCharacter),
    ] {
        assert_eq!(
            UrlEntry::accept(text).unwrap_err().reason(),
            reason,
            "{text}"
        );
    }
}

#[test]
fn matching_beyond_the_published_cases() {
    let hits = |entry: &str, action, url: &str| {
        UrlEntry::parse(entry)
            .unwrap_or_else(|problem| panic!("{problem}"))
            .matches(action, url)
    };
    for (entry, action, url, expected) in [
        ("contoso.com", Block, "HTTPS://WWW.CONTOSO.COM/A", true),
        (
            "contoso.com",
            Block,
            "https://contoso.com.evil.example",
            false,
        ),
        (
            "contoso.com",
            Block,
            "https://contoso.com@evil.example/a",
            false,
        ),
        (
            "evil.example",
            Block,
            "https://contoso.com@evil.example/a",
            true,
        ),
        (
            "contoso.com",
            Block,
            "https://user:pw@contoso.com:8443/a",
            true,
        ),
        ("contoso.com", Allow, "https://contoso.com:443", true),
        ("contoso.com", Block, "contoso.com?x=1", true),
        ("contoso.com", Block, "contoso.com#x", true),
        ("contoso.com", Block, "hxxps://contoso[.]com/a", true),
        ("contoso.com", Block, "", false),
        ("contoso.com", Allow, "https://contoso.com/", true),
        ("contoso.com/", Allow, "https://contoso.com", true),
        ("~contoso.com", Block, "https://www.contoso.com/", true),
        ("contoso.com/#a", Block, "https://contoso.com#a", true),
        ("1.2.3.4", Block, "http://1.2.3.4/", true),
        ("contoso.com/a", Block, "contoso.com/a", true),
        ("contoso.com/a", Block, "www.contoso.com/a/b", true),
        ("contoso.com/a", Block, "contoso.com/a?x", true),
        ("contoso.com/a", Block, "contoso.com/ab", false),
        ("contoso.com/a", Block, "contoso.com", false),
        ("contoso.com/a", Allow, "contoso.com/a/b", false),
        ("contoso.com/a", Allow, "contoso.com/A", true),
        ("contoso.com/a/*", Block, "contoso.com/a/?x", true),
        ("contoso.com/a/*", Block, "contoso.com/a/", false),
        ("contoso.com/*", Block, "www.contoso.com/a", false),
        ("contoso.com/*", Block, "contoso.com/", false),
        ("*.contoso.com/*", Block, "a.contoso.com/", false),
        (
            "*.contoso.com/*",
            Block,
            "evil.example/a.contoso.com/x",
            false,
        ),
        ("*.contoso.com/*", Block, "xcontoso.com/x", false),
        ("*.contoso.com/*", Block, ".contoso.com/x", false),
        ("*.contoso.com/a/*", Block, "x.contoso.com/a/b", true),
        ("*.contoso.com/a/*", Block, "x.contoso.com/b/a/b", false),
        ("*.contoso.com", Block, "xcontoso.com", false),
        ("*.contoso.com", Block, "evil.example/x.contoso.com", false),
        ("~contoso.com", Block, "xcontoso.com", false),
        ("~contoso.com", Block, "contoso.com?x", false),
        ("~contoso.com~", Block, "contoso.com?x", false),
        ("~contoso.com~", Block, "contoso.com/?x", true),
        ("~contoso.com~", Block, "contoso.com.evil.example", false),
        ("1.2.3.4", Block, "http://1.2.3.4:8080", true),
        ("1.2.3.4", Block, "evil.example/1.2.3.4", false),
        ("1.2.3.4/a", Block, "1.2.3.4/a/b", false),
        ("2001:db8::1", Block, "http://[2001:DB8:0::1]", true),
        ("[2001:db8::1]/*", Allow, "http://[2001:db8::1]:80/a", true),
        ("*.ml/*", Block, "https://evil.ml", true),
        ("*.ml/*", Block, "https://evil.ml/a", true),
        ("*.ml/*", Block, "https://evil.mla/", false),
        ("*.ml/*", Block, "https://evil.html.example/a", false),
        (
            "xn--bcher-kva.example",
            Block,
            "https://BÜCHER.example/a",
            true,
        ),
        ("contoso.com", Block, "https://contoso%2Ecom/a", true),
    ] {
        assert_eq!(
            hits(entry, action, url),
            expected,
            "{entry} {action:?} {url}"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what it costs is what is tested")]
fn a_hostile_url_costs_no_more_than_its_length() {
    let entry = UrlEntry::parse(&format!("{}.example", "a".repeat(200))).unwrap();
    let start = std::time::Instant::now();
    assert!(!entry.matches(Action::Block, &"a".repeat(4_000_000)));
    // A debug build on a busy machine; what is quadratic takes minutes.
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
    assert!(UrlEntry::parse(&"https://".repeat(100_000)).is_err());
}

#[test]
fn one_wildcard_in_the_path_is_not_called_several() {
    let why = |text: &str| UrlEntry::parse(text).unwrap_err().to_string();
    assert!(why("contoso.com/*/a").contains("inside its path"));
    assert!(why("contoso.com/*/a/*").contains("more than one `*`"));
}
