//! New-, Set- and Remove-TenantAllowBlockListItems.

use jiff::Timestamp;
use kernel::Random;

use super::{
    ARGUMENT, Action, BLOCK_DAYS, Entry, LAST_USE_DAYS, ListType, Lists, ObjectState, READERS,
    SubType, WRITERS, capacity, days_of,
    entry::{self},
    identity,
};
use crate::{
    cmdlet::{Answer, Call, Kind, Output, Parameter, Refusal, Row, Service, Spec},
    tenant::{Tenant, args::Args, optional, required},
};

const LIST_TYPES: Kind = Kind::Enum(&["FileHash", "Sender", "Url", "IP"]);
const SUB_TYPES: Kind = Kind::Enum(&["Tenant", "AdvancedDelivery"]);

const COMMON: [Parameter; 8] = [
    required("ListType", LIST_TYPES),
    optional("Allow", Kind::Switch),
    optional("Block", Kind::Switch),
    optional("ExpirationDate", Kind::Date),
    optional("NoExpiration", Kind::Switch),
    optional("RemoveAfter", Kind::Int),
    optional("ListSubType", SUB_TYPES),
    optional("Notes", Kind::Text),
];

/// Parameters that exclude each other in New and Set.
const EXPIRY: &[(&str, &str)] = &[
    ("Allow", "Block"),
    ("ExpirationDate", "NoExpiration"),
    ("RemoveAfter", "ExpirationDate"),
    ("RemoveAfter", "NoExpiration"),
    ("Entries", "Ids"),
];

/// New-TenantAllowBlockListItems.
pub static NEW: Spec = Spec {
    name: "New-TenantAllowBlockListItems",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &{
        let [a, b, c, d, e, f, g, h] = COMMON;
        [
            required("Entries", Kind::List),
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            optional("OutputJson", Kind::Switch),
            optional("LogExtraDetails", Kind::Switch),
            optional("SubmissionID", Kind::Text),
        ]
    },
    excludes: EXPIRY,
    confirm: false,
    run: new,
};

/// Set-TenantAllowBlockListItems.
pub static SET: Spec = Spec {
    name: "Set-TenantAllowBlockListItems",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &{
        let [a, b, c, d, e, f, g, h] = COMMON;
        [
            optional("Entries", Kind::List),
            optional("Ids", Kind::List),
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            optional("OutputJson", Kind::Switch),
        ]
    },
    excludes: EXPIRY,
    confirm: false,
    run: set,
};

/// Remove-TenantAllowBlockListItems.
pub static REMOVE: Spec = Spec {
    name: "Remove-TenantAllowBlockListItems",
    services: &[Service::Exchange],
    roles: WRITERS,
    changes: true,
    parameters: &[
        required("ListType", LIST_TYPES),
        optional("Entries", Kind::List),
        optional("Ids", Kind::List),
        optional("ListSubType", SUB_TYPES),
        optional("OutputJson", Kind::Switch),
    ],
    excludes: &[("Entries", "Ids")],
    confirm: false,
    run: remove,
};

/// Get-'s roles and kinds, shared with the reading half.
pub(super) const READ: (&[&str], Kind) = (READERS, LIST_TYPES);

fn refuse(text: impl Into<String>) -> Refusal {
    Refusal::cmdlet(ARGUMENT, text)
}

/// A refusal that names the value (the prefix is recorded, the reasons are not).
fn invalid(value: &str, reason: &str) -> Refusal {
    refuse(format!("Invalid value to add: {value} - {reason}.."))
}

/// The list that a call names.
pub(super) fn list_type(call: &Call<'_>) -> Result<ListType, Refusal> {
    call.text("ListType")
        .and_then(ListType::parse)
        .ok_or_else(|| refuse("ListType is missing or unknown"))
}

/// The list and subtype that a call names.
fn place(call: &Call<'_>) -> Result<(ListType, SubType), Refusal> {
    let list = list_type(call)?;
    let subtype = match call.text("ListSubType") {
        None => SubType::Tenant,
        Some(name) => SubType::parse(name).ok_or_else(|| refuse("ListSubType is not supported"))?,
    };
    if subtype == SubType::AdvancedDelivery && list != ListType::Url {
        return Err(refuse(
            "ListSubType AdvancedDelivery is supported only for ListType Url",
        ));
    }
    Ok((list, subtype))
}

/// The action that a call names, if any.
pub(super) fn action(call: &Call<'_>) -> Result<Option<Action>, Refusal> {
    match (call.on("Allow"), call.on("Block")) {
        (true, true) => Err(refuse("Allow and Block can't be used together")),
        (true, false) => Ok(Some(Action::Allow)),
        (false, true) => Ok(Some(Action::Block)),
        (false, false) => Ok(None),
    }
}

