//! Ids of messages: they name the mailbox, the item and, unless they are to outlast a move, the
//! folder.

use base64::{Engine, engine::general_purpose::URL_SAFE};
use uuid::Uuid;

use crate::tenant::mailstore::{Folder, Item};

const ORDINARY: &str = "AAMkAG";
const IMMUTABLE: &str = "AAkALg";

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) item: u64,
    /// Where the item lay when the id was given.
    pub(super) folder: Option<Folder>,
}

/// The id of an item.
pub(super) fn write(mailbox: Uuid, item: &Item, immutable: bool) -> String {
    let mut bytes = mailbox.as_bytes().to_vec();
    bytes.extend(item.id.to_be_bytes());
    if immutable {
        return format!("{IMMUTABLE}{}", URL_SAFE.encode(bytes));
    }
    let folder = Folder::ALL.iter().position(|folder| *folder == item.folder);
    bytes.push(folder.and_then(|at| u8::try_from(at).ok()).unwrap_or(0));
    format!("{ORDINARY}{}", URL_SAFE.encode(bytes))
}

/// Reads an id of this mailbox.
pub(super) fn read(text: &str, mailbox: Uuid) -> Option<Named> {
    let (rest, immutable) = match text.strip_prefix(IMMUTABLE) {
        Some(rest) => (rest, true),
        None => (text.strip_prefix(ORDINARY)?, false),
    };
    let bytes = URL_SAFE.decode(rest).ok()?;
    let (guid, rest) = bytes.split_first_chunk::<16>()?;
    let (item, rest) = rest.split_first_chunk::<8>()?;
    if guid != mailbox.as_bytes() {
        return None;
    }
    let folder = match rest {
        [] if immutable => None,
        [at] if !immutable => Some(*Folder::ALL.get(usize::from(*at))?),
        _ => return None,
    };
    Some(Named {
        item: u64::from_be_bytes(*item),
        folder,
    })
}
