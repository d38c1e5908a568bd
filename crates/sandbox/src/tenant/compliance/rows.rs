//! The rows that the cmdlets answer with.

use serde_json::Value;

use super::{
    action::Action,
    run::Status,
    search::{Search, address},
    text::success_line,
};
use crate::{
    cmdlet::{Cell, Row},
    tenant::company::Company,
};
use jiff::Timestamp;

fn time(at: Option<Timestamp>) -> Cell {
    at.map_or(Cell::Plain(Value::Null), Cell::Utc)
}

fn list(values: &[String], whole: bool) -> Cell {
    if whole && !values.is_empty() {
        Cell::List(values.to_vec())
    } else {
        Cell::Plain(Value::Null)
    }
}

fn count(number: u64) -> Cell {
    i32::try_from(number).map_or_else(|_| Cell::Plain(number.into()), Cell::Int32)
}

/// A search. Without an identity asked for (`whole` false) counts, results and locations are left
/// out, as the cmdlet does.
pub(super) fn search(search: &Search, company: &Company, now: Timestamp, whole: bool) -> Row {
    let run = search.run.as_ref();
    let status = search.status(now);
    let done = run.filter(|_| whole && status == Status::Completed);
    let snapshot = done.map(|run| &run.snapshot);
    let errors = run.map(|run| {
        let failed = status == Status::Failed;
        let missing = run.snapshot.missing.iter().filter(|_| failed);
        missing
            .map(|name| format!("The location '{name}' couldn't be found."))
            .collect::<Vec<_>>()
            .join("\n")
    });
    let null = Value::Null;
    Row::default()
        .plain(
            "AllowNotFoundExchangeLocationsEnabled",
            search.locations.allow_not_found,
        )
        .plain("AzureBatchFrameworkEnabled", false)
        .plain("CaseId", null.clone())
        .plain("CaseName", "")
        .plain("ContentMatchQuery", search.text.as_str())
        .plain("CreatedBy", search.created_by.as_str())
        .with("CreatedTime", Cell::Utc(search.created))
        .plain("Description", search.description.as_str())
        .plain("Errors", errors)
        .with("ExchangeLocation", list(&search.locations.names, whole))
        .with(
            "ExchangeLocationExclusion",
            if whole {
                Cell::List(search.locations.excluded.clone())
            } else {
                Cell::Plain(Value::Null)
            },
        )
        .with("Identity", Cell::Guid(search.id))
        .plain("IsValid", true)
        .with(
            "Items",
            count(snapshot.map_or(0, super::run::Snapshot::items)),
        )
        .with("JobEndTime", time(run.and_then(|run| run.ended(now))))
        .with("JobId", Cell::Guid(search.job_id))
        .with(
            "JobRunId",
            run.map_or(Cell::Plain(Value::Null), |run| Cell::Guid(run.id)),
        )
        .with("JobStartTime", time(run.map(|run| run.started)))
        .with("LastModifiedTime", Cell::Utc(search.modified))
        .plain("LogLevel", "Suppressed")
        .plain("Name", search.name.as_str())
        .with(
            "NumBindings",
            count(snapshot.map_or(0, |s| u64::try_from(s.hits.len()).unwrap_or(0))),
        )
        .plain("OneDriveLocation", null.clone())
        .plain("OneDriveLocationExclusion", null.clone())
        .with(
            "PublicFolderLocation",
            list(&search.locations.public_folders, whole),
        )
        .plain("PublicFolderLocationExclusion", null.clone())
        .plain("RunBy", run.map_or("", |run| run.by.as_str()))
        .plain("RunspaceId", null.clone())
        .with(
            "SharePointLocation",
            list(&search.locations.sharepoint, whole),
        )
        .plain("SharePointLocationExclusion", null)
        .plain("Size", snapshot.map_or(0, super::run::Snapshot::size))
        .plain("Status", status.word())
        .plain(
            "SuccessResults",
            snapshot.map(|s| success(search, company, s)),
        )
        .with("TenantId", Cell::Guid(company.tenant_id))
        .with(
            "UnindexedItems",
            count(snapshot.map_or(0, |s| s.unindexed_items)),
        )
        .plain("UnindexedSize", snapshot.map_or(0, |s| s.unindexed_size))
}

/// One line a location: all that were named, or those with hits when everything was searched.
fn success(search: &Search, company: &Company, snapshot: &super::run::Snapshot) -> String {
    let named = !search.locations.all();
    let lines: Vec<String> = snapshot
        .hits
        .iter()
        .filter(|hits| named || !hits.items.is_empty())
        .map(|hits| {
            let size = hits.items.iter().map(|item| item.size).sum();
            success_line(address(company, hits.mailbox), hits.items.len(), size)
        })
        .collect();
    lines.join("\n")
}

/// An action; results and locations only where its identity was asked for, results only once it
/// is completed.
pub(super) fn action(action: &Action, now: Timestamp, whole: bool) -> Row {
    let status = action.status(now);
    let completed = status == Status::Completed;
    let null = Value::Null;
    Row::default()
        .plain("Action", action.kind.word())
        .plain("AllowNotFoundExchangeLocationsEnabled", false)
        .plain("AzureBatchFrameworkEnabled", false)
        .plain("CaseId", null.clone())
        .plain("CaseName", "")
        .plain("CreatedBy", action.by.as_str())
        .with("CreatedTime", Cell::Utc(action.created))
        .plain("Description", "")
        .plain("Errors", "")
        .with("EstimateSearchJobId", Cell::Guid(action.search_job))
        .with("EstimateSearchRunId", Cell::Guid(action.search_run))
        .with("ExchangeLocation", list(&action.locations, whole))
        .plain("ExchangeLocationExclusion", null.clone())
        .with("Identity", Cell::Guid(action.id))
        .plain("IsValid", true)
        .with("JobEndTime", time(completed.then_some(action.ends)))
        .with("JobId", Cell::Guid(action.job_id))
        .with("JobRunId", Cell::Guid(action.run_id))
        .with(
            "JobStartTime",
            time((status != Status::Starting).then_some(action.begins)),
        )
        .with("LastModifiedTime", Cell::Utc(action.created))
        .plain("Name", action.name.as_str())
        .plain("PublicFolderLocation", null.clone())
        .plain("PublicFolderLocationExclusion", null.clone())
        .plain(
            "Results",
            (whole && completed).then(|| action.results.clone()),
        )
        .plain("Retry", action.retry())
        .plain("RunBy", action.by.as_str())
        .plain("RunspaceId", null.clone())
        .plain("SearchName", action.search.as_str())
        .plain("SharePointLocation", null.clone())
        .plain("SharePointLocationExclusion", null)
        .plain("Status", status.word())
        .with("TenantId", Cell::Guid(action.tenant))
}
