//! Repositories, accounts, and what belongs to a repository as a whole.

use super::{
    super::{
        repository::{Named, RELEASES, Repository, View},
        subject::{self, LABELS, PULLS, State, Subject},
    },
    connection::connection,
    object::{Arguments, Failure, Scene, Seed, fields, texts},
    query::ORGANIZATION,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl Scene<'_> {
    pub(super) fn describe_repository(&self, view: &View) -> Map<String, Value> {
        let rest = view.describe();
        let is_owner = self.asker.account().is_some_and(|account| account.sees_private(u32::MAX - 1));
        let mut plain = json!({
            "__typename": "Repository", "id": rest["node_id"], "databaseId": rest["id"], "name": rest["name"],
            "nameWithOwner": rest["full_name"], "description": rest["description"], "url": rest["html_url"],
            "isPrivate": view.private, "visibility": if view.private { "PRIVATE" } else { "PUBLIC" },
            "createdAt": rest["created_at"], "updatedAt": rest["updated_at"], "pushedAt": rest["pushed_at"],
            "stargazerCount": rest["stargazers_count"], "forkCount": rest["forks_count"],
            "diskUsage": rest["size"], "homepageUrl": null, "mirrorUrl": null, "parent": null,
            "templateRepository": null, "codeOfConduct": null, "securityPolicyUrl": null,
            "viewerDefaultCommitEmail": null, "viewerDefaultMergeMethod": "MERGE", "viewerSubscription": "UNSUBSCRIBED",
            "sshUrl": format!("git@github.com:{}.git", view.repository.full_name()),
            "openGraphImageUrl": format!("https://opengraph.githubassets.com/1/{}", view.repository.full_name()),
            "viewerPermission": if is_owner { "WRITE" } else { "READ" },
            "licenseInfo": {
                "__typename": "License", "id": "L_mit", "key": "mit", "name": "MIT License", "nickname": null,
                "spdxId": "MIT",
            },
            "primaryLanguage": language("Rust"),
        });
        let yes = [
            "hasIssuesEnabled",
            "isBlankIssuesEnabled",
            "isInOrganization",
            "mergeCommitAllowed",
            "rebaseMergeAllowed",
            "squashMergeAllowed",
        ];
        let no = [
            "deleteBranchOnMerge",
            "hasDiscussionsEnabled",
            "hasProjectsEnabled",
            "hasWikiEnabled",
            "isArchived",
            "isMirror",
            "isSecurityPolicyEnabled",
            "isUserConfigurationRepository",
            "usesCustomOpenGraphImage",
            "isEmpty",
            "isFork",
            "isTemplate",
            "viewerCanAdminister",
            "viewerHasStarred",
        ];
        yes.into_iter().for_each(|name| plain[name] = true.into());
        no.into_iter().for_each(|name| plain[name] = false.into());
        let none = [
            "contactLinks",
            "fundingLinks",
            "issueTemplates",
            "pullRequestTemplates",
            "viewerPossibleCommitEmails",
        ];
        none.into_iter().for_each(|name| plain[name] = json!([]));
        fields(plain)
    }

    pub(super) fn repository_field(
        &self,
        view: &View,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Seed, Failure> {
        let page = |type_name: &str, items: Vec<Seed>| connection(type_name, &items, &Value::Null, arguments);
        match name {
            "assignableUsers" | "mentionableUsers" => page("UserConnection", accounts(["alice", "bob"])),
            "defaultBranchRef" => Ok(Seed::Ref(*view, "main".to_owned())),
            "issue" | "issueOrPullRequest" | "pullRequest" => self.numbered(view, name, arguments),
            "issues" => page("IssueConnection", self.things(view, false, arguments)),
            "label" => {
                let name = arguments.text("name");
                Ok(Seed::or_null(LABELS.contains(&name).then(|| label(view, name))))
            }
            "labels" => {
                let query = arguments.text("query");
                let mut names: Vec<&str> = LABELS.into_iter().filter(|name| name.contains(query)).collect();
                if arguments.get("orderBy")["direction"] == "DESC" {
                    names.reverse();
                }
                page("LabelConnection", names.into_iter().map(|name| label(view, name)).collect())
            }
            "languages" => {
                let more = json!({ "totalSize": 1020 + view.revision });
                connection(
                    "LanguageConnection",
                    &[Seed::Plain(language("Rust")), Seed::Plain(language("Shell"))],
                    &more,
                    arguments,
                )
            }
            "latestRelease" => Ok(Seed::or_null(self.release(view, RELEASES))),
            "milestones" => page("MilestoneConnection", Vec::new()),
            "object" => Ok(self.object(view, arguments)),
            "owner" => Ok(Seed::Account(ORGANIZATION.to_owned())),
            "pullRequests" => page("PullRequestConnection", self.things(view, true, arguments)),
            "projects" => page("ProjectConnection", Vec::new()),
            "ref" => {
                let branch =
                    arguments.text("qualifiedName").trim_start_matches("refs/").trim_start_matches("heads/");
                let pull = branch.strip_prefix("topic-").and_then(|number| number.parse().ok());
                let exists = branch == "main" || pull.is_some_and(|number| (1..=PULLS).contains(&number));
                Ok(Seed::or_null(exists.then(|| Seed::Ref(*view, branch.to_owned()))))
            }
            "release" => {
                let number =
                    arguments.text("tagName").strip_prefix("v1.").and_then(|number| number.parse().ok());
                Ok(Seed::or_null(number.and_then(|number| self.release(view, number))))
            }
            "releases" => {
                let mut releases: Vec<Seed> =
                    (1..=RELEASES).filter_map(|number| self.release(view, number)).collect();
                if arguments.get("orderBy")["direction"] != "ASC" {
                    releases.reverse();
                }
                page("ReleaseConnection", releases)
            }
            "repositoryTopics" => page("RepositoryTopicConnection", Vec::new()),
            "watchers" => page("UserConnection", Vec::new()),
            _other => Ok(Seed::NULL),
        }
    }

    /// The issue, or pull request, or either, with the number that is asked for.
    fn numbered(&self, view: &View, name: &str, arguments: &Arguments) -> Result<Seed, Failure> {
        let number = arguments.number("number").unwrap_or_default();
        let subject = u64::try_from(number).ok().and_then(|number| self.world.borrow().subject(view, number));
        let (kind, subject) = match name {
            "issue" => ("an Issue", subject.filter(|subject| !subject.is_pull())),
            "pullRequest" => ("a PullRequest", subject.filter(Subject::is_pull)),
            _either => ("an issue or pull request", subject),
        };
        let missing = || Failure::not_found(&format!("{kind} with the number of {number}"));
        subject.map(|subject| Seed::Subject(*view, Box::new(subject))).ok_or_else(missing)
    }

    /// The issues, or the pull requests, that the filters let pass, in the order that is asked for.
    fn things(&self, view: &View, are_pulls: bool, arguments: &Arguments) -> Vec<Seed> {
        let filter = arguments.get("filterBy");
        let states: Vec<&str> = texts(arguments.get("states")).chain(texts(&filter["states"])).collect();
        let labels: Vec<&str> = texts(arguments.get("labels")).chain(texts(&filter["labels"])).collect();
        let author = filter["createdBy"].as_str();
        // Nobody is assigned to anything, or mentioned.
        let is_of_nobody = filter["assignee"].is_string() || filter["mentioned"].is_string();
        let (head, base) = (arguments.get("headRefName").as_str(), arguments.get("baseRefName").as_str());
        let mut kept = self.world.borrow().subjects(view, are_pulls);
        kept.retain(|subject| {
            subject.is_pull() == are_pulls
                && !is_of_nobody
                && (states.is_empty() || states.contains(&state(subject)))
                && labels.iter().all(|name| subject.labels.iter().any(|label| label == name))
                && author.is_none_or(|login| login == subject.author)
                && head.is_none_or(|head| head == subject.head())
                && base.is_none_or(|base| base == subject.base)
        });
        let order = arguments.get("orderBy");
        match order["field"].as_str() {
            Some("UPDATED_AT") => kept.sort_by_key(|subject| std::cmp::Reverse(subject.updated_at(view))),
            Some("COMMENTS") => kept.sort_by_key(|subject| std::cmp::Reverse(subject.comments.len())),
            _by_birth => {}
        }
        if order["direction"] != "DESC" {
            kept.reverse();
        }
        kept.into_iter().map(|subject| Seed::Subject(*view, Box::new(subject))).collect()
    }

    pub(super) fn release(&self, view: &View, number: u64) -> Option<Seed> {
        let rest = (1..=RELEASES).contains(&number).then(|| view.release(number))?;
        let plain = json!({
            "id": rest["node_id"], "databaseId": rest["id"], "name": rest["name"], "tagName": rest["tag_name"],
            "description": rest["body"], "isDraft": rest["draft"], "isPrerelease": rest["prerelease"],
            "isLatest": number == RELEASES, "createdAt": rest["created_at"], "publishedAt": rest["published_at"],
            "url": rest["html_url"],
        });
        let seeds = BTreeMap::from([("author", Seed::Account("alice".to_owned()))]);
        Some(Seed::Made("Release".to_owned(), fields(plain), seeds))
    }

    pub(super) fn account_field(
        &self,
        login: &str,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Seed, Failure> {
        let is_owner = login == ORGANIZATION;
        match name {
            "repositories" => {
                let names = (0..10).map(|number| format!("secret-{number}"));
                let names = names.chain((0..100).map(|number| format!("widget-{number}")));
                let views = names.filter(|_| is_owner).filter_map(|name| self.named(&name));
                let privacy = arguments.get("privacy").as_str();
                let views =
                    views.filter(|view| privacy.is_none_or(|privacy| (privacy == "PRIVATE") == view.private));
                let views = views.filter(|_| arguments.get("isFork") != true);
                connection(
                    "RepositoryConnection",
                    &views.map(Seed::Repository).collect::<Vec<_>>(),
                    &Value::Null,
                    arguments,
                )
            }
            "repository" => {
                let view = self.named(arguments.text("name")).filter(|_| is_owner);
                Ok(Seed::or_null(view.map(Seed::Repository)))
            }
            _other => Ok(Seed::NULL),
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<View> {
        match Repository::named(ORGANIZATION, name) {
            Named::Here(repository) | Named::Moved(repository) => self.view(repository),
            Named::Nothing => None,
        }
    }
}

/// What GraphQL calls the state of an issue or pull request.
pub(super) fn state(subject: &Subject) -> &'static str {
    match subject.state {
        State::Open | State::Reopened => "OPEN",
        State::Closed | State::NotPlanned => "CLOSED",
        State::Merged => "MERGED",
    }
}

pub(super) fn label(view: &View, name: &str) -> Seed {
    let rest = subject::label(view, name);
    Seed::Plain(json!({
        "__typename": "Label", "id": rest["node_id"], "name": name, "color": rest["color"],
        "description": rest["description"], "isDefault": rest["default"], "createdAt": null,
        "url": format!("https://github.com/{}/labels/{name}", view.repository.full_name()),
    }))
}

fn language(name: &str) -> Value {
    json!({ "__typename": "Language", "id": format!("LN_{name}"), "name": name, "color": "#dea584" })
}

pub(super) fn accounts<'a>(logins: impl IntoIterator<Item = &'a str>) -> Vec<Seed> {
    logins.into_iter().map(|login| Seed::Account(login.to_owned())).collect()
}
