//! The rows of Graph: cases, sources, searches, operations.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Ask, download, report};
use crate::{
    clock::seven_digits,
    tenant::ediscovery::{Actor, Case, Kind, Operation, Search, Source},
};

/// The instant of the built-in case.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// The account of the service that runs estimates, as it stands in them.
const RUNNER: &str = "0d38933a-0bbd-41ca-9ebd-28c4b5ba7cb7";
/// The largest member of an enumeration that a request without a preference gets.
const MASK: &str = "unknownFutureValue";

/// With milliseconds.
pub(super) fn millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn ticks(at: Timestamp) -> String {
    seven_digits(at, "Z")
}

/// An identity set.
pub(super) fn identity(actor: Option<&Actor>) -> Value {
    let Some(actor) = actor else {
        return Value::Null;
    };
    match &actor.app {
        Some(name) => json!({
            "user": null,
            "application": {"id": actor.name, "displayName": name},
        }),
        None => json!({
            "user": {
                "id": actor.object_id, "displayName": null, "userPrincipalName": actor.name,
            },
            "application": null,
        }),
    }
}

/// A case; a row of a list (`whole` false) leaves out who closed and changed it.
pub(super) fn case(case: &Case, whole: bool) -> Value {
    let at = |at: Option<Timestamp>| at.map_or_else(|| NEVER.to_owned(), millis);
    let mut row = json!({
        "description": case.description,
        "lastModifiedDateTime": at(case.modified),
        "status": case.status.word(),
        "closedDateTime": case.closed.map(millis),
        "externalId": case.external_id,
        "id": case.id.to_string(),
        "displayName": case.display_name,
        "createdDateTime": at(case.created),
    });
    if whole && let Some(object) = row.as_object_mut() {
        let identities = [
            ("lastModifiedBy", &case.modified_by),
            ("closedBy", &case.closed_by),
        ];
        for (name, actor) in identities {
            object.insert(name.to_owned(), identity(actor.as_ref()));
        }
    }
    row
}

/// A source of a case; what is behind it stands there only when it was asked for.
pub(super) fn source(source: &Source, expanded: bool, now: Timestamp) -> Value {
    let mut row = json!({
        "id": source.id,
        "displayName": source.display_name,
        "status": source.status(now),
        "createdDateTime": ticks(source.created),
        "lastModifiedDateTime": ticks(source.created),
        "releasedDateTime": null,
        "holdStatus": "notApplied",
    });
    if expanded && let Some(object) = row.as_object_mut() {
        object.insert("dataSource".to_owned(), data_source(source));
    }
    row
}

/// A user's or a site's source as such.
pub(super) fn data_source(source: &Source) -> Value {
    let head = json!({
        "displayName": source.display_name,
        "createdDateTime": millis(source.created),
        "holdStatus": "notApplied",
        "id": source.id,
        "createdBy": identity(Some(&source.by)),
    });
    let Value::Object(mut row) = head else {
        return head;
    };
    let more = match &source.site {
        Some(url) => [
            ("@odata.type", json!("#microsoft.graph.security.siteSource")),
            ("siteWebUrl", json!(url)),
            ("email", Value::Null),
        ],
        None => [
            ("@odata.type", json!("#microsoft.graph.security.userSource")),
            ("email", json!(source.email)),
            ("includedSources", json!(source.included)),
        ],
    };
    for (name, value) in more {
        row.insert(name.to_owned(), value);
    }
    Value::Object(row)
}

/// A search.
pub(super) fn search(search: &Search) -> Value {
    json!({
        "dataSourceScopes": search.scope.word(),
        "description": search.description,
        "lastModifiedDateTime": ticks(search.modified),
        "contentQuery": search.text,
        "id": search.id.to_string(),
        "displayName": search.display_name,
        "createdDateTime": ticks(search.created),
        "lastModifiedBy": identity(search.modified_by.as_ref()),
        "createdBy": identity(Some(&search.by)),
    })
}

