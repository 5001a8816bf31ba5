//! The bounded queue between those who change the store and the thread that does.

use cache_core::{
    Entry, Key, Timestamp,
    port::{Change, StoreError},
};
use parking_lot::{Condvar, Mutex};
use std::{collections::VecDeque, sync::Arc, time::Instant};

/// One thing for the store's thread to do, in the order given.
pub(crate) enum Order {
    Flush(Done<()>),
    Load(Key, Box<dyn FnOnce(Option<Entry>) + Send>),
    Put(Arc<Entry>),
    Remove(Vec<Change>, Done<u64>),
    Shutdown(Done<()>),
    Sweep(Timestamp, Done<u64>),
}

/// Called once on the store's thread with what became of an order.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Orders that wait for the store's thread.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// There may be something to do.
    filled: Condvar,
    /// There may be room.
    drained: Condvar,
}

impl Queue {
    /// Adds a put; gives it back if there is no room or the queue is closed.
    pub(crate) fn offer(&self, entry: Arc<Entry>) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused);
        }
        let bytes = entry.weight_bytes();
        let is_full = state.orders.len() >= QUEUE_ORDERS_MAX || state.put_bytes + bytes > QUEUE_BYTES_MAX;
        // One entry is taken whatever its size, or the largest never would be.
        if is_full && !state.orders.is_empty() {
            return Err(Refused);
        }
        state.put_bytes += bytes;
        state.puts += 1;
        state.orders.push_back(Order::Put(entry));
        // A thread that waits for its next batch need not hear of every put.
        if state.is_idle || state.puts == state.wanted {
            state.is_idle = false;
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Adds an order that must not be lost, waiting for room if need be; gives it back if the queue is closed.
    ///
    /// Room is made by dropping the oldest put, as long as there is one; answers how many were dropped.
    pub(crate) fn push(&self, order: Order) -> Result<u64, Order> {
        let mut state = self.state.lock();
        let mut dropped = 0;
        while state.orders.len() >= QUEUE_ORDERS_MAX && !state.is_closed {
            if state.drop_oldest_put() {
                dropped += 1;
            } else {
                self.drained.wait(&mut state);
            }
        }
        if state.is_closed {
            return Err(order);
        }
        state.orders.push_back(order);
        state.is_urgent = true;
        state.is_idle = false;
        self.filled.notify_one();
        Ok(dropped)
    }

    /// All orders, as soon as one is urgent, there are `wanted` puts, or `until` has come. Without
    /// `until`, as soon as there is any.
    ///
    /// Nothing at all once the queue is closed and empty.
    pub(crate) fn take(&self, until: Option<Instant>, wanted: usize) -> Taken {
        let mut state = self.state.lock();
        state.wanted = wanted;
        loop {
            let is_due = match until {
                None => !state.orders.is_empty(),
                Some(until) => Instant::now() >= until,
            };
            if is_due || state.is_urgent || state.puts >= wanted {
                state.is_urgent = false;
                state.puts = 0;
                state.put_bytes = 0;
                let orders = std::mem::take(&mut state.orders);
                self.drained.notify_all();
                return Taken::Orders(orders);
            }
            if state.is_closed {
                return Taken::Closed;
            }
            match until {
                None => {
                    state.is_idle = true;
                    self.filled.wait(&mut state);
                }
                Some(until) => {
                    self.filled.wait_until(&mut state, until);
                }
            }
        }
    }

    /// Takes nothing more. What is in the queue can still be taken.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.is_urgent = state.is_urgent || !state.orders.is_empty();
        self.filled.notify_all();
        self.drained.notify_all();
    }
}

/// The queue is full or closed; the put was not taken.
pub(crate) struct Refused;

/// What [`Queue::take`] found.
pub(crate) enum Taken {
    Closed,
    Orders(VecDeque<Order>),
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    puts: usize,
    put_bytes: usize,
    /// Puts that complete the thread's batch.
    wanted: usize,
    /// Somebody waits for an order in the queue.
    is_urgent: bool,
    /// The thread waits without a moment at which to wake by itself.
    is_idle: bool,
    is_closed: bool,
}

impl State {
    fn drop_oldest_put(&mut self) -> bool {
        let place = self.orders.iter().position(|order| matches!(order, Order::Put(_)));
        let Some(Order::Put(entry)) = place.and_then(|place| self.orders.remove(place)) else {
            return false;
        };
        self.puts -= 1;
        self.put_bytes -= entry.weight_bytes();
        true
    }
}

/// Most orders that wait: some seconds of what a disk takes. A put that finds it full is dropped.
pub(crate) const QUEUE_ORDERS_MAX: usize = 4096;
/// Most bytes of entries that wait, which memory has given up already where they were evicted.
pub(crate) const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;
