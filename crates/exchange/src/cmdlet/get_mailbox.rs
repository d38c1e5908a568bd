//! Get-Mailbox.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Reads one mailbox. Check that what comes back is the one asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct GetMailbox {
    /// The mailbox.
    pub identity: Identity,
}

impl Cmdlet for GetMailbox {
    const NAME: &'static str = "Get-Mailbox";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default()
            .set("Identity", self.identity.as_str())
            .done()
    }

    fn mailbox(&self) -> Option<&str> {
        Some(self.identity.as_str())
    }
}

row_view! {
    /// A mailbox.
    Mailbox {
        identity: text "Identity";
        name: text "Name";
        alias: text "Alias";
        display_name: text "DisplayName";
        user_principal_name: text "UserPrincipalName";
        primary_smtp_address: text "PrimarySmtpAddress";
        email_addresses: list "EmailAddresses";
        recipient_type_details: text "RecipientTypeDetails";
        guid: text "Guid";
        exchange_guid: text "ExchangeGuid";
        external_directory_object_id: text "ExternalDirectoryObjectId";
        distinguished_name: text "DistinguishedName";
        send_on_behalf: list "GrantSendOnBehalfTo";
        is_dir_synced: bool "IsDirSynced";
        is_shared: bool "IsShared";
        litigation_hold: bool "LitigationHoldEnabled";
        in_place_holds: list "InPlaceHolds";
        single_item_recovery: bool "SingleItemRecoveryEnabled";
        archive_status: text "ArchiveStatus";
    }
}
