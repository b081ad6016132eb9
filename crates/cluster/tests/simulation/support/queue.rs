//! What is going to happen, in the order of time; of two at one time in the order in which they were put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

#[derive(Debug)]
pub(super) struct Queue<T> {
    entries: BinaryHeap<Entry<T>>,
    last: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: u64,
    number: u64,
    value: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            entries: BinaryHeap::new(),
            last: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, at: u64, value: T) {
        self.last += 1;
        let number = self.last;
        self.entries.push(Entry { at, number, value });
    }

    /// When the first is.
    pub(super) fn first_at(&self) -> Option<u64> {
        self.entries.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        self.entries.pop().map(|entry| (entry.at, entry.value))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The heap gives the greatest first.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}
