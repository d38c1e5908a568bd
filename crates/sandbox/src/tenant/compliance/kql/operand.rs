//! What stands behind a property's operator, read as the property wants it.

use super::{
    KqlError, Node, Property,
    parse::{Read, fail},
    value::{Compare, DateRange, NumberRange, Text, When, words},
};

/// What a property is compared with, before its kind is known.
pub(super) struct Operand {
    pub text: String,
    pub quoted: bool,
    pub star: bool,
}

/// A property's value, read as the property wants it.
pub(super) fn value(property: Property, compare: Compare, operand: &Operand) -> Read<Node> {
    if property.is_date() {
        return Ok(dates(property, compare, &operand.text)?
            .map_or(Node::Nothing, |range| Node::Date(property, range)));
    }
    if property == Property::Size {
        return sizes(compare, &operand.text).map(Node::Size);
    }
    if compare.is_order() {
        return fail("Only dates and numbers have an order.");
    }
    let text = text(operand)?;
    let node = if text.raw.is_empty() {
        Node::Nothing
    } else {
        Node::Property(property, text)
    };
    Ok(if compare == Compare::Not {
        Node::Not(Box::new(node))
    } else {
        node
    })
}

pub(super) fn text(operand: &Operand) -> Read<Text> {
    let inner = operand.text.trim();
    let (body, star) = match inner.strip_suffix('*') {
        Some(body) => (body, true),
        None => (inner, operand.star),
    };
    if body.contains('*') {
        return fail("A wildcard may only stand at the end of a word.");
    }
    if star && body.chars().filter(|c| c.is_alphanumeric()).count() < 3 {
        return fail("A wildcard needs three characters before it.");
    }
    Ok(Text {
        words: words(body),
        raw: body.to_lowercase(),
        prefix: star,
    })
}

/// Dates; `None` when a value without order isn't a date and so finds nothing.
fn dates(property: Property, compare: Compare, text: &str) -> Read<Option<DateRange>> {
    let read = |text: &str| {
        if text.is_empty() {
            Some(None)
        } else {
            When::read(text).map(Some)
        }
    };
    let range = match text.split_once("..") {
        Some((from, to)) if !(compare.is_order() || from.is_empty() && to.is_empty()) => read(from)
            .zip(read(to))
            .map(|(from, to)| DateRange { compare, from, to }),
        Some(_) => None,
        None => When::read(text).map(|at| DateRange {
            compare,
            from: Some(at),
            to: Some(at),
        }),
    };
    if range.is_none() && compare.is_order() {
        return fail(format!("{property:?} needs a date, not '{text}'."));
    }
    Ok(range)
}

fn sizes(compare: Compare, text: &str) -> Read<NumberRange> {
    let wrong = || KqlError(format!("Size needs a number of bytes, not '{text}'."));
    let read = |text: &str| {
        if text.is_empty() {
            Some(None)
        } else {
            text.parse::<u64>().ok().map(Some)
        }
    };
    let (from, to) = match text.split_once("..") {
        Some((from, to)) if !(compare.is_order() || from.is_empty() && to.is_empty()) => {
            read(from).zip(read(to)).ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
        None => {
            let number = text.parse().map_err(|_| wrong())?;
            (Some(number), Some(number))
        }
    };
    Ok(NumberRange { compare, from, to })
}
