//! Lists the folder of commands, so that a new command is one new file.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let folder = Path::new(&root).join("src/catalog");
    println!("cargo::rerun-if-changed=src/catalog");
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "mod")
        .collect();
    names.sort();
    let mut out = String::new();
    for name in &names {
        let path = folder.join(format!("{name}.rs"));
        out.push_str(&format!("#[path = {path:?}]\npub mod {name};\n"));
    }
    out.push_str(
        "\n/// Every command, by id.\npub fn all() -> Vec<crate::Definition> {\n    vec![\n",
    );
    for name in &names {
        out.push_str(&format!("        {name}::definition(),\n"));
    }
    out.push_str("    ]\n}\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalog.rs"), out)?;
    Ok(())
}
