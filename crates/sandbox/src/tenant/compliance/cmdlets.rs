//! The cmdlets as they are declared.

use super::{action, search};
use crate::cmdlet::{Kind, Parameter, Service, Spec};

const SERVICES: &[Service] = &[Service::Compliance];
/// Role that makes and reads searches.
const SEARCH: &str = "Compliance Search";
/// Role without which `Purge` does not exist.
const PURGE: &str = "Search And Purge";
/// Role without which `Preview` does not exist.
const PREVIEW: &str = "Preview";
/// Role without which `Export` does not exist.
const EXPORT: &str = "Export";

const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
        role: None,
    }
}

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: true,
        role: None,
    }
}

const fn guarded(name: &'static str, role: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Switch,
        required: false,
        role: Some(role),
    }
}

const fn reads(name: &'static str, roles: &'static [&'static str]) -> Spec {
    Spec {
        name,
        services: SERVICES,
        roles,
        changes: false,
        parameters: &[],
        excludes: &[],
        confirm: false,
        run: search::get,
    }
}

const fn writes(name: &'static str, roles: &'static [&'static str]) -> Spec {
    Spec {
        changes: true,
        confirm: true,
        ..reads(name, roles)
    }
}

static NEW_SEARCH: Spec = Spec {
    parameters: &[
        required("Name", Kind::Text),
        optional("ExchangeLocation", Kind::List),
        optional("ExchangeLocationExclusion", Kind::List),
        optional("ContentMatchQuery", Kind::Text),
        optional("Description", Kind::Text),
        optional("AllowNotFoundExchangeLocationsEnabled", Kind::Bool),
        optional("SharePointLocation", Kind::List),
        optional("SharePointLocationExclusion", Kind::List),
        optional("PublicFolderLocation", Kind::List),
        optional("IncludeUserAppContent", Kind::Bool),
        optional("IncludeOrgContent", Kind::Bool),
        optional("Language", Kind::Text),
        optional("LogLevel", Kind::Text),
        optional("RefinerNames", Kind::List),
        optional("StatusMailRecipients", Kind::List),
        optional("Force", Kind::Switch),
    ],
    run: search::new,
    ..writes("New-ComplianceSearch", &[SEARCH])
};

static GET_SEARCH: Spec = Spec {
    parameters: &[
        optional("Identity", Kind::Text),
        optional("Case", Kind::Text),
        optional("DomainController", Kind::Text),
        optional("ResultSize", Kind::Size),
    ],
    ..reads("Get-ComplianceSearch", &[SEARCH, PURGE, PREVIEW])
};

static SET_SEARCH: Spec = Spec {
    parameters: &[
        required("Identity", Kind::Text),
        optional("ExchangeLocation", Kind::List),
        optional("AddExchangeLocation", Kind::List),
        optional("RemoveExchangeLocation", Kind::List),
        optional("ExchangeLocationExclusion", Kind::List),
        optional("ContentMatchQuery", Kind::Text),
        optional("Description", Kind::Text),
        optional("AllowNotFoundExchangeLocationsEnabled", Kind::Bool),
        optional("SharePointLocation", Kind::List),
        optional("PublicFolderLocation", Kind::List),
        optional("IncludeUserAppContent", Kind::Bool),
        optional("IncludeOrgContent", Kind::Bool),
        optional("Language", Kind::Text),
        optional("RefinerNames", Kind::List),
        optional("Force", Kind::Switch),
    ],
    run: search::set,
    ..writes("Set-ComplianceSearch", &[SEARCH])
};

static START_SEARCH: Spec = Spec {
    parameters: &[
        required("Identity", Kind::Text),
        optional("Force", Kind::Switch),
        optional("RetryOnError", Kind::Switch),
    ],
    run: search::start,
    ..writes("Start-ComplianceSearch", &[SEARCH])
};

static STOP_SEARCH: Spec = Spec {
    parameters: &[required("Identity", Kind::Text)],
    run: search::stop,
    ..writes("Stop-ComplianceSearch", &[SEARCH])
};

static REMOVE_SEARCH: Spec = Spec {
    parameters: &[required("Identity", Kind::Text)],
    run: search::remove,
    ..writes("Remove-ComplianceSearch", &[SEARCH])
};

static NEW_ACTION: Spec = Spec {
    parameters: &[
        required("SearchName", Kind::List),
        guarded("Preview", PREVIEW),
        guarded("Purge", PURGE),
        guarded("Export", EXPORT),
        optional("PurgeType", Kind::Enum(&["SoftDelete", "HardDelete"])),
        optional("ActionName", Kind::Text),
        optional("Force", Kind::Switch),
        optional("RetryOnError", Kind::Switch),
        optional("Format", Kind::Text),
        optional("SharePointArchiveFormat", Kind::Text),
        optional("ExchangeArchiveFormat", Kind::Text),
        optional("IncludeCredential", Kind::Switch),
        optional("Region", Kind::Text),
        optional("Scenario", Kind::Text),
        optional("Version", Kind::Text),
    ],
    excludes: &[
        ("Preview", "Purge"),
        ("Preview", "Export"),
        ("Purge", "Export"),
    ],
    run: action::new,
    ..writes(
        "New-ComplianceSearchAction",
        &[SEARCH, PURGE, PREVIEW, EXPORT],
    )
};

static GET_ACTION: Spec = Spec {
    parameters: &[
        optional("Identity", Kind::Text),
        optional("Preview", Kind::Switch),
        optional("Purge", Kind::Switch),
        optional("Export", Kind::Switch),
        optional("Details", Kind::Switch),
        optional("IncludeCredential", Kind::Switch),
        optional("Case", Kind::Text),
        optional("DomainController", Kind::Text),
        optional("ResultSize", Kind::Size),
    ],
    excludes: &[
        ("Identity", "Preview"),
        ("Identity", "Purge"),
        ("Identity", "Export"),
        ("Preview", "Purge"),
        ("Preview", "Export"),
        ("Purge", "Export"),
    ],
    run: action::get,
    ..reads(
        "Get-ComplianceSearchAction",
        &[SEARCH, PURGE, PREVIEW, EXPORT],
    )
};

static REMOVE_ACTION: Spec = Spec {
    parameters: &[required("Identity", Kind::Text)],
    run: action::remove,
    ..writes(
        "Remove-ComplianceSearchAction",
        &[SEARCH, PURGE, PREVIEW, EXPORT],
    )
};

/// The cmdlets of this folder.
pub const CMDLETS: &[&Spec] = &[
    &NEW_SEARCH,
    &GET_SEARCH,
    &SET_SEARCH,
    &START_SEARCH,
    &STOP_SEARCH,
    &REMOVE_SEARCH,
    &NEW_ACTION,
    &GET_ACTION,
    &REMOVE_ACTION,
];
