//! Whole fleets before an origin that counts by user, as chance has them: which payers their members join.
//!
//! The model knows whose every token is. Users have one to three tokens and may call outside of the fleet too; members are slow
//! to tell, cut off for a while, or start again; windows end on the way, most often of all users in the same second.

use super::*;
use crate::Domain;
use alloc::{collections::BTreeSet, string::String, vec};

/// Chance: SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// In which order tokens call.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// As chance has it.
    Any,
    /// Each so often before the next.
    Turns(u64),
    /// All at once, each time.
    Step,
    /// Now more of one, now of another.
    Bursts,
}

#[derive(Debug)]
struct Plan {
    nodes: usize,
    /// The user of each token.
    tokens: Vec<usize>,
    order: Order,
    /// Milliseconds between two calls, half of them; the others are twice as far apart at most.
    gap: u64,
    /// Longest time that a call takes, in milliseconds.
    call: u64,
    /// Longest time that a message takes, in milliseconds.
    message: u64,
    /// How many of a hundred calls of each user are made outside, and whether in a burst.
    outside: Vec<u64>,
    bursts: bool,
    /// Used by each before the fleet calls.
    before: Vec<u64>,
    free_percent: u64,
    lost_percent: u64,
    restarts: bool,
    cuts: bool,
    /// Windows end at multiples of so many seconds.
    round: u64,
    calls: u64,
}

impl Plan {
    fn of(chance: &mut Chance) -> Self {
        let mut tokens = Vec::new();
        let users = 1 + chance.below(3) as usize;
        for user in 0..users {
            tokens.extend(vec![user; chance.one_of(&[1, 1, 2, 2, 3])]);
        }
        let is_quiet = chance.percent(40);
        let outside = (0..users).map(|_| if is_quiet { 0 } else { chance.one_of(&[0, 0, 5, 20, 50, 80]) });
        let outside = outside.collect();
        let same = chance.below(40);
        let before = (0..users).map(|_| match chance.below(3) {
            0 => 0,
            1 => same,
            _ => same + chance.below(4),
        });
        Self {
            before: before.collect(),
            nodes: chance.one_of(&[1, 2, 3, 3, 5]),
            order: match chance.below(6) {
                0 | 1 => Order::Any,
                2 => Order::Turns(1),
                3 => Order::Turns(1 + chance.below(12)),
                4 => Order::Step,
                _ => Order::Bursts,
            },
            gap: chance.one_of(&[15, 50, 200, 1_000]),
            call: chance.one_of(&[1, 30, 300, 1_500]),
            message: chance.one_of(&[1, 50, 400]),
            outside,
            bursts: chance.percent(30),
            free_percent: chance.one_of(&[0, 0, 30, 80]),
            lost_percent: if is_quiet { 0 } else { chance.one_of(&[0, 2, 10]) },
            restarts: !is_quiet && chance.percent(30),
            cuts: !is_quiet && chance.percent(30),
            round: chance.one_of(&[1, 1, 400]),
            calls: 100 + chance.below(300),
            tokens,
        }
    }

    fn is_without_faults(&self) -> bool {
        !self.restarts && !self.cuts && self.lost_percent == 0 && self.outside.iter().all(|of| *of == 0)
    }
}

enum Event {
    Call { node: usize, token: usize },
    Counted { node: usize, token: usize, is_free: bool },
    Answered { node: usize, token: usize, shown: Allowance, is_free: bool, boot: u64 },
    Outside { user: usize },
    Told { node: usize, told: Vec<Allowance>, numbers: Vec<CallNumbers> },
    Due { node: usize },
    Restart { node: usize },
    Cut { node: usize, is_cut: bool },
}

struct Member {
    ledger: Ledger,
    boot: u64,
    is_cut: bool,
    /// When the last message arrives from it at each other: they do not overtake one another.
    arrivals: Vec<u64>,
}

struct World {
    plan: Plan,
    chance: Chance,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    events_count: u64,
    members: Vec<Member>,
    /// How much each user has used, and when the window ends, in seconds.
    users: Vec<(u64, u64)>,
    /// The tokens of the fleet's calls by user, window and number, and when the origin counted them.
    counted: BTreeMap<(usize, u64, u64), (usize, u64)>,
    coincidences: u64,
}

const EPOCH: u64 = 1_000_000_000;
const WINDOW_SECONDS: u64 = 3_600;
const CORE: Bucket = Bucket(0);

fn payer(token: usize) -> Payer {
    Payer::from_bytes((1 + token as u128).to_be_bytes())
}

