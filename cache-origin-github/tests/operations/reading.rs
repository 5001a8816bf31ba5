//! Paths as they are read: one normal form, and the same as what a write to them touches.

use crate::description::{GITHUB, filled, is_name, reads, touched};
use cache_origin_github::Plan;
use http::Request;
use proptest::prelude::*;

/// The resource under which an answer to `path` is filed, if it is.
fn resource(path: &str) -> Option<String> {
    let (parts, ()) = Request::get(path).body(()).unwrap().into_parts();
    let mut text = String::new();
    match GITHUB.plan(&parts, &mut text) {
        Plan::Cached(_) => Some(text),
        Plan::Body | Plan::Pass(_) => None,
    }
}

/// `template` filled with `values` in their order, names in the form that `name` gives them.
fn path(template: &str, values: &[String], name: impl Fn(&str) -> String) -> String {
    let mut next = values.iter().cycle();
    filled(template, |parameter| {
        let value = next.next().unwrap();
        if is_name(parameter) { name(value) } else { value.clone() }
    })
}

fn values() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-zA-Z][a-zA-Z0-9.-]{0,6}[A-Z]", 8)
}

proptest! {
    // Each case walks a thousand paths.
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn capitals_of_names_make_no_other_resource_and_all_others_do(values in values()) {
        let mut faults = Vec::new();
        for operation in reads() {
            let given = resource(&path(operation.template, &values, str::to_owned));
            let lower = path(operation.template, &values, str::to_ascii_lowercase);
            let is_filed_so = |resource: &String| resource.starts_with(&format!("api.github.com{lower} "));
            if !given.as_ref().is_none_or(is_filed_so) {
                faults.push(format!("{lower} is filed as {given:?}"));
            }
        }
        prop_assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn what_is_written_to_is_forgotten_as_it_is_read(values in values(), enterprise in any::<bool>()) {
        let root = if enterprise { "/api/v3" } else { "" };
        let mut faults = Vec::new();
        for operation in reads() {
            let Some(resource) = resource(&path(operation.template, &values, str::to_ascii_lowercase)) else {
                continue;
            };
            let capitals = path(operation.template, &values, str::to_ascii_uppercase);
            let filed = resource.strip_prefix("api.github.com").unwrap();
            if !touched("PUT", &format!("{root}{capitals}")).forgets(filed) {
                faults.push(format!("PUT {capitals} leaves {resource}"));
            }
        }
        prop_assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
