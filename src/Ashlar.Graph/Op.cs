namespace Ashlar.Graph;

#pragma warning disable CS1591   // each member is documented by its row in Meanings

/// <summary>What a node computes. What each op means, shape rule to gradient, is its row in <see cref="Meanings"/>.</summary>
public enum Op : byte
{
    // 1. Leaves
    Parameter,      // an argument of a function or program
    Buffer,         // data in memory
    Constant,       // one number in every element
    Size,           // the value of an extent, an int64 scalar
    Iota,           // the index along one axis

    // 2. Elementwise, one input
    Neg, Abs, Sign, Exp, Log, Sin, Cos, Tanh, Erf, Sqrt, Rsqrt, Recip, Floor, Ceil, Round, Trunc, Not,
    Cast,           // to another element type, by value
    BitCast,        // to another element type of the same size, by bits

    // 3. Elementwise, two inputs of one shape and element type
    Add, Sub, Mul, Div, Pow, Mod, Max, Min, And, Or, Xor, Shl, Shr,
    Less, LessEqual, Equal, NotEqual,

    // 4. Elementwise, three inputs
    Select,         // condition ? a : b
    RandomBits,     // Threefry-2x32-20 (key0, key1, counter), int32

    // 5. Movement: no arithmetic, only which element goes where
    Reshape, Permute, Broadcast, Slice, Pad, Flip, Concat,
    Window,         // an axis becomes (positions, window): element (o, k) is o * stride + k * dilation

    // 6. Reductions: the axes vanish
    ReduceSum, ReduceProd, ReduceMax, ReduceMin, ArgMax, ArgMin,
    Fold,           // the adjoint of Window: sums each element's windows back onto it

    // 7. Along an axis
    CumSum, CumProd, CumMax, ArgSort,

    // 8. Indexed
    Gather, Scatter,

    // 9. Contraction: every batched matrix product and einsum
    Contract,

    // 10. Packed weights: bytes of an encoding and a layout of their own
    Project,        // rows times the transpose of a packed matrix
    ProjectExperts, // the same, each row with the matrix that its index names
    WeightRows,     // rows of a packed matrix, decoded

    // 11. Regions
    Barrier,        // its first input, computed only after the others: keeps recomputation from merging with the original
    Custom,         // a function with its own gradient
    Kernel,         // a result of a kernel that people wrote

    // 12. Composites: a name for a pattern that kernels and gradients know better; each has a decomposition
    Sigmoid, Silu, Gelu, Softmax, LogSoftmax, RmsNorm, LayerNorm, CrossEntropy, SwiGlu, Rope, Attention,

    // 13. Leaves of tile expressions: scalars at one point of a loop nest (Ashlar.Tiles)
    Index,          // the value of a loop variable, an int64
    Load,           // an element of a buffer or tile
    Bound,          // its first input, checked to be at least 0 and below the second
}
