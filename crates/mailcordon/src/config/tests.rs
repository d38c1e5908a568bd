use std::{
    collections::HashMap,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kernel::{Failure, SystemClock, failure::code};
use serde_json::Value;

use super::{auth::AuthKind, *};

fn environment(pairs: &[(&str, &str)]) -> Environment {
    let map: HashMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Environment::new(move |name| map.get(name).cloned())
}

fn parse(text: &str) -> Result<Config, Failure> {
    Config::parse(Path::new("/etc/mailcordon/config.toml"), text)
}

#[track_caller]
fn refused(text: &str, code: &kernel::Code, message: &str) {
    let failure = parse(text).expect_err("it must be refused");
    assert_eq!(failure.message, message);
    assert_eq!(&failure.code, code);
}

/// A connection with the given further lines.
fn with(lines: &str) -> String {
    format!(
        "[connections.a]\ntenant = \"contoso.com\"\n\
         auth = {{ type = \"managed_identity\" }}\n{lines}\n"
    )
}

/// A connection that signs in as given.
fn signing_in(auth: &str) -> String {
    format!("[connections.a]\ntenant = \"contoso.com\"\nauth = {auth}\n")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o700);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn file(folder: &Path, name: &str, text: &[u8], mode: u32) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    set_mode(&path, mode);
    path
}

fn reader(pairs: &[(&str, &str)]) -> Reader {
    Reader::new(environment(pairs), Arc::new(SystemClock::default()))
}

fn exec(script: &str) -> Source {
    Source::Exec(vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        script.to_owned(),
    ])
}

#[test]
fn a_full_file_is_read() {
    let config = parse(
        r#"
version = 1
default_connection = "contoso"

[auth.partner]
type = "certificate"
client_id = "11111111-2222-3333-4444-555555555555"
certificate_file = "app.pfx"
password = { exec = ["pass", "show", "app"] }

[connections.contoso]
tenant = "Contoso.onmicrosoft.com"
cloud = "gcc_high"
auth = "partner"
ca_file = "/etc/ssl/corp.pem"
organization = "contoso.onmicrosoft.com"
tags = ["eu", "gold"]
proxy = { url = "http://proxy:3128", username = "u", password = "env:PROXY_PASSWORD" }

[connections."fabrikam.eu"]
tenant = "0a000000-0000-4000-8000-00000000000b"
auth = "partner"
enabled = false

[connections.box]
tenant = "sandbox.example"
cloud = "custom"
auth = { type = "basic", username = "admin@sandbox.example", password = "file:secrets/pw" }
[connections.box.endpoints]
authority = "http://127.0.0.1:8080/"
exchange = "http://127.0.0.1:8080"
compliance = "http://127.0.0.1:8080"
"#,
    )
    .unwrap();
    assert_eq!(config.default_connection.as_deref(), Some("contoso"));
    let contoso = &config.connections["contoso"];
    assert_eq!(contoso.tenant, "contoso.onmicrosoft.com");
    assert_eq!(contoso.cloud, CloudName::GccHigh);
    assert_eq!(contoso.tags, ["eu", "gold"]);
    assert_eq!(contoso.line, 11);
    assert!(contoso.enabled);
    let Some((user, password)) = &contoso.proxy.as_ref().unwrap().credentials else {
        panic!()
    };
    assert_eq!(
        (user.as_str(), &**password),
        ("u", &Source::Env("PROXY_PASSWORD".to_owned()))
    );
    let Auth::Certificate {
        certificate_file,
        key_file,
        password,
        ..
    } = &contoso.sign_in.auth
    else {
        panic!()
    };
    assert_eq!(certificate_file, Path::new("/etc/mailcordon/app.pfx"));
    assert_eq!(key_file, &None);
    let argv = ["pass", "show", "app"].map(str::to_owned).to_vec();
    assert_eq!(**password.as_ref().unwrap(), Source::Exec(argv));

    let fabrikam = &config.connections["fabrikam.eu"];
    assert!(
        Arc::ptr_eq(&contoso.sign_in, &fabrikam.sign_in),
        "one shared auth is one value"
    );
    assert!(!fabrikam.enabled);

    let sandbox = &config.connections["box"];
    assert_eq!(
        sandbox.endpoints.as_ref().unwrap().authority,
        "http://127.0.0.1:8080"
    );
    let Auth::Password {
        client_id,
        password,
        ..
    } = &sandbox.sign_in.auth
    else {
        panic!()
    };
    assert_eq!(client_id, cloud::PUBLIC_CLIENT_ID);
    assert_eq!(
        **password,
        Source::File("/etc/mailcordon/secrets/pw".into())
    );
}

