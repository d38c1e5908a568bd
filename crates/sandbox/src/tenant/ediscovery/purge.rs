//! What a purge does to mailboxes.

use super::operation::{Kind, Location, Operation, is_teams};
use crate::tenant::{
    company::Company,
    compliance::{Evaluator, searched},
    mailstore::{Folder, Item, MailStore},
};

/// Items that one purge takes from a mailbox.
const MOST: usize = 100;

/// Carries out a purge whose end has come. In each mailbox it takes the first hundred of what the
/// query finds by then; what the index cannot read is not found and stays.
///
/// A hard purge passes over items that are in Purges already. A soft one passes over those in
/// Deletions only when it does not `repeat` itself.
pub(super) fn carry_out(
    operation: &mut Operation,
    company: &Company,
    mail: &mut MailStore,
    repeat: bool,
) {
    let Some(pending) = operation.pending.take() else {
        return;
    };
    let Kind::Purge {
        hard,
        mailboxes,
        teams,
    } = operation.kind
    else {
        return;
    };
    // Together with Teams either type deletes for good.
    let hard = hard || teams;
    let skipped = |item: &Item| match item.folder {
        Folder::Purges => true,
        Folder::Deletions => !hard && !repeat,
        _ => false,
    };
    let at = operation.ends;
    let mut evaluator = Evaluator::new(&pending.query, company, at);
    for mailbox in pending.mailboxes {
        let found: Vec<u64> = searched(company, mail, mailbox, |_| false)
            .filter(|item| if is_teams(item) { teams } else { mailboxes })
            .filter(|item| !skipped(item) && evaluator.matches(mailbox, item))
            .take(MOST)
            .map(|item| item.id)
            .collect();
        let (mut items, mut size) = (0, 0);
        for id in found {
            if let Some(bytes) = mail.remove(mailbox, id, hard, at) {
                items += 1;
                size += bytes;
            }
        }
        if items > 0 {
            operation.purged.push(Location {
                mailbox,
                items,
                size,
            });
        }
    }
}