/// An operation. It says nothing of the search it belongs to.
pub(super) fn operation(ask: &Ask<'_>, operation: &Operation, typed: bool) -> Value {
    let now = ask.now;
    let (type_name, action) = match operation.kind {
        Kind::Estimate { .. } => ("ediscoveryEstimateOperation", "estimateStatistics"),
        Kind::Purge { .. } => ("ediscoveryPurgeDataOperation", masked(ask, "purgeData")),
        Kind::Report { .. } => (
            "ediscoverySearchExportOperation",
            masked(ask, "exportReport"),
        ),
    };
    // An estimate names the service's own account, a purge nobody.
    let by = match operation.kind {
        Kind::Estimate { .. } => json!({
            "application": null,
            "user": {"id": RUNNER, "displayName": null, "userPrincipalName": null},
        }),
        Kind::Purge { .. } => Value::Null,
        Kind::Report { .. } => identity(Some(&operation.by)),
    };
    let mut row = json!({
        "createdDateTime": ticks(operation.created),
        "completedDateTime": operation.completed(now).map(ticks),
        "percentProgress": operation.percent(now),
        "status": operation.status(now).word(),
        "action": action,
        "id": operation.id,
        "createdBy": by,
        "resultInfo": result(operation, now),
    });
    let Some(object) = row.as_object_mut() else {
        return row;
    };
    if typed {
        let name = format!("#microsoft.graph.security.{type_name}");
        object.shift_insert(0, "@odata.type".to_owned(), name.into());
    }
    for (name, value) in details(ask, operation) {
        object.insert(name.to_owned(), value);
    }
    row
}

fn masked(ask: &Ask<'_>, action: &'static str) -> &'static str {
    if ask.unmasked { action } else { MASK }
}

/// What went wrong.
fn result(operation: &Operation, now: Timestamp) -> Value {
    use crate::tenant::ediscovery::Status;
    match operation.status(now) {
        Status::Failed => json!({
            "code": 500, "subcode": 0,
            "message": "The operation failed in the backend. Please try again.",
        }),
        Status::SubmissionFailed => json!({
            "code": 503, "subcode": 0,
            "message": "The operation could not be submitted.",
        }),
        Status::PartiallySucceeded => json!({
            "code": 206, "subcode": 0,
            "message": "Some locations could not be processed.",
        }),
        _ => Value::Null,
    }
}

/// What belongs to one kind of operation.
fn details(ask: &Ask<'_>, operation: &Operation) -> Vec<(&'static str, Value)> {
    let done = operation.has_results(ask.now);
    match &operation.kind {
        Kind::Estimate { options, .. } => {
            let found = &operation.findings;
            let (items, size) = found.total();
            let number = |value: u64| json!(if done { value } else { 0 });
            vec![
                ("indexedItemCount", number(items)),
                ("indexedItemsSize", number(size)),
                ("unindexedItemCount", number(found.unindexed_items)),
                ("unindexedItemsSize", number(found.unindexed_size)),
                (
                    "mailboxCount",
                    json!(if done { found.with_hits() } else { 0 }),
                ),
                ("siteCount", json!(0)),
                ("statisticsOptions", json!(options)),
                ("reportFileMetadata", files(ask, operation)),
            ]
        }
        Kind::Purge { .. } => vec![("reportFileMetadata", json!([]))],
        Kind::Report {
            display_name,
            description,
            options,
            ..
        } => vec![
            ("displayName", json!(display_name)),
            ("description", json!(description)),
            ("additionalOptions", json!(options)),
            ("exportFileMetadata", files(ask, operation)),
        ],
    }
}

/// The files of an operation that is through; the list may come later than the end.
fn files(ask: &Ask<'_>, operation: &Operation) -> Value {
    if !operation.has_results(ask.now) || ask.now < operation.files_from {
        return json!([]);
    }
    let form = ask.tenant.ediscovery.rules.csv;
    let file = report::file(operation, &ask.tenant.company, form);
    json!([{
        "fileName": report::name(operation),
        "size": file.len(),
        "downloadUrl": download::link(&ask.entrance.download, &operation.id),
    }])
}
