//! Release Quarantine Messages.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use exchange::{
    CallError, Cmdlet, Identity, Reason, Row, Values as Users,
    cmdlet::{ReleaseQuarantineMessage, ReleaseTo},
};
use futures::{StreamExt, stream};
use indicators::QuarantineIdentity;
use kernel::{Effect, ErrorKind, Failure, Happened, Role, escape, failure::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Applied, Change, Definition, Item, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Tenant, Verdict,
    blocklist::unchanged,
    mailbox::stops_all,
    quarantine::{Message, look_up},
    values::{Good, Values},
};

/// The command.
pub struct ReleaseQuarantineMessages;

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The messages, by identity as the listing prints it (`GUID\GUID`).
    pub message_identities: Values,
    /// Only these recipients get them. None means all original recipients. A recipient who is not
    /// an original recipient of a message is left out for that message.
    #[serde(default, skip_serializing_if = "not_given")]
    pub recipients_to_release: Values,
    /// Also keep later mail of the senders out of quarantine. The service is known to refuse this;
    /// then the messages are released without it.
    #[serde(default)]
    pub allow_sender: bool,
    /// Also report the messages to Microsoft as wrongly quarantined. For spam only.
    #[serde(default)]
    pub report_false_positive: bool,
    /// Release none when one of the identities is invalid or not in quarantine.
    #[serde(default = "yes")]
    pub all_or_nothing: bool,
}

fn yes() -> bool {
    true
}

