//! The SIMD module's tiles, written instruction by instruction.
//!
//! A browser's compiler keeps the order of a module's instructions, and LLVM has one order only for sums of products
//! in WebAssembly: multiply, add, multiply, add. A Zen 4 core takes 0.80 of what its pipes allow that way, and 0.93
//! when two multiplications go before their two additions, eight k in a row. Every k moves on along A by itself:
//! with one distance for all, V8 would keep a register for each entry of A that is spread over a vector.
//!
//! `crates/kernel` (`wasm_simd.rs`) has the same functions in Rust; they compute the same bits.

use walrus::ir::{BinaryOp, LoadKind, LoadSimdKind, MemArg, StoreKind, UnaryOp, Value};
use walrus::{
    FunctionBuilder, FunctionKind, InstrSeqBuilder, LocalFunction, LocalId, MemoryId, Module,
    ModuleLocals, ValType,
};

/// The exported name of each function and the rows of its tile.
const TILES: [(&str, u32); 2] = [("accumulate_four_rows", 4), ("accumulate_five_rows", 5)];
/// How many k the loop takes at a time.
const KS_PER_TURN: i32 = 8;
const ENTRY_BYTES: u32 = 8;
const VECTOR_BYTES: u32 = 16;
/// `kernel`'s canonical NaN, in both lanes.
const CANONICAL_NANS: u128 = 0x7ff8_0000_0000_0000_7ff8_0000_0000_0000;
/// See [`tile_function`].
const PARAMETERS: [ValType; 6] = [ValType::I32; 6];

/// Gives the tile functions the bodies written here. Afterwards they are no longer exported.
///
/// # Panics
/// When one of them is missing, or takes something else.
pub(crate) fn replace(module: &mut Module) {
    for (name, rows) in TILES {
        let function = module
            .exports
            .get_func(name)
            .unwrap_or_else(|_| panic!("the SIMD module has no function {name}"));
        let kind = module.funcs.get(function).ty();
        assert_eq!(module.types.params(kind), PARAMETERS, "{name}");
        assert!(module.types.results(kind).is_empty(), "{name}");
        let body = tile_function(module, rows);
        module.funcs.get_mut(function).kind = FunctionKind::Local(body);
        module
            .exports
            .remove(name)
            .expect("it has just been found by its name");
    }
}

/// `(product, stride, is_first, depth, left, right)`, addresses of entries, and entries from one row of C to the
/// next: adds the products of the two panels to a tile of C, or to +0.0 where it is the first.
fn tile_function(module: &mut Module, rows: u32) -> LocalFunction {
    let memory = module.get_memory_id().expect("the module has one memory");
    let mut builder = FunctionBuilder::new(&mut module.types, &PARAMETERS, &[]);
    let parameters = PARAMETERS.map(|kind| module.locals.add(kind));
    let [product, stride, is_first, depth, left, right] = parameters;
    let tile = Tile {
        memory,
        rows,
        product,
        row_bytes: module.locals.add(ValType::I32),
        row: module.locals.add(ValType::I32),
        left,
        right,
        sums: (0..rows).map(|_| vectors(&mut module.locals)).collect(),
        factors: vectors(&mut module.locals),
        products: vectors(&mut module.locals),
        entry: module.locals.add(ValType::V128),
    };
    let turns = module.locals.add(ValType::I32);
    let mut body = builder.func_body();
    body.local_get(stride)
        .i32_const(ENTRY_BYTES.trailing_zeros().cast_signed())
        .binop(BinaryOp::I32Shl)
        .local_set(tile.row_bytes);
    // Locals are zeros from the beginning.
    body.block(None, |body| {
        let behind = body.id();
        body.local_get(is_first).br_if(behind);
        tile.load_sums(body);
    });
    body.local_get(depth)
        .i32_const(KS_PER_TURN)
        .binop(BinaryOp::I32DivU)
        .local_set(turns);
    tile.repeat(&mut body, turns, KS_PER_TURN);
    body.local_get(depth)
        .i32_const(KS_PER_TURN)
        .binop(BinaryOp::I32RemU)
        .local_set(turns);
    tile.repeat(&mut body, turns, 1);
    tile.store_sums(&mut body);
    builder.local_func(parameters.to_vec())
}

