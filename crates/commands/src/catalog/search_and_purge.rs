//! Search and Purge: finds mail, purges it, searches again, in rounds, until nothing is left; and
//! says at the end what that proves.

use async_trait::async_trait;
use indicators::KqlQuery;
use kernel::{Effect, Failure, Role, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Done, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    definition::TakenBack,
    ports::{DeleteType, Locations},
    restore,
    search::{
        self, PATIENCE,
        rounds::{self, Asked},
    },
    values::{Span, Values},
};

/// The command.
pub struct SearchAndPurge;

/// Two searches this far apart that find nothing prove something: an index shows changes late.
const SETTLING: Span = Span::minutes(1);

fn patience() -> Span {
    PATIENCE
}

fn settling() -> Span {
    SETTLING
}

fn rounds() -> u32 {
    50
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// What to purge: KQL that every service reads alike (`mailcordon build kql` makes one).
    pub query: String,
    /// Addresses of mailboxes or groups to search. None means all mailboxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<Values>,
    /// How the mail is deleted. Soft makes one round and proves nothing; hard goes on until
    /// nothing is left.
    pub delete_type: DeleteType,
    /// The name of the search to make. None means a generated one; so does a dry run, which leaves the
    /// name to the run that it is made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_name: Option<String>,
    /// Also purge what later rounds find and the first look had not found.
    #[serde(default)]
    pub follow: bool,
    /// The most purges to make.
    #[serde(default = "rounds")]
    pub max_rounds: u32,
    /// How far apart the two searches are that must find nothing.
    #[serde(default = "settling")]
    pub settling_time: Span,
    /// How long to wait for each search and each purge.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<SearchAndPurge>()
}

impl Input {
    /// What is asked, and what is to be said about it.
    fn asked(&self) -> Result<(Asked<'_>, Vec<String>), Failure> {
        let mut warnings = self.judged_query()?;
        let (locations, said) = self.locations()?;
        warnings.extend(said);
        if let Some(name) = &self.search_name {
            search::name(name)?;
        }
        if self.max_rounds == 0 {
            let text = "`max_rounds` is 0: nothing would be purged; make a dry run for a look";
            return Err(Failure::invalid(code::UNKNOWN_VALUE, text));
        }
        let asked = Asked {
            query: &self.query,
            locations,
            name: self.search_name.as_deref(),
            delete: self.delete_type,
            follow: self.follow,
            max_rounds: self.max_rounds,
            settling: self.settling_time.0,
        };
        Ok((asked, warnings))
    }

    /// Refuses a query that two services read differently, and one that takes in nearly everything:
    /// nobody looks again before the second round.
    fn judged_query(&self) -> Result<Vec<String>, Failure> {
        let refuse = |why: String| {
            Failure::invalid(code::INVALID_QUERY, format!("`query`: {why}")).hint(
                "`mailcordon check kql` tries a query offline, `mailcordon build kql` makes one",
            )
        };
        let query = KqlQuery::parse_clear(&self.query).map_err(|why| refuse(why.to_string()))?;
        let broad = [
            "very_broad",
            "only_negative",
            "no_mail_in_particular",
            "matches_nothing",
        ];
        let findings = query.warnings();
        if let Some(finding) = findings.iter().find(|one| broad.contains(&one.code)) {
            return Err(refuse(finding.to_string()));
        }
        let said = findings.iter().map(|one| format!("the query: {one}"));
        Ok(said.collect())
    }

    fn locations(&self) -> Result<(Locations, Vec<String>), Failure> {
        let Some(mailboxes) = &self.mailboxes else {
            return Ok((Locations::All, Vec::new()));
        };
        let (list, warnings) = search::mailboxes(mailboxes)?;
        if list.iter().any(|one| one.eq_ignore_ascii_case("All")) {
            let text = "`All` is no mailbox; leave `mailboxes` out to search all of them";
            return Err(Failure::invalid(code::INVALID_MAILBOX, text));
        }
        Ok((Locations::Mailboxes(list), warnings))
    }
}

