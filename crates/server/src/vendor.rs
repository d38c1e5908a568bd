//! The door in the vendor's shape: a command by its title, a site, parameters by the names of the
//! vendor's page. It hands the same request to the same engine as every other way in.

use axum::response::Response;
use commands::{Definition, input};
use engine::{RunRequest, Way};
use kernel::{Failure, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{RunRow, Scope, State};

use crate::{
    body,
    dispatch::Call,
    reply,
    runs::{self, Order},
};

/// The group of the door's one operation.
pub(crate) const GROUP: &str = "vendor";
/// The commands for which the vendor's page knows `Partially Successful`.
const PARTIAL: [&str; 3] = [
    "convert-type-of-mailboxes",
    "modify-permission-to-mailbox",
    "release-quarantine-messages",
];
const FAILED: &str = "Failed";
const PARTIALLY: &str = "Partially Successful";

/// A command in the vendor's shape.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VendorBody {
    /// Who asks. It is recorded and grants nothing.
    #[serde(rename = "Username")]
    username: Option<String>,
    /// The site: the name of a connection.
    #[serde(rename = "Site")]
    site: String,
    /// The parameters, by the names of the vendor's page, compared on letters and digits.
    #[serde(rename = "CommandParams", default)]
    params: Map<String, Value>,
}

/// The answer in the vendor's shape.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorAnswer {
    /// Null only when successful: `failureIndicator`, `statusCode`, `message`, and our own `kind`,
    /// `code`, `hint` and `text`.
    error: Option<Map<String, Value>>,
    /// `Successful`, `Partially Successful` or `Failed`; null while the run goes on.
    return_data: Option<String>,
    /// The values that a later step needs.
    key_fields: Map<String, Value>,
    /// One flat object an item or row.
    context_data: Vec<Map<String, Value>>,
    /// The service's rows; null for a token without the scope `raw`.
    raw_data: Value,
    /// The table that a person reads: `title`, `columns`, `rows`.
    result: Value,
}

/// `POST /api/v1/d3/commands/{command}`.
pub(crate) async fn run(call: Call) -> Result<Response, Failure> {
    let body: VendorBody = body::json(&call.body)?;
    let partial = call.query.switch("partially_successful")?;
    let definition = engine::find(call.path("command"))?;
    let input = by_our_names(definition, body.params)?;
    let named = body
        .username
        .map(|name| kernel::escape::clipped(name.trim(), 200))
        .filter(|name| !name.is_empty());
    let made = Order {
        request: RunRequest::new(definition.meta.id, input, body.site),
        origin: call.caller()?.origin(Way::Vendor, named),
        urgent: false,
    };
    let (run, _) = runs::order(&call, made).await?;
    let row = runs::ended(&call, run, call.app.limits.wait).await?;
    let response = if row.state == State::Finished {
        finished(&call, &row, partial).await?
    } else {
        goes_on(&row)?
    };
    Ok(reply::located(response, run))
}

/// The input under our own names.
fn by_our_names(
    definition: &Definition,
    params: Map<String, Value>,
) -> Result<Map<String, Value>, Failure> {
    let mut out = Map::new();
    for (name, value) in params {
        // The vendor sends what was left blank, too; an empty list is still refused.
        if value.is_null() {
            continue;
        }
        let wanted = input::letters(&name);
        let known = definition
            .parameters
            .iter()
            .find(|parameter| input::letters(&parameter.id) == wanted);
        let Some(parameter) = known else {
            let shown = kernel::escape::clipped(&name, 60);
            let ids = || definition.parameters.iter().map(|one| one.id.as_str());
            let hint = input::nearest(&name, ids()).map_or_else(
                || format!("it takes {}", ids().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let text = format!("{} has no parameter `{shown}`", definition.meta.title);
            return Err(Failure::invalid(code::UNKNOWN_PARAMETER, text)
                .arg("parameter", shown)
                .hint(hint));
        };
        if out.insert(parameter.id.clone(), value).is_some() {
            let text = format!("`{}` is given twice", parameter.id);
            return Err(
                Failure::invalid(code::BAD_REQUEST, text).arg("parameter", parameter.id.as_str())
            );
        }
    }
    Ok(out)
}

async fn finished(call: &Call, row: &RunRow, partial: bool) -> Result<Response, Failure> {
    let raw = call.caller()?.has(Scope::Raw);
    if raw {
        runs::read_raw(call, row).await?;
    }
    let mut stored = runs::stored(call, row, raw).await?;
    let mut take = |name: &str| stored.remove(name).unwrap_or(Value::Null);
    let mut verdict = take("return_data");
    if verdict == PARTIALLY && !partial && !PARTIAL.contains(&row.command.as_str()) {
        verdict = FAILED.into();
    }
    let mut out = Map::new();
    out.insert("error".to_owned(), error(&take("error")));
    out.insert("return_data".to_owned(), verdict);
    for name in ["key_fields", "context_data", "raw_data", "result"] {
        out.insert(name.to_owned(), take(name));
    }
    Ok(runs::streamed(call, row, out, raw, camel))
}

/// The parts of an error as the vendor's page names them, and ours.
fn error(error: &Value) -> Value {
    let Some(error) = error.as_object() else {
        return Value::Null;
    };
    let wanted = [
        "failure_indicator",
        "status_code",
        "message",
        "kind",
        "code",
        "hint",
        "text",
    ];
    wanted
        .iter()
        .filter_map(|name| Some((camel(name), error.get(*name)?.clone())))
        .collect::<Map<String, Value>>()
        .into()
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut out, part| {
        let mut letters = part.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
        out
    })
}

/// The run takes longer than a request may: how to go on.
fn goes_on(row: &RunRow) -> Result<Response, Failure> {
    let text = format!(
        "the run goes on: GET /api/v1/runs/{0} says where it stands, and \
         GET /api/v1/runs/{0}/result gives its result",
        row.id
    );
    let answer = VendorAnswer {
        error: None,
        return_data: None,
        key_fields: Map::from_iter([("run_id".to_owned(), json!(row.id))]),
        context_data: Vec::new(),
        raw_data: Value::Null,
        result: json!({
            "title": text,
            "columns": [],
            "rows": [],
        }),
    };
    reply::json(202, &answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_page_are_taken() {
        let definition = engine::find("Start Compliance Content Search").unwrap();
        let given = json!({ "ContentSearchFilter": "from:a", "Search Names": ["x"] });
        let Value::Object(given) = given else {
            unreachable!()
        };
        let ours = by_our_names(definition, given).unwrap();
        assert_eq!(
            Value::Object(ours),
            json!({ "content_search_filter": "from:a", "search_names": ["x"] })
        );
        let wrong = Map::from_iter([("Serch Names".to_owned(), json!("x"))]);
        let refused = by_our_names(definition, wrong).unwrap_err();
        assert_eq!(
            refused.hint.as_deref(),
            Some("did you mean `search_names`?")
        );
        let twice = Map::from_iter([
            ("Search Names".to_owned(), json!("x")),
            ("search_names".to_owned(), json!("y")),
        ]);
        assert!(by_our_names(definition, twice).is_err());
    }

    #[test]
    fn members_are_named_as_the_vendor_names_them() {
        assert_eq!(camel("return_data"), "returnData");
        assert_eq!(camel("error"), "error");
    }
}
