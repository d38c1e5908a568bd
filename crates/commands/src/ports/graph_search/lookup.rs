//! Finding our case and its searches, each asked for once: what was learned is used until the service
//! says that it is not so any more.

use graph::{
    Audience, CaseId, OperationId, SearchId,
    ediscovery::{
        Case, EstimateSearch, GetSearch, ListCases, ListSearches, Probe, Search as Found,
    },
};
use kernel::{ErrorKind, Failure, Happened, failure::code};

use super::GraphSearch;

impl GraphSearch {
    /// Whether eDiscovery answers this connection; asked once while it does not fail. The question
    /// is the one after our case, which is needed next.
    pub async fn usable(&self) -> Result<(), Failure> {
        if self.known().usable {
            return Ok(());
        }
        self.permitted().await?;
        match self.case().await {
            // It answers; that the case is closed is for whoever needs the case.
            Err(failure) if failure.code != code::CASE_CLOSED => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The same by the cheapest question, for whoever wants to know nothing else.
    pub(super) async fn answers(&self) -> Result<(), Failure> {
        if self.known().usable {
            return Ok(());
        }
        self.permitted().await?;
        self.graph.send(&Probe).await?;
        self.known().usable = true;
        Ok(())
    }

    async fn permitted(&self) -> Result<(), Failure> {
        let bearer = self.graph.sign_in(Audience::Graph).await?;
        if bearer.holds("eDiscovery.ReadWrite.All") == Some(false) {
            return Err(permission_missing(bearer.app_only));
        }
        Ok(())
    }

    /// Our case; none when nobody has made it.
    pub(super) async fn case(&self) -> Result<Option<CaseId>, Failure> {
        let now = self.clock.elapsed();
        let known = self.known().case.clone();
        if known.is_some() || self.known().has_no_case(now) {
            return Ok(known);
        }
        let cases = self.graph.all(&ListCases).await?;
        self.known().usable = true;
        let ours = cases.iter().filter(|case| case.name == self.case_name);
        // The service does not keep names apart. Of several the oldest is taken, by whoever looks.
        let age = |case: &&Case| (case.created_at.is_none(), case.created_at);
        let oldest = ours
            .clone()
            .filter(|case| case.is_usable())
            .min_by(|one, other| {
                let order = age(one).cmp(&age(other));
                order.then_with(|| one.id.as_str().cmp(other.id.as_str()))
            });
        if oldest.is_none() && ours.count() > 0 {
            return Err(closed(&self.case_name));
        }
        let case = oldest.map(|case| case.id.clone());
        Ok(self.known().case_is(case, now))
    }

    /// The id of the search of that name in our case. Names are compared as the cmdlets do.
    pub(super) async fn search_id(
        &self,
        case: &CaseId,
        name: &str,
    ) -> Result<Option<SearchId>, Failure> {
        if let Some(id) = self.known().search(name) {
            return Ok(Some(id));
        }
        let now = self.clock.elapsed();
        if self.known().take_new_case(now) {
            self.known().name_is_free(name, now);
            return Ok(None);
        }
        let searches = self.list(case).await?;
        let key = name.to_lowercase();
        let mut named = searches.iter().filter(|one| one.name.to_lowercase() == key);
        match (named.next(), named.next()) {
            (None, _) => {
                let now = self.clock.elapsed();
                self.known().name_is_free(name, now);
                Ok(None)
            }
            (Some(one), None) => {
                self.known().named(name, &one.id);
                Ok(Some(one.id.clone()))
            }
            (Some(_), Some(_)) => Err(ambiguous(name)),
        }
    }

    pub(super) async fn list(&self, case: &CaseId) -> Result<Vec<Found>, Failure> {
        let list = ListSearches { case: case.clone() };
        Ok(self.graph.all(&list).await?)
    }

    /// Case and search of that name. What was learned of them is dropped where `again` is set: the
    /// service knows them no more.
    pub(super) async fn ids(
        &self,
        name: &str,
        again: bool,
    ) -> Result<Option<(CaseId, SearchId)>, Failure> {
        if again {
            self.known().forget(name);
        }
        let was_known = self.known().case.is_some();
        let Some(case) = self.case().await? else {
            return Ok(None);
        };
        match self.search_id(&case, name).await {
            Ok(search) => Ok(search.map(|search| (case, search))),
            // Somebody has deleted the case since it was found.
            Err(failure) if failure.code == code::NOT_FOUND && was_known => {
                self.known().forget(name);
                let Some(case) = self.case().await? else {
                    return Ok(None);
                };
                let search = self.search_id(&case, name).await?;
                Ok(search.map(|search| (case, search)))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The search of that name as the service has it.
    pub(super) async fn found(&self, name: &str) -> Result<Option<(CaseId, Found)>, Failure> {
        // Somebody may have deleted it, and made another of that name since.
        for again in [false, true] {
            let Some((case, search)) = self.ids(name, again).await? else {
                return Ok(None);
            };
            let get = GetSearch {
                case: case.clone(),
                search,
            };
            match self.graph.send(&get).await {
                // One that was renamed since is another search.
                Ok(answer) if answer.value.name.to_lowercase() != name.to_lowercase() => {}
                Ok(answer) => return Ok(Some((case, answer.value))),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    pub(super) async fn needed(&self, name: &str) -> Result<(CaseId, Found), Failure> {
        let found = self.found(name).await?;
        found.ok_or_else(|| crate::search::no_such_object(name))
    }

    /// Begins to count what the search of that name finds. Its id is all that this takes.
    pub(super) async fn estimate_anew(
        &self,
        name: &str,
    ) -> Result<(SearchId, OperationId), Failure> {
        for again in [false, true] {
            let Some((case, search)) = self.ids(name, again).await? else {
                break;
            };
            let estimate = EstimateSearch {
                case: case.clone(),
                search: search.clone(),
            };
            match self.graph.start(&case, &estimate).await {
                Ok(accepted) => {
                    let now = self.clock.elapsed();
                    self.known().began(&search, &accepted.operation, now);
                    return Ok((search, accepted.operation));
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(crate::search::no_such_object(name))
    }
}

fn permission_missing(app_only: bool) -> Failure {
    let kind = if app_only { "application" } else { "delegated" };
    Failure::new(
        ErrorKind::PermissionDenied,
        code::GRANT_MISSING,
        "The token for Microsoft Graph holds no eDiscovery.ReadWrite.All",
    )
    .status(403)
    .arg("permission", "eDiscovery.ReadWrite.All")
    .hint(format!(
        "In Entra, under API permissions of the app registration, add the {kind} permission eDiscovery.ReadWrite.All of Microsoft Graph and grant admin consent"
    ))
}

fn closed(case: &str) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::CASE_CLOSED,
        format!(
            "the eDiscovery case `{}` is closed",
            kernel::escape::clipped(case, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("reopen it in the Purview portal, or name another with `graph_case` of the connection")
}

fn ambiguous(name: &str) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        code::AMBIGUOUS_NAME,
        format!(
            "several searches of the case bear the name `{}`",
            kernel::escape::clipped(name, 120)
        ),
    )
    .status(409)
    .happened(Happened::Refused)
    .hint("rename or delete all but one in the Purview portal")
}
