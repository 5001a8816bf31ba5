//! Bodies and what they say of themselves.

use super::*;

fn is_unsettled(path: &str, body: &str) -> bool {
    inspect(path, body.as_bytes()).unsettled
}

fn holds_credential(body: &str) -> bool {
    inspect("/x", body.as_bytes()).credential
}

#[test]
fn what_is_under_way_is_unsettled_by_its_routes_row() {
    let rows = [
        (
            "/repos/o/r/pulls/1",
            r#"{"mergeable":null,"state":"open"}"#,
            r#"{"mergeable":true,"state":"open"}"#,
        ),
        ("/repos/o/r/pulls/1", r#"{"mergeable_state":"unknown"}"#, r#"{"mergeable_state":"clean"}"#),
        ("/repos/o/r/pulls/1", r#"{"mergeable":null}"#, r#"{"mergeable":null,"state":"closed"}"#),
        ("/repositories/17/pulls/1", r#"{"mergeable":null}"#, r#"{"merged":true}"#),
        (
            "/repos/o/r/actions/runs",
            r#"{"workflow_runs":[{"status":"completed"},{"status":"queued"}]}"#,
            r#"{"workflow_runs":[{"status":"completed","x":{"status":"queued"}}]}"#,
        ),
        ("/repos/o/r/actions/runs/7", r#"{"status":"waiting"}"#, r#"{"status":"completed"}"#),
        (
            "/repos/o/r/actions/runs/7/jobs",
            r#"{"jobs":[{"status":"in_progress"}]}"#,
            r#"{"jobs":[{"status":"completed"}]}"#,
        ),
        ("/repos/o/r/actions/runs/7/pending_deployments", r#"[{"current_user_can_approve":false}]"#, "[]"),
        (
            "/repos/o/r/commits/feature/x/check-runs",
            r#"{"check_runs":[{"status":"queued"}]}"#,
            r#"{"check_runs":[{"status":"completed"}]}"#,
        ),
        ("/repos/o/r/commits/a%2Fb/status", r#"{"state":"pending"}"#, r#"{"state":"success"}"#),
        (
            "/repos/o/r/deployments/1/statuses",
            r#"[{"state":"in_progress"},{"state":"queued"}]"#,
            r#"[{"state":"success"},{"state":"in_progress"}]"#,
        ),
        ("/repos/o/r/pages", r#"{"status":"building"}"#, r#"{"status":"built"}"#),
        (
            "/repos/o/r/pages",
            r#"{"https_certificate":{"state":"new"}}"#,
            r#"{"https_certificate":{"state":"approved"}}"#,
        ),
        ("/repos/o/r/pages/builds/latest", r#"{"status":"building"}"#, r#"{"status":"errored"}"#),
        (
            "/repos/o/r/code-scanning/sarifs/x",
            r#"{"processing_status":"pending"}"#,
            r#"{"processing_status":"complete"}"#,
        ),
        ("/orgs/o/migrations", r#"[{"state":"exporting"}]"#, r#"[{"state":"exported"}]"#),
        ("/orgs/o/actions/hosted-runners/1", r#"{"status":"Provisioning"}"#, r#"{"status":"Ready"}"#),
        (
            "/repos/o/r/releases/tags/v1",
            r#"{"assets":[{"state":"starter"}]}"#,
            r#"{"assets":[{"state":"uploaded"}]}"#,
        ),
        ("/search/issues", r#"{"incomplete_results":true}"#, r#"{"incomplete_results":false}"#),
        ("/agents/tasks/1", r#"{"sessions":[{"state":"queued"}]}"#, r#"{"state":"idle"}"#),
    ];
    for (path, under_way, done) in rows {
        assert!(is_unsettled(path, under_way), "{path} {under_way}");
        assert!(!is_unsettled(path, done), "{path} {done}");
    }
}

#[test]
fn a_list_that_is_filled_after_the_event_is_unsettled_while_it_is_empty() {
    let rows = [
        (
            "/repos/o/r/actions/runs/7/jobs",
            r#"{"jobs":[]}"#,
            r#"{"jobs":[{"status":"completed","steps":[]}]}"#,
        ),
        ("/repos/o/r/actions/runs", r#"{"workflow_runs":[]}"#, r#"{"workflow_runs":[{"pull_requests":[]}]}"#),
        (
            "/repos/o/r/commits/main/check-runs",
            r#"{"check_runs":[]}"#,
            r#"{"check_runs":[{"pull_requests":[]}]}"#,
        ),
        ("/repos/o/r/commits/main/statuses", "[]", r#"[{"state":"success"}]"#),
        ("/repos/o/r/deployments/1/statuses", "[]", r#"[{"state":"success"}]"#),
    ];
    for (path, empty, filled) in rows {
        assert!(is_unsettled(path, empty), "{path} {empty}");
        assert!(!is_unsettled(path, filled), "{path} {filled}");
    }
    assert!(!is_unsettled("/repos/o/r/issues", "[]"));
}

#[test]
fn a_state_under_way_is_noticed_on_routes_that_no_row_is_for() {
    for body in [
        r#"{"status":"processing"}"#,
        r#"{"import_status":"Queued"}"#,
        r#"{"state":"sync_in_progress"}"#,
        r#"{"mergeable":null}"#,
        r#"[{"state":"open"},{"state":"pending"}]"#,
        r#"{"total_count":1,"exports":[{"state":"exporting"}]}"#,
    ] {
        assert!(is_unsettled("/repos/o/r/news", body), "{body}");
    }
}

#[test]
fn what_lasts_or_lies_deep_is_no_sign() {
    let lasting = ["open", "closed", "active", "online", "enabled", "draft", "success", "failure", "public"];
    for word in lasting {
        assert!(!is_unsettled("/repos/o/r/issues/1", &format!(r#"{{"state":"{word}"}}"#)), "{word}");
        assert!(!is_unsettled("/repos/o/r/issues", &format!(r#"[{{"status":"{word}"}}]"#)), "{word}");
    }
    for body in [
        r#"{"title":"pending","body":"queued"}"#,
        r#"{"payload":{"status":"pending"}}"#,
        r#"[{"payload":{"status":"pending"}}]"#,
        r#"[{"steps":[{"status":"pending"}]}]"#,
        r#"{"a":[{"b":[{"status":"pending"}]}]}"#,
        r#""pending""#,
        "pending",
        "",
    ] {
        assert!(!is_unsettled("/repos/o/r/news", body), "{body}");
    }
    // A person has to act first.
    assert!(!is_unsettled("/orgs/o/memberships/me", r#"{"state":"pending"}"#));
    assert!(!is_unsettled("/repos/o/r/pulls/1/reviews", r#"[{"state":"PENDING"}]"#));
}

#[test]
fn a_credential_is_noticed_at_any_depth_and_in_lines() {
    let token = format!("ghs_{}", "a".repeat(36));
    for body in [
        r#"{"token":"x"}"#,
        r#"[{"os":"linux","temp_download_token":"x"}]"#,
        r#"{"a":{"b":[{"secret":"x"}]}}"#,
        r#"{"download_links":["https://x"]}"#,
        r#"{"full_name":"o/r","temp_clone_token":"x"}"#,
        "\u{feff}{\"token\":\"x\"}",
        "{\"a\":1}\n{\"token\":\"x\"}",
        r#"{"token":"x","cut"#,
        &format!(r#"{{"anything":"{token}"}}"#),
    ] {
        assert!(holds_credential(body), "{body}");
    }
    for body in [
        r#"{"config":{"secret":"********"}}"#,
        r#"{"temp_clone_token":""}"#,
        r#"{"token":null,"secret":3}"#,
        r#"{"download_url":"https://raw.example/f?token=x"}"#,
        r#"{"access_tokens_url":"https://x","token_name":"x"}"#,
        r#"{"title":"ghp_ is how a token begins"}"#,
    ] {
        assert!(!holds_credential(body), "{body}");
    }
}

#[test]
fn no_body_can_upset_it() {
    let deep = "[".repeat(100_000);
    let wide = format!(r#"{{"{}":"pending"}}"#, "x".repeat(100_000));
    for body in [deep.as_bytes(), wide.as_bytes(), b"\xff\xfe", b"{", b"{\"state\":\"pending\"", b"[[[]]"] {
        inspect("/repos/o/r", body);
    }
}
