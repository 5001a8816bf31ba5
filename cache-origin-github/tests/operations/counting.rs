//! The routes by which requests are counted.

use crate::description::{OPERATIONS, filled};
use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn requests_are_counted_by_the_routes_of_all_operations() {
    let routes = OPERATIONS.iter().map(|operation| {
        let route = filled(operation.template, |_parameter| "*".to_owned());
        // A segment with several parameters is one that may be anything.
        route.replace("*...*", "*")
    });
    let routes: BTreeSet<String> = routes.chain(["/graphql".to_owned()]).collect();
    let text: String = routes.into_iter().map(|route| route + "\n").collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/usage/routes.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let told = fs::read_to_string(&file).unwrap();
    assert!(told == text, "src/usage/routes.txt is not as the operations are; bless it with BLESS=1");
}
