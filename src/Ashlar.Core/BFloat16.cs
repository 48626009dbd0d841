using System.Globalization;

namespace Ashlar;

/// <summary>Brain floating point: the upper 16 bits of a float32, so the same range with 8 bits of precision.</summary>
/// <remarks>Converted from float32 by rounding to nearest, ties to even; NaN stays NaN. .NET 10 has no such type of its
/// own.</remarks>
public readonly record struct BFloat16 : IComparable<BFloat16>
{
    /// <summary>The 16 bits: sign, 8 of exponent, 7 of fraction.</summary>
    public ushort Bits { get; }

    BFloat16(ushort bits) => Bits = bits;

    /// <summary>The value with these 16 bits.</summary>
    public static BFloat16 FromBits(ushort bits) => new(bits);

    /// <summary>The nearest value, ties to even.</summary>
    public static explicit operator BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return new((ushort)(bits >> 16 | 0x40));   // rounding could carry a NaN into infinity
        return new((ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16));
    }

    /// <summary>The nearest value, ties to even, rounded once.</summary>
    public static explicit operator BFloat16(double value)
    {
        // Rounding to float32 first may land exactly between two bfloat16; keeping a sticky bit makes the second rounding right.
        float near = (float)value;
        if (near != value && float.IsFinite(near) && (BitConverter.SingleToUInt32Bits(near) & 0xffff) == 0x8000)
            near = Math.Abs(near) < Math.Abs(value) ? Outward(near) : Inward(near);
        return (BFloat16)near;

        static float Outward(float x) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(x) + 1);
        static float Inward(float x) => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(x) - 1);
    }

    /// <summary>The same value: every bfloat16 is a float32.</summary>
    public static implicit operator float(BFloat16 value) => BitConverter.UInt32BitsToSingle((uint)value.Bits << 16);

    /// <inheritdoc/>
    public int CompareTo(BFloat16 other) => ((float)this).CompareTo(other);

    /// <summary>True where <paramref name="a"/> is less than <paramref name="b"/>; false with NaN.</summary>
    public static bool operator <(BFloat16 a, BFloat16 b) => (float)a < b;

    /// <summary>True where <paramref name="a"/> is greater than <paramref name="b"/>; false with NaN.</summary>
    public static bool operator >(BFloat16 a, BFloat16 b) => (float)a > b;

    /// <summary>True where <paramref name="a"/> is at most <paramref name="b"/>; false with NaN.</summary>
    public static bool operator <=(BFloat16 a, BFloat16 b) => (float)a <= b;

    /// <summary>True where <paramref name="a"/> is at least <paramref name="b"/>; false with NaN.</summary>
    public static bool operator >=(BFloat16 a, BFloat16 b) => (float)a >= b;

    /// <summary>The value in the invariant culture's shortest form.</summary>
    public override string ToString() => ((float)this).ToString(CultureInfo.InvariantCulture);
}
