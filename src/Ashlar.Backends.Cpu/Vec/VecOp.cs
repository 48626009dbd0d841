namespace Ashlar.Backends.Cpu.Vec;

/// <summary>What a <see cref="Compute"/> does with its operands, lane by lane unless said.</summary>
/// <remarks>"Scalar too" means that the operation also takes scalar 64-bit integers.</remarks>
internal enum VecOp : byte
{
    // One operand.
    /// <summary>The same value. Any type.</summary>
    Copy,
    /// <summary>Negation; integers wrap. Scalar too.</summary>
    Neg,
    /// <summary>Magnitude; the least integer stays itself.</summary>
    Abs,
    Sqrt,
    /// <summary>1 / sqrt(x), correctly rounded twice: no estimate instruction.</summary>
    Rsqrt,
    /// <summary>1 / x, correctly rounded.</summary>
    Recip,
    Floor,
    Ceil,
    /// <summary>Nearest integer, ties to even.</summary>
    Round,
    Trunc,
    /// <summary>Bitwise complement of integers and masks. Scalar too.</summary>
    Not,

    // Two operands.
    /// <summary>Sum; integers wrap. Scalar too.</summary>
    Add,
    /// <summary>Difference; integers wrap. Scalar too.</summary>
    Sub,
    /// <summary>Product; integers wrap. Scalar too.</summary>
    Mul,
    /// <summary>
    /// Quotient. Integers truncate towards zero, division by zero gives 0 and the least value by -1 wraps. Scalar too.
    /// </summary>
    Div,
    /// <summary>Integer remainder with the sign of the dividend; by zero gives 0. Scalar too.</summary>
    Rem,
    /// <summary>Integer quotient rounded down; by zero gives 0. Scalar too.</summary>
    FloorDiv,
    /// <summary>Integer or float remainder with the sign of the divisor; by zero gives 0 for integers, NaN for floats. Scalar
    /// too.</summary>
    FloorMod,
    /// <summary>The lesser; NaN where either is NaN. Scalar too.</summary>
    Min,
    /// <summary>The greater; NaN where either is NaN. Scalar too.</summary>
    Max,
    /// <summary>Floats only: a &lt; b ? a : b in one instruction, so b where either is NaN (on x86).</summary>
    MinFast,
    /// <summary>Floats only: a &gt; b ? a : b in one instruction, so b where either is NaN (on x86).</summary>
    MaxFast,
    /// <summary>Bitwise and of integers and masks. Scalar too.</summary>
    And,
    /// <summary>Bitwise or of integers and masks. Scalar too.</summary>
    Or,
    /// <summary>Bitwise exclusive or of integers and masks. Scalar too.</summary>
    Xor,
    /// <summary>Shift left; counts outside the width give 0. Scalar too, where the count must be within the width.</summary>
    Shl,
    /// <summary>Shift right with the sign; counts outside the width act as width - 1. Scalar too, as <see cref="Shl"/>.</summary>
    Sar,
    /// <summary>Shift right with zeros; counts outside the width give 0. Scalar too, as <see cref="Shl"/>.</summary>
    Shr,
    /// <summary>Shift left by the immediate.</summary>
    ShlBy,
    /// <summary>Shift right with the sign by the immediate.</summary>
    SarBy,
    /// <summary>Shift right with zeros by the immediate.</summary>
    ShrBy,

    // Comparisons: two operands, a mask (or a scalar 0 or 1) as result. False with NaN, but for Ne.
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,

    // Three operands.
    /// <summary>a * b + c, rounded once.</summary>
    Fma,
    /// <summary>mask ? b : c.</summary>
    Select,

    // Between types.
    /// <summary>
    /// The same value in another element type. Floats to integers truncate and saturate, NaN gives 0; integers narrow by
    /// wrapping; masks change width.
    /// </summary>
    Convert,
    /// <summary>The same bits as another element type of the same width; a mask becomes 0 or -1.</summary>
    Bitcast,

    /// <summary>The bits of the nearest float16 of a float32, in the low half of an int32.</summary>
    ToHalfBits,
    /// <summary>The float32 of a float16's bits.</summary>
    FromHalfBits,
    /// <summary>The bits of the nearest bfloat16 of a float32, in the low half of an int32.</summary>
    ToBrainBits,
    /// <summary>The float32 of a bfloat16's bits.</summary>
    FromBrainBits,

    // Across lanes.
    /// <summary>The value of a one-lane register in every lane.</summary>
    Broadcast,
    /// <summary>A scalar in every lane of an integer vector; a 32-bit lane takes its low half.</summary>
    Splat,
    /// <summary>The scalar value of a one-lane integer or mask register (a mask gives 0 or -1).</summary>
    ToScalar,
    /// <summary>1 where any lane of a mask is set, else 0.</summary>
    Any,
    /// <summary>1 where every lane of a mask is set, else 0.</summary>
    All,
    /// <summary>The lower half of the lanes.</summary>
    Lower,
    /// <summary>The upper half of the lanes.</summary>
    Upper,
    /// <summary>The lanes of a, then those of b.</summary>
    Concat,
    /// <summary>0, 1, 2, ... as integers. No operand.</summary>
    Iota,

    // AVX-512 only.
    /// <summary>a * 2^floor(b), with overflow and denormals right.</summary>
    Scalef,
    /// <summary>floor(log2(|a|)) as a float, denormals right.</summary>
    Getexp,
    /// <summary>The significand of a, in [0.75, 1.5); NaN where a is negative.</summary>
    Getmant,
    /// <summary>1 / x of float32 to 14 bits; infinities and zeros give each other.</summary>
    RecipEstimate,
    /// <summary>a - floor(a) of float32, for numbers within 2^23.</summary>
    Fraction,
    /// <summary>The bits of the nearest bfloat16 of a float32, in the upper half of an int32; the low half is
    /// anything.</summary>
    ToUpperBrain,
    /// <summary>The low halves of a's sixteen int32 lanes, then those of b's: 16-bit numbers side by side, two to a
    /// lane.</summary>
    LowHalves,
    /// <summary>The upper halves of a's sixteen int32 lanes, then those of b's.</summary>
    UpperHalves,

    // One .NET call per lane: right everywhere, slow. Floats only, but for the power.
    SinCall,
    CosCall,
    /// <summary>Power; of integers by repeated multiplication, which wraps.</summary>
    PowCall,
    ErfCall,
}
