//! The records that a tenant starts with.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Class, Record, Type,
    grants::{Ace, Trustee},
};
use crate::tenant::{
    Options,
    company::{Group, Mailbox},
    made::{guid, mix},
};

/// A mailbox of the company.
pub(super) fn of_mailbox(
    mailbox: &Mailbox,
    seed: u64,
    number: usize,
    forest: &dyn Fn(&str) -> String,
) -> Record {
    let place = u64::try_from(number).unwrap_or(0);
    let name = mailbox.object_id.to_string();
    let kind = Type::from(mailbox.kind);
    let chance = mix(seed, 31, place);
    // One in forty has outgrown what an unlicensed shared mailbox may hold.
    let gigabytes = if chance.is_multiple_of(40) {
        60
    } else {
        chance % 30
    };
    let mut aces = vec![Ace::own(&["FullAccess", "ReadPermission"])];
    if chance.is_multiple_of(7) {
        aces.push(Ace::own(&[
            "FullAccess",
            "ExternalAccount",
            "ReadPermission",
        ]));
    }
    Record {
        class: Class::Mailbox,
        dn: forest(&name),
        name,
        display_name: mailbox.display_name.clone(),
        alias: mailbox.alias.clone(),
        address: mailbox.address.clone(),
        aliases: mailbox.aliases.clone(),
        object_id: mailbox.object_id,
        guid: guid(seed, 30, place),
        exchange_guid: mailbox.guid,
        real: kind,
        lagging: None,
        dir_synced: mailbox.dir_synced,
        hold: mailbox.litigation_hold,
        recovery: mailbox.single_item_recovery,
        licensed: kind == Type::Regular || chance.is_multiple_of(5),
        hidden: false,
        bytes: (gigabytes << 30) + (chance >> 40),
        created: mailbox.created,
        on_behalf: Vec::new(),
        aces,
        send_as: vec![Ace::own(&["SendAs"])],
        owner: None,
    }
}

/// A group of the company.
pub(super) fn of_group(
    group: &Group,
    seed: u64,
    number: usize,
    now: Timestamp,
    forest: &dyn Fn(&str) -> String,
) -> Record {
    let place = u64::try_from(number).unwrap_or(0);
    let alias = group
        .address
        .split_once('@')
        .map_or("", |(local, _)| local)
        .to_owned();
    Record {
        class: Class::Group(group.security),
        dn: forest(&group.display_name),
        name: group.display_name.clone(),
        display_name: group.display_name.clone(),
        alias,
        address: group.address.clone(),
        aliases: Vec::new(),
        object_id: group.object_id,
        guid: guid(seed, 32, place),
        exchange_guid: Uuid::nil(),
        real: Type::Regular,
        lagging: None,
        dir_synced: false,
        hold: false,
        recovery: false,
        licensed: false,
        hidden: false,
        bytes: 0,
        created: months_ago(now),
        on_behalf: Vec::new(),
        aces: Vec::new(),
        send_as: Vec::new(),
        owner: None,
    }
}

/// The mailbox for discovery searches, which every tenant has.
pub(super) fn discovery(
    options: &Options,
    now: Timestamp,
    forest: &dyn Fn(&str) -> String,
) -> Record {
    let name = format!("DiscoverySearchMailbox{{{}}}", guid(options.seed, 33, 0));
    Record {
        class: Class::Mailbox,
        dn: forest(&name),
        display_name: "Discovery Search Mailbox".to_owned(),
        alias: "DiscoverySearchMailbox".to_owned(),
        address: format!("{name}@{}", options.domain),
        aliases: Vec::new(),
        name,
        object_id: Uuid::nil(),
        guid: guid(options.seed, 33, 1),
        exchange_guid: guid(options.seed, 33, 2),
        real: Type::Discovery,
        lagging: None,
        dir_synced: false,
        hold: false,
        recovery: false,
        licensed: false,
        hidden: true,
        bytes: 0,
        created: months_ago(now),
        on_behalf: Vec::new(),
        aces: vec![
            Ace::own(&["FullAccess", "ReadPermission"]),
            Ace::new(
                Trustee::DiscoveryManagement,
                &["FullAccess"],
                Timestamp::MIN,
            ),
        ],
        send_as: vec![Ace::own(&["SendAs"])],
        owner: None,
    }
}

fn months_ago(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * 150))
        .unwrap_or(now)
}
