//! Quarantine: rows made on demand from the seed and their number, so that a million of them cost
//! nothing but what became of a few.

pub mod change;
pub mod facts;
pub mod files;
pub mod list;
pub mod release;
pub mod row;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Options,
    company::{Company, QuarantineSeed},
    made::{guid, mix},
};
use crate::cmdlet::{Refusal, Service, Spec};
pub use change::{Change, Status};
pub use facts::{Facts, Mail, Verdict};

/// The cmdlets of this area.
pub static CMDLETS: &[&Spec] = &[
    &list::GET,
    &release::RELEASE,
    &files::HEADER,
    &files::PREVIEW,
    &files::EXPORT,
    &files::DELETE,
];

/// The sessions that have quarantine.
const BOTH: &[Service] = &[Service::Exchange, Service::Compliance];
/// Who may read.
const READERS: &[&str] = &["Quarantine", "Security Reader"];
/// Who may change.
const WRITERS: &[&str] = &["Quarantine"];
/// The .NET type of the service's own refusals of a release (recorded).
const VALIDATION: &str = "Microsoft.Exchange.Management.Tasks.ValidationException";

/// Rows that are made up lie this far back, so that a whole quarantine is in the default window
/// of 16 days and none of it runs out (15 days at the least) on the first day.
const SPAN: SignedDuration = SignedDuration::from_hours(14 * 24 - 2);

/// A person of the company as quarantine needs them.
#[derive(Debug, Clone)]
struct Person {
    address: String,
    vip: bool,
}

/// The state lists the rows of a quarantine of no more messages than this.
const MOST_IN_STATE: u32 = 5000;

/// What lies in quarantine.
#[derive(Debug)]
pub struct Store {
    seed: u64,
    made: Timestamp,
    organization: Uuid,
    admin: String,
    base: u32,
    wave: Vec<QuarantineSeed>,
    /// Senders and subjects of the attack, for rows that are more of the same.
    themes: Vec<(String, String)>,
    people: Arc<[Person]>,
    arrived: Vec<Timestamp>,
    changes: HashMap<u32, Change>,
    gone: BTreeSet<u32>,
    generation: u64,
    cache: Option<list::Found>,
}

impl Store {
    /// As it stands at `now`.
    pub fn new(company: &Company, options: &Options, now: Timestamp) -> Self {
        let base = u32::try_from(options.quarantine).unwrap_or(u32::MAX);
        let wave = company.quarantine().take_while(|seed| seed.wave).collect();
        let people = company
            .mailboxes
            .iter()
            .map(|mailbox| Person {
                address: mailbox.address.clone(),
                vip: mailbox.vip,
            })
            .collect();
        let themes = company
            .wave
            .mails
            .iter()
            .map(|mail| {
                (
                    mail.message.from.address.clone(),
                    mail.message.subject.clone(),
                )
            })
            .collect();
        Self {
            seed: options.seed,
            made: now,
            organization: company.tenant_id,
            admin: company.admin().to_owned(),
            base,
            wave,
            themes,
            people,
            arrived: Vec::new(),
            changes: HashMap::new(),
            gone: BTreeSet::new(),
            generation: 0,
            cache: None,
        }
    }

    /// How many numbers are in use, those of rows that are gone included.
    fn total(&self) -> u32 {
        self.base
            .saturating_add(u32::try_from(self.arrived.len()).unwrap_or(u32::MAX))
    }

    /// The row's id: `network message id\item id`. The number hides in the first half, so that the
    /// way back needs no table.
    pub fn identity(&self, row: u32) -> String {
        let number = u64::from(row);
        let mut bytes = *guid(self.seed, 11, number).as_bytes();
        let hidden = scramble(self.seed, row).to_be_bytes();
        for (byte, part) in bytes.iter_mut().skip(10).zip(hidden) {
            *byte = part;
        }
        format!(
            "{}\\{}",
            Uuid::from_bytes(bytes),
            guid(self.seed, 12, number)
        )
    }

