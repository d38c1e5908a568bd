//! Get-Mailbox, Get-Recipient, Get-User and Get-MailboxStatistics.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{Class, READERS, Record, Type, filter, permission};
use crate::{
    cmdlet::{Answer, Call, Cell, Kind, Output, Parameter, Refusal, Row, Service, Spec},
    tenant::{Tenant, args::Args, made, optional, required},
};

/// Rows that are given when no size is asked for.
const RESULT_SIZE: usize = 1000;
/// The warning beside a list that was cut short (recorded).
const MORE: &str = "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.";

const DETAILS: Kind = Kind::EnumList(&[
    "UserMailbox",
    "SharedMailbox",
    "RoomMailbox",
    "EquipmentMailbox",
    "WorkspaceMailbox",
    "DeskMailbox",
    "DiscoveryMailbox",
    "MailUniversalDistributionGroup",
    "MailUniversalSecurityGroup",
]);
const LISTED: &[Parameter] = &[
    optional("Identity", Kind::Text),
    optional("Filter", Kind::Filter),
    optional("RecipientTypeDetails", DETAILS),
    optional("ResultSize", Kind::Size),
    optional("SortBy", Kind::Text),
    optional("IncludeInactiveMailbox", Kind::Switch),
];

const fn reader(
    name: &'static str,
    parameters: &'static [Parameter],
    run: fn(&mut Tenant, &Call<'_>) -> Answer,
) -> Spec {
    Spec {
        name,
        services: &[Service::Exchange],
        roles: READERS,
        changes: false,
        parameters,
        excludes: &[("Identity", "Filter")],
        confirm: false,
        run,
    }
}

/// Get-Mailbox.
pub static GET_MAILBOX: Spec = reader("Get-Mailbox", LISTED, get_mailbox);
/// Get-Recipient.
pub static GET_RECIPIENT: Spec = reader("Get-Recipient", LISTED, get_recipient);
/// Get-User.
pub static GET_USER: Spec = reader("Get-User", LISTED, get_user);
/// Get-MailboxStatistics.
pub static GET_STATISTICS: Spec = reader(
    "Get-MailboxStatistics",
    &[required("Identity", Kind::Text)],
    get_statistics,
);

/// Cuts rows to the size asked for, with the warning where something was left off.
pub(super) fn cut(mut rows: Vec<Row>, call: &Call<'_>) -> Output {
    let unlimited = call
        .text("ResultSize")
        .is_some_and(|s| s.eq_ignore_ascii_case("unlimited"));
    let asked = call
        .int("ResultSize")
        .and_then(|size| usize::try_from(size).ok());
    let most = asked.unwrap_or(RESULT_SIZE);
    let mut output = Output::default();
    if !unlimited && rows.len() > most {
        rows.truncate(most);
        output.warnings.push(MORE.to_owned());
    }
    output.rows = rows;
    output
}

fn listed(
    tenant: &mut Tenant,
    call: &Call<'_>,
    fits: fn(&Record) -> bool,
    row: fn(&Tenant, &Record, Timestamp) -> Row,
) -> Answer {
    tenant.advance(call.now);
    let wanted = call.list("RecipientTypeDetails");
    let shown = |record: &Record| {
        wanted
            .as_ref()
            .is_none_or(|w| w.iter().any(|one| one == details(record, call.now)))
    };
    if let Some(identity) = call.text("Identity") {
        let number = if call.cmdlet == "Get-Recipient" {
            tenant.directory.find(identity)?
        } else {
            tenant.directory.mailbox(identity)?
        };
        let found = tenant.directory.get(number).filter(|record| shown(record));
        let rows = found
            .map(|record| row(tenant, record, call.now))
            .into_iter()
            .collect();
        return Ok(Output {
            rows,
            ..Output::default()
        });
    }
    let condition = call.text("Filter").map(filter::parse).transpose().map_err(|problem| {
        Refusal::binding(
            "System.Management.Automation.ParameterBindingException",
            format!("Cannot bind parameter 'Filter' to the target. Exception setting \"Filter\": \"Invalid filter syntax. {problem}\""),
        )
    })?;
    let rows = tenant
        .directory
        .records()
        .map(|(_, record)| record)
        .filter(|record| fits(record) && shown(record))
        .map(|record| row(tenant, record, call.now))
        .filter(|row| {
            condition
                .as_ref()
                .is_none_or(|condition| condition.matches(row))
        })
        .collect();
    Ok(cut(rows, call))
}

fn get_mailbox(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    listed(
        tenant,
        call,
        |record| record.class == Class::Mailbox,
        mailbox_row,
    )
}

fn get_recipient(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    listed(tenant, call, |_| true, recipient_row)
}

fn get_user(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    listed(
        tenant,
        call,
        |record| record.class == Class::Mailbox,
        recipient_row,
    )
}

fn details(record: &Record, now: Timestamp) -> &'static str {
    match record.class {
        Class::Mailbox => record.shown(now).details(),
        Class::Group(true) => "MailUniversalSecurityGroup",
        Class::Group(false) => "MailUniversalDistributionGroup",
    }
}

