//! Daemons that were told no contact find one another: by a name in the DNS, in a file, on the local network.

use crate::support::{EITHER, Over, addresses, ask, body, member, new_secret, shown, until_connected};
use cache_tests::{
    daemon::{Daemon, Setup},
    dns::{DnsServer, Record},
    origin::ModelOrigin,
    until,
};
use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    time::Instant,
};

const SERVICE: &str = "fleet-cache.ci.svc.cluster.local";

/// A headless service and its pods, each with an address of its own and the same port.
struct Service<'a> {
    origin: &'a ModelOrigin,
    over: Over,
    secret: String,
    dns: DnsServer,
    port: u16,
    pods: Vec<(Ipv4Addr, Daemon)>,
    next: u8,
    /// Which of the loopback addresses are this service's, so that tests that run at once do not meet.
    network: u8,
}

impl<'a> Service<'a> {
    fn new(origin: &'a ModelOrigin, over: Over, network: u8) -> Self {
        let (secret, dns) = (new_secret(), DnsServer::start());
        let (pods, next) = (Vec::new(), 1);
        Self { origin, over, secret, dns, port: free_port(), pods, next, network }
    }

    fn way(&self) -> String {
        format!("dns:{SERVICE}:{}@{}", self.port, self.dns.address())
    }

    /// A pod at an address where none was before. The service does not list it yet.
    fn start_pod(&mut self, secret: &str) {
        let ip = Ipv4Addr::new(127, 9, self.network, self.next);
        self.next += 1;
        let listen = match self.over {
            Over::Libp2p => format!("/ip4/{ip}/tcp/{}", self.port),
            Over::Quic => format!("/ip4/{ip}/udp/{}/quic-v1", self.port),
        };
        let setup = Setup::new(crate::support::PROGRAM, &self.origin.url())
            .with_peers()
            .env("CACHE_P2P_SHARED_SECRET", secret)
            .args(["--transport", self.over.name(), "--p2p-listen", &listen, "--discover", &self.way()]);
        self.pods.push((ip, setup.start()));
    }

    /// Lists the pods that there are.
    fn publish(&self) {
        self.dns.publish(SERVICE, self.pods.iter().map(|(ip, _daemon)| Record::A(*ip)));
    }

