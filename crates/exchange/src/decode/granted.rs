//! The list of cmdlets that the caller's roles let it run (`EXOModuleFile`).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Garbled, start_of};

#[derive(Deserialize)]
struct Modules {
    #[serde(default)]
    value: Option<Vec<Module>>,
}

#[derive(Deserialize)]
struct Module {
    // The module's source stands beside it and is not read.
    #[serde(default, rename = "exportedCmdlets")]
    exported: Value,
}

/// Reads the names out of the answer.
pub fn granted(body: &[u8]) -> Result<BTreeSet<String>, Garbled> {
    let garbled = |why: &str| Garbled {
        why: why.to_owned(),
        start: start_of(body),
    };
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let modules: Modules =
        serde_json::from_slice(text).map_err(|_| garbled("it is no list of modules"))?;
    let modules = modules
        .value
        .ok_or_else(|| garbled("it is no list of modules"))?;
    let mut names = BTreeSet::new();
    for module in modules {
        let texts: Vec<String> = match module.exported {
            Value::String(text) => vec![text],
            Value::Array(items) => items
                .into_iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        for text in &texts {
            names.extend(
                text.split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned),
            );
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_text_and_list() {
        let body =
            br#"{"value":[{"fileName":"a","fileContent":"x","exportedCmdlets":"Get-X, Get-Y,"},
            {"exportedCmdlets":["Get-Z"]},{"exportedCmdlets":null}]}"#;
        assert_eq!(
            granted(body).unwrap().into_iter().collect::<Vec<_>>(),
            ["Get-X", "Get-Y", "Get-Z"]
        );
        assert!(granted(b"{}").is_err());
        assert!(granted(b"<html>").is_err());
    }
}
