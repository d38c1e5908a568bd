//! The table of Entra's numbers that we have words for.

use kernel::{Code, ErrorKind, failure::code};

/// One row: what a caller branches on, what happened, what to do. `{client}`, `{tenant}`, `{user}`
/// and `{resource}` are filled in.
pub(super) struct Sentence {
    pub kind: ErrorKind,
    pub code: Code,
    pub text: &'static str,
    pub hint: &'static str,
}

/// The table. Numbers and meanings: Microsoft's "Microsoft Entra authentication and authorization
/// error codes" and what clients translate.
pub(super) fn sentence(aadsts: u32) -> Option<Sentence> {
    use ErrorKind::{AuthenticationFailed as Auth, Configuration, ServiceUnavailable, Throttled};
    let row = |kind, code, text, hint| {
        Some(Sentence {
            kind,
            code,
            text,
            hint,
        })
    };
    match aadsts {
        7_000_215 => row(
            Auth,
            code::WRONG_SECRET,
            "Entra does not know this client secret of app {client}",
            "Store the secret's value, not its id; it is shown only once, when it is made",
        ),
        7_000_222 => row(
            Auth,
            code::SECRET_EXPIRED,
            "The client secret of app {client} has expired",
            "Make a new one in the app registration (Certificates & secrets) and store its value",
        ),
        7_000_218 => row(
            Auth,
            code::SIGN_IN_FAILED,
            "App {client} is confidential and must sign in with a secret or a certificate",
            "Use auth type `oauth2` or `certificate`, or turn on \"Allow public client flows\" in the app registration",
        ),
        700_027 => row(
            Auth,
            code::CERTIFICATE_REFUSED,
            "Entra did not accept the certificate of app {client}: it is not registered, or the signature does not match",
            "Upload this certificate to the app registration; after a rotation allow it some minutes",
        ),
        700_024 => row(
            Auth,
            code::CERTIFICATE_REFUSED,
            "The signed assertion is not valid at this time",
            "Check this machine's clock; with `federated`, check that the source gives a fresh assertion",
        ),
        50_013 | 50_027 | 700_211 | 700_212 | 700_213 | 70_021 => row(
            Auth,
            code::CERTIFICATE_REFUSED,
            "Entra did not accept the assertion for app {client}",
            "Compare issuer, subject and audience of the assertion with the app's federated credential",
        ),
        50_126 => row(
            Auth,
            code::WRONG_PASSWORD,
            "Invalid username and password. Entra does not take them for {user}",
            "Check both; several wrong tries lock the account",
        ),
        50_034 => row(
            Auth,
            code::UNKNOWN_USER,
            "The user is not recognized as a managed user, or a federated user.",
            "Check the user name, and that {tenant} is its tenant",
        ),
        50_055 => row(
            Auth,
            code::ACCOUNT_UNUSABLE,
            "The password of {user} has expired",
            "Change it at https://mysignins.microsoft.com, then store the new one",
        ),
        50_056 => row(
            Auth,
            code::ACCOUNT_UNUSABLE,
            "{user} has no password in this tenant, or an invalid one",
            "Set a password for the account, or use `device_code`",
        ),
        50_053 => row(
            Auth,
            code::ACCOUNT_UNUSABLE,
            "{user} is locked after too many wrong passwords, or this address is blocked",
            "Wait some minutes, then check the password before the next try",
        ),
        50_057 => row(
            Auth,
            code::ACCOUNT_UNUSABLE,
            "{user} is disabled",
            "Enable the account in Entra, or use another one",
        ),
        50_020 | 50_177 => row(
            Auth,
            code::ACCOUNT_UNUSABLE,
            "{user} belongs to another tenant and is not a usable guest of {tenant}",
            "Use an account of the tenant itself",
        ),
        50_076 | 50_079 | 50_074 | 50_072 | 50_158 => row(
            Auth,
            code::MFA_REQUIRED,
            "The sign-in of {user} needs a second factor",
            "A user name and a password cannot give one: use `device_code`, or an app with a certificate or a client secret",
        ),
        53_003 | 53_000 | 53_001 | 53_002 | 530_003 | 530_035 => row(
            Auth,
            code::BLOCKED_BY_POLICY,
            "Conditional Access blocks this sign-in",
            "Look at the sign-in log in Entra for the policy; ask for an exception for this app or address, or use another sign-in",
        ),
        65_001 | 65_004 => row(
            Auth,
            code::CONSENT_MISSING,
            "Nobody has consented to app {client} in {tenant}",
            "An administrator grants consent in the app registration (API permissions)",
        ),
        700_016 => row(
            Auth,
            code::APP_NOT_FOUND,
            "{tenant} does not know the app {client}",
            "Check client_id and tenant of the connection; client_id is the application id, not the object id",
        ),
        7_000_229 => row(
            Auth,
            code::APP_NOT_FOUND,
            "App {client} has no service principal in {tenant}",
            "An administrator of the tenant consents to the app once",
        ),
        7_000_112 => row(
            Auth,
            code::APP_NOT_FOUND,
            "App {client} is disabled",
            "Enable the enterprise application in Entra",
        ),
        650_051 | 650_052 | 650_057 => row(
            Auth,
            code::CONSENT_MISSING,
            "App {client} is not set up in {tenant} yet for {resource}",
            "Add the API permission and grant consent; if that was just done, wait a minute",
        ),
        500_011 => row(
            Auth,
            code::CONSENT_MISSING,
            "{tenant} has no service of the name {resource}",
            "Check `cloud` of the connection, and that the tenant has Exchange Online",
        ),
        90_002 => row(
            Configuration,
            code::TENANT_NOT_FOUND,
            "Entra knows no tenant {tenant} in this cloud",
            "Check `tenant` and `cloud` of the connection",
        ),
        900_023 | 900_021 => row(
            Configuration,
            code::TENANT_NOT_FOUND,
            "{tenant} is not a valid tenant id or domain",
            "Give the tenant's GUID or one of its domains",
        ),
        5_000_224 => row(
            Configuration,
            code::TENANT_NOT_FOUND,
            "Microsoft has closed or deleted the tenant {tenant}",
            "Ask the tenant's owner, or remove the connection",
        ),
        900_382 | 900_432 | 900_439 => row(
            Configuration,
            code::TENANT_NOT_FOUND,
            "The tenant {tenant} belongs to another Microsoft cloud",
            "Set `cloud` of the connection to the one that the tenant lives in",
        ),
        700_082 | 700_084 | 70_008 | 50_173 | 700_081 | 50_078 | 50_132 | 50_133 => row(
            Auth,
            code::SIGN_IN_EXPIRED,
            "The kept sign-in is no longer valid",
            "Sign in again; `mailcordon connection test` shows a new code",
        ),
        7_000_014 | 70_019 => row(
            Auth,
            code::DEVICE_CODE_UNUSED,
            "The device code has expired",
            "Run it again and enter the code in time",
        ),
        9_002_313 | 900_144 | 90_014 => row(
            Auth,
            code::SIGN_IN_FAILED,
            "Entra calls the sign-in request malformed",
            "Check client_id and tenant for stray characters, and the proxy in between",
        ),
        90_033 | 90_020 | 90_012 => row(
            ServiceUnavailable,
            code::SERVICE_ERROR,
            "Entra is failing at the moment",
            "Run it again in a few minutes",
        ),
        50_196 | 90_055 | 90_056 => row(
            Throttled,
            code::THROTTLED,
            "Entra has seen too many sign-ins of app {client} and asks to slow down",
            "Run it again in a few minutes",
        ),
        _ => None,
    }
}
