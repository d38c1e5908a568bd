//! CSV as its bytes come in: fields in quotes may hold commas, line breaks and doubled quotes.

use std::borrow::Cow;

use super::ReportError;

/// No real record is longer.
const LONGEST: usize = 1 << 20;
/// No real record has more fields.
const MOST_FIELDS: usize = 1024;

/// One record.
#[derive(Debug, Default)]
pub struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// The number of fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a field; none where the record is shorter.
    pub fn bytes(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// A field as text, trimmed; empty where the record is shorter.
    pub fn text(&self, at: usize) -> Cow<'_, str> {
        match String::from_utf8_lossy(self.bytes(at).unwrap_or_default()) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        }
    }

    fn is_blank(&self) -> bool {
        self.bytes.is_empty() && self.ends.len() <= 1
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// At the beginning of a field.
    #[default]
    Start,
    /// In a field without quotes.
    Plain,
    /// Between the quotes of a field.
    Quoted,
    /// After a quote within a quoted field: its end, or half of a doubled one.
    Quote,
}

/// Reads records.
#[derive(Debug, Default)]
pub(super) struct Csv {
    record: Record,
    at: At,
    /// A line break of two characters is not over.
    carriage: bool,
}

impl Csv {
    /// Takes the next bytes; `each` gets every record that they complete. Blank lines are none.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(&Record) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.carriage) && first == b'\n' {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            // Everything up to the next character that means something is taken at once.
            let stop = match self.at {
                At::Quoted => memchr::memchr(b'"', bytes),
                At::Start | At::Quote => Some(0),
                At::Plain => memchr::memchr3(b',', b'\n', b'\r', bytes),
            };
            let (taken, rest) = bytes.split_at(stop.unwrap_or(bytes.len()));
            self.record.bytes.extend_from_slice(taken);
            if self.record.bytes.len() > LONGEST || self.record.len() > MOST_FIELDS {
                return Err(ReportError::Bomb("a record of it has no end"));
            }
            let Some((&byte, rest)) = rest.split_first() else {
                return Ok(());
            };
            bytes = rest;
            self.step(byte, each)?;
        }
        Ok(())
    }

    /// The file is over.
    pub fn finish(
        &mut self,
        each: &mut dyn FnMut(&Record) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        if self.at == At::Quoted {
            return Err(ReportError::Damaged("a field has no end"));
        }
        if self.at != At::Start || self.record.len() > 0 {
            self.end_record(each)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        byte: u8,
        each: &mut dyn FnMut(&Record) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        match (self.at, byte) {
            (At::Start, b'"') => self.at = At::Quoted,
            (At::Quoted, _) => self.at = At::Quote,
            (At::Quote, b'"') => {
                self.record.bytes.push(b'"');
                self.at = At::Quoted;
            }
            (_, b',') => {
                self.record.ends.push(self.record.bytes.len());
                self.at = At::Start;
            }
            (_, b'\n' | b'\r') => {
                self.carriage = byte == b'\r';
                self.end_record(each)?;
            }
            (_, other) => {
                self.record.bytes.push(other);
                self.at = At::Plain;
            }
        }
        Ok(())
    }

    fn end_record(
        &mut self,
        each: &mut dyn FnMut(&Record) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        self.record.ends.push(self.record.bytes.len());
        self.at = At::Start;
        let told = if self.record.is_blank() {
            Ok(())
        } else {
            each(&self.record)
        };
        self.record.clear();
        told
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(text: &str, piece: usize) -> Result<Vec<Vec<String>>, ReportError> {
        let mut out = Vec::new();
        let mut each = |record: &Record| {
            let field = |at| String::from_utf8_lossy(record.bytes(at).unwrap()).into_owned();
            out.push((0..record.len()).map(field).collect());
            Ok(())
        };
        let mut csv = Csv::default();
        for part in text.as_bytes().chunks(piece) {
            csv.push(part, &mut each)?;
        }
        csv.finish(&mut each)?;
        Ok(out)
    }

    #[test]
    fn quotes_breaks_and_short_records_are_read() {
        let text = "a,b\r\n\"x, y\",\"say \"\"hi\"\"\nthere\"\n\n,\r\"\",last";
        for piece in 1..12 {
            assert_eq!(
                records(text, piece).unwrap(),
                [
                    vec!["a", "b"],
                    vec!["x, y", "say \"hi\"\nthere"],
                    vec!["", ""],
                    vec!["", "last"]
                ],
                "pieces of {piece}"
            );
        }
        assert_eq!(records("a\n", 9).unwrap(), [["a"]]);
        assert_eq!(records("", 9).unwrap().len(), 0);
        assert_eq!(
            records("a,\"b", 9).unwrap_err(),
            ReportError::Damaged("a field has no end")
        );
        let endless = "x".repeat(LONGEST + 2);
        assert!(matches!(records(&endless, 4096), Err(ReportError::Bomb(_))));
        assert!(matches!(
            records(&",".repeat(2000), 64),
            Err(ReportError::Bomb(_))
        ));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec(prop::collection::vec("[a-z\",\r\n é]{0,6}", 2..4), 1..6),
            piece in 1_usize..9,
        ) {
            let line = |row: &Vec<String>| {
                let fields: Vec<String> = row
                    .iter()
                    .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
                    .collect();
                fields.join(",")
            };
            let text: Vec<String> = rows.iter().map(line).collect();
            prop_assert_eq!(records(&text.join("\r\n"), piece).unwrap(), rows);
        }
    }
}
