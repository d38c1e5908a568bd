//! Whether the attack is contained, by the tenant's own state and not by what the commands said.

use sandbox::tenant::company::PAYROLL;
use serde_json::Value;

use super::stage::{Stage, Told, say};
use crate::terminal;

/// What the commands said they have done.
#[derive(Default)]
pub struct Wanted {
    /// Senders that are blocked.
    pub senders: Vec<String>,
    /// Links that are blocked.
    pub links: Vec<String>,
    /// Files that are blocked.
    pub files: Vec<String>,
    /// Senders whose block was lifted again.
    pub lifted: Vec<String>,
    /// The message that was released.
    pub released: String,
}

/// Folders in which a person finds a mail.
const IN_REACH: [&str; 3] = ["Inbox", "Sent Items", "Deleted Items"];

/// Mails of the attack that people can still open and that a purge can take.
pub fn in_reach(stage: &Stage) -> usize {
    attack(&stage.sandbox.state(), false)
}

/// Mails of the attack in folders that people open. A purge leaves those that the search cannot
/// read.
fn attack(state: &Value, unindexed: bool) -> usize {
    let mailboxes = list(at(state, "mail"));
    let items = mailboxes
        .iter()
        .flat_map(|mailbox| list(at(mailbox, "items")));
    items
        .filter(|item| *at(item, "sender") == PAYROLL.sender && *at(item, "unindexed") == unindexed)
        .filter(|item| {
            IN_REACH
                .iter()
                .any(|folder| *at(item, "folder") == **folder)
        })
        .count()
}

/// The id of the mail with that subject.
pub fn message_id(stage: &Stage, subject: &str) -> Option<String> {
    let tenant = stage.sandbox.state();
    let text = |item: &Value| at(item, "message_id").as_str().map(str::to_owned);
    with_subject(&tenant, subject)
        .first()
        .and_then(|one| text(one))
}

fn with_subject<'a>(state: &'a Value, subject: &str) -> Vec<&'a Value> {
    let mailboxes = list(at(state, "mail")).iter();
    let items = mailboxes.flat_map(|mailbox| list(at(mailbox, "items")));
    items
        .filter(|item| *at(item, "subject") == *subject)
        .collect()
}

/// A member; null where there is none.
pub fn at<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_blocked(state: &Value, value: &str) -> bool {
    list(at(state, "lists")).iter().any(|entry| {
        let known = at(entry, "value").as_str().unwrap_or_default();
        *at(entry, "action") == "Block" && known.eq_ignore_ascii_case(value)
    })
}

/// Asks the tenant and says what it answers. What is not as it should be ends the story.
pub fn judge(stage: &mut Stage, wanted: &Wanted) -> Told<()> {
    stage.scene("Is it contained? By the tenant's own state, not by what the commands said:");
    let tenant = stage.sandbox.state();
    let blocked = [&wanted.senders, &wanted.links, &wanted.files];
    let blocked: Vec<&String> = blocked.into_iter().flatten().collect();
    let all = blocked.len();
    let standing = blocked
        .iter()
        .filter(|value| is_blocked(&tenant, value))
        .count();
    let lifted = !wanted.lifted.iter().any(|value| is_blocked(&tenant, value));
    let released = released(&tenant);
    let victim = list(at(&tenant, "mailboxes"))
        .iter()
        .find(|mailbox| *at(mailbox, "address") == super::story::VICTIM);
    let shared = victim.is_some_and(|mailbox| *at(mailbox, "type") == "SharedMailbox");
    let granted = victim.is_some_and(|mailbox| has_full_access(at(mailbox, "permissions")));
    let left = attack(&tenant, false);
    let lost = with_subject(&tenant, super::story::LOST);
    let back = lost.iter().all(|item| *at(item, "folder") == "Inbox");
    let used = stage.used().len();
    let facts = [
        (
            format!("{standing} of {all} entries stand under Block"),
            standing == all && all > 0,
        ),
        ("the lifted one is off the list".to_owned(), lifted),
        (
            format!(
                "{left} mails of the attack are left in people's folders that a search can find"
            ),
            left == 0,
        ),
        (
            "one message was released from quarantine, none of the attack".to_owned(),
            released == [wanted.released.as_str()],
        ),
        (
            "the partner's mail that a purge took is back in its Inbox".to_owned(),
            back && lost.len() == 1,
        ),
        (
            "Megan's mailbox is shared, and the responder reads it".to_owned(),
            shared && granted,
        ),
        (
            format!(
                "{used} of {} commands were used",
                commands::catalog::all().len()
            ),
            used == commands::catalog::all().len(),
        ),
    ];
    for (fact, holds) in &facts {
        terminal::data(&format!(
            "    [{}] {fact}",
            if *holds { "ok" } else { "NO" }
        ));
    }
    if let Some((fact, _)) = facts.iter().find(|(_, holds)| !holds) {
        return Err(format!("the tenant's state says otherwise: {fact}"));
    }
    let sealed = attack(&tenant, true);
    if sealed > 0 {
        say(&format!(
            "Left: {sealed} sealed mails that no search can open and no purge takes; delete by hand."
        ));
    }
    terminal::data("");
    terminal::data("The attack is contained.");
    for line in super::story::ENDING {
        terminal::data(line);
    }
    Ok(())
}

/// Identities of the messages that were released since the start.
fn released(state: &Value) -> Vec<&str> {
    let touched = list(at(at(state, "quarantine"), "touched")).iter();
    touched
        .filter(|row| !list(at(row, "deliveries")).is_empty())
        .filter_map(|row| at(row, "identity").as_str())
        .collect()
}

fn has_full_access(permissions: &Value) -> bool {
    list(permissions).iter().any(|grant| {
        *at(grant, "trustee") == super::story::RESPONDER
            && *at(grant, "deny") == false
            && at(grant, "rights").to_string().contains("FullAccess")
    })
}
