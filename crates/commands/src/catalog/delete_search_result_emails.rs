//! Delete Search Result Emails.

use async_trait::async_trait;
use kernel::{Effect, Failure, Role, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::{
    Applied, Change, Definition, Done, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    definition::TakenBack,
    ports::DeleteType,
    restore,
    search::{
        self, PATIENCE, Stopped,
        once::{self, Doing, Next, Touched},
        prepare, turns,
    },
    values::{Span, Values},
};

/// The command.
pub struct DeleteSearchResultEmails;

fn patience() -> Span {
    PATIENCE
}

/// How the mail is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delete {
    /// To Recoverable Items: the user can get it back.
    #[default]
    SoftDelete,
    /// For good, unless single item recovery or a hold keeps it.
    HardDelete,
    /// The same as `hard_delete`, as the page calls it.
    HardDeleteCloudOnly,
}

impl Delete {
    fn kind(self) -> DeleteType {
        match self {
            Self::SoftDelete => DeleteType::SoftDelete,
            Self::HardDelete | Self::HardDeleteCloudOnly => DeleteType::HardDelete,
        }
    }
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The names of the searches whose hits are deleted.
    pub search_names: Values,
    /// How the mail is deleted.
    #[serde(default)]
    pub delete_type: Delete,
    /// How long to wait for the purge.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<DeleteSearchResultEmails>()
}

#[async_trait]
impl Change for DeleteSearchResultEmails {
    type Input = Input;
    const META: Meta = Meta {
        id: "delete-search-result-emails",
        title: "Delete Search Result Emails",
        about: "Deletes what searches found out of the mailboxes, at most ten items per mailbox and run, a hundred over Microsoft Graph.",
        effect: Effect::Destructive,
        session: Session::Compliance,
        role: Role::SearchAndPurge,
        page_role: "See Find the permissions required to run any Exchange cmdlet",
        cmdlets: &[
            "Get-ComplianceSearch",
            "Get-ComplianceSearchAction",
            "New-ComplianceSearchAction",
        ],
        failure_indicator: "Delete Search Result Emails failed.",
        outcomes: &[
            Outcome::Purged,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"search_names": ["case-4711"], "delete_type": "soft_delete"}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let kind = input.delete_type.kind();
        let mut plan = Plan::default();
        let sorted = search::names(&input.search_names);
        if settled.is_first_look() {
            plan.settled.extend(sorted.invalid);
            plan.warnings.extend(sorted.warnings);
            plan.warnings.push(meaning(kind).to_owned());
        }
        plan.warnings.extend(search::said(settled));
        let mut stopped = Stopped::default();
        let mut touched = Touched::default();
        // Those that found another purge in their way come last, and only when this run has none
        // under way: it could be the one that they would wait for.
        let open = sorted.good.into_iter();
        let open = open.filter(|good| settled.item(&good.key).is_none());
        let (late, first): (Vec<_>, Vec<_>) =
            open.partition(|good| turns::after_another(settled, &good.key).is_some());
        let count = first.len();
        for (place, good) in first.into_iter().chain(late).enumerate() {
            if place >= count && plan.steps.iter().any(turns::goes_first) {
                break;
            }
            let next = match stopped.why() {
                Some(failure) => Err(failure),
                None => once::look_at(kind, tenant, &good, settled, &mut plan.warnings).await,
            };
            match next {
                Ok(Next::Settle(item)) => plan.settled.push(*item),
                Ok(Next::Refuse(failure)) => plan.settled.push(Item::failed(
                    good.key.as_str(),
                    good.input.as_str(),
                    Outcome::Rejected,
                    failure,
                )),
                Ok(Next::Step(step)) => {
                    touched.note(&step);
                    plan.steps.push(*step);
                }
                Err(failure) => {
                    stopped.note(&failure);
                    plan.settled
                        .push(search::not_looked(&good, failure, settled));
                }
            }
        }
        touched.put(&mut plan.reach, &tenant.vips);
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let Some(item) = open.first() else {
            return Applied::default();
        };
        if let Some(preparation) = prepare::of(step) {
            return prepare::apply(tenant, &preparation, step).await;
        }
        if step.action != json!(Doing::Purge) {
            return Applied::ask_all(step);
        }
        let order = match once::before(item) {
            Ok(before) => once::order(input.delete_type.kind(), &item.input, &before),
            Err(failure) => return Applied::failed(open, failure),
        };
        match tenant.search.purge(&order).await {
            // Its account needs more than waiting: the next look says what.
            Ok(accepted) if accepted.operation.is_some() => Applied {
                again: vec![item.key.clone()],
                made: json!({ "warnings": accepted.said, "operation": accepted.operation }),
                ..Applied::default()
            },
            Ok(accepted) => Applied {
                made: search::made(&accepted.said),
                ..Applied::ask_all(step)
            },
            // Somebody was faster, or goes first; the next look finds what there is.
            Err(failure) if failure.code == code::ALREADY_EXISTS || turns::is_busy(&failure) => {
                Applied {
                    again: vec![item.key.clone()],
                    failure: Some(failure),
                    ..Applied::default()
                }
            }
            Err(failure) => Applied::failed(open, failure),
        }
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let (kind, ours) = (input.delete_type.kind(), step.action != json!(Doing::Wait));
        let mut out = Vec::new();
        for item in items {
            let verdict = match prepare::of(step) {
                Some(_) => once::ready(kind, tenant, item).await,
                None if step.action == json!(Doing::Turn) => turns::turn(kind, tenant, item).await,
                None => once::judge(kind, tenant, item, ours).await,
            };
            let cannot_tell = |failure| Verdict::CannotTell(Box::new(failure));
            out.push((item.key.clone(), verdict.unwrap_or_else(cannot_tell)));
        }
        out
    }

    fn taken_back_by(input: &Input, done: &[Done]) -> Result<Option<TakenBack>, Failure> {
        let searches = done.iter().map(|done| (done, done.item.input.clone()));
        restore::purged_by(input.delete_type.kind(), searches)
    }

    fn way(tenant: &Tenant, item: &Item) -> Option<(&'static str, &'static str)> {
        tenant.search.path_of(&item.input)
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = ["Search", "Outcome", "Found", "Purged", "Left", "Message"];
        let mut table = Table::new("Purges", &columns);
        for item in items {
            table.rows.push(vec![
                item.input.clone(),
                item.outcome.as_str().to_owned(),
                item.figure("found"),
                item.figure("purged"),
                item.figure("left"),
                item.message.clone(),
            ]);
        }
        let names: Vec<&str> = items
            .iter()
            .filter(|item| !item.raw.is_empty())
            .map(|item| item.input.as_str())
            .collect();
        Summary {
            table,
            key_fields: Map::from_iter([("search_names".to_owned(), json!(names))]),
        }
    }

    fn time_limit(input: &Input) -> Span {
        input.time_limit
    }
}

fn meaning(kind: DeleteType) -> &'static str {
    match kind {
        DeleteType::SoftDelete => {
            "a soft delete moves mail to Recoverable Items, where its user can get it back until its retention ends; single item recovery or a hold keeps it there"
        }
        DeleteType::HardDelete => {
            "a hard delete marks mail for removal at the next run of the Managed Folder Assistant; single item recovery or a hold keeps it until retention ends"
        }
    }
}

#[cfg(test)]
#[path = "../search/delete_tests.rs"]
mod tests;