fn object_id(record: &Record) -> String {
    if record.object_id.is_nil() {
        String::new()
    } else {
        record.object_id.to_string()
    }
}

fn addresses(record: &Record) -> Cell {
    let mut all: Vec<String> = record
        .aliases
        .iter()
        .map(|address| format!("smtp:{address}"))
        .collect();
    if record.real != Type::Discovery {
        all.push(format!("SIP:{}", record.address));
    }
    all.push(format!("SMTP:{}", record.address));
    Cell::List(all)
}

fn recipient_row(_: &Tenant, record: &Record, now: Timestamp) -> Row {
    let kind = match record.class {
        Class::Mailbox => "UserMailbox",
        Class::Group(true) => "MailUniversalSecurityGroup",
        Class::Group(false) => "MailUniversalDistributionGroup",
    };
    Row::default()
        .plain("Identity", record.name.as_str())
        .plain("Id", record.name.as_str())
        .plain("Name", record.name.as_str())
        .plain("DisplayName", record.display_name.as_str())
        .plain("Alias", record.alias.as_str())
        .plain("DistinguishedName", record.dn.as_str())
        .plain("PrimarySmtpAddress", record.address.as_str())
        .plain("UserPrincipalName", record.address.as_str())
        .plain("WindowsLiveID", record.address.as_str())
        .with("EmailAddresses", addresses(record))
        .plain("ExternalDirectoryObjectId", object_id(record))
        .with("Guid", Cell::Guid(record.guid))
        .plain("RecipientType", kind)
        .plain("RecipientTypeDetails", details(record, now))
        .plain("IsDirSynced", record.dir_synced)
}