/// A list that was given is never empty.
fn not_given(values: &Values) -> bool {
    values.0.is_empty()
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Action {
    identity: String,
    /// None means all original recipients; never empty.
    recipients: Option<Vec<String>>,
    /// Named recipients that are not on the message.
    left_out: Vec<String>,
    allow_sender: bool,
    /// The service refused to allow the sender in an earlier attempt.
    sender_refused: bool,
    report: bool,
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<ReleaseQuarantineMessages>()
}

/// Messages looked up at once; the wire client learns how many the service takes.
const AT_ONCE: usize = 64;

#[async_trait]
impl Change for ReleaseQuarantineMessages {
    type Input = Input;
    const META: Meta = Meta {
        id: "release-quarantine-messages",
        title: "Release Quarantine Messages",
        about: "Releases messages from quarantine to all or some of their original recipients.",
        effect: Effect::Write,
        session: Session::Exchange,
        role: Role::Quarantine,
        page_role: "Security Administrator",
        cmdlets: &["Get-QuarantineMessage", "Release-QuarantineMessage"],
        failure_indicator: "Release Quarantine Messages failed.",
        outcomes: &[
            Outcome::Released,
            Outcome::AlreadySo,
            Outcome::Pending,
            Outcome::Skipped,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"message_identities": ["a398d022-d435-4df4-8322-905089933837\\4c8b1eb4-4f1e-4ccf-8372-a2a784a67245"]}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let mut sorted = input.message_identities.sort(identity);
        let mut named = input.recipients_to_release.sort(recipient);
        let first = settled.is_first_look();
        // The messages are named first: theirs is the error that a reader looks for.
        let mut bad = std::mem::take(&mut sorted.invalid);
        if first {
            plan.warnings.append(&mut sorted.warnings);
            plan.warnings.append(&mut named.warnings);
        }
        let wanted: Option<Vec<String>> = (!not_given(&input.recipients_to_release))
            .then(|| named.good.into_iter().map(|good| good.value).collect());
        let open: Vec<Good<String>> = sorted
            .good
            .into_iter()
            .filter(|good| settled.item(&good.key).is_none())
            .collect();
        let mut looked = stream::iter(open)
            .map(|good| async move {
                let found = look_up(tenant, &good.value).await;
                (good, found)
            })
            .buffered(AT_ONCE);
        let mut found = Vec::new();
        let mut stop = None;
        while let Some((good, answer)) = looked.next().await {
            match answer {
                Ok(Some(row)) => found.push((good, row)),
                Ok(None) => bad.push(not_there(&good, settled)),
                Err(failure) => {
                    if let Some(lost) = lost(settled, &good.key) {
                        bad.push(Item::unknown(good.key.as_str(), good.input.as_str(), lost));
                    } else if stops_all(&failure) {
                        stop = Some(failure);
                        break;
                    } else {
                        let failure = failure.happened(Happened::NotSent);
                        bad.push(Item::failed(
                            good.key,
                            good.input,
                            Outcome::NotAttempted,
                            failure,
                        ));
                    }
                }
            }
        }
        drop(looked);
        let held_by = bad
            .first()
            .filter(|_| first && input.all_or_nothing)
            .cloned();
        if first {
            plan.settled.append(&mut bad);
            plan.settled.append(&mut named.invalid);
        } else {
            plan.settled.extend(
                bad.into_iter()
                    .filter(|item| item.outcome != Outcome::Invalid),
            );
        }
        if let Some(failure) = stop {
            return Ok(plan.cut_short(failure));
        }
        if let Some(culprit) = held_by {
            plan.settled
                .extend(found.iter().map(|(good, _)| held_back(good, &culprit)));
            return Ok(plan);
        }
        let mut whom = BTreeSet::new();
        for (good, row) in &found {
            input.judge(good, row, wanted.as_deref(), settled, &mut plan, &mut whom);
        }
        if !plan.steps.is_empty() {
            plan.reach.messages = Some(plan.steps.len() as u64);
            plan.reach.mailboxes = Some(whom.len() as u64);
        }
        let vips = tenant.vips.iter().filter(|vip| whom.contains(*vip));
        plan.reach.vips.extend(vips.cloned());
        Ok(plan)
    }

    async fn apply(_: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        let action: Action = match serde_json::from_value(step.action.clone()) {
            Ok(action) => action,
            Err(error) => return Applied::failed(open, Failure::internal(error.to_string())),
        };
        let cmdlet = match cmdlet(&action) {
            Ok(cmdlet) => cmdlet,
            Err(failure) => return Applied::failed(open, failure),
        };
        match tenant.cmdlets.call(&cmdlet.call()).await {
            // Nothing comes back: the message is looked at again.
            Ok(reply) => match unchanged(&reply) {
                None => Applied::ask_all(step),
                Some(failure) => {
                    let again = open.iter().map(|item| item.key.clone()).collect();
                    Applied {
                        again,
                        failure: Some(failure),
                        ..Applied::default()
                    }
                }
            },
            Err(error) => {
                let failure = error.failure();
                let again = failure.may_have_taken_effect()
                    || (action.allow_sender && may_be_the_switch(&error));
                if !again {
                    return Applied::failed(open, failure);
                }
                // The next look sees what became of the message before anything is sent again.
                let again = open.iter().map(|item| item.key.clone()).collect();
                Applied {
                    again,
                    failure: Some(failure),
                    ..Applied::default()
                }
            }
        }
    }

    async fn verify(
        _: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        let Ok(action) = serde_json::from_value::<Action>(step.action.clone()) else {
            return Vec::new();
        };
        let row = look_up(tenant, &action.identity).await;
        let verdict = |item: &&Planned| {
            let verdict = match &row {
                Ok(Some(row)) => {
                    let message = Message::of(row);
                    if message.is_with(action.recipients.as_deref()) {
                        let done = released(&item.key, &item.input, &action, &message, row);
                        Verdict::Taken(Box::new(done))
                    } else {
                        waiting(format!(
                            "accepted, but the message is still shown as {}",
                            message.status.as_deref().unwrap_or("not released")
                        ))
                    }
                }
                Ok(None) => waiting("accepted, but the message is not found any more".to_owned()),
                Err(failure) => waiting(format!(
                    "accepted, but the message could not be read back: {}",
                    failure.message
                )),
            };
            (item.key.clone(), verdict)
        };
        items.iter().map(verdict).collect()
    }
}

impl Input {
    /// What is to be done about a message that was found; `whom` takes those who get it.
    fn judge(
        &self,
        good: &Good<String>,
        row: &Row,
        wanted: Option<&[String]>,
        settled: &Settled,
        plan: &mut Plan,
        whom: &mut BTreeSet<String>,
    ) {
        let message = Message::of(row);
        let (key, input) = (good.key.as_str(), good.input.as_str());
        let shown = escape::clipped(input, 120);
        let on_it = |recipient: &String| {
            message
                .recipients
                .iter()
                .any(|own| own.eq_ignore_ascii_case(recipient))
        };
        let (targets, left_out): (Option<Vec<String>>, Vec<String>) = match wanted {
            None => (None, Vec::new()),
            Some(wanted) => {
                let (on, off) = wanted.iter().cloned().partition(on_it);
                (Some(on), off)
            }
        };
        if let Some(item) = unsendable(good, &message, targets.as_deref(), &left_out) {
            plan.settled.push(item);
            return;
        }
        let mut action = Action {
            identity: good.value.clone(),
            recipients: targets,
            left_out,
            allow_sender: self.allow_sender,
            sender_refused: sender_refused(settled, key),
            report: self.report_false_positive && message.is_spam(),
        };
        action.allow_sender &= !action.sender_refused;
        if message.is_with(action.recipients.as_deref()) {
            let tried = settled.attempts(key).next().is_some();
            let mut item = if tried {
                released(key, input, &action, &message, row)
            } else {
                let message = "had been released already";
                described(
                    Item::success(key, input, Outcome::AlreadySo, message),
                    &action,
                    row,
                )
            };
            if tried && action.allow_sender {
                item = item.warn(format!(
                    "`{shown}` was released; whether its sender was allowed is not known, as the answer was lost"
                ));
            }
            plan.settled.push(item);
            return;
        }
        if let Some(danger) = message.danger() {
            plan.warnings.push(format!(
                "`{shown}` (`{}` from {}) was quarantined as {danger}; it is released all the same",
                escape::clipped(message.subject.as_deref().unwrap_or_default(), 80),
                escape::clipped(message.sender.as_deref().unwrap_or("an unknown sender"), 80),
            ));
        }
        if self.report_false_positive && !message.is_spam() {
            plan.warnings.push(format!(
                "`{shown}` was quarantined as {}, and only spam can be reported: it is released, not reported",
                escape::clipped(&message.caught_as, 60)
            ));
        }
        // Those who have it already are not asked for again.
        let missing = |all: &Vec<String>| -> Vec<String> {
            all.iter()
                .filter(|one| !message.has(one))
                .cloned()
                .collect()
        };
        let to: Option<Vec<String>> = action.recipients.as_ref().map(missing);
        let getting = to.clone().unwrap_or_else(|| missing(&message.recipients));
        whom.extend(getting.iter().map(|one| one.to_lowercase()));
        let named = to.as_ref().map_or_else(
            || "all original recipients".to_owned(),
            |to| escape::line(&to.join(", ")).into_owned(),
        );
        let before = json!({ "ReleaseStatus": message.status, "ReleasedUser": message.served });
        plan.steps.push(Step {
            key: format!("release-{}-{}", settled.history.len(), plan.steps.len()),
            lane: Some(key.split('\\').next().unwrap_or(key).to_owned()),
            items: vec![Planned::new(key, input, format!("release it to {named}")).before(before)],
            action: json!(action),
            facts: serde_json::Map::new(),
            prepares: false,
        });
    }
}

/// A message that is not to be sent at all.
fn unsendable(
    good: &Good<String>,
    message: &Message,
    targets: Option<&[String]>,
    left_out: &[String],
) -> Option<Item> {
    let targets = targets?;
    let (outcome, failure) = if message.is_file() {
        let text = "a file can be released to all only, not to named recipients";
        (
            Outcome::Invalid,
            Failure::invalid(code::NOT_A_RECIPIENT, text),
        )
    } else if targets.is_empty() {
        let text = "none of the named recipients is an original recipient of it";
        let failure = Failure::invalid(code::NOT_A_RECIPIENT, text).arg("recipients", left_out);
        (Outcome::Skipped, failure)
    } else {
        return None;
    };
    let failure = failure.hint("leave `recipients_to_release` out, or name original recipients");
    Some(
        Item::failed(good.key.as_str(), good.input.as_str(), outcome, failure)
            .identity(Some(good.value.clone())),
    )
}

fn identity(text: &str) -> Result<(String, String, Option<String>), Failure> {
    let identity = QuarantineIdentity::parse(text.trim()).map_err(|problem| {
        Failure::invalid(code::INVALID_IDENTITY, problem.to_string()).arg("value", text)
    })?;
    Ok((identity.canonical(), identity.as_str().to_owned(), None))
}

/// A recipient is only ever compared with those of the messages, so any text will do.
#[expect(
    clippy::unnecessary_wraps,
    reason = "lists take a function that may refuse"
)]
fn recipient(text: &str) -> Result<(String, String, Option<String>), Failure> {
    Ok((text.to_lowercase(), text.to_owned(), None))
}

