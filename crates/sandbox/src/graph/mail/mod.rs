//! Messages of a mailbox, one by one.

mod id;
mod rows;

use serde_json::Value;

use super::{Answered, Ask, Reply, cases::annotated};
use crate::tenant::{
    compliance::{Evaluator, Query},
    ediscovery::Refused,
    mailstore::{Folder, Item},
};

/// Results that a text search gives at most.
const SEARCHED: usize = 1_000;
/// The largest page.
const PAGE: usize = 1_000;

fn denied() -> Refused {
    let text = "Access is denied. Check credentials and try again.";
    Refused::new(403, "ErrorAccessDenied", text)
}

fn gone() -> Refused {
    let text = "The specified object was not found in the store.";
    Refused::new(404, "ErrorItemNotFound", text)
}

/// The mailbox of the path, if the caller may use it: by a permission of the token for every
/// mailbox, by a role in Exchange for some, a user for their own.
fn mailbox(ask: &Ask<'_>) -> Result<usize, Refused> {
    let name = ask.route.key(0);
    let company = &ask.tenant.company;
    let found = company.mailbox(name);
    let address = found
        .and_then(|index| company.record(index))
        .map_or("", |record| record.address.as_str());
    let permitted = if ask.route.changes {
        ask.session.may(&["Mail.ReadWrite"])
    } else {
        ask.session.may(&["Mail.Read", "Mail.ReadWrite"])
    };
    let own = ask.session.app_only || ask.session.actor.name.eq_ignore_ascii_case(address);
    let scope = &ask.tenant.ediscovery.rules.mail_scope;
    let scoped = scope.as_ref().filter(|_| ask.session.app_only);
    let scoped = scoped.is_some_and(|names| {
        let same = |one: &String| {
            company
                .mailbox(one)
                .is_some_and(|index| Some(index) == found)
        };
        names.iter().any(same)
    });
    if !(permitted && own || scoped) {
        return Err(denied());
    }
    found.ok_or_else(|| {
        if company.group(name).is_some() {
            let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
            return Refused::new(404, "MailboxNotEnabledForRESTAPI", text);
        }
        let name = kernel::escape::clipped(name, 200);
        let text = format!("The requested user '{name}' is invalid.");
        Refused::new(404, "ErrorInvalidUser", text)
    })
}

/// A folder by its well-known name. Purges has none that a client could use, and the archive
/// cannot be reached.
fn folder(name: &str) -> Result<Folder, Refused> {
    match name.to_ascii_lowercase().as_str() {
        "inbox" => Ok(Folder::Inbox),
        "sentitems" => Ok(Folder::Sent),
        "deleteditems" => Ok(Folder::Deleted),
        "junkemail" => Ok(Folder::Junk),
        "recoverableitemsdeletions" => Ok(Folder::Deletions),
        other if other.starts_with("archive") => Err(Refused::new(
            404,
            "ErrorInvalidMailboxItemId",
            "Item does not belong to the mailbox.",
        )),
        _ => Err(Refused::new(
            404,
            "ErrorFolderNotFound",
            "The specified folder could not be found in the store.",
        )),
    }
}

