//! Remove Items From Blocklist.

use std::collections::HashMap;

use async_trait::async_trait;
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Applied, Change, Definition, Done, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Tenant, Verdict,
    blocklist::{
        Entry, ListType, Listed, VALUES_PER_CALL, accept, reach, read_list,
        remove::{Missing, Removal, missing, ours, removed},
        undo::{Back, Undo},
    },
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

    fn undo(&self) -> Undo<'_> {
        Undo {
            list: self.list_type,
            asked: None,
        }
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
                Missing::Refused(failure) => {
                    let (key, text) = (good.key.as_str(), good.input.as_str());
                    let item = Item::failed(key, text, Outcome::Rejected, *failure);
                    plan.settled.push(item);
                }
            }
        }
        let touched = found.iter().chain(&alone);
        let touched: Vec<Entry> = touched
            .filter_map(|(_, entry)| Entry::of_listed(input.list_type, entry.value()))
            .collect();
        let touched: Vec<&Entry> = touched.iter().collect();
        reach::note_vips(&mut plan.reach, &tenant.vips, &touched);
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
        if let Some(back) = Back::of(step) {
            return input.undo().apply(tenant, step, open, back).await;
        }
        Removal(input.list_type).apply(tenant, step, open).await
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        if let Some(back) = Back::of(step) {
            return input.undo().verify(tenant, items, back).await;
        }
        Removal(input.list_type).verify(tenant, items).await
    }

    async fn undo(
        input: &Input,
        tenant: &Tenant,
        done: &[Done],
        settled: &Settled,
    ) -> Result<Plan, Failure> {
        input.undo().look(tenant, done, settled).await
    }
}

fn planned(good: &Good<()>, entry: &Listed) -> Planned {
    let will = format!("remove the block, which ends {}", entry.end());
    Planned::new(good.key.as_str(), good.input.as_str(), will).before(json!(entry))
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
