//! The loop over k of the SIMD module's tiles, written instruction by instruction.
//!
//! A browser's compiler keeps the order of a module's instructions, and LLVM has one order only for sums of products
//! in WebAssembly: multiply, add, multiply, add. A Zen 4 core takes 0.80 of what its pipes allow that way, and 0.93
//! when two multiplications go before their two additions, eight k in a row. Every k moves on along A by itself:
//! with one distance for all, V8 would keep a register for each entry of A that is spread over a vector.
//!
//! `crates/kernel` (`wasm_simd.rs`) has the same functions in Rust; they compute the same bits.

use walrus::ir::{BinaryOp, LoadKind, LoadSimdKind, MemArg, StoreKind};
use walrus::{
    FunctionBuilder, FunctionKind, InstrSeqBuilder, LocalFunction, LocalId, MemoryId, Module,
    ModuleLocals, ValType,
};

/// The exported name of each function and the rows of its tile.
const TILES: [(&str, u32); 2] = [
    ("add_products_of_four_rows", 4),
    ("add_products_of_five_rows", 5),
];
/// How many k the loop takes at a time.
const KS_PER_TURN: i32 = 8;
const ENTRY_BYTES: u32 = 8;
const VECTOR_BYTES: u32 = 16;

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
        let parameters = [ValType::I32; 4];
        assert_eq!(module.types.params(kind), parameters, "{name}");
        assert!(module.types.results(kind).is_empty(), "{name}");
        let body = tile_function(module, rows);
        module.funcs.get_mut(function).kind = FunctionKind::Local(body);
        module
            .exports
            .remove(name)
            .expect("it has just been found by its name");
    }
}

/// `(sums, depth, left, right)`, addresses of vectors and entries: adds the products of the two panels to the sums.
fn tile_function(module: &mut Module, rows: u32) -> LocalFunction {
    let memory = module.get_memory_id().expect("the module has one memory");
    let mut builder = FunctionBuilder::new(&mut module.types, &[ValType::I32; 4], &[]);
    let [sums_at, depth, left, right] = [ValType::I32; 4].map(|kind| module.locals.add(kind));
    let tile = Tile {
        memory,
        rows,
        left,
        right,
        sums: (0..rows).map(|_| vectors(&mut module.locals)).collect(),
        factors: vectors(&mut module.locals),
        products: vectors(&mut module.locals),
        entry: module.locals.add(ValType::V128),
    };
    let turns = module.locals.add(ValType::I32);
    let mut body = builder.func_body();
    for (index, sum) in (0..).zip(tile.sums.iter().flatten()) {
        body.local_get(sums_at)
            .load(memory, LoadKind::V128, vector_at(index * VECTOR_BYTES))
            .local_set(*sum);
    }
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
    for (index, sum) in (0..).zip(tile.sums.iter().flatten()) {
        body.local_get(sums_at).local_get(*sum).store(
            memory,
            StoreKind::V128,
            vector_at(index * VECTOR_BYTES),
        );
    }
    builder.local_func(vec![sums_at, depth, left, right])
}

/// A tile of two vectors a row, and the locals that its loops use.
struct Tile {
    memory: MemoryId,
    rows: u32,
    left: LocalId,
    right: LocalId,
    sums: Vec<[LocalId; 2]>,
    factors: [LocalId; 2],
    products: [LocalId; 2],
    entry: LocalId,
}

impl Tile {
    /// As many turns as `turns` says, which ends as 0, of `ks` k each.
    fn repeat(&self, body: &mut InstrSeqBuilder<'_>, turns: LocalId, ks: i32) {
        body.block(None, |body| {
            let behind = body.id();
            body.local_get(turns)
                .unop(walrus::ir::UnaryOp::I32Eqz)
                .br_if(behind);
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
