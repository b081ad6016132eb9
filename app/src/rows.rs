//! both: rows of a table that are renewed one by one.
//!
//! Hundreds of rows that all follow one signal would all be compared ten times a second, and those
//! that changed drawn in one frame. Here one effect compares what they show, and tells some rows in
//! each frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use leptos::prelude::*;

/// A row, known by its key.
#[derive(Debug)]
pub(crate) struct Row<K, T> {
    key: K,
    /// Unlike any other row's.
    number: u64,
    shown: ArcRwSignal<T>,
}

impl<K, T: Send + Sync + 'static> Row<K, T> {
    fn new(key: K, shown: T) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            key,
            number: COUNT.fetch_add(1, Ordering::Relaxed),
            shown: ArcRwSignal::new(shown),
        }
    }
}

impl<K: Clone, T> Clone for Row<K, T> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            number: self.number,
            shown: self.shown.clone(),
        }
    }
}

/// In their order.
pub(crate) type Rows<K, T> = Vec<Row<K, T>>;

/// A view a row. Rows that stay keep theirs, with whatever has the focus in it.
pub(crate) fn each<K, T>(
    rows: RwSignal<Rows<K, T>>,
    view: impl Fn(K, ArcRwSignal<T>) -> AnyView + Copy + Send + Sync + 'static,
) -> AnyView
where
    K: Copy + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    let erased = move |Row { key, number, shown }: Row<K, T>| ErasedRow {
        number,
        view: Arc::new(move || view(key, shown.clone())),
    };
    each_erased(Signal::derive(move || {
        rows.get().into_iter().map(erased).collect()
    }))
}

/// The code that compares lists is compiled for each type of row: here, once for all tables.
#[derive(Clone)]
struct ErasedRow {
    number: u64,
    view: Arc<dyn Fn() -> AnyView + Send + Sync>,
}

fn each_erased(rows: Signal<Vec<ErasedRow>>) -> AnyView {
    view! {
        <For each=move || rows.get() key=|row| row.number let(row)>
            {(row.view)()}
        </For>
    }
    .into_any()
}

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
    let rows = RwSignal::new(shown.map(|(key, row)| Row::new(key, row)).collect());
    let next_frame = RwSignal::new(());
    let is_due = StoredValue::new(false);
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
            if !is_due.get_value() {
                is_due.set_value(true);
                request_animation_frame(move || {
                    // Nothing, where the page was left in between.
                    let _ = is_due.try_set_value(false);
                    let _ = next_frame.try_set(());
                });
            }
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
    let keys = known.iter().map(|row| row.key);
    if !keys.eq(now.iter().map(|(key, _)| *key)) {
        let rows =
            now.into_iter().map(
                |(key, row)| match known.iter().find(|known| known.key == key) {
                    Some(known) => {
                        if *known.shown.read_untracked() != row {
                            known.shown.set(row);
                        }
                        known.clone()
                    }
                    None => Row::new(key, row),
                },
            );
        let rows = Some(rows.collect());
        return Renewal { rows, next: None };
    }
    let count = now.len();
    let mut now: Vec<_> = now.into_iter().map(|(_, row)| Some(row)).collect();
    let mut told = 0;
    for at in (0..count).map(|step| (first + step) % count) {
        let signal = &known[at].shown;
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
            .map(|row| (row.key, row.shown.get_untracked()))
            .collect()
    }

    #[test]
    fn a_row_that_stays_keeps_its_signal() {
        let known = vec![Row::new('a', 1)];
        let signal = known[0].shown.clone();
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
