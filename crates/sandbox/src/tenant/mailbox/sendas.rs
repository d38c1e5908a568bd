//! Add-, Remove- and Get-RecipientPermission: who may send as a recipient.

use super::{
    READERS, WRITERS,
    grants::{self, Ace},
    permission::{missing_identity, present},
};
use crate::{
    cmdlet::{Answer, Call, Cell, Kind, Output, Parameter, Refusal, Row, Service, Spec},
    tenant::{Tenant, args::Args, optional, required},
};

const RIGHTS: Kind = Kind::EnumList(&["SendAs"]);
const CHANGE: &[Parameter] = &[
    required("Identity", Kind::Text),
    required("AccessRights", RIGHTS),
    required("Trustee", Kind::Text),
    optional("SkipDomainValidationForMailContact", Kind::Switch),
    optional("SkipDomainValidationForMailUser", Kind::Switch),
    optional("SkipDomainValidationForSharedMailbox", Kind::Switch),
];

const fn change(name: &'static str, run: fn(&mut Tenant, &Call<'_>) -> Answer) -> Spec {
    Spec {
        name,
        services: &[Service::Exchange],
        roles: WRITERS,
        changes: true,
        parameters: CHANGE,
        excludes: &[],
        confirm: true,
        run,
    }
}

/// Add-RecipientPermission.
pub static ADD: Spec = change("Add-RecipientPermission", add);
/// Remove-RecipientPermission.
pub static REMOVE: Spec = change("Remove-RecipientPermission", remove);

/// Get-RecipientPermission.
pub static GET: Spec = Spec {
    name: "Get-RecipientPermission",
    services: &[Service::Exchange],
    roles: READERS,
    changes: false,
    parameters: &[
        optional("Identity", Kind::Text),
        optional("Trustee", Kind::Text),
        optional("AccessRights", RIGHTS),
        optional("ResultSize", Kind::Size),
    ],
    excludes: &[],
    confirm: false,
    run: get,
};

fn named(tenant: &Tenant, call: &Call<'_>) -> Result<(usize, grants::Trustee), Refusal> {
    let identity = call.text("Identity").ok_or_else(missing_identity)?;
    let number = tenant.directory.find(identity)?;
    let trustee = tenant
        .directory
        .trustee(call.text("Trustee").unwrap_or_default())?;
    Ok((number, trustee))
}

fn add(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let (number, trustee) = named(tenant, call)?;
    let ace = Ace::new(trustee, &["SendAs"], tenant.visible_from(call.now));
    let account = tenant.directory.shown_name(trustee);
    let shown = ace.clone();
    let Some(record) = tenant.directory.get_mut(number) else {
        return Err(missing_identity());
    };
    if !grants::add(&mut record.send_as, ace, call.now) {
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
    let (number, trustee) = named(tenant, call)?;
    let visible = tenant.visible_from(call.now);
    let account = tenant.directory.shown_name(trustee);
    let Some(record) = tenant.directory.get_mut(number) else {
        return Err(missing_identity());
    };
    let mut output = Output::default();
    if !grants::remove(
        &mut record.send_as,
        trustee,
        &["SendAs"],
        false,
        visible,
        call.now,
    ) {
        output.warnings.push(format!(
            "Can't remove the access control entry on the object \"{}\" for account \"{account}\" because the ACE isn't present.",
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
        .plain("Trustee", directory.shown_name(ace.trustee))
        .with("AccessRights", Cell::List(vec!["SendAs".to_owned()]))
        .plain("AccessControlType", "Allow")
        .plain("TrusteeSidString", directory.sid(ace.trustee))
        .plain("TrusteeWithPrimarySmtpAddress", "")
}

fn get(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let one = call
        .text("Identity")
        .map(|identity| tenant.directory.find(identity))
        .transpose()?;
    let wanted = call
        .text("Trustee")
        .map(|name| tenant.directory.trustee(name))
        .transpose()?;
    let mut rows = Vec::new();
    for (number, record) in tenant.directory.records() {
        if one.is_some_and(|one| one != number) {
            continue;
        }
        for ace in &record.send_as {
            if ace.seen(call.now) && wanted.is_none_or(|wanted| ace.trustee == wanted) {
                rows.push(row(tenant, number, ace));
            }
        }
    }
    Ok(super::read::cut(rows, call))
}
