//! The JSON schema of the configuration, as the binary prints it.

use std::path::PathBuf;

use super::Generated;
use crate::chore::{Workspace, output};

/// `docs/config.schema.json`.
pub fn make(workspace: &Workspace) -> anyhow::Result<Vec<Generated>> {
    let binary = workspace.binary("dev")?;
    let text = output(workspace.command(binary).args(["schema", "config"]))?;
    Ok(vec![(PathBuf::from("docs/config.schema.json"), text)])
}
