//! Mail searches over the compliance cmdlets of Security & Compliance.

use std::sync::Arc;

use async_trait::async_trait;
use exchange::{
    CallError, Cmdlet, Identity, Row, Values,
    cmdlet::{
        self, GetComplianceSearch, GetComplianceSearchAction, NewComplianceSearch,
        NewComplianceSearchAction, PurgeType, RemoveComplianceSearchAction, SearchAction,
        StartComplianceSearch,
    },
    texts,
};
use kernel::{ErrorKind, Failure, failure::code};

use super::{
    Action, ActionKind, Cmdlets, ContentSearch, DeleteType, Locations, MailboxHits, NewSearch,
    Said, Search, SearchState,
};
use crate::blocklist::unchanged;

/// The classic way: content search by cmdlet.
pub struct ClassicSearch {
    cmdlets: Arc<dyn Cmdlets>,
}

impl ClassicSearch {
    /// Searches through these cmdlets.
    pub fn new(cmdlets: Arc<dyn Cmdlets>) -> Self {
        Self { cmdlets }
    }

    /// The one row of an answer that bears the name asked for. Some cmdlets answer with everything
    /// when they do not understand whom they are asked about.
    async fn one(&self, call: exchange::Call, name: &str) -> Result<Option<(Row, Said)>, Failure> {
        let reply = match self.cmdlets.call(&call).await {
            Ok(reply) => reply,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.failure()),
        };
        if reply.rows.is_empty() {
            return Ok(None);
        }
        let is_asked = |row: &Row| {
            row.text("Name")
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        let row = reply.rows.into_iter().find(is_asked).ok_or_else(|| {
            Failure::new(
                ErrorKind::Protocol,
                code::UNREADABLE_ANSWER,
                format!(
                    "the service was asked for `{}` and answered with something else",
                    kernel::escape::clipped(name, 120)
                ),
            )
            .status(502)
        })?;
        Ok(Some((row, reply.warnings)))
    }

    async fn change(&self, call: exchange::Call) -> Result<Said, Failure> {
        match self.cmdlets.call(&call).await {
            // None of these changes an object that may be so already: a call that changed nothing
            // is a refusal, unless an earlier sending of it did the work.
            Ok(reply) if !reply.repeated => unchanged(&reply).map_or(Ok(reply.warnings), Err),
            Ok(reply) => Ok(reply.warnings),
            Err(error) => Err(CallError::failure(&error)),
        }
    }
}

fn search_of(row: &Row, warnings: Said) -> Search {
    let view = cmdlet::Search(row);
    let text = |text: Option<&str>| text.map(str::to_owned).filter(|text| !text.is_empty());
    let count = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let locations = match view.locations() {
        all if all.iter().any(|one| one.eq_ignore_ascii_case("All")) => Some(Locations::All),
        some if some.is_empty() => None,
        some => Some(Locations::Mailboxes(some)),
    };
    let counts = texts::success_results(row);
    Search {
        name: view.name().unwrap_or_default().to_owned(),
        identity: text(view.identity()),
        query: view.query().unwrap_or_default().to_owned(),
        locations,
        state: SearchState::read(view.status().unwrap_or_default()),
        items: count(view.items()),
        size: count(view.size()),
        unindexed: count(view.unindexed_items()),
        mailboxes: counts
            .rows
            .into_iter()
            .filter(|one| one.items > 0)
            .map(|one| MailboxHits {
                location: one.location,
                items: one.items,
                size: one.size,
            })
            .collect(),
        unread_counts: counts.unparsed,
        unread_report: None,
        searched: row
            .number("NumBindings")
            .and_then(|n| u64::try_from(n).ok()),
        created_by: text(view.created_by()),
        changed_at: view.modified(),
        started_at: view.started(),
        ended_at: view.ended(),
        errors: text(view.errors()),
        warnings,
        raw: row.to_value(),
    }
}

