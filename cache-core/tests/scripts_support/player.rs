//! Plays the inputs of a script to an engine and writes down what comes out.

use super::{
    fleet::{self, Talk},
    show,
    words::Words,
};
use cache_core::{
    Audience, Bucket, Candidate, Deadline, Doubts, Engine, Entry, Features, FetchError, FetchId, Fetched,
    Input, Key, LoadId, Message, OrderId, Output, PassKind, Reach, Reached, Reader, Refusal, RequestId,
    Settings, Shortage, Timestamp, WritePace, port::Side,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// An engine, its clock, and the short names that the script gives its fetches and loads.
pub(crate) struct Player {
    engine: Engine,
    now: Timestamp,
    fetches: Vec<FetchId>,
    loads: Vec<LoadId>,
    keys: BTreeMap<RequestId, Key>,
    /// What the members of a fleet speak of; `None` without a fleet.
    talk: Option<Talk>,
    /// What readers see: replayed from the outputs.
    published: BTreeMap<Key, Arc<Entry>>,
    /// What the disk was told is in doubt: the next engine hears of it with `restored`.
    noted: Doubts,
    lines: Vec<String>,
    /// Whether the script says when the disk has forgotten; else it does so at once.
    is_disk_slow: bool,
}

impl Player {
    pub(crate) fn new() -> Self {
        Self {
            engine: Engine::new(Settings::default()),
            now: BEGINNING,
            fetches: Vec::new(),
            loads: Vec::new(),
            keys: BTreeMap::new(),
            talk: None,
            published: BTreeMap::new(),
            noted: Doubts::default(),
            lines: Vec::new(),
            is_disk_slow: false,
        }
    }

    /// Plays one step; the last line says what is due next.
    pub(crate) fn play(&mut self, inputs: &[String]) -> Vec<String> {
        for line in inputs {
            let mut words = Words::of(line);
            self.play_line(words.next("a verb"), &mut words);
            words.end();
        }
        // In a fleet the membership protocol is always due first.
        if !inputs.is_empty() && self.talk.is_none() {
            let deadline = self.deadline();
            self.lines.push(deadline);
        }
        std::mem::take(&mut self.lines)
    }

    fn play_line(&mut self, verb: &str, words: &mut Words<'_>) {
        match verb {
            "advance" => self.advance(words.duration()),
            "ask-peer" => {
                let request = RequestId(words.number('r'));
                let peer = fleet::peer(words.number('p'));
                let key = self.key(words);
                self.handle(Input::AskPeer { request, peer, key });
            }
            "cancel" => {
                let request = RequestId(words.number('r'));
                self.handle(Input::Cancel { request });
            }
            "catalogued" => self.catalogued(words),
            "clear" => {
                let order = OrderId(words.number('r'));
                self.handle(Input::Clear { order });
            }
            "clock-back" => self.now = self.now.saturating_sub(words.duration()),
            "connect" => self.connect(words),
            "counters" => self.lines.push(format!("counters{}", show::counters(&self.engine.counters()))),
            "disk-slow" => self.is_disk_slow = true,
            "disconnect" => self.handle(Input::Disconnected { peer: fleet::peer(words.number('p')) }),
            "fetched" => self.fetched(words),
            "get" => self.get(words),
            "refused" => self.refused(words),
            "invalidate" => {
                let order = OrderId(words.number('r'));
                let reach = self.reach(words);
                self.handle(Input::Invalidate { order, reach });
            }
            "leave" => self.handle(Input::Leave),
            "loaded" => self.loaded(words),
            "dial-failed" => self.handle(fleet::dial_failed(words)),
            "found" => self.handle(fleet::found(words)),
            "given-up" | "pace" | "pass" | "passed" => self.pass(verb, words),
            "ping" => {
                let order = OrderId(words.number('r'));
                self.handle(Input::Ping { order, peer: fleet::peer(words.number('p')) });
            }
            "put" => self.put(words),
            "read" => self.published[&words.key()].mark_visited(),
            "received" => self.received(words),
            "removed" => {
                let removal = words.next("a number").parse().expect("a removal is a number");
                self.handle(Input::Removed { removal });
            }
            "restored" => self.restored(words),
            "settings" => {
                let engine = Engine::new(words.settings());
                self.begin_anew(engine, None);
            }
            "sharing" => {
                let sharing = fleet::sharing(words);
                let engine = Engine::sharing(words.settings(), sharing);
                self.begin_anew(engine, Some(Talk::default()));
            }
            // The driver was not given the processor: what was due meanwhile comes late.
            "sleep" => self.now = self.now.saturating_add(words.duration()),
            "weigh" => self.lines.push(format!(
                "weigh entries={} bytes={} flights={}",
                self.engine.entries_count(),
                self.engine.entries_bytes(),
                self.engine.flights_count()
            )),
            other => panic!("`{other}` is no input"),
        }
    }

    /// A call past the cache is wanted, or no longer, or it has ended; or writes are bounded in another way.
    fn pass(&mut self, verb: &str, words: &mut Words<'_>) {
        if verb == "pace" {
            return self.handle(Input::PaceWrites { pace: words.pace(WritePace::FREE) });
        }
        let order = OrderId(words.number('r'));
        match verb {
            "given-up" => return self.handle(Input::GivenUp { order }),
            "passed" => return self.passed(order, words),
            _pass => {}
        }
        let payer = super::words::payer(words.next("a payer"));
        let (bucket, priority) = (Bucket(words.number_value("bucket", 0)), words.priority());
        let kind = match (words.flag("write"), words.flag("changes")) {
            (true, _) => PassKind::Write,
            (false, true) => PassKind::Change,
            (false, false) => PassKind::Read,
        };
        self.handle(Input::Pass { order, payer, bucket, kind, priority });
    }

    fn passed(&mut self, order: OrderId, words: &mut Words<'_>) {
        let refused = words.value("refused").map(super::words::domain);
        let refused = refused.map(|domain| (domain, Refusal::Credential));
        let pause = words.duration_of("pause").map(|time| (time, Shortage::Pace));
        let error = words.value("failed").map(fetch_error);
        let reached = error.map_or(Reached::Yes, Reached::failing);
        let reach = if words.flag("bare") { Reach::default() } else { self.reach(words) };
        let is_counted = words.flag("counted");
        let allowance = words.allowance();
        self.handle(Input::Passed { order, reach, reached, refused, allowance, is_counted, pause });
    }

    fn put(&mut self, words: &mut Words<'_>) {
        let order = OrderId(words.number('r'));
        let key = self.key(words);
        self.handle(Input::Put { order, key, draft: words.draft() });
    }

    fn begin_anew(&mut self, engine: Engine, talk: Option<Talk>) {
        let (now, lines) = (self.now, std::mem::take(&mut self.lines));
        let noted = std::mem::take(&mut self.noted);
        *self = Self { engine, now, lines, talk, noted, ..Self::new() };
    }

    /// Lets time pass as a driver does that comes whenever something is due.
    fn advance(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        while let Some((due, _)) = self.engine.poll_timeout().filter(|(due, _)| *due < end) {
            self.now = self.now.max(due);
            self.handle(Input::Tick);
        }
        self.now = end;
        self.handle(Input::Tick);
    }

    fn refused(&mut self, words: &mut Words<'_>) {
        let domain = super::words::domain(words.next("a domain"));
        let resource = words.value("of").map(Box::from);
        let is_change = words.flag("change");
        let prefixes = words.value("prefix").map(|prefix| vec![prefix.into()]);
        let fetch = words.value("by").map(|fetch| Words::of(fetch).begun('f', &self.fetches));
        let showing = |resource: Box<str>| [" ", "?"].map(|end| [&*resource, end].concat().into()).into();
        let refusal = match (prefixes, resource) {
            (Some(prefixes), Some(resource)) => Refusal::ReadOf { forms: showing(resource), prefixes },
            (Some(prefixes), None) if is_change => Refusal::Change { prefixes },
            (Some(prefixes), None) => Refusal::Read { prefixes },
            (None, _) => Refusal::Credential,
        };
        self.handle(Input::Refused { domain, refusal, fetch });
    }

    fn get(&mut self, words: &mut Words<'_>) {
        let request = RequestId(words.number('r'));
        let key = self.key(words);
        let bucket = Bucket(words.number_value("bucket", 0));
        self.keys.insert(request, key.clone());
        let reader = words
            .value("unproven")
            .map_or(Reader::Admitted, |name| Reader::Unproven(super::words::payer(name)));
        let waits = words.flag("borrows").then_some(KIN_WAIT);
        let kin_wait = words.duration_of("borrows").or(waits);
        let (priority, directives) = (words.priority(), words.directives());
        self.handle(Input::Get { request, key, directives, bucket, priority, reader, kin_wait });
    }

    /// A member connects, which knows what it is to settle unless it is `unsettled`, what a guest is unless it is `older`, and
    /// digests if it is said to have `digests`; or a node that says `as-guest` that it may be one. It has nothing to answer to
    /// the warm-up that it is asked for at once, unless it is `cold`: then the script answers.
    fn connect(&mut self, words: &mut Words<'_>) {
        let (peer, cold) = (fleet::peer(words.number('p')), words.flag("cold"));
        let mut lacking = if words.flag("unsettled") { Features::SETTLING.bits() } else { 0 };
        lacking |= if words.flag("digests") { 0 } else { Features::DIGESTS.bits() };
        lacking |= if words.flag("older") { Features::GUESTS.bits() } else { 0 };
        let mark = if words.flag("as-guest") { Features::GUEST } else { Features::NONE };
        let features = Features::from_bits(Features::ALL.bits() & !lacking).union(mark);
        let lines_before = self.lines.len();
        let address = "/ip4/10.0.0.1/tcp/40000".into();
        self.handle(Input::Connected { peer, address, side: Side::Listener, features });
        if !cold {
            let said = self.lines.split_off(lines_before);
            self.lines.extend(said.into_iter().filter(|line| !line.ends_with("warm-up skip=0")));
            self.handle(Input::Received {
                from: peer,
                message: Message::WarmedUp { next: None },
                bytes: 100,
            });
        }
    }

    fn received(&mut self, words: &mut Words<'_>) {
        let from = fleet::peer(words.number('p'));
        let message = self.talk.as_mut().expect("`sharing` comes first").message(words);
        self.handle(Input::Received { from, message, bytes: 100 });
    }

    fn key(&mut self, words: &mut Words<'_>) -> Key {
        let key = words.key();
        if let Some(talk) = &mut self.talk {
            talk.learn(&key);
        }
        key
    }

    fn reach(&mut self, words: &mut Words<'_>) -> Reach {
        let reach = words.reach();
        if let Some(talk) = &mut self.talk {
            talk.learn_reach(&reach);
        }
        reach
    }

    fn fetched(&mut self, words: &mut Words<'_>) {
        let fetch = words.begun('f', &self.fetches);
        let fetched = match words.next("a result") {
            "fresh" => Fetched::Fresh(words.draft()),
            "not-modified" => Fetched::NotModified(words.draft()),
            "proven" => Fetched::Proven(words.draft()),
            "unstorable" => {
                let audience = match words.next("an audience") {
                    "domain" => Audience::Domain,
                    "fleet" => Audience::Fleet,
                    "leader" => Audience::Leader,
                    other => panic!("`{other}` is no audience"),
                };
                let status = words.next("a status").parse().expect("a status is a number");
                Fetched::Unstorable { content: words.content(status), audience }
            }
            "oversize" => Fetched::Oversize,
            "fault" => {
                let status = words.next("a status").parse().expect("a status is a number");
                Fetched::Fault { content: words.content(status) }
            }
            "throttled" => {
                let retry_after = words.duration();
                let is_window = words.flag("spent");
                let window = Shortage::Window { limit: 5_000, used: 5_000 };
                let shortage = if is_window { window } else { Shortage::Pace };
                Fetched::Throttled { content: words.content(429), retry_after, shortage }
            }
            "failed" => Fetched::Failed(fetch_error(words.next("an error"))),
            "spent" => {
                let error = fetch_error(words.next("an error"));
                Fetched::Spent(error, words.content(504))
            }
            other => panic!("`{other}` is no result"),
        };
        let allowance = words.allowance();
        let reached = fetched.reached();
        self.handle(Input::Fetched { fetch, fetched, reached, allowance });
    }

    fn loaded(&mut self, words: &mut Words<'_>) {
        let load = words.begun('l', &self.loads);
        let entry = if words.flag("none") { None } else { Some(Box::new(self.entry(words))) };
        self.handle(Input::Loaded { load, entry });
    }

    /// Takes several entries, separated by `/`.
    fn restored(&mut self, words: &mut Words<'_>) {
        let mut entries = Vec::new();
        while !words.is_empty() {
            entries.push(self.entry(words));
        }
        self.handle(Input::Restored { doubts: self.noted.clone(), entries });
    }

    fn catalogued(&mut self, words: &mut Words<'_>) {
        let mut keys = Vec::new();
        while !words.is_empty() {
            keys.push(words.key());
        }
        if let Some(talk) = &mut self.talk {
            for key in &keys {
                talk.learn(key);
            }
        }
        self.handle(Input::Catalogued { keys });
    }

    fn entry(&self, words: &mut Words<'_>) -> Entry {
        let mut words = words.until("/");
        let key = words.key();
        let ahead = words.duration_value("ahead", Duration::ZERO);
        let entry = Entry::new(key, words.draft(), self.now.saturating_add(ahead), 0);
        words.end();
        entry
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        while let Some(output) = self.engine.poll_output() {
            let line = self.show(&output);
            self.lines.extend(line);
            if let Output::Remove { removal: Some(removal), .. } = output
                && !self.is_disk_slow
            {
                self.engine.handle(self.now, Input::Removed { removal });
            }
        }
    }

    fn show(&mut self, output: &Output) -> Option<String> {
        Some(match output {
            Output::CancelFetch { fetch } => format!("cancel-fetch {}", self.fetch_name(*fetch)),
            Output::Complete { request, outcome } => {
                format!("complete r{} {}", request.0, show::outcome(outcome, self.now))
            }
            Output::Depart { order } => format!("depart r{}", order.0),
            Output::Withheld { order, failure } => {
                format!("withheld r{} {}", order.0, show::failure(failure, self.now))
            }
            Output::Ponged { order, clock: Ok(clock) } => {
                format!("ponged r{} clock={}", order.0, clock.as_unix_millis())
            }
            Output::Ponged { order, clock: Err(failure) } => {
                format!("ponged r{} failed {}", order.0, show::failure(failure, self.now))
            }
            Output::Removed { order, entries } => format!("removed r{} {entries}", order.0),
            Output::Stored { order } => format!("stored r{}", order.0),
            Output::Fetch { fetch, leader, candidate } => {
                self.fetches.push(*fetch);
                let key = show::key(&self.keys[leader]);
                let about = |kind: &str, entry: Option<&Arc<Entry>>| {
                    let tag = entry.map(|entry| entry.validators().etag.as_deref().unwrap_or("untagged"));
                    tag.map(|tag| format!(" {kind}={tag}")).unwrap_or_default()
                };
                let own = about("revalidate", candidate.as_ref().and_then(Candidate::own));
                let borrowed = about("borrow", candidate.as_ref().and_then(Candidate::borrowed));
                format!("fetch {} for r{} {key}{own}{borrowed}", self.fetch_name(*fetch), leader.0)
            }
            Output::Dial { address } => format!("dial {address}"),
            Output::Disconnect { peer } => format!("disconnect {peer:?}"),
            Output::Remember { members } => format!("remember {}", members.len()),
            Output::Joined { why } => format!("joined {why:?}").to_lowercase(),
            Output::Seek => "seek".to_owned(),
            Output::Twins { peer } => format!("twins {peer:?}"),
            Output::Forget { request } => format!("forget r{}", request.0),
            Output::Load { load, key } => {
                self.loads.push(*load);
                format!("load {} {}", self.load_name(*load), show::key(key))
            }
            Output::Persist { entry } => format!("persist {}", show::key(entry.key())),
            Output::Publish { entry } => {
                self.published.insert(entry.key().clone(), Arc::clone(entry));
                format!("publish {}", show::key(entry.key()))
            }
            Output::Remove { removal, scopes, doubted } => {
                let number = removal.filter(|_| self.is_disk_slow).map(|number| format!(" {number}"));
                let doubted = doubted.as_ref().map(|doubted| {
                    self.noted.clone_from(&doubted.all);
                    format!(" doubt{}", show::scopes(&doubted.scopes))
                });
                let (number, doubted) = (number.unwrap_or_default(), doubted.unwrap_or_default());
                format!("remove{number}{}{doubted}", show::scopes(scopes))
            }
            Output::Retain { request } => format!("retain r{}", request.0),
            Output::Retract { key } => {
                self.published.remove(key);
                format!("retract {}", show::key(key))
            }
            Output::Send { to, message } => {
                return self.talk.as_mut().expect("only members are spoken to").show(to, message);
            }
        })
    }

    fn deadline(&self) -> String {
        let Some((due, deadline)) = self.engine.poll_timeout() else {
            return "deadline none".into();
        };
        let what = match deadline {
            Deadline::Affording(_flight) => "affording".into(),
            Deadline::Ledger => "ledger".into(),
            Deadline::Outage => "outage".into(),
            Deadline::Passes => "passes".into(),
            Deadline::District => "district".into(),
            Deadline::Ask(ask) => format!("ask a{}", ask.0),
            Deadline::Errand(ask) => format!("errand a{}", ask.0),
            Deadline::Gathering => "gathering".into(),
            Deadline::Guests => "guests".into(),
            Deadline::Hedge(ask) => format!("hedge a{}", ask.0),
            Deadline::Kin(_flight) => "kin".into(),
            Deadline::Lease => "lease".into(),
            Deadline::Fetch(fetch) => format!("fetch {}", self.fetch_name(fetch)),
            Deadline::Load(load) => format!("load {}", self.load_name(load)),
            Deadline::Membership => "membership".into(),
            Deadline::Receipt => "receipt".into(),
            Deadline::Peers => "peers".into(),
            Deadline::Recollection => "recollection".into(),
            Deadline::Removal => "removal".into(),
            Deadline::Inquiry(ask) => format!("inquiry a{}", ask.0),
            Deadline::Request(request) => format!("request r{}", request.0),
            Deadline::Search => "search".into(),
        };
        format!("deadline +{} {what}", show::duration(due.saturating_since(self.now)))
    }

    fn fetch_name(&self, fetch: FetchId) -> String {
        let at = self.fetches.iter().position(|known| *known == fetch).expect("it was begun");
        format!("f{}", at + 1)
    }

    fn load_name(&self, load: LoadId) -> String {
        let at = self.loads.iter().position(|known| *known == load).expect("it was begun");
        format!("l{}", at + 1)
    }
}

/// When every script begins. Far enough from the epoch for entries with an age.
/// When each script begins.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_unix_millis(1_000_000_000_000);

/// For how long a request that borrows waits for a call for another domain, unless its line says otherwise.
const KIN_WAIT: Duration = Duration::from_secs(1);

fn fetch_error(name: &str) -> FetchError {
    let found = show::FETCH_ERRORS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("`{name}` is no error")).1
}
