//! The operations, paths made from them, and what writes to these touch.

use cache_core::Scope;
use cache_origin_github::GitHub;
use http::Method;
use std::{collections::BTreeSet, sync::LazyLock};

/// One operation of the API.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    /// Its path with parameters in braces.
    pub(crate) template: &'static str,
}

pub(crate) static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let lines = include_str!("operations.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(method, template)| Operation { method, template })
        .collect()
});

pub(crate) static GITHUB: LazyLock<GitHub> = LazyLock::new(|| GitHub::builder().build().unwrap());

pub(crate) fn reads() -> impl Iterator<Item = Operation> {
    OPERATIONS.iter().copied().filter(|operation| operation.method == "GET")
}

pub(crate) fn writes() -> impl Iterator<Item = Operation> {
    OPERATIONS.iter().copied().filter(|operation| operation.method != "GET")
}

/// The templates of what can be read.
pub(crate) static READABLE: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| reads().map(|operation| operation.template).collect());

/// `template` with each parameter replaced by what `value` gives for its name.
pub(crate) fn filled(template: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').unwrap();
        path.push_str(before);
        path.push_str(&value(name));
        rest = behind;
    }
    path + rest
}

/// A path with each parameter named after itself.
pub(crate) fn sample(template: &str) -> String {
    filled(template, |name| match name {
        // The only values that it has.
        "enablement" => "enable_all".to_owned(),
        _other => name.replace('_', "-"),
    })
}

/// The parameters whose capitals GitHub does not tell apart.
pub(crate) fn is_name(parameter: &str) -> bool {
    matches!(
        parameter,
        "assignee"
            | "enterprise"
            | "org"
            | "organization_id"
            | "owner"
            | "repo"
            | "repo_name"
            | "repo_owner"
            | "target_user"
            | "template_owner"
            | "template_repo"
            | "username"
    )
}

/// How the resources begin that a write touches, without the host.
#[derive(Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Touched {
    pub(crate) forgotten: Vec<String>,
    pub(crate) doubted: Vec<String>,
}

impl Touched {
    pub(crate) fn forgets(&self, resource: &str) -> bool {
        self.forgotten.iter().any(|begin| resource.starts_with(begin))
    }

    pub(crate) fn covers(&self, resource: &str) -> bool {
        self.forgets(resource) || self.doubted.iter().any(|begin| resource.starts_with(begin))
    }
}

pub(crate) fn touched(method: &str, path: &str) -> Touched {
    let method: Method = method.parse().unwrap();
    let reach = GITHUB.touched_by(&method, &path.parse().unwrap());
    assert_eq!(reach.clone().bounded(), reach, "{method} {path} touches more than an invalidation can name");
    let begins = |scopes: Vec<Scope>| {
        let begin = |scope| match scope {
            Scope::Prefix { prefix, domain: None } => {
                prefix.strip_prefix("api.github.com").unwrap().to_owned()
            }
            other => panic!("a write touches {other:?}"),
        };
        scopes.into_iter().map(begin).collect()
    };
    Touched { forgotten: begins(reach.forgotten), doubted: begins(reach.doubted) }
}
