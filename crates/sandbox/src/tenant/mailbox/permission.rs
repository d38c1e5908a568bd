//! Add-, Remove- and Get-MailboxPermission.

use super::{
    Class, READERS, WRITERS,
    grants::{self, Ace, MOST, Trustee},
};
use crate::{
    cmdlet::{Answer, Call, Kind, Output, Refusal, Row, Service, Spec},
    tenant::{Tenant, args::Args, optional, required},
};

/// The .NET type of a refusal that this area words itself.
pub(super) const INVALID: &str = "Microsoft.Exchange.Configuration.Tasks.RecipientTaskException";

const INHERITANCE: Kind =
    Kind::Enum(&["None", "All", "Children", "Descendents", "SelfAndChildren"]);
const ADDED: Kind = Kind::EnumList(&[
    "FullAccess",
    "ExternalAccount",
    "DeleteItem",
    "ReadPermission",
    "ChangePermission",
    "ChangeOwner",
]);
const REMOVED: Kind = Kind::EnumList(&[
    "FullAccess",
    "ExternalAccount",
    "DeleteItem",
    "ReadPermission",
    "ChangePermission",
    "ChangeOwner",
    "SendAs",
]);

/// Add-MailboxPermission.
pub static ADD: Spec = Spec {
    name: "Add-MailboxPermission",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        optional("User", Kind::Text),
        optional("AccessRights", ADDED),
        optional("Owner", Kind::Text),
        optional("Deny", Kind::Switch),
        optional("InheritanceType", INHERITANCE),
        optional("AutoMapping", Kind::Bool),
        optional("GroupMailbox", Kind::Switch),
    ],
    excludes: &[("Owner", "AccessRights"), ("Owner", "User")],
    confirm: true,
    run: add,
};

/// Remove-MailboxPermission.
pub static REMOVE: Spec = Spec {
    name: "Remove-MailboxPermission",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        optional("User", Kind::Text),
        optional("AccessRights", REMOVED),
        optional("Deny", Kind::Switch),
        optional("InheritanceType", INHERITANCE),
        optional("ClearAutoMapping", Kind::Switch),
        optional("ResetDefault", Kind::Switch),
        optional("BypassMasterAccountSid", Kind::Switch),
    ],
    excludes: &[
        ("ClearAutoMapping", "User"),
        ("ClearAutoMapping", "AccessRights"),
        ("ResetDefault", "User"),
        ("ResetDefault", "AccessRights"),
        ("ResetDefault", "ClearAutoMapping"),
    ],
    confirm: true,
    run: remove,
};

/// Get-MailboxPermission.
pub static GET: Spec = Spec {
    name: "Get-MailboxPermission",
    services: &[Service::Exchange],
    roles: READERS,
    changes: false,
    parameters: &[
        required("Identity", Kind::Text),
        optional("User", Kind::Text),
        optional("Owner", Kind::Switch),
        optional("ResultSize", Kind::Size),
    ],
    excludes: &[("Owner", "User")],
    confirm: false,
    run: get,
};

/// The mailbox of a call; an empty identity is refused, never everything.
pub(super) fn mailbox(tenant: &Tenant, call: &Call<'_>) -> Result<usize, Refusal> {
    let identity = call.text("Identity").ok_or_else(missing_identity)?;
    tenant.directory.mailbox(identity)
}

/// The refusal for a call that names nobody.
pub(super) fn missing_identity() -> Refusal {
    Refusal::binding(
        "System.Management.Automation.ParameterBindingException",
        "Cannot process command because of one or more missing mandatory parameters: Identity.",
    )
}

fn who(tenant: &Tenant, call: &Call<'_>) -> Result<(Trustee, Vec<&'static str>), Refusal> {
    let incomplete = || {
        Refusal::binding(
            "System.Management.Automation.ParameterBindingException",
            "Cannot process command because of one or more missing mandatory parameters: User AccessRights.",
        )
    };
    let rights = grants::rights(&call.list("AccessRights").unwrap_or_default());
    let user = call.text("User").ok_or_else(incomplete)?;
    if rights.is_empty() {
        return Err(incomplete());
    }
    Ok((tenant.directory.trustee(user)?, rights))
}

/// The warning that an entry is there already (its beginning is recorded).
pub(super) fn present(dn: &str, account: &str) -> String {
    format!(
        "The appropriate access control entry is already present on the object \"{dn}\" for account \"{account}\"."
    )
}

