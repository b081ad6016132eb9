//! What is true whatever happens, one file each. The world of `support/` tells
//! them every output of every node as it is carried out; those with memory keep
//! it in [`Memory`].

pub(crate) mod acknowledged_jobs_are_kept;
pub(crate) mod an_epoch_is_won_once;
pub(crate) mod blocks_count_once;
pub(crate) mod copies_agree;
pub(crate) mod done_work_is_not_begun_again;
pub(crate) mod joined_backups_have_it;
pub(crate) mod no_device_is_idle;
pub(crate) mod nobody_replaces_one_that_leads;
pub(crate) mod nothing_is_left_over;
pub(crate) mod results_have_copies;
pub(crate) mod stored_before_told;

use acknowledged_jobs_are_kept::Acknowledged;
use an_epoch_is_won_once::Victories;
use done_work_is_not_begun_again::DoneWork;

/// What the invariants remember of a run.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) acknowledged: Acknowledged,
    pub(crate) victories: Victories,
    pub(crate) done_work: DoneWork,
}
