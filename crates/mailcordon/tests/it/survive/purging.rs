//! A service that purges in rounds over Microsoft Graph, and what the tenant's own log and store say
//! of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    judge,
    service::{self, Service},
};
use crate::lab::Lab;

/// So many times faster than the machine's goes the tenant's clock: a purge of 150 s takes 300 ms.
const PACE: u32 = 500;
/// Purges that a wave takes: the first mailbox gets more than two of them can take.
pub const ROUNDS: usize = 3;

/// Mail to be purged, and the tenant that it is planted in.
#[derive(Debug, Clone, Copy)]
pub struct Wave {
    tenant: usize,
    messages: usize,
    mailboxes: usize,
    unindexed: usize,
    /// Whether the mailboxes are named to the run; all of the tenant are searched where not.
    named: bool,
}

/// What the first mailbox gets, and how many of the mailboxes, the last ones, are on hold.
const LARGEST: usize = 230;
const HELD: usize = 2;

/// As many rounds as the whole wave takes, in few mailboxes.
pub const SMALL: Wave = Wave {
    tenant: 12,
    messages: LARGEST + 12,
    mailboxes: 5,
    unindexed: 1,
    named: true,
};
/// A wave through a company.
pub const WHOLE: Wave = Wave {
    tenant: 1000,
    messages: 412,
    mailboxes: 188,
    unindexed: 3,
    named: false,
};

/// What a run does, step after step: a purge, or what lies around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepKind(pub String);

impl StepKind {
    pub fn is(&self, word: &str) -> bool {
        self.0.starts_with(word)
    }
}

/// A tenant whose mailboxes are known, and a service that purges in it.
pub struct Ground {
    pub lab: Lab,
    pub folder: PathBuf,
    token: String,
    wave: Wave,
    to: Vec<String>,
    pub marker: PathBuf,
}

impl Ground {
    pub fn new(wave: Wave) -> Self {
        let lab = Lab::over_graph(PACE, &["--mailboxes", &wave.tenant.to_string()]);
        let (folder, token) = service::ready(&lab, "purging");
        let marker = lab.folder.path().join("held");
        let to = judge::plain_mailboxes(&lab, wave.mailboxes);
        Self {
            lab,
            folder,
            token,
            wave,
            to,
            marker,
        }
    }

    /// The mailboxes that keep what is purged.
    pub fn held(&self) -> &[String] {
        &self.to[self.to.len() - HELD..]
    }

    /// A wave of its own for each run, to the same mailboxes.
    pub fn plant(&self, name: &str) {
        let sender = format!("{name}@attacker.example");
        let wave = json!({
            "sender": sender, "messages": self.wave.messages, "largest": LARGEST,
            "to": self.to, "held": HELD, "unindexed": self.wave.unindexed,
        });
        self.lab.control("POST", "/mail", &wave);
    }

    fn request(&self, name: &str) -> Value {
        let mut input = json!({
            "query": format!("from:\"{name}@attacker.example\""), "search_name": name,
            "delete_type": "hard_delete",
        });
        if self.wave.named {
            input["mailboxes"] = json!(self.to);
        }
        json!({ "command": "search-and-purge", "connection": "sandbox", "input": input })
    }

    /// Items where the run searches that no index reads: those of each wave stay.
    pub fn unread(&self, store: &BTreeMap<u64, Copy>) -> usize {
        let searched: BTreeSet<String> = if self.wave.named {
            self.to.iter().cloned().collect()
        } else {
            // Mailboxes of people who are gone are kept, and nobody looks there.
            let state = self.lab.control("GET", "/state", &Value::Null);
            let rows = state["mailboxes"].as_array().unwrap().iter();
            rows.map(|row| row["address"].as_str().unwrap().to_owned())
                .collect()
        };
        let unread = store
            .values()
            .filter(|copy| copy.unindexed && searched.contains(&copy.mailbox));
        unread.count()
    }

    pub fn begin(&self, service: &Service, name: &str) -> String {
        let run = service.good(&self.token, "POST", "/runs", &self.request(name));
        run["id"].as_str().unwrap().to_owned()
    }

    pub fn is_over(&self, service: &Service, run: &str) -> bool {
        let row = service.good(&self.token, "GET", &format!("/runs/{run}"), &Value::Null);
        row["state"] == "finished"
    }

