namespace Ashlar;

/// <summary>Element type of a tensor, tile or register.</summary>
public enum DType : byte
{
    /// <summary>True or false, one byte each: 0 or 1.</summary>
    Bool,
    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8,
    /// <summary>Signed 8-bit integer.</summary>
    Int8,
    /// <summary>Signed 16-bit integer.</summary>
    Int16,
    /// <summary>Signed 32-bit integer.</summary>
    Int32,
    /// <summary>Signed 64-bit integer.</summary>
    Int64,
    /// <summary>The upper half of a <see cref="Float32"/>: 8 exponent bits, 7 fraction bits.</summary>
    BFloat16,
    /// <summary>IEEE 754 binary16.</summary>
    Float16,
    /// <summary>IEEE 754 binary32.</summary>
    Float32,
    /// <summary>IEEE 754 binary64.</summary>
    Float64,
}

/// <summary>What each <see cref="DType"/> is: its size, its kind, its name, and how two of them mix.</summary>
public static class DTypes
{
    static readonly string[] names = ["bool", "u8", "i8", "i16", "i32", "i64", "bf16", "f16", "f32", "f64"];
    static readonly int[] bytes = [1, 1, 1, 2, 4, 8, 2, 2, 4, 8];

    /// <summary>Every element type, in the order of the enumeration.</summary>
    public static IReadOnlyList<DType> All { get; } = Enum.GetValues<DType>();

    extension(DType dtype)
    {
        /// <summary>Bytes of one element.</summary>
        public int Bytes => bytes[(int)dtype];

        /// <summary>The short name of the text forms: <c>f32</c>, <c>bf16</c>, <c>i64</c>, <c>bool</c>.</summary>
        public string Name => names[(int)dtype];

        /// <summary>True for the four floating-point types.</summary>
        public bool IsFloat => dtype >= DType.BFloat16;

        /// <summary>True for the signed and unsigned integers; <see cref="DType.Bool"/> is not one.</summary>
        public bool IsInteger => dtype is >= DType.UInt8 and <= DType.Int64;

        /// <summary>The type arithmetic is done in: 16-bit floats compute in float32, small integers in int32.</summary>
        public DType Compute => dtype switch
        {
            DType.BFloat16 or DType.Float16 => DType.Float32,
            DType.UInt8 or DType.Int8 or DType.Int16 => DType.Int32,
            _ => dtype,
        };
    }

    /// <summary>The type named by the short name of the text forms.</summary>
    /// <returns>Null when no type has this name.</returns>
    public static DType? Parse(string name)
    {
        int index = Array.IndexOf(names, name);
        return index < 0 ? null : (DType)index;
    }

    /// <summary>The element type that holds values of the .NET type <typeparamref name="T"/>.</summary>
    /// <exception cref="DTypeException"><typeparamref name="T"/> is none of the supported element types.</exception>
    public static DType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DType.Float32
        : typeof(T) == typeof(double) ? DType.Float64
        : typeof(T) == typeof(Half) ? DType.Float16
        : typeof(T) == typeof(BFloat16) ? DType.BFloat16
        : typeof(T) == typeof(int) ? DType.Int32
        : typeof(T) == typeof(long) ? DType.Int64
        : typeof(T) == typeof(short) ? DType.Int16
        : typeof(T) == typeof(sbyte) ? DType.Int8
        : typeof(T) == typeof(byte) ? DType.UInt8
        : typeof(T) == typeof(bool) ? DType.Bool
        : throw new DTypeException("ASH0201", $"no element type holds values of the .NET type {typeof(T).Name}.",
            "use float, double, Half, BFloat16, int, long, short, sbyte, byte or bool.");

    /// <summary>The type that two operands meet in: the wider of one kind, a float over an integer, anything over bool.</summary>
    /// <returns>Null where no type holds both without surprise: float16 with bfloat16.</returns>
    /// <remarks>The lattice of PyTorch's type promotion for tensors, but float16 with bfloat16 is an error, not
    /// float32.</remarks>
    public static DType? Promote(DType a, DType b)
    {
        if (a == b) return a;
        if (a is DType.Float16 && b is DType.BFloat16 || a is DType.BFloat16 && b is DType.Float16) return null;
        if (a is DType.UInt8 && b is DType.Int8 || a is DType.Int8 && b is DType.UInt8) return DType.Int16;
        return a > b ? a : b;
    }
}