/// What the expiry parameters of a call ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Unsaid,
    At(Timestamp),
    Never,
    LastUse,
}

fn expiry(
    call: &Call<'_>,
    list: ListType,
    subtype: SubType,
    action: Action,
) -> Result<Expiry, Refusal> {
    let (date, never) = (call.has("ExpirationDate"), call.on("NoExpiration"));
    if let Some(days) = call.int("RemoveAfter") {
        if date || never {
            return Err(refuse(
                "RemoveAfter can't be used with ExpirationDate or NoExpiration",
            ));
        }
        if days != i64::from(LAST_USE_DAYS) {
            return Err(refuse("RemoveAfter: the only valid value is 45"));
        }
        if action != Action::Allow || list == ListType::Ip {
            return Err(refuse(
                "RemoveAfter can be used only with Allow and ListType Sender, FileHash or Url",
            ));
        }
        return Ok(Expiry::LastUse);
    }
    if date && never {
        return Err(refuse(
            "ExpirationDate and NoExpiration can't be used together",
        ));
    }
    if never {
        let allowed = action == Action::Block
            || list == ListType::Ip
            || (list == ListType::Url && subtype == SubType::AdvancedDelivery);
        if !allowed {
            return Err(refuse(
                "NoExpiration with Allow is supported only for IP entries and for AdvancedDelivery URLs",
            ));
        }
        return Ok(Expiry::Never);
    }
    if !date {
        return Ok(Expiry::Unsaid);
    }
    let at = call
        .date("ExpirationDate")
        .ok_or_else(|| refuse("ExpirationDate is not a date"))?;
    if at <= call.now {
        return Err(refuse("ExpirationDate must be in the future"));
    }
    Ok(Expiry::At(at))
}

/// Dates of a new entry: when it runs out, and the days after its last use.
fn dates(
    expiry: Expiry,
    list: ListType,
    subtype: SubType,
    action: Action,
    now: Timestamp,
) -> (Option<Timestamp>, Option<i32>) {
    match (expiry, list, action) {
        (Expiry::At(at), _, _) => (Some(at), None),
        (Expiry::LastUse, _, _) => (None, Some(LAST_USE_DAYS)),
        (Expiry::Never, _, _) | (Expiry::Unsaid, ListType::Ip, _) => (None, None),
        (Expiry::Unsaid, _, Action::Allow) if subtype == SubType::Tenant => {
            (None, Some(LAST_USE_DAYS))
        }
        // Blocks, and the allows of phishing simulations.
        (Expiry::Unsaid, _, _) => (now.checked_add(days_of(BLOCK_DAYS)).ok(), None),
    }
}

fn entries(call: &Call<'_>, name: &str, most: Option<usize>) -> Result<Vec<String>, Refusal> {
    let values = call.list(name).unwrap_or_default();
    if values.is_empty() {
        return Err(refuse(format!("{name} is empty")));
    }
    if most.is_some_and(|most| values.len() > most) {
        let most = most.unwrap_or_default();
        return Err(refuse(format!(
            "{name} has {} values. The maximum number of values in one command is {most}",
            values.len()
        )));
    }
    Ok(values)
}

fn new(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let (list, subtype) = place(call)?;
    let action = action(call)?.ok_or_else(|| refuse("You must specify either Allow or Block"))?;
    if subtype == SubType::AdvancedDelivery && action != Action::Allow {
        return Err(refuse(
            "ListSubType AdvancedDelivery is supported only with Allow",
        ));
    }
    if list == ListType::FileHash && action == Action::Allow {
        return Err(refuse(
            "Allow entries for files can't be created directly. Use the Submissions page",
        ));
    }
    let expiry = expiry(call, list, subtype, action)?;
    let values = entries(call, "Entries", tenant.switches.values_per_call)?;
    let (expiration, remove_after) = dates(expiry, list, subtype, action, call.now);
    let json = call.on("OutputJson");
    let visible = tenant.visible_from(call.now);
    let capacity = capacity(tenant.options.plan, action);
    let mut output = Output::default();
    for value in values {
        if let Err(refusal) = admit(&tenant.lists, list, subtype, action, capacity, &value) {
            if !json {
                return Err(refusal);
            }
            output.rows.push(failed_row(&value, refusal.text));
            continue;
        }
        let entry = Entry {
            identity: identity(&*tenant.random as &dyn Random),
            list,
            subtype,
            action,
            value,
            notes: call.text("Notes").unwrap_or_default().to_owned(),
            expiration,
            remove_after,
            last_used: None,
            created: call.now,
            modified: call.now,
            modified_by: call.caller.name.clone(),
            visible,
        };
        output.rows.push(entry.row(ObjectState::New));
        tenant.lists.insert(entry);
    }
    Ok(output)
}

