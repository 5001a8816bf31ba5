//! Replies read as text, as JSON, and as errors.

use crate::support::{ALICE, PUBLIC, get_by, github, node, origin_and_node};
use bytes::Bytes;
use cache_tests::origin::{Fault, FaultKind, ModelOrigin};
use fleet_cache::{Node, ReadError, Reply};
use http_body_util::Empty;
use serde_json::Value;

async fn read(node: &Node, path: &str) -> Reply {
    let request = get_by(ALICE, path).body(Empty::<Bytes>::new()).expect("it is well formed");
    node.request(request).await.expect("the origin answers")
}

#[tokio::test]
async fn a_body_is_read_as_text_and_as_json_whether_it_is_kept_or_not() {
    let (_origin, node) = origin_and_node().await;
    for path in [PUBLIC, PUBLIC, "/repos/acme/nobody-has-this"] {
        let text = read(&node, path).await.text().await.unwrap();
        let json: Value = read(&node, path).await.json().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
    }
}

#[tokio::test]
async fn a_body_of_another_shape_is_an_error_that_says_where() {
    let (_origin, node) = origin_and_node().await;
    let error = read(&node, PUBLIC).await.json::<Vec<u8>>().await.unwrap_err();
    assert!(matches!(error, ReadError::NotJson(_)));
    assert!(error.to_string().contains("line 1 column"), "{error}");
}

#[tokio::test]
async fn a_status_that_is_an_error_keeps_the_reply_and_what_the_origin_says_of_it() {
    let (_origin, node) = origin_and_node().await;
    assert!(read(&node, PUBLIC).await.error_for_status().is_ok());
    let error = read(&node, "/repos/acme/nobody-has-this").await.error_for_status().unwrap_err();
    assert_eq!(error.to_string(), "the origin answered 404 Not Found");
    assert_eq!(error.status(), 404);
    let said: Value = error.into_reply().json().await.unwrap();
    assert_eq!(said["message"], "Not Found");
}

#[tokio::test]
async fn a_body_that_is_longer_than_may_be_read_is_given_up() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).body_bytes_max(64 * 1024)).await;
    let streaming = async || {
        let long = get_by(ALICE, "/repos/acme/widget-1/contents/big-3000000.bin");
        let long = long.header("accept", "application/vnd.github.raw").body(Empty::<Bytes>::new()).unwrap();
        node.request(long).await.unwrap()
    };
    for bytes_max in [0, 1, 2_999_999] {
        let refused = streaming().await.read_bytes_max(bytes_max).bytes().await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLong { bytes_max: max } if max == bytes_max), "{refused:?}");
    }
    assert_eq!(streaming().await.read_bytes_max(3_000_000).bytes().await.unwrap().len(), 3_000_000);
    // Where nobody says how long it is, and it breaks off in the end.
    origin.fault(Fault::always(FaultKind::ChunkedCut));
    let refused = streaming().await.read_bytes_max(9).bytes().await.unwrap_err();
    assert!(matches!(refused, ReadError::TooLong { bytes_max: 9 }), "{refused:?}");
    let broken_off = streaming().await.bytes().await.unwrap_err();
    assert!(matches!(broken_off, ReadError::BrokenOff(_)), "{broken_off:?}");
    origin.clear_faults();
    // The same bound holds for what is kept, whichever way it is read.
    for _ in 0..2 {
        let refused = read(&node, PUBLIC).await.read_bytes_max(9).text().await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLong { bytes_max: 9 }), "{refused:?}");
        let refused = read(&node, PUBLIC).await.read_bytes_max(9).json::<Value>().await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLong { .. }), "{refused:?}");
    }
}
