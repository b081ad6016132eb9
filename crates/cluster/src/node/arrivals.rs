//! What comes from other nodes is made harmless here, before anybody reads it: text is cut to what is
//! shown and loses what would act on a terminal, a log or a page.
//!
//! What a message may say at all, and who may say it, is decided where it is handled.

use wire::{CopyHead, DoneBlock, Ending, Exchange, NodeStatus, PeerMessage, make_readable};

use crate::limits::{ADDRESSES_MAX, NAME_CHARS_MAX, PAGES_MAX, REASON_CHARS_MAX};

/// Clips and cleans all text of a message.
pub(super) fn make_harmless(message: &mut PeerMessage) {
    match message {
        PeerMessage::Status(status) => clean_status(status),
        PeerMessage::Pull { exchange, .. } | PeerMessage::Result { exchange, .. } => {
            clean_exchange(exchange);
        }
        PeerMessage::Held { leases, .. } => {
            let devices = leases.iter_mut().map(|held| &mut held.exchange);
            devices.for_each(clean_exchange);
        }
        PeerMessage::CopyHead { head, .. } => clean_head(head),
        PeerMessage::CopyBlock { done, .. } => clean_block(done),
        _ => {}
    }
}

fn clean_status(status: &mut NodeStatus) {
    status.addresses.truncate(ADDRESSES_MAX);
    status.browsers.truncate(PAGES_MAX);
    make_readable(&mut status.name, NAME_CHARS_MAX);
    make_readable(&mut status.device, NAME_CHARS_MAX);
    for page in &mut status.browsers {
        make_readable(&mut page.device, NAME_CHARS_MAX);
    }
}

/// The name and kind of a device are stored with every block that it computes.
pub(super) fn clean_exchange(exchange: &mut Exchange) {
    make_readable(&mut exchange.name, NAME_CHARS_MAX);
    make_readable(&mut exchange.device, NAME_CHARS_MAX);
}

fn clean_block(done: &mut DoneBlock) {
    make_readable(&mut done.name, NAME_CHARS_MAX);
    make_readable(&mut done.device, NAME_CHARS_MAX);
}

fn clean_head(head: &mut CopyHead) {
    let ended = head.ended.as_mut();
    if let Some(Ending::Failed(reason)) = ended.map(|ended| &mut ended.ending) {
        make_readable(reason, REASON_CHARS_MAX);
    }
}
