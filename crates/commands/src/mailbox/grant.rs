//! What a permission on a mailbox is, and how it is read.

use exchange::{
    Call, Cmdlet, Identity, Row, Values,
    cmdlet::{
        AddMailboxPermission, AddRecipientPermission, GetMailboxPermission, GetRecipientPermission,
        Mailbox, MailboxPermission, MailboxRight, RecipientPermission, RemoveMailboxPermission,
        RemoveRecipientPermission, SetMailbox,
    },
};
use kernel::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Missed, Names, find};
use crate::Tenant;

/// A permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Open the mailbox and act in it; does not include sending.
    FullAccess,
    /// Read its permissions.
    ReadPermission,
    /// Change its permissions.
    ChangePermission,
    /// Become its owner.
    ChangeOwner,
    /// Delete it.
    DeleteItem,
    /// An account outside the organization.
    ExternalAccount,
    /// Send as the mailbox.
    SendAs,
    /// Send on behalf of the mailbox.
    SendOnBehalf,
}

impl Permission {
    /// The words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::FullAccess => "full access",
            Self::ReadPermission => "read permission",
            Self::ChangePermission => "change permission",
            Self::ChangeOwner => "change owner",
            Self::DeleteItem => "delete item",
            Self::ExternalAccount => "external account",
            Self::SendAs => "send as",
            Self::SendOnBehalf => "send on behalf",
        }
    }

    fn right(self) -> Option<MailboxRight> {
        Some(match self {
            Self::FullAccess => MailboxRight::FullAccess,
            Self::ReadPermission => MailboxRight::ReadPermission,
            Self::ChangePermission => MailboxRight::ChangePermission,
            Self::ChangeOwner => MailboxRight::ChangeOwner,
            Self::DeleteItem => MailboxRight::DeleteItem,
            Self::ExternalAccount => MailboxRight::ExternalAccount,
            Self::SendAs | Self::SendOnBehalf => return None,
        })
    }

    /// The call that grants it.
    pub fn grant(
        self,
        mailbox: &str,
        user: &str,
        auto_mapping: Option<bool>,
    ) -> Result<Call, Failure> {
        let identity = Identity::new(mailbox)?;
        Ok(match (self.right(), self) {
            (Some(right), _) => AddMailboxPermission {
                identity,
                user: Identity::new(user)?,
                right,
                auto_mapping,
            }
            .call(),
            (None, Self::SendAs) => AddRecipientPermission {
                identity,
                trustee: Identity::new(user)?,
            }
            .call(),
            (None, _) => SetMailbox::AddSendOnBehalf {
                identity,
                users: Values::one(user)?,
            }
            .call(),
        })
    }

    /// The call that takes it away.
    pub fn revoke(self, mailbox: &str, user: &str) -> Result<Call, Failure> {
        let identity = Identity::new(mailbox)?;
        Ok(match (self.right(), self) {
            (Some(right), _) => RemoveMailboxPermission {
                identity,
                user: Identity::new(user)?,
                right,
            }
            .call(),
            (None, Self::SendAs) => RemoveRecipientPermission {
                identity,
                trustee: Identity::new(user)?,
            }
            .call(),
            (None, _) => SetMailbox::RemoveSendOnBehalf {
                identity,
                users: Values::one(user)?,
            }
            .call(),
        })
    }
}

/// Who holds what on a mailbox, as one reading shows it.
#[derive(Debug, Clone)]
pub struct Holders {
    holders: Vec<Holder>,
}

#[derive(Debug, Clone)]
struct Holder {
    name: String,
    row: Option<Value>,
}

/// Whether a user holds a permission.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// Yes; the row that shows it, where it is a row of its own.
    Yes(Option<Value>),
    /// No.
    No,
    /// The rows name users in a way that this one cannot be told by (`DOMAIN\sam`, display names,
    /// groups). The service decides.
    Perhaps,
}

impl Holders {
    /// Reads who holds a permission on a mailbox.
    pub async fn read(
        tenant: &Tenant,
        permission: Permission,
        mailbox: &str,
    ) -> Result<Self, Missed> {
        if permission == Permission::SendOnBehalf {
            let found = find(tenant, mailbox).await?;
            return Ok(Self::delegates(&found.row));
        }
        let unread = |failure: Failure| Missed::Unread(Box::new(failure));
        let identity = Identity::new(mailbox).map_err(unread)?;
        let right = permission.right();
        let call = match right {
            Some(_) => GetMailboxPermission {
                identity,
                user: None,
            }
            .call(),
            None => GetRecipientPermission { identity }.call(),
        };
        let reply = tenant.cmdlets.call(&call).await.map_err(|error| {
            let failure = Box::new(error.failure());
            if error.is_not_found() {
                Missed::Refused(failure)
            } else {
                Missed::Unread(failure)
            }
        })?;
        let holder = |row: &Row| match right {
            Some(right) => Self::of_mailbox(row, right),
            None => Self::of_recipient(row),
        };
        Ok(Self {
            holders: reply.rows.iter().filter_map(holder).collect(),
        })
    }

