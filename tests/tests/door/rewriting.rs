//! URLs in answers for clients that came by a base URL.

use crate::support::{PATIENCE, setup};
use cache_tests::{eventually, origin::ModelOrigin};

#[tokio::test]
async fn everybody_who_waits_for_a_body_too_long_to_keep_gets_urls_that_lead_back() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).arg("--body-max=4KiB").start();
    origin.hold("issues");
    let client = daemon.client();
    let read = || {
        let draft =
            client.get("/repos/acme/widget-1/issues").token("ghp_alice").header("accept-encoding", "gzip");
        tokio::spawn(draft.send())
    };
    let waiting = [read(), read(), read()];
    assert!(eventually(PATIENCE, || origin.in_flight() >= 1).await);
    origin.release();
    let door = format!("http://{}/", daemon.address());
    for reply in waiting {
        let reply = reply.await.expect("the task ends").expect("the door answers");
        assert_eq!(reply.status, 200);
        assert!(reply.body.len() > 4096, "{} bytes", reply.body.len());
        let issues = reply.json();
        for issue in issues.as_array().expect("a list") {
            let url = issue["url"].as_str().expect("a URL");
            assert!(url.starts_with(&door), "{url}");
        }
    }
}
