//! The grants, each with what breaks without it.

use sandbox::options::{EdiscoveryRole, Graph, Licence};

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
    pub remove: fn(&mut Graph),
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

/// All of them, in the order in which the page tells an administrator to give them.
pub const GRANTS: &[Grant] = &[
    Grant {
        what: "`eDiscovery.ReadWrite.All`",
        remove: |graph| without(graph, &["eDiscovery.ReadWrite.All"]),
        breaks: searches!("grant_missing"),
    },
    Grant {
        what: "`eDiscovery.Download.Read`",
        remove: |graph| without(graph, &["eDiscovery.Download.Read"]),
        breaks: &[
            (Part::Counts, "download_refused"),
            (Part::Preview, "download_refused"),
            (Part::Delete, "download_refused"),
            (Part::Rounds, "download_refused"),
        ],
    },
    Grant {
        what: "the enterprise application *MicrosoftPurviewEDiscovery*",
        remove: |graph| graph.download_principal = false,
        breaks: &[
            (Part::Counts, "download_refused"),
            (Part::Preview, "download_refused"),
            (Part::Delete, "download_refused"),
            (Part::Rounds, "download_refused"),
        ],
    },
    Grant {
        what: "the registration in Security & Compliance",
        remove: |graph| graph.registered = false,
        breaks: searches!("not_registered"),
    },
    Grant {
        what: "the role group eDiscovery Manager",
        remove: |graph| graph.roles = vec![EdiscoveryRole::SearchAndPurge],
        breaks: searches!("not_registered"),
    },
    Grant {
        what: "the role Search And Purge",
        remove: |graph| graph.roles = vec![EdiscoveryRole::Manager],
        breaks: &[
            (Part::Delete, "grant_missing"),
            (Part::Rounds, "grant_missing"),
        ],
    },
    Grant {
        what: "the licence for premium eDiscovery",
        remove: |graph| graph.licence = Licence::E3,
        breaks: searches!("grant_missing"),
    },
    Grant {
        what: "premium features of the case",
        remove: |graph| graph.premium_cases = false,
        breaks: &[
            (Part::Delete, "grant_missing"),
            (Part::Rounds, "grant_missing"),
        ],
    },
    Grant {
        what: "`Mail.ReadWrite`",
        remove: |graph| without(graph, &[MAIL]),
        breaks: &[],
    },
    Grant {
        what: "`SecurityAnalyzedMessage.ReadWrite.All`",
        remove: |graph| without(graph, &[REMEDIATE]),
        breaks: &[],
    },
    Grant {
        what: "`Mail.ReadWrite` and `SecurityAnalyzedMessage.ReadWrite.All`",
        remove: |graph| without(graph, &[MAIL, REMEDIATE]),
        breaks: &[(Part::Restore, "grant_missing")],
    },
    Grant {
        what: "`Mail.ReadWrite` and Defender for Office 365 Plan 2",
        remove: |graph| {
            without(graph, &[MAIL]);
            graph.plan2 = false;
        },
        breaks: &[(Part::Restore, "grant_missing")],
    },
];
