//! Which master of Redis holds what.

use redis::{ConnectionAddr, Value};

use crate::slot::SLOTS;

/// The masters, and for a cluster the owner of each hash slot. With a single Redis there is one master and it owns all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    masters: Vec<ConnectionAddr>,
    /// Index into `masters` by slot, `NOBODY` for a slot without an owner. Empty: the first master owns everything.
    owners: Vec<u16>,
}

const NOBODY: u16 = u16::MAX;

impl Layout {
    /// One master that owns everything.
    pub(crate) fn single(master: ConnectionAddr) -> Self {
        Self { masters: vec![master], owners: Vec::new() }
    }

    /// Reads the reply of `CLUSTER SLOTS`. A host that the node does not tell (null or empty) is the host that was
    /// `asked`, as the command's documentation says. `None` when the reply has another shape.
    pub(crate) fn of_cluster(reply: &Value, asked: &ConnectionAddr) -> Option<Self> {
        let Value::Array(ranges) = reply else { return None };
        let mut layout = Self { masters: Vec::new(), owners: vec![NOBODY; usize::from(SLOTS)] };
        for range in ranges {
            let Value::Array(range) = range else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = range.as_slice() else { return None };
            let [host, Value::Int(port), ..] = master.as_slice() else { return None };
            let address = at(asked, &text(host), u16::try_from(*port).ok()?)?;
            let index = layout.index_of(address)?;
            let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
            layout.owners.get_mut(first..=last)?.fill(index);
        }
        Some(layout)
    }

    /// All of them.
    pub fn masters(&self) -> &[ConnectionAddr] {
        &self.masters
    }

    /// The index of the master that holds a slot; `None` while nobody owns it.
    pub fn owner(&self, slot: u16) -> Option<usize> {
        if self.owners.is_empty() {
            return Some(0);
        }
        let owner = *self.owners.get(usize::from(slot))?;
        (owner != NOBODY).then_some(usize::from(owner))
    }

    /// The master that holds a slot; `None` while nobody owns it.
    pub fn master_of(&self, slot: u16) -> Option<&ConnectionAddr> {
        self.masters.get(self.owner(slot)?)
    }

    /// Whether there are hash slots, so that the sharded commands must be used.
    pub fn is_sharded(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Whether every slot has an owner.
    pub fn is_whole(&self) -> bool {
        !self.owners.contains(&NOBODY)
    }

    /// Whether every slot has the same owner in both, in whatever order the masters are listed.
    pub fn owns_like(&self, other: &Self) -> bool {
        let by_name = |layout: &Self, slot: usize| layout.masters.get(usize::from(layout.owners[slot])).cloned();
        if self.owners.len() != other.owners.len() || self.masters.len() != other.masters.len() {
            return false;
        }
        if self.masters == other.masters {
            return self.owners == other.owners;
        }
        !self.owners.is_empty() && (0..self.owners.len()).all(|slot| by_name(self, slot) == by_name(other, slot))
    }

    fn index_of(&mut self, address: ConnectionAddr) -> Option<u16> {
        let known = self.masters.iter().position(|master| *master == address);
        let index = known.unwrap_or_else(|| {
            self.masters.push(address);
            self.masters.len() - 1
        });
        u16::try_from(index).ok().filter(|index| *index != NOBODY)
    }
}

/// The same way of connecting (plain or TLS) to another host and port; an empty host keeps the host.
pub(crate) fn at(asked: &ConnectionAddr, host: &str, port: u16) -> Option<ConnectionAddr> {
    let named = |asked: &str| if host.is_empty() || host == "?" { asked.to_owned() } else { host.to_owned() };
    match asked {
        ConnectionAddr::Tcp(asked, _) => Some(ConnectionAddr::Tcp(named(asked), port)),
        ConnectionAddr::TcpTls { host: asked, insecure, tls_params, .. } => Some(ConnectionAddr::TcpTls {
            host: named(asked),
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        }),
        _ => None,
    }
}

/// The text of a string reply, or nothing.
fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> ConnectionAddr {
        ConnectionAddr::Tcp("seed".into(), 7000)
    }

    fn range(first: i64, last: i64, host: &str, port: i64) -> Value {
        let master = vec![Value::BulkString(host.into()), Value::Int(port), Value::BulkString("id".into())];
        Value::Array(vec![Value::Int(first), Value::Int(last), Value::Array(master)])
    }

    #[test]
    fn a_slot_belongs_to_its_master() {
        let reply = Value::Array(vec![range(0, 8191, "a", 1), range(8192, 16_383, "b", 2)]);
        let layout = Layout::of_cluster(&reply, &asked()).unwrap();
        assert!(layout.is_whole() && layout.is_sharded());
        for slot in [0, 8191, 8192, SLOTS - 1] {
            assert_eq!(layout.owner(slot), Some(usize::from(slot > 8191)));
        }
    }

    #[test]
    fn a_slot_without_owner_is_known_as_such() {
        let layout = Layout::of_cluster(&Value::Array(vec![range(0, 10, "a", 1)]), &asked()).unwrap();
        assert!(!layout.is_whole());
        assert_eq!((layout.owner(10), layout.owner(11)), (Some(0), None));
    }

    #[test]
    fn an_untold_host_is_the_one_that_was_asked() {
        let layout = Layout::of_cluster(&Value::Array(vec![range(0, 16_383, "", 7001)]), &asked()).unwrap();
        assert_eq!(layout.masters(), [ConnectionAddr::Tcp("seed".into(), 7001)]);
    }

    #[test]
    fn replies_of_another_shape_are_refused() {
        let wrong = [Value::Nil, Value::Array(vec![Value::Int(1)]), Value::Array(vec![range(0, 16_384, "a", 1)])];
        for reply in wrong {
            assert_eq!(Layout::of_cluster(&reply, &asked()), None);
        }
    }
}
