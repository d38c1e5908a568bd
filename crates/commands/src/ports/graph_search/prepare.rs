//! What a search needs before it can be made: the case, and the named mailboxes in it.

use std::collections::HashSet;

use graph::{
    CaseId, SourceId,
    ediscovery::{AddSource, CreateCase, DescribeSearch, ListSources, Search as Found, Source},
};
use kernel::{ErrorKind, Failure, Happened, escape, failure::code};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    GraphSearch,
    mark::{Mark, Purged},
};
use crate::ports::{Locations, NewSearch, Preparation, Said};

/// What is done, as it travels in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Doing {
    /// Makes the case.
    Case,
    /// Takes a mailbox into the case.
    Source(String),
    /// Waits until a mailbox that was taken in can be searched.
    Sources,
    /// Waits for the work to end, or for the index to settle.
    Settle,
    /// Writes a purge behind the description of its search.
    Record {
        /// The search.
        name: String,
        /// The purge.
        purged: Purged,
    },
    /// Counts what a purge left.
    Recount {
        /// The search.
        name: String,
    },
}

pub(super) fn preparation(key: &str, will: String, waits: bool, doing: &Doing) -> Preparation {
    Preparation {
        key: key.to_owned(),
        will,
        waits,
        doing: json!(doing),
    }
}

impl GraphSearch {
    /// What must be done before that search can be made.
    pub(super) async fn needs(&self, search: &NewSearch) -> Result<Vec<Preparation>, Failure> {
        let now = self.clock.elapsed();
        let free = self.known().is_free(&search.name, now);
        // Nobody has looked for it, and so nobody has seen whether the case is still there.
        if search.made_up && !free {
            self.ids(&search.name, false).await?;
        }
        let Some(case) = self.case().await? else {
            let will = format!(
                "make the eDiscovery case `{}`",
                escape::clipped(&self.case_name, 80)
            );
            return Ok(vec![preparation("make_case", will, false, &Doing::Case)]);
        };
        let Locations::Mailboxes(wanted) = &search.locations else {
            return Ok(Vec::new());
        };
        let sources = self.sources(&case).await?;
        let there: HashSet<String> = sources
            .iter()
            .filter_map(|source| source.email.as_ref())
            .map(|email| email.to_lowercase())
            .collect();
        let new = wanted
            .iter()
            .filter(|one| !there.contains(&one.to_lowercase()));
        let mut missing: Vec<Preparation> = new
            .map(|mailbox| {
                let will = format!(
                    "take {} into the eDiscovery case",
                    escape::clipped(mailbox, 120)
                );
                let key = format!("take_in {mailbox}");
                preparation(&key, will, false, &Doing::Source(mailbox.clone()))
            })
            .collect();
        let waits = sources.iter().any(|source| {
            !source.active && wanted.iter().any(|mailbox| source.is_mailbox(mailbox))
        });
        if missing.is_empty() && waits {
            let will = "wait until the mailboxes of the case can be searched".to_owned();
            missing.push(preparation("await_mailboxes", will, true, &Doing::Sources));
        }
        Ok(missing)
    }

    async fn sources(&self, case: &CaseId) -> Result<Vec<Source>, Failure> {
        let list = ListSources { case: case.clone() };
        Ok(self.graph.all(&list).await?)
    }

    /// The sources of named mailboxes.
    pub(super) async fn source_ids(
        &self,
        case: &CaseId,
        wanted: &[String],
    ) -> Result<Vec<SourceId>, Failure> {
        let sources = self.sources(case).await?;
        let of = |mailbox: &String| {
            let source = sources.iter().find(|source| source.is_mailbox(mailbox));
            source.map(|source| source.id.clone()).ok_or_else(|| {
                let text = format!("`{}` is not in the case", escape::clipped(mailbox, 120));
                Failure::new(ErrorKind::NotReady, code::NOT_READY, text)
                    .status(409)
                    .happened(Happened::NotSent)
            })
        };
        wanted.iter().map(of).collect()
    }

    /// Does one preparation.
    pub(super) async fn do_one(&self, preparation: &Preparation) -> Result<Said, Failure> {
        let doing = serde_json::from_value(preparation.doing.clone())
            .map_err(|error| Failure::internal(format!("a preparation was not read: {error}")))?;
        match doing {
            Doing::Case => self.make_case().await,
            Doing::Source(mailbox) => self.take_in(&mailbox).await,
            Doing::Sources | Doing::Settle => Ok(Vec::new()),
            Doing::Record { name, purged } => self.record(&name, purged).await,
            Doing::Recount { name } => self.recount(&name).await,
        }
    }

    async fn make_case(&self) -> Result<Said, Failure> {
        let make = CreateCase {
            name: self.case_name.clone(),
            description: "Searches that contain attacks by mail, made by mailcordon. Their descriptions say which work purged them; leave these as they are.".to_owned(),
        };
        // If the answer is lost, a list tells whether there is one.
        self.known().made_case(None);
        let case = match self.graph.send(&make).await {
            Ok(answer) => Some(answer.value.id),
            // Another process was faster.
            Err(error) if error.reason() == Some(&graph::Reason::AlreadyThere) => None,
            Err(error) => return Err(error.into()),
        };
        self.known().made_case(case);
        Ok(Vec::new())
    }

    async fn take_in(&self, mailbox: &str) -> Result<Said, Failure> {
        let case = self.case().await?;
        let case = case.ok_or_else(|| Failure::internal("the case was not made"))?;
        let add = AddSource {
            case,
            mailbox: mailbox.to_owned(),
        };
        match self.graph.send(&add).await {
            Ok(_) => Ok(Vec::new()),
            // Another run was faster: it is there.
            Err(error) if error.reason() == Some(&graph::Reason::AlreadyThere) => Ok(Vec::new()),
            Err(error) => {
                let failure: Failure = error.into();
                let text = format!("{}: {}", escape::clipped(mailbox, 120), failure.message);
                Err(Failure {
                    message: text,
                    ..failure
                })
            }
        }
    }

    /// Writes a purge behind the description, as that was read right before the purge where nobody
    /// else deals with the search, else as it is now.
    async fn record(&self, name: &str, purged: Purged) -> Result<Said, Failure> {
        for as_read in [self.read_before(name, &purged), None] {
            let was_read = as_read.is_some();
            let (case, found) = match as_read {
                Some(read) => read,
                None => self.needed(name).await?,
            };
            let mark = Mark::read(found.description.as_deref()).with(purged.clone());
            let describe = DescribeSearch {
                case,
                search: found.id.clone(),
                description: mark.write(found.description.as_deref()),
            };
            match self.graph.send(&describe).await {
                Ok(_) => {
                    self.known().recorded(&found.id, &purged);
                    break;
                }
                Err(error) if was_read && error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Vec::new())
    }

    /// The search as it was read right before that purge, if this process may rely on it.
    fn read_before(&self, name: &str, purged: &Purged) -> Option<(CaseId, Found)> {
        let known = self.known();
        let made = known.purges.get(&known.search(name)?)?;
        let before = made
            .before
            .as_ref()
            .filter(|_| made.operation == purged.op)?;
        Some((known.case.clone()?, (**before).clone()))
    }

    async fn recount(&self, name: &str) -> Result<Said, Failure> {
        let (search, operation) = self.estimate_anew(name).await?;
        self.known().recounts.insert(search, operation);
        Ok(Vec::new())
    }
}
