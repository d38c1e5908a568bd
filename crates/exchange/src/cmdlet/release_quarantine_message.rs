//! Release-QuarantineMessage.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, Values, call::Parameters};

/// Who gets the message.
#[derive(Debug, Clone, PartialEq)]
pub enum ReleaseTo {
    /// Every original recipient.
    All,
    /// These addresses. The service delivers to any address of the organization, so the caller
    /// keeps to original recipients itself.
    Users(Values),
}

/// Releases one message. Recipients who have it already are passed over in silence. Nothing comes
/// back: look at the message again.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseQuarantineMessage {
    /// The message.
    pub identity: Identity,
    /// Who gets it.
    pub to: ReleaseTo,
    /// Also allow its sender; known to be refused over this wire.
    pub allow_sender: bool,
    /// Also report it as wrongly quarantined; for spam only.
    pub report_false_positive: bool,
    /// Release also to those who have it already.
    pub force: bool,
}

impl Cmdlet for ReleaseQuarantineMessage {
    const NAME: &'static str = "Release-QuarantineMessage";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str =
        "passes over recipients who have the message; with Force it delivers once more";
    const ROLE: Role = Role::Quarantine;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default().set("Identity", self.identity.as_str());
        let parameters = match &self.to {
            ReleaseTo::All => parameters.switch("ReleaseToAll", true),
            ReleaseTo::Users(users) => parameters.list("User", users.as_slice()),
        };
        parameters
            .switch("AllowSender", self.allow_sender)
            .switch("ReportFalsePositive", self.report_false_positive)
            .switch("Force", self.force)
            .set("Confirm", false)
            .done()
    }
}
