//! Set-Mailbox.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, Values, call::Parameters, encode::edit_list};

/// What a mailbox can be made into, by the input words of the cmdlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailboxType {
    /// A user's own.
    Regular,
    /// Shared by several.
    Shared,
    /// A room.
    Room,
    /// Equipment.
    Equipment,
}

impl MailboxType {
    /// The input word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "Regular",
            Self::Shared => "Shared",
            Self::Room => "Room",
            Self::Equipment => "Equipment",
        }
    }

    /// The word that reading the mailbox shows in `RecipientTypeDetails`.
    pub fn recipient_type_details(self) -> &'static str {
        match self {
            Self::Regular => "UserMailbox",
            Self::Shared => "SharedMailbox",
            Self::Room => "RoomMailbox",
            Self::Equipment => "EquipmentMailbox",
        }
    }
}

/// Changes a mailbox in one way. Nothing comes back but, where nothing had to be changed, a
/// warning: look at the mailbox again.
#[derive(Debug, Clone, PartialEq)]
pub enum SetMailbox {
    /// Makes it another kind of mailbox.
    Type {
        /// The mailbox.
        identity: Identity,
        /// What it becomes.
        to: MailboxType,
    },
    /// Adds to those who may send on its behalf; the others stay.
    AddSendOnBehalf {
        /// The mailbox.
        identity: Identity,
        /// Who is added.
        users: Values,
    },
    /// Removes from those who may send on its behalf; the others stay.
    RemoveSendOnBehalf {
        /// The mailbox.
        identity: Identity,
        /// Who is removed.
        users: Values,
    },
}

impl SetMailbox {
    fn identity(&self) -> &Identity {
        match self {
            Self::Type { identity, .. }
            | Self::AddSendOnBehalf { identity, .. }
            | Self::RemoveSendOnBehalf { identity, .. } => identity,
        }
    }
}

impl Cmdlet for SetMailbox {
    const NAME: &'static str = "Set-Mailbox";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "sets the same again, over a change made in between";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default().set("Identity", self.identity().as_str());
        let parameters = match self {
            Self::Type { to, .. } => parameters.set("Type", to.name()),
            Self::AddSendOnBehalf { users, .. } => {
                parameters.set("GrantSendOnBehalfTo", edit_list(users.as_slice(), &[]))
            }
            Self::RemoveSendOnBehalf { users, .. } => {
                parameters.set("GrantSendOnBehalfTo", edit_list(&[], users.as_slice()))
            }
        };
        parameters.set("Confirm", false).done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity().as_str())
    }
}
