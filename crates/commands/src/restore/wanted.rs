//! Which copies are meant: message ids and mailboxes, or the hits of a search that its preview
//! lists.

use indicators::{MailboxForm, MailboxIdentity, MessageId};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};

use crate::{
    Item, Tenant,
    ports::{ActionKind, Locations, Search, Shown, ShownItem},
    search::{self, difference},
    values::{Good, Values},
};

/// A copy that is to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The message id, in angle brackets.
    pub message_id: String,
    /// The mailbox, by address.
    pub mailbox: String,
}

/// Where the copies are named.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Each of these messages, in each of these mailboxes.
    Messages(&'a Values, &'a Values),
    /// The hits of a search.
    Search(Purged<'a>),
}

/// A search whose purge is to be taken back.
#[derive(Debug, Clone, Copy)]
pub struct Purged<'a> {
    /// Its name.
    pub name: &'a str,
    /// Only what was in these mailboxes, if any are named.
    pub mailboxes: Option<&'a Values>,
    /// The query that it must still have.
    pub query: Option<&'a str>,
    /// Where it must still look: `All`, or mailboxes.
    pub locations: Option<&'a Values>,
}

/// Every mailbox, as the cmdlets say it.
pub(super) const ALL: &str = "All";

/// The copies, what was refused, and what is to be said.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) good: Vec<Good<Wanted>>,
    pub(super) invalid: Vec<Item>,
    pub(super) warnings: Vec<String>,
}

impl Wanted {
    /// Keyed by the message id, whose case counts, and the mailbox, whose case does not.
    fn good(message_id: &str, mailbox: &str) -> Good<Self> {
        Good {
            key: key(message_id, mailbox),
            input: format!("{message_id} in {mailbox}"),
            value: Self {
                message_id: message_id.to_owned(),
                mailbox: mailbox.to_owned(),
            },
        }
    }

    /// The mailbox of a key.
    pub fn mailbox_of(key: &str) -> Option<&str> {
        key.split_once(SEPARATOR).map(|(mailbox, _)| mailbox)
    }
}

/// No address holds it.
const SEPARATOR: char = '|';

fn key(message_id: &str, mailbox: &str) -> String {
    format!("{}{SEPARATOR}{message_id}", mailbox.to_lowercase())
}

fn message_id(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let parsed = MessageId::parse(text)
        .map_err(|problem| Failure::invalid(code::INVALID_MESSAGE_ID, problem.to_string()))?;
    let canonical = parsed.canonical();
    Ok((canonical.clone(), canonical, None))
}

fn mailbox(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let parsed = MailboxIdentity::parse(text)
        .map_err(|problem| Failure::invalid(code::INVALID_MAILBOX, problem.to_string()))?;
    if parsed.form() != MailboxForm::Address {
        let shown = escape::clipped(text, 120);
        let text = format!("`{shown}` is no address, and Microsoft Graph knows mailboxes by it");
        return Err(Failure::invalid(code::INVALID_MAILBOX, text));
    }
    Ok((parsed.canonical(), parsed.as_str().to_owned(), None))
}

impl Source<'_> {
    /// The copies that are meant. Reads only.
    pub(super) async fn named(&self, tenant: &Tenant) -> Result<Named, Failure> {
        match self {
            Self::Messages(ids, mailboxes) => Ok(every(ids, mailboxes)),
            Self::Search(purged) => of_search(tenant, purged).await,
        }
    }

    /// The item that stands for all of them where none can be named.
    pub(super) fn whole(&self) -> Good<String> {
        let name = match self {
            Self::Messages(..) => "messages",
            Self::Search(purged) => purged.name,
        };
        Good {
            key: format!("search {}", name.to_lowercase()),
            input: name.to_owned(),
            value: name.to_owned(),
        }
    }
}

fn every(ids: &Values, mailboxes: &Values) -> Named {
    let (ids, mailboxes) = (ids.sort(message_id), mailboxes.sort(mailbox));
    let mut named = Named::default();
    for sorted in [&ids, &mailboxes] {
        named.invalid.extend(sorted.invalid.iter().cloned());
        named.warnings.extend(sorted.warnings.iter().cloned());
    }
    for id in &ids.good {
        let of = |mailbox: &Good<String>| Wanted::good(&id.value, &mailbox.value);
        named.good.extend(mailboxes.good.iter().map(of));
    }
    named
}

async fn of_search(tenant: &Tenant, purged: &Purged<'_>) -> Result<Named, Failure> {
    let name = purged.name;
    search::name(name)?;
    let mut named = Named::default();
    let only = purged.mailboxes.map(|values| values.sort(mailbox));
    if let Some(only) = &only {
        named.invalid.extend(only.invalid.iter().cloned());
        named.warnings.extend(only.warnings.iter().cloned());
    }
    let (shown, found, not_whole) = listed(tenant, purged).await?;
    let asked = |row: &&ShownItem| {
        only.as_ref().is_none_or(|only| {
            let same = |good: &Good<String>| good.value.eq_ignore_ascii_case(&row.mailbox);
            only.good.iter().any(same)
        })
    };
    let mut nameless = 0;
    for row in shown.rows.iter().filter(asked) {
        let id = row.message_id.as_deref().map(message_id);
        let Some(Ok((id, ..))) = id else {
            nameless += 1;
            continue;
        };
        let good = Wanted::good(&id, &row.mailbox);
        if !named.good.iter().any(|other| other.key == good.key) {
            named.good.push(good);
        }
    }
    let search = escape::clipped(name, 120);
    if nameless > 0 {
        named.warnings.push(format!(
            "{nameless} hits of `{search}` bear no message id and are not looked for"
        ));
    }
    let hits = found.max(shown.total);
    if hits > shown.rows.len() as u64 {
        named.warnings.push(format!(
            "the preview of `{search}` lists {} of {hits} hits; the others are not looked for, so name them by message id",
            shown.rows.len()
        ));
    }
    named.warnings.extend(not_whole.map(|why| {
        format!(
            "the preview of `{search}` did not fully succeed, so hits may be missing in it: {why}"
        )
    }));
    Ok(named)
}

