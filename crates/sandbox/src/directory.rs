//! The directory behind the sign-in: the apps and accounts of the tenant, among them one for each
//! refusal that Entra knows.

use kernel::{Random, SystemRandom};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    options::{DOWNLOAD, EdiscoveryRole, FederatedTrust, Options},
    tenant::company::Company,
};

/// Public clients of Microsoft's own, which are registered nowhere and may sign users in.
pub(crate) const PUBLIC_CLIENTS: &[(&str, &str)] = &[
    (
        "fb78d390-0c51-40cd-8e17-fdbfab77341b",
        "Microsoft Exchange REST API Based PowerShell",
    ),
    (
        "a0c73c16-a7e3-4564-9a95-2bdf47383716",
        "Microsoft Exchange Online Remote PowerShell",
    ),
    ("d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office"),
    (
        "14d82eec-204b-4c2f-b7e8-296a70dab67e",
        "Microsoft Graph Command Line Tools",
    ),
    (
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "Microsoft Azure CLI",
    ),
    (
        "1950a258-227b-4e31-a9cf-717495945fc2",
        "Microsoft Azure PowerShell",
    ),
];

/// What an app or account is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// It works.
    Works,
    /// Sign-in is refused with this AADSTS number, once the credential is right.
    Refused(u32),
    /// The token lacks `Exchange.ManageAsApp`.
    NoAppRole,
    /// Only this one directory role or role group; an empty name is none.
    Only(&'static str),
}

/// What an app holds of Graph, where it is there to show just that.
#[derive(Debug)]
pub(crate) struct GraphGrants {
    pub(crate) name: &'static str,
    pub(crate) permissions: &'static [&'static str],
    /// Registered in Security & Compliance.
    pub(crate) registered: bool,
    pub(crate) roles: &'static [EdiscoveryRole],
}

/// Apps with grants of Graph of their own; the others hold what the settings say.
const GRAPH_APPS: &[GraphGrants] = &[
    GraphGrants {
        name: "graph-nothing",
        permissions: &[],
        registered: false,
        roles: &[],
    },
    GraphGrants {
        name: "graph-unregistered",
        permissions: &["eDiscovery.ReadWrite.All", DOWNLOAD],
        registered: false,
        roles: &[],
    },
    GraphGrants {
        name: "graph-manager",
        permissions: &["eDiscovery.ReadWrite.All"],
        registered: true,
        roles: &[EdiscoveryRole::Manager],
    },
    GraphGrants {
        name: "graph-ediscovery",
        permissions: &["eDiscovery.ReadWrite.All", DOWNLOAD],
        registered: true,
        roles: &[EdiscoveryRole::Manager, EdiscoveryRole::SearchAndPurge],
    },
    GraphGrants {
        name: "graph-defender",
        permissions: &["SecurityAnalyzedMessage.ReadWrite.All"],
        registered: false,
        roles: &[],
    },
    GraphGrants {
        name: "graph-mail",
        permissions: &["Mail.ReadWrite"],
        registered: false,
        roles: &[],
    },
];

/// An app registration.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    pub(crate) show: Show,
    /// It signs in through the managed-identity endpoints only.
    pub(crate) managed: bool,
    /// Its grants of Graph, when they are not those of the settings.
    pub(crate) graph: Option<&'static GraphGrants>,
}

/// An account of a person.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) upn: String,
    pub(crate) object_id: Uuid,
    pub(crate) show: Show,
}

/// The whole directory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) tenant_id: Uuid,
    pub(crate) initial_domain: String,
    pub(crate) domain: String,
    pub(crate) apps: Vec<App>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) client_secret: String,
    pub(crate) password: String,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) federated: Vec<FederatedTrust>,
}

/// The apps, in the order of the directory: the first is the one of the description.
const APPS: &[(&str, Show)] = &[
    ("containment", Show::Works),
    ("managed-identity", Show::Works),
    ("expired-secret", Show::Refused(7_000_222)),
    ("not-provisioned", Show::Refused(7_000_229)),
    ("not-consented", Show::Refused(65_001)),
    ("still-provisioning", Show::Refused(650_051)),
    ("blocked-by-policy", Show::Refused(53_003)),
    ("no-app-role", Show::NoAppRole),
    ("no-directory-role", Show::Only("")),
    ("security-reader", Show::Only("Security Reader")),
    (
        "security-administrator",
        Show::Only("Security Administrator"),
    ),
    (
        "exchange-administrator",
        Show::Only("Exchange Administrator"),
    ),
];

