//! Get-MailboxStatistics.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, call::Parameters};

/// Reads how large a mailbox is.
#[derive(Debug, Clone, PartialEq)]
pub struct GetMailboxStatistics {
    /// The mailbox.
    pub identity: Identity,
}

impl Cmdlet for GetMailboxStatistics {
    const NAME: &'static str = "Get-MailboxStatistics";
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
    /// The size of a mailbox.
    MailboxStatistics {
        display_name: text "DisplayName";
        item_count: number "ItemCount";
        total_item_size: text "TotalItemSize";
    }
}

impl MailboxStatistics<'_> {
    /// The size in bytes, out of a text such as `98 GB (105,226,698,752 bytes)`.
    pub fn total_bytes(&self) -> Option<u64> {
        let (_, rest) = self.total_item_size()?.split_once('(')?;
        let (number, _) = rest.split_once(" bytes")?;
        number.replace(',', "").trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Row;

    #[test]
    fn a_size_is_read_out_of_its_text() {
        let row = Row::from_value(json!({"TotalItemSize": "98 GB (105,226,698,752 bytes)"}));
        assert_eq!(MailboxStatistics(&row).total_bytes(), Some(105_226_698_752));
        let row = Row::from_value(json!({"TotalItemSize": "Unlimited"}));
        assert_eq!(MailboxStatistics(&row).total_bytes(), None);
    }
}
