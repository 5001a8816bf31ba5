//! Issues and pull requests, their comments and reviews.

use super::{
    super::{
        repository::{View, at},
        subject::{ReviewState, Ruling, State, Subject},
    },
    connection::connection,
    object::{Arguments, Failure, Scene, Seed, fields, texts},
    query::ORGANIZATION,
    repository::{accounts, label, state},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl Scene<'_> {
    pub(super) fn describe_subject(&self, view: &View, subject: &Subject) -> Map<String, Value> {
        let closed_at = subject.closed_at(view);
        let (id, body) = (subject.issue_id(view), subject.body.as_deref().unwrap_or_default());
        let mut plain = json!({
            "__typename": if subject.is_pull() { "PullRequest" } else { "Issue" }, "id": subject.node_id(view),
            "databaseId": id, "fullDatabaseId": id.to_string(), "number": subject.number,
            "title": subject.title(view), "body": body, "bodyText": body, "state": state(subject),
            "url": subject.html_url(view), "createdAt": at(0), "updatedAt": subject.updated_at(view),
            "closed": closed_at.is_some(), "closedAt": closed_at, "authorAssociation": "MEMBER",
            "includesCreatedEdit": false, "locked": false, "milestone": null, "reactionGroups": reactions(),
            "viewerCanUpdate": self.is_asker(&subject.author) || self.is_asker("alice"),
            "viewerDidAuthor": self.is_asker(&subject.author), "viewerSubscription": "UNSUBSCRIBED",
        });
        if !subject.is_pull() {
            plain["isPinned"] = false.into();
            plain["stateReason"] = match subject.state {
                State::Open | State::Merged => Value::Null,
                State::Reopened => "REOPENED".into(),
                State::Closed => "COMPLETED".into(),
                State::NotPlanned => "NOT_PLANNED".into(),
            };
            return fields(plain);
        }
        let id = subject.pull_id(view);
        let is_merged = subject.state == State::Merged;
        let merge_state = if is_merged {
            "UNKNOWN"
        } else if subject.is_draft {
            "DRAFT"
        } else {
            "CLEAN"
        };
        let more = json!({
            "databaseId": id, "fullDatabaseId": id.to_string(), "isDraft": subject.is_draft,
            "headRefName": subject.head(), "headRefOid": subject.tip(view), "baseRefName": subject.base,
            "baseRefOid": view.tip(), "isCrossRepository": false, "maintainerCanModify": false,
            "merged": is_merged, "mergedAt": closed_at.filter(|_| is_merged),
            "mergeable": if is_merged { "UNKNOWN" } else { "MERGEABLE" }, "mergeStateStatus": merge_state,
            "reviewDecision": decision(subject), "autoMergeRequest": null,
            "additions": subject.number, "deletions": 1, "changedFiles": 2, "isInMergeQueue": false,
            "isMergeQueueEnabled": false, "potentialMergeCommit": null, "viewerCanMergeAsAdmin": false,
        });
        let mut plain = fields(plain);
        plain.extend(fields(more));
        plain
    }

    pub(super) fn subject_field(
        &self,
        view: &View,
        subject: &Subject,
        name: &str,
        arguments: &Arguments,
    ) -> Result<Seed, Failure> {
        let page = |type_name: &str, items: Vec<Seed>| connection(type_name, &items, &Value::Null, arguments);
        let branch = |name: &str| Seed::Ref(*view, name.to_owned());
        match name {
            "assignees" => page("UserConnection", Vec::new()),
            "author" => Ok(Seed::Account(subject.author.clone())),
            "baseRef" => Ok(branch(&subject.base)),
            "closingIssuesReferences" => page("IssueConnection", Vec::new()),
            "comments" => {
                let comments = (0..subject.comments.len()).filter_map(|at| self.comment(view, subject, at));
                page("IssueCommentConnection", comments.collect())
            }
            "commits" => {
                let commits = (0..=subject.pushes).map(|pushes| commit(view, subject, pushes));
                page("PullRequestCommitConnection", commits.collect())
            }
            "files" => page("PullRequestChangedFileConnection", (0..2).map(|at| file(subject, at)).collect()),
            "headRef" => Ok(branch(&subject.head())),
            "headRepository" | "repository" => Ok(Seed::Repository(*view)),
            "headRepositoryOwner" => Ok(Seed::Account(ORGANIZATION.to_owned())),
            "labels" => {
                page("LabelConnection", subject.labels.iter().map(|name| label(view, name)).collect())
            }
            "mergeCommit" => {
                Ok(Seed::or_null(subject.merge_commit(view).map(|commit| Seed::Commit(*view, commit))))
            }
            "mergedBy" => {
                let is_merged = subject.state == State::Merged;
                Ok(Seed::or_null(is_merged.then(|| Seed::Account("alice".to_owned()))))
            }
            "participants" => page("UserConnection", accounts([subject.author.as_str()])),
            "projectCards" => page("ProjectCardConnection", Vec::new()),
            "projectItems" => page("ProjectV2ItemConnection", Vec::new()),
            "latestReviews" | "reviews" => {
                let states: Vec<&str> = texts(arguments.get("states")).collect();
                let asked_for =
                    |at: &usize| states.is_empty() || states.contains(&subject.reviews[*at].state.as_str());
                let reviews = (0..subject.reviews.len()).filter(asked_for);
                page(
                    "PullRequestReviewConnection",
                    reviews.filter_map(|at| self.review(view, subject, at)).collect(),
                )
            }
            "reviewRequests" => page("ReviewRequestConnection", Vec::new()),
            "statusCheckRollup" => Ok(Seed::Rollup(*view, subject.tip(view))),
            _other => Ok(Seed::NULL),
        }
    }

    pub(super) fn comment(&self, view: &View, subject: &Subject, index: usize) -> Option<Seed> {
        let (rest, comment) = (subject.comment_at(view, index)?, subject.comments.get(index)?);
        let plain = json!({
            "id": rest["node_id"], "databaseId": rest["id"], "body": rest["body"], "bodyText": rest["body"],
            "authorAssociation": "MEMBER", "createdAt": rest["created_at"], "updatedAt": rest["updated_at"],
            "includesCreatedEdit": comment.is_edited, "isMinimized": false, "minimizedReason": null,
            "reactionGroups": reactions(), "url": rest["html_url"],
            "viewerDidAuthor": self.is_asker(&comment.author),
        });
        let seeds = BTreeMap::from([("author", Seed::Account(comment.author.clone()))]);
        Some(Seed::Made("IssueComment".to_owned(), fields(plain), seeds))
    }

    pub(super) fn review(&self, view: &View, subject: &Subject, index: usize) -> Option<Seed> {
        let (rest, review) = (subject.review_at(view, index)?, subject.reviews.get(index)?);
        let plain = json!({
            "id": rest["node_id"], "databaseId": rest["id"], "body": rest["body"], "bodyText": rest["body"],
            "state": rest["state"], "authorAssociation": "MEMBER", "createdAt": at(0), "updatedAt": at(0),
            "submittedAt": rest["submitted_at"], "includesCreatedEdit": false, "reactionGroups": reactions(),
            "url": rest["html_url"], "viewerDidAuthor": self.is_asker(&review.author),
        });
        let seeds = BTreeMap::from([
            ("author", Seed::Account(review.author.clone())),
            ("commit", Seed::Commit(*view, subject.commit(view, review.pushes))),
        ]);
        Some(Seed::Made("PullRequestReview".to_owned(), fields(plain), seeds))
    }
}

