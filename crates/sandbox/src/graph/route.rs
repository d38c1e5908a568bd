//! Which call a request of Graph is.

use http::Method;

use crate::entra::form;

/// What a call is about, which decides who may make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// The root of eDiscovery, which asks for no registration.
    CasesRoot,
    /// Everything on `/security/cases/ediscoveryCases`.
    Ediscovery,
    /// Analysed mails and their remediation.
    Analyzed,
    /// Mail of a mailbox.
    Mail,
    /// Domains.
    Domains,
    /// Service principals.
    Principals,
}

macro_rules! calls {
    ($($variant:ident $name:literal $method:ident $family:ident $changes:literal $pattern:literal)*) => {
        /// A call of Graph.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Call {
            $(#[doc = $pattern] $variant,)*
        }

        const TABLE: &[Known] = &[
            $(Known {
                call: Call::$variant,
                name: concat!("graph:", $name),
                method: Method::$method,
                family: Family::$family,
                changes: $changes,
                pattern: $pattern,
            },)*
        ];
    };
}

/// A row of the table of calls.
#[derive(Debug)]
struct Known {
    call: Call,
    name: &'static str,
    method: Method,
    family: Family,
    changes: bool,
    /// Lower-case segments; `*` is a key.
    pattern: &'static str,
}

calls! {
    CasesRoot "casesRoot" GET CasesRoot false "security/cases"
    ListCases "listCases" GET Ediscovery false "security/cases/ediscoverycases"
    CreateCase "createCase" POST Ediscovery true "security/cases/ediscoverycases"
    GetCase "getCase" GET Ediscovery false "security/cases/ediscoverycases/*"
    UpdateCase "updateCase" PATCH Ediscovery true "security/cases/ediscoverycases/*"
    DeleteCase "deleteCase" DELETE Ediscovery true "security/cases/ediscoverycases/*"
    CloseCase "closeCase" POST Ediscovery true "security/cases/ediscoverycases/*/close"
    ReopenCase "reopenCase" POST Ediscovery true "security/cases/ediscoverycases/*/reopen"
    GetSettings "getSettings" GET Ediscovery false "security/cases/ediscoverycases/*/settings"
    UpdateSettings "updateSettings" PATCH Ediscovery true "security/cases/ediscoverycases/*/settings"
    ListMembers "listMembers" GET Ediscovery false "security/cases/ediscoverycases/*/casemembers"
    AddMember "addMember" POST Ediscovery true "security/cases/ediscoverycases/*/casemembers"
    ListSources "listSources" GET Ediscovery false "security/cases/ediscoverycases/*/noncustodialdatasources"
    AddSource "addSource" POST Ediscovery true "security/cases/ediscoverycases/*/noncustodialdatasources"
    GetSource "getSource" GET Ediscovery false "security/cases/ediscoverycases/*/noncustodialdatasources/*"
    ListSearches "listSearches" GET Ediscovery false "security/cases/ediscoverycases/*/searches"
    CreateSearch "createSearch" POST Ediscovery true "security/cases/ediscoverycases/*/searches"
    GetSearch "getSearch" GET Ediscovery false "security/cases/ediscoverycases/*/searches/*"
    UpdateSearch "updateSearch" PATCH Ediscovery true "security/cases/ediscoverycases/*/searches/*"
    DeleteSearch "deleteSearch" DELETE Ediscovery true "security/cases/ediscoverycases/*/searches/*"
    ListSearchSources "listSearchSources" GET Ediscovery false "security/cases/ediscoverycases/*/searches/*/additionalsources"
    AddSearchSource "addSearchSource" POST Ediscovery true "security/cases/ediscoverycases/*/searches/*/additionalsources"
    ListBoundSources "listBoundSources" GET Ediscovery false "security/cases/ediscoverycases/*/searches/*/noncustodialsources"
    Estimate "estimateStatistics" POST Ediscovery true "security/cases/ediscoverycases/*/searches/*/estimatestatistics"
    LastEstimate "lastEstimate" GET Ediscovery false "security/cases/ediscoverycases/*/searches/*/lastestimatestatisticsoperation"
    Purge "purgeData" POST Ediscovery true "security/cases/ediscoverycases/*/searches/*/purgedata"
    ExportReport "exportReport" POST Ediscovery true "security/cases/ediscoverycases/*/searches/*/exportreport"
    ExportResult "exportResult" POST Ediscovery true "security/cases/ediscoverycases/*/searches/*/exportresult"
    ListOperations "listOperations" GET Ediscovery false "security/cases/ediscoverycases/*/operations"
    ListDomains "listDomains" GET Domains false "domains"
    ListPrincipals "listPrincipals" GET Principals false "serviceprincipals"
    GetPrincipal "getPrincipal" GET Principals false "serviceprincipals/*"
    ListMessages "listMessages" GET Mail false "users/*/messages"
    GetMessage "getMessage" GET Mail false "users/*/messages/*"
    MoveMessage "moveMessage" POST Mail true "users/*/messages/*/move"
    PermanentDelete "permanentDelete" POST Mail true "users/*/messages/*/permanentdelete"
    DeleteMessage "deleteMessage" DELETE Mail true "users/*/messages/*"
    ListFolderMessages "listFolderMessages" GET Mail false "users/*/mailfolders/*/messages"
    ListAnalyzed "listAnalyzedEmails" GET Analyzed false "security/collaboration/analyzedemails"
    GetAnalyzed "getAnalyzedEmail" GET Analyzed false "security/collaboration/analyzedemails/*"
    Remediate "remediate" POST Analyzed true "security/collaboration/analyzedemails/remediate"
    GetOperation "getOperation" GET Ediscovery false "security/cases/ediscoverycases/*/operations/*"
}

