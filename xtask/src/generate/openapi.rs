//! The OpenAPI document of the service, as the binary prints it.

use std::path::PathBuf;

use super::Generated;
use crate::chore::{Workspace, output};

/// `docs/openapi.json`.
pub fn make(workspace: &Workspace) -> anyhow::Result<Vec<Generated>> {
    let binary = workspace.binary("dev")?;
    let text = output(workspace.command(binary).args(["schema", "openapi"]))?;
    Ok(vec![(PathBuf::from("docs/openapi.json"), text)])
}
