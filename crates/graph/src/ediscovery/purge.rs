//! Purging what a search found.

use serde_json::json;

use super::{Accepted, search_path};
use crate::{
    Area, Call, CaseId, Operation, SearchId,
    decode::{Garbled, Reply},
};

/// Where purged items go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeType {
    /// Recoverable Items\Deletions: the user can get them back.
    Recoverable,
    /// Recoverable Items\Purges: gone unless a hold or single item recovery keeps them.
    PermanentlyDelete,
}

/// Purges at most a hundred items of each mailbox that a search found something in. The service
/// reports no count of what it deleted.
#[derive(Debug, Clone)]
pub struct Purge {
    /// The case.
    pub case: CaseId,
    /// The search.
    pub search: SearchId,
    /// Where the items go.
    pub purge_type: PurgeType,
}

impl Operation for Purge {
    type Answer = Accepted;

    fn call(&self) -> Call {
        let word = match self.purge_type {
            PurgeType::Recoverable => "recoverable",
            PurgeType::PermanentlyDelete => "permanentlyDelete",
        };
        // Both are optional, and what is taken without them is not documented: Teams messages would
        // be deleted for good.
        let body = json!({ "purgeType": word, "purgeAreas": "mailboxes" });
        let path = search_path(&self.case, &self.search, "/purgeData");
        Call::post(
            "purge what the search found",
            Area::Ediscovery,
            path,
            Some(body),
        )
    }

    fn read(&self, reply: &Reply) -> Result<Accepted, Garbled> {
        Accepted::read(reply)
    }
}