    /// The row with this id that is still there.
    pub fn find(&self, identity: &str, now: Timestamp) -> Option<u32> {
        let (first, _) = identity.split_once('\\')?;
        let bytes = Uuid::parse_str(first).ok()?.into_bytes();
        let hidden: [u8; 4] = bytes.get(10..14)?.try_into().ok()?;
        let row = unscramble(self.seed, u32::from_be_bytes(hidden));
        let real = row < self.total() && self.identity(row).eq_ignore_ascii_case(identity);
        (real && self.alive(row, now)).then_some(row)
    }

    /// Whether the row is there and has not run out.
    fn alive(&self, row: u32, now: Timestamp) -> bool {
        let facts = self.facts(row);
        !self.gone.contains(&row) && facts.received <= now && facts.expires() > now
    }

    /// The numbers in the order of listing: newest first by and large, neighbours mixed, since the
    /// service promises no order.
    fn order(&self) -> impl Iterator<Item = u32> + '_ {
        let base = self.base;
        let late = (base..self.total()).rev();
        late.chain((0..base).map(move |place| {
            let (block, full) = (place >> 6, base >> 6);
            let mask = u32::try_from(mix(self.seed, 13, u64::from(block)) & 63).unwrap_or(0);
            if block < full { place ^ mask } else { place }
        }))
    }

    /// Takes away the first row of the default listing, as another administrator would.
    pub fn vanish_row(&mut self, now: Timestamp) -> bool {
        let Some(row) = self.order().find(|row| self.alive(*row, now)) else {
            return false;
        };
        self.delete(row);
        true
    }

    /// Lets a message arrive at the front of the listing.
    pub fn arrive_row(&mut self, now: Timestamp) -> bool {
        self.arrived.push(now);
        self.generation += 1;
        true
    }

    fn delete(&mut self, row: u32) {
        self.gone.insert(row);
        self.generation += 1;
    }

    /// What became of rows, for a judge: rows nobody touched are left out.
    pub fn state(&self) -> Value {
        let mut touched: Vec<_> = self.changes.iter().collect();
        touched.sort_by_key(|(row, _)| **row);
        let touched: Vec<Value> = touched
            .into_iter()
            .map(|(row, change)| {
                json!({
                    "identity": self.identity(*row),
                    "recipients": self.mail(*row).recipients,
                    "released_before": self.facts(*row).released,
                    "deliveries": change.deliveries(),
                    "status": change.status.map(Status::member),
                    "released_by": change.released_by,
                    "reported_false_positive": change.reported,
                })
            })
            .collect();
        json!({
            "made": self.base,
            "arrived": self.arrived.len(),
            "gone": self.gone.iter().map(|row| self.identity(*row)).collect::<Vec<_>>(),
            "touched": touched,
            "rows": self.rows_for_a_judge(),
        })
    }

    /// Every row that is not gone, while they are few enough to be listed.
    fn rows_for_a_judge(&self) -> Value {
        if self.total() > MOST_IN_STATE {
            return Value::Null;
        }
        let kept = (0..self.total()).filter(|row| !self.gone.contains(row));
        kept.map(|row| {
            let facts = self.facts(row);
            json!({
                "identity": self.identity(row),
                "received": facts.received.to_string(),
                "recipients": self.mail(row).recipients,
                "released": facts.released,
            })
        })
        .collect()
    }
}

/// The refusal for an id that is not in quarantine.
fn missing(identity: &str) -> Refusal {
    Refusal::not_found(format!(
        "The operation couldn't be performed because object '{identity}' couldn't be found on '{}'.",
        super::SERVER
    ))
}

const MULTIPLIER: u32 = 0x9E37_79B1;
/// The multiplier's inverse modulo 2^32.
const INVERSE: u32 = 0x0E8B_2F51;

fn half(seed: u64) -> u32 {
    u32::try_from(mix(seed, 14, 0) >> 32).unwrap_or(0)
}

fn scramble(seed: u64, row: u32) -> u32 {
    row.wrapping_mul(MULTIPLIER) ^ half(seed)
}

fn unscramble(seed: u64, hidden: u32) -> u32 {
    (hidden ^ half(seed)).wrapping_mul(INVERSE)
}
