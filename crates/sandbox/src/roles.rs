//! From the directory roles and role groups of a caller to the management roles that decide which
//! cmdlets and parameters exist for them.
//!
//! The table follows Microsoft's permission pages; where these leave a gap the least generous
//! reading is taken, and `docs/assumptions.md` names it.

use std::collections::BTreeSet;

use crate::cmdlet::{Parameter, Service, Spec};

/// A directory role (with the template id that stands in a token's `wids`) or a role group (which
/// stands in no token).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant {
    /// The name as the portals print it.
    pub(crate) name: &'static str,
    /// The template id of a directory role.
    pub(crate) template: Option<&'static str>,
    /// The management roles that it brings.
    pub(crate) roles: &'static [&'static str],
}

/// The template id that every token without a user carries.
pub(crate) const DEFAULT_WID: &str = "0997a1d0-0d1d-4acb-b408-d5ca73121e90";

/// Every management role that a cmdlet or parameter may name.
const EVERYTHING: &[&str] = &[
    "Tenant AllowBlockList Manager",
    "Quarantine",
    "Mail Recipients",
    "Recipient Policies",
    "Organization Configuration",
    "Role Management",
    "Transport Hygiene",
    "Security Admin",
    "Security Reader",
    "View-Only Configuration",
    "View-Only Recipients",
    "View-Only Organization Management",
    "Compliance Search",
    "Case Management",
    "Search And Purge",
];

/// What is known of roles.
pub(crate) const GRANTS: &[Grant] = &[
    Grant {
        name: "Global Administrator",
        template: Some("62e90394-69f5-4237-9190-012177145e10"),
        roles: EVERYTHING,
    },
    Grant {
        name: "Exchange Administrator",
        template: Some("29232cdf-9323-42fd-ade2-1d097af3e4de"),
        roles: &[
            "Tenant AllowBlockList Manager",
            "Mail Recipients",
            "Recipient Policies",
            "Organization Configuration",
            "Role Management",
            "Transport Hygiene",
            "View-Only Configuration",
            "View-Only Recipients",
            "View-Only Organization Management",
        ],
    },
    Grant {
        name: "Exchange Recipient Administrator",
        template: Some("31392ffb-586c-42d1-9346-e59415a2cc4e"),
        roles: &[
            "Mail Recipients",
            "Recipient Policies",
            "View-Only Recipients",
        ],
    },
    Grant {
        name: "Security Administrator",
        template: Some("194ae4cb-b126-40b2-bd5b-6091b380977d"),
        roles: &[
            "Tenant AllowBlockList Manager",
            "Quarantine",
            "Transport Hygiene",
            "Security Admin",
            "Security Reader",
            "View-Only Configuration",
        ],
    },
    Grant {
        name: "Security Operator",
        template: Some("5f2222b1-57c3-48ba-8ad5-d4759f1fde6f"),
        roles: &[
            "Tenant AllowBlockList Manager",
            "Security Reader",
            "Compliance Search",
        ],
    },
    Grant {
        name: "Security Reader",
        template: Some("5d6b6bb7-de71-4623-b4af-96380a352509"),
        roles: &["Security Reader"],
    },
    Grant {
        name: "Global Reader",
        template: Some("f2ef992c-3afb-46b9-b7cf-a126ee74c451"),
        roles: &[
            "Security Reader",
            "View-Only Configuration",
            "View-Only Recipients",
            "View-Only Organization Management",
        ],
    },
    Grant {
        name: "Compliance Administrator",
        template: Some("17315797-102d-40b4-93e0-432062caca18"),
        roles: &[
            "Compliance Search",
            "Case Management",
            "View-Only Recipients",
        ],
    },
    Grant {
        name: "Helpdesk Administrator",
        template: Some("729827e3-9c14-49f7-bb1b-9608f156bbb8"),
        roles: &["View-Only Recipients"],
    },
    // Role groups: no token speaks of them.
    Grant {
        name: "Organization Management",
        template: None,
        roles: EVERYTHING,
    },
    Grant {
        name: "Recipient Management",
        template: None,
        roles: &[
            "Mail Recipients",
            "Recipient Policies",
            "View-Only Recipients",
        ],
    },
    Grant {
        name: "View-Only Organization Management",
        template: None,
        roles: &[
            "View-Only Configuration",
            "View-Only Recipients",
            "View-Only Organization Management",
        ],
    },
    Grant {
        name: "Tenant AllowBlockList Manager",
        template: None,
        roles: &["Tenant AllowBlockList Manager"],
    },
    Grant {
        name: "Quarantine Administrator",
        template: None,
        roles: &["Quarantine"],
    },
    Grant {
        name: "Data Investigator",
        template: None,
        roles: &["Compliance Search", "Preview", "Search And Purge"],
    },
    Grant {
        name: "eDiscovery Manager",
        template: None,
        roles: &["Compliance Search", "Case Management", "Preview", "Export"],
    },
];

