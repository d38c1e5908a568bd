//! Text of a file as UTF-8: a byte-order mark is taken away, UTF-16 is turned.

/// Turns the bytes of a file into UTF-8 as they come.
#[derive(Debug, Default)]
pub(super) struct Text {
    encoding: Encoding,
    /// Bytes that do not make up a decision or a unit yet.
    held: Vec<u8>,
    /// The first half of a pair.
    high: Option<u16>,
    out: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Not known before three bytes are there.
    #[default]
    Unknown,
    Utf8,
    Utf16 {
        little: bool,
    },
}

impl Text {
    /// The next bytes as UTF-8. Broken pairs become replacement characters; broken UTF-8 is left
    /// for whoever makes text of it.
    pub fn push<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.encoding == Encoding::Utf8 {
            return bytes;
        }
        self.out.clear();
        if self.encoding == Encoding::Unknown {
            self.held.extend_from_slice(bytes);
            if self.held.len() < 3 {
                return &[];
            }
            let skip = self.decide();
            let held = std::mem::take(&mut self.held);
            let rest = held.get(skip..).unwrap_or_default();
            match self.encoding {
                Encoding::Utf16 { little } => self.turn(rest, little),
                _ => self.out.extend_from_slice(rest),
            }
        } else if let Encoding::Utf16 { little } = self.encoding {
            self.turn(bytes, little);
        }
        &self.out
    }

    /// What was held back at the end of a file of less than three bytes.
    pub fn rest(&mut self) -> &[u8] {
        self.out.clear();
        if self.encoding == Encoding::Unknown {
            self.out.append(&mut self.held);
        }
        &self.out
    }

    /// Decides on the encoding; how many bytes the mark has.
    fn decide(&mut self) -> usize {
        let (encoding, skip) = match self.held.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16 { little: true }, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16 { little: false }, 2),
            // A header is plain ASCII, so a zero in its first letter gives UTF-16 away.
            [first, 0, ..] if *first != 0 => (Encoding::Utf16 { little: true }, 0),
            [0, second, ..] if *second != 0 => (Encoding::Utf16 { little: false }, 0),
            _ => (Encoding::Utf8, 0),
        };
        self.encoding = encoding;
        skip
    }

    fn turn(&mut self, bytes: &[u8], little: bool) {
        let mut bytes = bytes.iter().copied();
        loop {
            let Some(first) = self.held.pop().or_else(|| bytes.next()) else {
                return;
            };
            let Some(second) = bytes.next() else {
                self.held.push(first);
                return;
            };
            let pair = [first, second];
            let unit = if little {
                u16::from_le_bytes(pair)
            } else {
                u16::from_be_bytes(pair)
            };
            self.unit(unit);
        }
    }

    fn unit(&mut self, unit: u16) {
        let mut put = |c: char| {
            let mut bytes = [0; 4];
            self.out
                .extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
        };
        if let Some(high) = self.high.take() {
            let pair = char::decode_utf16([high, unit]).next();
            if let Some(Ok(c)) = pair {
                return put(c);
            }
            put(char::REPLACEMENT_CHARACTER);
        }
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            _ => put(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(bytes: &[u8], piece: usize) -> String {
        let mut text = Text::default();
        let mut out = Vec::new();
        for part in bytes.chunks(piece) {
            out.extend_from_slice(text.push(part));
        }
        out.extend_from_slice(text.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_encoding_gives_the_same_text_in_pieces_of_any_size() {
        let plain = "Location,Count\r\nännä@x,1\u{1f4e7}\n";
        let wide = |mark: &[u8], turn: fn(u16) -> [u8; 2]| {
            let mut bytes = mark.to_vec();
            bytes.extend(plain.encode_utf16().flat_map(turn));
            bytes
        };
        let files = [
            plain.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", plain.as_bytes()].concat(),
            wide(&[0xff, 0xfe], u16::to_le_bytes),
            wide(&[0xfe, 0xff], u16::to_be_bytes),
            wide(&[], u16::to_le_bytes),
            wide(&[], u16::to_be_bytes),
        ];
        for (at, file) in files.iter().enumerate() {
            for piece in [1, 2, 3, 5, 1000] {
                assert_eq!(turned(file, piece), plain, "file {at}, pieces of {piece}");
            }
        }
        assert_eq!(turned(b"a", 1), "a");
        assert_eq!(turned(b"", 1), "");
    }

    #[test]
    fn half_a_pair_becomes_a_replacement() {
        let units: [u16; 4] = [0xfeff, 0xd83d, 0x41, 0xde00];
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(turned(&bytes, 3), "\u{fffd}A\u{fffd}");
    }
}