fn member(number: usize, members: usize) -> Member {
    let local = (members > 1).then(|| PeerId::from_public_key([number as u8; 32]));
    let ledger = Ledger::new(Reserves::NONE, 80, local);
    Member { ledger, boot: 0, is_cut: false, arrivals: vec![0; members] }
}

impl World {
    fn of(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let plan = Plan::of(&mut chance);
        let members = (0..plan.nodes).map(|number| member(number, plan.nodes)).collect();
        let users = plan.before.iter().map(|before| (*before, 0)).collect();
        let (events, counted) = (BTreeMap::new(), BTreeMap::new());
        // Some begin shortly before a window of all ends.
        let now = EPOCH + chance.one_of(&[0, 380_000, 395_000]);
        let mut world =
            Self { plan, chance, now, events, events_count: 0, members, users, counted, coincidences: 0 };
        if world.plan.round > 1 {
            let reset = world.next_reset();
            world.users.iter_mut().for_each(|(_, ends)| *ends = reset);
        }
        world.schedule();
        world
    }

    fn spenders(&self) -> Spenders {
        Spenders { members: self.plan.nodes as u64, districts: 1 }
    }

    fn next_reset(&self) -> u64 {
        let seconds = self.now.div_ceil(1_000);
        match self.plan.round {
            1 => seconds + WINDOW_SECONDS,
            round => (seconds / round + 1) * round,
        }
    }

    fn add(&mut self, at: u64, event: Event) {
        self.events_count += 1;
        self.events.insert((at, self.events_count), event);
    }

    fn schedule(&mut self) {
        let tokens = self.plan.tokens.len();
        let mut at = self.now;
        let mut favoured = 0;
        for call in 0..self.plan.calls {
            let now = match self.plan.order {
                Order::Any => vec![self.chance.below(tokens as u64) as usize],
                Order::Turns(turn) => vec![(call / turn) as usize % tokens],
                Order::Step => (0..tokens).collect(),
                Order::Bursts => {
                    if self.chance.percent(8) {
                        favoured = self.chance.below(tokens as u64) as usize;
                    }
                    vec![if self.chance.percent(90) {
                        favoured
                    } else {
                        self.chance.below(tokens as u64) as usize
                    }]
                }
            };
            at += if self.chance.percent(50) { self.plan.gap } else { self.chance.below(2 * self.plan.gap) };
            for token in now {
                let node = if self.chance.percent(50) { call } else { self.chance.next() };
                self.add(at, Event::Call { node: node as usize % self.plan.nodes, token });
                let user = self.plan.tokens[token];
                let percent = self.plan.outside[user];
                if self.plan.bursts && percent > 0 && self.chance.percent(3) {
                    let calls = self.chance.below(40);
                    (0..calls).for_each(|call| self.add(at + call * 5, Event::Outside { user }));
                } else if !self.plan.bursts && self.chance.percent(percent) {
                    let after = self.chance.below(self.plan.gap);
                    self.add(at + after, Event::Outside { user });
                }
            }
            let node = self.chance.below(self.plan.nodes as u64) as usize;
            if self.plan.restarts && self.chance.percent(1) {
                self.add(at, Event::Restart { node });
            }
            if self.plan.cuts && self.chance.percent(1) {
                let until = at + self.chance.below(8_000);
                self.add(at, Event::Cut { node, is_cut: true });
                self.add(until, Event::Cut { node, is_cut: false });
            }
        }
    }

