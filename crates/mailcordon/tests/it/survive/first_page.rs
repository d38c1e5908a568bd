//! The first page of the API's documentation, run as it stands.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use serde_json::Value;

/// The blocks of shell of a page, in order, up to the first further heading.
fn blocks(page: &str) -> Vec<&str> {
    let first = page.split("\n## ").next().unwrap();
    first
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The program under its name, on a port of its own: another test may use the usual one.
fn program(folder: &Path) {
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = serve ]; then shift; set -- serve --listen 127.0.0.1:0 \"$@\"; fi\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_mailcordon")
    );
    let path = folder.join("mailcordon");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_first_page_works_as_it_stands() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md"))
            .unwrap();
    let blocks = blocks(&page);
    assert!(blocks.len() >= 4, "the page has {} blocks", blocks.len());
    let folder = tempfile::tempdir().unwrap();
    program(folder.path());
    let script = format!("set -eu\n{}\nkill -INT $!\nwait $!\n", blocks.concat());
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("HOME", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut answers = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let items = answers.next().unwrap().unwrap();
    assert_eq!(items["items"][0]["outcome"], "added", "{text}");
    let undone = answers.next().unwrap().unwrap();
    assert_eq!(undone["return_data"], "Successful", "{text}");
    assert_eq!(undone["items"][0]["outcome"], "removed", "{text}");
    assert!(answers.next().is_none(), "{text}");
}
