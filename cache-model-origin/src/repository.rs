//! Synthetic repositories: their names and ids, and what the API says about them.

use super::access::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The API's own address, which every URL in an answer begins with until it is rewritten.
pub(super) const API: &str = "https://api.github.com";

/// Issues that every repository starts with, newest last.
pub(super) const ISSUES: u64 = 230;

/// Releases of every repository.
pub(super) const RELEASES: u64 = 12;

/// Workflow runs of every repository.
pub(super) const RUNS: u64 = 75;

/// `acme/widget-N`, public at first, or `acme/secret-N`, private at first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Repository {
    family: Family,
    number: u32,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Family {
    Secret,
    Widget,
}

/// What a path's owner and name lead to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Named {
    /// The repository of that name.
    Here(Repository),
    /// It was renamed to this one.
    Moved(Repository),
    /// There never was one.
    Nothing,
}

impl Repository {
    pub(super) fn named(owner: &str, name: &str) -> Named {
        let parts = name.rsplit_once('-').filter(|_| owner == "acme");
        let Some((family, Ok(number @ 0..10_000))) = parts.map(|(family, n)| (family, n.parse())) else {
            return Named::Nothing;
        };
        match family {
            "oldwidget" => Named::Moved(Self { family: Family::Widget, number }),
            "secret" => Named::Here(Self { family: Family::Secret, number }),
            "widget" => Named::Here(Self { family: Family::Widget, number }),
            _ => Named::Nothing,
        }
    }

    /// By `acme/widget-1`, for tests; panics on any other form.
    pub(super) fn known(full_name: &str) -> Self {
        let (owner, name) = full_name.split_once('/').expect("a repository is owner/name");
        match Self::named(owner, name) {
            Named::Here(repository) => repository,
            Named::Moved(_) | Named::Nothing => panic!("{full_name} is not a repository of the model"),
        }
    }

    pub(super) fn with_id(id: u32) -> Option<Self> {
        let of = |family, number| Some(Self { family, number });
        match id {
            100_000..110_000 => of(Family::Widget, id - 100_000),
            200_000..210_000 => of(Family::Secret, id - 200_000),
            _ => None,
        }
    }

    pub(super) fn id(self) -> u32 {
        match self.family {
            Family::Secret => 200_000 + self.number,
            Family::Widget => 100_000 + self.number,
        }
    }

    pub(super) fn number(self) -> u32 {
        self.number
    }

    pub(super) fn is_born_private(self) -> bool {
        self.family == Family::Secret
    }

    pub(super) fn name(self) -> String {
        match self.family {
            Family::Secret => format!("secret-{}", self.number),
            Family::Widget => format!("widget-{}", self.number),
        }
    }

    pub(super) fn full_name(self) -> String {
        format!("acme/{}", self.name())
    }

    fn url(self) -> String {
        format!("{API}/repos/{}", self.full_name())
    }
}

/// A repository at one revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) repository: Repository,
    /// Counts the changes so far; every body mentions it.
    pub(super) revision: u64,
    pub(super) private: bool,
}

impl View {
    pub(super) fn describe(&self) -> Value {
        let Self { repository, revision, private } = *self;
        let (url, full_name) = (repository.url(), repository.full_name());
        let mut value = json!({
            "id": repository.id(), "node_id": format!("R_{}", repository.id()), "name": repository.name(),
            "full_name": full_name, "private": private,
            "visibility": if private { "private" } else { "public" },
            "owner": owner(), "html_url": format!("https://github.com/{full_name}"), "url": url,
            "description": format!("synthetic repository {}, revision {revision}", repository.name()),
            "fork": false, "default_branch": "main", "archived": false, "disabled": false,
            "stargazers_count": revision, "watchers_count": 0, "forks_count": 0, "size": 1,
            "open_issues_count": ISSUES, "topics": [], "language": "Rust",
            "license": { "key": "mit", "name": "MIT License", "spdx_id": "MIT", "url": format!("{API}/licenses/mit") },
            "permissions": { "admin": false, "push": true, "pull": true },
            "created_at": at(0), "updated_at": at(revision), "pushed_at": at(revision),
        });
        for (field, suffix) in URL_FIELDS {
            value[*field] = format!("{url}{suffix}").into();
        }
        value
    }

    /// The commit that its main branch has.
    pub(super) fn tip(&self) -> String {
        digest(&[&self.repository.full_name(), "main", &self.revision.to_string()])[..40].to_owned()
    }

