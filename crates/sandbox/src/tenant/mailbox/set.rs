//! Set-Mailbox: the type, delegates and a few settings.

use super::{Class, Type, permission};
use crate::{
    cmdlet::{Answer, Call, Kind, Output, Refusal, Service, Spec},
    tenant::{
        Tenant,
        args::{Args, Delta},
        for_role, required,
    },
};

const RECIPIENTS: &str = "Mail Recipients";
const TYPES: Kind = Kind::Enum(&[
    "Regular",
    "Shared",
    "Room",
    "Equipment",
    "Workspace",
    "Desk",
]);

/// Set-Mailbox. A security administrator has the cmdlet and none of these parameters.
pub static SET_MAILBOX: Spec = Spec {
    name: "Set-Mailbox",
    services: &[Service::Exchange],
    roles: &["Mail Recipients", "Security Admin"],
    changes: true,
    parameters: &[
        required("Identity", Kind::Text),
        for_role("Type", TYPES, RECIPIENTS),
        for_role("GrantSendOnBehalfTo", Kind::ListOrDelta, RECIPIENTS),
        for_role("HiddenFromAddressListsEnabled", Kind::Bool, RECIPIENTS),
        for_role("LitigationHoldEnabled", Kind::Bool, RECIPIENTS),
        for_role("DisplayName", Kind::Text, RECIPIENTS),
        for_role("Force", Kind::Switch, RECIPIENTS),
    ],
    excludes: &[],
    confirm: true,
    run: set,
};

fn set(tenant: &mut Tenant, call: &Call<'_>) -> Answer {
    tenant.advance(call.now);
    let number = permission::mailbox(tenant, call)?;
    // Everything is looked up before anything is changed.
    let delegates = call.delta("GrantSendOnBehalfTo");
    let delegates = delegates
        .map(|delta| resolved(tenant, &delta))
        .transpose()?;
    let wanted = call.text("Type").and_then(Type::parse);
    let visible = tenant.visible_from(call.now);
    let Some(record) = tenant.directory.get_mut(number) else {
        return Err(permission::missing_identity());
    };
    if wanted.is_some() && record.real == Type::Discovery {
        return Err(Refusal::cmdlet(
            permission::INVALID,
            format!(
                "The mailbox \"{}\" can't be converted.",
                record.display_name
            ),
        ));
    }
    let mut changed = false;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != record.real) {
        let shown = record.shown(call.now);
        record.lagging = (visible > call.now).then_some((shown, visible));
        record.real = wanted;
        changed = true;
    }
    if let Some(delta) = delegates {
        changed |= delta.apply(&mut record.on_behalf);
    }
    for (flag, place) in [
        (
            call.flag("HiddenFromAddressListsEnabled"),
            &mut record.hidden,
        ),
        (call.flag("LitigationHoldEnabled"), &mut record.hold),
    ] {
        if let Some(flag) = flag.filter(|flag| *flag != *place) {
            *place = flag;
            changed = true;
        }
    }
    if let Some(name) = call
        .text("DisplayName")
        .filter(|name| *name != record.display_name)
    {
        name.clone_into(&mut record.display_name);
        changed = true;
    }
    let mut output = Output::default();
    if !changed {
        output.warnings.push(format!(
            "The command completed successfully but no settings of '{}' have been modified.",
            record.name
        ));
    }
    Ok(output)
}

/// A change of a list of recipients, by their numbers.
enum Numbers {
    Replace(Vec<usize>),
    Edit { add: Vec<usize>, remove: Vec<usize> },
}

impl Numbers {
    /// Whether anything changed.
    fn apply(self, list: &mut Vec<usize>) -> bool {
        let before = list.clone();
        match self {
            Self::Replace(new) => *list = new,
            Self::Edit { add, remove } => {
                list.retain(|number| !remove.contains(number));
                for number in add {
                    if !list.contains(&number) {
                        list.push(number);
                    }
                }
            }
        }
        *list != before
    }
}

fn resolved(tenant: &Tenant, delta: &Delta) -> Result<Numbers, Refusal> {
    let numbers = |names: &[String]| -> Result<Vec<usize>, Refusal> {
        names.iter().map(|name| delegate(tenant, name)).collect()
    };
    Ok(match delta {
        Delta::Replace(names) => Numbers::Replace(numbers(names)?),
        Delta::Edit { add, remove } => Numbers::Edit {
            add: numbers(add)?,
            remove: numbers(remove)?,
        },
    })
}

fn delegate(tenant: &Tenant, name: &str) -> Result<usize, Refusal> {
    let number = tenant.directory.find(name).map_err(|refusal| {
        if refusal.status != 404 {
            return refusal;
        }
        Refusal::not_found(format!(
            "Couldn't find object \"{name}\". Please make sure that it was spelled correctly or specify a different object."
        ))
    })?;
    let plain = tenant
        .directory
        .get(number)
        .is_some_and(|r| r.class == Class::Group(false));
    if plain {
        return Err(Refusal::cmdlet(
            permission::INVALID,
            format!(
                "The recipient \"{name}\" must be a mailbox, mail user or mail-enabled security group."
            ),
        ));
    }
    Ok(number)
}
