//! Release-QuarantineMessage.

use std::sync::Arc;

use super::{BOTH, Status, VALIDATION, Verdict, WRITERS, missing};
use crate::{
    cmdlet::{Answer, Call, Kind, Output, Refusal, Spec},
    tenant::{Tenant, args::Args, optional},
};

/// Release-QuarantineMessage.
pub static RELEASE: Spec = Spec {
    name: "Release-QuarantineMessage",
    services: BOTH,
    roles: WRITERS,
    changes: true,
    parameters: &[
        optional("Identity", Kind::Text),
        optional("Identities", Kind::List),
        optional("User", Kind::List),
        optional("ReleaseToAll", Kind::Switch),
        optional("ActionType", Kind::Enum(&["Deny", "Release", "Request"])),
        optional("AllowSender", Kind::Switch),
        optional("Force", Kind::Switch),
        optional("ReportFalsePositive", Kind::Switch),
    ],
    excludes: &[("ReleaseToAll", "User")],
    confirm: true,
    run: release,
};

fn refuse(text: impl Into<String>) -> Refusal {
    Refusal::cmdlet(VALIDATION, text)
}

/// The refusal for a mandatory parameter that is not there.
pub(super) fn missing_parameter(name: &str) -> Refusal {
    Refusal::binding(
        "System.Management.Automation.ParameterBindingException",
        format!(
            "Cannot process command because of one or more missing mandatory parameters: {name}."
        ),
    )
}

/// The ids that a call names. `Identities` wants `Identity` beside it, whose value is ignored.
pub(super) fn identities(call: &Call<'_>) -> Result<Vec<String>, Refusal> {
    let identity = call
        .text("Identity")
        .ok_or_else(|| missing_parameter("Identity"))?;
    match call.list("Identities") {
        Some(list) if list.is_empty() => Err(refuse("Identities is empty")),
        Some(list) => Ok(list),
        None => Ok(vec![identity.to_owned()]),
    }
}

/// An id as this cmdlet's texts print it, with the backslash doubled (recorded).
fn doubled(identity: &str) -> String {
    identity.replace('\\', "\\\\")
}

fn release(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let users = call.list("User");
    if users.is_some() && call.on("ReleaseToAll") {
        return Err(refuse("ReleaseToAll and User can't be used together"));
    }
    let identities = identities(call)?;
    if tenant.switches.release_all_or_nothing
        && let Some(unknown) = identities
            .iter()
            .find(|id| tenant.quarantine.find(id, call.now).is_none())
    {
        return Err(missing(unknown));
    }
    for identity in &identities {
        let row = tenant
            .quarantine
            .find(identity, call.now)
            .ok_or_else(|| missing(identity))?;
        match call.text("ActionType") {
            Some("Deny") => tenant.quarantine.mark(row, Status::Denied),
            Some("Request") => tenant.quarantine.mark(row, Status::Requested),
            _ => release_one(tenant, call, identity, row, users.as_deref())?,
        }
    }
    if call.on("AllowSender") && !tenant.switches.allow_sender {
        return Err(no_allow_sender());
    }
    Ok(Output::default())
}

/// What the service says when it wants to allow the sender and cannot (reported: the message is
/// released all the same).
fn no_allow_sender() -> Refusal {
    Refusal::cmdlet(
        "System.Management.Automation.CommandNotFoundException",
        "The term 'Get-HostedContentFilterPolicy' is not recognized as the name of a cmdlet, function, script file, or operable program.\nCheck the spelling of the name, or if a path was included, verify that the path is correct and try again.",
    )
}

fn release_one(
    tenant: &mut Tenant,
    call: &Call<'_>,
    identity: &str,
    row: u32,
    users: Option<&[String]>,
) -> Result<(), Refusal> {
    let verdict = tenant.quarantine.facts(row).verdict;
    let all = call.on("ReleaseToAll");
    let users = users.unwrap_or_default();
    if !all && users.is_empty() {
        return Err(refuse(format!(
            "Message '{}' could not be released. You must either release the message to all recipients or to specific ones.",
            doubled(identity)
        )));
    }
    if verdict == Verdict::SpoMalware && !all {
        return Err(refuse(format!(
            "Message '{}' could not be released. You must use ReleaseToAll for files.",
            doubled(identity)
        )));
    }
    if call.on("ReportFalsePositive") && verdict != Verdict::Spam {
        return Err(refuse(format!(
            "Message '{}' could not be reported. ReportFalsePositive is available only for messages quarantined as spam.",
            doubled(identity)
        )));
    }
    let own: Vec<String> = tenant.quarantine.mail(row).recipients;
    let targets: Vec<String> = if all { own.clone() } else { users.to_vec() };
    for target in &targets {
        let original = own
            .iter()
            .any(|recipient| recipient.eq_ignore_ascii_case(target));
        if !original && tenant.company.mailbox(target).is_none() {
            return Err(refuse(format!(
                "Message '{}' could not be released. The recipient '{target}' isn't in your organization.",
                doubled(identity)
            )));
        }
    }
    let switches = &tenant.switches;
    if call.on("AllowSender") && !switches.allow_sender && switches.allow_sender_fails_first {
        return Err(no_allow_sender());
    }
    deliver(tenant, call, row, &targets);
    Ok(())
}

/// Serves those who have not got the message yet, or everybody when forced.
fn deliver(tenant: &mut Tenant, call: &Call<'_>, row: u32, targets: &[String]) {
    let visible = tenant.visible_from(call.now);
    let message = Arc::new(tenant.quarantine.message(row));
    let file = tenant.quarantine.facts(row).verdict == Verdict::SpoMalware;
    for target in targets {
        if tenant.quarantine.served(row, target) && !call.on("Force") {
            continue;
        }
        let change = tenant.quarantine.changes.entry(row).or_default();
        change.serve(target, &call.caller.name, visible);
        if let Some(mailbox) = tenant.company.mailbox(target).filter(|_| !file) {
            tenant.mail.deliver(mailbox, Arc::clone(&message));
        }
    }
    if call.on("ReportFalsePositive") {
        tenant.quarantine.changes.entry(row).or_default().reported = true;
    }
}

impl super::Store {
    fn mark(&mut self, row: u32, status: Status) {
        self.changes.entry(row).or_default().status = Some(status);
    }
}
