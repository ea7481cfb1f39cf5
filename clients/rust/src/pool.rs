//! The connections of a client: one to each address, used in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::connection::{Address, Dialler, Unreachable};
use crate::target::Places;

/// After which a name is resolved again, beside the calls.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// How long an address that failed is left alone while others work.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// Connects to every address of a target.
pub(crate) struct Pool {
    places: Places,
    dialler: Dialler,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    /// None: never. The error of the newest attempt stands beside it.
    resolved: Option<(Instant, Option<Unreachable>)>,
    resolving: bool,
    turn: usize,
    /// Names connections, so that a lost one is not taken for a later one.
    made: u64,
}

struct Slot {
    address: Address,
    link: Link,
}

enum Link {
    Idle,
    Connecting,
    Ready { channel: Channel, number: u64 },
    Failed { why: Unreachable, at: Instant },
}

/// A connection that is ready.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) channel: Channel,
    number: u64,
}

impl Pool {
    pub(crate) fn new(places: Places, dialler: Dialler) -> Self {
        Self { places, dialler, state: Mutex::default(), changed: Notify::new() }
    }

    /// Returns the next connection in turn, once one is ready.
    ///
    /// Fails when all addresses have failed since the call began to wait.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<Ready, Unreachable> {
        let since = Instant::now();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // So that nothing is missed between the look and the wait.
            changed.as_mut().enable();
            if let Some(decided) = self.look(since) {
                return decided;
            }
            changed.await;
        }
    }

    /// Forgets a connection that has ended.
    pub(crate) fn lost(&self, lost: &Ready) {
        for slot in &mut self.locked().slots {
            if matches!(slot.link, Link::Ready { number, .. } if number == lost.number) {
                slot.link = Link::Idle;
            }
        }
    }

    /// Returns a connection, or why there is none; nothing if that is not known yet. Starts what is to be started.
    fn look(self: &Arc<Self>, since: Instant) -> Option<Result<Ready, Unreachable>> {
        let mut state = self.locked();
        self.resolve_if_due(&mut state, since);
        state.resolved.as_ref()?;
        let works = state.slots.iter().any(|slot| matches!(slot.link, Link::Ready { .. }));
        for position in 0..state.slots.len() {
            let slot = &mut state.slots[position];
            let due = match &slot.link {
                Link::Idle => true,
                Link::Failed { at, .. } if works => at.elapsed() >= LEFT_ALONE,
                Link::Failed { at, .. } => *at < since,
                Link::Connecting | Link::Ready { .. } => false,
            };
            if due {
                slot.link = Link::Connecting;
                tokio::spawn(Arc::clone(self).connect(slot.address.clone()));
            }
        }
        state.next().map(Ok).or_else(|| state.failure(since).map(Err))
    }

    fn resolve_if_due(self: &Arc<Self>, state: &mut State, since: Instant) {
        let due = match (&self.places, &state.resolved) {
            (_, None) => true,
            (Places::Name { .. }, Some((at, _))) if state.slots.is_empty() => *at < since,
            (Places::Name { .. }, Some((at, _))) => at.elapsed() >= RESOLVE_EVERY,
            _ => false,
        };
        if due && !state.resolving {
            state.resolving = true;
            tokio::spawn(Arc::clone(self).resolve());
        }
    }

    async fn resolve(self: Arc<Self>) {
        let guard = Guard { pool: &self, address: None };
        let found = match &self.places {
            Places::Name { host, port } => match lookup_host((host.as_str(), *port)).await {
                Ok(addresses) => Ok(addresses.map(Address::Tcp).collect()),
                Err(error) => Err(Unreachable::name(error)),
            },
            Places::Addresses(addresses) => Ok(addresses.iter().copied().map(Address::Tcp).collect()),
            Places::Socket(path) => Ok(vec![Address::Socket(path.clone())]),
        };
        self.locked().resolved(found);
        drop(guard);
    }

    async fn connect(self: Arc<Self>, address: Address) {
        let guard = Guard { pool: &self, address: Some(&address) };
        let dialled = self.dialler.dial(&address).await;
        self.locked().connected(&address, dialled);
        drop(guard);
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes over what a name resolved to; connections to addresses that stay are kept.
    fn resolved(&mut self, found: Result<Vec<Address>, Unreachable>) {
        let why = match found {
            Ok(addresses) if addresses.is_empty() => Some(Unreachable::name("the name has no address")),
            Ok(addresses) => {
                self.keep(addresses);
                None
            }
            Err(why) => Some(why),
        };
        self.resolved = Some((Instant::now(), why));
    }

    fn keep(&mut self, addresses: Vec<Address>) {
        self.slots.retain(|slot| addresses.contains(&slot.address));
        for address in addresses {
            if !self.slots.iter().any(|slot| slot.address == address) {
                self.slots.push(Slot { address, link: Link::Idle });
            }
        }
    }

    fn connected(&mut self, address: &Address, dialled: Result<Channel, Unreachable>) {
        self.made += 1;
        let number = self.made;
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.address == *address) {
            slot.link = match dialled {
                Ok(channel) => Link::Ready { channel, number },
                Err(why) => Link::Failed { why, at: Instant::now() },
            };
        }
    }

    /// Returns the next ready connection in turn.
    fn next(&mut self) -> Option<Ready> {
        let number_of_slots = self.slots.len();
        for step in 0..number_of_slots {
            let position = (self.turn + step) % number_of_slots;
            if let Link::Ready { channel, number } = &self.slots[position].link {
                self.turn = position + 1;
                return Some(Ready { channel: channel.clone(), number: *number });
            }
        }
        None
    }

    /// Returns why there is no connection, if that is known since a time.
    fn failure(&self, since: Instant) -> Option<Unreachable> {
        if self.slots.is_empty() {
            return self.resolved.as_ref().filter(|(at, _)| *at >= since)?.1.clone();
        }
        let failures = self.slots.iter().map(|slot| match &slot.link {
            Link::Failed { why, at } if *at >= since => Some(why),
            _ => None,
        });
        let failures: Vec<_> = failures.collect::<Option<_>>()?;
        // Localhost is two addresses, and a server often listens at one of them alone.
        failures.iter().find(|why| why.is_of_a_server()).or(failures.first()).map(|why| (*why).clone())
    }
}