    /// Those who may send on behalf, out of the mailbox's own row.
    pub fn delegates(mailbox: &Row) -> Self {
        let names = Mailbox(mailbox).send_on_behalf();
        Self {
            holders: names
                .into_iter()
                .map(|name| Holder { name, row: None })
                .collect(),
        }
    }

    /// An explicit grant of the right; an inherited one is not this mailbox's to give or take.
    fn of_mailbox(row: &Row, right: MailboxRight) -> Option<Holder> {
        let permission = MailboxPermission(row);
        let counts = permission.rights().has(right.name())
            && permission.deny() != Some(true)
            && permission.is_inherited() != Some(true);
        let name = permission.user().filter(|_| counts)?;
        Some(Holder {
            name: name.to_owned(),
            row: Some(row.to_value()),
        })
    }

    fn of_recipient(row: &Row) -> Option<Holder> {
        let permission = RecipientPermission(row);
        let counts = permission.rights().has("SendAs") && !permission.denies();
        let name = permission.trustee().filter(|_| counts)?;
        Some(Holder {
            name: name.to_owned(),
            row: Some(row.to_value()),
        })
    }

    /// Whether a user holds it.
    pub fn held(&self, user: &Names) -> Held {
        if let Some(holder) = self.holders.iter().find(|holder| user.means(&holder.name)) {
            return Held::Yes(holder.row.clone());
        }
        // A row that is certainly another's: an account by its address, or one of the system's.
        let another = |holder: &Holder| {
            let name = holder.name.to_lowercase();
            name.contains('@') || name.starts_with("nt authority\\")
        };
        if user.resolved && self.holders.iter().all(another) {
            Held::No
        } else {
            Held::Perhaps
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{self, FakeCmdlets};

    fn user() -> Names {
        Names::of(&Row::from_value(json!({
            "PrimarySmtpAddress": "soc.admin@northwind.example", "DisplayName": "User One"
        })))
    }

    /// The recorded rows of a mailbox.
    fn recorded(name: &str) -> Vec<Value> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/wire");
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        body["value"].as_array().unwrap().clone()
    }

    async fn held(permission: Permission, rows: Vec<Value>, user: &Names) -> Held {
        let cmdlets = FakeCmdlets::new(move |_| fake::rows(rows.clone()));
        Holders::read(&cmdlets.tenant(), permission, "box")
            .await
            .unwrap()
            .held(user)
    }

    #[tokio::test]
    async fn recorded_rows_show_who_holds_what() {
        let mailbox = recorded("mailbox_permission_rows");
        let held_full = held(Permission::FullAccess, mailbox.clone(), &user()).await;
        assert!(matches!(held_full, Held::Yes(Some(_))), "{held_full:?}");
        assert_eq!(
            held(Permission::DeleteItem, mailbox.clone(), &user()).await,
            Held::No
        );
        assert_eq!(
            held(Permission::ReadPermission, mailbox.clone(), &user()).await,
            Held::No
        );
        // `Discovery Management` holds full access and may be anybody's display name.
        let other = Names {
            strong: vec!["other@x.example".into()],
            ..user()
        };
        assert_eq!(
            held(Permission::FullAccess, mailbox, &other).await,
            Held::Perhaps
        );
        let send_as = recorded("recipient_permission_rows");
        assert!(matches!(
            held(Permission::SendAs, send_as.clone(), &user()).await,
            Held::Yes(_)
        ));
        assert_eq!(
            held(Permission::SendAs, send_as.clone(), &other).await,
            Held::No
        );
        let group = Names::typed("helpdesk");
        assert_eq!(
            held(Permission::SendAs, send_as, &group).await,
            Held::Perhaps
        );
    }

    #[tokio::test]
    async fn a_denial_or_an_inherited_right_is_no_grant() {
        for (field, value) in [("Deny", true), ("IsInherited", true)] {
            let row = json!({
                "User": "soc.admin@northwind.example", "AccessRights": ["FullAccess"], field: value
            });
            assert_eq!(
                held(Permission::FullAccess, vec![row], &user()).await,
                Held::No,
                "{field}"
            );
        }
    }
}
