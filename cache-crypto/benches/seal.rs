//! Measures what sealing costs compared with moving the bytes, and what letting a peer in costs.

use cache_core::{
    PeerId,
    port::{Gate, Session, Side},
};
use cache_crypto::{FleetGate, FleetSecret, Keyring};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    for bytes in [256, 4 * 1024, 64 * 1024, 1024 * 1024] {
        let plain = vec![7; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("seal", bytes), &plain, |bencher, plain| {
            let (mut sender, _) = sessions(&gate());
            bencher.iter(|| sender.seal(black_box(plain)).expect("the sequence is long"));
        });
        group.bench_with_input(BenchmarkId::new("open", bytes), &plain, |bencher, plain| {
            let (mut sender, mut receiver) = sessions(&gate());
            bencher.iter_batched(
                || sender.seal(plain).expect("the sequence is long"),
                |frame| receiver.open(black_box(&frame)).expect("it comes in order"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Both sides of one, from the hello to the sessions.
fn admission(criterion: &mut Criterion) {
    let gate = gate();
    criterion.bench_function("admission of both sides", |bencher| bencher.iter(|| sessions(&gate)));
}

fn gate() -> FleetGate {
    FleetGate::new(Keyring::new(&FleetSecret::generate().expect("there is entropy")))
}

fn sessions(gate: &FleetGate) -> (Box<dyn Session>, Box<dyn Session>) {
    let (one, other) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
    let mut dialer = gate.begin(Side::Dialer, one, other, b"channel");
    let mut listener = gate.begin(Side::Listener, other, one, b"channel");
    for _ in 0..2 {
        let message = dialer.poll_transmit().expect("it is the dialer's turn");
        listener.handle(&message).expect("the secret is the same");
        let message = listener.poll_transmit().expect("it is the listener's turn");
        dialer.handle(&message).expect("the secret is the same");
    }
    let session = "both have proved themselves";
    (dialer.poll_session().expect(session), listener.poll_session().expect(session))
}

criterion_group!(benches, frames, admission);
criterion_main!(benches);
