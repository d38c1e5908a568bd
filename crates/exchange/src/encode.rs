//! How PowerShell values are written in JSON for this wire.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A date as UTC with seven fractional digits, as the service prints them.
pub fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()
}

/// A PowerShell hash table. Without its type annotation the service sees an opaque object and
/// refuses the parameter. Nested objects are annotated too.
pub fn hash_table(fields: Map<String, Value>) -> Value {
    let mut table = Map::with_capacity(fields.len() + 1);
    table.insert(
        "@odata.type".to_owned(),
        "#Exchange.GenericHashTable".into(),
    );
    for (name, value) in fields {
        let value = match value {
            Value::Object(inner) => hash_table(inner),
            other => other,
        };
        table.insert(name, value);
    }
    Value::Object(table)
}

/// `@{Add=…}` and `@{Remove=…}` on a list property: changes the named members, keeps the rest.
pub fn edit_list(add: &[String], remove: &[String]) -> Value {
    let mut fields = Map::new();
    if !add.is_empty() {
        fields.insert("Add".to_owned(), json!(add));
    }
    if !remove.is_empty() {
        fields.insert("Remove".to_owned(), json!(remove));
    }
    hash_table(fields)
}

/// A list of hash tables as the two members that carry it.
pub fn hash_tables(name: &str, rows: Vec<Map<String, Value>>) -> [(String, Value); 2] {
    [
        (
            format!("{name}@odata.type"),
            "#Collection(Exchange.GenericHashTable)".into(),
        ),
        (
            name.to_owned(),
            rows.into_iter().map(Value::Object).collect(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_seven_digits() {
        let at: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
        assert_eq!(date(at), "2026-02-01T00:00:00.0000000Z");
        let at: Timestamp = "2026-02-01T01:00:00.1234567+01:00".parse().unwrap();
        assert_eq!(date(at), "2026-02-01T00:00:00.1234567Z");
    }
}
