//! A quarantine row as the service prints it.

use jiff::Timestamp;
use serde_json::Value;

use super::{Status, Store, Verdict, list::tag};
use crate::cmdlet::{Cell, Row};

impl Store {
    /// The row as the service prints it. Who has it and who has not stands only in the details.
    pub fn row(&self, row: u32, now: Timestamp, details: bool) -> Row {
        let facts = self.facts(row);
        let mail = self.mail(row);
        let view = self.view(row, &mail.recipients, now);
        let count = |list: &[String]| Cell::Int32(i32::try_from(list.len()).unwrap_or(i32::MAX));
        let waiting: Vec<String> = mail
            .recipients
            .iter()
            .filter(|r| !view.served.iter().any(|s| s.eq_ignore_ascii_case(r)))
            .cloned()
            .collect();
        let released = view.status == Status::Released;
        let file = facts.verdict == Verdict::SpoMalware;
        let users = |list: Vec<String>| Cell::List(if details { list } else { Vec::new() });
        let for_users = matches!(
            facts.verdict,
            Verdict::Spam | Verdict::Bulk | Verdict::Phish
        );
        let custom = if file {
            Value::from("{\"DetectionTech\":\"Safe Attachments\",\"FileName\":\"report.docm\"}")
        } else {
            Value::Null
        };
        Row::default()
            .plain("Identity", self.identity(row))
            .with("ReceivedTime", Cell::Local(facts.received))
            .plain("Organization", self.organization.to_string())
            .plain(
                "MessageId",
                if file { String::new() } else { mail.message_id },
            )
            .plain("SenderAddress", mail.sender.address)
            .with("RecipientAddress", Cell::List(mail.recipients.clone()))
            .plain("Subject", mail.subject)
            .with("Size", Cell::Int32(mail.size))
            .plain("Type", facts.verdict.prose())
            .plain("PolicyType", facts.verdict.policy_type())
            .plain("PolicyName", facts.policy_name())
            .plain("TagName", facts.tag_name())
            .plain("PermissionToBlockSender", false)
            .plain("PermissionToDelete", true)
            .plain("PermissionToPreview", true)
            .plain("PermissionToRelease", true)
            .plain("PermissionToRequestRelease", !for_users)
            .plain("PermissionToViewHeader", false)
            .plain("PermissionToDownload", true)
            .plain("PermissionToAllowSender", true)
            .plain("Released", released)
            .plain("ReleaseStatus", view.status.member().to_uppercase())
            .plain("SystemReleased", false)
            .with("RecipientCount", count(&mail.recipients))
            .plain("QuarantineTypes", facts.verdict.member())
            .with("Expires", Cell::Local(facts.expires()))
            .with(
                "RecipientTag",
                Cell::List(vec![tag(mail.priority).to_owned()]),
            )
            .with("DeletedForRecipients", Cell::List(Vec::new()))
            .with("QuarantinedUser", users(waiting))
            .with("ReleasedUser", users(view.served.clone()))
            .plain("Reported", view.reported)
            .plain(
                "Direction",
                if facts.outbound {
                    "Outbound"
                } else {
                    "Inbound"
                },
            )
            .plain("CustomData", custom)
            .plain("EntityType", facts.entity_type())
            .plain("SourceId", "")
            .plain("TeamsConversationType", "")
            .plain("ApprovalUPN", "")
            .plain("ApprovalId", "")
            .plain("MoveToQuarantineAdminActionTakenBy", "")
            .plain("MoveToQuarantineApprovalId", "")
            .with("OverrideReasonIntValue", Cell::Int32(0))
            .plain("OverrideReason", "None")
            .with("ReleasedCount", count(&view.served))
            .with("ReleasedBy", Cell::List(view.by))
    }
}