    async fn until_whole(&self) {
        for (_ip, daemon) in &self.pods {
            until_connected(daemon, self.pods.len() - 1).await;
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    UdpSocket::bind(("127.0.0.1", port)).map_or_else(|_taken| free_port(), |_free| port)
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_headless_service_are_one_fleet_and_so_are_those_that_replace_them() {
    for (over, network) in EITHER.into_iter().zip([1, 2]) {
        let origin = ModelOrigin::start();
        let mut service = Service::new(&origin, over, network);
        let secret = service.secret.clone();
        for _ in 0..5 {
            service.start_pod(&secret);
            service.publish();
        }
        let up = Instant::now();
        service.until_whole().await;
        println!("{over:?}: one fleet {:?} after the fifth pod was listed", up.elapsed());
        for (_ip, daemon) in &service.pods {
            body(daemon, 0).await;
        }
        assert_eq!(origin.calls_total(), 1, "they share");
        // One after the other, as a rollout has it.
        for _ in 0..5 {
            let (_ip, mut old) = service.pods.remove(0);
            old.kill();
            service.start_pod(&secret);
            service.publish();
        }
        let up = Instant::now();
        service.until_whole().await;
        println!("{over:?}: one fleet {:?} after the last of five was replaced", up.elapsed());
        // All at once, and the service lists them only after they are up.
        service.pods.clear();
        service.publish();
        for _ in 0..5 {
            service.start_pod(&secret);
        }
        service.publish();
        let up = Instant::now();
        service.until_whole().await;
        println!("{over:?}: one fleet {:?} after all five were listed at once", up.elapsed());
        // Those that others dialed first know them by that.
        let mut finders = 0;
        for (_ip, daemon) in &service.pods {
            let peers = ask(daemon, &["peers", "--json"]).await.json();
            let mut peers = peers["peers"].as_array().expect("a list").iter();
            finders += usize::from(peers.any(|peer| peer["found_by"] == service.way().as_str()));
        }
        assert!(finders > 0, "somebody was found");
        let listed = format!("looks by {}: 5 addresses", service.way());
        until("the first pod has looked again", async || {
            ask(&service.pods[0].1, &["peers"]).await.stdout.contains(&listed)
        })
        .await;
        let doctor = ask(&service.pods[0].1, &["doctor"]).await;
        assert_eq!(doctor.code, 0, "{doctor:?}");
        assert!(doctor.stdout.contains("finding"), "{doctor:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_behind_the_name_is_let_alone_and_told_of() {
    for (over, network) in EITHER.into_iter().zip([3, 4]) {
        let origin = ModelOrigin::start();
        let mut service = Service::new(&origin, over, network);
        let secret = service.secret.clone();
        service.start_pod(&secret);
        service.start_pod(&secret);
        service.start_pod(&new_secret());
        service.publish();
        let (member, stranger) = (&service.pods[0].1, &service.pods[2].1);
        until_connected(member, 1).await;
        until("the stranger was found, and refused", async || {
            let peers = shown(member, "/peers").await;
            let peers = peers["peers"].as_array().expect("a list");
            peers.iter().any(|peer| peer["id"].is_null() && peer["state"] == "backing off")
        })
        .await;
        assert_eq!(shown(stranger, "/stats").await["connected_peers"], 0);
        let doctor = ask(member, &["doctor", "--json"]).await;
        assert_eq!(doctor.code, 0, "strangers do not keep members from sharing: {doctor:?}");
        assert!(doctor.stdout.contains("asked less and less often"), "{doctor:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_services_says_the_ports_and_one_that_is_not_there_is_asked_again() {
    for over in EITHER {
        let (origin, dns, secret) = (ModelOrigin::start(), DnsServer::start(), new_secret());
        let way = format!("dns:_fleet._udp.example.test@{}", dns.address());
        let start = || member(&origin, over, &secret, &[]).args(["--discover", &way]).start();
        let (one, two) = (start(), start());
        until("the name is missed", async || {
            let peers = shown(&one, "/peers").await;
            let fault = peers["discovery"][0]["fault"].as_str().unwrap_or_default();
            fault == "the DNS knows no name _fleet._udp.example.test"
        })
        .await;
        assert_eq!(ask(&one, &["doctor"]).await.code, 12, "there is no other node");
        let mut services = Vec::new();
        for daemon in [&one, &two] {
            let address = addresses(daemon).await.remove(0);
            let port = address.split('/').nth(4).and_then(|port| port.parse().ok()).expect("a port");
            services.push(Record::Srv(port, "ci.example.test".to_owned()));
        }
        dns.publish("ci.example.test", [Record::A(Ipv4Addr::LOCALHOST)]);
        dns.publish("_fleet._udp.example.test", services);
        until_connected(&one, 1).await;
        until_connected(&two, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_a_file_lists_are_found_as_soon_as_it_does() {
    for over in EITHER {
        let (origin, secret) = (ModelOrigin::start(), new_secret());
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("nodes");
        let way = format!("file:{}", path.display());
        let one = member(&origin, over, &secret, &[]).start();
        let two = member(&origin, over, &secret, &[]).env("CACHE_DISCOVER", &way).start();
        until("the file is missed", async || {
            let peers = shown(&two, "/peers").await;
            peers["discovery"][0]["fault"].as_str().unwrap_or_default().contains("cannot be read")
        })
        .await;
        std::fs::write(&path, format!("# one\n{}\nnonsense\n", addresses(&one).await[0]))
            .expect("it can be written");
        until_connected(&two, 1).await;
        let peers = shown(&two, "/peers").await;
        assert_eq!(peers["peers"][0]["found_by"], way.as_str());
        let doctor = ask(&two, &["doctor"]).await;
        assert!(doctor.code == 0 && doctor.stdout.contains("line 3: \"nonsense\""), "{doctor:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_fleet_find_one_another_on_the_local_network_and_none_of_another_fleet() {
    for over in EITHER {
        let (origin, secret) = (ModelOrigin::start(), new_secret());
        let start = |secret: &str| member(&origin, over, secret, &[]).args(["--discover", "mdns"]).start();
        let fleet = [start(&secret), start(&secret), start(&secret)];
        let stranger = start(&new_secret());
        let up = Instant::now();
        for daemon in &fleet {
            until_connected(daemon, 2).await;
        }
        println!("{over:?}: one fleet {:?} after the last was up", up.elapsed());
        let alone = shown(&stranger, "/peers").await;
        assert_eq!(alone["discovery"][0]["found"], 0, "{alone:#}");
        assert_eq!(alone["peers"].as_array().map(Vec::len), Some(0), "{alone:#}");
    }
}
