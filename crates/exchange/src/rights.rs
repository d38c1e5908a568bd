//! Access rights as the service writes them.

use crate::Row;

/// The rights of one permission row. Over this wire an element may hold several rights joined by
/// commas (`["FullAccess, ReadPermission"]`), and Send As may come as the number 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRights(Vec<String>);

impl AccessRights {
    /// Reads the field `AccessRights` of a row.
    pub fn of(row: &Row) -> Self {
        let rights = row.list("AccessRights").into_iter().flat_map(|element| {
            element
                .split(',')
                .map(|part| part.trim().to_owned())
                .collect::<Vec<_>>()
        });
        Self(
            rights
                .filter(|right| !right.is_empty())
                .map(|right| {
                    if right == "1" {
                        "SendAs".to_owned()
                    } else {
                        right
                    }
                })
                .collect(),
        )
    }

    /// Whether a right is among them, in any case.
    pub fn has(&self, right: &str) -> bool {
        self.0.iter().any(|held| held.eq_ignore_ascii_case(right))
    }

    /// The rights, one by one, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn joined_and_numbered_rights_are_told_apart() {
        let rights = |value| AccessRights::of(&Row::from_value(json!({"AccessRights": value})));
        assert_eq!(
            rights(json!(["FullAccess, ReadPermission", "DeleteItem"]))
                .iter()
                .collect::<Vec<_>>(),
            ["FullAccess", "ReadPermission", "DeleteItem"]
        );
        assert!(rights(json!([1])).has("sendas"));
        assert!(rights(json!("FullAccess")).has("FullAccess"));
        assert!(!rights(json!(["FullAccessX"])).has("FullAccess"));
        assert_eq!(rights(json!(null)).iter().count(), 0);
    }
}
