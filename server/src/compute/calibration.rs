//! How fast this machine multiplies: a short measurement at start, so that the
//! first job is placed by a speed and not by a guess.

use std::time::{Duration, Instant};

use kernel::{Arithmetic, Kernel, Multiplier, rows_of};

/// A product that fits the caches of every machine, as a block does.
const SIDE: usize = 192;

/// Long enough to leave the processor's idle clock, short enough to start.
const MEASURED: Duration = Duration::from_millis(20);

/// MFLOPS of one thread with the reproducible kernel.
pub fn measure_thread_mflops() -> f64 {
    let multiplier = Multiplier::new(Kernel::detect(), Arithmetic::Reproducible);
    let factor = vec![0.5; SIDE * SIDE];
    let mut packer = multiplier.prepare_right(SIDE, SIDE);
    packer.push_rows(&factor);
    let Ok(right) = packer.finish() else {
        return 0.0;
    };
    let left = rows_of(&factor, SIDE);
    let mut product = vec![0.0; SIDE * SIDE];
    let started = Instant::now();
    let mut rounds = 0_u32;
    while started.elapsed() < MEASURED {
        multiplier.multiply(&left, &right, &mut product);
        rounds += 1;
    }
    // The product is looked at, so that no compiler may leave it out.
    std::hint::black_box(&product);
    let operations = 2.0 * f64::from(rounds) * (SIDE as f64).powi(3);
    operations / started.elapsed().as_secs_f64() / 1e6
}