    /// The origin counts a call of `user`, unless it `is_free`. Returns the use and the end of the window.
    fn counted(&mut self, user: usize, is_free: bool) -> (u64, u64) {
        if self.users[user].1 * 1_000 <= self.now {
            let is_first = self.users[user].1 == 0;
            self.users[user] = (if is_first { self.users[user].0 } else { 0 }, self.next_reset());
        }
        self.users[user].0 += u64::from(!is_free);
        self.users[user]
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            self.on(event);
            for number in 0..self.members.len() {
                self.tell(number);
                self.check(number)?;
            }
        }
        self.check_end()
    }

    fn on(&mut self, event: Event) {
        let now = Timestamp::from_unix_millis(self.now);
        match event {
            Event::Call { node, token } => {
                self.members[node].ledger.begin((payer(token), CORE), now);
                let is_free = self.chance.percent(self.plan.free_percent);
                let at = self.now + self.chance.below(self.plan.call);
                self.add(at, Event::Counted { node, token, is_free });
            }
            Event::Counted { node, token, is_free } => self.on_counted(node, token, is_free),
            Event::Answered { node, token, shown, is_free, boot } => {
                let spenders = self.spenders();
                let member = &mut self.members[node];
                member.ledger.note(
                    shown.clone(),
                    (now, now.saturating_add(Duration::from_millis(700))),
                    spenders,
                );
                if !is_free {
                    member.ledger.count(&shown, now);
                }
                if member.boot == boot {
                    member.ledger.end((payer(token), CORE));
                }
            }
            Event::Outside { user } => _ = self.counted(user, false),
            Event::Told { node, told, numbers } => {
                let ledger = &mut self.members[node].ledger;
                told.into_iter().for_each(|told| _ = ledger.hear(told, now));
                numbers.iter().for_each(|told| _ = ledger.hear_numbers(told, now));
            }
            Event::Due { node } => self.members[node].ledger.settle(now),
            Event::Restart { node } => {
                let boot = self.members[node].boot + 1;
                self.members[node] = Member { boot, ..member(node, self.plan.nodes) };
                if let Some(other) = (0..self.plan.nodes).find(|other| *other != node) {
                    let ledger = &self.members[other].ledger;
                    let told = ledger.present(now).cloned().collect();
                    let numbers = ledger.present_numbers(now).collect();
                    self.say(other, node, told, numbers);
                }
            }
            Event::Cut { node, is_cut } => self.members[node].is_cut = is_cut,
        }
    }

    fn on_counted(&mut self, node: usize, token: usize, is_free: bool) {
        let user = self.plan.tokens[token];
        let (used, reset) = self.counted(user, is_free);
        let window = Window {
            limit: 5_000,
            remaining: 5_000_u64.saturating_sub(used),
            used,
            reset: Timestamp::from_unix_millis(reset * 1_000),
        };
        let shown = Allowance {
            payer: payer(token),
            domain: Domain::ANONYMOUS,
            resource: "core".into(),
            bucket: Some(CORE),
            window,
        };
        if self.chance.percent(self.plan.lost_percent) {
            return self.members[node].ledger.end((payer(token), CORE));
        }
        if !is_free {
            self.counted.insert((user, reset, used), (token, self.now));
        }
        let (at, boot) = (self.now + self.chance.below(self.plan.call), self.members[node].boot);
        self.add(at, Event::Answered { node, token, shown, is_free, boot });
    }

    fn tell(&mut self, number: usize) {
        let now = Timestamp::from_unix_millis(self.now);
        let member = &mut self.members[number];
        let told = member.ledger.take_due(now, 48);
        let numbers = member.ledger.take_due_numbers(now, 32);
        if !told.is_empty() || !numbers.is_empty() {
            for other in (0..self.plan.nodes).filter(|other| *other != number) {
                self.say(number, other, told.clone(), numbers.clone());
            }
        }
        if let Some(due) = self.members[number].ledger.next_due() {
            let at = due.as_unix_millis().max(self.now + 1);
            if !self
                .events
                .range((at, 0)..=(at, u64::MAX))
                .any(|(_, it)| matches!(it, Event::Due { node } if *node == number))
            {
                self.add(at, Event::Due { node: number });
            }
        }
    }

    fn say(&mut self, from: usize, to: usize, told: Vec<Allowance>, numbers: Vec<CallNumbers>) {
        if self.members[from].is_cut || self.members[to].is_cut {
            return;
        }
        let at = self.now + self.chance.below(self.plan.message);
        let at = at.max(self.members[from].arrivals[to]);
        self.members[from].arrivals[to] = at;
        self.add(at, Event::Told { node: to, told, numbers });
    }

    fn check(&mut self, number: usize) -> Result<(), String> {
        for one in 0..self.plan.tokens.len() {
            for other in self.members[number].ledger.one_with(payer(one)) {
                let other = u128::from_be_bytes(*other.as_bytes()) as usize - 1;
                if self.plan.tokens[one] == self.plan.tokens[other] {
                    continue;
                }
                if !self.is_coincidence(one, other) && !self.is_coincidence(other, one) {
                    let at = self.now - EPOCH;
                    return Err(alloc::format!("node {number} joins tokens {one} and {other} after {at} ms"));
                }
                self.coincidences += 1;
            }
        }
        Ok(())
    }

    /// Whether the first that the fleet saw of the user of token `later`, which had called elsewhere before, came right behind what
    /// the other's had used: then the fleet sees what it sees when a token takes over.
    fn is_coincidence(&self, former: usize, later: usize) -> bool {
        let (former, later) = (self.plan.tokens[former], self.plan.tokens[later]);
        let mut windows = BTreeMap::new();
        for (_, reset, number) in self.counted.keys().filter(|(user, ..)| *user == later) {
            windows.entry(*reset).or_insert(*number);
        }
        let is_former = |reset: u64, number| {
            (reset - 1..=reset + 1).any(|it| self.counted.contains_key(&(former, it, number)))
        };
        let leads = |(reset, first): (u64, u64)| first > 10 && is_former(reset, first - 1);
        // A member that starts again may have been the only one to know of calls before.
        let mut later_ones = self.counted.keys().filter(|(user, ..)| self.plan.restarts && *user == later);
        windows.into_iter().any(leads)
            || later_ones.any(|(_, reset, number)| {
                (1..=8).all(|back| *number > 10 && is_former(*reset, number - back))
            })
    }

    /// Whatever its tokens' calls showed beyond doubt, every member knows.
    fn check_end(&self) -> Result<(), String> {
        if !self.plan.is_without_faults() {
            return Ok(());
        }
        for (one, other) in self.pairs_shown() {
            for (number, member) in self.members.iter().enumerate() {
                if !member.ledger.one_with(payer(one)).contains(&payer(other)) {
                    return Err(alloc::format!("node {number} does not join tokens {one} and {other}"));
                }
            }
        }
        Ok(())
    }

    /// Whether in some window no call of one token has the number of a call of the other.
    fn is_disjoint(&self, one: usize, other: usize) -> bool {
        let of = |token: usize, reset: u64| {
            let all = self
                .counted
                .iter()
                .filter(move |((_, ends, _), (by, _))| *by == token && ends.abs_diff(reset) <= 1);
            all.map(|((_, _, number), _)| *number).collect::<BTreeSet<_>>()
        };
        let resets: BTreeSet<u64> = self.counted.keys().map(|(_, reset, _)| *reset).collect();
        resets.into_iter().any(|reset| {
            let (one, other) = (of(one, reset), of(other, reset));
            one.len() >= 10 && other.len() >= 10 && one.is_disjoint(&other)
        })
    }

    /// The pairs of tokens of which the fleet has seen forty calls in a row with ten of each in eight turns.
    fn pairs_shown(&self) -> BTreeSet<(usize, usize)> {
        let mut shown = BTreeSet::new();
        let tokens = 0..self.plan.tokens.len();
        let all = tokens.clone().flat_map(|one| tokens.clone().map(move |other| (one, other)));
        for (one, other) in
            all.filter(|(one, other)| one < other && self.plan.tokens[*one] == self.plan.tokens[*other])
        {
            let mut windows: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
            let of = |token: usize| token == one || token == other;
            for ((_, reset, number), (token, at)) in &self.counted {
                // What is shown when the window is about to end is not compared any more.
                if !of(*token) || at + 4_000 + 2 * self.plan.call > reset * 1_000 {
                    continue;
                }
                windows.entry(*reset).or_default().push((*number, *token));
            }
            let is_shown = |calls: &Vec<(u64, usize)>| {
                (0..calls.len()).any(|from| {
                    let some: Vec<_> = calls[from..]
                        .iter()
                        .take_while(|(number, _)| *number < calls[from].0 + 300)
                        .collect();
                    let ones = some.iter().filter(|(_, token)| *token == one).count();
                    let turns = some.windows(2).filter(|two| two[0].1 != two[1].1).count() + 1;
                    some.len() >= 40 && ones >= 10 && some.len() - ones >= 10 && turns >= 8
                })
            };
            let mut others = tokens.clone().filter(|third| self.plan.tokens[*third] != self.plan.tokens[one]);
            let is_rival = |third: usize| self.is_disjoint(third, one) || self.is_disjoint(third, other);
            if windows.values().any(is_shown) && !others.any(is_rival) {
                shown.insert((one, other));
            }
        }
        shown
    }
}

fn run(seeds: impl ExactSizeIterator<Item = u64>) {
    let worlds = seeds.len() as u64;
    let (mut joined, mut coincidences) = (0, 0);
    for seed in seeds {
        let mut world = World::of(seed);
        if let Err(wrong) = world.run() {
            panic!("seed {seed}: {wrong}; {:?}", world.plan);
        }
        joined += u64::from(world.plan.is_without_faults() && !world.pairs_shown().is_empty());
        coincidences += u64::from(world.coincidences > 0);
    }
    assert!(joined * 20 > worlds, "{joined}");
    assert!(coincidences * 200 <= worlds, "{coincidences}");
}

#[test]
fn in_no_world_are_two_users_joined_and_what_tokens_of_one_show_every_member_knows() {
    // The last found faults.
    let seeds: Vec<u64> = (0..300).chain([1104, 3313, 4405]).collect();
    run(seeds.into_iter());
}

#[test]
#[ignore = "minutes: the same in ten thousand worlds"]
fn in_none_of_ten_thousand_worlds_are_two_users_joined() {
    let seeds: Vec<u64> = (1_000..11_000).collect();
    run(seeds.into_iter());
}
