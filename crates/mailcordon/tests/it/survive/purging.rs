//! A service that purges in rounds over Microsoft Graph, and what the tenant's own log and store say
//! of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
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
const LARGEST: usize = 230;

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
    pub to: Vec<String>,
    pub marker: PathBuf,
}

impl Ground {
    pub fn new() -> Self {
        let lab = Lab::over_graph(PACE, &[]);
        let (folder, token) = service::ready(&lab, "purging");
        let marker = lab.folder.path().join("held");
        let to = judge::plain_mailboxes(&lab, 4);
        Self {
            lab,
            folder,
            token,
            to,
            marker,
        }
    }

    /// A wave of its own for each run: the last mailbox keeps what is purged.
    pub fn plant(&self, name: &str) {
        let sender = format!("{name}@attacker.example");
        let wave = json!({
            "sender": sender, "messages": LARGEST + 12, "largest": LARGEST, "to": self.to,
            "held": 1,
        });
        self.lab.control("POST", "/mail", &wave);
    }

    fn request(&self, name: &str) -> Value {
        json!({
            "command": "search-and-purge", "connection": "sandbox",
            "input": {
                "query": format!("from:\"{name}@attacker.example\""), "search_name": name,
                "delete_type": "hard_delete", "mailboxes": self.to,
            },
        })
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
        judge::wait_for("the run to end", || self.is_over(service, run));
        let path = format!("/runs/{run}/result");
        service.good(&self.token, "GET", &path, &Value::Null)
    }

    /// What the steps of a run did, in the order in which it stands in the record.
    pub fn steps(&self, run: &str) -> Vec<StepKind> {
        let database = rusqlite::Connection::open(self.folder.join("mailcordon.db")).unwrap();
        let sql = "SELECT step FROM steps WHERE run = ?1 AND attempted IS NOT NULL
            ORDER BY attempted";
        let mut rows = database.prepare(sql).unwrap();
        let rows = rows.query_map([run], |row| row.get::<_, String>(0));
        let keys: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        let mut kinds: Vec<StepKind> = Vec::new();
        for key in keys {
            // The key ends in what the step is about: the search, or the purge of a round.
            let about = key.splitn(3, '-').nth(2).unwrap();
            let kind = match about.strip_prefix("round-") {
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
                };
                all.insert(item["id"].as_u64().unwrap(), copy);
            }
        }
        all
    }
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub mailbox: String,
    pub folder: String,
    pub sender: String,
}

impl Copy {
    pub fn is_removed(&self) -> bool {
        self.folder.starts_with("Recoverable Items")
    }
}

/// What a run comes to, without what differs from run to run by right: names and times.
pub fn picture(result: &Value, name: &str) -> Value {
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
    let (_, said) = said.split_once(" UTC: ").unwrap_or(("", said));
    json!({
        "return_data": result["return_data"], "proven": result["key_fields"]["proven"],
        "said": said, "rounds": statement["rounds"], "purged": statement["purged"],
        "items": told,
    })
}

/// What the tenant's log and store say of a run.
pub struct Witness<'a> {
    pub before: &'a BTreeMap<u64, Copy>,
    pub after: &'a BTreeMap<u64, Copy>,
    pub log: &'a [Value],
    pub sender: &'a str,
    pub held: &'a str,
}

impl Witness<'_> {
    fn call<'e>(entry: &'e Value, name: &str) -> bool {
        let executed: &'e Value = &entry["executed"];
        entry["call"] == name && executed == true && entry["refused"] != true
    }

    /// Nothing was purged that was not asked for, all that was asked for is gone, and each purge
    /// rests on a look of its own.
    pub fn judge(&self, told: &str) {
        for (id, then) in self.before {
            let now = self.after.get(id);
            if then.sender == self.sender {
                let gone = now.is_none_or(|now| now.folder == "Recoverable Items\\Purges");
                assert!(gone, "{told}: {then:?} is {now:?}");
                let kept = now.is_some() || then.mailbox != self.held;
                assert!(kept, "{told}: what a hold keeps is gone: {then:?}");
            } else if !then.is_removed() {
                assert_eq!(Some(then), now, "{told}: somebody else's mail");
            }
        }
        let purges: Vec<usize> = (0..self.log.len())
            .filter(|at| Self::call(&self.log[*at], "graph:purgeData"))
            .collect();
        assert_eq!(purges.len(), ROUNDS, "{told}: purges carried out");
        let paths: BTreeSet<&str> = purges
            .iter()
            .map(|at| self.log[*at]["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths.len(), 1, "{told}: {paths:?}");
        for pair in purges.windows(2) {
            let between = &self.log[pair[0]..pair[1]];
            let looked = |name| between.iter().any(|entry| Self::call(entry, name));
            for name in ["graph:estimateStatistics", "graph:listOperations"] {
                assert!(looked(name), "{told}: a purge without {name} before it");
            }
        }
    }

    /// Whoever takes the run over looks at the work of the case before it purges.
    pub fn looks_first(&self, killed_at: u64, told: &str) {
        let later = |entry: &&Value| entry["seq"].as_u64().unwrap() > killed_at;
        let mut after = self.log.iter().filter(later);
        let first = after.find(|entry| {
            Self::call(entry, "graph:purgeData") || Self::call(entry, "graph:listOperations")
        });
        if let Some(first) = first {
            assert_eq!(
                first["call"], "graph:listOperations",
                "{told}: a purge, blindly"
            );
        }
    }
}
