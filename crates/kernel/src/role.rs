//! Roles and role groups of Exchange Online and Purview, by the names that Microsoft prints.

use serde::{Deserialize, Serialize};

/// The least role that lets an account run a command (cmdlet pages and the Defender permission
/// tables; see the permission page in the documentation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Exchange admin centre role, honoured only when assigned there.
    TenantAllowBlockListManager,
    /// Role group for recipients.
    RecipientManagement,
    /// Entra role and role group that may read the lists and quarantine.
    SecurityReader,
    /// Role `Quarantine`, held by Quarantine Administrator.
    Quarantine,
    /// Purview role `Compliance Search`.
    ComplianceSearch,
    /// Purview role `Search And Purge`.
    SearchAndPurge,
    /// Purview role `Preview`.
    Preview,
    /// Permission `Mail.ReadWrite` of Microsoft Graph.
    MailReadWrite,
}

impl Role {
    /// The name as Microsoft prints it.
    pub fn title(self) -> &'static str {
        match self {
            Self::TenantAllowBlockListManager => "Tenant AllowBlockList Manager",
            Self::RecipientManagement => "Recipient Management",
            Self::SecurityReader => "Security Reader",
            Self::Quarantine => "Quarantine",
            Self::ComplianceSearch => "Compliance Search",
            Self::SearchAndPurge => "Search And Purge",
            Self::Preview => "Preview",
            Self::MailReadWrite => "Mail.ReadWrite",
        }
    }

    /// Where an administrator assigns it, as a sentence fragment after "assign it".
    pub fn assigned_in(self) -> &'static str {
        match self {
            Self::TenantAllowBlockListManager => {
                "in the Exchange admin center (Roles > Admin roles)"
            }
            Self::RecipientManagement => {
                "in the Exchange admin center, or give the app the Entra role Exchange Recipient Administrator"
            }
            Self::SecurityReader => "in Entra ID (Roles and administrators)",
            Self::Quarantine => "in the Defender portal (role group Quarantine Administrator)",
            Self::ComplianceSearch | Self::SearchAndPurge | Self::Preview => {
                "in the Purview portal (Roles and scopes; role group Data Investigator holds it)"
            }
            Self::MailReadWrite => {
                "in Entra ID (API permissions of the app, Microsoft Graph), or for some mailboxes with RBAC for Applications in Exchange; or SecurityAnalyzedMessage.ReadWrite.All instead, with Defender for Office 365 Plan 2"
            }
        }
    }
}
