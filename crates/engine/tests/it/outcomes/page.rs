//! The table as a page and as data.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use serde_json::json;
use testkit::Credential;

use super::{Cells, Refusal};

/// Where the generated files go, beside the build.
fn made(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Writes `outcomes.json` and `outcomes.md` beside the build.
pub fn write(cells: &Cells, refusals: &[Refusal]) {
    let data: Vec<_> = cells
        .iter()
        .map(|((command, outcome, credential), scenarios)| {
            json!({
                "command": command, "outcome": outcome,
                "credential": credential.as_str(), "proved_by": scenarios,
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&data).unwrap();
    std::fs::write(made("outcomes.json"), text).unwrap();
    std::fs::write(made("outcomes.md"), page(cells, refusals)).unwrap();
}

fn page(cells: &Cells, refusals: &[Refusal]) -> String {
    let mut page = String::from(
        "# Outcomes\n\n\
         Which outcome of which command was proved with which credential. The tests make this page \
         (`cargo xtask generate --only outcomes`): each cell names the scenarios in which every item \
         with that outcome was found true by the simulated tenant's state before and after the run \
         and by its request log. The definitions of the commands say which cells there must be. \
         Commands over mail searches ran with the sandbox's switch `--compliance legacy`; deleted mail \
         was brought back over the simulated Microsoft Graph.\n\n\
         | command | outcome | app | user |\n|---|---|---|---|\n",
    );
    let mut rows: BTreeMap<(&str, &str), BTreeMap<Credential, String>> = BTreeMap::new();
    for ((command, outcome, credential), scenarios) in cells {
        let names: Vec<&str> = scenarios.iter().copied().collect();
        rows.entry((command, outcome))
            .or_default()
            .insert(*credential, names.join(", "));
    }
    for ((command, outcome), cells) in rows {
        let cell = |who| {
            let never = super::deleted::IMPOSSIBLE.contains(&(command, outcome, who));
            let else_is = if never { "cannot be" } else { "**missing**" };
            cells.get(&who).map_or(else_is, String::as_str)
        };
        writeln!(
            page,
            "| `{command}` | {outcome} | {} | {} |",
            cell(Credential::App),
            cell(Credential::User)
        )
        .unwrap();
    }
    page.push_str(
        "\n## Mail searches as Microsoft has them now\n\n\
         What the four commands over mail searches end in without `legacy`. Nothing was changed in \
         the tenant by any of the refused ones.\n\n\
         | command | `--compliance` | credential | code | hint |\n|---|---|---|---|---|\n",
    );
    for refusal in refusals {
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            refusal.command,
            refusal.mode,
            refusal.credential.as_str(),
            refusal.code,
            refusal.hint
        )
        .unwrap();
    }
    page
}

/// Fails when the page that is checked in is another. Writes it instead where that is asked for.
pub fn compare() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/outcomes.md");
    let fresh = std::fs::read_to_string(made("outcomes.md")).unwrap();
    if std::env::var_os("MAILCORDON_WRITE_DOCS").is_some() {
        std::fs::write(path, fresh).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == fresh,
        "docs/outcomes.md is not what the tests found: `cargo xtask generate --only outcomes`"
    );
}