fn mailbox_row(tenant: &Tenant, record: &Record, now: Timestamp) -> Row {
    let shown = record.shown(now);
    let discovery = shown == Type::Discovery;
    let resource = match shown {
        Type::Room => Value::from("Room"),
        Type::Equipment => Value::from("Equipment"),
        Type::Workspace => Value::from("Workspace"),
        Type::Desk => Value::from("Desk"),
        _ => Value::Null,
    };
    let person = shown == Type::Regular;
    let quota = |gigabytes: u64| {
        if record.licensed {
            made::size(gigabytes << 30)
        } else {
            made::size(50 << 30)
        }
    };
    let plan = "ExchangeOnlineEnterprise-bb262a93-4ce1-4c61-aa03-36d98b8c82f1";
    let delegates = record
        .on_behalf
        .iter()
        .filter_map(|number| tenant.directory.get(*number))
        .map(|delegate| delegate.name.clone())
        .collect();
    Row::default()
        .plain("Identity", record.name.as_str())
        .plain("Id", record.name.as_str())
        .plain("Name", record.name.as_str())
        .plain("Alias", record.alias.as_str())
        .plain("DisplayName", record.display_name.as_str())
        .plain("DistinguishedName", record.dn.as_str())
        .plain("UserPrincipalName", record.address.as_str())
        .plain("PrimarySmtpAddress", record.address.as_str())
        .with("EmailAddresses", addresses(record))
        .plain("RecipientType", "UserMailbox")
        .plain("RecipientTypeDetails", shown.details())
        .with("Guid", Cell::Guid(record.guid))
        .with("ExchangeGuid", Cell::Guid(record.exchange_guid))
        .plain("ExternalDirectoryObjectId", object_id(record))
        .plain("LitigationHoldEnabled", record.hold)
        .plain("LitigationHoldDuration", "Unlimited")
        .with(
            "LitigationHoldDate",
            if record.hold {
                Cell::Local(record.created)
            } else {
                Cell::Plain(Value::Null)
            },
        )
        .plain(
            "LitigationHoldOwner",
            if record.hold {
                tenant.company.admin()
            } else {
                ""
            },
        )
        .with("InPlaceHolds", Cell::List(Vec::new()))
        .plain("RetentionHoldEnabled", false)
        .plain("SingleItemRecoveryEnabled", record.recovery)
        .plain("RetainDeletedItemsFor", "14.00:00:00")
        .plain("ComplianceTagHoldApplied", false)
        .plain("ForwardingAddress", Value::Null)
        .plain("ForwardingSmtpAddress", Value::Null)
        .plain("DeliverToMailboxAndForward", false)
        .plain("HiddenFromAddressListsEnabled", record.hidden)
        .plain("AuditEnabled", !discovery)
        .plain("AuditLogAgeLimit", "90.00:00:00")
        .plain("ArchiveStatus", "None")
        .plain("ArchiveState", "None")
        .with("ArchiveGuid", Cell::Guid(Uuid::nil()))
        .plain("IsMailboxEnabled", true)
        .plain("AccountDisabled", !person)
        .with("WhenMailboxCreated", Cell::Local(record.created))
        .plain("MessageCopyForSentAsEnabled", false)
        .plain("MessageCopyForSendOnBehalfEnabled", false)
        .with("GrantSendOnBehalfTo", Cell::List(delegates))
        .plain("ProhibitSendQuota", quota(99))
        .plain("ProhibitSendReceiveQuota", quota(100))
        .plain("IssueWarningQuota", quota(98))
        .plain(
            "MailboxPlan",
            if record.licensed {
                Value::from(plan)
            } else {
                Value::Null
            },
        )
        .plain("SKUAssigned", record.licensed)
        .plain("IsDirSynced", record.dir_synced)
        .plain("IsShared", matches!(shown, Type::Shared | Type::Discovery))
        .plain("IsResource", !resource.is_null())
        .plain("ResourceType", resource)
        .plain("IsInactiveMailbox", false)
        .plain("OrganizationId", tenant.options.domain.as_str())
        .plain("ExchangeVersion", "0.20 (15.0.0.0)")
}

fn get_statistics(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let number = permission::mailbox(tenant, call)?;
    let Some(record) = tenant.directory.get(number) else {
        return Err(permission::missing_identity());
    };
    let made = Row::default()
        .plain("DisplayName", record.display_name.as_str())
        .with("MailboxGuid", Cell::Guid(record.exchange_guid))
        .with(
            "ItemCount",
            Cell::Int32(i32::try_from(record.bytes >> 16).unwrap_or(i32::MAX)),
        )
        .plain("TotalItemSize", made::size(record.bytes))
        .plain("TotalDeletedItemSize", made::size(record.bytes >> 6))
        .plain("StorageLimitStatus", Value::Null);
    Ok(Output {
        rows: vec![made],
        ..Output::default()
    })
}
