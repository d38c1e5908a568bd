//! Makes ZIP files for tests, in every form that a service writes them.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// How a file stands in a ZIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Stored,
    /// Deflated, with its sizes before it.
    Deflated,
    /// Deflated, with its sizes after it.
    Streamed,
    /// The same, without the mark of what follows.
    Unmarked,
    /// Deflated, with sizes of eight bytes after it.
    Long,
}

pub fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn short(bytes: &mut Vec<u8>, values: &[u16]) {
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
}

fn long(bytes: &mut Vec<u8>, values: &[u32]) {
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
}

fn entry(name: &str, content: &[u8], form: Form) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let packed = match form {
        Form::Stored => content.to_vec(),
        _ => deflated(content),
    };
    let later = !matches!(form, Form::Stored | Form::Deflated);
    let sizes = [
        crc.sum(),
        u32::try_from(packed.len()).unwrap(),
        u32::try_from(content.len()).unwrap(),
    ];
    let mut out = Vec::new();
    long(&mut out, &[0x0403_4b50]);
    let method = if form == Form::Stored { 0 } else { 8 };
    short(&mut out, &[20, if later { 8 } else { 0 }, method, 0, 0]);
    long(&mut out, if later { &[0, 0, 0] } else { &sizes });
    short(&mut out, &[u16::try_from(name.len()).unwrap(), 0]);
    out.extend(name.as_bytes());
    out.extend(&packed);
    if later {
        if form != Form::Unmarked {
            long(&mut out, &[0x0807_4b50]);
        }
        long(&mut out, &sizes[..1]);
        for size in &sizes[1..] {
            long(&mut out, &[*size]);
            if form == Form::Long {
                long(&mut out, &[0]);
            }
        }
    }
    out
}

/// A ZIP with these files.
pub fn zip(files: &[(&str, &[u8], Form)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content, form) in files {
        out.extend(entry(name, content, *form));
    }
    let at = u32::try_from(out.len()).unwrap();
    for (name, ..) in files {
        long(&mut out, &[0x0201_4b50]);
        out.extend([0; 24]);
        short(&mut out, &[u16::try_from(name.len()).unwrap(), 0, 0, 0, 0]);
        long(&mut out, &[0, 0, 0]);
        out.extend(name.as_bytes());
    }
    let size = u32::try_from(out.len()).unwrap() - at;
    let count = u16::try_from(files.len()).unwrap();
    long(&mut out, &[0x0605_4b50]);
    short(&mut out, &[0, 0, count, count]);
    long(&mut out, &[size, at]);
    short(&mut out, &[0]);
    out
}
