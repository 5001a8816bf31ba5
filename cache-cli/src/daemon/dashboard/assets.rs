//! The files that make the page, as part of the program.

/// One file, found by its path.
pub(super) struct Asset {
    path: &'static str,
    /// What it is, for `Content-Type`.
    pub(super) content_type: &'static str,
    /// What is in it.
    pub(super) text: &'static str,
}

/// The file at `path`.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    Asset { path: "/", content_type: "text/html; charset=utf-8", text: include_str!("page/index.html") },
    Asset {
        path: "/style.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("page/style.css"),
    },
    Asset { path: "/icon.svg", content_type: "image/svg+xml", text: include_str!("page/icon.svg") },
    Asset { path: "/page.js", content_type: SCRIPT, text: include_str!("page/page.js") },
    Asset { path: "/elements.js", content_type: SCRIPT, text: include_str!("page/elements.js") },
    Asset { path: "/words.js", content_type: SCRIPT, text: include_str!("page/words.js") },
    Asset { path: "/quota.js", content_type: SCRIPT, text: include_str!("page/quota.js") },
    Asset { path: "/chart.js", content_type: SCRIPT, text: include_str!("page/chart.js") },
    Asset { path: "/usage.js", content_type: SCRIPT, text: include_str!("page/usage.js") },
    Asset { path: "/fleet.js", content_type: SCRIPT, text: include_str!("page/fleet.js") },
    Asset { path: "/findings.js", content_type: SCRIPT, text: include_str!("page/findings.js") },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_no_file_that_it_does_not_have_and_no_other_origin() {
        for asset in ASSETS {
            let text = asset.text;
            assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", asset.path);
            // The one address that is no request names a namespace.
            let foreign = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("http://") && !foreign.contains("https://"), "{}", asset.path);
            for (before, end) in [("from \"./", '"'), ("src=\"", '"'), ("href=\"/", '"')] {
                for named in text.split(before).skip(1).filter_map(|rest| rest.split(end).next()) {
                    let path = format!("/{}", named.trim_start_matches('/'));
                    assert!(find(&path).is_some(), "{} names {path}", asset.path);
                }
            }
        }
    }
}