    pub(super) fn run(&self, number: u64) -> Value {
        let url = format!("{}/actions/runs/{}", self.repository.url(), 9000 + number);
        let live = number == RUNS && self.revision % 2 == 1;
        json!({
            "id": 9000 + number, "name": "CI", "run_number": number, "event": "push", "workflow_id": 1,
            "head_branch": if number % 2 == 1 { "main" } else { "dev" },
            "head_sha": &digest(&[&self.repository.full_name(), &number.to_string()])[..40],
            "status": if live { "in_progress" } else { "completed" },
            "conclusion": if live { Value::Null } else { "success".into() },
            "url": url, "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"),
            "repository": {
                "id": self.repository.id(), "full_name": self.repository.full_name(), "url": self.repository.url(),
            },
            "created_at": at(0), "updated_at": at(self.revision),
        })
    }

    pub(super) fn release(&self, number: u64) -> Value {
        let (id, tag) = (u64::from(self.repository.id()) * 100 + number, format!("v1.{number}"));
        json!({
            "id": id, "node_id": format!("RE_{id}"), "name": tag, "tag_name": tag, "draft": false,
            "prerelease": false, "body": format!("revision {}", self.revision), "author": user("alice"),
            "created_at": at(number), "published_at": at(number),
            "url": format!("{}/releases/{id}", self.repository.url()),
            "html_url": format!("https://github.com/{}/releases/tag/{tag}", self.repository.full_name()),
        })
    }

    pub(super) fn numbered(&self, kind: &str, number: u64) -> Value {
        json!({
            "id": number, "name": format!("{kind} {number}"), "revision": self.revision, "status": "completed",
            "url": format!("{}/{kind}/{number}", self.repository.url()),
        })
    }

    /// The bytes of the file at `path`; `big-N.bin` and `text-N.txt` have N bytes, any other a few lines of text.
    pub(super) fn file(&self, path: &str, reference: &str) -> Vec<u8> {
        let full_name = self.repository.full_name();
        let size = path.strip_prefix("big-").and_then(|rest| rest.strip_suffix(".bin"));
        if let Some(size @ 0..=BIG_BYTES_MAX) = size.and_then(|size| size.parse::<usize>().ok()) {
            let block = Sha256::digest(format!("{full_name} {path} {}", self.revision));
            return block.iter().copied().cycle().take(size).collect();
        }
        let size = path.strip_prefix("text-").and_then(|rest| rest.strip_suffix(".txt"));
        if let Some(size @ 0..=BIG_BYTES_MAX) = size.and_then(|size| size.parse::<usize>().ok()) {
            let block = digest(&[&full_name, path, &self.revision.to_string()]);
            return block.bytes().cycle().take(size).collect();
        }
        // The address in the text belongs to the file: nothing on the way may rewrite it.
        format!(
            "# {full_name} {path} at {reference}, revision {}\n\nSee {API}/repos/{full_name} for more.\n",
            self.revision
        )
        .repeat(5)
        .into_bytes()
    }

    pub(super) fn content(&self, path: &str, reference: &str, encoded: &str, size_bytes: usize) -> Value {
        json!({
            "type": "file", "encoding": "base64", "name": path.rsplit('/').next(), "path": path,
            "size": size_bytes, "sha": &digest(&[encoded])[..40], "content": encoded,
            "url": format!("{}/contents/{path}?ref={reference}", self.repository.url()),
            "html_url": format!("https://github.com/{}/blob/main/{path}", self.repository.full_name()),
        })
    }
}

/// What `/users/LOGIN` says.
pub(super) fn user(login: &str) -> Value {
    let id = u32::from_str_radix(&digest(&[login])[..6], 16).unwrap_or_default();
    json!({
        "login": login, "id": id, "node_id": format!("U_{id}"), "type": "User",
        "url": format!("{API}/users/{login}"), "repos_url": format!("{API}/users/{login}/repos"),
        "html_url": format!("https://github.com/{login}"), "name": login, "email": null,
    })
}

/// Lower-case hexadecimal SHA-256 over all parts.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update(b":");
    }
    hex(&hash.finalize())
}

/// A minute past the start of 2026 for each revision, within one day.
pub(super) fn at(revision: u64) -> String {
    format!("2026-01-01T{:02}:{:02}:00Z", revision / 60 % 24, revision % 60)
}

fn owner() -> Value {
    json!({
        "login": "acme", "id": 7, "node_id": "O_7", "type": "Organization", "url": format!("{API}/users/acme"),
        "html_url": "https://github.com/acme", "repos_url": format!("{API}/users/acme/repos"),
        "avatar_url": "https://avatars.githubusercontent.com/u/7?v=4",
    })
}

/// Largest file of the model, in bytes: beyond it lies a test's mistake.
const BIG_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The addresses that a repository's description carries, as GitHub has them.
const URL_FIELDS: &[(&str, &str)] = &[
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_repository() {
        for name in ["acme/widget-0", "acme/widget-9999", "acme/secret-4"] {
            let repository = Repository::known(name);
            assert_eq!(Repository::with_id(repository.id()), Some(repository));
        }
        assert_eq!(Repository::with_id(1), None);
    }

    #[test]
    fn a_name_outside_the_model_leads_nowhere() {
        for (owner, name) in
            [("acme", "widget"), ("acme", "widget-10000"), ("else", "widget-1"), ("acme", "x-1")]
        {
            assert_eq!(Repository::named(owner, name), Named::Nothing);
        }
    }

    #[test]
    fn a_big_file_has_the_size_that_its_name_says() {
        let view = View { repository: Repository::known("acme/widget-0"), revision: 0, private: false };
        assert_eq!(view.file("big-1000001.bin", "main").len(), 1_000_001);
    }
}
