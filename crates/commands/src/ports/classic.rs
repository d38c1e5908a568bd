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
    Search, SearchState,
};

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
    async fn one(&self, call: exchange::Call, name: &str) -> Result<Option<Row>, Failure> {
        let rows = match self.cmdlets.call(&call).await {
            Ok(reply) => reply.rows,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.failure()),
        };
        if rows.is_empty() {
            return Ok(None);
        }
        let is_asked = |row: &Row| {
            row.text("Name")
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        rows.into_iter().find(is_asked).map(Some).ok_or_else(|| {
            Failure::new(
                ErrorKind::Protocol,
                code::UNREADABLE_ANSWER,
                format!(
                    "the service was asked for `{}` and answered with something else",
                    kernel::escape::clipped(name, 120)
                ),
            )
            .status(502)
        })
    }

    async fn change(&self, call: exchange::Call) -> Result<Vec<Row>, Failure> {
        match self.cmdlets.call(&call).await {
            Ok(reply) => Ok(reply.rows),
            Err(error) => Err(CallError::failure(&error)),
        }
    }
}

fn search_of(row: &Row) -> Search {
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
        searched: row
            .number("NumBindings")
            .and_then(|n| u64::try_from(n).ok()),
        created_by: text(view.created_by()),
        changed_at: view.modified(),
        started_at: view.started(),
        ended_at: view.ended(),
        errors: text(view.errors()),
        raw: row.to_value(),
    }
}

fn action_of(row: &Row) -> Action {
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
        raw: row.to_value(),
    }
}

#[async_trait]
impl ContentSearch for ClassicSearch {
    fn path(&self) -> (&'static str, &'static str) {
        (
            "compliance",
            "content search by cmdlet is the one way that is built",
        )
    }

    async fn find(&self, name: &str) -> Result<Option<Search>, Failure> {
        let call = GetComplianceSearch {
            identity: Identity::new(name)?,
        }
        .call();
        Ok(self.one(call, name).await?.as_ref().map(search_of))
    }

    async fn create(&self, search: &NewSearch) -> Result<(), Failure> {
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
        self.change(cmdlet.call()).await.map(|_| ())
    }

    async fn run(&self, name: &str) -> Result<(), Failure> {
        let cmdlet = StartComplianceSearch {
            identity: Identity::new(name)?,
        };
        self.change(cmdlet.call()).await.map(|_| ())
    }

    async fn make_preview(&self, name: &str) -> Result<(), Failure> {
        let cmdlet = NewComplianceSearchAction {
            search: Identity::new(name)?,
            kind: cmdlet::ActionKind::Preview,
        };
        self.change(cmdlet.call()).await.map(|_| ())
    }

    async fn make_purge(&self, name: &str, delete: DeleteType) -> Result<(), Failure> {
        let kind = match delete {
            DeleteType::SoftDelete => PurgeType::SoftDelete,
            DeleteType::HardDelete => PurgeType::HardDelete,
        };
        let cmdlet = NewComplianceSearchAction {
            search: Identity::new(name)?,
            kind: cmdlet::ActionKind::Purge(kind),
        };
        self.change(cmdlet.call()).await.map(|_| ())
    }

    async fn action(&self, name: &str, kind: ActionKind) -> Result<Option<Action>, Failure> {
        let action = format!("{name}{}", kind.suffix());
        let call = GetComplianceSearchAction {
            identity: Identity::new(action.as_str())?,
        }
        .call();
        Ok(self.one(call, &action).await?.as_ref().map(action_of))
    }

    async fn remove_action(&self, name: &str, kind: ActionKind) -> Result<(), Failure> {
        let action = format!("{name}{}", kind.suffix());
        let cmdlet = RemoveComplianceSearchAction {
            identity: Identity::new(action)?,
        };
        self.change(cmdlet.call()).await.map(|_| ())
    }
}