    pub fn result(&self, service: &Service, run: &str) -> Value {
        judge::wait_until("the run to end", Duration::from_mins(3), || {
            self.is_over(service, run).then_some(())
        });
        let path = format!("/runs/{run}/result");
        service.good(&self.token, "GET", &path, &Value::Null)
    }

    /// For how many purges of a run an intent is on record.
    pub fn intents(&self, run: &str) -> usize {
        let database = self.database();
        let sql = "SELECT step FROM steps
            WHERE run = ?1 AND (intent IS NOT NULL OR attempted IS NOT NULL)";
        let mut rows = database.prepare(sql).unwrap();
        let rows = rows.query_map([run], |row| row.get::<_, String>(0));
        // The first step of a round is its purge.
        let keys = rows.unwrap().map(Result::unwrap);
        let rounds = keys.filter_map(|key| round(&key).map(str::to_owned));
        rounds.collect::<BTreeSet<_>>().len()
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.join("mailcordon.db")).unwrap()
    }

    /// The purges that the case has of a search.
    pub fn purges(&self, name: &str) -> Vec<Value> {
        let state = self.lab.control("GET", "/state", &Value::Null);
        let mut all = Vec::new();
        for case in state["ediscovery"]["cases"].as_array().unwrap() {
            let mut searches = case["searches"].as_array().unwrap().iter();
            let Some(search) = searches.find(|search| search["name"] == name) else {
                continue;
            };
            let operations = case["operations"].as_array().unwrap().iter();
            let those = operations
                .filter(|one| one["action"] == "purgeData" && one["search"] == search["id"]);
            all.extend(those.cloned());
        }
        all
    }

    /// What the steps of a run did, in the order in which it stands in the record.
    pub fn steps(&self, run: &str) -> Vec<StepKind> {
        let database = self.database();
        let sql = "SELECT step FROM steps WHERE run = ?1 AND attempted IS NOT NULL
            ORDER BY attempted";
        let mut rows = database.prepare(sql).unwrap();
        let rows = rows.query_map([run], |row| row.get::<_, String>(0));
        let keys: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        let mut kinds: Vec<StepKind> = Vec::new();
        for key in keys {
            let kind = match round(&key) {
                Some(round) if kinds.contains(&StepKind(format!("purge {round}"))) => {
                    format!("follow {round}")
                }
                Some(round) => format!("purge {round}"),
                // A wait stands between the account of a purge and the next search.
                None => match kinds.last().and_then(|last| last.0.strip_prefix("follow ")) {
                    Some(round) => format!("rest {round}"),
                    None => "about the search".to_owned(),
                },
            };
            kinds.push(StepKind(kind));
        }
        kinds
    }

    pub fn log_since(&self, seq: u64) -> Vec<Value> {
        let log = self.lab.log();
        let later = |entry: &Value| entry["seq"].as_u64().unwrap() > seq;
        log.into_iter().filter(later).collect()
    }

    pub fn last_seq(&self) -> u64 {
        let log = self.lab.log();
        log.last().map_or(0, |entry| entry["seq"].as_u64().unwrap())
    }

    pub fn store(&self) -> BTreeMap<u64, Copy> {
        let state = self.lab.control("GET", "/state", &Value::Null);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut all = BTreeMap::new();
        for row in state["mail"].as_array().unwrap() {
            for item in row["items"].as_array().unwrap() {
                let copy = Copy {
                    mailbox: text(&row["mailbox"]),
                    folder: text(&item["folder"]),
                    sender: text(&item["sender"]),
                    unindexed: item["unindexed"] == true,
                };
                all.insert(item["id"].as_u64().unwrap(), copy);
            }
        }
        all
    }
}

/// The round whose purge a step is about: its key ends in that, or in the search.
fn round(key: &str) -> Option<&str> {
    key.splitn(3, '-').nth(2)?.strip_prefix("round-")
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub mailbox: String,
    pub folder: String,
    pub sender: String,
    pub unindexed: bool,
}

impl Copy {
    pub fn is_removed(&self) -> bool {
        self.folder.starts_with("Recoverable Items")
    }
}

