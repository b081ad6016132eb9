//! What the pipes of a core allow: multiplications and additions between registers, nothing read,
//! nothing written, and enough of them at once that none waits for another.

use std::arch::asm;

/// A loop that does at least this many operations, the product and the sum counted as two.
pub type Loop = fn(u64);

/// The loop of these instructions, where the processor has them.
pub fn find(name: &str) -> Option<Loop> {
    let has_256 = std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma");
    let has_512 = std::is_x86_feature_detected!("avx512f");
    Some(match name {
        "fused-256" if has_256 => fused_256,
        "separate-256" if has_256 => separate_256,
        "fused-512" if has_512 => fused_512,
        "separate-512" if has_512 => separate_512,
        _ => return None,
    })
}

/// Twelve accumulators; the factors are zeros, whose speed is that of any number.
macro_rules! implement_loop {
    ($name:ident, $lanes:literal, $($line:literal),*) => {
        fn $name(operations: u64) {
            let rounds = operations / (12 * 2 * $lanes) + 1;
            // SAFETY: `find` made sure of the instructions; only registers are touched.
            unsafe {
                asm!(
                    "vxorpd xmm12, xmm12, xmm12",
                    "vxorpd xmm13, xmm13, xmm13",
                    "2:",
                    $($line,)*
                    "dec {rounds}",
                    "jnz 2b",
                    "vzeroupper",
                    rounds = inout(reg) rounds => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                    out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                    options(nomem, nostack),
                );
            }
        }
    };
}

implement_loop!(
    fused_256,
    4,
    "vfmadd231pd ymm0, ymm12, ymm13",
    "vfmadd231pd ymm1, ymm12, ymm13",
    "vfmadd231pd ymm2, ymm12, ymm13",
    "vfmadd231pd ymm3, ymm12, ymm13",
    "vfmadd231pd ymm4, ymm12, ymm13",
    "vfmadd231pd ymm5, ymm12, ymm13",
    "vfmadd231pd ymm6, ymm12, ymm13",
    "vfmadd231pd ymm7, ymm12, ymm13",
    "vfmadd231pd ymm8, ymm12, ymm13",
    "vfmadd231pd ymm9, ymm12, ymm13",
    "vfmadd231pd ymm10, ymm12, ymm13",
    "vfmadd231pd ymm11, ymm12, ymm13"
);
implement_loop!(
    separate_256,
    4,
    "vmulpd ymm14, ymm12, ymm13",
    "vaddpd ymm0, ymm0, ymm14",
    "vmulpd ymm15, ymm12, ymm13",
    "vaddpd ymm1, ymm1, ymm15",
    "vmulpd ymm14, ymm12, ymm13",
    "vaddpd ymm2, ymm2, ymm14",
    "vmulpd ymm15, ymm12, ymm13",
    "vaddpd ymm3, ymm3, ymm15",
    "vmulpd ymm14, ymm12, ymm13",
    "vaddpd ymm4, ymm4, ymm14",
    "vmulpd ymm15, ymm12, ymm13",
    "vaddpd ymm5, ymm5, ymm15",
    "vmulpd ymm14, ymm12, ymm13",
    "vaddpd ymm6, ymm6, ymm14",
    "vmulpd ymm15, ymm12, ymm13",
    "vaddpd ymm7, ymm7, ymm15",
    "vmulpd ymm14, ymm12, ymm13",
    "vaddpd ymm8, ymm8, ymm14",
    "vmulpd ymm15, ymm12, ymm13",
    "vaddpd ymm9, ymm9, ymm15",
    "vmulpd ymm14, ymm12, ymm13",
    "vaddpd ymm10, ymm10, ymm14",
    "vmulpd ymm15, ymm12, ymm13",
    "vaddpd ymm11, ymm11, ymm15"
);
implement_loop!(
    fused_512,
    8,
    "vfmadd231pd zmm0, zmm12, zmm13",
    "vfmadd231pd zmm1, zmm12, zmm13",
    "vfmadd231pd zmm2, zmm12, zmm13",
    "vfmadd231pd zmm3, zmm12, zmm13",
    "vfmadd231pd zmm4, zmm12, zmm13",
    "vfmadd231pd zmm5, zmm12, zmm13",
    "vfmadd231pd zmm6, zmm12, zmm13",
    "vfmadd231pd zmm7, zmm12, zmm13",
    "vfmadd231pd zmm8, zmm12, zmm13",
    "vfmadd231pd zmm9, zmm12, zmm13",
    "vfmadd231pd zmm10, zmm12, zmm13",
    "vfmadd231pd zmm11, zmm12, zmm13"
);
implement_loop!(
    separate_512,
    8,
    "vmulpd zmm14, zmm12, zmm13",
    "vaddpd zmm0, zmm0, zmm14",
    "vmulpd zmm15, zmm12, zmm13",
    "vaddpd zmm1, zmm1, zmm15",
    "vmulpd zmm14, zmm12, zmm13",
    "vaddpd zmm2, zmm2, zmm14",
    "vmulpd zmm15, zmm12, zmm13",
    "vaddpd zmm3, zmm3, zmm15",
    "vmulpd zmm14, zmm12, zmm13",
    "vaddpd zmm4, zmm4, zmm14",
    "vmulpd zmm15, zmm12, zmm13",
    "vaddpd zmm5, zmm5, zmm15",
    "vmulpd zmm14, zmm12, zmm13",
    "vaddpd zmm6, zmm6, zmm14",
    "vmulpd zmm15, zmm12, zmm13",
    "vaddpd zmm7, zmm7, zmm15",
    "vmulpd zmm14, zmm12, zmm13",
    "vaddpd zmm8, zmm8, zmm14",
    "vmulpd zmm15, zmm12, zmm13",
    "vaddpd zmm9, zmm9, zmm15",
    "vmulpd zmm14, zmm12, zmm13",
    "vaddpd zmm10, zmm10, zmm14",
    "vmulpd zmm15, zmm12, zmm13",
    "vaddpd zmm11, zmm11, zmm15"
);
