//! The property filters of the Get- cmdlets, as far as text and booleans are compared:
//! `(RecipientTypeDetails -eq 'UserMailbox') -and (Alias -ne 'Admin')`.

use serde_json::Value;

use crate::cmdlet::{Cell, Row};

/// How deep brackets may nest.
const DEPTH: usize = 32;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Both.
    And(Box<Self>, Box<Self>),
    /// Either.
    Or(Box<Self>, Box<Self>),
    /// Not.
    Not(Box<Self>),
    /// A property equals a text, letter case ignored; `*` at either end with `-like`.
    Is {
        /// The property.
        property: String,
        /// The text.
        text: String,
        /// Whether `*` is a wildcard.
        like: bool,
    },
}

impl Condition {
    /// Whether a row satisfies it. A property that a row does not have is empty.
    pub fn matches(&self, row: &Row) -> bool {
        match self {
            Self::And(left, right) => left.matches(row) && right.matches(row),
            Self::Or(left, right) => left.matches(row) || right.matches(row),
            Self::Not(inner) => !inner.matches(row),
            Self::Is {
                property,
                text,
                like,
            } => values(row, property)
                .iter()
                .any(|value| fits(value, text, *like)),
        }
    }
}

fn fits(value: &str, text: &str, like: bool) -> bool {
    let (value, text) = (value.to_lowercase(), text.to_lowercase());
    if !like {
        return value == text;
    }
    match (text.strip_prefix('*'), text.strip_suffix('*')) {
        (Some(rest), Some(_)) => value.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(end), None) => value.ends_with(end),
        (None, Some(start)) => value.starts_with(start),
        (None, None) => value == text,
    }
}

fn values(row: &Row, property: &str) -> Vec<String> {
    let cell = row
        .0
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(property));
    match cell.map(|(_, cell)| cell) {
        None | Some(Cell::Plain(Value::Null)) => vec![String::new()],
        Some(Cell::Plain(Value::String(text))) => vec![text.clone()],
        Some(Cell::Plain(value)) => vec![value.to_string()],
        Some(Cell::Guid(id)) => vec![id.to_string()],
        Some(Cell::Int16(number)) => vec![number.to_string()],
        Some(Cell::Int32(number)) => vec![number.to_string()],
        Some(Cell::Utc(at) | Cell::Local(at)) => vec![at.to_string()],
        Some(Cell::List(values)) => values.clone(),
    }
}

/// Reads a filter; the problem in words when it is none.
pub fn parse(text: &str) -> Result<Condition, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        place: 0,
    };
    let condition = parser.any(0)?;
    match parser.tokens.get(parser.place) {
        None => Ok(condition),
        Some(token) => Err(format!("unexpected '{}'", token.text())),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Open => "(",
            Self::Close => ")",
            Self::Word(text) | Self::Text(text) => text,
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or("");
        match first {
            '(' | ')' => {
                tokens.push(if first == '(' {
                    Token::Open
                } else {
                    Token::Close
                });
                rest = after;
            }
            '\'' | '"' => {
                let (inside, behind) = after
                    .split_once(first)
                    .ok_or_else(|| "a quote is not closed".to_owned())?;
                tokens.push(Token::Text(inside.to_owned()));
                rest = behind;
            }
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'' | '"'))
                    .unwrap_or(rest.len());
                let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
                tokens.push(Token::Word(word.to_owned()));
                rest = behind;
            }
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    place: usize,
}

impl Parser<'_> {
    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.place), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.place += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Condition, String> {
        let mut left = self.all(depth)?;
        while self.word("-or") {
            left = Condition::Or(Box::new(left), Box::new(self.all(depth)?));
        }
        Ok(left)
    }

    fn all(&mut self, depth: usize) -> Result<Condition, String> {
        let mut left = self.one(depth)?;
        while self.word("-and") {
            left = Condition::And(Box::new(left), Box::new(self.one(depth)?));
        }
        Ok(left)
    }

    fn one(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > DEPTH {
            return Err("brackets nest too deep".to_owned());
        }
        if self.word("-not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.tokens.get(self.place) == Some(&Token::Open) {
            self.place += 1;
            let inner = self.any(depth + 1)?;
            if self.tokens.get(self.place) != Some(&Token::Close) {
                return Err("a bracket is not closed".to_owned());
            }
            self.place += 1;
            return Ok(inner);
        }
        let mut next = || {
            let token = self
                .tokens
                .get(self.place)
                .map(|token| token.text().to_owned());
            self.place += 1;
            token.ok_or_else(|| "the filter ends too early".to_owned())
        };
        let (property, operator, value) = (next()?, next()?, next()?);
        let text = value.strip_prefix('$').unwrap_or(&value).to_owned();
        let text = if text.eq_ignore_ascii_case("null") {
            String::new()
        } else {
            text
        };
        let is = |like| Condition::Is {
            property: property.clone(),
            text: text.clone(),
            like,
        };
        match operator.to_lowercase().as_str() {
            "-eq" => Ok(is(false)),
            "-ne" => Ok(Condition::Not(Box::new(is(false)))),
            "-like" => Ok(is(true)),
            "-notlike" => Ok(Condition::Not(Box::new(is(true)))),
            other => Err(format!("'{other}' is not an operator")),
        }
    }
}
