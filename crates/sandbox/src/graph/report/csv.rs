//! CSV as the service writes it.

use std::fmt::Write;

use crate::options::Csv;

/// A file that is being written.
#[derive(Debug, Default)]
pub(crate) struct Table(String);

impl Table {
    /// Adds a line. A field is quoted where it has to be, and `always` where that is wished.
    pub(crate) fn line<'a>(&mut self, fields: impl IntoIterator<Item = &'a str>, always: bool) {
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            if always || field.contains(['"', ',', '\n', '\r']) {
                self.0.push('"');
                self.0.push_str(&field.replace('"', "\"\""));
                self.0.push('"');
            } else {
                self.0.push_str(field);
            }
        }
        self.0.push_str("\r\n");
    }

    /// The file's bytes.
    pub(crate) fn bytes(self, form: Csv) -> Vec<u8> {
        match form {
            Csv::Plain => self.0.into_bytes(),
            Csv::Bom => format!("\u{feff}{}", self.0).into_bytes(),
            Csv::Utf16 => {
                let marked = format!("\u{feff}{}", self.0);
                marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
        }
    }
}

/// A number with commas between the thousands: `1,202`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        let _ = text.write_char(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas_and_what_has_commas_has_quotes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_202), "1,202");
        assert_eq!(grouped(12_345_678), "12,345,678");
        let mut table = Table::default();
        table.line(["a", &grouped(1_202), "b\"c"], false);
        assert_eq!(table.bytes(Csv::Plain), b"a,\"1,202\",\"b\"\"c\"\r\n");
    }

    #[test]
    fn each_form_says_what_it_is() {
        let of = |form| {
            let mut table = Table::default();
            table.line(["a"], true);
            table.bytes(form)
        };
        assert_eq!(of(Csv::Bom), b"\xef\xbb\xbf\"a\"\r\n");
        assert_eq!(of(Csv::Utf16), b"\xff\xfe\"\0a\0\"\0\r\0\n\0");
    }
}