fn cmdlet(action: &Action) -> Result<ReleaseQuarantineMessage, Failure> {
    Ok(ReleaseQuarantineMessage {
        identity: Identity::new(action.identity.as_str())?,
        to: match &action.recipients {
            None => ReleaseTo::All,
            // An empty list is an error here: it must never become a release to all.
            Some(recipients) => ReleaseTo::Users(Users::new(recipients.clone())?),
        },
        allow_sender: action.allow_sender,
        report_false_positive: action.report,
        force: false,
    })
}

/// Whether a refusal may be about allowing the sender: its words are not documented, so every
/// refusal of the request itself counts, and the next attempt without the switch shows.
fn may_be_the_switch(error: &CallError) -> bool {
    error.reason().is_some_and(|reason| {
        !matches!(
            reason,
            Reason::NotFound
                | Reason::TokenRefused
                | Reason::NoDirectoryRole
                | Reason::Throttled { .. }
                | Reason::WrongServer
        )
    })
}

/// Whether an earlier attempt with the switch was refused.
fn sender_refused(settled: &Settled, key: &str) -> bool {
    settled.attempts(key).any(|attempt| {
        let with_switch = attempt.step.action.get("allow_sender") == Some(&json!(true));
        with_switch
            && attempt
                .failure
                .as_ref()
                .is_some_and(|failure| match failure.happened {
                    Happened::Refused => failure.kind != ErrorKind::Throttled,
                    // The service may have released it before it stumbled over the sender.
                    _ if failure.code == code::SENDER_NOT_ALLOWED => true,
                    // A server error that is an answer; a lost answer says nothing about the switch.
                    Happened::MaybeSent => failure.code == code::SERVICE_ERROR,
                    Happened::NotSent | Happened::Unreadable => false,
                })
    })
}