/// What the reviews come to.
fn decision(subject: &Subject) -> Option<&'static str> {
    let last = subject.reviews.iter().rev().find_map(|review| match review.state {
        ReviewState::Approved => Some(Ruling::Approved),
        ReviewState::ChangesRequested => Some(Ruling::ChangesRequested),
        ReviewState::Commented => None,
    });
    subject.ruling.or(last).map(|ruling| match ruling {
        Ruling::Approved => "APPROVED",
        Ruling::ChangesRequested => "CHANGES_REQUESTED",
        Ruling::ReviewRequired => "REVIEW_REQUIRED",
    })
}

fn commit(view: &View, subject: &Subject, pushes: u64) -> Seed {
    let sha = subject.commit(view, pushes);
    let plain = json!({
        "id": format!("PRC_{}_{sha}", view.repository.id()),
        "url": format!("{}/commits/{sha}", subject.html_url(view)),
    });
    let seeds = BTreeMap::from([("commit", Seed::Commit(*view, sha))]);
    Seed::Made("PullRequestCommit".to_owned(), fields(plain), seeds)
}

fn file(subject: &Subject, at: usize) -> Seed {
    Seed::Plain(json!({
        "__typename": "PullRequestChangedFile", "path": format!("f{at}"), "additions": subject.number,
        "deletions": 1, "changeType": "MODIFIED",
    }))
}

/// All reactions that there are, none of which anybody had.
fn reactions() -> Value {
    let nobody = json!({
        "__typename": "ReactingUserConnection", "totalCount": 0, "nodes": [],
        "pageInfo": { "__typename": "PageInfo", "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null },
    });
    let group = |content: &str| json!({ "__typename": "ReactionGroup", "content": content, "users": nobody });
    ["THUMBS_UP", "THUMBS_DOWN", "LAUGH", "HOORAY", "CONFUSED", "HEART", "ROCKET", "EYES"]
        .into_iter()
        .map(group)
        .collect()
}
