namespace Ashlar.Graph;

/// <summary>How numbers change when their element type does. The one definition that kernels are compared with.</summary>
/// <remarks>
/// To a float: rounded once, to nearest, ties to even. Float to integer: truncated toward zero, saturated, NaN becomes 0.
/// Integer to integer: the low bits stay. To bool: true unless 0, so NaN is true.
/// </remarks>
public static class Conversion
{
    /// <summary>The nearest value of a float type, ties to even; the number itself for other types.</summary>
    public static double Round(double value, DType dtype) => dtype switch
    {
        DType.Float32 => (float)value,
        DType.Float16 => (double)(Half)value,
        DType.BFloat16 => (float)(BFloat16)value,
        _ => value,
    };

    /// <summary>The low bits of an integer as a value of an integer type; for bool, true unless 0.</summary>
    public static long Wrap(long value, DType dtype) => dtype switch
    {
        DType.Bool => value != 0 ? 1 : 0,
        DType.UInt8 => unchecked((byte)value),
        DType.Int8 => unchecked((sbyte)value),
        DType.Int16 => unchecked((short)value),
        DType.Int32 => unchecked((int)value),
        _ => value,
    };

    /// <summary>The value that Cast gives.</summary>
    public static double Cast(double value, DType from, DType to)
    {
        if (to == DType.Bool) return value != 0 ? 1 : 0;
        if (to.IsFloat) return Round(value, to);
        if (!from.IsFloat) return Wrap((long)value, to);
        var (least, greatest) = Range(to);
        return double.IsNaN(value) ? 0 : Math.Clamp(Math.Truncate(value), least, greatest);
    }

    /// <summary>The value whose bits in one type are those of <paramref name="value"/> in another of the same size.</summary>
    public static double BitCast(double value, DType from, DType to) => FromBits(ToBits(value, from), to);

    /// <summary>The least and the greatest value of an element type: infinities for floats.</summary>
    /// <remarks>The greatest int64 is not a double; 2^63 stands for it and converts back to it.</remarks>
    public static (double Least, double Greatest) Range(DType dtype) => dtype switch
    {
        DType.Bool => (0, 1),
        DType.UInt8 => (byte.MinValue, byte.MaxValue),
        DType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
        DType.Int16 => (short.MinValue, short.MaxValue),
        DType.Int32 => (int.MinValue, int.MaxValue),
        DType.Int64 => (long.MinValue, long.MaxValue),
        _ => (double.NegativeInfinity, double.PositiveInfinity),
    };

    static long ToBits(double value, DType dtype) => dtype switch
    {
        DType.Float64 => BitConverter.DoubleToInt64Bits(value),
        DType.Float32 => BitConverter.SingleToInt32Bits((float)value),
        DType.Float16 => BitConverter.HalfToInt16Bits((Half)value),
        DType.BFloat16 => ((BFloat16)value).Bits,
        _ => (long)value,
    };

    static double FromBits(long bits, DType dtype) => dtype switch
    {
        DType.Float64 => BitConverter.Int64BitsToDouble(bits),
        DType.Float32 => BitConverter.Int32BitsToSingle((int)bits),
        DType.Float16 => (double)BitConverter.Int16BitsToHalf((short)bits),
        DType.BFloat16 => BFloat16.FromBits((ushort)bits),
        _ => Wrap(bits, dtype),
    };
}
