//! How bodies are stored: a letter for the packing, the version of the form in decimal digits, a
//! colon, then JSON, deflated where it is large (`j1:{…}`, `z1:…`).

use std::io::{Read, Write};

use engine::LedgerError;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Result, damaged, defect};

/// The version of every form but the plan's, which has its own.
pub(crate) const VERSION: u32 = 1;
/// Larger bodies are deflated.
const LARGE: usize = 4096;

/// Encodes in the present version.
pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    encode_as(VERSION, value)
}

/// Encodes in a version of its own.
pub(crate) fn encode_as(version: u32, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut body = format!("j{version}:").into_bytes();
    let head = body.len();
    serde_json::to_writer(&mut body, value)
        .map_err(|error| defect(format!("a body cannot be stored: {error}")))?;
    if body.len() <= LARGE {
        return Ok(body);
    }
    let json = body.split_off(head);
    if let Some(letter) = body.first_mut() {
        *letter = b'z';
    }
    let mut deflate = DeflateEncoder::new(body, Compression::fast());
    deflate
        .write_all(&json)
        .and_then(|()| deflate.finish())
        .map_err(|error| defect(format!("a body cannot be stored: {error}")))
}

/// Decodes a body of the present version; `what` names it in the error.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T> {
    decode_as(VERSION, what, body)
}

/// Decodes a body of that version.
pub(crate) fn decode_as<T: DeserializeOwned>(version: u32, what: &str, body: &[u8]) -> Result<T> {
    let unreadable = || damaged(&format!("{what} cannot be read"));
    let colon = body.iter().position(|&byte| byte == b':');
    let (head, rest) = body
        .split_at_checked(colon.ok_or_else(unreadable)?)
        .ok_or_else(unreadable)?;
    let json = rest.get(1..).ok_or_else(unreadable)?;
    let (letter, digits) = head.split_first().ok_or_else(unreadable)?;
    let found: i64 = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(unreadable)?;
    if found != i64::from(version) {
        return Err(LedgerError::UnknownVersion {
            what: what.to_owned(),
            version: found,
        });
    }
    let parsed = match letter {
        b'j' => serde_json::from_slice(json),
        b'z' => {
            let mut plain = Vec::new();
            DeflateDecoder::new(json)
                .read_to_end(&mut plain)
                .map_err(|_| unreadable())?;
            serde_json::from_slice(&plain)
        }
        _ => return Err(unreadable()),
    };
    parsed.map_err(|_| unreadable())
}
