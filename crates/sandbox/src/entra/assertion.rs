//! Client assertions: a JWT signed with the app's certificate, or one of another identity provider.

use aws_lc_rs::{digest, signature};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::codes::{Refused, refused};
use crate::{
    options::FederatedTrust,
    world::{World, lock},
};

/// Clocks may be apart by this many seconds.
const SKEW: i64 = 300;

/// The parts of a JWT.
struct Jwt<'a> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

fn parse(token: &str) -> Option<Jwt<'_>> {
    let (signed, tail) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    Some(Jwt {
        header: object(header)?,
        claims: object(claims)?,
        signed,
        signature: URL_SAFE_NO_PAD.decode(tail.trim_end_matches('=')).ok()?,
    })
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> &'a str {
    map.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Checks an assertion for the app `client_id`, whose tenant is `tenant`.
pub(crate) fn check(
    world: &World,
    client_id: &str,
    tenant: &str,
    token: &str,
) -> Result<(), Refused> {
    let exact = lock(&world.directory)
        .federated
        .iter()
        .any(|trust| matches!(trust, FederatedTrust::Exact(fixed) if fixed == token));
    if exact {
        return Ok(());
    }
    let jwt = parse(token).ok_or_else(|| refused(50_027, ""))?;
    if jwt.header.contains_key("x5t") || jwt.header.contains_key("x5t#S256") {
        certificate(world, client_id, tenant, &jwt)
    } else {
        federated(world, &jwt)
    }
}

fn certificate(world: &World, client_id: &str, tenant: &str, jwt: &Jwt<'_>) -> Result<(), Refused> {
    let bad = |reason: &str| refused(700_027, reason);
    let directory = lock(&world.directory);
    let der = directory
        .certificates
        .iter()
        .find(|der| {
            thumbprint_is(text(&jwt.header, "x5t#S256"), &digest::SHA256, der)
                || thumbprint_is(
                    text(&jwt.header, "x5t"),
                    &digest::SHA1_FOR_LEGACY_USE_ONLY,
                    der,
                )
        })
        .ok_or_else(|| bad("The key was not found."))?;
    let (_, parsed) =
        X509Certificate::from_der(der).map_err(|_| bad("The certificate could not be read."))?;
    if parsed.validity().not_after.timestamp() < world.clock.machine_now().as_second() {
        return Err(bad("The key used is expired."));
    }
    let algorithm: &dyn signature::VerificationAlgorithm = match text(&jwt.header, "alg") {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        _ => {
            return Err(bad(
                "Client assertion contains an invalid signature algorithm.",
            ));
        }
    };
    let public = &parsed.public_key().subject_public_key.data;
    signature::UnparsedPublicKey::new(algorithm, public)
        .verify(jwt.signed.as_bytes(), &jwt.signature)
        .map_err(|_| bad("Client assertion contains an invalid signature."))?;
    let named = |claim: &str| text(&jwt.claims, claim).eq_ignore_ascii_case(client_id);
    if !named("iss") || !named("sub") {
        return Err(refused(700_021, ""));
    }
    if !audience_is_ours(text(&jwt.claims, "aud"), tenant, |name| {
        directory.is_tenant(name)
    }) {
        return Err(refused(700_023, ""));
    }
    times(world, &jwt.claims)
}

fn thumbprint_is(header: &str, algorithm: &'static digest::Algorithm, der: &[u8]) -> bool {
    if header.is_empty() {
        return false;
    }
    let print = digest::digest(algorithm, der);
    let wanted = URL_SAFE_NO_PAD.encode(print.as_ref());
    // Some clients write the standard alphabet, with padding.
    header.trim_end_matches('=') == wanted || header == STANDARD.encode(print.as_ref())
}

/// The token endpoint, or the issuer, of this tenant, under any of the sign-in host's names.
fn audience_is_ours(aud: &str, tenant: &str, is_ours: impl Fn(&str) -> bool) -> bool {
    let Ok(url) = url::Url::parse(aud) else {
        return false;
    };
    let mut path = url
        .path_segments()
        .map(|s| s.filter(|p| !p.is_empty()).collect::<Vec<_>>());
    let path = path.take().unwrap_or_default();
    match path.as_slice() {
        [realm]
        | [realm, "v2.0"]
        | [realm, "oauth2", "token"]
        | [realm, "oauth2", "v2.0", "token"] => {
            is_ours(realm) || realm.eq_ignore_ascii_case(tenant)
        }
        _ => false,
    }
}

fn times(world: &World, claims: &Map<String, Value>) -> Result<(), Refused> {
    let now = world.clock.machine_now().as_second();
    let at = |name: &str| {
        let value = claims.get(name)?;
        value.as_i64().or_else(|| {
            value.as_f64().map(|seconds| {
                #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 fit")]
                {
                    seconds as i64
                }
            })
        })
    };
    let ended = at("exp").is_none_or(|exp| exp + SKEW < now);
    let not_yet = at("nbf").is_some_and(|nbf| nbf - SKEW > now);
    if ended || not_yet {
        Err(refused(700_024, ""))
    } else {
        Ok(())
    }
}

fn federated(world: &World, jwt: &Jwt<'_>) -> Result<(), Refused> {
    let issuer = text(&jwt.claims, "iss");
    let subject = text(&jwt.claims, "sub");
    let audience = match jwt.claims.get("aud") {
        Some(Value::Array(list)) => list.first().and_then(Value::as_str).unwrap_or_default(),
        Some(Value::String(one)) => one.as_str(),
        _ => "",
    };
    let trusted = lock(&world.directory).federated.iter().any(|trust| {
        matches!(trust, FederatedTrust::Claims { issuer: i, subject: s } if i == issuer && s == subject)
    });
    if !trusted || audience != "api://AzureADTokenExchange" {
        return Err(refused(70_021, ""));
    }
    times(world, &jwt.claims)
}
