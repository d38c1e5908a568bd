//! The OData-flavoured envelope: rows with their annotations, warnings, errors in their forms.

use serde_json::{Map, Value, json};

use crate::{
    clock::seven_digits,
    cmdlet::{Cell, Refusal, Row, Stage},
    options::{DetailsForm, Settings},
};

/// What a read that was cut says about it.
pub(crate) const MORE: &str = "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.";

/// What goes into the body of a 200.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) rows: &'a [Row],
    /// The names in `$select`, when it was given.
    pub(crate) select: Option<Vec<String>>,
    pub(crate) warnings: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) next: Option<String>,
    pub(crate) confirmation: Option<String>,
}

/// The body of a 200.
pub(crate) fn success(base: &str, tenant: &str, page: &Page<'_>) -> Value {
    let mut body = Map::new();
    let context =
        format!("{base}/adminapi/beta/{tenant}/$metadata#Collection(Exchange.GenericHashTable)");
    body.insert("@odata.context".into(), context.into());
    if let Some(next) = &page.next {
        body.insert("@odata.nextLink".into(), next.as_str().into());
    }
    body.insert(
        "adminapi.warnings@odata.type".into(),
        "#Collection(String)".into(),
    );
    body.insert("@adminapi.warnings".into(), json!(page.warnings));
    if !page.errors.is_empty() {
        body.insert(
            "adminapi.errors@odata.type".into(),
            "#Collection(String)".into(),
        );
        body.insert("@adminapi.errors".into(), json!(page.errors));
    }
    if let Some(text) = &page.confirmation {
        body.insert("@adminapi.confirmationmessage".into(), text.as_str().into());
    }
    let rows = page
        .rows
        .iter()
        .map(|row| written(row, page.select.as_deref()))
        .collect();
    body.insert("value".into(), Value::Array(rows));
    Value::Object(body)
}

fn written(row: &Row, select: Option<&[String]>) -> Value {
    let mut out = Map::new();
    for (name, cell) in &row.0 {
        let wanted =
            select.is_none_or(|names| names.iter().any(|one| one.eq_ignore_ascii_case(name)));
        if !wanted {
            continue;
        }
        let mut note = |kind: &str, text: &str| {
            out.insert(format!("{name}@{kind}.type"), text.into());
        };
        let value = match cell {
            Cell::Plain(value) => value.clone(),
            Cell::Guid(id) => {
                note("data", "System.Guid");
                note("odata", "#Guid");
                id.to_string().into()
            }
            Cell::Int16(number) => {
                note("data", "System.Int16");
                note("odata", "#Int16");
                (*number).into()
            }
            Cell::Int32(number) => {
                note("data", "System.Int32");
                (*number).into()
            }
            Cell::Utc(at) => {
                note("data", "System.DateTime");
                seven_digits(*at, "Z").into()
            }
            Cell::Local(at) => {
                note("data", "System.DateTime");
                seven_digits(*at, "+00:00").into()
            }
            Cell::List(list) => {
                note("odata", "#Collection(String)");
                json!(list)
            }
        };
        out.insert((*name).to_owned(), value);
    }
    Value::Object(out)
}

/// The status and body of a refusal.
pub(crate) fn refusal(refusal: &Refusal, settings: &Settings) -> (u16, Value) {
    let status = if refusal.status == 404 {
        settings.not_found_status
    } else {
        refusal.status
    };
    let message = match refusal.stage {
        Stage::Binding => "Invalid Operation",
        Stage::Cmdlet => "Error executing cmdlet",
    };
    let transformed = refusal
        .exception
        .ends_with("ParameterTransformationException");
    let bare =
        refusal.stage == Stage::Binding && (transformed || refusal.exception == "System.Exception");
    let mut error = Map::new();
    error.insert("code".into(), code(status).into());
    error.insert("message".into(), message.into());
    if !bare {
        error.insert(
            "details".into(),
            json!([details(refusal, settings.details)]),
        );
    }
    let mut inner = json!({
        "message": message,
        "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
        "stacktrace": "",
    });
    if refusal.stage == Stage::Binding
        && let Some(object) = inner.as_object_mut()
    {
        let internal =
            json!({"message": refusal.text, "type": refusal.exception, "stacktrace": ""});
        object.insert("internalexception".into(), internal);
    }
    error.insert("innererror".into(), inner);
    error.insert(
        "adminapi.warnings@odata.type".into(),
        "#Collection(String)".into(),
    );
    error.insert("@adminapi.warnings".into(), json!([]));
    (status, json!({ "error": error }))
}

