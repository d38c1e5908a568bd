//! New-ComplianceSearch.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Identity, Repeat, Service, Values, call::Parameters};

/// Where a search looks.
#[derive(Debug, Clone, PartialEq)]
pub enum Locations {
    /// Every mailbox.
    All,
    /// These mailboxes and groups. Addresses that are no regular mailbox are allowed, since they
    /// would fail the whole search otherwise.
    Mailboxes(Values),
}

/// Makes a search; it does not run it. Without a query every item matches, so there always is one.
#[derive(Debug, Clone, PartialEq)]
pub struct NewComplianceSearch {
    /// Its name, which must be free.
    pub name: Identity,
    /// KQL, not empty.
    pub query: Identity,
    /// Where it looks.
    pub locations: Locations,
    /// A description.
    pub description: Option<String>,
}

impl Cmdlet for NewComplianceSearch {
    const NAME: &'static str = "New-ComplianceSearch";
    const SERVICE: Service = Service::Compliance;
    const CHANGES: bool = true;
    const REPEAT: Repeat = Repeat::Unsafe;
    const LATE: &'static str = "is refused because the name is taken";
    const ROLE: Role = Role::ComplianceSearch;

    fn parameters(&self) -> Map<String, Value> {
        let parameters = Parameters::default().set("Name", self.name.as_str());
        let parameters = match &self.locations {
            Locations::All => parameters.list("ExchangeLocation", &["All"]),
            Locations::Mailboxes(mailboxes) => parameters
                .list("ExchangeLocation", mailboxes.as_slice())
                .set("AllowNotFoundExchangeLocationsEnabled", true),
        };
        parameters
            .set("ContentMatchQuery", self.query.as_str())
            .some("Description", self.description.as_deref())
            .switch("Force", true)
            .set("Confirm", false)
            .done()
    }
}
