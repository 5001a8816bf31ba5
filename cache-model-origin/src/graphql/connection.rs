//! Connections: a page of a list, by cursors.

use super::object::{Arguments, Failure, Seed, fields};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The page of `items` that is asked for, as a connection of this type. `more` has further fields of it.
pub(super) fn connection(
    type_name: &str,
    items: &[Seed],
    more: &Value,
    arguments: &Arguments,
) -> Result<Seed, Failure> {
    let (start, end) = bounds(items.len(), arguments)?;
    let page = &items[start..end];
    let mut plain = json!({
        "totalCount": items.len(),
        "pageInfo": {
            "__typename": "PageInfo", "hasNextPage": end < items.len(), "hasPreviousPage": start > 0,
            "startCursor": (!page.is_empty()).then(|| cursor(start + 1)),
            "endCursor": (!page.is_empty()).then(|| cursor(end)),
        },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        plain[name] = value.clone();
    }
    let edge = type_name.replace("Connection", "Edge");
    let edges = page.iter().enumerate().map(|(at, node)| {
        let plain = fields(json!({ "cursor": cursor(start + at + 1) }));
        Seed::Made(edge.clone(), plain, BTreeMap::from([("node", node.clone())]))
    });
    let seeds =
        BTreeMap::from([("edges", Seed::List(edges.collect())), ("nodes", Seed::List(page.to_vec()))]);
    Ok(Seed::Made(type_name.to_owned(), fields(plain), seeds))
}

/// Where the page begins, and where it ends.
fn bounds(total: usize, arguments: &Arguments) -> Result<(usize, usize), Failure> {
    let field = &arguments.field;
    let size = |name: &str| match arguments.number(name) {
        None => Ok(None),
        Some(size @ 0..=100) => Ok(usize::try_from(size).ok()),
        Some(size) => Err(Failure::new(
            "EXCESSIVE_PAGINATION",
            format!(
                "Requesting {size} records on the `{field}` connection exceeds the `{name}` limit of 100 records."
            ),
        )),
    };
    let (first, last) = (size("first")?, size("last")?);
    if first.is_none() && last.is_none() && arguments.asks_for_nodes {
        let message = format!(
            "You must provide a `first` or `last` value to properly paginate the `{field}` connection."
        );
        return Err(Failure::new("MISSING_PAGINATION_BOUNDARIES", message));
    }
    let start = position(arguments.text("after"))?.unwrap_or(0).min(total);
    let end = position(arguments.text("before"))?.map_or(total, |before| before.saturating_sub(1));
    let end = end.clamp(start, total);
    Ok(match (first, last) {
        (Some(first), _) => (start, end.min(start + first)),
        (None, Some(last)) => (start.max(end.saturating_sub(last)), end),
        (None, None) => (start, start),
    })
}

/// The cursor of the item at `position`, counted from 1.
fn cursor(position: usize) -> String {
    BASE64_STANDARD.encode(format!("cursor:{position}"))
}

/// The position that a cursor stands for, if there is one.
fn position(cursor: &str) -> Result<Option<usize>, Failure> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let text = BASE64_STANDARD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = text.as_deref().and_then(|text| text.strip_prefix("cursor:")?.parse().ok());
    let message = || format!("`{cursor}` does not appear to be a valid cursor.");
    position.map(Some).ok_or_else(|| Failure::new("INVALID_CURSOR_ARGUMENTS", message()))
}
