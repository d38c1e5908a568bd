//! Previews: a report of everything that a search found, of which so much is shown as a preview
//! shows.

use std::collections::HashMap;

use graph::{
    CaseId, SearchId,
    ediscovery::{ExportReport, GetOperation, ListOperations, Work},
    report::{ItemRow, Items},
};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde_json::Value;

use super::{GraphSearch, counts::has_results, purge::row, view};
use crate::{
    dates,
    ports::{Action, ActionKind, Said, SearchState, Shown, ShownItem},
};

/// Rows of a mailbox that are shown, and rows in all: as many as a preview always had.
const PER_MAILBOX: usize = 100;
const IN_ALL: usize = 1000;

impl GraphSearch {
    pub(super) async fn start_preview(&self, name: &str) -> Result<Said, Failure> {
        let (case, found) = self.needed(name).await?;
        let report = ExportReport {
            case: case.clone(),
            search: found.id.clone(),
            name: report_name(name),
        };
        let accepted = self.graph.start(&case, &report).await?;
        self.known().previews.insert(found.id, accepted.operation);
        Ok(Vec::new())
    }

    /// The newest report of the search as a preview, unless the search ran again since: then there
    /// is none.
    pub(super) async fn preview(&self, name: &str) -> Result<Option<Action>, Failure> {
        let Some((case, work)) = self.current(name).await? else {
            return Ok(None);
        };
        let mut state = view::state(Some(&work));
        let mut shown = None;
        if has_results(&work) {
            match work.files.first() {
                Some(_) => shown = Some(self.shown(&work).await?),
                None => state = SearchState::Running("Publishing".to_owned()),
            }
        }
        Ok(Some(Action {
            name: format!("{name}{}", ActionKind::Preview.suffix()),
            identity: Some(work.id.to_string()),
            state,
            results: None,
            created_at: work.created_at,
            created_by: None,
            ended_at: work.ended_at,
            errors: view::errors(&work),
            warnings: Vec::new(),
            claim: crate::ports::Claim::Recorded,
            recount: None,
            raw: row(name, &case, &work, "Preview"),
            shown,
        }))
    }

    /// The newest report of the search, unless the search ran again since.
    pub(super) async fn current_report(&self, name: &str) -> Result<Option<Work>, Failure> {
        Ok(self.current(name).await?.map(|(_, work)| work))
    }

    async fn current(&self, name: &str) -> Result<Option<(CaseId, Work)>, Failure> {
        let Some((case, found)) = self.found(name).await? else {
            return Ok(None);
        };
        let work = self.newest_report(&case, &found.id, name).await?;
        let began = found
            .last_estimate
            .as_ref()
            .and_then(|last| last.created_at);
        let outdated = |work: &Work| {
            work.created_at
                .zip(began)
                .is_some_and(|(made, ran)| made < ran)
        };
        let Some(work) = work.filter(|work| !outdated(work)) else {
            return Ok(None);
        };
        self.known()
            .previews
            .insert(found.id.clone(), work.id.clone());
        Ok(Some((case, work)))
    }

    /// The report that this process made last, or the newest of that name in the case.
    async fn newest_report(
        &self,
        case: &CaseId,
        search: &SearchId,
        name: &str,
    ) -> Result<Option<Work>, Failure> {
        let known = self.known().previews.get(search).cloned();
        if let Some(operation) = known {
            let get = GetOperation {
                case: case.clone(),
                operation,
            };
            return match self.graph.send(&get).await {
                Ok(answer) => Ok(Some(answer.value)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        let list = ListOperations { case: case.clone() };
        let wanted = report_name(name);
        let works = self.graph.all(&list).await?;
        let of = |work: &Work| {
            let named = work.raw.get("displayName").and_then(Value::as_str);
            work.action == "exportReport" && named == Some(wanted.as_str())
        };
        let ours = works.into_iter().filter(of);
        Ok(ours.max_by_key(|work| work.created_at))
    }

    async fn shown(&self, work: &Work) -> Result<Shown, Failure> {
        let file = work
            .files
            .first()
            .ok_or_else(|| Failure::internal("a report without a file"))?;
        let mut shown = Shown::default();
        let mut kept: HashMap<String, usize> = HashMap::new();
        let mut each = |row: ItemRow| {
            shown.total += 1;
            if shown.rows.len() >= IN_ALL {
                return;
            }
            let mailbox = row.mailbox.clone().unwrap_or_default();
            let count = kept.entry(mailbox.to_lowercase()).or_default();
            if *count < PER_MAILBOX {
                *count += 1;
                shown.rows.push(item(row, mailbox));
            }
        };
        let mut reader = Items::new(&mut each);
        self.graph.fetch(file, &mut reader).await?;
        let told = reader.told().clone();
        if told.unread > 0 {
            return Err(Failure::new(
                ErrorKind::Protocol,
                code::UNPARSED_ROWS,
                format!(
                    "{} of {} rows of the report could not be read, the first: {}",
                    told.unread,
                    told.rows,
                    escape::clipped(&told.first_unread.unwrap_or_default(), 200)
                ),
            )
            .status(502)
            .happened(Happened::Unreadable));
        }
        Ok(shown)
    }
}

/// The name under which the service lists the report.
fn report_name(name: &str) -> String {
    format!("{name}{}", ActionKind::Preview.suffix())
}

fn item(row: ItemRow, mailbox: String) -> ShownItem {
    let received = row.received.unwrap_or_default();
    let at = received.parse::<jiff::Timestamp>().ok();
    ShownItem {
        mailbox,
        sender: row.sender.unwrap_or_default(),
        subject: row.subject,
        kind: row.kind.unwrap_or_default(),
        size: row.size.unwrap_or(0),
        received: at.map_or(received, dates::show),
        message_id: row.message_id,
    }
}
