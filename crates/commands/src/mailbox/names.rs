//! By what a mailbox or user can be meant.

use exchange::{Row, cmdlet::Mailbox};

/// The names that belong to one recipient alone, in lower case. A display name may be another's too,
/// so it is none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Names {
    /// Addresses, user principal name, GUIDs, `Name`, alias, distinguished name; or what was typed.
    pub strong: Vec<String>,
    /// The service showed them; else there is only what the user typed.
    pub resolved: bool,
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
            ["smtp", "sip"]
                .contains(&kind.to_ascii_lowercase().as_str())
                .then_some(rest)
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
        Self {
            strong,
            resolved: true,
        }
    }

    /// What was typed, for one whose names the service does not show (a group, a mail user).
    pub fn typed(text: &str) -> Self {
        Self {
            strong: vec![text.to_lowercase()],
            ..Self::default()
        }
    }

    /// Whether the name belongs to this recipient and no other.
    pub fn means(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.strong.contains(&name)
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
    }
}
