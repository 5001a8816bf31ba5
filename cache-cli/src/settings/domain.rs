//! What an operator takes on with the domains that it names.

use super::{secret_source::TOKEN_PREFIXES, value::NamedDomain};
use std::fmt;

/// Something about a domain that its operator should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DomainWarning {
    pub(crate) finding: String,
    pub(crate) remedy: String,
}

impl fmt::Display for DomainWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.finding, self.remedy)
    }
}

/// What deserves a second thought: patterns that take in many credentials, and those that have no effect.
pub(crate) fn warnings(domains: &[NamedDomain]) -> Vec<DomainWarning> {
    let patterns = domains.iter().enumerate().flat_map(|(at, domain)| {
        let earlier = &domains[..at];
        domain.members.iter().flat_map(move |member| [width(domain, member), effect(domain, member, earlier)])
    });
    patterns.flatten().collect()
}

fn width(domain: &NamedDomain, member: &str) -> Option<DomainWarning> {
    let prefix = member.trim_end_matches('*');
    if domain.is_trusted {
        return Some(trust(domain, member));
    }
    let who = match prefix.len() {
        TOKEN_BYTES_MIN.. => return None,
        0 => "every credential".to_owned(),
        _some => format!("every credential that begins with `{prefix}`, whosever it is"),
    };
    Some(DomainWarning {
        finding: format!(
            "domain `{}` takes in {who}: none is served what the API has not given or confirmed to it, but one that is \
             revoked reads on for up to five minutes, and those with different rights take turns at replacing what is \
             kept, which costs calls",
            domain.name
        ),
        remedy: "name fewer credentials, or leave the domain out, and each has one of its own".to_owned(),
    })
}

/// What an operator vouches for by the word `trusted`: the wider the pattern, the more.
fn trust(domain: &NamedDomain, member: &str) -> DomainWarning {
    let (name, prefix) = (&domain.name, member.trim_end_matches('*'));
    let what = "what one of its credentials was given answers all others without proof";
    let whose = if prefix.is_empty() {
        "any text".to_owned()
    } else {
        format!("any text that begins with `{prefix}`")
    };
    if is_guessable(prefix) {
        return DomainWarning {
            finding: format!(
                "domain `{name}` is trusted and takes in `{member}`, so {what}: a client that sends {whose} as a token, even one \
                 that was made up or revoked, or that of a fork's job, is SERVED PRIVATE ANSWERS that others fetched"
            ),
            remedy: "leave `trusted` out: a proof costs no quota".to_owned(),
        };
    }
    DomainWarning {
        finding: format!(
            "domain `{name}` is trusted, so {what}: {whose} reads them, even if it was revoked, or lost a right, as long as \
             the others keep them fresh"
        ),
        remedy: "leave `trusted` out, unless all of its credentials may read the same".to_owned(),
    }
}

/// Whether `prefix` says little more than of which kind a token is, so that an outsider can write one that fits.
fn is_guessable(prefix: &str) -> bool {
    let rest = |kind: &str| prefix.strip_prefix(kind).map(str::len);
    let beyond_kind = TOKEN_PREFIXES.iter().filter_map(|kind| rest(kind)).max().unwrap_or(prefix.len());
    beyond_kind < OWN_BYTES_MIN || TOKEN_PREFIXES.iter().any(|kind| kind.starts_with(prefix))
}

fn effect(domain: &NamedDomain, member: &str, earlier: &[NamedDomain]) -> Option<DomainWarning> {
    let prefix = member.trim_end_matches('*');
    earlier.iter().find_map(|other| {
        let covers = |pattern: &&String| prefix.starts_with(pattern.trim_end_matches('*'));
        let pattern = other.members.iter().find(covers)?;
        Some(DomainWarning {
            finding: format!(
                "in domain `{}`, `{member}` has no effect: domain `{}` stands before it and takes in `{pattern}`",
                domain.name, other.name
            ),
            remedy: "put the narrower of the two first".to_owned(),
        })
    })
}

/// Fewest characters behind a token's kind that an outsider does not hit upon: eight of 62 kinds are 47 bits.
const OWN_BYTES_MIN: usize = 8;

/// How much of a token tells that it is one and no other: GitHub's shortest have 40 characters.
const TOKEN_BYTES_MIN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::value;

    fn warned(texts: &[&str]) -> Vec<String> {
        let domains: Vec<NamedDomain> = texts.iter().map(|text| value::domain(text).unwrap()).collect();
        warnings(&domains).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_wide_pattern_is_warned_about_and_a_whole_token_is_not() {
        for wide in ["ci=all", "ci=ghs_*", "ci=github_pat_11AAAAAAA0*"] {
            let warnings = warned(&[wide]);
            assert_eq!(warnings.len(), 1, "{wide}: {warnings:?}");
            assert!(
                warnings[0].contains("five minutes") && warnings[0].contains("domain `ci`"),
                "{warnings:?}"
            );
        }
        assert_eq!(warned(&["ci=ghs_0123456789012345678901234567890123456789*"]), [""; 0]);
    }

    #[test]
    fn a_trusted_domain_is_always_warned_about_and_loudly_where_anybody_fits_in() {
        for wide in ["*", "all", "g*", "github_p*", "ghs_*", "ghp_*", "github_pat_*", "ghs_0123*"] {
            let warnings = warned(&[&format!("ci={wide},trusted")]);
            assert_eq!(warnings.len(), 1, "{wide}: {warnings:?}");
            let is_loud =
                warnings[0].contains("SERVED PRIVATE ANSWERS") && warnings[0].contains("leave `trusted` out");
            assert!(is_loud && warnings[0].contains("domain `ci` is trusted"), "{warnings:?}");
        }
        for narrow in ["github_pat_11ABCDEFG0*", "ghs_0123456789012345678901234567890123456789*"] {
            let warnings = warned(&[&format!("bots={narrow},trusted")]);
            assert_eq!(warnings.len(), 1, "{narrow}: {warnings:?}");
            assert!(warnings[0].contains("without proof") && !warnings[0].contains("SERVED"), "{warnings:?}");
        }
    }

    #[test]
    fn a_pattern_that_an_earlier_domain_covers_is_named_with_it() {
        let warnings = warned(&["all=ghs_*", "ci=ghs_01*"]);
        assert!(warnings.iter().any(|text| text.contains("`ghs_01*` has no effect")), "{warnings:?}");
        let right = warned(&["ci=ghs_01*", "all=ghs_*"]);
        assert!(!right.iter().any(|text| text.contains("no effect")), "{right:?}");
    }
}