fn action_of(row: &Row, warnings: Said) -> Action {
    let view = SearchAction(row);
    let text = |text: Option<&str>| text.map(str::to_owned).filter(|text| !text.is_empty());
    Action {
        name: view.name().unwrap_or_default().to_owned(),
        identity: text(view.identity()),
        state: SearchState::read(view.status().unwrap_or_default()),
        results: text(view.results()),
        created_at: view.created(),
        created_by: text(view.created_by()),
        ended_at: view.ended(),
        errors: text(view.errors()),
        warnings,
        shown: None,
        claim: crate::ports::Claim::Recorded,
        recount: None,
        raw: row.to_value(),
    }
}

#[async_trait]
impl ContentSearch for ClassicSearch {
    fn path(&self) -> (&'static str, &'static str) {
        (
            "compliance",
            "this connection has no Microsoft Graph, so content search goes by cmdlet",
        )
    }

    async fn find(&self, name: &str) -> Result<Option<Search>, Failure> {
        let call = GetComplianceSearch {
            identity: Identity::new(name)?,
        }
        .call();
        let found = self.one(call, name).await?;
        Ok(found.map(|(row, said)| search_of(&row, said)))
    }

    async fn create(&self, search: &NewSearch) -> Result<Said, Failure> {
        let locations = match &search.locations {
            Locations::All => cmdlet::Locations::All,
            Locations::Mailboxes(list) => cmdlet::Locations::Mailboxes(Values::new(list.clone())?),
        };
        let cmdlet = NewComplianceSearch {
            name: Identity::new(search.name.as_str())?,
            query: Identity::new(search.query.as_str())?,
            locations,
            description: search.description.clone(),
        };
        self.change(cmdlet.call()).await
    }

    async fn run(&self, name: &str) -> Result<Said, Failure> {
        let cmdlet = StartComplianceSearch {
            identity: Identity::new(name)?,
        };
        self.change(cmdlet.call()).await
    }

    async fn make_preview(&self, name: &str) -> Result<Said, Failure> {
        let cmdlet = NewComplianceSearchAction {
            search: Identity::new(name)?,
            kind: cmdlet::ActionKind::Preview,
        };
        self.change(cmdlet.call()).await
    }

    async fn make_purge(&self, name: &str, delete: DeleteType) -> Result<Said, Failure> {
        let kind = match delete {
            DeleteType::SoftDelete => PurgeType::SoftDelete,
            DeleteType::HardDelete => PurgeType::HardDelete,
        };
        let cmdlet = NewComplianceSearchAction {
            search: Identity::new(name)?,
            kind: cmdlet::ActionKind::Purge(kind),
        };
        self.change(cmdlet.call()).await
    }

    async fn action(&self, name: &str, kind: ActionKind) -> Result<Option<Action>, Failure> {
        let action = format!("{name}{}", kind.suffix());
        let call = GetComplianceSearchAction {
            identity: Identity::new(action.as_str())?,
        }
        .call();
        let found = self.one(call, &action).await?;
        Ok(found.map(|(row, said)| action_of(&row, said)))
    }

