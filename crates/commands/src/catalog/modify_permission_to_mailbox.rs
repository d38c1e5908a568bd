//! Modify Permission To Mailbox.

use std::time::Duration;

use async_trait::async_trait;
use exchange::{Reply, Warning};
use futures::{StreamExt, stream};
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Applied, Change, Definition, Done, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Tenant, Verdict,
    mailbox::{self, Found, Held, Holders, Names, Permission, find},
    values::{Good, Values},
};

#[path = "../mailbox/permission_look.rs"]
mod looking;
#[path = "../mailbox/permission_undo.rs"]
mod undo;

use looking::{Named, named, object_of, read_holders, unreadable, was_tried};

/// The command.
pub struct ModifyPermissionToMailbox;

/// Whether a permission is given or taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Give it.
    #[default]
    Add,
    /// Take it away.
    Remove,
}

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Who gets or loses the permission: name, alias, address or user principal name of users or
    /// mail-enabled security groups.
    pub user_identities: Values,
    /// The mailbox, by name, alias or address.
    pub mailbox: String,
    /// The permission. None means full access for add; remove must name it. `Shared` is a type of
    /// mailbox, not a permission: see convert-type-of-mailboxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Whether Outlook opens the mailbox by itself; true unless given. For adding full access only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_mapping: Option<bool>,
    /// Whether the permission is given or taken away.
    #[serde(default)]
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Doing {
    user: String,
    names: Names,
    /// An earlier call of this run was about the same user.
    tried: bool,
    /// Which mailbox it is, whatever its names become.
    #[serde(default)]
    mailbox: Option<String>,
    /// It takes an earlier run back, so it is the opposite of what the input says.
    #[serde(default)]
    back: bool,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<ModifyPermissionToMailbox>()
}

/// Users looked up at once; the wire client learns how many the service takes.
const AT_ONCE: usize = 64;

#[async_trait]
impl Change for ModifyPermissionToMailbox {
    type Input = Input;
    const META: Meta = Meta {
        id: "modify-permission-to-mailbox",
        title: "Modify Permission To Mailbox",
        about: "Gives users a permission on a mailbox, or takes it away.",
        effect: Effect::WriteReversible,
        session: Session::Exchange,
        role: Role::RecipientManagement,
        page_role: "Security Administrator, Exchange Administrator role",
        cmdlets: &[
            "Add-MailboxPermission",
            "Add-RecipientPermission",
            "Get-Mailbox",
            "Get-MailboxPermission",
            "Get-RecipientPermission",
            "Remove-MailboxPermission",
            "Remove-RecipientPermission",
            "Set-Mailbox",
        ],
        failure_indicator: "Modify Permission To Mailbox failed.",
        outcomes: &[
            Outcome::Granted,
            Outcome::Revoked,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"user_identities": ["soc.admin@northwind.example"], "mailbox": "megan.bowen@northwind.example", "permission": "full_access"}"#,
    };