/// A tile of two vectors a row, and the locals that its loops use.
struct Tile {
    memory: MemoryId,
    rows: u32,
    /// Where C begins, what is between two rows of it, and the row that is loaded or stored.
    product: LocalId,
    row_bytes: LocalId,
    row: LocalId,
    left: LocalId,
    right: LocalId,
    sums: Vec<[LocalId; 2]>,
    factors: [LocalId; 2],
    products: [LocalId; 2],
    entry: LocalId,
}

impl Tile {
    fn load_sums(&self, body: &mut InstrSeqBuilder<'_>) {
        self.for_each_row(body, |body, sums| {
            for (offset, sum) in (0..).step_by(VECTOR_BYTES as usize).zip(sums) {
                body.local_get(self.row)
                    .load(self.memory, LoadKind::V128, vector_at(offset))
                    .local_set(sum);
            }
        });
    }

    /// Every NaN as the canonical one.
    fn store_sums(&self, body: &mut InstrSeqBuilder<'_>) {
        self.for_each_row(body, |body, sums| {
            for (offset, sum) in (0..).step_by(VECTOR_BYTES as usize).zip(sums) {
                body.local_get(self.row)
                    .local_get(sum)
                    .const_(Value::V128(CANONICAL_NANS))
                    .local_get(sum)
                    .local_get(sum)
                    .binop(BinaryOp::F64x2Eq)
                    .v128_bitselect()
                    .store(self.memory, StoreKind::V128, vector_at(offset));
            }
        });
    }

    /// `row` walks down C.
    fn for_each_row(
        &self,
        body: &mut InstrSeqBuilder<'_>,
        add: impl Fn(&mut InstrSeqBuilder<'_>, [LocalId; 2]),
    ) {
        body.local_get(self.product).local_set(self.row);
        for sums in &self.sums {
            add(body, *sums);
            body.local_get(self.row)
                .local_get(self.row_bytes)
                .binop(BinaryOp::I32Add)
                .local_set(self.row);
        }
    }

    /// As many turns as `turns` says, which ends as 0, of `ks` k each.
    fn repeat(&self, body: &mut InstrSeqBuilder<'_>, turns: LocalId, ks: i32) {
        body.block(None, |body| {
            let behind = body.id();
            body.local_get(turns).unop(UnaryOp::I32Eqz).br_if(behind);
            body.loop_(None, |body| {
                let again = body.id();
                for k in 0..ks {
                    self.add_products(body, u32::try_from(k).expect("small") * 2 * VECTOR_BYTES);
                }
                move_on(body, self.right, ks * 2 * VECTOR_BYTES.cast_signed());
                move_on(body, turns, -1);
                body.local_get(turns).br_if(again);
            });
        });
    }

    /// One k, whose factors of B are `offset` bytes further than `right` says.
    fn add_products(&self, body: &mut InstrSeqBuilder<'_>, offset: u32) {
        for (factor, offset) in self
            .factors
            .into_iter()
            .zip([offset, offset + VECTOR_BYTES])
        {
            body.local_get(self.right)
                .load(self.memory, LoadKind::V128, vector_at(offset))
                .local_set(factor);
        }
        for (row, sums) in (0..).zip(&self.sums) {
            let at = MemArg {
                align: ENTRY_BYTES,
                offset: u64::from(row * ENTRY_BYTES),
            };
            body.local_get(self.left)
                .load_simd(self.memory, LoadSimdKind::Splat64, at)
                .local_set(self.entry);
            for (product, factor) in self.products.into_iter().zip(self.factors) {
                body.local_get(self.entry)
                    .local_get(factor)
                    .binop(BinaryOp::F64x2Mul)
                    .local_set(product);
            }
            for (sum, product) in sums.iter().zip(self.products) {
                body.local_get(*sum)
                    .local_get(product)
                    .binop(BinaryOp::F64x2Add)
                    .local_set(*sum);
            }
        }
        move_on(body, self.left, (self.rows * ENTRY_BYTES).cast_signed());
    }
}

fn move_on(body: &mut InstrSeqBuilder<'_>, local: LocalId, by: i32) {
    body.local_get(local)
        .i32_const(by)
        .binop(BinaryOp::I32Add)
        .local_set(local);
}

fn vectors(locals: &mut ModuleLocals) -> [LocalId; 2] {
    [ValType::V128; 2].map(|kind| locals.add(kind))
}

/// Entries lie where they may: only that they are aligned to themselves is promised.
fn vector_at(offset: u32) -> MemArg {
    MemArg {
        align: ENTRY_BYTES,
        offset: u64::from(offset),
    }
}