#[async_trait]
impl Change for SearchAndPurge {
    type Input = Input;
    const META: Meta = Meta {
        id: "search-and-purge",
        title: "Search and Purge",
        about: "Finds mail, purges it and searches again, in rounds, until nothing is left; says what that proves.",
        effect: Effect::Destructive,
        session: Session::Compliance,
        role: Role::SearchAndPurge,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &[
            "Get-ComplianceSearch",
            "Get-ComplianceSearchAction",
            "New-ComplianceSearch",
            "New-ComplianceSearchAction",
            "Remove-ComplianceSearchAction",
            "Start-ComplianceSearch",
        ],
        failure_indicator: "Search and Purge failed.",
        outcomes: &[
            Outcome::Started,
            Outcome::Purged,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"query": "(from:\"phisher@evil.example\") AND (received>=2026-01-01)", "delete_type": "hard_delete"}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        match input.asked() {
            Ok((asked, warnings)) => {
                let mut plan = rounds::look(&asked, tenant, settled).await;
                plan.warnings.extend(warnings);
                Ok(plan)
            }
            Err(failure) => Ok(Plan {
                settled: vec![Item::failed(
                    rounds::SEARCH,
                    input.query.as_str(),
                    Outcome::Invalid,
                    failure,
                )],
                ..Plan::default()
            }),
        }
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        match input.asked() {
            Ok((asked, _)) => rounds::apply(&asked, tenant, step, open).await,
            Err(failure) => Applied::failed(open, failure),
        }
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let mut out = Vec::new();
        for item in items {
            let verdict = match input.asked() {
                Ok((asked, _)) => rounds::verify(&asked, tenant, step, item).await,
                Err(failure) => Verdict::CannotTell(Box::new(failure)),
            };
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn taken_back_by(input: &Input, done: &[Done]) -> Result<Option<TakenBack>, Failure> {
        let searches = done.iter();
        let searches = searches.filter_map(|done| Some((done, rounds::search_of(&done.action)?)));
        restore::purged_by(input.delete_type, searches)
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = [
            "What", "Outcome", "Found", "Purged", "Left", "Held", "Failed", "Message",
        ];
        let mut table = Table::new("Search and purge", &columns);
        for item in items {
            table.rows.push(vec![
                item.input.clone(),
                item.outcome.as_str().to_owned(),
                item.figure("found"),
                item.figure("purged"),
                item.figure("left"),
                item.figure("held"),
                item.figure("failed"),
                item.message.clone(),
            ]);
        }
        let find = |key: &str| items.iter().find(|item| item.key == key);
        let statement = find(rounds::STATEMENT).map(|item| item.message.clone());
        let proven = find(rounds::STATEMENT)
            .and_then(|item| item.context.get("proven").cloned())
            .unwrap_or(Value::Bool(false));
        let names: Vec<&str> = find(rounds::SEARCH)
            .filter(|item| item.outcome != Outcome::Invalid)
            .map(|item| item.input.as_str())
            .into_iter()
            .collect();
        Summary {
            table,
            key_fields: Map::from_iter([
                ("search_names".to_owned(), json!(names)),
                ("statement".to_owned(), json!(statement)),
                ("proven".to_owned(), proven),
            ]),
        }
    }

    fn raw_data(_: &Input, items: &mut [Item]) -> Value {
        let rows: Vec<&Value> = items.iter().flat_map(|item| &item.raw).collect();
        let statement = items.iter().find(|item| item.key == rounds::STATEMENT);
        json!({ "statement": statement.map(|item| &item.context), "value": rows })
    }

    /// The wait between the two searches is a step like any other, and has its own length.
    fn time_limit(input: &Input) -> Span {
        let settling = input.settling_time.0.saturating_add(SETTLING.0);
        Span(input.time_limit.0.max(settling))
    }
}

#[cfg(test)]
#[path = "../search/rounds/tests.rs"]
mod tests;
