//! Get-AcceptedDomain.

use kernel::Role;
use serde_json::{Map, Value};

use crate::{Cmdlet, Repeat, Row, Service, call::Parameters};

/// Reads the domains that the tenant receives mail for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetAcceptedDomain;

impl GetAcceptedDomain {
    /// The tenant's initial domain among the rows. Microsoft gives each tenant one domain under
    /// onmicrosoft.com that stays; a hybrid tenant has `….mail.onmicrosoft.com` beside it.
    pub fn initial(rows: &[Row]) -> Option<String> {
        let domains: Vec<AcceptedDomain<'_>> = rows.iter().map(AcceptedDomain).collect();
        let name = |domain: &AcceptedDomain<'_>| domain.domain_name().map(str::to_owned);
        domains
            .iter()
            .find(|domain| domain.initial() == Some(true))
            .and_then(name)
            .or_else(|| {
                domains
                    .iter()
                    .filter_map(name)
                    .find(|name| is_initial_domain(name))
            })
    }
}

/// Whether a domain is one that Microsoft gives to every tenant.
pub(crate) fn is_initial_domain(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    [
        ".onmicrosoft.com",
        ".onmicrosoft.us",
        ".partner.onmschina.cn",
    ]
    .iter()
    .any(|suffix| {
        domain
            .strip_suffix(suffix)
            .is_some_and(|label| !label.is_empty() && !label.contains('.'))
    })
}

impl Cmdlet for GetAcceptedDomain {
    const NAME: &'static str = "Get-AcceptedDomain";
    const SERVICE: Service = Service::Exchange;
    const CHANGES: bool = false;
    const REPEAT: Repeat = Repeat::Safe;
    const LATE: &'static str = "reads";
    const ROLE: Role = Role::RecipientManagement;

    fn parameters(&self) -> Map<String, Value> {
        Parameters::default().done()
    }
}

row_view! {
    /// A domain of the tenant.
    AcceptedDomain {
        domain_name: text "DomainName";
        domain_type: text "DomainType";
        is_default: bool "Default";
        initial: bool "InitialDomain";
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_initial_domain_is_found_by_its_mark_or_its_name() {
        let rows = |values: &[Value]| -> Vec<Row> {
            values.iter().cloned().map(Row::from_value).collect()
        };
        let by_name = rows(&[
            json!({"DomainName": "contoso.com"}),
            json!({"DomainName": "contoso.mail.onmicrosoft.com"}),
            json!({"DomainName": "contoso.onmicrosoft.com"}),
        ]);
        assert_eq!(
            GetAcceptedDomain::initial(&by_name).unwrap(),
            "contoso.onmicrosoft.com"
        );
        let by_mark = rows(&[
            json!({"DomainName": "b.onmicrosoft.com", "InitialDomain": false}),
            json!({"DomainName": "a.onmicrosoft.com", "InitialDomain": true}),
        ]);
        assert_eq!(
            GetAcceptedDomain::initial(&by_mark).unwrap(),
            "a.onmicrosoft.com"
        );
        assert_eq!(
            GetAcceptedDomain::initial(&rows(&[json!({"DomainName": "a.com"})])),
            None
        );
    }
}