fn add(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let number = mailbox(tenant, call)?;
    if let Some(owner) = call.text("Owner") {
        let owner = tenant.directory.trustee(owner)?;
        if let Some(record) = tenant.directory.get_mut(number) {
            record.owner = Some(owner);
        }
        return Ok(Output::default());
    }
    let (trustee, rights) = who(tenant, call)?;
    let group = matches!(trustee, Trustee::Record(n) if tenant.directory.get(n).is_some_and(|r| r.class != Class::Mailbox));
    let full = rights.contains(&"FullAccess");
    let mut ace = Ace::new(trustee, &rights, tenant.visible_from(call.now));
    ace.deny = call.on("Deny");
    ace.auto_mapping = full && !group && call.flag("AutoMapping").unwrap_or(true);
    call.text("InheritanceType")
        .unwrap_or("All")
        .clone_into(&mut ace.inheritance);
    let account = tenant.directory.shown_name(trustee);
    let shown = ace.clone();
    let Some(record) = tenant.directory.get_mut(number) else {
        return Err(missing_identity());
    };
    let held = record.aces.iter().filter(|ace| ace.ends.is_none()).count();
    let known = record
        .aces
        .iter()
        .any(|ace| ace.ends.is_none() && ace.trustee == trustee);
    if held >= MOST && !known {
        return Err(Refusal::cmdlet(
            INVALID,
            format!(
                "The mailbox \"{}\" already has the maximum number of access control entries ({MOST}).",
                record.display_name
            ),
        ));
    }
    if !grants::add(&mut record.aces, ace, call.now) {
        let warnings = vec![present(&record.dn, &account)];
        return Ok(Output {
            warnings,
            ..Output::default()
        });
    }
    Ok(Output {
        rows: vec![row(tenant, number, &shown)],
        ..Output::default()
    })
}

fn remove(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let number = mailbox(tenant, call)?;
    if call.on("ClearAutoMapping") || call.on("ResetDefault") {
        let reset = call.on("ResetDefault");
        if let Some(record) = tenant.directory.get_mut(number) {
            record
                .aces
                .iter_mut()
                .for_each(|ace| ace.auto_mapping = false);
            record
                .aces
                .retain(|ace| !reset || ace.trustee == Trustee::Own);
        }
        return Ok(Output::default());
    }
    let (trustee, rights) = who(tenant, call)?;
    let visible = tenant.visible_from(call.now);
    let account = tenant.directory.shown_name(trustee);
    let Some(record) = tenant.directory.get_mut(number) else {
        return Err(missing_identity());
    };
    let deny = call.on("Deny");
    let mut changed = grants::remove(&mut record.aces, trustee, &rights, deny, visible, call.now);
    if rights.contains(&"SendAs") {
        changed |= grants::remove(
            &mut record.send_as,
            trustee,
            &["SendAs"],
            false,
            visible,
            call.now,
        );
    }
    let mut output = Output::default();
    if !changed {
        output.warnings.push(format!(
            "Can't remove the access control entry on the object \"{}\" for account \"{account}\" because the ACE doesn't exist on the object.",
            record.dn
        ));
    }
    Ok(output)
}

fn row(tenant: &Tenant, number: usize, ace: &Ace) -> Row {
    let directory = &tenant.directory;
    Row::default()
        .plain(
            "Identity",
            directory.get(number).map(|record| record.name.clone()),
        )
        .plain("User", directory.shown_name(ace.trustee))
        .with("AccessRights", directory.printed(number, ace))
        .plain("IsInherited", false)
        .plain("Deny", ace.deny)
        .plain("InheritanceType", ace.inheritance.as_str())
        .plain("UserSid", directory.sid(ace.trustee))
        .plain("PrimarySmtpAddress", "")
        .plain("IsValid", true)
        .plain("ObjectState", "Unchanged")
}

fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let number = mailbox(tenant, call)?;
    let wanted = call
        .text("User")
        .map(|user| tenant.directory.trustee(user))
        .transpose()?;
    let Some(record) = tenant.directory.get(number) else {
        return Err(missing_identity());
    };
    if call.on("Owner") {
        let owner = record.owner.unwrap_or(Trustee::Own);
        let made = Row::default()
            .plain("Identity", record.name.as_str())
            .plain("Owner", tenant.directory.shown_name(owner));
        return Ok(Output {
            rows: vec![made],
            ..Output::default()
        });
    }
    let rows = record
        .aces
        .iter()
        .filter(|ace| ace.seen(call.now) && wanted.is_none_or(|wanted| ace.trustee == wanted))
        .map(|ace| row(tenant, number, ace))
        .collect();
    Ok(super::read::cut(rows, call))
}