/// The accounts: the part before the `@`.
const ACCOUNTS: &[(&str, Show)] = &[
    ("mfa", Show::Refused(50_076)),
    ("mfa-setup", Show::Refused(50_079)),
    ("expired", Show::Refused(50_055)),
    ("locked", Show::Refused(50_053)),
    ("disabled", Show::Refused(50_057)),
    ("blocked", Show::Refused(53_003)),
    ("unconsented", Show::Refused(65_001)),
    ("guest", Show::Refused(50_020)),
    ("outsider", Show::Refused(50_177)),
    ("norole", Show::Only("")),
    ("secreader", Show::Only("Security Reader")),
    ("secadmin", Show::Only("Security Administrator")),
    ("investigator", Show::Only("Data Investigator")),
    ("ediscovery", Show::Only("eDiscovery Manager")),
    ("compliance", Show::Only("Compliance Administrator")),
];

impl Directory {
    /// A directory; ids come from `ids`, secrets from the machine.
    pub(crate) fn new(options: &Options, ids: &dyn Random, company: &Company) -> Self {
        let mut apps: Vec<App> = APPS
            .iter()
            .map(|(name, show)| App {
                name,
                client_id: ids.uuid(),
                object_id: ids.uuid(),
                show: *show,
                managed: *name == "managed-identity",
                graph: None,
            })
            .collect();
        let admin = (company.admin().to_owned(), Show::Works);
        let others = ACCOUNTS
            .iter()
            .map(|(name, show)| (format!("{name}@{}", company.initial_domain), *show));
        let accounts = std::iter::once(admin)
            .chain(others)
            .map(|(upn, show)| Account {
                upn,
                object_id: ids.uuid(),
                show,
            })
            .collect();
        apps.extend(GRAPH_APPS.iter().map(|grants| App {
            name: grants.name,
            client_id: ids.uuid(),
            object_id: ids.uuid(),
            show: Show::Works,
            managed: false,
            graph: Some(grants),
        }));
        Self {
            tenant_id: company.tenant_id,
            initial_domain: company.initial_domain.clone(),
            domain: company.domain.to_owned(),
            apps,
            accounts,
            client_secret: format!("sbx~{}", random_text(40)),
            password: format!("Sbx!{}", random_text(24)),
            certificates: options.certificates.clone(),
            federated: options.federated.clone(),
        }
    }

    /// Whether a path segment or domain names this tenant.
    pub(crate) fn is_tenant(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case(&self.initial_domain)
            || name.eq_ignore_ascii_case(&self.domain)
            || Uuid::try_parse(name).is_ok_and(|id| id == self.tenant_id)
    }

    /// The app registration of that id.
    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        let id = Uuid::try_parse(client_id).ok()?;
        self.apps.iter().find(|app| app.client_id == id)
    }

    /// The account of that name.
    pub(crate) fn account(&self, upn: &str) -> Option<&Account> {
        self.accounts
            .iter()
            .find(|account| account.upn.eq_ignore_ascii_case(upn.trim()))
    }

    /// Apps and accounts with what each shows; no secret.
    pub(crate) fn json(&self) -> Value {
        let shows = |show: Show| match show {
            Show::Works => "works".to_owned(),
            Show::Refused(code) => format!("AADSTS{code}"),
            Show::NoAppRole => "no app role".to_owned(),
            Show::Only("") => "no directory role".to_owned(),
            Show::Only(role) => format!("only {role}"),
        };
        json!({
            "tenant_id": self.tenant_id.to_string(),
            "domains": [self.initial_domain, self.domain],
            "apps": self.apps.iter().map(|app| json!({
                "name": app.name, "client_id": app.client_id.to_string(), "shows": shows(app.show),
                "graph": app.graph.map(|grants| json!({
                    "permissions": grants.permissions, "registered": grants.registered,
                    "roles": grants.roles,
                })),
            })).collect::<Vec<_>>(),
            "accounts": self.accounts.iter().map(|account| json!({
                "upn": account.upn, "shows": shows(account.show),
            })).collect::<Vec<_>>(),
            "certificates": self.certificates.len(),
        })
    }
}

/// Letters and digits that nobody can guess.
pub(crate) fn random_text(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..length)
        .filter_map(|_| {
            let index = usize::try_from(SystemRandom.below(62)).ok()?;
            ALPHABET.get(index).map(|byte| char::from(*byte))
        })
        .collect()
}