    async fn remove_action(&self, name: &str, kind: ActionKind) -> Result<Said, Failure> {
        let action = format!("{name}{}", kind.suffix());
        let cmdlet = RemoveComplianceSearchAction {
            identity: Identity::new(action)?,
        };
        self.change(cmdlet.call()).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{self, FakeCmdlets};

    fn search(cmdlets: &Arc<FakeCmdlets>) -> ClassicSearch {
        ClassicSearch::new(Arc::clone(cmdlets) as Arc<dyn Cmdlets>)
    }

    #[tokio::test]
    async fn a_search_is_read_by_name_with_its_counts() {
        let cmdlets = FakeCmdlets::new(|_| {
            fake::rows([json!({
                "Name": "Case", "Identity": "guid", "Status": "Completed", "ContentMatchQuery": "x",
                "ExchangeLocation": ["All"], "Items": 3, "Size": 9, "UnindexedItems": 2,
                "NumBindings": 60, "JobStartTime": "2020-11-29T07:20:59.37",
                "SuccessResults": "{Location: a@x, Item count: 3, Total size: 9}\n{Location: b@x, Item count: 0, Total size: 0}"
            })])
        });
        let found = search(&cmdlets).find("case").await.unwrap().unwrap();
        assert_eq!(found.state, SearchState::Completed);
        assert_eq!(found.locations, Some(Locations::All));
        assert_eq!(
            (found.items, found.unindexed, found.searched),
            (3, 2, Some(60))
        );
        assert_eq!(found.mailboxes.len(), 1, "only mailboxes with hits");
        assert!(found.started_at.is_some());
        let calls = cmdlets.calls.lock().unwrap();
        assert_eq!(calls[0].parameters["Identity"], "case");
    }

    #[tokio::test]
    async fn another_search_than_was_asked_for_is_no_answer() {
        let cmdlets = FakeCmdlets::new(|_| fake::rows([json!({"Name": "other"})]));
        let failure = search(&cmdlets).find("case").await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Protocol);
        let none = FakeCmdlets::new(|_| Err(fake::not_found()));
        assert_eq!(search(&none).find("case").await, Ok(None));
        assert!(
            search(&none).find(" ").await.is_err(),
            "an empty name is never sent"
        );
        assert_eq!(none.calls.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn each_change_is_one_call_and_its_warnings_come_back() {
        let cmdlets = FakeCmdlets::new(|_| fake::warned("mind this"));
        let port = search(&cmdlets);
        let new = NewSearch {
            name: "case".to_owned(),
            query: "from:evil".to_owned(),
            locations: Locations::Mailboxes(vec!["a@x.example".to_owned()]),
            description: None,
            made_up: false,
        };
        assert_eq!(port.create(&new).await.unwrap(), ["mind this"]);
        port.run("case").await.unwrap();
        port.make_preview("case").await.unwrap();
        port.make_purge("case", DeleteType::HardDelete)
            .await
            .unwrap();
        port.remove_action("case", ActionKind::Preview)
            .await
            .unwrap();
        assert_eq!(
            cmdlets.names(),
            [
                "New-ComplianceSearch",
                "Start-ComplianceSearch",
                "New-ComplianceSearchAction",
                "New-ComplianceSearchAction",
                "Remove-ComplianceSearchAction"
            ]
        );
        let calls = cmdlets.calls.lock().unwrap();
        assert_eq!(calls[3].parameters["PurgeType"], "HardDelete");
        assert_eq!(calls[4].parameters["Identity"], "case_Preview");
    }

    #[tokio::test]
    async fn an_answer_that_nothing_was_changed_is_a_refusal() {
        let text =
            "The command completed successfully but no settings of 'case' have been modified.";
        let cmdlets = FakeCmdlets::new(move |_| fake::warned(text));
        let failure = search(&cmdlets).run("case").await.unwrap_err();
        assert_eq!(
            (&failure.code, failure.message.as_str()),
            (&code::REFUSED, text)
        );
        assert!(!failure.may_have_taken_effect());
        // A repeat that has nothing left to do says nothing about the first sending.
        let repeated = FakeCmdlets::new(move |_| {
            fake::warned(text).map(|reply| exchange::Reply {
                repeated: true,
                ..reply
            })
        });
        assert_eq!(search(&repeated).run("case").await.unwrap(), [text]);
    }

    #[tokio::test]
    async fn a_lost_change_may_have_been_made() {
        let cmdlets = FakeCmdlets::new(|_| Err(fake::lost()));
        let purge = search(&cmdlets)
            .make_purge("case", DeleteType::SoftDelete)
            .await;
        assert!(purge.unwrap_err().may_have_taken_effect());
    }
}
