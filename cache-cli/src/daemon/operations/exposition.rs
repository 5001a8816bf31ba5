//! In which of Prometheus's two formats counts are told.

use http::{HeaderMap, header};
use std::fmt::Write as _;

/// How counts are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exposition {
    /// OpenMetrics 1.0, for scrapers that ask for it.
    OpenMetrics,
    /// Prometheus's text format 0.0.4, which every tool reads.
    Text,
}

impl Exposition {
    /// What a request with `headers` wants.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let wants = fields.flat_map(|field| field.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(OPEN_METRICS));
            let quality =
                parts.find_map(|part| part.strip_prefix("q=")).and_then(|text| text.parse::<f32>().ok());
            is_named && quality.is_none_or(|quality| quality > 0.0)
        });
        if wants { Self::OpenMetrics } else { Self::Text }
    }

    /// The media type of the form.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// `written`, which is OpenMetrics, in this format.
    pub(super) fn of_open_metrics(self, written: String) -> String {
        match self {
            Self::OpenMetrics => written,
            Self::Text => to_text(&written),
        }
    }
}

/// The same families in the text format.
///
/// It names a counter with its `_total`, has gauges in place of infos, and neither units nor an end.
fn to_text(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    let mut help = None;
    for line in written.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_family, words)| words);
        } else if let Some((family, kind)) =
            line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some(words) = help.take() {
                // Writing to a string cannot fail.
                let _always = writeln!(text, "# HELP {family}{suffix} {words}");
            }
            let _always = writeln!(text, "# TYPE {family}{suffix} {kind}");
        } else if !line.starts_with("# UNIT ") && line != "# EOF" {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

const OPEN_METRICS: &str = "application/openmetrics-text";

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Exposition {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        Exposition::wanted(&headers)
    }

    #[test]
    fn open_metrics_is_written_for_those_alone_who_ask_for_it() {
        assert_eq!(Exposition::wanted(&HeaderMap::new()), Exposition::Text);
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(wanted(prometheus), Exposition::OpenMetrics);
        for text in ["*/*", "text/plain", "text/html, application/openmetrics-text;q=0", ""] {
            assert_eq!(wanted(text), Exposition::Text, "{text}");
        }
    }

    #[test]
    fn the_text_format_names_counters_whole_and_has_neither_infos_nor_units() {
        let written = "# HELP a_build The program.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                       # HELP a_hits Look-ups.\n# TYPE a_hits counter\na_hits_total 3\n\
                       # HELP a_memory_bytes Size.\n# TYPE a_memory_bytes gauge\n# UNIT a_memory_bytes bytes\n\
                       a_memory_bytes 7\n# EOF\n";
        let text = "# HELP a_build_info The program.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                    # HELP a_hits_total Look-ups.\n# TYPE a_hits_total counter\na_hits_total 3\n\
                    # HELP a_memory_bytes Size.\n# TYPE a_memory_bytes gauge\na_memory_bytes 7\n";
        assert_eq!(Exposition::Text.of_open_metrics(written.to_owned()), text);
    }
}
