using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>What AVX-512 does in fewer instructions than <see cref="Avx2Lanes"/>; the same names and results.</summary>
internal static unsafe class Avx512Lanes
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    // The instruction gives b where either is NaN. Table 0x22: where a is one, of both kinds, the result is a, quiet.
    [MethodImpl(Inline)]
    public static Vector128<float> MinNaN(Vector128<float> a, Vector128<float> b) =>
        Avx512F.VL.Fixup(Sse.Min(a, b), a, Vector128.Create(0x22), 0);
    [MethodImpl(Inline)]
    public static Vector256<float> MinNaN(Vector256<float> a, Vector256<float> b) =>
        Avx512F.VL.Fixup(Avx.Min(a, b), a, Vector256.Create(0x22), 0);
    [MethodImpl(Inline)]
    public static Vector512<float> MinNaN(Vector512<float> a, Vector512<float> b) =>
        Avx512F.Fixup(Avx512F.Min(a, b), a, Vector512.Create(0x22), 0);
    [MethodImpl(Inline)]
    public static Vector128<double> MinNaN(Vector128<double> a, Vector128<double> b) =>
        Avx512F.VL.Fixup(Sse2.Min(a, b), a, Vector128.Create(0x22L), 0);
    [MethodImpl(Inline)]
    public static Vector256<double> MinNaN(Vector256<double> a, Vector256<double> b) =>
        Avx512F.VL.Fixup(Avx.Min(a, b), a, Vector256.Create(0x22L), 0);
    [MethodImpl(Inline)]
    public static Vector512<double> MinNaN(Vector512<double> a, Vector512<double> b) =>
        Avx512F.Fixup(Avx512F.Min(a, b), a, Vector512.Create(0x22L), 0);
    [MethodImpl(Inline)]
    public static Vector128<float> MaxNaN(Vector128<float> a, Vector128<float> b) =>
        Avx512F.VL.Fixup(Sse.Max(a, b), a, Vector128.Create(0x22), 0);
    [MethodImpl(Inline)]
    public static Vector256<float> MaxNaN(Vector256<float> a, Vector256<float> b) =>
        Avx512F.VL.Fixup(Avx.Max(a, b), a, Vector256.Create(0x22), 0);
    [MethodImpl(Inline)]
    public static Vector512<float> MaxNaN(Vector512<float> a, Vector512<float> b) =>
        Avx512F.Fixup(Avx512F.Max(a, b), a, Vector512.Create(0x22), 0);
    [MethodImpl(Inline)]
    public static Vector128<double> MaxNaN(Vector128<double> a, Vector128<double> b) =>
        Avx512F.VL.Fixup(Sse2.Max(a, b), a, Vector128.Create(0x22L), 0);
    [MethodImpl(Inline)]
    public static Vector256<double> MaxNaN(Vector256<double> a, Vector256<double> b) =>
        Avx512F.VL.Fixup(Avx.Max(a, b), a, Vector256.Create(0x22L), 0);
    [MethodImpl(Inline)]
    public static Vector512<double> MaxNaN(Vector512<double> a, Vector512<double> b) =>
        Avx512F.Fixup(Avx512F.Max(a, b), a, Vector512.Create(0x22L), 0);

    [MethodImpl(Inline)]
    public static Vector128<float> Select(Vector128<int> m, Vector128<float> a, Vector128<float> b) =>
        Avx512F.VL.BlendVariable(b, a, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector128<int> Select(Vector128<int> m, Vector128<int> a, Vector128<int> b) =>
        Avx512F.VL.BlendVariable(b, a, m);
    [MethodImpl(Inline)]
    public static Vector128<double> Select(Vector128<long> m, Vector128<double> a, Vector128<double> b) =>
        Avx512F.VL.BlendVariable(b, a, m.AsDouble());
    [MethodImpl(Inline)]
    public static Vector128<long> Select(Vector128<long> m, Vector128<long> a, Vector128<long> b) =>
        Avx512F.VL.BlendVariable(b, a, m);
    [MethodImpl(Inline)]
    public static Vector256<float> Select(Vector256<int> m, Vector256<float> a, Vector256<float> b) =>
        Avx512F.VL.BlendVariable(b, a, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector256<int> Select(Vector256<int> m, Vector256<int> a, Vector256<int> b) =>
        Avx512F.VL.BlendVariable(b, a, m);
    [MethodImpl(Inline)]
    public static Vector256<double> Select(Vector256<long> m, Vector256<double> a, Vector256<double> b) =>
        Avx512F.VL.BlendVariable(b, a, m.AsDouble());
    [MethodImpl(Inline)]
    public static Vector256<long> Select(Vector256<long> m, Vector256<long> a, Vector256<long> b) =>
        Avx512F.VL.BlendVariable(b, a, m);
    [MethodImpl(Inline)]
    public static Vector512<float> Select(Vector512<int> m, Vector512<float> a, Vector512<float> b) =>
        Avx512F.BlendVariable(b, a, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector512<int> Select(Vector512<int> m, Vector512<int> a, Vector512<int> b) =>
        Avx512F.BlendVariable(b, a, m);
    [MethodImpl(Inline)]
    public static Vector512<double> Select(Vector512<long> m, Vector512<double> a, Vector512<double> b) =>
        Avx512F.BlendVariable(b, a, m.AsDouble());
    [MethodImpl(Inline)]
    public static Vector512<long> Select(Vector512<long> m, Vector512<long> a, Vector512<long> b) =>
        Avx512F.BlendVariable(b, a, m);

    [MethodImpl(Inline)]
    public static Vector512<int> Shl(Vector512<int> a, Vector512<int> n) =>
        Avx512F.ShiftLeftLogicalVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector512<long> Shl(Vector512<long> a, Vector512<long> n) =>
        Avx512F.ShiftLeftLogicalVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector512<int> Shr(Vector512<int> a, Vector512<int> n) =>
        Avx512F.ShiftRightLogicalVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector512<long> Shr(Vector512<long> a, Vector512<long> n) =>
        Avx512F.ShiftRightLogicalVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector512<int> Sar(Vector512<int> a, Vector512<int> n) =>
        Avx512F.ShiftRightArithmeticVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector128<long> Sar(Vector128<long> a, Vector128<long> n) =>
        Avx512F.VL.ShiftRightArithmeticVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector256<long> Sar(Vector256<long> a, Vector256<long> n) =>
        Avx512F.VL.ShiftRightArithmeticVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector512<long> Sar(Vector512<long> a, Vector512<long> n) =>
        Avx512F.ShiftRightArithmeticVariable(a, n.AsUInt64());

    [MethodImpl(Inline)] public static Vector512<double> ToF64(Vector256<float> a) => Avx512F.ConvertToVector512Double(a);
    [MethodImpl(Inline)] public static Vector256<float> ToF32(Vector512<double> a) => Avx512F.ConvertToVector256Single(a);
    [MethodImpl(Inline)] public static Vector512<long> ToI64(Vector256<int> a) => Avx512F.ConvertToVector512Int64(a);
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector128<long> a) => Avx512F.VL.ConvertToVector128Int32(a);
    [MethodImpl(Inline)] public static Vector128<int> ToI32(Vector256<long> a) => Avx512F.VL.ConvertToVector128Int32(a);
    [MethodImpl(Inline)] public static Vector256<int> ToI32(Vector512<long> a) => Avx512F.ConvertToVector256Int32(a);
    [MethodImpl(Inline)] public static Vector512<double> ToF64(Vector256<int> a) => Avx512F.ConvertToVector512Double(a);
    [MethodImpl(Inline)]
    public static Vector256<int> ToI32(Vector512<double> a) => Avx512F.ConvertToVector256Int32WithTruncation(
        Avx512DQ.And(Avx512F.Max(Vector512.Create((double)int.MinValue), Avx512F.Min(Vector512.Create((double)int.MaxValue), a)),
            Avx512F.CompareOrdered(a, a)));
    [MethodImpl(Inline)] public static Vector128<float> ToF32(Vector128<long> a) => Avx512DQ.VL.ConvertToVector128Single(a);
    [MethodImpl(Inline)] public static Vector128<float> ToF32(Vector256<long> a) => Avx512DQ.VL.ConvertToVector128Single(a);
    [MethodImpl(Inline)] public static Vector256<float> ToF32(Vector512<long> a) => Avx512DQ.ConvertToVector256Single(a);

    [MethodImpl(Inline)]
    public static Vector512<int> LoadU8x16(nint p) =>
        Avx512F.ConvertToVector512Int32(Vector128.Load((byte*)p));
    [MethodImpl(Inline)]
    public static Vector512<int> LoadI8x16(nint p) =>
        Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)p));
    [MethodImpl(Inline)]
    public static Vector512<int> LoadU16x16(nint p) =>
        Avx512F.ConvertToVector512Int32(Vector256.Load((ushort*)p));
    [MethodImpl(Inline)]
    public static Vector512<int> LoadI16x16(nint p) =>
        Avx512F.ConvertToVector512Int32(Vector256.Load((short*)p));

    [MethodImpl(Inline)] public static Vector128<short> Shorts(Vector128<int> a) => Avx512F.VL.ConvertToVector128Int16(a);
    [MethodImpl(Inline)] public static Vector128<short> Shorts(Vector256<int> a) => Avx512F.VL.ConvertToVector128Int16(a);
    [MethodImpl(Inline)] public static Vector256<short> Shorts(Vector512<int> a) => Avx512F.ConvertToVector256Int16(a);
    [MethodImpl(Inline)] public static Vector128<sbyte> Bytes(Vector128<int> a) => Avx512F.VL.ConvertToVector128SByte(a);
    [MethodImpl(Inline)] public static Vector128<sbyte> Bytes(Vector256<int> a) => Avx512F.VL.ConvertToVector128SByte(a);
    [MethodImpl(Inline)] public static Vector128<sbyte> Bytes(Vector512<int> a) => Avx512F.ConvertToVector128SByte(a);
    [MethodImpl(Inline)] public static void StoreI8x8(Vector256<int> a, nint p) => *(long*)p = Bytes(a).AsInt64().ToScalar();
    [MethodImpl(Inline)] public static void StoreI16x8(Vector256<int> a, nint p) => Shorts(a).Store((short*)p);
    [MethodImpl(Inline)] public static void StoreI8x16(Vector512<int> a, nint p) => Bytes(a).Store((sbyte*)p);
    [MethodImpl(Inline)] public static void StoreI16x16(Vector512<int> a, nint p) => Shorts(a).Store((short*)p);
    [MethodImpl(Inline)] public static void StreamI16x8(Vector256<int> a, nint p) => Shorts(a).StoreAlignedNonTemporal((short*)p);
    [MethodImpl(Inline)] public static void StreamI8x16(Vector512<int> a, nint p) => Bytes(a).StoreAlignedNonTemporal((sbyte*)p);
    [MethodImpl(Inline)]
    public static void StreamI16x16(Vector512<int> a, nint p) =>
        Shorts(a).StoreAlignedNonTemporal((short*)p);

    [MethodImpl(Inline)]
    public static Vector128<float> MaskLoadF32(nint p, Vector128<int> m) =>
        Avx512F.VL.MaskLoad((float*)p, m.AsSingle(), default);
    [MethodImpl(Inline)]
    public static Vector256<float> MaskLoadF32(nint p, Vector256<int> m) =>
        Avx512F.VL.MaskLoad((float*)p, m.AsSingle(), default);
    [MethodImpl(Inline)]
    public static Vector512<float> MaskLoadF32(nint p, Vector512<int> m) =>
        Avx512F.MaskLoad((float*)p, m.AsSingle(), default);
    [MethodImpl(Inline)]
    public static Vector256<double> MaskLoadF64(nint p, Vector256<long> m) =>
        Avx512F.VL.MaskLoad((double*)p, m.AsDouble(), default);
    [MethodImpl(Inline)]
    public static Vector512<double> MaskLoadF64(nint p, Vector512<long> m) =>
        Avx512F.MaskLoad((double*)p, m.AsDouble(), default);
    [MethodImpl(Inline)]
    public static Vector128<int> MaskLoadI32(nint p, Vector128<int> m) =>
        Avx512F.VL.MaskLoad((int*)p, m, default);
    [MethodImpl(Inline)]
    public static Vector256<int> MaskLoadI32(nint p, Vector256<int> m) =>
        Avx512F.VL.MaskLoad((int*)p, m, default);
    [MethodImpl(Inline)]
    public static Vector512<int> MaskLoadI32(nint p, Vector512<int> m) =>
        Avx512F.MaskLoad((int*)p, m, default);
    [MethodImpl(Inline)]
    public static Vector256<long> MaskLoadI64(nint p, Vector256<long> m) =>
        Avx512F.VL.MaskLoad((long*)p, m, default);
    [MethodImpl(Inline)]
    public static Vector512<long> MaskLoadI64(nint p, Vector512<long> m) =>
        Avx512F.MaskLoad((long*)p, m, default);

    // Narrow elements: the mask narrows with them, then the loaded lanes widen as usual.
    [MethodImpl(Inline)]
    public static Vector128<int> MaskLoadU8(nint p, Vector128<int> m) =>
        Sse41.ConvertToVector128Int32(Avx512BW.VL.MaskLoad((byte*)p, Bytes(m).AsByte(), default));
    [MethodImpl(Inline)]
    public static Vector256<int> MaskLoadU8(nint p, Vector256<int> m) =>
        Avx2.ConvertToVector256Int32(Avx512BW.VL.MaskLoad((byte*)p, Bytes(m).AsByte(), default));
    [MethodImpl(Inline)]
    public static Vector512<int> MaskLoadU8(nint p, Vector512<int> m) =>
        Avx512F.ConvertToVector512Int32(Avx512BW.VL.MaskLoad((byte*)p, Bytes(m).AsByte(), default));
    [MethodImpl(Inline)]
    public static Vector128<int> MaskLoadI8(nint p, Vector128<int> m) =>
        Sse41.ConvertToVector128Int32(Avx512BW.VL.MaskLoad((sbyte*)p, Bytes(m), default));
    [MethodImpl(Inline)]
    public static Vector256<int> MaskLoadI8(nint p, Vector256<int> m) =>
        Avx2.ConvertToVector256Int32(Avx512BW.VL.MaskLoad((sbyte*)p, Bytes(m), default));
    [MethodImpl(Inline)]
    public static Vector512<int> MaskLoadI8(nint p, Vector512<int> m) =>
        Avx512F.ConvertToVector512Int32(Avx512BW.VL.MaskLoad((sbyte*)p, Bytes(m), default));
    [MethodImpl(Inline)]
    public static Vector128<int> MaskLoadU16(nint p, Vector128<int> m) =>
        Sse41.ConvertToVector128Int32(Avx512BW.VL.MaskLoad((ushort*)p, Shorts(m).AsUInt16(), default));
    [MethodImpl(Inline)]
    public static Vector256<int> MaskLoadU16(nint p, Vector256<int> m) =>
        Avx2.ConvertToVector256Int32(Avx512BW.VL.MaskLoad((ushort*)p, Shorts(m).AsUInt16(), default));
    [MethodImpl(Inline)]
    public static Vector512<int> MaskLoadU16(nint p, Vector512<int> m) =>
        Avx512F.ConvertToVector512Int32(Avx512BW.VL.MaskLoad((ushort*)p, Shorts(m).AsUInt16(), default));
    [MethodImpl(Inline)]
    public static Vector128<int> MaskLoadI16(nint p, Vector128<int> m) =>
        Sse41.ConvertToVector128Int32(Avx512BW.VL.MaskLoad((short*)p, Shorts(m), default));
    [MethodImpl(Inline)]
    public static Vector256<int> MaskLoadI16(nint p, Vector256<int> m) =>
        Avx2.ConvertToVector256Int32(Avx512BW.VL.MaskLoad((short*)p, Shorts(m), default));
    [MethodImpl(Inline)]
    public static Vector512<int> MaskLoadI16(nint p, Vector512<int> m) =>
        Avx512F.ConvertToVector512Int32(Avx512BW.VL.MaskLoad((short*)p, Shorts(m), default));

    [MethodImpl(Inline)]
    public static void MaskStoreF32(Vector128<float> a, nint p, Vector128<int> m) =>
        Avx512F.VL.MaskStore((float*)p, m.AsSingle(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreF32(Vector256<float> a, nint p, Vector256<int> m) =>
        Avx512F.VL.MaskStore((float*)p, m.AsSingle(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreF32(Vector512<float> a, nint p, Vector512<int> m) =>
        Avx512F.MaskStore((float*)p, m.AsSingle(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreF64(Vector256<double> a, nint p, Vector256<long> m) =>
        Avx512F.VL.MaskStore((double*)p, m.AsDouble(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreF64(Vector512<double> a, nint p, Vector512<long> m) =>
        Avx512F.MaskStore((double*)p, m.AsDouble(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreI32(Vector128<int> a, nint p, Vector128<int> m) =>
        Avx512F.VL.MaskStore((int*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI32(Vector256<int> a, nint p, Vector256<int> m) =>
        Avx512F.VL.MaskStore((int*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI32(Vector512<int> a, nint p, Vector512<int> m) =>
        Avx512F.MaskStore((int*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI64(Vector256<long> a, nint p, Vector256<long> m) =>
        Avx512F.VL.MaskStore((long*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI64(Vector512<long> a, nint p, Vector512<long> m) =>
        Avx512F.MaskStore((long*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI8(Vector128<int> a, nint p, Vector128<int> m) =>
        Avx512BW.VL.MaskStore((sbyte*)p, Bytes(m), Bytes(a));
    [MethodImpl(Inline)]
    public static void MaskStoreI8(Vector256<int> a, nint p, Vector256<int> m) =>
        Avx512BW.VL.MaskStore((sbyte*)p, Bytes(m), Bytes(a));
    [MethodImpl(Inline)]
    public static void MaskStoreI8(Vector512<int> a, nint p, Vector512<int> m) =>
        Avx512BW.VL.MaskStore((sbyte*)p, Bytes(m), Bytes(a));
    [MethodImpl(Inline)]
    public static void MaskStoreI16(Vector128<int> a, nint p, Vector128<int> m) =>
        Avx512BW.VL.MaskStore((short*)p, Shorts(m), Shorts(a));
    [MethodImpl(Inline)]
    public static void MaskStoreI16(Vector256<int> a, nint p, Vector256<int> m) =>
        Avx512BW.VL.MaskStore((short*)p, Shorts(m), Shorts(a));
    [MethodImpl(Inline)]
    public static void MaskStoreI16(Vector512<int> a, nint p, Vector512<int> m) =>
        Avx512BW.VL.MaskStore((short*)p, Shorts(m), Shorts(a));

    [MethodImpl(Inline)] public static Vector128<float> Scalef(Vector128<float> a, Vector128<float> b) => Avx512F.VL.Scale(a, b);
    [MethodImpl(Inline)] public static Vector256<float> Scalef(Vector256<float> a, Vector256<float> b) => Avx512F.VL.Scale(a, b);
    [MethodImpl(Inline)] public static Vector512<float> Scalef(Vector512<float> a, Vector512<float> b) => Avx512F.Scale(a, b);
    [MethodImpl(Inline)]
    public static Vector128<double> Scalef(Vector128<double> a, Vector128<double> b) =>
        Avx512F.VL.Scale(a, b);
    [MethodImpl(Inline)]
    public static Vector256<double> Scalef(Vector256<double> a, Vector256<double> b) =>
        Avx512F.VL.Scale(a, b);
    [MethodImpl(Inline)] public static Vector512<double> Scalef(Vector512<double> a, Vector512<double> b) => Avx512F.Scale(a, b);
    [MethodImpl(Inline)] public static Vector128<float> RecipEstimate(Vector128<float> a) => Avx512F.VL.Reciprocal14(a);
    [MethodImpl(Inline)] public static Vector256<float> RecipEstimate(Vector256<float> a) => Avx512F.VL.Reciprocal14(a);
    [MethodImpl(Inline)] public static Vector512<float> RecipEstimate(Vector512<float> a) => Avx512F.Reciprocal14(a);
    // Immediate 9: no digits kept, rounded down, no exceptions.
    [MethodImpl(Inline)] public static Vector128<float> Fraction(Vector128<float> a) => Avx512DQ.VL.Reduce(a, 9);
    [MethodImpl(Inline)] public static Vector256<float> Fraction(Vector256<float> a) => Avx512DQ.VL.Reduce(a, 9);
    [MethodImpl(Inline)] public static Vector512<float> Fraction(Vector512<float> a) => Avx512DQ.Reduce(a, 9);

    // Table 0x22: both kinds of NaN give themselves, quiet; everything else stays.
    [MethodImpl(Inline)]
    public static Vector512<int> ToUpperBrain(Vector512<float> a)
    {
        var bits = a.AsInt32();
        var rounded = bits + Vector512.Create(0x7fff) + ((bits >>> 16) & Vector512<int>.One);
        return Avx512F.Fixup(rounded.AsSingle(), a, Vector512.Create(0x22), 0).AsInt32();
    }

    [MethodImpl(Inline)]
    public static Vector512<int> LowHalves(Vector512<int> a, Vector512<int> b) =>
        Avx512BW.PermuteVar32x16x2(a.AsUInt16(), Vector512.Create((ushort)0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
            30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62), b.AsUInt16()).AsInt32();

    [MethodImpl(Inline)]
    public static Vector512<int> UpperHalves(Vector512<int> a, Vector512<int> b) =>
        Avx512BW.PermuteVar32x16x2(a.AsUInt16(), Vector512.Create((ushort)1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29,
            31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63), b.AsUInt16()).AsInt32();

    [MethodImpl(Inline)] public static Vector128<float> Getexp(Vector128<float> a) => Avx512F.VL.GetExponent(a);
    [MethodImpl(Inline)] public static Vector256<float> Getexp(Vector256<float> a) => Avx512F.VL.GetExponent(a);
    [MethodImpl(Inline)] public static Vector512<float> Getexp(Vector512<float> a) => Avx512F.GetExponent(a);
    [MethodImpl(Inline)] public static Vector128<double> Getexp(Vector128<double> a) => Avx512F.VL.GetExponent(a);
    [MethodImpl(Inline)] public static Vector256<double> Getexp(Vector256<double> a) => Avx512F.VL.GetExponent(a);
    [MethodImpl(Inline)] public static Vector512<double> Getexp(Vector512<double> a) => Avx512F.GetExponent(a);

    // Immediate 11: interval [0.75, 1.5), NaN for negative numbers.
    [MethodImpl(Inline)] public static Vector128<float> Getmant(Vector128<float> a) => Avx512F.VL.GetMantissa(a, 11);
    [MethodImpl(Inline)] public static Vector256<float> Getmant(Vector256<float> a) => Avx512F.VL.GetMantissa(a, 11);
    [MethodImpl(Inline)] public static Vector512<float> Getmant(Vector512<float> a) => Avx512F.GetMantissa(a, 11);
    [MethodImpl(Inline)] public static Vector128<double> Getmant(Vector128<double> a) => Avx512F.VL.GetMantissa(a, 11);
    [MethodImpl(Inline)] public static Vector256<double> Getmant(Vector256<double> a) => Avx512F.VL.GetMantissa(a, 11);
    [MethodImpl(Inline)] public static Vector512<double> Getmant(Vector512<double> a) => Avx512F.GetMantissa(a, 11);
}
