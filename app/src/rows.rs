//! both: rows of a table that are renewed one by one.
//!
//! Hundreds of rows that all follow one signal would all be compared ten times a second, and those
//! that changed drawn in one frame. Here one effect compares what they show, and tells some rows in
//! each frame.

use leptos::prelude::*;

/// Rows in their order, each with its key and the signal of what it shows.
pub(crate) type Rows<K, T> = Vec<(K, ArcRwSignal<T>)>;

/// A column of a table: its head, and the text of a row in it.
pub(crate) type Column<T> = (&'static str, fn(&T) -> String);

/// So many rows are told in one frame; the others in the next ones.
const ROWS_A_FRAME: usize = 20;

/// The rows that `source` says there are. The list is renewed only when a row comes, goes or moves.
pub(crate) fn follow<K, T>(
    source: impl Fn() -> Vec<(K, T)> + Clone + 'static,
) -> RwSignal<Rows<K, T>>
where
    K: PartialEq + Copy + Send + Sync + 'static,
    T: PartialEq + Send + Sync + 'static,
{
    let shown = untrack(source.clone()).into_iter();
    let rows = RwSignal::new(
        shown
            .map(|(key, row)| (key, ArcRwSignal::new(row)))
            .collect(),
    );
    let next_frame = RwSignal::new(());
    let mut first = 0;
    Effect::new(move |_| {
        next_frame.track();
        let now = source();
        let renewal = rows.with_untracked(|known| renew(known, now, first));
        if let Some(renewed) = renewal.rows {
            rows.set(renewed);
        }
        if let Some(next) = renewal.next {
            first = next;
            request_animation_frame(move || {
                // Nothing, where the page was left in between.
                let _ = next_frame.try_set(());
            });
        }
    });
    rows
}

struct Renewal<K, T> {
    /// Another list, where these are not the same rows as before.
    rows: Option<Rows<K, T>>,
    /// The first row that is still to be told.
    next: Option<usize>,
}

/// Tells rows that have changed, from the `first` on and around.
fn renew<K, T>(known: &Rows<K, T>, now: Vec<(K, T)>, first: usize) -> Renewal<K, T>
where
    K: PartialEq + Copy + Send + Sync + 'static,
    T: PartialEq + Send + Sync + 'static,
{
    let is_same = known
        .iter()
        .map(|(key, _)| key)
        .eq(now.iter().map(|(key, _)| key));
    if !is_same {
        let rows = now.into_iter().map(|(key, row)| {
            let signal = known.iter().find(|(known, _)| *known == key);
            match signal {
                Some((_, signal)) => {
                    signal.set(row);
                    (key, signal.clone())
                }
                None => (key, ArcRwSignal::new(row)),
            }
        });
        let rows = Some(rows.collect());
        return Renewal { rows, next: None };
    }
    let count = now.len();
    let mut now: Vec<_> = now.into_iter().map(|(_, row)| Some(row)).collect();
    let mut told = 0;
    for at in (0..count).map(|step| (first + step) % count) {
        let signal = &known[at].1;
        if let Some(row) = now[at]
            .take()
            .filter(|row| *signal.read_untracked() != *row)
        {
            if told == ROWS_A_FRAME {
                return Renewal {
                    rows: None,
                    next: Some(at),
                };
            }
            signal.set(row);
            told += 1;
        }
    }
    Renewal {
        rows: None,
        next: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<K: Copy>(rows: &Rows<K, u32>) -> Vec<(K, u32)> {
        rows.iter()
            .map(|(key, row)| (*key, row.get_untracked()))
            .collect()
    }

    #[test]
    fn a_row_that_stays_keeps_its_signal() {
        let signal = ArcRwSignal::new(1);
        let known = vec![('a', signal.clone())];
        assert!(renew(&known, vec![('a', 2)], 0).rows.is_none());
        assert_eq!(signal.get_untracked(), 2);
        let renewed = renew(&known, vec![('b', 5), ('a', 3)], 0).rows.unwrap();
        assert_eq!(signal.get_untracked(), 3);
        assert_eq!(shown(&renewed), [('b', 5), ('a', 3)]);
        assert_eq!(
            renew(&renewed, vec![], 0).rows.map(|rows| rows.len()),
            Some(0)
        );
    }

    #[test]
    fn what_a_frame_leaves_the_next_ones_tell() {
        let many = |row: u32| -> Vec<(usize, u32)> { (0..70).map(|key| (key, row)).collect() };
        let known = renew(&Vec::new(), many(0), 0).rows.unwrap();
        let (mut first, mut frames) = (65, 0);
        while let Some(next) = renew(&known, many(1), first).next {
            (first, frames) = (next, frames + 1);
        }
        assert_eq!(frames, 3, "20 rows each, and 10 at last");
        assert_eq!(shown(&known), many(1));
    }
}