/// What a run comes to, without what differs from run to run by right: names, times, and how much
/// `unread` mail earlier waves have left.
pub fn picture(result: &Value, name: &str, unread: usize) -> Value {
    let items = result["items"].as_array().unwrap().iter();
    let rows = items.zip(result["context_data"].as_array().unwrap());
    let mut told: Vec<Value> = rows
        .map(|(item, context)| {
            let input = item["input"].as_str().unwrap().replace(name, "wave");
            let figures = ["found", "left", "held", "failed"].map(|name| &context[name]);
            json!({
                "input": input, "outcome": item["outcome"], "code": item["code"],
                "figures": figures,
            })
        })
        .collect();
    told.sort_by_key(|row| row["input"].to_string());
    let contexts = result["context_data"].as_array().unwrap();
    let statement = contexts.iter().find(|row| row["proven"].is_boolean());
    let statement = statement.unwrap();
    let said = result["key_fields"]["statement"].as_str().unwrap();
    assert_eq!(statement["unindexed"], unread, "{said}");
    let (before, after) = said
        .split_once(". Searched again at ")
        .unwrap_or(("", said));
    let before = before
        .replace(&unread.to_string(), "N")
        .replace("N item ", "N items ");
    let (_, after) = after.split_once(" UTC: ").unwrap_or(("", after));
    json!({
        "return_data": result["return_data"], "proven": result["key_fields"]["proven"],
        "said": [before, after], "rounds": statement["rounds"], "purged": statement["purged"],
        "items": told,
    })
}

/// What the tenant's log, its case and its store say of a run.
pub struct Witness<'a> {
    pub before: &'a BTreeMap<u64, Copy>,
    pub after: &'a BTreeMap<u64, Copy>,
    pub log: &'a [Value],
    /// The purges of the run's search.
    pub purges: &'a [Value],
    pub sender: &'a str,
    pub held: &'a [String],
    /// Purges for which the run has an intent on record, and the rounds that its result names.
    pub intents: usize,
    pub rounds: u64,
}

impl Witness<'_> {
    fn call<'e>(entry: &'e Value, name: &str) -> bool {
        let executed: &'e Value = &entry["executed"];
        entry["call"] == name && executed == true && entry["refused"] != true
    }

    pub fn judge(&self, told: &str) {
        self.took_what_was_asked_for(told);
        self.purged_once_a_round(told);
    }

    /// Nothing was purged that was not asked for, and all is gone that was and that an index reads.
    fn took_what_was_asked_for(&self, told: &str) {
        let mut asked: BTreeMap<&str, u64> = BTreeMap::new();
        for (id, then) in self.before {
            let now = self.after.get(id);
            if then.sender == self.sender && !then.unindexed {
                let gone = now.is_none_or(|now| now.folder == "Recoverable Items\\Purges");
                assert!(gone, "{told}: {then:?} is {now:?}");
                let kept = now.is_some() || !self.held.contains(&then.mailbox);
                assert!(kept, "{told}: what a hold keeps is gone: {then:?}");
                *asked.entry(&then.mailbox).or_default() += 1;
            } else if !then.is_removed() {
                assert_eq!(Some(then), now, "{told}: mail that was not asked for");
            }
        }
        let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
        for purge in self.purges {
            for row in purge["purged"].as_array().unwrap() {
                let mailbox = row["mailbox"].as_str().unwrap();
                *taken.entry(mailbox).or_default() += row["items"].as_u64().unwrap();
            }
        }
        taken.retain(|_, items| *items > 0);
        assert_eq!(taken, asked, "{told}: what the purges took by mailbox");
    }

    /// Each round that the result names is one purge of the tenant, with an intent on record and a
    /// search between it and the one before.
    fn purged_once_a_round(&self, told: &str) {
        let purges: Vec<usize> = (0..self.log.len())
            .filter(|at| Self::call(&self.log[*at], "graph:purgeData"))
            .collect();
        for pair in purges.windows(2) {
            let mut between = self.log[pair[0]..pair[1]].iter();
            let looked = between.any(|entry| Self::call(entry, "graph:estimateStatistics"));
            assert!(looked, "{told}: a purge was repeated blindly");
        }
        let counts = [purges.len(), self.purges.len(), self.intents];
        assert_eq!(
            counts.map(|count| count as u64),
            [self.rounds; 3],
            "{told}: purges in the log, those of the case, and intents, by the rounds of the result"
        );
        let paths: BTreeSet<&str> = purges
            .iter()
            .map(|at| self.log[*at]["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths.len(), 1, "{told}: {paths:?}");
    }
}

/// How many purges have been sent, whatever became of them.
pub fn sent(log: &[Value]) -> usize {
    let purges = log
        .iter()
        .filter(|entry| entry["call"] == "graph:purgeData");
    purges.count()
}
