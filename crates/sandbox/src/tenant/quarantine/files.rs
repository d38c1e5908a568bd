//! Header, preview, export and deletion of quarantined messages.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use super::{BOTH, READERS, VALIDATION, Verdict, WRITERS, list, missing, release};
use crate::{
    cmdlet::{Answer, Call, Cell, Kind, Output, Parameter, Refusal, Row, Spec},
    tenant::{Tenant, args::Args, optional, required},
};

const ONE: &[Parameter] = &[
    required("Identity", Kind::Text),
    optional("EntityType", Kind::Enum(list::ENTITIES)),
    optional("RecipientAddress", Kind::Text),
];

const fn reader(name: &'static str, run: fn(&mut Tenant, &Call<'_>) -> Answer) -> Spec {
    Spec {
        name,
        services: BOTH,
        roles: READERS,
        changes: false,
        parameters: ONE,
        excludes: &[],
        confirm: false,
        run,
    }
}

/// Get-QuarantineMessageHeader.
pub static HEADER: Spec = reader("Get-QuarantineMessageHeader", header);
/// Preview-QuarantineMessage.
pub static PREVIEW: Spec = reader("Preview-QuarantineMessage", preview);

/// Export-QuarantineMessage.
pub static EXPORT: Spec = Spec {
    name: "Export-QuarantineMessage",
    services: BOTH,
    roles: WRITERS,
    changes: false,
    parameters: &[
        required("Identity", Kind::Text),
        optional("Identities", Kind::List),
        optional("EntityType", Kind::Enum(list::ENTITIES)),
        optional("RecipientAddress", Kind::Text),
        optional("ForceConversionToMime", Kind::Switch),
        optional("ReasonForExport", Kind::Text),
    ],
    excludes: &[],
    confirm: false,
    run: export,
};

/// Delete-QuarantineMessage.
pub static DELETE: Spec = Spec {
    name: "Delete-QuarantineMessage",
    services: BOTH,
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        optional("Identities", Kind::List),
        optional("EntityType", Kind::Enum(list::ENTITIES)),
        optional("RecipientAddress", Kind::Text),
        optional("HardDelete", Kind::Switch),
    ],
    excludes: &[],
    confirm: true,
    run: delete,
};

fn one(tenant: &mut Tenant, call: &Call<'_>) -> Result<u32, Refusal> {
    tenant.advance(call.now);
    list::entity_type_allowed(call)?;
    let identity = call
        .text("Identity")
        .ok_or_else(|| release::missing_parameter("Identity"))?;
    tenant
        .quarantine
        .find(identity, call.now)
        .ok_or_else(|| missing(identity))
}

/// The header fields of a row, folded as they came.
fn header_text(tenant: &Tenant, row: u32) -> String {
    let message = tenant.quarantine.message(row);
    let to: Vec<&str> = message
        .to
        .iter()
        .map(|party| party.address.as_str())
        .collect();
    // A subject with control characters travels encoded, as any real one would.
    let subject = if message.subject.is_ascii() && !message.subject.chars().any(char::is_control) {
        message.subject.clone()
    } else {
        format!(
            "=?utf-8?B?{}?=",
            STANDARD.encode(message.subject.as_bytes())
        )
    };
    format!(
        "Received: from mail.{domain} by mx.sandbox.example;\r\n\t{date}\r\nFrom: {name} <{from}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: {id}\r\nDate: {date}\r\n",
        domain = message
            .from
            .address
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain),
        name = message
            .from
            .name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == ' ')
            .collect::<String>(),
        from = message.from.address,
        to = to.join(",\r\n\t"),
        id = message.message_id,
        date = rfc2822(message.received),
    )
}

fn rfc2822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn header(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let row = one(tenant, call)?;
    let made = Row::default()
        .plain("Identity", tenant.quarantine.identity(row))
        .plain("Organization", tenant.company.tenant_id.to_string())
        .plain("Header", header_text(tenant, row));
    Ok(Output {
        rows: vec![made],
        ..Output::default()
    })
}

fn preview(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    let row = one(tenant, call)?;
    if tenant.quarantine.facts(row).verdict == Verdict::SpoMalware {
        return Err(Refusal::cmdlet(
            VALIDATION,
            "Preview is available only for messages, not for files.",
        ));
    }
    let message = tenant.quarantine.message(row);
    let made = Row::default()
        .plain("Identity", tenant.quarantine.identity(row))
        .plain("Subject", message.subject.as_str())
        .plain("SenderAddress", message.from.address.as_str())
        .with(
            "RecipientAddress",
            Cell::List(
                message
                    .to
                    .iter()
                    .map(|party| party.address.clone())
                    .collect(),
            ),
        )
        .with("ReceivedTime", Cell::Local(message.received))
        .plain("Body", message.body.as_str())
        .plain("IsHtml", false);
    Ok(Output {
        rows: vec![made],
        ..Output::default()
    })
}

fn export(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    list::entity_type_allowed(call)?;
    let mut output = Output::default();
    for identity in release::identities(call)? {
        let row = tenant
            .quarantine
            .find(&identity, call.now)
            .ok_or_else(|| missing(&identity))?;
        let eml = format!(
            "{}Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n",
            header_text(tenant, row),
            tenant.quarantine.mail(row).body
        );
        output.rows.push(
            Row::default()
                .plain("Identity", tenant.quarantine.identity(row))
                .plain("Organization", tenant.company.tenant_id.to_string())
                .plain("BodyEncoding", "Base64")
                .plain("Eml", STANDARD.encode(eml.as_bytes())),
        );
    }
    Ok(output)
}

fn delete(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    list::entity_type_allowed(call)?;
    for identity in release::identities(call)? {
        let row = tenant
            .quarantine
            .find(&identity, call.now)
            .ok_or_else(|| missing(&identity))?;
        tenant.quarantine.delete(row);
    }
    Ok(Output::default())
}
