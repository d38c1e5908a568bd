//! Block File Hashes.

use async_trait::async_trait;
use kernel::{Effect, Failure, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Applied, Change, Definition, Done, Meta, Outcome, Plan, Planned, Session, Settled, Step,
    Tenant, Verdict,
    blocklist::{ListType, add::Block},
    values::{Date, Values},
};

/// The command.
pub struct BlockFileHashes;

/// Its input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// SHA-256 hashes of attachments, 64 hexadecimal digits each.
    pub file_hashes: Values,
    /// When the entries end, in UTC. None means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<Date>,
    /// A note that is kept with each entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Take entries that cover one of the tenant's own domains, a public mail provider, a public
    /// suffix or a shared host. Blocks also stop outbound mail.
    #[serde(default)]
    pub allow_broad: bool,
}

impl Input {
    fn block(&self) -> Block<'_> {
        Block {
            entries: &self.file_hashes,
            list: ListType::FileHashes,
            expiration_date: self.expiration_date,
            note: self.note.as_deref(),
            allow_broad: self.allow_broad,
        }
    }
}

/// Its definition.
pub fn definition() -> Definition {
    Definition::change::<BlockFileHashes>()
}

#[async_trait]
impl Change for BlockFileHashes {
    type Input = Input;
    const META: Meta = Meta {
        id: "block-file-hashes",
        title: "Block File Hashes",
        about: "Blocks mail whose attachments have one of these SHA-256 hashes.",
        effect: Effect::WriteReversible,
        session: Session::Exchange,
        role: Role::TenantAllowBlockListManager,
        page_role: "Security Operator",
        cmdlets: &[
            "Get-AcceptedDomain",
            "Get-TenantAllowBlockListItems",
            "New-TenantAllowBlockListItems",
            "Set-TenantAllowBlockListItems",
        ],
        failure_indicator: "Block File Hashes failed.",
        outcomes: &[
            Outcome::Added,
            Outcome::Extended,
            Outcome::AlreadySo,
            Outcome::Invalid,
            Outcome::Rejected,
            Outcome::NotAttempted,
            Outcome::Unknown,
        ],
        example: r#"{"file_hashes": ["2c0a35409ff0873cfa28b70b8224e9aca2362241c1f0ed6f622fef8d4722fd9a"]}"#,
    };

    async fn look(input: &Input, tenant: &Tenant, settled: &Settled) -> Result<Plan, Failure> {
        input.block().look(tenant, settled).await
    }

    async fn apply(input: &Input, tenant: &Tenant, step: &Step, open: &[&Planned]) -> Applied {
        input.block().apply(tenant, step, open).await
    }

    async fn verify(
        input: &Input,
        tenant: &Tenant,
        step: &Step,
        items: &[&Planned],
    ) -> Vec<(String, Verdict)> {
        input.block().verify(tenant, step, items).await
    }

    async fn undo(
        input: &Input,
        tenant: &Tenant,
        done: &[Done],
        settled: &Settled,
    ) -> Result<Plan, Failure> {
        input.block().undo().look(tenant, done, settled).await
    }
}