/// Wakes who waits when a task of the pool ends, even if it is cut off, as when its runtime ends.
struct Guard<'p> {
    pool: &'p Pool,
    /// None: of the resolution.
    address: Option<&'p Address>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.locked();
        match self.address {
            None => state.resolving = false,
            Some(address) => {
                for slot in state.slots.iter_mut().filter(|slot| slot.address == *address) {
                    if matches!(slot.link, Link::Connecting) {
                        slot.link = Link::Idle;
                    }
                }
            }
        }
        drop(state);
        self.pool.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tonic::transport::Endpoint;

    use super::*;

    fn address(port: u16) -> Address {
        Address::Tcp(([127, 0, 0, 1], port).into())
    }

    fn shown(state: &State) -> Vec<(Address, bool)> {
        state.slots.iter().map(|slot| (slot.address.clone(), matches!(slot.link, Link::Failed { .. }))).collect()
    }

    #[tokio::test]
    async fn what_is_known_of_an_address_outlives_a_new_resolution() {
        let mut state = State::default();
        state.resolved(Ok(vec![address(1), address(2)]));
        state.connected(&address(2), Err(Unreachable::closed()));
        state.resolved(Ok(vec![address(3), address(2)]));
        assert_eq!(vec![(address(2), true), (address(3), false)], shown(&state));

        state.resolved(Err(Unreachable::name("no answer")));
        assert_eq!(vec![(address(2), true), (address(3), false)], shown(&state));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_resolved_again_after_a_while() {
        let dialler = Dialler { endpoint: Endpoint::from_static("http://localhost"), tls: None };
        let pool = Arc::new(Pool::new(Places::Name { host: "localhost".into(), port: 1 }, dialler));
        let mut state = State::default();
        state.resolved(Ok(vec![address(1)]));
        tokio::time::advance(RESOLVE_EVERY - Duration::from_millis(1)).await;
        pool.resolve_if_due(&mut state, Instant::now());
        assert!(!state.resolving);

        tokio::time::advance(Duration::from_millis(1)).await;
        pool.resolve_if_due(&mut state, Instant::now());
        assert!(state.resolving);
    }
}
