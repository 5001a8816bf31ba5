//! What was written settles in the whole fleet.

use crate::support::{EITHER, TOKEN, fleet, fleet_with};
use cache_tests::{daemon::Daemon, http::Reply, origin::ModelOrigin};

const REPOSITORY: &str = "/repos/acme/widget-1";

async fn got(daemon: &Daemon) -> Reply {
    let reply = daemon.unix_client().get(REPOSITORY).token(TOKEN).send().await.expect("the door answers");
    assert_eq!(reply.status, 200);
    reply
}

async fn write(daemon: &Daemon) {
    let request = daemon.unix_client().request(http::Method::PATCH, REPOSITORY).token(TOKEN);
    let reply = request.body(r#"{"description": "new"}"#).send().await.expect("the door answers");
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn what_the_origin_does_not_show_yet_is_asked_for_until_it_does() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 2).await;
        let before = got(&daemons[1]).await.body;
        origin.set_lagging(true);
        write(&daemons[0]).await;
        for daemon in [&daemons[1], &daemons[0], &daemons[1]] {
            let reply = got(daemon).await;
            assert_eq!(reply.body, before, "{over:?}: so says the origin");
            let status = reply.header("cache-status").to_owned();
            assert!(status.ends_with("detail=settling"), "{over:?}: {status}");
        }
        origin.set_lagging(false);
        let shown = got(&daemons[1]).await.body;
        assert_ne!(shown, before, "{over:?}: what the origin shows is shown at once");
        assert_eq!(got(&daemons[0]).await.body, shown, "{over:?}");
    }
}

#[tokio::test]
async fn without_a_time_to_settle_the_first_read_after_a_write_is_kept() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet_with(&["--settle", "0"], &origin, over, 2).await;
        origin.set_lagging(true);
        write(&daemons[0]).await;
        let before = got(&daemons[1]).await.body;
        origin.set_lagging(false);
        assert_eq!(got(&daemons[1]).await.body, before, "{over:?}");
    }
}
