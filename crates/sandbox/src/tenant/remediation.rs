//! What Defender does with delivered mail: requests that take effect later, and the copies that
//! were taken into quarantine.

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    company::Company,
    mailstore::{Folder, Item, MailStore, Message},
};

/// What is to be done with a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    MoveToJunk,
    MoveToInbox,
    HardDelete,
    SoftDelete,
    MoveToDeletedItems,
    MoveToQuarantine,
}

impl Action {
    const ALL: [(&'static str, Self); 6] = [
        ("moveToJunk", Self::MoveToJunk),
        ("moveToInbox", Self::MoveToInbox),
        ("hardDelete", Self::HardDelete),
        ("softDelete", Self::SoftDelete),
        ("moveToDeletedItems", Self::MoveToDeletedItems),
        ("moveToQuarantine", Self::MoveToQuarantine),
    ];

    /// The action of a word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(name, _)| *name == word);
        found.map(|(_, action)| *action)
    }

    /// The folder in which a copy ends; `None` is quarantine.
    fn folder(self) -> Option<Folder> {
        Some(match self {
            Self::MoveToJunk => Folder::Junk,
            Self::MoveToInbox => Folder::Inbox,
            Self::HardDelete => Folder::Purges,
            Self::SoftDelete => Folder::Deletions,
            Self::MoveToDeletedItems => Folder::Deleted,
            Self::MoveToQuarantine => return None,
        })
    }
}

/// One message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) network_id: Uuid,
    /// Lower case.
    pub(crate) recipient: String,
}

/// A request that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) action: Action,
    pub(crate) copies: Vec<Copy>,
    pub(crate) by: String,
    pub(crate) due: Timestamp,
}

/// All requests, and what lies in quarantine because of them.
#[derive(Debug, Default)]
pub(crate) struct State {
    jobs: Vec<Job>,
    /// Jobs before this one are done.
    done: usize,
    /// With the mailbox they were taken from.
    pub(crate) quarantined: Vec<(usize, Item)>,
}

/// The id that the service gives a message on its way, the same for all recipients.
pub(crate) fn network_id(message: &Message) -> Uuid {
    let digest = digest::digest(&digest::SHA256, message.message_id.as_bytes());
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

impl State {
    /// Accepts a request. They are carried out in the order in which they fall due.
    pub(crate) fn accept(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// Carries out what was due until `now`.
    pub(crate) fn settle(&mut self, company: &Company, mail: &mut MailStore, now: Timestamp) {
        while let Some(job) = self.jobs.get(self.done).filter(|job| job.due <= now) {
            let job = job.clone();
            self.done += 1;
            for copy in &job.copies {
                if let Some(mailbox) = company.mailbox(&copy.recipient) {
                    self.carry_out(mail, mailbox, copy, &job);
                }
            }
        }
    }

    fn carry_out(&mut self, mail: &mut MailStore, mailbox: usize, copy: &Copy, job: &Job) {
        let is = |item: &Item| network_id(&item.message) == copy.network_id;
        let found: Vec<u64> = mail
            .items(mailbox)
            .iter()
            // What was purged is out of reach.
            .filter(|item| item.folder < Folder::Purges && is(item))
            .map(|item| item.id)
            .collect();
        for id in found {
            match job.action.folder() {
                Some(folder) => {
                    mail.relocate(mailbox, id, folder, job.due);
                }
                None => self
                    .quarantined
                    .extend(mail.withdraw(mailbox, id).map(|item| (mailbox, item))),
            }
        }
        let Some(folder) = job.action.folder() else {
            return;
        };
        let held = std::mem::take(&mut self.quarantined);
        for (owner, item) in held {
            if owner == mailbox && is(&item) {
                mail.restore(owner, item, folder);
            } else {
                self.quarantined.push((owner, item));
            }
        }
    }

    pub(super) fn state_json(&self, company: &Company) -> Value {
        let jobs = self.jobs.iter().enumerate().map(|(number, job)| {
            let copies = job.copies.iter().map(
                |copy| json!({"network_id": copy.network_id.to_string(), "recipient": copy.recipient}),
            );
            json!({
                "id": job.id.to_string(),
                "action": format!("{:?}", job.action),
                "by": job.by,
                "done": number < self.done,
                "copies": copies.collect::<Vec<_>>(),
            })
        });
        let quarantined = self.quarantined.iter().map(|(mailbox, item)| {
            let record = company.record(*mailbox);
            json!({
                "mailbox": record.map(|record| &record.address),
                "message_id": item.message.message_id,
            })
        });
        json!({
            "jobs": jobs.collect::<Vec<_>>(),
            "quarantined": quarantined.collect::<Vec<_>>(),
        })
    }
}
