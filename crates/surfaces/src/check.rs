//! The offline judgements, as the command line and the service give them.

use commands::{blocklist::ListType, schema};
use indicators::{
    Action,
    check::{self, EntryCheck, KqlCheck, MatchCheck},
    mail::{self, MailReport},
};
use kernel::Failure;
use serde_json::json;

/// The list type that a text means, compared as everywhere.
///
/// # Errors
///
/// There is no such list type; the failure names the nearest.
pub fn list_type(text: &str) -> Result<ListType, Failure> {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Only {
        /// The list.
        list_type: ListType,
    }
    let parameters = schema::parameters(&schema::of::<Only>());
    let given = serde_json::Map::from_iter([("list_type".to_owned(), json!(text))]);
    let value = commands::input::normalise(&parameters, &given)?;
    let only: Only = serde_json::from_value(value)
        .map_err(|error| Failure::internal(format!("a checked value was not read: {error}")))?;
    Ok(only.list_type)
}

/// Each value judged for a list.
///
/// # Errors
///
/// There is no such list type.
pub fn entries(list: &str, values: &[String]) -> Result<Vec<EntryCheck>, Failure> {
    let list = list_type(list)?.checked();
    Ok(values
        .iter()
        .map(|value| check::entry(list, value))
        .collect())
}

/// Each URL held against each entry.
pub fn matches(entries: &[String], urls: &[String], allow: bool) -> Vec<MatchCheck> {
    let action = if allow { Action::Allow } else { Action::Block };
    entries
        .iter()
        .flat_map(|entry| {
            urls.iter()
                .map(move |url| check::matching(entry, action, url))
        })
        .collect()
}

/// Each query judged. An empty query is a query too.
pub fn queries(queries: &[String]) -> Vec<KqlCheck> {
    queries.iter().map(|query| check::kql(query)).collect()
}

/// What a mail holds, under the name of its file.
pub fn mail(file: &str, bytes: &[u8]) -> MailReport {
    mail::report(file, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_type_is_taken_in_the_words_of_the_page() {
        assert!(matches!(list_type("File Hashes"), Ok(ListType::FileHashes)));
        assert!(list_type("files").is_err());
    }

    #[test]
    fn every_url_is_held_against_every_entry() {
        let texts = |texts: [&str; 2]| texts.map(str::to_owned);
        let all = matches(
            &texts(["a.example/*", "b.example/*"]),
            &texts(["http://a.example/x", "http://b.example/x"]),
            false,
        );
        let hits: Vec<Option<bool>> = all.iter().map(|one| one.matches).collect();
        assert_eq!(hits, [Some(true), Some(false), Some(false), Some(true)]);
    }
}