fn admit(
    lists: &Lists,
    list: ListType,
    subtype: SubType,
    action: Action,
    capacity: usize,
    value: &str,
) -> Result<(), Refusal> {
    entry::judge(list, subtype, action, value).map_err(|reason| invalid(value, reason))?;
    if lists.find(list, subtype, value).is_some() {
        return Err(invalid(value, "Duplicate value"));
    }
    if lists.count(list, action) >= capacity {
        return Err(invalid(
            value,
            &format!(
                "The maximum number of {} entries ({capacity}) for {} has been reached",
                action.name(),
                list.name()
            ),
        ));
    }
    Ok(())
}

fn failed_row(value: &str, text: String) -> Row {
    Row::default()
        .plain("Identity", "")
        .plain("Value", value)
        .plain("Error", text)
}

/// The numbers of the entries that a call names, in the order given; the first that is missing
/// ends the search.
fn targets(
    tenant: &Tenant,
    call: &Call<'_>,
    list: ListType,
    subtype: SubType,
) -> Result<Vec<(String, Option<u64>)>, Refusal> {
    match (call.has("Entries"), call.has("Ids")) {
        (true, true) => Err(refuse("Entries and Ids can't be used together")),
        (false, false) => Err(refuse("You must specify either Entries or Ids")),
        (true, false) => Ok(entries(call, "Entries", tenant.switches.values_per_call)?
            .into_iter()
            .map(|value| {
                let number = tenant.lists.find(list, subtype, &value);
                (value, number)
            })
            .collect()),
        (false, true) => Ok(entries(call, "Ids", tenant.switches.values_per_call)?
            .into_iter()
            .map(|id| {
                let number = tenant.lists.find_id(list, subtype, &id);
                (id, number)
            })
            .collect()),
    }
}

fn set(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let (list, subtype) = place(call)?;
    let wanted = action(call)?;
    let json = call.on("OutputJson");
    let mut output = Output::default();
    for (named, number) in targets(tenant, call, list, subtype)? {
        match set_one(tenant, call, number, wanted) {
            Ok(row) => output.rows.push(row),
            Err(refusal) if json => output.rows.push(failed_row(&named, refusal.text)),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(output)
}

fn set_one(
    tenant: &mut Tenant,
    call: &Call<'_>,
    number: Option<u64>,
    wanted: Option<Action>,
) -> Result<Row, Refusal> {
    let missing = || refuse("Entry not found.");
    let number = number.ok_or_else(missing)?;
    let found = tenant.lists.get(number).ok_or_else(missing)?;
    if wanted.is_some_and(|wanted| wanted != found.action) {
        return Err(missing());
    }
    let expiry = expiry(call, found.list, found.subtype, found.action)?;
    let entry = tenant.lists.get_mut(number).ok_or_else(missing)?;
    match expiry {
        Expiry::Unsaid => {}
        Expiry::At(at) => (entry.expiration, entry.remove_after) = (Some(at), None),
        Expiry::Never => (entry.expiration, entry.remove_after) = (None, None),
        Expiry::LastUse => (entry.expiration, entry.remove_after) = (None, Some(LAST_USE_DAYS)),
    }
    if let Some(notes) = call.value("Notes").and_then(serde_json::Value::as_str) {
        notes.clone_into(&mut entry.notes);
    }
    entry.modified = call.now;
    entry.modified_by.clone_from(&call.caller.name);
    Ok(entry.row(ObjectState::Modified))
}

fn remove(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let (list, subtype) = place(call)?;
    let json = call.on("OutputJson");
    let targets = targets(tenant, call, list, subtype)?;
    if call.has("Entries") {
        let mut actions = targets
            .iter()
            .filter_map(|(_, n)| n.and_then(|n| tenant.lists.get(n)))
            .map(|e| e.action);
        if let Some(first) = actions.next()
            && actions.any(|action| action != first)
        {
            return Err(refuse(
                "Allow and block entries can't be removed in one command",
            ));
        }
    }
    let visible = tenant.visible_from(call.now);
    let mut output = Output::default();
    for (named, number) in targets {
        // A value given twice is gone when its second turn comes.
        match number.and_then(|number| tenant.lists.remove(number, call.now, visible)) {
            Some(entry) => output.rows.push(entry.removed_row()),
            None if json => output
                .rows
                .push(failed_row(&named, "Entry not found.".to_owned())),
            None => return Err(refuse("Entry not found.")),
        }
    }
    Ok(output)
}