#[test]
fn every_kind_of_sign_in_is_read() {
    for (auth, kind) in [
        (
            r#"{ type = "oauth2", client_id = "x", client_secret = "env:S" }"#,
            "oauth2",
        ),
        (
            r#"{ type = "basic", username = "u", password = "env:P" }"#,
            "basic",
        ),
        (
            r#"{ type = "certificate", client_id = "x", certificate_file = "c.pem" }"#,
            "certificate",
        ),
        (
            r#"{ type = "federated", client_id = "x", assertion = "file:t" }"#,
            "federated",
        ),
        (
            r#"{ type = "managed_identity", client_id = "x" }"#,
            "managed_identity",
        ),
        (
            r#"{ type = "device_code", token_file = "t" }"#,
            "device_code",
        ),
    ] {
        let config = parse(&signing_in(auth)).unwrap();
        assert_eq!(config.connections["a"].sign_in.auth.kind().as_str(), kind);
    }
}

#[test]
fn an_empty_file_is_a_configuration() {
    assert!(parse("").unwrap().connections.is_empty());
}

#[test]
fn a_misspelt_key_names_file_line_key_and_the_nearest() {
    refused(
        "[connections.a]\ntennant = \"contoso.com\"\n",
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:2: `connections.a.tennant`: there is no such key; did you \
         mean `tenant`?",
    );
    refused(
        "conections = 1\n",
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:1: `conections`: there is no such key; did you mean \
         `connections`?",
    );
    refused(
        &with("zzz = 1"),
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:4: `connections.a.zzz`: there is no such key; known here are \
         `tenant`, `cloud`, `auth`, `endpoints`, `proxy`, `ca_file`, `organization`, `tags`, `vips`, \
         `graph_case`, `graph_requests_per_minute`, `pace`, `enabled`",
    );
    refused(
        &signing_in(r#"{ type = "oauth2", client_id = "x", client_secrt = "env:S" }"#),
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:3: `connections.a.auth.client_secrt`: there is no such key; \
         did you mean `client_secret`?",
    );
}

#[test]
fn unknown_values_name_the_nearest() {
    refused(
        &with("cloud = \"comercial\""),
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:4: `connections.a.cloud`: `comercial` is not one of its \
         values; did you mean `commercial`?",
    );
    refused(
        &signing_in(r#"{ type = "oauth" }"#),
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:3: `connections.a.auth.type`: `oauth` is not one of its \
         values; did you mean `oauth2`?",
    );
    refused(
        "[auth.partner]\ntype = \"managed_identity\"\n[connections.a]\ntenant = \"contoso.com\"\n\
         auth = \"partnr\"\n",
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:5: `connections.a.auth`: there is no [auth.<name>] `partnr`; \
         did you mean `partner`?",
    );
    refused(
        &format!("default_connection = \"b\"\n{}", with("")),
        &code::CONFIGURATION,
        "/etc/mailcordon/config.toml:1: `default_connection`: there is no connection `b`; did you \
         mean `a`?",
    );
}

#[test]
fn rules_are_named_where_they_are_broken() {
    let at = "/etc/mailcordon/config.toml:";
    for (text, rest) in [
        (
            "version = 2\n".to_owned(),
            "1: `version`: this program reads `version = 1` only",
        ),
        ("a = [\n".to_owned(), "1: this is not valid TOML: "),
        (
            "[connections.a]\n".to_owned(),
            "1: `connections.a.tenant`: it is required and missing",
        ),
        (
            "[connections.a]\ntenant = \"contoso.com\"\n".to_owned(),
            "1: `connections.a.auth`: it is required and missing",
        ),
        (
            "[connections.\"a b\"]\n".to_owned(),
            "1: `connections.a b`: a name is 1 to 64 letters, digits, `-`, `_` or `.`",
        ),
        (
            "[connections.a]\ntenant = \"con/../toso\"\n".to_owned(),
            "2: `connections.a.tenant`: `con/../toso` is neither a tenant GUID nor a domain of a \
             tenant",
        ),
        (
            with("enabled = \"yes\""),
            "4: `connections.a.enabled`: it wants true or false, and has a text",
        ),
        (
            with("tags = \"eu\""),
            "4: `connections.a.tags`: it wants a list of texts, and has a text",
        ),
        (
            with("tags = [\n \"eu\",\n 1]"),
            "6: `connections.a.tags`: it wants a text, and has a number",
        ),
        (
            with("cloud = \"custom\""),
            "1: `connections.a.endpoints`: `cloud = \"custom\"` needs `authority`, `exchange` and \
             `compliance` here",
        ),
        (
            with("endpoints = { authority = \"https://x\" }"),
            "4: `connections.a.endpoints`: only `cloud = \"custom\"` has endpoints of its own; \
             `commercial` knows its hosts",
        ),
        (
            with("cloud = \"custom\"\nendpoints = { authority = \"ftp://x\" }"),
            "5: `connections.a.endpoints.authority`: it must be an `https://` URL (`http://` on \
             loopback)",
        ),
        (
            with("cloud = \"custom\"\nendpoints = { authority = \"https://u:p@x\" }"),
            "5: `connections.a.endpoints.authority`: a base URL has no user, query or fragment",
        ),
        (
            with("proxy = { url = \"http://p:1\", username = \"u\" }"),
            "4: `connections.a.proxy.password`: `username` is given, so this is required",
        ),
        (
            with("organization = \"0a000000-0000-4000-8000-00000000000b\""),
            "4: `connections.a.organization`: it wants the tenant's initial domain, such as \
             `contoso.onmicrosoft.com`",
        ),
        (
            signing_in(r#"{ type = "oauth2", client_secret = "env:S" }"#),
            "3: `connections.a.auth.client_id`: `type = \"oauth2\"` needs the client id of the app",
        ),
        (
            signing_in(r#"{ type = "oauth2", client_id = "x" }"#),
            "3: `connections.a.auth.client_secret`: it is required and missing",
        ),
        (
            signing_in(r#"{ type = "basic", username = "u", password = { exec = [] } }"#),
            "3: `connections.a.auth.password.exec`: it names no program",
        ),
        (
            signing_in(r#"{ type = "basic", username = "u", password = { exec = ["./x"] } }"#),
            "3: `connections.a.auth.password.exec`: the program is a relative path: give it from the root, or its name alone to look it up in PATH",
        ),
        (
            signing_in(r#"{ type = "basic", username = "u", password = { exec = ["a/x"] } }"#),
            "3: `connections.a.auth.password.exec`: the program is a relative path: give it from the root, or its name alone to look it up in PATH",
        ),
    ] {
        let failure = parse(&text).expect_err(&text);
        let expected = format!("{at}{rest}");
        assert!(
            failure.message.starts_with(&expected),
            "{}\n{expected}",
            failure.message
        );
        assert!(failure.args["line"].is_number());
        assert_eq!(failure.args["file"], "/etc/mailcordon/config.toml");
    }
}

#[test]
fn a_plain_text_secret_is_refused_and_not_shown() {
    for auth in [
        r#"{ type = "oauth2", client_id = "x", client_secret = "hunter2-XYZ" }"#,
        r#"{ type = "basic", username = "u", password = "hunter2-XYZ" }"#,
        r#"{ type = "federated", client_id = "x", assertion = "hunter2-XYZ" }"#,
        r#"{ type = "certificate", client_id = "x", certificate_file = "c", password = "hunter2-XYZ" }"#,
    ] {
        let failure = parse(&signing_in(auth)).unwrap_err();
        assert_eq!(failure.code, code::PLAIN_TEXT_SECRET, "{auth}");
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        assert!(failure.message.contains(
            "name its source: `env:NAME`, `file:PATH` or `{ exec = [\"program\", \"argument\"] }`"
        ));
    }
    let failure = parse(&with("proxy = { url = \"http://u:hunter2-XYZ@p:1\" }")).unwrap_err();
    assert_eq!(failure.code, code::PLAIN_TEXT_SECRET);
    assert!(!format!("{failure:?}").contains("hunter2"));
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    for auth in [
        r#"{ type = "oauth2", client_id = "hunter2~XYZ", client_secret = "env:S" }"#,
        r#"{ type = "oauth2", client_id = "x", client_secret = "env:hunter2~XYZ" }"#,
        r#"{ type = "basic", username = "u", password = ["hunter2~XYZ"] }"#,
        r#"{ type = "basic", username = "u", password = "hunter2~XYZ }"#,
    ] {
        let failure = parse(&signing_in(auth)).unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    }
}

#[test]
fn the_connection_is_the_named_the_default_or_the_only_one() {
    let one = parse(&with("")).unwrap();
    assert_eq!(one.connection(None).unwrap().name, "a");
    let two = with("[connections.contoso]\ntenant = \"b.com\"\nauth = { type = \"device_code\" }");
    let failure = parse(&two).unwrap().connection(None).unwrap_err();
    assert_eq!(
        failure.message,
        "several connections are configured: `a`, `contoso`"
    );
    let config = parse(&format!("default_connection = \"contoso\"\n{two}")).unwrap();
    assert_eq!(config.connection(None).unwrap().name, "contoso");
    assert_eq!(config.connection(Some("a")).unwrap().name, "a");
    let failure = config.connection(Some("contso")).unwrap_err();
    assert_eq!(failure.code, code::UNKNOWN_CONNECTION);
    assert_eq!(
        failure.message,
        "there is no connection `contso`; did you mean `contoso`?"
    );
    let off = parse(&with("enabled = false")).unwrap();
    let failure = off.connection(Some("a")).unwrap_err();
    assert_eq!(
        failure.message,
        "the connection `a` is switched off (`enabled = false`)"
    );
    let failure = Config::default().connection(Some("a")).unwrap_err();
    assert_eq!(failure.code, code::UNKNOWN_CONNECTION);
}

#[test]
fn the_first_file_of_the_four_places_is_taken() {
    let folder = folder();
    let given = file(folder.path(), "given.toml", b"", 0o600);
    let by_variable = file(folder.path(), "variable.toml", b"", 0o600);
    let xdg = file(folder.path(), "xdg/mailcordon/config.toml", b"", 0o600);
    let home = file(
        folder.path(),
        "home/.config/mailcordon/config.toml",
        b"",
        0o600,
    );
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (variable, xdg_home, home_folder) = (
        text(&by_variable),
        text(&folder.path().join("xdg")),
        text(&folder.path().join("home")),
    );
    let found = |explicit: Option<&Path>, pairs: &[(&str, &str)]| {
        locate(explicit, &environment(pairs))
            .unwrap()
            .map(|found| found.path)
    };
    let all = [
        ("MAILCORDON_CONFIG", variable.as_str()),
        ("XDG_CONFIG_HOME", xdg_home.as_str()),
        ("HOME", home_folder.as_str()),
    ];
    assert_eq!(found(Some(&given), &all), Some(given));
    assert_eq!(found(None, &all), Some(by_variable));
    assert_eq!(found(None, &all[1..]), Some(xdg));
    assert_eq!(found(None, &all[2..]), Some(home.clone()));
    // An empty variable is an unset one; a relative folder would be the working directory.
    let odd = [
        ("MAILCORDON_CONFIG", ""),
        ("XDG_CONFIG_HOME", "xdg"),
        all[2],
    ];
    assert_eq!(found(None, &odd), Some(home));
    let nothing = found(None, &[("HOME", ".")]);
    assert!(nothing.is_none_or(|path| path == Path::new("/etc/mailcordon/config.toml")));
}

#[test]
fn a_named_file_must_exist() {
    let failure = locate(Some(Path::new("/nowhere/x.toml")), &environment(&[])).unwrap_err();
    assert_eq!(
        failure.message,
        "the file /nowhere/x.toml does not exist (--config)"
    );
    let pairs = [("MAILCORDON_CONFIG", "/nowhere/x.toml")];
    let failure = Config::load(None, &environment(&pairs)).unwrap_err();
    assert_eq!(
        failure.message,
        "the file /nowhere/x.toml does not exist (MAILCORDON_CONFIG)"
    );
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let folder = folder();
    let path = file(folder.path(), "config.toml", with("").as_bytes(), 0o644);
    assert_eq!(Config::read(&path).unwrap().connections.len(), 1);
    for mode in [0o664, 0o646] {
        set_mode(&path, mode);
        let failure = Config::read(&path).unwrap_err();
        let expected =
            format!("other users may write it (mode {mode:04o}): run `chmod go-w` on it");
        assert_eq!(failure.message, format!("{}: {expected}", path.display()));
    }
}

#[test]
fn a_folder_that_others_may_write_is_refused() {
    let folder = folder();
    let path = file(folder.path(), "etc/config.toml", with("").as_bytes(), 0o600);
    let link = folder.path().join("link.toml");
    symlink(&path, &link).unwrap();
    let etc = folder.path().join("etc");
    assert!(Config::read(&path).is_ok() && Config::read(&link).is_ok());
    set_mode(&etc, 0o777);
    for path in [&path, &link] {
        let failure = Config::read(path).unwrap_err();
        let expected = format!(
            "the folder {} on the way to it may be written by other users",
            etc.display()
        );
        assert!(failure.message.contains(&expected), "{failure}");
    }
    // In a sticky folder nobody else can exchange the file.
    set_mode(&etc, 0o1777);
    assert!(Config::read(&path).is_ok());
}

#[test]
fn a_folder_above_that_others_may_write_is_refused() {
    let folder = folder();
    let path = file(
        folder.path(),
        "open/etc/config.toml",
        with("").as_bytes(),
        0o600,
    );
    let open = folder.path().join("open");
    let (link, chain) = (folder.path().join("link"), open.join("chain"));
    symlink(open.join("etc"), &chain).unwrap();
    symlink(&chain, &link).unwrap();
    let ways = [
        path.clone(),
        link.join("config.toml"),
        open.join("../open/etc/config.toml"),
    ];
    for path in &ways {
        assert!(Config::read(path).is_ok(), "{}", path.display());
    }
    for mode in [0o720, 0o702] {
        set_mode(&open, mode);
        for path in &ways {
            let failure = Config::read(path).unwrap_err();
            let expected = format!(
                "the folder {} on the way to it may be written by other users",
                open.display()
            );
            assert!(failure.message.contains(&expected), "{failure}");
        }
    }
    set_mode(&open, 0o1777);
    assert!(Config::read(&path).is_ok());
}

#[test]
fn a_folder_or_link_of_another_user_on_the_way_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a folder away.
    }
    let folder = folder();
    let path = file(folder.path(), "a/b/config.toml", with("").as_bytes(), 0o600);
    let link = folder.path().join("link.toml");
    symlink(&path, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(4242), None).unwrap();
    let failure = Config::read(&link).unwrap_err();
    assert!(
        failure
            .message
            .ends_with("link.toml on the way to it belongs to another user"),
        "{failure}"
    );
    assert!(Config::read(&path).is_ok());
    std::os::unix::fs::chown(folder.path().join("a"), Some(4242), None).unwrap();
    let failure = Config::read(&path).unwrap_err();
    assert!(
        failure
            .message
            .ends_with("a on the way to it belongs to another user"),
        "{failure}"
    );
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can give a file away.
    }
    let folder = folder();
    let path = file(folder.path(), "config.toml", with("").as_bytes(), 0o600);
    std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
    let failure = Config::read(&path).unwrap_err();
    assert_eq!(
        failure.message,
        format!("{}: it belongs to another user", path.display())
    );
}

#[test]
fn what_is_no_readable_text_file_is_refused() {
    let folder = folder();
    let directory = folder.path().join("dir");
    std::fs::create_dir(&directory).unwrap();
    assert!(
        Config::read(&directory)
            .unwrap_err()
            .message
            .ends_with("it is not a regular file")
    );
    let binary = file(folder.path(), "binary", b"\xff\xfe", 0o600);
    assert!(
        Config::read(&binary)
            .unwrap_err()
            .message
            .ends_with("it is not UTF-8 text")
    );
    let large = file(folder.path(), "large", &vec![b'#'; (1 << 20) + 1], 0o600);
    assert!(
        Config::read(&large)
            .unwrap_err()
            .message
            .ends_with("larger than 1048576 bytes")
    );
}

#[tokio::test]
async fn a_secret_is_read_from_its_source() {
    let folder = folder();
    let path = file(folder.path(), "secret", b"s3cret \r\n", 0o600);
    let reader = reader(&[("SECRET", "from-env")]);
    for (source, expected) in [
        (Source::Env("SECRET".to_owned()), "from-env"),
        (Source::File(path), "s3cret "),
        (exec("printf 'a\\n\\n'"), "a\n"),
        (
            Source::Exec(vec!["/bin/echo".to_owned(), "$HOME;x".to_owned()]),
            "$HOME;x",
        ),
    ] {
        let secret = reader.read(&source, Purpose::LongLived).await.unwrap();
        assert_eq!(secret.expose(), expected);
    }
}

#[tokio::test]
async fn a_source_that_gives_nothing_says_so() {
    let folder = folder();
    let open = file(folder.path(), "open", b"hunter2", 0o644);
    let shared = file(folder.path(), "shared", b"hunter2", 0o622);
    let empty = file(folder.path(), "empty", b"\n", 0o600);
    let missing = folder.path().join("missing");
    let reader = reader(&[("EMPTY", "")]);
    for (source, rule) in [
        (Source::Env("EMPTY".to_owned()), "it is not set, or empty"),
        (Source::Env("UNSET".to_owned()), "it is not set, or empty"),
        (Source::File(missing), "there is no such file"),
        (
            Source::File(open),
            "other users may read it (mode 0644): run `chmod 600` on it",
        ),
        (
            Source::File(shared),
            "other users may write it (mode 0622): run `chmod go-w` on it",
        ),
        (Source::File(empty), "what it holds is empty"),
        (
            Source::Exec(vec!["/nowhere/tool".to_owned()]),
            "it cannot be started: ",
        ),
        (
            exec("echo hunter2 >&2; echo hunter2; exit 3"),
            "it failed (exit status: 3)",
        ),
        (
            exec("head -c 70000 /dev/zero"),
            "it printed more than 65536 bytes",
        ),
        (exec("printf '\\377'"), "what it holds is not UTF-8 text"),
    ] {
        let said = reader.read(&source, Purpose::LongLived).await.unwrap_err();
        assert!(said.starts_with(rule), "{said}\n{rule}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn a_short_lived_assertion_may_be_readable_by_all() {
    let folder = folder();
    let path = file(folder.path(), "token", b"eyJ", 0o644);
    let source = Source::File(path);
    assert!(reader(&[]).read(&source, Purpose::LongLived).await.is_err());
    let secret = reader(&[])
        .read(&source, Purpose::ShortLived)
        .await
        .unwrap();
    assert_eq!(secret.expose(), "eyJ");
}

#[tokio::test]
async fn a_program_that_hangs_is_ended() {
    /// A clock whose waits are over at once.
    #[derive(Debug)]
    struct Hurried;
    impl kernel::Clock for Hurried {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }
        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
        fn sleep(&self, duration: Duration) -> kernel::clock::Sleep {
            assert_eq!(duration, Duration::from_secs(10));
            Box::pin(std::future::ready(()))
        }
    }
    let reader = Reader::new(environment(&[]), Arc::new(Hurried));
    let said = reader
        .read(&exec("exec sleep 1000"), Purpose::LongLived)
        .await
        .unwrap_err();
    assert_eq!(said, "it did not end within 10 s");
}

#[tokio::test]
async fn settings_carry_sources_and_share_them() {
    let folder = folder();
    let secret = file(folder.path(), "secret", b"one\n", 0o600);
    let path = file(
        folder.path(),
        "config.toml",
        b"[auth.app]\ntype = \"oauth2\"\nclient_id = \"x\"\nclient_secret = \"file:secret\"\n\
          [connections.a]\ntenant = \"a.com\"\nauth = \"app\"\n\
          [connections.b]\ntenant = \"b.com\"\nauth = \"app\"\ncloud = \"dod\"\n",
        0o600,
    );
    let config = Config::read(&path).unwrap();
    let reader = reader(&[]);
    let a = config.settings(Some("a"), &reader).unwrap();
    let b = config.settings(Some("b"), &reader).unwrap();
    assert_eq!((a.name.as_str(), a.tenant.as_str()), ("a", "a.com"));
    assert_ne!(a.endpoints, b.endpoints);
    let cloud::Auth::ClientSecret {
        client_id,
        secret: source,
    } = &a.auth
    else {
        panic!()
    };
    assert_eq!(client_id, "x");
    assert_eq!(source.describe(), format!("the file {}", secret.display()));
}

#[test]
fn endpoints_that_cloud_refuses_are_named_with_their_place() {
    let config = parse(&with(
        "cloud = \"custom\"\nendpoints = { authority = \"http://contoso.com\", exchange = \
         \"http://127.0.0.1:1\", compliance = \"http://127.0.0.1:1\" }",
    ))
    .unwrap();
    let failure = config.settings(None, &reader(&[])).unwrap_err();
    let start = "/etc/mailcordon/config.toml:1: `connections.a.endpoints`: ";
    assert!(failure.message.starts_with(start), "{failure}");
}

/// The schema only describes; this holds it to what is read.
#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    let keys = |object: &Value| -> Vec<String> {
        let mut keys: Vec<_> = object["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    let sorted = |keys: &[&str]| -> Vec<String> {
        let mut keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        keys.sort();
        keys
    };
    let defs = &schema["$defs"];
    assert_eq!(keys(&schema), sorted(parse::ROOT));
    assert_eq!(keys(&defs["Connection"]), sorted(parse::CONNECTION));
    assert_eq!(keys(&defs["Endpoints"]), sorted(parse::ENDPOINTS));
    assert_eq!(keys(&defs["Proxy"]), sorted(parse::PROXY));
    let variants = defs["Auth"]["oneOf"].as_array().unwrap();
    assert_eq!(variants.len(), AuthKind::ALL.len());
    for (variant, (name, kind)) in variants.iter().zip(AuthKind::ALL) {
        assert_eq!(variant["properties"]["type"]["const"], *name);
        assert_eq!(keys(variant), sorted(kind.keys()));
    }
    let clouds = defs["Cloud"].to_string();
    for name in cloud::CloudName::ALL {
        assert!(
            clouds.contains(&format!("\"{name}\"")),
            "{name} in {clouds}"
        );
    }
}

#[test]
fn the_documented_configurations_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut blocks = text
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default());
    let (first, ways) = (blocks.next().unwrap(), blocks.next().unwrap());
    let whole = parse(&format!("{first}{}", blocks.next().unwrap())).unwrap();
    let connection = whole.connection(None).unwrap();
    assert!(connection.proxy.is_some() && connection.name == "contoso");
    parse(ways).unwrap();
    // Each way to sign in is shown.
    for (kind, _) in AuthKind::ALL {
        assert!(ways.contains(&format!("type = \"{kind}\"")), "{kind}");
    }
}

#[test]
fn graph_has_its_own_keys_and_a_pace_belongs_to_loopback() {
    let config = parse(&with(
        "graph_case = \"SOC\"\ngraph_requests_per_minute = 30",
    ))
    .unwrap();
    let graph = &config.connections["a"].graph;
    assert_eq!(
        (graph.case.as_deref(), graph.per_minute, graph.pace),
        (Some("SOC"), 30, 1)
    );
    for (line, rule) in [
        (
            "graph_requests_per_minute = 0",
            "it wants a number from 1 to 600",
        ),
        (
            "graph_requests_per_minute = \"5\"",
            "it wants a number, and has a text",
        ),
        ("pace = -1", "it wants a number from 1 to 10000"),
        ("graph_case = \"\"", "it is empty"),
    ] {
        let key = line.split(' ').next().unwrap();
        let text = format!("/etc/mailcordon/config.toml:4: `connections.a.{key}`: {rule}");
        refused(&with(line), &code::CONFIGURATION, &text);
    }
    let local = "cloud = \"custom\"\npace = 60\nendpoints = { authority = \"http://127.0.0.1:1\", \
        exchange = \"http://127.0.0.1:2\", compliance = \"http://127.0.0.1:3\", \
        graph = \"http://127.0.0.1:4\", download = \"http://127.0.0.1:5\" }";
    let reader = reader(&[]);
    let settings = parse(&with(local))
        .unwrap()
        .settings(None, &reader)
        .unwrap();
    assert!(settings.endpoints.offers(cloud::GraphFeature::Ediscovery));
    let failure = parse(&with("pace = 60"))
        .unwrap()
        .settings(None, &reader)
        .unwrap_err();
    assert!(
        failure.message.contains("`connections.a.pace`"),
        "{}",
        failure.message
    );
}
