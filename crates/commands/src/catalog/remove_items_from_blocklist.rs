//! Remove Items From Blocklist.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use exchange::{
    Cmdlet, Values as Ids,
    cmdlet::{ListAction, ListEntry, ListTarget, RemoveTenantAllowBlockListItems},
};
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Tenant, Verdict,
    blocklist::{
        ListType, Listed, VALUES_PER_CALL, accept, canonical, read_list, read_matching, unchanged,
    },
    dates,
    values::{Good, Sorted, Values},
};

/// The command.
pub struct RemoveItemsFromBlocklist;

/// What the entries are named by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntityType {
    /// By their values.
    #[default]
    Entries,
    /// By their identities, as the listing prints them.
    EntryIds,
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The entries to remove: values, or identities with `entity_type` `entry_ids`.
    pub entries: Values,
    /// Whether `entries` are values or identities.
    #[serde(default)]
    pub entity_type: EntityType,
    /// The list of the service that the entries are on.
    pub list_type: ListType,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<RemoveItemsFromBlocklist>()
}

impl Input {
    /// The canonical form of each entry: of the value, or the identity itself.
    fn sorted(&self) -> Sorted<()> {
        self.entries.sort(|text| match self.entity_type {
            EntityType::Entries => {
                accept(self.list_type, text).map(|(key, _, note)| (key, (), note))
            }
            EntityType::EntryIds if text.chars().any(|c| c.is_whitespace() || c.is_control()) => {
                Err(Failure::invalid(
                    code::INVALID_IDENTITY,
                    format!(
                        "`{}` is no identity of a list entry",
                        escape::clipped(text, 120)
                    ),
                ))
            }
            EntityType::EntryIds => Ok((text.to_owned(), (), None)),
        })
    }

    fn key<'a>(&self, listed: &'a Listed) -> &'a str {
        match self.entity_type {
            EntityType::Entries => &listed.key,
            EntityType::EntryIds => &listed.identity,
        }
    }
}

#[async_trait]
impl Change for RemoveItemsFromBlocklist {
    type Input = Input;
    const META: Meta = Meta {
        id: "remove-items-from-blocklist",
        title: "Remove Items From Blocklist",
        about: "Takes block entries off the Tenant Allow/Block List; an allow entry of the same value stays.",
        effect: Effect::WriteReversible,
        session: Session::Exchange,
        role: Role::TenantAllowBlockListManager,
        page_role: "Security Operator",
        cmdlets: &[
            "Get-TenantAllowBlockListItems",
            "Remove-TenantAllowBlockListItems",
        ],
        failure_indicator: "Remove Items From Blocklist failed.",
        outcomes: &[
            Outcome::Removed,
            Outcome::AlreadySo,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"entries": ["phisher@evil.example"], "list_type": "emails"}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let sorted = input.sorted();
        if settled.is_first_look() {
            plan.settled.extend(sorted.invalid);
            plan.warnings.extend(sorted.warnings);
        }
        let open: Vec<_> = sorted
            .good
            .iter()
            .filter(|good| settled.item(&good.key).is_none())
            .collect();
        if open.is_empty() {
            return Ok(plan);
        }
        let listed = match read_list(tenant, input.list_type).await {
            Ok(listed) => listed,
            Err(failure) => {
                let open = open
                    .iter()
                    .map(|good| (good.key.as_str(), good.input.as_str()));
                return Ok(plan.cut_short_before(failure, open, settled));
            }
        };
        let mut by_key: HashMap<&str, Vec<&Listed>> = HashMap::new();
        for entry in &listed {
            by_key.entry(input.key(entry)).or_default().push(entry);
        }
        let (mut found, mut alone) = (Vec::new(), Vec::new());
        for good in open {
            let there = by_key.get(good.key.as_str()).map_or(&[][..], Vec::as_slice);
            let Some(block) = there.iter().find(|entry| entry.blocks) else {
                let item = ours(settled, &good.key)
                    .unwrap_or_else(|| not_blocked(input, &good.key, &good.input, there.first()));
                plan.settled.push(item);
                continue;
            };
            match missing(settled, &good.key) {
                Missing::No => found.push((good, *block)),
                Missing::OneOfSeveral => alone.push((good, *block)),
                Missing::Removed => plan.settled.push(removed(&planned(good, block), block)),
            }
        }
        let round = settled.history.len();
        let calls = found.chunks(VALUES_PER_CALL).chain(alone.chunks(1));
        for (index, chunk) in calls.enumerate() {
            let items = chunk.iter().map(|(good, entry)| planned(good, entry));
            plan.steps.push(Step {
                key: format!("remove-{round}-{index}"),
                lane: None,
                items: items.collect(),
                action: json!("remove"),
                facts: serde_json::Map::new(),
                prepares: false,
            });
        }
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let ids = open
            .iter()
            .filter_map(|item| before(item))
            .map(|entry| entry.identity)
            .collect();
        let ids = match Ids::new(ids) {
            Ok(ids) => ids,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = RemoveTenantAllowBlockListItems {
            list_type: input.list_type.service(),
            target: ListTarget::Ids(ids),
            tenant_sub_type: false,
        };
        let mut applied = Applied::default();
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => {
                // The answer names values only, in no promised order. What it names is gone, though
                // the list may show it for a while; for the rest the list is read back.
                applied.failure = unchanged(&reply);
                let gone: HashSet<String> = reply
                    .rows
                    .iter()
                    .map(ListEntry)
                    .filter(|row| row.error().is_none())
                    .filter_map(|row| Some(canonical(input.list_type, row.value()?)))
                    .collect();
                for item in open {
                    match before(item).filter(|entry| gone.contains(&entry.key)) {
                        Some(entry) => applied.settled.push(removed(item, &entry)),
                        None => applied.ask.push(item.key.clone()),
                    }
                }
            }
            Err(error) => {
                let failure = error.failure();
                if matches!(failure.happened, Happened::NotSent) {
                    return Applied::failed(open, failure);
                }
                applied = Applied::ask_all(step);
                applied.failure = Some(failure);
            }
        }
        applied
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        _: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let listed = read_list(tenant, input.list_type).await;
        let mut verdicts = Vec::with_capacity(items.len());
        for item in items {
            let verdict = match (&listed, before(item)) {
                (Err(failure), _) => Verdict::CannotTell(Box::new(failure.clone())),
                (Ok(_), None) => Verdict::CannotTell(Box::new(Failure::internal(
                    "a plan without its before-image",
                ))),
                (Ok(listed), Some(entry)) => {
                    let same = |other: &Listed| other.identity == entry.identity;
                    if listed.iter().any(same) {
                        Verdict::NotTaken
                    } else {
                        // Other removals of this run may have moved it over the edge of a page.
                        match find(tenant, input.list_type, &entry).await {
                            Ok(found) if found.iter().any(same) => Verdict::NotTaken,
                            Ok(_) => Verdict::Taken(Box::new(removed(item, &entry))),
                            Err(failure) => Verdict::CannotTell(Box::new(failure)),
                        }
                    }
                }
            };
            verdicts.push((item.key.clone(), verdict));
        }
        verdicts
    }
}

