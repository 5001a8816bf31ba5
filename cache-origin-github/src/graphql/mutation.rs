//! Which repositories a mutation is about, as far as the ids tell that it names.

use super::{
    cover::{value_of, with_defaults},
    document::{Document, text_of},
    query::Asked,
};
use apollo_parser::cst;
use serde_json::Value;

/// The ids of all things that the mutation in `body` may change; `None` if that cannot be told.
pub(super) fn ids_of(body: &[u8]) -> Option<Vec<String>> {
    let asked: Asked<'_> = serde_json::from_slice(body).ok()?;
    let document = Document::read(&asked.query)?;
    let operation = document.operation(asked.operation())?;
    let given = asked
        .variables
        .map_or(Some(serde_json::Map::new()), |given| serde_json::from_str(given.get()).ok())?;
    let variables = with_defaults(operation, &given)?;
    let mut ids = Vec::new();
    for selection in operation.selection_set()?.selections() {
        // What a fragment does at the root is not looked into.
        let cst::Selection::Field(field) = selection else { return None };
        let before = ids.len();
        for argument in field.arguments()?.arguments() {
            gather(&text_of(&argument.name()?)?, &value_of(&argument.value()?, &variables)?, &mut ids)?;
        }
        if ids.len() == before {
            return None;
        }
    }
    (!ids.is_empty() && ids.len() <= IDS_MAX).then_some(ids)
}

/// The strings in `value`, given for `name`, that are ids by the names of their members; `None` if one names something in
/// another way.
fn gather(name: &str, value: &Value, ids: &mut Vec<String>) -> Option<()> {
    match value {
        Value::String(id) if is_of_subject(name) => ids.push(id.clone()),
        Value::String(_) if NAMING.iter().any(|end| name.ends_with(end)) => return None,
        Value::Array(items) => return items.iter().try_for_each(|item| gather(name, item, ids)),
        Value::Object(members) => {
            return members.iter().try_for_each(|(name, value)| gather(name, value, ids));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Some(())
}

/// Whether a member called `name` names something that is changed, or where.
fn is_of_subject(name: &str) -> bool {
    let is_id = name == "id" || name.ends_with("Id") || name.ends_with("Ids") || name.ends_with("ID");
    is_id && !OF_PARTS.contains(&name)
}

/// Members that name what is put onto something, which is named besides: it is of the same repository, or of none.
const OF_PARTS: [&str; 7] =
    ["actorIds", "assigneeIds", "clientMutationId", "labelIds", "milestoneId", "teamIds", "userIds"];
/// How members end that name something by its address or its name.
const NAMING: [&str; 5] = ["Url", "NameWithOwner", "repositoryName", "inReplyTo", "reviewers"];
/// Most ids that are looked up; GitHub's mutations name one or two.
const IDS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str, variables: &str) -> Option<Vec<String>> {
        let query = serde_json::to_string(query).unwrap();
        ids_of(format!(r#"{{"query":{query},"variables":{variables}}}"#).as_bytes())
    }

    #[test]
    fn a_mutation_is_about_the_ids_that_it_names_and_not_about_what_it_puts_there() {
        let by_input = "mutation M($input: X!) { m(input: $input) { clientMutationId } }";
        let table = [
            (by_input, r#"{"input":{"issueId":"I_1","clientMutationId":"x"}}"#, Some(vec!["I_1"])),
            (by_input, r#"{"input":{"repositoryId":"R_1","title":"t","labelIds":["L"]}}"#, Some(vec!["R_1"])),
            (by_input, r#"{"input":{"issueId":"I_1","repositoryId":"R_2"}}"#, Some(vec!["I_1", "R_2"])),
            (by_input, r#"{"input":{"title":"I_1"}}"#, None),
            (by_input, "{}", None),
            (r#"mutation { closeIssue(input: {issueId: "I_2"}) { issue { id } } }"#, "{}", Some(vec!["I_2"])),
            (
                r#"mutation { a(input: {id: "I_2"}) { x } b(id: "I_3") { x } }"#,
                "{}",
                Some(vec!["I_2", "I_3"]),
            ),
            ("mutation {", "{}", None),
        ];
        for (query, variables, expected) in table {
            let expected = expected.map(|ids| ids.into_iter().map(str::to_owned).collect());
            assert_eq!(ids(query, variables), expected, "{query} {variables}");
        }
        let many = format!(r#"{{"input":{{"nodeIds":[{}"x"]}}}}"#, "\"x\",".repeat(IDS_MAX));
        assert_eq!(ids(by_input, &many), None);
        assert_eq!(ids_of(b"no JSON"), None);
    }
}