    fn check(input: &Input) -> Result<(), Failure> {
        input.permission().map(drop)
    }

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let permission = input.permission()?;
        let (_, mailbox, _) = mailbox::identity(&input.mailbox)
            .map_err(|failure| failure.arg("parameter", "mailbox"))?;
        let mut sorted = input.user_identities.sort(mailbox::identity);
        if settled.is_first_look() {
            plan.settled.append(&mut sorted.invalid);
            plan.warnings.append(&mut sorted.warnings);
            plan.warnings.extend(input.auto_mapping_warning(permission));
        }
        let open: Vec<Good<String>> = sorted
            .good
            .into_iter()
            .filter(|good| settled.item(&good.key).is_none())
            .collect();
        if open.is_empty() {
            return Ok(plan);
        }
        let (holders, found) = match read_holders(tenant, permission, &mailbox, settled).await {
            Ok(read) => read,
            Err(missed) => return Ok(unreadable(plan, missed, &open, settled)),
        };
        let object = object_of(found.as_ref(), settled);
        let mut looked = stream::iter(open)
            .map(|good| async move {
                let found = find(tenant, &good.value).await;
                (good, found)
            })
            .buffered(AT_ONCE);
        while let Some((good, found)) = looked.next().await {
            let names = match named(found, &good, settled) {
                Named::As(names) => names,
                Named::Settle(item) => {
                    plan.settled.push(*item);
                    continue;
                }
                Named::Stop(failure) => {
                    drop(looked);
                    return Ok(plan.cut_short(*failure));
                }
            };
            let tried = was_tried(settled, &good.key);
            match (input.action, holders.held(&names)) {
                (Action::Add, Held::Yes(row)) => {
                    plan.settled
                        .push(input.there(&good, permission, row, tried));
                }
                (Action::Remove, Held::No) => {
                    plan.settled.push(input.not_there(&good, permission, tried));
                }
                (_, held) => {
                    let doing = Doing {
                        user: good.value.clone(),
                        names,
                        tried,
                        mailbox: object.clone(),
                        back: false,
                    };
                    plan.steps
                        .push(input.step(&good, permission, &doing, &held, settled));
                }
            }
        }
        input.note_reach(&mut plan, tenant, found);
        Ok(plan)
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let prepared = serde_json::from_value::<Doing>(step.action.clone())
            .map_err(|error| Failure::internal(error.to_string()))
            .and_then(|doing| {
                let input = input.meant(&doing)?;
                let permission = input.permission()?;
                let mailbox = input.mailbox.trim();
                let call = match input.action {
                    Action::Add => {
                        permission.grant(mailbox, &doing.user, input.auto_mapping.or(Some(true)))?
                    }
                    Action::Remove => permission.revoke(mailbox, &doing.user)?,
                };
                Ok((doing, input, permission, call))
            });
        let (doing, input, permission, call) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return Applied::failed(open, failure),
        };
        match tenant.cmdlets.call(&call).await {
            Ok(reply) => input.answered(step, open, &doing, permission, &reply),
            Err(error) => {
                let failure = error.failure();
                if failure.may_have_taken_effect() {
                    // The next look reads the permissions before anything is sent again.
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
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let Ok(doing) = serde_json::from_value::<Doing>(step.action.clone()) else {
            return Vec::new();
        };
        let Ok((input, permission)) = input
            .meant(&doing)
            .and_then(|input| input.permission().map(|permission| (input, permission)))
        else {
            return Vec::new();
        };
        let holders = Holders::read(tenant, permission, input.mailbox.trim()).await;
        let words = permission.words();
        let verdict = |item: &&Planned| {
            let held = holders.as_ref().map(|holders| holders.held(&doing.names));
            let verdict = match (input.action, held) {
                (Action::Add, Ok(Held::Yes(row))) => {
                    Verdict::Taken(Box::new(input.done(item, permission, row)))
                }
                (Action::Remove, Ok(Held::No | Held::Perhaps)) => {
                    Verdict::Taken(Box::new(input.done(item, permission, None)))
                }
                (Action::Add, Ok(_)) => waiting(format!("accepted, but {words} is not shown yet")),
                (Action::Remove, Ok(Held::Yes(_))) => {
                    waiting(format!("accepted, but {words} is still shown"))
                }
                (_, Err(missed)) => waiting(format!(
                    "accepted, but the permissions could not be read back: {}",
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
        undo::look(input, tenant, done, settled).await
    }
}

impl Input {
    /// The input that a step is of: this one, or its opposite where it takes a run back.
    fn meant(&self, doing: &Doing) -> Result<Self, Failure> {
        if doing.back {
            self.opposite()
        } else {
            Ok(self.clone())
        }
    }

    /// What takes back what this does.
    fn opposite(&self) -> Result<Self, Failure> {
        Ok(Self {
            permission: Some(self.permission()?),
            auto_mapping: None,
            action: match self.action {
                Action::Add => Action::Remove,
                Action::Remove => Action::Add,
            },
            ..self.clone()
        })
    }

    /// The mailbox counts once, where anything is to be changed.
    fn note_reach(&self, plan: &mut Plan, tenant: &Tenant, found: Option<Found>) {
        if plan.steps.is_empty() {
            return;
        }
        let names = found.map_or_else(|| Names::typed(self.mailbox.trim()), |found| found.names);
        mailbox::touch(&mut plan.reach, &tenant.vips, &names);
    }

    /// The permission that is meant.
    fn permission(&self) -> Result<Permission, Failure> {
        match (self.permission, self.action) {
            (Some(permission), _) => Ok(permission),
            (None, Action::Add) => Ok(Permission::FullAccess),
            (None, Action::Remove) => Err(Failure::invalid(
                code::MISSING_PARAMETER,
                "`permission` is required for `remove`: there is no default for what is taken away",
            )
            .arg("parameter", "permission")),
        }
    }

    fn auto_mapping_warning(&self, permission: Permission) -> Option<String> {
        let applies = permission == Permission::FullAccess && self.action == Action::Add;
        (self.auto_mapping.is_some() && !applies)
            .then(|| "`auto_mapping` is for adding full access only and was ignored".to_owned())
    }

    fn step(
        &self,
        good: &Good<String>,
        permission: Permission,
        doing: &Doing,
        held: &Held,
        settled: &Settled,
    ) -> Step {
        let shown = escape::clipped(&self.mailbox, 120);
        let words = permission.words();
        let will = match self.action {
            Action::Add => format!("grant {words} on `{shown}`"),
            Action::Remove => format!("take {words} on `{shown}` away"),
        };
        let before = match held {
            Held::Yes(Some(row)) => row.clone(),
            Held::Yes(None) => json!({ "held": true }),
            Held::No => json!({ "held": false }),
            Held::Perhaps => Value::Null,
        };
        let item = Planned::new(good.key.as_str(), good.input.as_str(), will).before(before);
        Step {
            key: format!("{}-{}", good.key, settled.history.len()),
            // The permissions of a mailbox are one object: two changes at once may lose one.
            lane: Some(self.mailbox.trim().to_lowercase()),
            items: vec![item],
            action: json!(doing),
            facts: serde_json::Map::new(),
            prepares: false,
        }
    }

    /// What an answer settles. "It is so already" comes as a warning.
    fn answered(
        &self,
        step: &Step,
        open: &[&Planned],
        doing: &Doing,
        permission: Permission,
        reply: &Reply,
    ) -> Applied {
        let says = |meaning: &[Warning]| {
            reply
                .warnings
                .iter()
                .any(|warning| meaning.contains(&Warning::classify(warning)))
        };
        let known = open.iter().any(|item| !item.before.is_null());
        if says(&[Warning::NoChange]) && known && !reply.repeated && !doing.tried {
            // The list showed otherwise a moment ago, so the next look reads it again.
            let failure = Failure::new(
                ErrorKind::Conflict,
                code::REFUSED,
                "the service says that nothing had to be changed, but the mailbox shows otherwise",
            )
            .status(409)
            .happened(Happened::Refused);
            let again = open.iter().map(|item| item.key.clone()).collect();
            return Applied {
                again,
                failure: Some(failure),
                ..Applied::default()
            };
        }
        let unchanged = says(&[Warning::AcePresent, Warning::AceMissing, Warning::NoChange]);
        if unchanged && !reply.repeated && !doing.tried {
            let settled = open.iter().map(|item| {
                let message = format!("the service says: {}", reply.warnings.join("; "));
                let item = Item::success(
                    item.key.as_str(),
                    item.input.as_str(),
                    Outcome::AlreadySo,
                    escape::line(&message).into_owned(),
                );
                self.described(item, permission)
            });
            return Applied {
                settled: settled.collect(),
                ..Applied::default()
            };
        }
        if doing.names.resolved {
            return Applied::ask_all(step);
        }
        // One whose names in the rows are not known cannot be found by reading back; the answer is
        // what there is.
        let row = reply.rows.first().map(exchange::Row::to_value);
        let settled = open
            .iter()
            .map(|item| self.done(item, permission, row.clone()));
        Applied {
            settled: settled.collect(),
            ..Applied::default()
        }
    }

    /// An item that has the permission, at a look.
    fn there(
        &self,
        good: &Good<String>,
        permission: Permission,
        row: Option<Value>,
        tried: bool,
    ) -> Item {
        let words = permission.words();
        let (outcome, mut message) = if tried {
            (Outcome::Granted, format!("has {words} now"))
        } else {
            (Outcome::AlreadySo, format!("has {words} already"))
        };
        if permission == Permission::FullAccess && self.auto_mapping.is_some() && !tried {
            message.push_str(
                "; its auto mapping cannot be read and was left as it is: to change it, remove the permission and add it again",
            );
        }
        let item = Item::success(good.key.as_str(), good.input.as_str(), outcome, message);
        let item = self.described(item, permission);
        match row {
            Some(row) => item.raw(row),
            None => item,
        }
    }

    /// An item that lacks the permission, at a look.
    fn not_there(&self, good: &Good<String>, permission: Permission, tried: bool) -> Item {
        let words = permission.words();
        let (outcome, message) = if tried {
            (Outcome::Revoked, format!("no longer has {words}"))
        } else {
            (Outcome::AlreadySo, format!("does not have {words}"))
        };
        let item = Item::success(good.key.as_str(), good.input.as_str(), outcome, message);
        self.described(item, permission)
    }

    fn done(&self, item: &Planned, permission: Permission, row: Option<Value>) -> Item {
        let words = permission.words();
        let (outcome, mut message) = match self.action {
            Action::Add => (Outcome::Granted, format!("has {words} now")),
            Action::Remove => (Outcome::Revoked, format!("no longer has {words}")),
        };
        if permission == Permission::FullAccess && self.action == Action::Remove {
            message.push_str(
                "; whether the mailbox was mapped automatically cannot be read, so an undo grants it with the default",
            );
        }
        let done = Item::success(item.key.as_str(), item.input.as_str(), outcome, message);
        let done = self.described(done, permission);
        match row.or_else(|| item.before.get("AccessRights").map(|_| item.before.clone())) {
            Some(row) => done.raw(row),
            None => done,
        }
    }

    fn described(&self, item: Item, permission: Permission) -> Item {
        item.with("mailbox", self.mailbox.trim())
            .with("permission", json!(permission))
            .with("action", json!(self.action))
    }
}

fn waiting(message: String) -> Verdict {
    let failure = Failure::new(ErrorKind::NotReady, code::STILL_RUNNING, message)
        .happened(Happened::Refused)
        .hint("the directory takes a while: run the same line again to see whether it is done");
    Verdict::NotYet(Duration::from_secs(1), Box::new(failure))
}

#[cfg(test)]
#[path = "../mailbox/permission_tests.rs"]
mod tests;
