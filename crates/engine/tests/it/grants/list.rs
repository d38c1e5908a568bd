//! The grants, each with what breaks without it.

use sandbox::{
    Settings,
    options::{EdiscoveryRole, Graph, Licence},
};

/// A part of what the commands do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Start,
    Status,
    Counts,
    Preview,
    Delete,
    Rounds,
    Restore,
}

impl Part {
    /// All, in the order of the page's columns; each may rest on those before it.
    pub const ALL: [Self; 7] = [
        Self::Start,
        Self::Status,
        Self::Counts,
        Self::Preview,
        Self::Delete,
        Self::Rounds,
        Self::Restore,
    ];

    /// Its head in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Start => "search",
            Self::Status => "totals",
            Self::Counts => "counts by mailbox",
            Self::Preview => "preview",
            Self::Delete => "delete",
            Self::Rounds => "search and purge",
            Self::Restore => "restore",
        }
    }
}

/// A grant.
pub struct Grant {
    /// What is missing.
    pub what: &'static str,
    /// Takes it away.
    pub remove: fn(&mut Settings),
    breaks: &'static [(Part, &'static str)],
}

impl Grant {
    /// The code with which a part breaks; empty where it works.
    pub fn breaks(&self, part: Part) -> &'static str {
        let found = self.breaks.iter().find(|(one, _)| *one == part);
        found.map_or("", |(_, code)| code)
    }
}

fn without(graph: &mut Graph, names: &[&str]) {
    graph
        .app_permissions
        .retain(|name| !names.contains(&name.as_str()));
}

const MAIL: &str = "Mail.ReadWrite";
const REMEDIATE: &str = "SecurityAnalyzedMessage.ReadWrite.All";

/// Every part of mail searches, with one code.
macro_rules! searches {
    ($code:literal) => {
        &[
            (Part::Start, $code),
            (Part::Status, $code),
            (Part::Counts, $code),
            (Part::Preview, $code),
            (Part::Delete, $code),
            (Part::Rounds, $code),
        ]
    };
}

/// What is left to an app in Exchange: to see which mailboxes are on hold.
pub const LEAST_ROLE: &str = "Global Reader";

/// All of them, in the order in which the page tells an administrator to give them.
pub const GRANTS: &[Grant] = &[
    Grant {
        what: "`eDiscovery.ReadWrite.All`",
        remove: |tenant| without(&mut tenant.graph, &["eDiscovery.ReadWrite.All"]),
        breaks: searches!("grant_missing"),
    },
    Grant {
        what: "`eDiscovery.Download.Read`",
        remove: |tenant| without(&mut tenant.graph, &["eDiscovery.Download.Read"]),
        breaks: &[
            (Part::Counts, "download_refused"),
            (Part::Preview, "download_refused"),
            (Part::Delete, "download_refused"),
            (Part::Rounds, "download_refused"),
        ],
    },
    Grant {
        what: "the enterprise application *MicrosoftPurviewEDiscovery*",
        remove: |tenant| tenant.graph.download_principal = false,
        breaks: &[
            (Part::Counts, "download_refused"),
            (Part::Preview, "download_refused"),
            (Part::Delete, "download_refused"),
            (Part::Rounds, "download_refused"),
        ],
    },
    Grant {
        what: "the registration in Security & Compliance",
        remove: |tenant| tenant.graph.registered = false,
        breaks: searches!("not_registered"),
    },
    Grant {
        what: "the role group eDiscovery Manager",
        remove: |tenant| tenant.graph.roles = vec![EdiscoveryRole::SearchAndPurge],
        breaks: searches!("not_registered"),
    },
    Grant {
        what: "the role Search And Purge",
        remove: |tenant| tenant.graph.roles = vec![EdiscoveryRole::Manager],
        breaks: &[
            (Part::Delete, "grant_missing"),
            (Part::Rounds, "grant_missing"),
        ],
    },
    Grant {
        what: "the licence for premium eDiscovery",
        remove: |tenant| tenant.graph.licence = Licence::E3,
        breaks: searches!("grant_missing"),
    },
    Grant {
        what: "premium features of the case",
        remove: |tenant| tenant.graph.premium_cases = false,
        breaks: &[
            (Part::Delete, "grant_missing"),
            (Part::Rounds, "grant_missing"),
        ],
    },
    Grant {
        what: "the role Global Reader, with Security Reader in its place",
        remove: |tenant| tenant.app_roles = vec!["Security Reader".to_owned()],
        breaks: &[(Part::Rounds, "not_proven")],
    },
    Grant {
        what: "every role in Entra and Exchange",
        remove: |tenant| tenant.app_roles.clear(),
        breaks: &[(Part::Rounds, "not_proven")],
    },
    Grant {
        what: "`Mail.ReadWrite`",
        remove: |tenant| without(&mut tenant.graph, &[MAIL]),
        breaks: &[],
    },
    Grant {
        what: "`SecurityAnalyzedMessage.ReadWrite.All`",
        remove: |tenant| without(&mut tenant.graph, &[REMEDIATE]),
        breaks: &[],
    },
    Grant {
        what: "`Mail.ReadWrite` and `SecurityAnalyzedMessage.ReadWrite.All`",
        remove: |tenant| without(&mut tenant.graph, &[MAIL, REMEDIATE]),
        breaks: &[(Part::Restore, "grant_missing")],
    },
    Grant {
        what: "`Mail.ReadWrite` and Defender for Office 365 Plan 2",
        remove: |tenant| {
            without(&mut tenant.graph, &[MAIL]);
            tenant.graph.plan2 = false;
        },
        breaks: &[(Part::Restore, "grant_missing")],
    },
];
