//! Which nodes are in the fleet, which are dialed, and which are turned away.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "own-address-dialled",
        file: "peers/contact.rs",
        old: "if is_own || is_repeated ||",
        new: "let _unused = is_own;\n        if is_repeated ||",
    },
    Mutant {
        name: "dialling-without-back-off",
        file: "peers/candidate.rs",
        old: "let until = now.saturating_add(jitter.scatter(self.pause()));\n        self.stage = Stage::Waiting { until };\n    }\n\n    /// ",
        new: "let until = now.saturating_add(Duration::from_millis(1) + jitter.scatter(Duration::ZERO));\n        self.stage = Stage::Waiting { until };\n    }\n\n    /// ",
    },
    Mutant {
        name: "lost-peer-never-dialled-again",
        file: "peers/candidate.rs",
        old: "                let pause = jitter.scatter(self.pause()).saturating_add(courtesy);\n                self.stage = Stage::Waiting { until: now.saturating_add(pause) };",
        new: "                let _unused = (now, courtesy, jitter);",
    },
    Mutant {
        name: "members-never-dialled",
        file: "engine/fleet/meeting.rs",
        old: "                fleet.peers.on_back(now, member.peer(), &addresses(&member));\n",
        new: "",
    },
    Mutant {
        name: "banned-peer-let-in",
        file: "peers.rs",
        old: "            self.conduct.ban(now, peer).map(Unwelcome::Banned)\n",
        new: "            None\n",
    },
    Mutant {
        name: "nobody-gives-way",
        file: "peers.rs",
        old: "let instead_of = is_full.then(choose).flatten();",
        new: "let instead_of = is_full.then(choose).flatten().filter(|_| false);",
    },
    Mutant {
        name: "own-lookup-unseen-by-those-who-ask",
        file: "engine/request/asking.rs",
        old: "self.fleet.as_mut().filter(|fleet| fleet.is_on_the_way())",
        new: "self.fleet.as_mut().filter(|fleet| fleet.ring.is_alone())",
    },
    Mutant {
        name: "own-lease-passed-by",
        file: "engine/fleet/inquiring.rs",
        old: "is_some_and(|holder| holder != self.local())",
        new: "is_some_and(|_holder| false)",
    },
    Mutant {
        name: "ended-connection-taken-for-an-unreachable-peer",
        file: "peers.rs",
        old: "                    None => true,\n                    Some(DialError::TooMany) => until <= now,",
        new: "                    None => candidate.failures == 0,\n                    Some(DialError::TooMany) => until <= now,",
    },
    Mutant {
        name: "more-connections-than-may-be",
        file: "peers.rs",
        old: "        self.connected.len() >= self.settings.connections_max\n",
        new: "        self.connected.len() > self.settings.connections_max\n",
    },
    Mutant {
        name: "names-not-learned-anew",
        file: "engine/fleet/meeting.rs",
        old: "        for key in self.cache.keys() {\n            fleet.learn_names(key);\n        }\n",
        new: "",
    },
    Mutant {
        name: "nobody-asks-on-behalf-of-others",
        file: "engine/fleet/inquiring.rs",
        old: "if fleet.inquiries.owed.contains_key(&name) || !has_room",
        new: "if fleet.inquiries.owed.contains_key(&name) || has_room",
    },
    Mutant {
        name: "banned-peer-not-disconnected",
        file: "peers.rs",
        old: "        if self.connected.contains_key(&peer) {\n            self.disconnect(peer);\n        }\n        self.plan(now);\n        Some(ban)",
        new: "        self.plan(now);\n        Some(ban)",
    },
    Mutant {
        name: "traffic-not-bounded",
        file: "peers.rs",
        old: "if self.conduct.take(now, peer, bytes, &self.settings.traffic) {",
        new: "if self.conduct.take(now, peer, bytes, &self.settings.traffic) || true {",
    },
    Mutant {
        name: "malformed-membership-forgiven",
        file: "engine/fleet/hearing.rs",
        old: "self.on_offence(from, Offence::Malformed);",
        new: "let _unused = Offence::Malformed;",
    },
    Mutant {
        name: "wrong-key-forgiven",
        file: "engine/request/asking.rs",
        old: "if parcel.key != *self.flights.flight(id).key() {\n            self.on_offence(from, Offence::BadEntry);",
        new: "if parcel.key != *self.flights.flight(id).key() {",
    },
    Mutant {
        name: "warm-ups-not-bounded",
        file: "engine/fleet/warming.rs",
        old: "if *batches > WARM_UPS_MAX {",
        new: "if false {",
    },
    Mutant {
        name: "nobody-warms-up",
        file: "engine/fleet/warming.rs",
        old: "self.say(peer, Message::WarmUp { skip: 0 });",
        new: "let _unused = peer;",
    },
    Mutant {
        name: "warm-up-stops-after-one-batch",
        file: "engine/fleet/warming.rs",
        old: "match next.filter(|next| *next > received && *next < most) {",
        new: "match next.filter(|next| *next > received && *next < most && false) {",
    },
    Mutant {
        name: "warm-up-skips-nothing",
        file: "engine/fleet/warming.rs",
        old: "if seen > skip && is_short",
        new: "if seen > skip / 64 && is_short",
    },
    Mutant {
        name: "dead-member-stays-in-the-ring",
        file: "engine/fleet/meeting.rs",
        old: "                fleet.peers.on_gone(now, peer);\n                self.leave_ring(peer);",
        new: "                fleet.peers.on_gone(now, peer);",
    },
    Mutant {
        name: "lost-member-stays-in-the-ring",
        file: "engine/fleet/parting.rs",
        old: "        fleet.warm_ups.remove(&peer);\n        self.leave_ring(peer);",
        new: "        fleet.warm_ups.remove(&peer);",
    },
    Mutant {
        name: "returned-member-stays-out-of-the-ring",
        file: "engine/fleet/meeting.rs",
        old: "                if fleet.peers.connected().contains_key(&member.peer()) {\n                    self.join_ring(member.peer());\n                } else {",
        new: "                if !fleet.peers.connected().contains_key(&member.peer()) {",
    },
    Mutant {
        name: "silent-coordinator-asked-again",
        file: "engine/request/asking.rs",
        old: "            self.flights.flight_mut(id).note_silent(peer);\n            self.blame_silence(peer);",
        new: "",
    },
    Mutant {
        name: "latest-boot-not-taken",
        file: "membership.rs",
        old: "if latest != ours && !self.renewed_lately() {",
        new: "if latest != ours && !self.renewed_lately() && false {",
    },
];