impl Purged<'_> {
    /// What is not as it was when it was purged, if anything: then its hits are other mails.
    fn difference(&self, search: &Search) -> Option<String> {
        let query = self
            .query
            .map(|was| difference::of_query(was, &search.query));
        let places = || {
            let was = locations(self.locations?);
            difference::of_places(Some(&was), search.locations.as_ref())
        };
        query.flatten().or_else(places)
    }
}

fn locations(values: &Values) -> Locations {
    let text = |text: &str| Ok((text.to_lowercase(), text.to_owned(), None));
    let all: Vec<String> = values
        .sort(text)
        .good
        .into_iter()
        .map(|good| good.value)
        .collect();
    match all.as_slice() {
        [all] if all.eq_ignore_ascii_case(ALL) => Locations::All,
        _ => Locations::Mailboxes(all),
    }
}

/// The hits that the preview of a search lists, how many it had found, and why the preview does not
/// hold all of them, if it says so.
async fn listed(
    tenant: &Tenant,
    purged: &Purged<'_>,
) -> Result<(Shown, u64, Option<String>), Failure> {
    let name = purged.name;
    let found = tenant.search.find(name).await?;
    let found = found.ok_or_else(|| search::no_such_object(name))?;
    if let Some(difference) = purged.difference(&found) {
        let shown = escape::clipped(name, 120);
        let text =
            format!("the search `{shown}` is not what was purged: {difference}; nothing was moved");
        return Err(
            Failure::new(ErrorKind::Conflict, code::SEARCH_CHANGED, text)
                .status(409)
                .happened(Happened::Refused)
                .hint("find out who changed it; messages come back one by one with `message_ids` and `mailboxes`"),
        );
    }
    let action = tenant.search.action(name, ActionKind::Preview).await?;
    let shown = escape::clipped(name, 120);
    let Some(action) = action else {
        let text =
            format!("no preview of the search `{shown}` stands, and its hits are named there");
        return Err(Failure::new(ErrorKind::NotReady, code::NOT_READY, text)
            .status(409)
            .happened(Happened::Refused)
            .hint(format!("make one: {}", search::preview_line(name))));
    };
    if !action.state.has_results() {
        let what = format!("the preview of `{shown}`");
        let next = search::preview_line(name);
        return Err(search::still_running(&what, action.state.word(), &next));
    }
    let not_whole = search::not_whole(&action);
    let listed = action.shown.ok_or_else(|| {
        let text = format!("`{shown}` was made by cmdlet, whose previews name no message ids");
        Failure::new(ErrorKind::Conflict, code::NOT_RECOVERABLE, text)
            .status(409)
            .happened(Happened::Refused)
            .hint("give `message_ids` and `mailboxes`")
    })?;
    Ok((listed, found.items, not_whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ports::SearchState, search::fake};

    /// What is said where the search had found so many and its preview lists two.
    async fn told(found: u64, change: impl FnOnce(&mut crate::ports::Action)) -> Vec<String> {
        let searches = fake::FakeSearch::with([fake::search("wave", &[("a@x.example", found)])]);
        let row = |id: &str| ShownItem {
            mailbox: "a@x.example".to_owned(),
            message_id: Some(id.to_owned()),
            ..ShownItem::default()
        };
        let mut preview = fake::action("wave_Preview", "", 5);
        preview.shown = Some(Shown {
            rows: vec![row("<1@x>"), row("<2@x>")],
            total: 2,
        });
        change(&mut preview);
        searches.act(preview);
        let source = Source::Search(Purged {
            name: "wave",
            mailboxes: None,
            query: None,
            locations: None,
        });
        let named = source.named(&searches.tenant()).await.unwrap();
        assert_eq!(named.good.len(), 2);
        named.warnings
    }

    #[tokio::test]
    async fn a_preview_that_may_leave_hits_out_says_so() {
        assert!(told(2, |_| {}).await.is_empty());
        let fewer = told(3, |_| {}).await;
        assert!(fewer[0].contains("lists 2 of 3 hits"), "{fewer:?}");
        let partly = |action: &mut crate::ports::Action| {
            action.state = SearchState::PartiallySucceeded;
            action.errors = Some("one\u{202e} location failed (5, 7)".to_owned());
        };
        let partly = told(2, partly).await;
        assert_eq!(partly.len(), 1);
        assert!(partly[0].contains("did not fully succeed"), "{partly:?}");
        assert!(partly[0].contains("(5, 7)") && !partly[0].contains('\u{202e}'));
    }
}
