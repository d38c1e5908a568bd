//! Get-QuarantineMessage.

use jiff::Timestamp;
use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the organization.
    Inbound,
    /// Out of it.
    Outbound,
}

impl Direction {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "Inbound",
            Self::Outbound => "Outbound",
        }
    }
}

/// Reads quarantine: one message with its recipients by identity, or a numbered page of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum GetQuarantineMessage {
    /// One message; fills `QuarantinedUser` and `ReleasedUser`, which lists leave empty. Check that
    /// the identity of what comes back is the one asked for.
    One(Identity),
    /// A page of those that fit. There is no total and no next link: read pages until one is
    /// short.
    List {
        /// Any of these senders; empty means any.
        senders: Vec<String>,
        /// Any of these recipients; empty means any.
        recipients: Vec<String>,
        /// The whole subject.
        subject: Option<String>,
        /// From this instant, at most 30 days ago. Give both or neither.
        start: Option<Timestamp>,
        /// To this instant.
        end: Option<Timestamp>,
        /// The whole header value.
        message_id: Option<String>,
        /// One way only.
        direction: Option<Direction>,
        /// The page, from 1 to 1000.
        page: u16,
        /// Rows a page, 1 to 1000; 0 would be answered with an empty list.
        page_size: u16,
    },
}

impl GetQuarantineMessage {
    /// The largest page that is documented.
    pub const MAX_PAGE_SIZE: u16 = 1000;
    /// The last page that can be asked for.
    pub const MAX_PAGE: u16 = 1000;
}

impl Cmdlet for GetQuarantineMessage {
    const NAME: &'static str = "Get-QuarantineMessage";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::SecurityReader;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default();
        match self {
            Self::One(identity) => parameters.set("Identity", identity.as_str()).done(),
            Self::List {
                senders,
                recipients,
                subject,
                start,
                end,
                message_id,
                direction,
                page,
                page_size,
            } => {
                let mut parameters = parameters
                    .set("Page", (*page).clamp(1, Self::MAX_PAGE))
                    .set("PageSize", (*page_size).clamp(1, Self::MAX_PAGE_SIZE))
                    .date("StartReceivedDate", *start)
                    .date("EndReceivedDate", *end)
                    .some("Subject", subject.as_deref())
                    .some("MessageId", message_id.as_deref())
                    .some("Direction", direction.map(Direction::name));
                if !senders.is_empty() {
                    parameters = parameters.list("SenderAddress", senders);
                }
                if !recipients.is_empty() {
                    parameters = parameters.list("RecipientAddress", recipients);
                }
                parameters.done()
            }
        }
    }
}

row_view! {
    /// A quarantined message.
    QuarantineMessage {
        identity: text "Identity";
        message_id: text "MessageId";
        sender: text "SenderAddress";
        recipients: list "RecipientAddress";
        subject: text "Subject";
        direction: text "Direction";
        entity_type: text "EntityType";
        reason: text "Type";
        quarantine_types: text "QuarantineTypes";
        policy_name: text "PolicyName";
        policy_type: text "PolicyType";
        release_status: text "ReleaseStatus";
        released: bool "Released";
        released_count: number "ReleasedCount";
        released_users: list "ReleasedUser";
        quarantined_users: list "QuarantinedUser";
        released_by: list "ReleasedBy";
        recipient_count: number "RecipientCount";
        size: number "Size";
        received: time "ReceivedTime";
        expires: time "Expires";
        reported: bool "Reported";
    }
}