/// A request's call and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) call: Call,
    /// The name in scripts and in the log: `graph:purgeData`.
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) changes: bool,
    keys: Vec<String>,
    /// The path of the collection or object, as it was asked for.
    pub(crate) path: String,
}

impl Route {
    /// The nth key of the path.
    pub(crate) fn key(&self, index: usize) -> &str {
        self.keys.get(index).map_or("", String::as_str)
    }
}

/// Why a request is none of the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// There is no such version.
    Version,
    /// There is no such path; with the segment where it ends.
    Path(String),
    /// The path does not know the method.
    Method,
}

/// Finds the call. Empty segments count as none; keys stand in segments of their own or in
/// brackets; letter case of names does not matter; actions may have their namespace before them.
pub(crate) fn find(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let version = segments.next().unwrap_or_default();
    if !["v1.0", "beta"].contains(&version) {
        return Err(NoRoute::Version);
    }
    let parts: Vec<String> = segments.flat_map(keyed).collect();
    let mut methods = false;
    for known in TABLE {
        let Some(keys) = matched(known.pattern, &parts) else {
            continue;
        };
        if known.method == *method {
            return Ok(Route {
                call: known.call,
                name: known.name,
                family: known.family,
                changes: known.changes,
                keys,
                path: path.to_owned(),
            });
        }
        methods = true;
    }
    if methods {
        return Err(NoRoute::Method);
    }
    Err(NoRoute::Path(parts.last().cloned().unwrap_or_default()))
}

/// A segment, and the key in its brackets as a second one.
fn keyed(segment: &str) -> Vec<String> {
    let segment = form::decode(segment);
    let inside = segment
        .strip_suffix(')')
        .and_then(|rest| rest.split_once('('));
    match inside {
        Some((name, key)) if !name.is_empty() && !key.is_empty() => {
            vec![name.to_owned(), key.trim_matches('\'').to_owned()]
        }
        _ => vec![segment],
    }
}

fn matched(pattern: &str, parts: &[String]) -> Option<Vec<String>> {
    let wanted: Vec<&str> = pattern.split('/').collect();
    if wanted.len() != parts.len() {
        return None;
    }
    let mut keys = Vec::new();
    for (wanted, part) in wanted.iter().zip(parts) {
        if *wanted == "*" {
            keys.push(part.clone());
            continue;
        }
        let part = part.to_ascii_lowercase();
        let part = part
            .strip_prefix("microsoft.graph.security.")
            .unwrap_or(&part);
        if part != *wanted {
            return None;
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &Method, path: &str) -> Result<(Call, Vec<String>), NoRoute> {
        find(method, path).map(|route| (route.call, route.keys))
    }

    #[test]
    fn both_styles_of_keys_and_both_names_of_an_action_lead_to_the_same_call() {
        let keys = vec!["c1".to_owned(), "s1".to_owned()];
        for path in [
            "/v1.0/security/cases/ediscoveryCases/c1/searches/s1/purgeData",
            "/v1.0//security/cases/ediscoveryCases/c1/searches/s1/microsoft.graph.security.purgeData",
            "/beta/Security/cases/ediscoverycases('c1')/searches('s1')/purgedata",
            "/v1.0/security/cases/ediscoverycases(%27c1%27)/searches/s1/purgeData",
        ] {
            assert_eq!(
                call(&Method::POST, path),
                Ok((Call::Purge, keys.clone())),
                "{path}"
            );
        }
    }

    #[test]
    fn what_is_no_call_says_why() {
        let of = |method, path| call(&method, path).unwrap_err();
        assert_eq!(of(Method::GET, "/v2.0/security/cases"), NoRoute::Version);
        assert_eq!(of(Method::PUT, "/v1.0/security/cases"), NoRoute::Method);
        assert_eq!(
            of(Method::GET, "/v1.0/security/cases/none"),
            NoRoute::Path("none".into())
        );
        assert_eq!(
            of(Method::GET, "/v1.0/security/cases/ediscoverycases()"),
            NoRoute::Path("ediscoverycases()".into())
        );
    }
}
