//! Which room may know which: a crate knows only crates below it.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The rooms from top to bottom. A room may know those below it.
const ROOMS: &[&str] = &[
    "mailcordon",
    "server",
    "surfaces",
    "playbooks",
    "store",
    "engine",
    "commands",
    "graph",
    "exchange",
    "cloud",
    "indicators",
    "kernel",
];
/// Shares nothing with the client but the kernel: two readings of the same references, so that
/// one misreading cannot hide itself. Only the binary ships it.
const SANDBOX: &str = "sandbox";
/// Tests and chores may know every room, and no room may know them.
const OUTSIDE: &[&str] = &["testkit", "xtask"];

/// Every crate with the crates of the workspace that it knows.
type Arrows = BTreeMap<String, Vec<String>>;

/// What is wrong with the arrows, in words; empty when nothing is.
fn judge(arrows: &Arrows) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, targets) in arrows {
        if !ROOMS.contains(&from.as_str()) && from != SANDBOX && !OUTSIDE.contains(&from.as_str()) {
            wrong.push(format!("{from} has no place among the rooms"));
        }
        for to in targets {
            if !allowed(from, to) {
                wrong.push(format!("{from} must not know {to}"));
            }
        }
    }
    wrong
}

fn allowed(from: &str, to: &str) -> bool {
    let height = |name: &str| ROOMS.iter().position(|room| *room == name);
    if OUTSIDE.contains(&from) {
        return to != from;
    }
    if from == SANDBOX {
        return to == "kernel";
    }
    if to == SANDBOX {
        return from == "mailcordon";
    }
    match (height(from), height(to)) {
        (Some(from), Some(to)) => from < to,
        _ => false,
    }
}

/// The arrows of this workspace, development dependencies left out.
fn of_this_workspace() -> Arrows {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let packages = metadata.workspace_packages();
    let names: Vec<String> = packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    packages
        .iter()
        .map(|package| {
            let targets = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.name.clone())
                .filter(|name| names.contains(name))
                .collect();
            (package.name.to_string(), targets)
        })
        .collect()
}

fn made_up(arrows: &[(&str, &[&str])]) -> Arrows {
    arrows
        .iter()
        .map(|(from, to)| {
            (
                (*from).to_owned(),
                to.iter().map(|to| (*to).to_owned()).collect(),
            )
        })
        .collect()
}

#[test]
fn no_arrow_of_this_workspace_is_forbidden() {
    let arrows = of_this_workspace();
    assert!(
        arrows["mailcordon"].contains(&"engine".to_owned()),
        "{arrows:?}"
    );
    assert!(arrows.len() >= 11, "{arrows:?}");
    assert_eq!(judge(&arrows), Vec::<String>::new());
}

#[test]
fn arrows_that_point_down_are_allowed() {
    let good = made_up(&[
        ("mailcordon", &["engine", "sandbox", "kernel"]),
        ("engine", &["commands", "kernel"]),
        ("sandbox", &["kernel"]),
        ("testkit", &["sandbox", "mailcordon", "xtask"]),
        ("kernel", &[]),
    ]);
    assert_eq!(judge(&good), Vec::<String>::new());
}

#[test]
fn forbidden_arrows_are_named() {
    for (from, to) in [
        ("kernel", "cloud"),
        ("cloud", "exchange"),
        ("commands", "engine"),
        ("exchange", "exchange"),
        ("sandbox", "indicators"),
        ("sandbox", "exchange"),
        ("engine", "sandbox"),
        ("engine", "testkit"),
        ("mailcordon", "xtask"),
        ("sandbox", "testkit"),
    ] {
        let wrong = judge(&made_up(&[(from, &[to])]));
        assert_eq!(wrong, [format!("{from} must not know {to}")]);
    }
    let wrong = judge(&made_up(&[("attic", &["kernel"])]));
    assert_eq!(
        wrong,
        [
            "attic has no place among the rooms",
            "attic must not know kernel"
        ]
    );
}