/// The messages of all visible folders, or of one folder.
pub(super) fn list(ask: &mut Ask<'_>, only: Option<Folder>) -> Answered {
    let mailbox = mailbox(ask)?;
    if ask.query.top.is_some_and(|top| top > PAGE) {
        return Err(Refused::bad("The value of '$top' must not be above 1000."));
    }
    let id = ask.query.equals("internetMessageId")?;
    let search = ask.query.get("$search");
    if search.is_some() && id.is_some() {
        let text = "The query parameter '$filter' is not supported with '$search'.";
        return Err(Refused::new(400, "SearchWithFilter", text));
    }
    let query = search.map(words).transpose()?;
    let tenant = &*ask.tenant;
    let mut evaluator = query
        .as_ref()
        .map(|query| Evaluator::new(query, &tenant.company, ask.now));
    let visible = |item: &&Item| match only {
        Some(folder) => item.folder == folder,
        None => item.folder < Folder::Deletions,
    };
    let mut found: Vec<&Item> = tenant
        .mail
        .items(mailbox)
        .iter()
        .filter(visible)
        .filter(|item| id.as_ref().is_none_or(|id| *id == item.message.message_id))
        .filter(|item| {
            let all = evaluator.as_mut();
            all.is_none_or(|evaluator| evaluator.matches(mailbox, item))
        })
        .collect();
    found.sort_by_key(|item| std::cmp::Reverse(item.message.received));
    if query.is_some() {
        found.truncate(SEARCHED);
    }
    let rows = found
        .into_iter()
        .filter_map(|item| rows::message(ask, mailbox, item));
    let context = ask.context(&format!("users('{}')/messages", ask.route.key(0)));
    let page = ask.query.page(rows, &context, &ask.link());
    Ok(Reply::value(200, page))
}

/// The text of `$search`: a query in quotation marks.
fn words(text: &str) -> Result<Query, Refused> {
    let wrong = || Refused::bad("Syntax error in the value of '$search'.");
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let inside = inside.ok_or_else(wrong)?.replace("\\\"", "\"");
    Query::parse(&inside).map_err(|_| wrong())
}

/// The messages of a folder by its well-known name.
pub(super) fn list_folder(ask: &mut Ask<'_>) -> Answered {
    mailbox(ask)?;
    let folder = folder(ask.route.key(1))?;
    list(ask, Some(folder))
}

/// The item that an id names where it lies now.
fn item<'a>(ask: &'a Ask<'_>, mailbox: usize) -> Result<&'a Item, Refused> {
    let record = ask.tenant.company.record(mailbox).ok_or_else(gone)?;
    let found = id::read(ask.route.key(1), record.guid)
        .ok_or_else(|| Refused::new(400, "ErrorInvalidIdMalformed", "Id is malformed."))?;
    let items = ask.tenant.mail.items(mailbox);
    items
        .iter()
        .find(|item| item.id == found.item)
        .filter(|item| item.folder < Folder::Purges)
        .filter(|item| found.folder.is_none_or(|folder| folder == item.folder))
        .ok_or_else(gone)
}

/// One message.
pub(super) fn get(ask: &mut Ask<'_>) -> Answered {
    let mailbox = mailbox(ask)?;
    let row = rows::message(ask, mailbox, item(ask, mailbox)?).ok_or_else(gone)?;
    let context = format!("users('{}')/messages/$entity", ask.route.key(0));
    Ok(Reply::value(200, annotated(ask, row, &context)))
}

fn moved(ask: &mut Ask<'_>, to: Folder) -> Result<Value, Refused> {
    let mailbox = mailbox(ask)?;
    let id = item(ask, mailbox)?.id;
    let now = ask.now;
    ask.tenant.mail.relocate(mailbox, id, to, now);
    let items = ask.tenant.mail.items(mailbox);
    let item = items.iter().find(|item| item.id == id).ok_or_else(gone)?;
    rows::message(ask, mailbox, item).ok_or_else(gone)
}

/// Moves a message: its id is another one then.
pub(super) fn relocate(ask: &mut Ask<'_>) -> Answered {
    mailbox(ask)?;
    let to = folder(ask.fields.needed("destinationId")?)?;
    let row = moved(ask, to)?;
    let context = format!("users('{}')/messages/$entity", ask.route.key(0));
    Ok(Reply::value(201, annotated(ask, row, &context)))
}

/// Puts a message into Purges, out of every client's reach.
pub(super) fn purge(ask: &mut Ask<'_>) -> Answered {
    moved(ask, Folder::Purges)?;
    Ok(Reply::empty(204))
}

/// Deletes a message as a client does that skips Deleted Items.
pub(super) fn delete(ask: &mut Ask<'_>) -> Answered {
    moved(ask, Folder::Deletions)?;
    Ok(Reply::empty(204))
}
