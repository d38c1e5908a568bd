//! Convert Type Of Mailboxes.

use std::time::Duration;

use async_trait::async_trait;
use exchange::{
    Cmdlet, Identity, Warning,
    cmdlet::{GetMailboxStatistics, Mailbox, MailboxStatistics, MailboxType as Type, SetMailbox},
};
use futures::{StreamExt, stream};
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Applied, Change, Definition, Done, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Tenant, Verdict,
    mailbox::{self, Found, Missed, find, stops_all},
    values::{Good, Values},
};

#[path = "../mailbox/convert_undo.rs"]
mod undo;

/// The command.
pub struct ConvertTypeOfMailboxes;

/// What a mailbox becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailboxType {
    /// Shared by several people.
    #[default]
    Shared,
    /// A person's own; needs a licence.
    Regular,
    /// A room.
    Room,
    /// Equipment.
    Equipment,
}

impl MailboxType {
    fn service(self) -> Type {
        match self {
            Self::Shared => Type::Shared,
            Self::Regular => Type::Regular,
            Self::Room => Type::Room,
            Self::Equipment => Type::Equipment,
        }
    }

    /// What reading the mailbox shows.
    fn details(self) -> &'static str {
        self.service().recipient_type_details()
    }
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The mailboxes, by address, alias, user principal name or GUID.
    pub personal_mail_boxes: Values,
    /// What they become.
    #[serde(default)]
    pub mailbox_type: MailboxType,
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Action {
    identity: String,
    to: MailboxType,
    /// An earlier call of this run was about the same mailbox.
    tried: bool,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<ConvertTypeOfMailboxes>()
}

/// Mailboxes read at once; the wire client learns how many the service takes.
const AT_ONCE: usize = 64;
/// What a shared mailbox without a licence may hold.
const UNLICENSED_BYTES: u64 = 50 << 30;

#[async_trait]
impl Change for ConvertTypeOfMailboxes {
    type Input = Input;
    const META: Meta = Meta {
        id: "convert-type-of-mailboxes",
        title: "Convert Type Of Mailboxes",
        about: "Makes mailboxes shared, regular, room or equipment mailboxes.",
        effect: Effect::WriteReversible,
        session: Session::Exchange,
        role: Role::RecipientManagement,
        page_role: "Security Administrator",
        cmdlets: &["Get-Mailbox", "Set-Mailbox"],
        failure_indicator: "Convert Type Of Mailboxes failed.",
        outcomes: &[
            Outcome::Converted,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"personal_mail_boxes": ["megan.bowen@northwind.example"], "mailbox_type": "shared"}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let mut sorted = input.personal_mail_boxes.sort(mailbox::identity);
        if settled.is_first_look() {
            plan.settled.append(&mut sorted.invalid);
            plan.warnings.append(&mut sorted.warnings);
        }
        let open = sorted
            .good
            .into_iter()
            .filter(|good| settled.item(&good.key).is_none());
        let mut looked = stream::iter(open)
            .map(|good| async move {
                let found = find(tenant, &good.value).await;
                (good, found)
            })
            .buffered(AT_ONCE);
        let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        while let Some((good, found)) = looked.next().await {
            let found = match found {
                Ok(found) => found,
                Err(missed) => {
                    match missed_item(&good, missed, settled) {
                        Ok(item) => plan.settled.push(item),
                        Err(failure) => {
                            drop(looked);
                            return Ok(plan.cut_short(failure));
                        }
                    }
                    continue;
                }
            };
            let tried = was_tried(settled, &good.key);
            if is_type(&found, input.mailbox_type) {
                plan.settled
                    .push(already(&good, &found, input.mailbox_type, tried));
                continue;
            }
            let planned = planned(&good.key, &good.input, &found, input.mailbox_type);
            // Two names of one mailbox are one change.
            let place = found
                .object()
                .and_then(|object| places.get(&object).copied());
            if let Some(step) = place.and_then(|place| plan.steps.get_mut(place)) {
                step.items.push(planned);
                continue;
            }
            if let Some(object) = found.object() {
                places.insert(object, plan.steps.len());
            }
            let action = Action {
                identity: good.value.clone(),
                to: input.mailbox_type,
                tried,
            };
            add_step(tenant, &mut plan, action, planned, &found, settled).await;
        }
        if !plan.steps.is_empty() {
            plan.warnings.extend(input.mailbox_type.general_warnings());
        }
        Ok(plan)
    }