/// The error code that goes with a status.
pub(crate) fn code(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        429 => "TooManyRequests",
        _ => "InternalServerError",
    }
}

fn details(refusal: &Refusal, form: DetailsForm) -> Value {
    let exists = refusal
        .exception
        .ends_with("ADObjectAlreadyExistsException");
    let form = match form {
        DetailsForm::Natural if exists => DetailsForm::Json,
        DetailsForm::Natural => DetailsForm::Bars,
        other => other,
    };
    let (kind, message) = match form {
        DetailsForm::Json => (
            "Context",
            json!({
                "Message": refusal.text, "TypeName": refusal.exception,
                "StackTrace": null, "InnerError": null,
            })
            .to_string(),
        ),
        DetailsForm::Plain => ("Client", refusal.text.clone()),
        DetailsForm::Bars | DetailsForm::Natural => {
            let id = if refusal.status == 404 {
                "Ex6F9304"
            } else {
                ""
            };
            (
                "Client",
                format!("{id}|{}|{}", refusal.exception, refusal.text),
            )
        }
    };
    json!({"code": kind, "target": "", "message": message})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_annotated_as_recorded() {
        let id = uuid::Uuid::from_u128(7);
        let row = Row::default()
            .with("Guid", Cell::Guid(id))
            .with("Count", Cell::Int32(3))
            .with("Names", Cell::List(vec!["a".into()]))
            .with("At", Cell::Utc("2026-01-02T03:04:05Z".parse().unwrap()))
            .plain("Free", "x");
        let text = written(&row, None).to_string();
        assert_eq!(
            text,
            format!(
                "{{\"Guid@data.type\":\"System.Guid\",\"Guid@odata.type\":\"#Guid\",\
                 \"Guid\":\"{id}\",\"Count@data.type\":\"System.Int32\",\"Count\":3,\
                 \"Names@odata.type\":\"#Collection(String)\",\"Names\":[\"a\"],\
                 \"At@data.type\":\"System.DateTime\",\"At\":\"2026-01-02T03:04:05.0000000Z\",\
                 \"Free\":\"x\"}}"
            )
        );
        let select = ["free".to_owned()];
        assert_eq!(written(&row, Some(&select)), json!({"Free": "x"}));
    }

    fn recorded(name: &str) -> Value {
        let text = include_str!("../../../tests/data/wire/errors.json");
        serde_json::from_str::<Value>(text).unwrap()[name]["body"].clone()
    }

    #[test]
    fn a_bad_enumeration_value_is_refused_as_recorded() {
        let wanted = recorded("400_invalid_enum_value__LIVE_2026-07-23");
        let text = wanted["error"]["innererror"]["internalexception"]["message"]
            .as_str()
            .unwrap();
        let made = Refusal::binding(
            "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterTransformationException",
            text,
        );
        assert_eq!(refusal(&made, &Settings::default()), (400, wanted));
    }

    #[test]
    fn the_three_forms_of_details() {
        let missing = Refusal::not_found("gone");
        let message = |form| {
            let settings = Settings {
                details: form,
                ..Settings::default()
            };
            refusal(&missing, &settings).1["error"]["details"][0]["message"].clone()
        };
        let kind = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException";
        assert_eq!(
            message(DetailsForm::Natural),
            format!("Ex6F9304|{kind}|gone")
        );
        assert_eq!(message(DetailsForm::Plain), "gone");
        let inner: Value =
            serde_json::from_str(message(DetailsForm::Json).as_str().unwrap()).unwrap();
        assert_eq!(inner["TypeName"], kind);
    }
}
