//! What must happen in one situation: one file a matter, one fact a test. A bug
//! that chance found becomes one of these.

mod abandoned;
mod authority;
mod completing;
mod ending;
mod forgetting;
mod gathering;
mod keeping;
mod leasing;
mod makespan;
mod membership;
mod partial;
mod restoring;
mod returning;
mod spreading;
mod succession;
mod ticking;
