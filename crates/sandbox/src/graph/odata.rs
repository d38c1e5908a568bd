//! The query options of OData, as far as the simulated calls know them, and lists by pages.

use serde_json::{Map, Value, json};

use crate::{
    entra::form::{self, Form},
    tenant::ediscovery::Refused,
};

/// Rows on a page unless `$top` says otherwise.
const PAGE: usize = 100;

/// The query options of a request.
pub(crate) struct Query {
    form: Form,
    pub(crate) top: Option<usize>,
    skip: usize,
    select: Vec<String>,
}

const KNOWN: &[&str] = &[
    "$top",
    "$filter",
    "$select",
    "$count",
    "$expand",
    "$skiptoken",
    "$search",
    "$skip",
    "startTime",
    "endTime",
];

impl Query {
    /// Reads the options; one that is not known is refused.
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        for (name, _) in url::form_urlencoded::parse(text.as_bytes()) {
            if name.starts_with('$') && !KNOWN.contains(&name.as_ref()) {
                return Err(Refused::bad(format!(
                    "The query option '{}' is not supported.",
                    kernel::escape::clipped(&name, 40)
                )));
            }
        }
        let form = form::parse(text.as_bytes());
        let number = |name: &str| -> Result<Option<usize>, Refused> {
            form.get(name)
                .map(|value| {
                    value.parse().map_err(|_| {
                        Refused::bad(format!("Invalid value for the query option '{name}'."))
                    })
                })
                .transpose()
        };
        let top = number("$top")?;
        if top == Some(0) {
            return Err(Refused::bad("Invalid value for the query option '$top'."));
        }
        let skip = number("$skiptoken")?.or(number("$skip")?).unwrap_or(0);
        let select = form.get("$select").unwrap_or_default();
        let select = select
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        Ok(Self {
            form,
            top,
            skip,
            select,
        })
    }

    /// An option as text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.form.get(name)
    }

    /// Whether `$expand` names this.
    pub(crate) fn expands(&self, name: &str) -> bool {
        let expand = self.get("$expand").unwrap_or_default();
        expand
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(name))
    }

    /// The text that `$filter` compares this property with; `None` without a filter. Any other
    /// filter is refused.
    pub(crate) fn equals(&self, property: &str) -> Result<Option<String>, Refused> {
        let Some(filter) = self.get("$filter") else {
            return Ok(None);
        };
        compared(filter, property)
            .map(Some)
            .ok_or_else(|| Refused::bad("Invalid filter clause: it is not supported here."))
    }

    /// Only what `$select` names.
    pub(crate) fn selected(&self, row: Value) -> Value {
        let Value::Object(row) = row else { return row };
        if self.select.is_empty() {
            return Value::Object(row);
        }
        let kept: Map<String, Value> = row
            .into_iter()
            .filter(|(name, _)| {
                name.starts_with('@')
                    || self.select.iter().any(|one| one.eq_ignore_ascii_case(name))
            })
            .collect();
        Value::Object(kept)
    }

    /// One page of rows, with a link to the next one. `link` is the address that was asked for,
    /// without its query.
    pub(crate) fn page(
        &self,
        rows: impl Iterator<Item = Value>,
        context: &str,
        link: &str,
    ) -> Value {
        let size = self.top.unwrap_or(PAGE);
        let mut total = 0;
        let mut shown = Vec::new();
        for row in rows {
            if total >= self.skip && shown.len() < size {
                shown.push(self.selected(row));
            }
            total += 1;
        }
        let mut value = json!({"@odata.context": context, "@odata.count": total});
        let next = self.skip.saturating_add(size);
        if let Some(object) = value.as_object_mut() {
            if next < total {
                object.insert("@odata.nextLink".to_owned(), self.next(link, next).into());
            }
            object.insert("value".to_owned(), Value::Array(shown));
        }
        value
    }

    fn next(&self, link: &str, skip: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for name in KNOWN {
            if let Some(value) = self.get(name)
                && !["$skiptoken", "$skip"].contains(name)
            {
                query.append_pair(name, value);
            }
        }
        query.append_pair("$skiptoken", &skip.to_string());
        format!("{link}?{}", query.finish())
    }
}

/// The value in `property eq 'value'`, in which a doubled quotation mark stands for one.
pub(crate) fn compared(filter: &str, property: &str) -> Option<String> {
    let mut words = filter.trim().splitn(3, ' ');
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?.trim());
    if !name.eq_ignore_ascii_case(property) || operator != "eq" {
        return None;
    }
    let inside = value.strip_prefix('\'')?.strip_suffix('\'')?;
    let plain = inside.replace("''", "");
    (!plain.contains('\'')).then(|| inside.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_one_comparison_with_a_quoted_text() {
        let of = |filter| compared(filter, "displayName");
        assert_eq!(of("displayName eq 'a b'").as_deref(), Some("a b"));
        assert_eq!(of("displayName eq 'O''Hara'").as_deref(), Some("O'Hara"));
        assert_eq!(of("displayName eq 'a' or id eq 'b'"), None);
        assert_eq!(of("displayName ne 'a'"), None);
        assert_eq!(of("displayName eq a"), None);
    }

    #[test]
    fn pages_follow_each_other_until_all_rows_were_given() {
        let rows = || (0..5).map(|n| json!({"id": n, "name": "x"}));
        let query = Query::read("%24top=2&$select=id").unwrap();
        let page = query.page(rows(), "c", "http://g/list");
        assert_eq!(page["value"], json!([{"id": 0}, {"id": 1}]));
        let next = page["@odata.nextLink"].as_str().unwrap();
        let (_, text) = next.split_once('?').unwrap();
        let last = Query::read(&text.replace("skiptoken=2", "skiptoken=4")).unwrap();
        let page = last.page(rows(), "c", "http://g/list");
        assert_eq!(page["value"], json!([{"id": 4}]));
        assert_eq!(page["@odata.count"], 5);
        assert!(page.get("@odata.nextLink").is_none());
    }
}
