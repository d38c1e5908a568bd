//! Restore Soft Deleted: brings mail that a soft delete took back to the Inbox, and says what
//! cannot come back.

use async_trait::async_trait;
use kernel::{Effect, Failure, Role, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Summary, Table, Tenant, Verdict,
    restore::{self, Purged, Source, Wanted},
    values::{Span, Values},
};

/// The command.
pub struct RestoreSoftDeleted;

/// A request to Defender that has not shown by then is not repeated, and called pending.
const PATIENCE: Span = Span::minutes(20);

fn patience() -> Span {
    PATIENCE
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The messages, by the value of their Message-ID header; each is looked for in each mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_ids: Option<Values>,
    /// Addresses of the mailboxes that they were deleted from. With `search_name`: only these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<Values>,
    /// Instead of message ids: a search over Microsoft Graph, whose purge is to be taken back. Its
    /// preview names the hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_name: Option<String>,
    /// With `search_name`: the query that the search must still have, or nothing is moved. The undo
    /// of a purge gives the one that was purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// With `search_name`: where the search must still look, or nothing is moved: `All`, or the
    /// addresses of mailboxes. The undo of a purge gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locations: Option<Values>,
    /// How long to wait until a copy is back. Defender takes minutes.
    #[serde(default = "patience")]
    pub time_limit: Span,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<RestoreSoftDeleted>()
}

impl Input {
    fn source(&self) -> Result<Source<'_>, Failure> {
        let missing = |text: &str| Err(Failure::invalid(code::MISSING_PARAMETER, text));
        match (&self.message_ids, &self.mailboxes, &self.search_name) {
            (None, mailboxes, Some(name)) => Ok(Source::Search(Purged {
                name,
                mailboxes: mailboxes.as_ref(),
                query: self.query.as_deref(),
                locations: self.locations.as_ref(),
            })),
            _ if self.query.is_some() || self.locations.is_some() => {
                missing("`search_name` is missing: `query` and `locations` say what that search is")
            }
            (Some(ids), Some(mailboxes), None) => Ok(Source::Messages(ids, mailboxes)),
            (Some(_), None, None) => missing(
                "`mailboxes` is missing: in which mailboxes the messages are to be looked for",
            ),
            (Some(_), _, Some(_)) => Err(Failure::invalid(
                code::UNKNOWN_VALUE,
                "`message_ids` and `search_name` both say which messages: give one of them",
            )),
            (None, _, None) => {
                missing("which messages? Give `message_ids` with `mailboxes`, or `search_name`")
            }
        }
    }
}

#[async_trait]
impl Change for RestoreSoftDeleted {
    type Input = Input;
    const META: Meta = Meta {
        id: "restore-soft-deleted",
        title: "Restore Soft Deleted",
        about: "Brings soft-deleted mail back to the Inbox, message by message, and says what cannot come back.",
        effect: Effect::Write,
        session: Session::Graph,
        role: Role::MailReadWrite,
        page_role: "none: the page has no such command",
        cmdlets: &[],
        failure_indicator: "Restore Soft Deleted failed.",
        outcomes: &[
            Outcome::Restored,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"message_ids": ["<CAF3x@mail.partner.example>"], "mailboxes": ["megan@northwind.example"]}"#,
    };

    fn check(input: &Input) -> Result<(), Failure> {
        input.source().map(drop)
    }

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let patience = input.time_limit.0;
        Ok(restore::look(input.source()?, patience, tenant, settled).await)
    }

    async fn apply(_: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        restore::apply(tenant, step, open).await
    }

    async fn verify(
        _: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let mut out = Vec::new();
        for item in items {
            let verdict = restore::verify(tenant, step, item).await;
            out.push((item.key.clone(), verdict));
        }
        out
    }

    fn way(tenant: &Tenant, item: &Item) -> Option<(&'static str, &'static str)> {
        let way = tenant.deleted.way(Wanted::mailbox_of(&item.key)?)?;
        Some((way.path(), way.why()))
    }

    fn summary(_: &Input, items: &[Item]) -> Summary {
        let columns = ["Message in mailbox", "Outcome", "Subject", "Message"];
        let mut table = Table::new("Restored mail", &columns);
        for item in items {
            let subject = item.context.get("subject").and_then(Value::as_str);
            table.rows.push(vec![
                item.input.clone(),
                item.outcome.as_str().to_owned(),
                subject.unwrap_or_default().to_owned(),
                item.message.clone(),
            ]);
        }
        let count = |outcome| items.iter().filter(|item| item.outcome == outcome).count();
        Summary {
            table,
            key_fields: Map::from_iter([
                ("restored".to_owned(), json!(count(Outcome::Restored))),
                ("already_so".to_owned(), json!(count(Outcome::AlreadySo))),
            ]),
        }
    }

    fn raw_data(_: &Input, items: &mut [Item]) -> Value {
        let rows: Vec<&Map<String, Value>> = items.iter().map(|item| &item.context).collect();
        json!({ "value": rows })
    }

    fn time_limit(input: &Input) -> Span {
        input.time_limit
    }
}

#[cfg(test)]
#[path = "../restore/tests.rs"]
mod tests;
