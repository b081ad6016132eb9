//! Results: what is wrong with one, and what it changes when it counts.

use wire::{BlockIndex, BlockProof, Exchange};

use super::Coordinator;
use crate::effect::{Change, Event, Output};
use crate::limits::SUMMARY_INTERVAL;
use crate::replica::{DoneBlock, Tally};
use crate::time::Now;

impl Coordinator {
    /// What is wrong in form with a result, as a sentence for the log.
    pub(super) fn fault_of(&self, block: BlockIndex, proof: &BlockProof) -> Option<String> {
        let Some(found) = self.cut.block(block.0) else {
            return Some(format!("the job has no block {block}"));
        };
        let (rows, cols) = (
            found.rows.end - found.rows.start,
            found.cols.end - found.cols.start,
        );
        let bytes = 8 * u64::from(rows) * u64::from(cols);
        if proof.bytes != bytes {
            return Some(format!(
                "{} bytes came, {rows} × {cols} numbers take {bytes}",
                proof.bytes
            ));
        }
        if proof.hash.is_none() {
            return Some("the result has no hash".to_owned());
        }
        if !proof.compute_ms.is_finite() || proof.compute_ms < 0.0 {
            return Some(format!("{} is no compute time", proof.compute_ms));
        }
        None
    }

    pub(super) fn count(
        &mut self,
        now: Now,
        block: BlockIndex,
        exchange: &Exchange,
        proof: BlockProof,
        outputs: &mut Vec<Output>,
    ) {
        let job = self.job();
        self.pending.remove(&block);
        self.reserved.remove(&block);
        self.lost.remove(&block);
        self.drop_others(block, outputs);
        let operations = self.operations(block);
        let done = DoneBlock {
            block,
            hash: proof
                .hash
                .expect("a result without a hash was refused before"),
            worker: exchange.worker,
            kind: exchange.kind,
            name: exchange.name.clone(),
            device: exchange.device.clone(),
            compute_ms: proof.compute_ms,
            operations,
            epoch: self.epoch(),
        };
        self.replica.record_done(done.clone());
        if let Some(participant) = self.participants.get_mut(&exchange.worker) {
            participant.speed.observe(operations, proof.compute_ms);
            participant.lapsed = false;
            participant.failures = participant.failures.saturating_sub(1);
        }
        let tally = self.tally();
        outputs.push(Output::Persist(Change::Done {
            job,
            done,
            epoch: self.epoch(),
            tally,
        }));
        outputs.push(Output::Event(Event::BlockDone {
            job,
            block,
            worker: exchange.worker,
            compute_ms: proof.compute_ms,
        }));
        outputs.push(Output::Event(Event::JobChanged { job }));
        if self.summary_due.is_none() {
            self.summary_due = Some(now.moment + SUMMARY_INTERVAL);
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.replica
            .tallies
            .get(&self.epoch())
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn set_tally(&mut self, tally: Tally) {
        let epoch = self.epoch();
        self.replica.raise_tally(epoch, tally);
    }
}
