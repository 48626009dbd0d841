using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>Between float32 and the bits of 16-bit floats in 32-bit lanes, by integer arithmetic: .NET has no instruction for
/// it.</summary>
/// <remarks>
/// To 16 bits: nearest, ties to even; denormals right; NaN stays NaN. bfloat16 is the upper half of a float32. A half becomes a
/// float by moving its exponent from bias 15 to 127; a denormal half is read as a number with a known exponent, which is then
/// subtracted. Back, a result below 2^-14 is rounded by adding 2^-1 to the float: its low bits are then the denormal half.
/// </remarks>
internal static class HalfLanes
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    [MethodImpl(Inline)] public static Vector128<float> BFloatToSingle(Vector128<int> bits) => (bits << 16).AsSingle();

    [MethodImpl(Inline)]
    public static Vector128<int> SingleToBFloat(Vector128<float> a)
    {
        var bits = a.AsInt32();
        var rounded = (bits + Vector128.Create(0x7fff) + ((bits >>> 16) & Vector128<int>.One)) >>> 16;
        var quiet = (bits >>> 16) | Vector128.Create(0x40);
        return Vector128.ConditionalSelect(Vector128.Equals(a, a).AsInt32(), rounded, quiet);
    }

    [MethodImpl(Inline)]
    public static Vector128<float> HalfToSingle(Vector128<int> half)
    {
        var magnitude = (half & Vector128.Create(0x7fff)) << 13;
        var exponent = magnitude & Vector128.Create(0x7c00 << 13);
        var normal = magnitude + Vector128.Create(112 << 23);
        var denormal = ((magnitude + Vector128.Create(113 << 23)).AsSingle() - Vector128.Create(113 << 23).AsSingle()).AsInt32();
        var special = normal + Vector128.Create(112 << 23);   // infinity and NaN: exponent 255
        var bits = Vector128.ConditionalSelect(Vector128.Equals(exponent, Vector128<int>.Zero), denormal, normal);
        bits = Vector128.ConditionalSelect(Vector128.Equals(exponent, Vector128.Create(0x7c00 << 13)), special, bits);
        return (bits | ((half & Vector128.Create(0x8000)) << 16)).AsSingle();
    }

    [MethodImpl(Inline)]
    public static Vector128<int> SingleToHalf(Vector128<float> a)
    {
        var bits = a.AsInt32();
        var magnitude = bits & Vector128.Create(0x7fffffff);
        var odd = (magnitude >>> 13) & Vector128<int>.One;
        var normal = (magnitude - Vector128.Create((112 << 23) - 0xfff) + odd) >>> 13;
        var denormal = (magnitude.AsSingle() + Vector128.Create(126 << 23).AsSingle()).AsInt32() - Vector128.Create(126 << 23);
        var special = Vector128.ConditionalSelect(Vector128.GreaterThan(magnitude, Vector128.Create(0x7f800000)),
            Vector128.Create(0x7e00), Vector128.Create(0x7c00));
        var half = Vector128.ConditionalSelect(Vector128.LessThan(magnitude, Vector128.Create(113 << 23)), denormal, normal);
        half = Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(143 << 23)), special, half);
        return half | ((bits >>> 16) & Vector128.Create(0x8000));
    }

    [MethodImpl(Inline)] public static Vector256<float> BFloatToSingle(Vector256<int> bits) => (bits << 16).AsSingle();

    [MethodImpl(Inline)]
    public static Vector256<int> SingleToBFloat(Vector256<float> a)
    {
        var bits = a.AsInt32();
        var rounded = (bits + Vector256.Create(0x7fff) + ((bits >>> 16) & Vector256<int>.One)) >>> 16;
        var quiet = (bits >>> 16) | Vector256.Create(0x40);
        return Vector256.ConditionalSelect(Vector256.Equals(a, a).AsInt32(), rounded, quiet);
    }

    [MethodImpl(Inline)]
    public static Vector256<float> HalfToSingle(Vector256<int> half)
    {
        var magnitude = (half & Vector256.Create(0x7fff)) << 13;
        var exponent = magnitude & Vector256.Create(0x7c00 << 13);
        var normal = magnitude + Vector256.Create(112 << 23);
        var denormal = ((magnitude + Vector256.Create(113 << 23)).AsSingle() - Vector256.Create(113 << 23).AsSingle()).AsInt32();
        var special = normal + Vector256.Create(112 << 23);   // infinity and NaN: exponent 255
        var bits = Vector256.ConditionalSelect(Vector256.Equals(exponent, Vector256<int>.Zero), denormal, normal);
        bits = Vector256.ConditionalSelect(Vector256.Equals(exponent, Vector256.Create(0x7c00 << 13)), special, bits);
        return (bits | ((half & Vector256.Create(0x8000)) << 16)).AsSingle();
    }

    [MethodImpl(Inline)]
    public static Vector256<int> SingleToHalf(Vector256<float> a)
    {
        var bits = a.AsInt32();
        var magnitude = bits & Vector256.Create(0x7fffffff);
        var odd = (magnitude >>> 13) & Vector256<int>.One;
        var normal = (magnitude - Vector256.Create((112 << 23) - 0xfff) + odd) >>> 13;
        var denormal = (magnitude.AsSingle() + Vector256.Create(126 << 23).AsSingle()).AsInt32() - Vector256.Create(126 << 23);
        var special = Vector256.ConditionalSelect(Vector256.GreaterThan(magnitude, Vector256.Create(0x7f800000)),
            Vector256.Create(0x7e00), Vector256.Create(0x7c00));
        var half = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(113 << 23)), denormal, normal);
        half = Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(143 << 23)), special, half);
        return half | ((bits >>> 16) & Vector256.Create(0x8000));
    }

    [MethodImpl(Inline)] public static Vector512<float> BFloatToSingle(Vector512<int> bits) => (bits << 16).AsSingle();

    [MethodImpl(Inline)]
    public static Vector512<int> SingleToBFloat(Vector512<float> a)
    {
        var bits = a.AsInt32();
        var rounded = (bits + Vector512.Create(0x7fff) + ((bits >>> 16) & Vector512<int>.One)) >>> 16;
        var quiet = (bits >>> 16) | Vector512.Create(0x40);
        return Vector512.ConditionalSelect(Vector512.Equals(a, a).AsInt32(), rounded, quiet);
    }

    [MethodImpl(Inline)]
    public static Vector512<float> HalfToSingle(Vector512<int> half)
    {
        var magnitude = (half & Vector512.Create(0x7fff)) << 13;
        var exponent = magnitude & Vector512.Create(0x7c00 << 13);
        var normal = magnitude + Vector512.Create(112 << 23);
        var denormal = ((magnitude + Vector512.Create(113 << 23)).AsSingle() - Vector512.Create(113 << 23).AsSingle()).AsInt32();
        var special = normal + Vector512.Create(112 << 23);   // infinity and NaN: exponent 255
        var bits = Vector512.ConditionalSelect(Vector512.Equals(exponent, Vector512<int>.Zero), denormal, normal);
        bits = Vector512.ConditionalSelect(Vector512.Equals(exponent, Vector512.Create(0x7c00 << 13)), special, bits);
        return (bits | ((half & Vector512.Create(0x8000)) << 16)).AsSingle();
    }

    [MethodImpl(Inline)]
    public static Vector512<int> SingleToHalf(Vector512<float> a)
    {
        var bits = a.AsInt32();
        var magnitude = bits & Vector512.Create(0x7fffffff);
        var odd = (magnitude >>> 13) & Vector512<int>.One;
        var normal = (magnitude - Vector512.Create((112 << 23) - 0xfff) + odd) >>> 13;
        var denormal = (magnitude.AsSingle() + Vector512.Create(126 << 23).AsSingle()).AsInt32() - Vector512.Create(126 << 23);
        var special = Vector512.ConditionalSelect(Vector512.GreaterThan(magnitude, Vector512.Create(0x7f800000)),
            Vector512.Create(0x7e00), Vector512.Create(0x7c00));
        var half = Vector512.ConditionalSelect(Vector512.LessThan(magnitude, Vector512.Create(113 << 23)), denormal, normal);
        half = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(143 << 23)), special, half);
        return half | ((bits >>> 16) & Vector512.Create(0x8000));
    }
}