    async fn apply(_: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let action: Action = match serde_json::from_value(step.action.clone()) {
            Ok(action) => action,
            Err(error) => return Applied::failed(open, Failure::internal(error.to_string())),
        };
        let identity = match Identity::new(action.identity.as_str()) {
            Ok(identity) => identity,
            Err(failure) => return Applied::failed(open, failure),
        };
        let cmdlet = SetMailbox::Type {
            identity,
            to: action.to.service(),
        };
        match tenant.cmdlets.call(&cmdlet.call()).await {
            Ok(reply) => {
                let unchanged = reply
                    .warnings
                    .iter()
                    .any(|warning| Warning::classify(warning) == Warning::NoChange);
                if !unchanged || reply.repeated || action.tried {
                    return Applied::ask_all(step);
                }
                // The mailbox showed another type a moment ago, so the warning proves nothing: the
                // next look reads it again.
                let failure = Failure::new(
                    ErrorKind::Conflict,
                    code::REFUSED,
                    format!(
                        "the service says that nothing had to be changed, but the mailbox is not shown as {}",
                        article(action.to)
                    ),
                )
                .status(409)
                .happened(Happened::Refused);
                let again = open.iter().map(|item| item.key.clone()).collect();
                Applied {
                    again,
                    failure: Some(failure),
                    ..Applied::default()
                }
            }
            Err(error) => {
                let failure = error.failure();
                if failure.may_have_taken_effect() {
                    // The next look reads the mailbox before anything is sent again.
                    let again = open.iter().map(|item| item.key.clone()).collect();
                    return Applied {
                        again,
                        failure: Some(failure),
                        ..Applied::default()
                    };
                }
                Applied::failed(open, failure)
            }
        }
    }

    async fn verify(
        _: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let (Some(first), Ok(action)) = (
            items.first(),
            serde_json::from_value::<Action>(step.action.clone()),
        ) else {
            return Vec::new();
        };
        let found = find(tenant, &first.input).await;
        let verdict = |item: &&Planned| {
            let verdict = match &found {
                Ok(found) if is_type(found, action.to) => {
                    Verdict::Taken(Box::new(converted(item, found, action.to)))
                }
                Ok(found) => waiting(format!(
                    "accepted, but the mailbox is still shown as {}",
                    Mailbox(&found.row)
                        .recipient_type_details()
                        .unwrap_or("another type")
                )),
                Err(missed) => waiting(format!(
                    "accepted, but the mailbox could not be read back: {}",
                    missed.failure().message
                )),
            };
            (item.key.clone(), verdict)
        };
        items.iter().map(verdict).collect()
    }

    async fn undo(
        input: &Input,
        tenant: &Tenant,
        done: &[Done],
        settled: &Settled,
    ) -> Result<Plan, Failure> {
        undo::look(input.mailbox_type, tenant, done, settled).await
    }
}

impl MailboxType {
    /// What the page on conversions warns of, whichever mailbox it is.
    fn general_warnings(self) -> Vec<String> {
        let old_sessions = "after a conversion old passwords and devices still work: reset the password and remove the mobile devices of the mailbox";
        let own = match self {
            Self::Shared => {
                "a shared mailbox without a licence may hold 50 GB and no archive or hold; do not delete its user account"
            }
            Self::Regular => {
                "a regular mailbox needs a licence: without one it is deleted after 30 days"
            }
            Self::Room | Self::Equipment => return vec![old_sessions.to_owned()],
        };
        vec![old_sessions.to_owned(), own.to_owned()]
    }
}

/// Whether an earlier call of this run was about it. One that the service says changed nothing is
/// none.
fn was_tried(settled: &Settled, key: &str) -> bool {
    settled.attempts(key).any(|attempt| {
        attempt
            .failure
            .as_ref()
            .is_none_or(Failure::may_have_taken_effect)
    })
}

fn is_type(found: &Found, to: MailboxType) -> bool {
    Mailbox(&found.row).recipient_type_details() == Some(to.details())
}

fn article(to: MailboxType) -> &'static str {
    match to {
        MailboxType::Shared => "a shared mailbox",
        MailboxType::Regular => "a regular mailbox",
        MailboxType::Room => "a room mailbox",
        MailboxType::Equipment => "an equipment mailbox",
    }
}

fn planned(key: &str, input: &str, found: &Found, to: MailboxType) -> Planned {
    let from = Mailbox(&found.row)
        .recipient_type_details()
        .unwrap_or("another type");
    let will = format!("make it {} (it is {})", article(to), escape::line(from));
    // The object is kept too: an address may be another mailbox's by the time of an undo.
    let before = json!({ "RecipientTypeDetails": from, "Object": found.object() });
    Planned::new(key, input, will).before(before)
}

/// Puts one mailbox into a plan, with what is to be known of it before.
async fn add_step(
    tenant: &Tenant,
    plan: &mut Plan,
    action: Action,
    planned: Planned,
    found: &Found,
    settled: &Settled,
) {
    plan.warnings
        .extend(warnings(action.to, &planned.input, found));
    plan.warnings
        .extend(size_warning(tenant, &action, &planned.input, found).await);
    mailbox::touch(&mut plan.reach, &tenant.vips, &found.names);
    plan.steps.push(Step {
        key: format!("convert-{}-{}", settled.history.len(), plan.steps.len()),
        lane: None,
        items: vec![planned],
        action: json!(action),
        facts: serde_json::Map::new(),
        prepares: false,
    });
}

