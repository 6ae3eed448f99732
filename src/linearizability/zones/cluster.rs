//! The operations on one value of a key, and what their times say of when it was there.

use crate::id::OpId;

use super::super::witness::Why;

/// The operations on one value.
#[derive(Clone, Copy)]
pub(super) struct ValueCluster {
    /// What wrote it; `None` for what was there at first.
    pub(super) write: Option<OpId>,
    /// The place at which the write was called, and 0 of what was there at first.
    pub(super) written: u32,
    /// `f` of the zone: the first return, and whose.
    pub(super) first_return: u32,
    pub(super) returned: OpId,
    /// `s` of the zone: the last call, and whose.
    pub(super) last_call: u32,
    pub(super) called: OpId,
    /// Whether it is about nothing being there, and reads saw that.
    pub(super) shows_nothing: bool,
}

impl ValueCluster {
    pub(super) fn written_by(op: OpId, call: u32, ret: u32) -> Self {
        Self {
            write: Some(op),
            written: call,
            first_return: ret,
            returned: op,
            last_call: call,
            called: op,
            shows_nothing: false,
        }
    }

    /// What was there before every event. Places are counted from one here.
    pub(super) const INITIAL: Self = Self {
        write: None,
        written: 0,
        first_return: 0,
        returned: OpId(0),
        last_call: 0,
        called: OpId(0),
        shows_nothing: false,
    };

    pub(super) const fn is_forward(&self) -> bool {
        self.first_return < self.last_call
    }

    /// That this and `other` would each have to be older than the other.
    pub(super) const fn against(&self, other: &Self) -> Why {
        match (self.write, other.write) {
            (None, _) => Why::BackToTheBeginning { changed: other.returned, read: self.called },
            (_, None) => Why::BackToTheBeginning { changed: self.returned, read: other.called },
            (Some(_), Some(_)) => Why::CameBack {
                before: (self.returned, other.called),
                after: (other.returned, self.called),
            },
        }
    }
}

/// Two clusters that would each have to be older than the other.
pub(super) fn conflict(
    clusters: &[ValueCluster],
    forward: &mut Vec<ValueCluster>,
) -> Option<(ValueCluster, ValueCluster)> {
    forward.clear();
    forward.extend(clusters.iter().filter(|cluster| cluster.is_forward()));
    forward.sort_unstable_by_key(|cluster| cluster.first_return);
    let overlap = forward.windows(2).find(|pair| pair[1].first_return < pair[0].last_call);
    if let Some(pair) = overlap {
        return Some((pair[0], pair[1]));
    }
    let backward = clusters[1..].iter().filter(|cluster| !cluster.is_forward());
    backward.into_iter().find_map(|inner| {
        let after = forward.partition_point(|outer| outer.first_return < inner.last_call);
        let outer = forward[..after].last()?;
        (inner.first_return < outer.last_call).then_some((*outer, *inner))
    })
}
