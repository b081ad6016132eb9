//! The kernels the other files believe to test are really there.

use kernel::{InstructionSet, Kernel};

fn names() -> Vec<InstructionSet> {
    Kernel::available()
        .iter()
        .map(Kernel::instruction_set)
        .collect()
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_scalar_kernel_is_always_there() {
    assert!(names().contains(&InstructionSet::Scalar));
}

#[test]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_detected_kernel_is_the_first_of_those_available() {
    assert_eq!(Kernel::detect().instruction_set(), names()[0]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_processor_with_avx2_has_the_avx2_kernel() {
    let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    assert_eq!(names().contains(&InstructionSet::Avx2), has_avx2);
    let has_avx512 = is_x86_feature_detected!("avx512f");
    assert_eq!(names().contains(&InstructionSet::Avx512), has_avx512);
}

#[cfg(target_arch = "aarch64")]
#[test]
fn a_64_bit_arm_has_the_neon_kernel() {
    assert_eq!(names(), [InstructionSet::Neon, InstructionSet::Scalar]);
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[wasm_bindgen_test::wasm_bindgen_test]
fn the_simd_build_has_the_simd_kernel() {
    assert_eq!(names(), [InstructionSet::WasmSimd, InstructionSet::Scalar]);
}

#[cfg(all(target_arch = "wasm32", not(target_feature = "simd128")))]
#[wasm_bindgen_test::wasm_bindgen_test]
fn the_plain_build_has_only_the_scalar_kernel() {
    assert_eq!(names(), [InstructionSet::Scalar]);
}