/// An item whose mailbox is of the wished-for type.
fn already(good: &Good<String>, found: &Found, to: MailboxType, tried: bool) -> Item {
    let (outcome, message) = if tried {
        (Outcome::Converted, format!("is {} now", article(to)))
    } else {
        (Outcome::AlreadySo, format!("is {} already", article(to)))
    };
    described(
        Item::success(good.key.as_str(), good.input.as_str(), outcome, message),
        found,
    )
}

fn converted(item: &Planned, found: &Found, to: MailboxType) -> Item {
    let before = item
        .before
        .get("RecipientTypeDetails")
        .cloned()
        .unwrap_or(Value::Null);
    let message = format!("is {} now", article(to));
    let done = Item::success(
        item.key.as_str(),
        item.input.as_str(),
        Outcome::Converted,
        message,
    );
    described(done, found).with("was", before)
}

fn described(item: Item, found: &Found) -> Item {
    let mailbox = Mailbox(&found.row);
    let identity = mailbox
        .exchange_guid()
        .or_else(|| mailbox.identity())
        .map(str::to_owned);
    item.identity(identity)
        .with("mailbox", mailbox.primary_smtp_address().map(str::to_owned))
        .with(
            "mailbox_type",
            mailbox.recipient_type_details().map(str::to_owned),
        )
        .raw(found.row.to_value())
}

/// An item whose mailbox was not found, or an end of the whole run where going on is no use.
fn missed_item(good: &Good<String>, missed: Missed, settled: &Settled) -> Result<Item, Failure> {
    let (key, input) = (good.key.as_str(), good.input.as_str());
    let lost = settled
        .attempts(key)
        .filter_map(|attempt| attempt.failure.as_ref())
        .find(|failure| failure.may_have_taken_effect());
    Ok(match missed {
        Missed::Refused(failure) if lost.is_none() => {
            Item::failed(key, input, Outcome::Rejected, *failure)
        }
        Missed::Refused(failure) | Missed::Unread(failure) if lost.is_some() => {
            Item::unknown(key, input, lost.unwrap_or(&failure))
        }
        Missed::Refused(failure) | Missed::Unread(failure) if stops_all(&failure) => {
            return Err(*failure);
        }
        Missed::Refused(failure) | Missed::Unread(failure) => Item::failed(
            key,
            input,
            Outcome::NotAttempted,
            failure.happened(Happened::NotSent),
        ),
    })
}

fn waiting(message: String) -> Verdict {
    let failure = Failure::new(ErrorKind::NotReady, code::STILL_RUNNING, message)
        .happened(Happened::Refused)
        .hint("the directory takes a while: run the same line again to see whether it is done");
    Verdict::NotYet(Duration::from_secs(1), Box::new(failure))
}

/// What the page on conversions warns of for one mailbox.
fn warnings(to: MailboxType, input: &str, found: &Found) -> Vec<String> {
    let shown = escape::clipped(input, 120);
    let mut out = Vec::new();
    if Mailbox(&found.row).is_dir_synced() == Some(true) {
        out.push(format!(
            "`{shown}` is synchronised from on-premises: if it is a hybrid mailbox, convert it there, or synchronisation turns it back"
        ));
    }
    if to == MailboxType::Regular && found.row.bool("SKUAssigned") == Some(false) {
        out.push(format!(
            "`{shown}` has no licence: assign one, or it is deleted after 30 days"
        ));
    }
    out
}

/// Whether a mailbox without a licence is too large to be shared. Costs a call, so it is asked only
/// of those.
async fn size_warning(
    tenant: &Tenant,
    action: &Action,
    input: &str,
    found: &Found,
) -> Option<String> {
    if action.to != MailboxType::Shared || found.row.bool("SKUAssigned") != Some(false) {
        return None;
    }
    let identity = Identity::new(action.identity.as_str()).ok()?;
    // Where the size cannot be read there is the general warning.
    let reply = tenant
        .cmdlets
        .call(&GetMailboxStatistics { identity }.call())
        .await
        .ok()?;
    let bytes = MailboxStatistics(reply.rows.first()?).total_bytes()?;
    (bytes > UNLICENSED_BYTES).then(|| {
        format!(
            "`{}` holds {} GB and has no licence: a shared mailbox without one may hold 50 GB",
            escape::clipped(input, 120),
            bytes >> 30
        )
    })
}

#[cfg(test)]
#[path = "../mailbox/convert_tests.rs"]
mod tests;
