namespace Ashlar.Backends.Cpu.Vec;

/// <summary>What one lane of a register holds. A mask lane is all ones or all zeros, as wide as the values it selects.</summary>
internal enum Elem : byte { F32, F64, I32, I64, M32, M64 }

/// <summary>Type of a virtual register: a scalar 64-bit integer, or a vector of lanes.</summary>
/// <param name="Elem">What a lane holds.</param>
/// <param name="Lanes">
/// 1, 2, 4, 8 or 16; 0 is the scalar. Vectors below 128 bits live in a 128-bit register whose upper lanes mean nothing, so a tail
/// of one lane computes the same bits as the vector loop beside it.
/// </param>
internal readonly record struct VecType(Elem Elem, int Lanes)
{
    /// <summary>The scalar 64-bit integer: addresses, counters, sizes, truth values 0 and 1.</summary>
    public static VecType Scalar { get; } = new(Elem.I64, 0);

    public bool IsScalar => Lanes == 0;

    public bool IsFloat => Elem is Elem.F32 or Elem.F64;

    public bool IsInteger => Elem is Elem.I32 or Elem.I64;

    public bool IsMask => Elem is Elem.M32 or Elem.M64;

    /// <summary>Bytes of one lane.</summary>
    public int ElemBytes => Elem is Elem.F32 or Elem.I32 or Elem.M32 ? 4 : 8;

    /// <summary>Bits of the register that holds it: 128, 256 or 512, or more, which no register holds.</summary>
    public int Bits => Math.Max(128, Lanes * ElemBytes * 8);

    /// <summary>The mask that selects among values of this type.</summary>
    public VecType Mask => With(ElemBytes == 4 ? Elem.M32 : Elem.M64);

    public VecType With(Elem elem) => this with { Elem = elem };

    public VecType WithLanes(int lanes) => this with { Lanes = lanes };

    /// <summary>The element type that values of a storage type are computed in.</summary>
    public static Elem ElemOf(DType storage) => storage switch
    {
        DType.Float64 => Elem.F64,
        DType.Float32 or DType.Float16 or DType.BFloat16 => Elem.F32,
        DType.Int64 => Elem.I64,
        _ => Elem.I32,
    };

    /// <summary>The type of <paramref name="lanes"/> values loaded from a storage type.</summary>
    public static VecType Of(DType storage, int lanes) => new(ElemOf(storage), lanes);

    public override string ToString() => IsScalar ? "s64" : $"{Elem.ToString().ToLowerInvariant()}x{Lanes}";
}
