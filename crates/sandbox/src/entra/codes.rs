//! The refusals of the token endpoint: numbers, statuses and texts.

use serde_json::{Value, json};

use crate::{body, world::World};

/// One kind of refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code {
    pub(crate) number: u32,
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) suberror: Option<&'static str>,
    /// The text after `AADSTSnnn: `; `{}` stands for the name that the refusal is about.
    pub(crate) text: &'static str,
}

const fn code(number: u32, status: u16, error: &'static str, text: &'static str) -> Code {
    Code {
        number,
        status,
        error,
        suberror: None,
        text,
    }
}

const fn with_suberror(mut code: Code, suberror: &'static str) -> Code {
    code.suberror = Some(suberror);
    code
}

/// Every refusal that the sandbox knows. The bodies of 7000215 and 50126 were seen whole; the
/// others have the same shape and Microsoft's published wording in short.
pub(crate) const CODES: &[Code] = &[
    code(
        7_000_215,
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'.",
    ),
    code(
        7_000_222,
        401,
        "invalid_client",
        "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for your app.",
    ),
    code(
        7_000_218,
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    code(
        700_027,
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application, or the signature is not valid. [Reason - {}]",
    ),
    code(
        700_021,
        401,
        "invalid_client",
        "Client assertion application identifier doesn't match 'client_id' parameter.",
    ),
    code(
        700_023,
        401,
        "invalid_client",
        "Client assertion audience claim does not match Realm issuer.",
    ),
    code(
        700_024,
        401,
        "invalid_client",
        "Client assertion is not within its valid time range.",
    ),
    code(
        50_027,
        401,
        "invalid_client",
        "JWT token is invalid or malformed.",
    ),
    code(
        70_021,
        401,
        "invalid_client",
        "No matching federated identity record found for presented assertion.",
    ),
    code(
        50_126,
        400,
        "invalid_grant",
        "Error validating credentials due to invalid username or password.",
    ),
    code(
        50_034,
        400,
        "invalid_grant",
        "The user account {} does not exist in the directory. To sign into this application, the account must be added to the directory.",
    ),
    code(
        50_053,
        400,
        "invalid_grant",
        "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
    ),
    code(50_055, 400, "invalid_grant", "The password is expired."),
    code(
        50_057,
        400,
        "invalid_grant",
        "The user account is disabled.",
    ),
    with_suberror(
        code(
            50_076,
            400,
            "invalid_grant",
            "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '{}'.",
        ),
        "basic_action",
    ),
    with_suberror(
        code(
            50_079,
            400,
            "invalid_grant",
            "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{}'.",
        ),
        "basic_action",
    ),
    with_suberror(
        code(
            53_003,
            400,
            "invalid_grant",
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        ),
        "message_only",
    ),
    with_suberror(
        code(
            65_001,
            400,
            "invalid_grant",
            "The user or administrator has not consented to use the application with ID '{}'. Send an interactive authorization request for this user and resource.",
        ),
        "consent_required",
    ),
    code(
        50_020,
        400,
        "invalid_grant",
        "User account '{}' from identity provider 'live.com' does not exist in tenant and cannot access the application in that tenant. The account needs to be added as an external user in the tenant first.",
    ),
    code(
        50_177,
        400,
        "invalid_grant",
        "User account '{}' from an external identity provider does not exist in tenant and cannot access the application in that tenant.",
    ),
    code(
        650_051,
        400,
        "invalid_request",
        "Using application '{}' is currently not supported for your organization because it is in an unmanaged or not yet provisioned state.",
    ),
    code(
        700_016,
        400,
        "unauthorized_client",
        "Application with identifier '{}' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
    ),
    code(
        7_000_229,
        401,
        "invalid_client",
        "The client application {} is missing service principal in the tenant.",
    ),
    code(
        90_002,
        400,
        "invalid_request",
        "Tenant '{}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.",
    ),
    code(
        900_023,
        400,
        "invalid_request",
        "Specified tenant identifier '{}' is neither a valid DNS name, nor a valid external domain.",
    ),
    code(
        5_000_224,
        400,
        "invalid_request",
        "The tenant for the given identifier '{}' has been deleted.",
    ),
    code(
        500_011,
        400,
        "invalid_resource",
        "The resource principal named {} was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant.",
    ),
    code(
        70_011,
        400,
        "invalid_scope",
        "The provided value for the input parameter 'scope' is not valid. The scope {} is not valid.",
    ),
    code(
        28_000,
        400,
        "invalid_scope",
        "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {} is not valid.",
    ),
    code(
        1_002_012,
        400,
        "invalid_scope",
        "The provided value for scope {} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    code(
        70_003,
        400,
        "unsupported_grant_type",
        "The app requested an unsupported grant type '{}'.",
    ),
    code(
        900_144,
        400,
        "invalid_request",
        "The request body must contain the following parameter: '{}'.",
    ),
    code(
        9_002_313,
        400,
        "invalid_request",
        "Invalid request. Request is malformed or invalid.",
    ),
    code(
        700_082,
        400,
        "invalid_grant",
        "The refresh token has expired due to inactivity.",
    ),
    code(
        50_173,
        400,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    ),
    code(
        70_016,
        400,
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    code(
        70_019,
        400,
        "slow_down",
        "OAuth 2.0 device flow error. The client polls faster than the interval allows.",
    ),
    code(
        70_020,
        400,
        "expired_token",
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
    ),
    code(
        70_018,
        400,
        "authorization_declined",
        "The user declined to authenticate with the device code.",
    ),
    code(
        50_059,
        400,
        "invalid_request",
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
];

/// The refusal of that number.
pub(crate) fn by_number(number: u32) -> Option<&'static Code> {
    CODES.iter().find(|code| code.number == number)
}

/// A refused sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) number: u32,
    /// The name that the text speaks of. Never a credential.
    pub(crate) about: String,
}

/// A refusal about `name`.
pub(crate) fn refused(number: u32, name: impl Into<String>) -> Refused {
    Refused {
        number,
        about: name.into(),
    }
}

impl Refused {
    /// The status and body of this refusal.
    pub(crate) fn answer(&self, world: &World, request_id: &str) -> (u16, Value) {
        use kernel::Random;
        let fallback = code(
            self.number,
            400,
            "invalid_request",
            "The request is refused.",
        );
        let code = by_number(self.number).copied().unwrap_or(fallback);
        // A name comes from outside: it stands cut and on one line.
        let about = kernel::escape::clipped(&self.about, 200);
        let text = code.text.replace("{}", &about);
        let at = world.clock.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let correlation = world.ids.uuid();
        let number = self.number;
        let mut value = json!({
            "error": code.error,
            "error_description": format!(
                "AADSTS{number}: {text}\r\nTrace ID: {request_id}\r\nCorrelation ID: {correlation}\r\nTimestamp: {at}"
            ),
            "error_codes": [number],
            "timestamp": at,
            "trace_id": request_id,
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
        });
        if let (Some(suberror), Some(object)) = (code.suberror, value.as_object_mut()) {
            object.insert("suberror".to_owned(), suberror.into());
        }
        (code.status, value)
    }

    /// The whole answer.
    pub(crate) fn response(&self, world: &World, request_id: &str) -> body::Answer {
        let (status, value) = self.answer(world, request_id);
        body::json(status, &value)
    }
}
