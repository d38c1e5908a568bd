//! Reading what the user names: files, or standard input as `-`.

use std::{
    fs::File,
    io::{Read, Write, stdin},
    path::Path,
};

use kernel::{Failure, escape, failure::code};
use serde_json::{Map, Value};

/// The largest input file: far above any real one.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// The deepest nesting of a JSON input.
const MOST_LEVELS: usize = 32;

/// What a JSON input looks like.
const OBJECT: &str = "give one JSON object, such as {\"senders\": [\"a@b.example\"]} for `run` or \
    {\"lag_ms\": 500} for `sandbox --settings`";

/// Reads a file whole, up to `most` bytes.
pub fn read(path: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let named = || format!("`{}`", escape::clipped(path, 200));
    let unreadable = |error: std::io::Error| {
        Failure::invalid(
            code::WRONG_SHAPE,
            format!("{} cannot be read: {error}", named()),
        )
        .hint("check the path, and that this user may read it")
    };
    let mut bytes = Vec::new();
    let taken = if path == "-" {
        stdin().lock().take(most + 1).read_to_end(&mut bytes)
    } else {
        File::open(path)
            .map_err(unreadable)?
            .take(most + 1)
            .read_to_end(&mut bytes)
    };
    taken.map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(Failure::invalid(
            code::INPUT_TOO_LARGE,
            format!("{} is larger than {} MB", named(), most / (1024 * 1024)),
        )
        .hint("split it"));
    }
    Ok(bytes)
}

/// Writes a new file that only its owner may read.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            let named = path.display();
            Failure::invalid(
                code::BAD_REQUEST,
                format!("{named} cannot be written: {error}"),
            )
        })
}

/// One value a line; blank lines are passed over.
pub fn lines(path: &str) -> Result<Vec<String>, Failure> {
    let bytes = read(path, MOST_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::invalid(
            code::WRONG_SHAPE,
            format!("`{}` is not UTF-8 text", escape::clipped(path, 200)),
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

/// A JSON object.
pub fn object(path: &str) -> Result<Map<String, Value>, Failure> {
    let bytes = read(path, MOST_BYTES)?;
    let named = || format!("`{}`", escape::clipped(path, 200));
    if depth(&bytes) > MOST_LEVELS {
        return Err(Failure::invalid(
            code::INPUT_TOO_LARGE,
            format!("{} is nested deeper than {MOST_LEVELS} levels", named()),
        )
        .hint(OBJECT));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::invalid(
            code::WRONG_SHAPE,
            format!("{} holds no JSON object", named()),
        )
        .hint(OBJECT)),
        Err(error) => Err(Failure::invalid(
            code::WRONG_SHAPE,
            format!("{} is not JSON: {error}", named()),
        )
        .hint(OBJECT)),
    }
}

/// How deep brackets nest outside strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut level, mut most) = (0_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for &byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                level += 1;
                most = most.max(level);
            }
            b']' | b'}' if !quoted => level = level.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(depth(br#"{"a": "[[[{\"[", "b": [[1]]}"#), 3);
        assert_eq!(depth(&b"[".repeat(10_000)), 10_000);
    }
}
