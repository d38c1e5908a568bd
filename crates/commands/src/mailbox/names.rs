//! By what a mailbox or user can be meant.

use exchange::{Row, cmdlet::Mailbox};

/// The names of one recipient, in lower case. Strong ones belong to it alone; weak ones may be
/// another's too (display names), so nothing may rest on them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Names {
    /// Addresses, user principal name, GUIDs, `Name`, alias, distinguished name.
    pub strong: Vec<String>,
    /// The display name.
    pub weak: Vec<String>,
}

impl Names {
    /// The names that a row of Get-Mailbox shows.
    pub fn of(row: &Row) -> Self {
        let mailbox = Mailbox(row);
        let own = [
            mailbox.user_principal_name(),
            mailbox.primary_smtp_address(),
            mailbox.identity(),
            mailbox.name(),
            mailbox.alias(),
            mailbox.guid(),
            mailbox.exchange_guid(),
            mailbox.external_directory_object_id(),
            mailbox.distinguished_name(),
            row.text("Id"),
        ];
        let addresses = mailbox.email_addresses();
        let addresses = addresses.iter().filter_map(|address| {
            let (kind, rest) = address.split_once(':')?;
            ["smtp", "sip"].contains(&kind.to_ascii_lowercase().as_str()).then_some(rest)
        });
        let mut strong: Vec<String> = own
            .into_iter()
            .flatten()
            .chain(addresses)
            .filter(|name| !name.is_empty())
            .map(str::to_lowercase)
            .collect();
        strong.sort();
        strong.dedup();
        let weak = mailbox.display_name().map(str::to_lowercase).into_iter().collect();
        Self { strong, weak }
    }

    /// Whether the name belongs to this recipient and no other.
    pub fn means(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.strong.contains(&name)
    }

    /// Whether the name may be this recipient's.
    pub fn may_mean(&self, name: &str) -> bool {
        self.means(name) || self.weak.contains(&name.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_display_name_proves_nothing() {
        let names = Names::of(&Row::from_value(json!({
            "DisplayName": "Megan Bowen", "PrimarySmtpAddress": "megan@x.example",
            "EmailAddresses": ["smtp:M.Bowen@x.example", "SPO:abc", "SIP:megan@x.example"], "Alias": ""
        })));
        assert!(names.means("MEGAN@x.example") && names.means("m.bowen@x.example"));
        assert!(!names.means("abc") && !names.means("") && !names.means("Megan Bowen"));
        assert!(names.may_mean("megan bowen") && !names.may_mean("megan"));
    }
}
