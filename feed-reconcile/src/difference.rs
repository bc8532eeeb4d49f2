//! What differs between two ordered maps whose values are shared.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The keys whose value is not the very same `Arc` in both maps, in order.
///
/// One comparison a key. A value that was replaced by an equal one is named too.
pub(crate) fn changed_keys<K: Ord + Clone, V: ?Sized>(
    older: &BTreeMap<K, Arc<V>>,
    newer: &BTreeMap<K, Arc<V>>,
) -> Vec<K> {
    let mut changed = Vec::new();
    let (mut older, mut newer) = (older.iter().peekable(), newer.iter().peekable());
    loop {
        let side = match (older.peek(), newer.peek()) {
            (None, None) => return changed,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old_key, _)), Some((new_key, _))) => old_key.cmp(new_key),
        };
        let old_entry = if side.is_le() { older.next() } else { None };
        let new_entry = if side.is_ge() { newer.next() } else { None };
        match (old_entry, new_entry) {
            (Some((_, old_value)), Some((_, new_value))) if Arc::ptr_eq(old_value, new_value) => {}
            (Some((key, _)), _) | (None, Some((key, _))) => changed.push(key.clone()),
            (None, None) => return changed,
        }
    }
}
