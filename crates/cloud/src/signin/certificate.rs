//! The certificate credential: PEM or PFX in, signed assertions out.

use std::fmt;

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{KeyPair as _, RSA_PSS_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use kernel::{Random, Secret};
use p12_keystore::Pkcs12Archive;
use rustls::pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

/// How long an assertion is valid: long enough for a slow line, too short to be worth stealing.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Clocks differ: an assertion begins a little before now.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// A certificate with its private key.
pub(crate) struct SigningCertificate {
    key: KeyPair,
    thumbprint: String,
    not_after: Option<Timestamp>,
}

impl fmt::Debug for SigningCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningCertificate")
            .field("thumbprint", &self.thumbprint)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// DER of keys and certificates found in a file.
#[derive(Default)]
struct Found {
    keys: Vec<FoundKey>,
    certificates: Vec<Vec<u8>>,
}

enum FoundKey {
    Pkcs8(Zeroizing<Vec<u8>>),
    Pkcs1(Zeroizing<Vec<u8>>),
}

impl SigningCertificate {
    /// Reads PEM (key and certificate in either file) or PFX. The reasons are for a person and hold
    /// nothing of the key.
    pub fn parse(
        certificate: &[u8],
        key_file: Option<&[u8]>,
        password: Option<&Secret>,
    ) -> Result<Self, String> {
        let mut found = Found::default();
        if is_pem(certificate) {
            read_pem(certificate, password, &mut found)?;
        } else {
            read_pfx(certificate, password, &mut found)?;
        }
        if let Some(key_file) = key_file {
            read_pem(key_file, password, &mut found)?;
        }
        if found.certificates.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        if found.keys.is_empty() {
            return Err("it holds no private key".to_owned());
        }
        let mut pairs = Vec::new();
        for key in &found.keys {
            pairs.push(match key {
                FoundKey::Pkcs8(der) => KeyPair::from_pkcs8(der),
                FoundKey::Pkcs1(der) => KeyPair::from_der(der),
            });
        }
        let mut rejected = None;
        for pair in pairs {
            let key = match pair {
                Ok(key) => key,
                Err(error) => {
                    rejected = Some(error.to_string());
                    continue;
                }
            };
            for der in &found.certificates {
                let Ok((_, parsed)) = x509_parser::parse_x509_certificate(der) else {
                    continue;
                };
                let public = &parsed.public_key().subject_public_key.data;
                if public.as_ref() == key.public_key().as_ref() {
                    let seconds = parsed.validity().not_after.timestamp();
                    let sha256 = digest::digest(&digest::SHA256, der);
                    return Ok(Self {
                        key,
                        thumbprint: URL_SAFE_NO_PAD.encode(sha256),
                        not_after: Timestamp::from_second(seconds).ok(),
                    });
                }
            }
        }
        Err(match rejected {
            Some(reason) => {
                format!("its key is not an RSA key of 2048 to 8192 bits ({reason})")
            }
            None => "its private key belongs to none of its certificates".to_owned(),
        })
    }

    /// When the certificate ends.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// A signed client assertion (PS256, `x5t#S256`) for a token endpoint.
    pub fn assertion(
        &self,
        client_id: &str,
        token_endpoint: &str,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Secret, String> {
        let header = serde_json::json!({
            "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint
        });
        let claims = serde_json::json!({
            "aud": token_endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": random.uuid().to_string(),
            "nbf": (now - SKEW).as_second(),
            "iat": now.as_second(),
            "exp": (now + LIFETIME).as_second(),
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "its key cannot sign".to_owned())?;
        Ok(Secret::new(format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn read_pem(bytes: &[u8], password: Option<&Secret>, found: &mut Found) -> Result<(), String> {
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = section.map_err(|_| "it is not whole PEM".to_owned())?;
        match kind {
            SectionKind::Certificate => found.certificates.push(der),
            SectionKind::PrivateKey => found.keys.push(FoundKey::Pkcs8(Zeroizing::new(der))),
            SectionKind::RsaPrivateKey => found.keys.push(FoundKey::Pkcs1(Zeroizing::new(der))),
            SectionKind::EcPrivateKey => {
                return Err("its key is an elliptic-curve key; Entra wants RSA".to_owned());
            }
            _ => {}
        }
    }
    let label = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    if bytes.windows(label.len()).any(|window| window == label) {
        let der = encrypted_section(bytes)?;
        let password = password
            .ok_or_else(|| "its private key is encrypted, and no password is given".to_owned())?;
        found.keys.push(FoundKey::Pkcs8(decrypt(&der, password)?));
    }
    Ok(())
}

/// The DER of the encrypted key, whose label the PEM reader does not know.
fn encrypted_section(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let broken = || "it is not whole PEM".to_owned();
    let text = String::from_utf8_lossy(bytes);
    let body = text
        .split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        .and_then(|(_, rest)| rest.split_once("-----END ENCRYPTED PRIVATE KEY-----"))
        .map(|(body, _)| body)
        .ok_or_else(broken)?;
    let packed: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    base64::engine::general_purpose::STANDARD
        .decode(packed)
        .map_err(|_| broken())
}

fn decrypt(der: &[u8], password: &Secret) -> Result<Zeroizing<Vec<u8>>, String> {
    let info = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|_| "its encrypted key uses a scheme that is not supported".to_owned())?;
    let plain = info
        .decrypt(password.expose())
        .map_err(|_| "the password does not open its private key".to_owned())?;
    Ok(Zeroizing::new(plain.as_bytes().to_vec()))
}

fn read_pfx(bytes: &[u8], password: Option<&Secret>, found: &mut Found) -> Result<(), String> {
    let text = password.map_or("", Secret::expose);
    let archive = match Pkcs12Archive::from_pkcs12(bytes, text) {
        Ok(archive) => archive,
        Err(p12_keystore::error::Error::MacError(_)) if password.is_none() => {
            return Err("it needs a password, and none is given".to_owned());
        }
        Err(p12_keystore::error::Error::MacError(_)) => {
            return Err("the password does not open it".to_owned());
        }
        Err(_) if bytes.first() != Some(&0x30) => {
            return Err("it is neither PEM nor PFX".to_owned());
        }
        Err(error) => return Err(format!("it is not a usable PFX file ({error})")),
    };
    for bag in &archive.keys {
        found
            .keys
            .push(FoundKey::Pkcs8(Zeroizing::new(bag.key.as_der().to_vec())));
    }
    for bag in &archive.certs {
        found.certificates.push(bag.cert.as_der().to_vec());
    }
    Ok(())
}