/// The failure of an attempt whose fate is not known.
fn lost<'a>(settled: &'a Settled, key: &'a str) -> Option<&'a Failure> {
    settled
        .attempts(key)
        .filter_map(|attempt| attempt.failure.as_ref())
        .find(|failure| failure.may_have_taken_effect())
}

fn not_there(good: &Good<String>, settled: &Settled) -> Item {
    if let Some(lost) = lost(settled, &good.key) {
        return Item::unknown(good.key.as_str(), good.input.as_str(), lost);
    }
    let failure = Failure::new(
        ErrorKind::NotFound,
        code::NOT_IN_QUARANTINE,
        format!(
            "message `{}` is not in quarantine",
            escape::clipped(&good.input, 120)
        ),
    )
    .status(404)
    .happened(Happened::Refused)
    .hint("list the quarantine again: it may have expired or been deleted");
    Item::failed(
        good.key.as_str(),
        good.input.as_str(),
        Outcome::Rejected,
        failure,
    )
}

fn held_back(good: &Good<String>, culprit: &Item) -> Item {
    let kind = culprit.kind().unwrap_or(ErrorKind::InvalidInput);
    let shown = escape::clipped(&culprit.input, 120);
    let failure = Failure::new(
        kind,
        code::HELD_BACK,
        format!("not released, because `{shown}` cannot be: {}", culprit.message),
    )
    .arg("held_back_by", culprit.input.as_str())
    .hint("mend or leave out the item that is named, or release the others with `--each` (`all_or_nothing` off)");
    Item::failed(
        good.key.as_str(),
        good.input.as_str(),
        Outcome::NotAttempted,
        failure,
    )
}

fn waiting(message: String) -> Verdict {
    let failure = Failure::new(ErrorKind::NotReady, code::STILL_RUNNING, message)
        .happened(Happened::Refused)
        .hint("list the quarantine again in a minute to see whether it is released");
    Verdict::NotYet(Duration::from_secs(1), Box::new(failure))
}

fn released(key: &str, input: &str, action: &Action, message: &Message, row: &Row) -> Item {
    let whom = action.recipients.as_ref().map_or_else(
        || "all original recipients".to_owned(),
        |recipients| escape::line(&recipients.join(", ")).into_owned(),
    );
    let mut item = Item::success(key, input, Outcome::Released, format!("released to {whom}"));
    if action.sender_refused {
        let policy = message.policy.as_deref().unwrap_or("that quarantined it");
        let hint = format!(
            "to let later mail of {} through, add it to AllowedSenders of the anti-spam policy `{}`",
            escape::clipped(message.sender.as_deref().unwrap_or("the sender"), 120),
            escape::clipped(policy, 120),
        );
        item.message
            .push_str("; the service refused to allow its sender");
        item = item.with("sender_allowed", false).warn(format!(
            "{}: `{}` was released, but its sender was not allowed: {hint}",
            code::SENDER_NOT_ALLOWED,
            escape::clipped(input, 120)
        ));
        item.failure = Some(
            Failure::new(
                ErrorKind::Conflict,
                code::SENDER_NOT_ALLOWED,
                item.message.as_str(),
            )
            .status(409)
            .happened(Happened::Refused)
            .hint(hint),
        );
    } else if action.allow_sender {
        item = item.with("sender_allowed", true);
    }
    described(item, action, row)
}

fn described(item: Item, action: &Action, row: &Row) -> Item {
    let message = Message::of(row);
    let mut item = item
        .identity(Some(action.identity.clone()))
        .with("sender", message.sender)
        .with("subject", message.subject)
        .with(
            "recipients",
            action.recipients.clone().unwrap_or(message.recipients),
        )
        .with("release_status", message.status)
        .raw(row.to_value());
    if !action.left_out.is_empty() {
        let names = escape::line(&action.left_out.join(", ")).into_owned();
        let shown = escape::clipped(&item.input, 120);
        item = item
            .with("recipients_skipped", action.left_out.clone())
            .warn(format!(
                "`{shown}` was not released to {names}: not an original recipient of it"
            ));
    }
    item
}

#[cfg(test)]
#[path = "../quarantine/release_tests.rs"]
mod tests;
