//! Planting mail: a wave of a given size and spread, for tests that need more than the company's
//! own attack.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Tenant,
    company::{MailboxKind, before},
    mailstore::{Attachment, Folder, ItemKind, Message, Party},
};
use crate::options::Planting;

/// Nobody plants more copies at once.
const MOST: usize = 2_000_000;

fn folder(word: &str) -> Result<Folder, String> {
    Ok(match word {
        "inbox" => Folder::Inbox,
        "sent" => Folder::Sent,
        "deleted" => Folder::Deleted,
        "deletions" => Folder::Deletions,
        "purges" => Folder::Purges,
        _ => {
            return Err(format!(
                "`folder` must be inbox, sent, deleted, deletions or purges, not `{}`",
                kernel::escape::clipped(word, 40)
            ));
        }
    })
}

/// Which message goes to which mailbox, by their numbers: the first `largest` messages to the
/// first mailbox alone, each of the others and each of the other mailboxes at least once.
fn spread(messages: usize, mailboxes: usize, largest: usize) -> Vec<(usize, usize)> {
    let first = usize::from(largest > 0);
    let mut all: Vec<(usize, usize)> = (0..largest).map(|message| (message, 0)).collect();
    let (rest, others) = (messages - largest, mailboxes - first);
    if rest > 0 && others > 0 {
        let copies = rest.max(others);
        all.extend((0..copies).map(|copy| (largest + copy % rest, first + copy % others)));
    }
    all
}

impl Tenant {
    /// Plants a wave, and says who has how much of it.
    ///
    /// # Errors
    ///
    /// Numbers that do not fit together, more mailboxes than there are, an unknown name.
    pub(crate) fn plant(&mut self, wish: &Planting, now: Timestamp) -> Result<Value, String> {
        let folder = folder(&wish.folder)?;
        let chosen = self.chosen(wish)?;
        let others = chosen.len() - usize::from(wish.largest > 0);
        if wish.messages == 0 || wish.largest > wish.messages {
            return Err("`messages` must be at least 1 and not less than `largest`".to_owned());
        }
        if (wish.messages > wish.largest) != (others > 0) {
            return Err("besides `largest` there must be both messages and mailboxes".to_owned());
        }
        if wish.held + wish.recovering + wish.unindexed > others {
            return Err(
                "`held`, `recovering` and `unindexed` need a mailbox each besides the first"
                    .to_owned(),
            );
        }
        let copies = spread(wish.messages, chosen.len(), wish.largest);
        if copies.len() > MOST {
            return Err(format!("no more than {MOST} copies are planted at once"));
        }
        let messages = self.written(wish, now);
        let mut counts = vec![0u64; chosen.len()];
        let first = usize::from(wish.largest > 0);
        let removed = (folder >= Folder::Deletions).then_some(now);
        for (message, to) in copies {
            let (Some(message), Some(mailbox), Some(count)) =
                (messages.get(message), chosen.get(to), counts.get_mut(to))
            else {
                continue;
            };
            let unread = *count == 0 && (first..first + wish.unindexed).contains(&to);
            let message = if unread {
                Arc::new(Message {
                    unindexed: true,
                    ..Message::clone(message)
                })
            } else {
                Arc::clone(message)
            };
            self.mail.place(*mailbox, folder, message, removed);
            *count += 1;
        }
        let end = chosen.len();
        let held = end - wish.held..end;
        let recovering = held.start - wish.recovering..held.start;
        let mut rows = Vec::new();
        for (number, mailbox) in chosen.iter().enumerate() {
            let (on_hold, recovers) = (held.contains(&number), recovering.contains(&number));
            if on_hold || recovers {
                self.keep(*mailbox, on_hold);
            }
            rows.push(json!({
                "mailbox": self.company.record(*mailbox).map(|record| &record.address),
                "items": counts.get(number),
                "unindexed": u64::from((first..first + wish.unindexed).contains(&number)),
                "held": on_hold,
                "recovering": recovers,
            }));
        }
        Ok(json!({
            "sender": wish.sender.to_lowercase(),
            "subject": wish.subject,
            "messages": wish.messages,
            "items": counts.iter().sum::<u64>(),
            "mailboxes": rows,
        }))
    }

    /// Puts a mailbox on hold, or only has its purged items wait.
    fn keep(&mut self, mailbox: usize, hold: bool) {
        if let Some(record) = self.company.mailboxes.get_mut(mailbox) {
            record.litigation_hold |= hold;
            record.single_item_recovery = true;
            self.directory.keep(mailbox, hold);
        }
    }

    fn chosen(&self, wish: &Planting) -> Result<Vec<usize>, String> {
        if !wish.to.is_empty() {
            let index = |name: &String| {
                let unknown = || {
                    let name = kernel::escape::clipped(name, 200);
                    format!("no mailbox is called `{name}`")
                };
                self.company.mailbox(name).ok_or_else(unknown)
            };
            return wish.to.iter().map(index).collect();
        }
        let free = self.company.mailboxes.iter().enumerate();
        let free = free.filter(|(_, record)| {
            matches!(record.kind, MailboxKind::User | MailboxKind::Shared)
                && !record.litigation_hold
                && !record.single_item_recovery
        });
        let chosen: Vec<usize> = free.map(|(index, _)| index).take(wish.mailboxes).collect();
        if chosen.len() < wish.mailboxes || chosen.is_empty() {
            return Err(format!(
                "there are {} mailboxes that nothing holds, not {}",
                chosen.len(),
                wish.mailboxes
            ));
        }
        Ok(chosen)
    }

    fn written(&self, wish: &Planting, now: Timestamp) -> Vec<Arc<Message>> {
        let attachments: Vec<Attachment> = if wish.attachment.is_empty() {
            Vec::new()
        } else {
            vec![Attachment {
                name: wish.attachment.clone(),
                sha256: "c0ffee".repeat(11).get(..64).unwrap_or_default().to_owned(),
                size: 4_096,
            }]
        };
        let received = before(now, wish.age_minutes.saturating_mul(60));
        let sender = wish.sender.to_lowercase();
        let domain = sender
            .rsplit_once('@')
            .map_or("attacker.example", |at| at.1);
        (0..wish.messages)
            .map(|number| {
                Arc::new(Message {
                    message_id: format!("<{:016x}.{number}@{domain}>", self.random.next_u64()),
                    from: Party::new(wish.sender_name.as_str(), sender.as_str()),
                    to: vec![Party::new(
                        "",
                        format!("recipients@{}", self.company.domain),
                    )],
                    subject: wish.subject.clone(),
                    body: wish.body.clone(),
                    sent: before(received, 2),
                    received,
                    size: 7_000 + u64::try_from(number % 997).unwrap_or(0),
                    attachments: attachments.clone(),
                    kind: if wish.teams {
                        ItemKind::Im
                    } else {
                        ItemKind::Email
                    },
                    ..Message::default()
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_and_every_mailbox_is_served() {
        for (messages, mailboxes, largest) in [(412, 188, 230), (5, 2, 0), (2, 5, 0), (7, 1, 7)] {
            let copies = spread(messages, mailboxes, largest);
            let mut sent = vec![0; messages];
            let mut got = vec![0; mailboxes];
            for (message, mailbox) in copies {
                sent[message] += 1;
                got[mailbox] += 1;
            }
            assert!(
                sent.iter().all(|count| *count > 0),
                "{messages} {mailboxes}"
            );
            assert!(got.iter().all(|count| *count > 0), "{messages} {mailboxes}");
            if largest > 0 {
                assert_eq!(got[0], largest);
            }
        }
    }
}
