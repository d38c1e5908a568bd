//! From characters to tokens. Says what is wrong with a single token.

use kernel::escape;

use super::value::{self, Property};
use super::{Comparison, Findings, Value};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `NEAR` and its number.
    Near(u32),
    /// `+` in front: changes nothing, every word is required.
    Plus,
    /// A word or phrase on its own.
    Text(Value),
    /// A property with its value.
    Clause(String, Comparison, Value),
    /// A property right before parentheses.
    Scope(String),
    /// A property whose value is missing: white space follows its operator.
    Hollow,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// First byte.
    pub(super) at: usize,
    /// Whether white space stands before it.
    pub(super) spaced: bool,
}

pub(super) const CURLY: [char; 8] = ['“', '”', '„', '‟', '«', '»', '″', '＂'];
/// Dropped from words by the service, or an error there.
const DROPPED: &str = "+-=:!@#%^&;_/?[]{}<>|~$";

struct Lexer<'a, 'f> {
    text: &'a str,
    at: usize,
    spaced: bool,
    tokens: Vec<Token>,
    findings: &'f mut Findings,
}

/// Cuts the query into tokens.
pub(super) fn tokens(text: &str, findings: &mut Findings) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        spaced: false,
        tokens: Vec::new(),
        findings,
    };
    while lexer.token() {}
    lexer.tokens
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, at: usize, kind: Kind) {
        self.tokens.push(Token {
            kind,
            at,
            spaced: self.spaced,
        });
        self.spaced = false;
    }

    /// Reads one token; false at the end.
    fn token(&mut self) -> bool {
        let at = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        if let Some(portal) = rest.get(..5) {
            let kind = match portal.to_ascii_lowercase().as_str() {
                "(c:c)" => Some(Kind::And),
                "(c:s)" => Some(Kind::Or),
                _ => None,
            };
            if let Some(kind) = kind {
                self.at += 5;
                self.push(at, kind);
                return true;
            }
        }
        match first {
            c if c.is_whitespace() => {
                self.at += c.len_utf8();
                self.spaced = true;
            }
            c if c.is_control() => {
                self.findings
                    .error(at, "control_character", "holds a control character");
                self.at += c.len_utf8();
            }
            '(' | ')' => {
                self.at += 1;
                self.push(
                    at,
                    if first == '(' {
                        Kind::Open
                    } else {
                        Kind::Close
                    },
                );
            }
            '"' => {
                let phrase = self.phrase();
                value::phrase(&phrase, at + 1, self.findings);
                self.push(at, Kind::Text(Value::Phrase(phrase)));
            }
            c if CURLY.contains(&c) => {
                self.findings.error(
                    at,
                    "curly_quotes",
                    format!(
                        "`{c}` is no quotation mark here and makes no phrase; write \" instead"
                    ),
                );
                self.at += c.len_utf8();
            }
            '-' | '+' if self.prefixes() => {
                self.at += 1;
                self.push(at, if first == '-' { Kind::Not } else { Kind::Plus });
            }
            _ => self.word(),
        }
        true
    }

    /// Whether the sign here stands in front of something.
    fn prefixes(&self) -> bool {
        let next = self.rest().chars().nth(1);
        next.is_some_and(|c| !c.is_whitespace() && c != ')')
    }

    /// The inside of a phrase; reports a missing end.
    fn phrase(&mut self) -> String {
        let open = self.at;
        let inside = self.rest().get(1..).unwrap_or_default();
        let (phrase, length) = if let Some((phrase, _)) = inside.split_once('"') {
            (phrase, phrase.len() + 2)
        } else {
            let message = "opens a quotation mark that is never closed";
            self.findings.error(open, "unbalanced_quote", message);
            (inside, inside.len() + 1)
        };
        if phrase.chars().any(char::is_control) {
            self.findings.error(
                open,
                "control_character",
                "the phrase holds a control character or line break",
            );
        } else if phrase.chars().any(escape::is_hostile) {
            self.findings.warn(
                open,
                "invisible_character",
                "the phrase holds an invisible character",
            );
        }
        self.at += length;
        if self.rest().starts_with('*') {
            self.findings.error(
                self.at,
                "bad_wildcard",
                "a `*` stands inside the quotation marks, at the end of the last word",
            );
            self.at += 1;
        }
        phrase.to_owned()
    }

    fn word(&mut self) {
        let at = self.at;
        let rest = self.rest();
        let end = rest.find(ends_word).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        if let Some((name, comparison, length)) = operator(word) {
            self.at += length;
            self.clause(at, name, comparison);
            return;
        }
        if word.is_empty() {
            // Nothing that a word can begin with: skip it, so that reading always moves on.
            self.at += rest.chars().next().map_or(1, char::len_utf8);
            return;
        }
        self.at += word.len();
        let kind = match word {
            "AND" => Kind::And,
            "OR" => Kind::Or,
            "NOT" => Kind::Not,
            "NEAR" => Kind::Near(self.distance()),
            _ => {
                self.free(at, word);
                Kind::Text(Value::Word(word.to_owned()))
            }
        };
        self.push(at, kind);
    }

    /// The number in `NEAR(n)`; 8 when there is none.
    fn distance(&mut self) -> u32 {
        let inside = self
            .rest()
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'));
        if let Some((number, _)) = inside
            && let Ok(distance) = number.parse()
        {
            self.at += number.len() + 2;
            return distance;
        }
        8
    }

    /// What can be said about a word on its own.
    fn free(&mut self, at: usize, word: &str) {
        if let Some(upper) = ["AND", "OR", "NOT"]
            .into_iter()
            .find(|op| op.eq_ignore_ascii_case(word))
        {
            let message =
                format!("`{word}` is a word to look for here; the operator is written {upper}");
            self.findings.warn(at, "lower_case_operator", message);
            return;
        }
        single_quote(at, word, self.findings);
        if word.chars().any(escape::is_hostile) {
            self.findings.warn(
                at,
                "invisible_character",
                "the word holds an invisible character",
            );
        }
        value::wildcard(word, at, self.findings);
        if word.starts_with([':', '=', '<', '>']) {
            let message =
                "the operator stands apart from its property; write them without a space between";
            self.findings.warn(at, "space_before_operator", message);
        } else if let Some(sign) = word.chars().find(|c| DROPPED.contains(*c)) {
            let message = format!(
                "`{}` holds `{sign}`, which the service drops from a word or refuses; put it in quotation marks",
                escape::clipped(word, 60)
            );
            self.findings.warn(at, "dropped_characters", message);
        }
    }

    fn clause(&mut self, at: usize, name: &str, comparison: Comparison) {
        let property = Property::known(name);
        if property.is_none() {
            self.findings
                .error(at, "unknown_property", value::unknown(name));
        }
        let lower = name.to_ascii_lowercase();
        let start = self.at;
        let rest = self.rest();
        let value = match rest.chars().next() {
            None => {
                let message = format!("`{lower}` has no value");
                self.findings.error(at, "missing_value", message);
                return;
            }
            Some(c) if c.is_whitespace() => {
                self.push(at, Kind::Hollow);
                return;
            }
            Some('(') => {
                let message = format!(
                    "one value after `{lower}` is documented; write the property before each value"
                );
                self.findings.warn(start, "grouped_values", message);
                self.push(at, Kind::Scope(lower));
                return;
            }
            Some('"') => Value::Phrase(self.phrase()),
            Some(c) if CURLY.contains(&c) => {
                let message = format!(
                    "`{c}` is no quotation mark here and makes no phrase; write \" instead"
                );
                self.findings.error(start, "curly_quotes", message);
                self.at += c.len_utf8();
                return;
            }
            Some(_) => {
                // A message id may hold quotation marks, and white space within its brackets.
                let id = property == Some(Property::MessageId);
                let ends = |c: char| ends_word(c) && !(id && c == '"');
                let bracketed = rest
                    .find('>')
                    .map(|at| at + 1)
                    .filter(|_| id && rest.starts_with('<'));
                let end = bracketed.or_else(|| rest.find(ends)).unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                self.at += word.len();
                if word.is_empty() {
                    let message = format!("`{lower}` has no value");
                    self.findings.error(at, "missing_value", message);
                    return;
                }
                single_quote(start, word, self.findings);
                match word
                    .split_once("..")
                    .filter(|_| property.is_some_and(Property::ranges))
                {
                    Some((from, to)) => Value::Range(from.to_owned(), to.to_owned()),
                    None => Value::Word(word.to_owned()),
                }
            }
        };
        if let Some(property) = property {
            if property == Property::MessageId {
                let message = "message ids are not among the documented properties, so that finding nothing would prove nothing; ask for the sender, the subject and the day instead";
                self.findings
                    .unclear(at, "message_id_not_searchable", message);
            }
            value::check(property, &lower, comparison, &value, start, self.findings);
        }
        self.push(at, Kind::Clause(lower, comparison, value));
    }
}

fn single_quote(at: usize, word: &str, findings: &mut Findings) {
    if word.starts_with(['\'', '‘', '‚']) {
        let message = "single quotation marks make no phrase; write \" instead";
        findings.warn(at, "single_quotes", message);
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "()\"".contains(c) || CURLY.contains(&c)
}

/// A property name and the operator right after it; the length of both.
fn operator(word: &str) -> Option<(&str, Comparison, usize)> {
    let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let (name, rest) = word.split_at(end);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let (comparison, length) = [
        ("<>", Comparison::NotEqual),
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        (":", Comparison::Contains),
        ("=", Comparison::Equal),
    ]
    .into_iter()
    .find(|(sign, _)| rest.starts_with(sign))
    .map(|(sign, comparison)| (comparison, sign.len()))?;
    Some((name, comparison, end + length))
}
