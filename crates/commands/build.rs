//! Lists the folder of commands, so that a new command is one new file.

use std::{error::Error, fmt::Write, fs, path::Path};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo hands a build script its folders in the environment"
)]
fn folder(variable: &str) -> Result<String, std::env::VarError> {
    std::env::var(variable)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/catalog");
    let catalog = Path::new(&folder("CARGO_MANIFEST_DIR")?).join("src/catalog");
    let mut names: Vec<String> = fs::read_dir(&catalog)?
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "mod")
        .collect();
    names.sort();
    let mut modules = String::new();
    let mut list = String::from(
        "/// Every command, by id. Made once: a schema is some hundred allocations.\n\
         pub fn all() -> &'static [crate::Definition] {\n    \
         static ALL: std::sync::LazyLock<Vec<crate::Definition>> =\n        \
         std::sync::LazyLock::new(|| vec![\n",
    );
    for name in &names {
        let path = catalog.join(format!("{name}.rs")).display().to_string();
        writeln!(
            modules,
            "#[path = \"{}\"]\npub mod {name};",
            path.escape_default()
        )?;
        writeln!(list, "        {name}::definition(),")?;
    }
    list.push_str("        ]);\n    &ALL\n}\n");
    let out = Path::new(&folder("OUT_DIR")?).join("catalog.rs");
    fs::write(out, format!("{modules}\n{list}"))?;
    Ok(())
}