/// The block entries of one value.
async fn find(tenant: &Tenant, list: ListType, entry: &Listed) -> Result<Vec<Listed>, Failure> {
    let value = entry.row.get("Value").and_then(serde_json::Value::as_str);
    read_matching(tenant, list, ListAction::Block, value.unwrap_or(&entry.key)).await
}

fn planned(good: &Good<()>, entry: &Listed) -> Planned {
    let will = format!("remove the block, which ends {}", entry.end());
    Planned::new(good.key.as_str(), good.input.as_str(), will).before(json!(entry))
}

/// The item of an entry that is gone because an earlier call of this run removed it.
fn ours(settled: &Settled, key: &str) -> Option<Item> {
    let step = &settled.maybe_done(key)?.step;
    let item = step.items.iter().find(|item| item.key == key)?;
    Some(removed(item, &before(item)?))
}

/// What the service's "not found" says about an entry that the list still shows.
enum Missing {
    /// Nothing of the kind was said.
    No,
    /// It, or another of the same call: the call is repeated for it alone.
    OneOfSeveral,
    /// It is gone, and an earlier call of ours whose answer was lost is what removed it.
    Removed,
}

fn missing(settled: &Settled, key: &str) -> Missing {
    let not_found = |failure: &Failure| failure.code == code::NOT_FOUND;
    let Some(last) = settled.attempts(key).last() else {
        return Missing::No;
    };
    if !last.failure.as_ref().is_some_and(not_found) {
        return Missing::No;
    }
    let ours = settled.maybe_done(key).is_some();
    if ours && last.step.items.len() == 1 {
        Missing::Removed
    } else {
        Missing::OneOfSeveral
    }
}

fn before(item: &Planned) -> Option<Listed> {
    serde_json::from_value(item.before.clone()).ok()
}

/// The removed row is kept whole: it is what an undo needs.
fn removed(item: &Planned, entry: &Listed) -> Item {
    Item::success(
        item.key.as_str(),
        item.input.as_str(),
        Outcome::Removed,
        "no longer blocked",
    )
    .identity(Some(entry.identity.clone()))
    .with("value", entry.row.get("Value").cloned())
    .with("expiration_date", entry.expires.map(dates::show))
    .with("note", entry.row.get("Notes").cloned())
    .raw(entry.row.clone())
}

fn not_blocked(input: &Input, key: &str, text: &str, allow: Option<&&Listed>) -> Item {
    let shown = escape::clipped(text, 120);
    match (allow, input.entity_type) {
        (None, _) => Item::success(key, text, Outcome::AlreadySo, "is not on the block list"),
        (Some(allow), EntityType::Entries) => Item::success(
            key,
            text,
            Outcome::AlreadySo,
            "is not on the block list, only allowed",
        )
        .warn(format!(
            "`{shown}` is listed under Allow ({}); that entry was left alone",
            allow.identity
        )),
        (Some(_), EntityType::EntryIds) => Item::failed(
            key,
            text,
            Outcome::Rejected,
            Failure::new(
                ErrorKind::Conflict,
                code::ALLOW_IN_THE_WAY,
                format!("`{shown}` is the identity of an allow entry"),
            )
            .status(409)
            .happened(Happened::Refused)
            .hint("this command removes block entries only"),
        ),
    }
}