/// A grant by its printed name, in any case.
pub(crate) fn by_name(name: &str) -> Option<&'static Grant> {
    GRANTS
        .iter()
        .find(|grant| grant.name.eq_ignore_ascii_case(name))
}

/// The template ids of the directory roles among these names, as `wids` carries them.
pub(crate) fn wids(names: &[String]) -> Vec<&'static str> {
    names
        .iter()
        .filter_map(|name| by_name(name)?.template)
        .collect()
}

/// The management roles behind a token's directory roles and a caller's role groups.
pub(crate) fn management(wids: &[String], groups: &[String]) -> BTreeSet<&'static str> {
    let from_token = GRANTS.iter().filter(|grant| {
        grant
            .template
            .is_some_and(|template| wids.iter().any(|wid| wid == template))
    });
    let from_groups = groups
        .iter()
        .filter_map(|name| by_name(name))
        .filter(|grant| {
            // Directory roles count only by what the token says.
            grant.template.is_none()
        });
    from_token
        .chain(from_groups)
        .flat_map(|grant| grant.roles.iter().copied())
        .collect()
}

/// Whether the cmdlet exists for a caller with these roles, at this service.
pub(crate) fn may_call(spec: &Spec, service: Service, roles: &BTreeSet<&'static str>) -> bool {
    let granted = spec.roles.is_empty() && !roles.is_empty()
        || spec.roles.iter().any(|role| roles.contains(role));
    granted && spec.services.contains(&service)
}

/// Whether the parameter exists for a caller with these roles.
pub(crate) fn may_use(parameter: &Parameter, roles: &BTreeSet<&'static str>) -> bool {
    parameter.role.is_none_or(|role| roles.contains(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_directory_role_counts_only_when_the_token_says_so() {
        let wids = names(&["194ae4cb-b126-40b2-bd5b-6091b380977d"]);
        let roles = management(&wids, &names(&["Global Administrator"]));
        assert!(roles.contains("Quarantine"));
        assert!(
            !roles.contains("Mail Recipients"),
            "a Security Administrator manages no mailboxes"
        );
    }

    #[test]
    fn every_role_that_a_cmdlet_names_is_held_by_somebody() {
        let held: BTreeSet<&str> = GRANTS
            .iter()
            .flat_map(|g| g.roles.iter().copied())
            .collect();
        for spec in crate::tenant::CMDLETS {
            let hidden = spec
                .parameters
                .iter()
                .filter_map(|parameter| parameter.role);
            for role in spec.roles.iter().copied().chain(hidden) {
                assert!(
                    held.contains(role),
                    "nobody can hold `{role}` of {}",
                    spec.name
                );
            }
        }
    }

    #[test]
    fn only_the_data_investigator_has_all_three_of_a_purge_with_preview() {
        let all = |grant: &&Grant| {
            ["Compliance Search", "Preview", "Search And Purge"]
                .iter()
                .all(|role| grant.roles.contains(role))
        };
        let holders: Vec<_> = GRANTS.iter().filter(all).map(|grant| grant.name).collect();
        assert_eq!(holders, ["Data Investigator"]);
    }
}
