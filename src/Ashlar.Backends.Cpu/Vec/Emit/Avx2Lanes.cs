using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>What AVX2 does in fewer instructions than <see cref="Lanes"/>; the same names and results.</summary>
internal static unsafe class Avx2Lanes
{
    const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    // maxps gives its second operand where either is NaN, so only a NaN in the first needs care.
    [MethodImpl(Inline)]
    public static Vector128<float> MinNaN(Vector128<float> a, Vector128<float> b) =>
        Sse41.BlendVariable(Sse.Min(a, b), a, Sse.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector256<float> MinNaN(Vector256<float> a, Vector256<float> b) =>
        Avx.BlendVariable(Avx.Min(a, b), a, Avx.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector128<double> MinNaN(Vector128<double> a, Vector128<double> b) =>
        Sse41.BlendVariable(Sse2.Min(a, b), a, Sse2.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector256<double> MinNaN(Vector256<double> a, Vector256<double> b) =>
        Avx.BlendVariable(Avx.Min(a, b), a, Avx.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector128<float> MaxNaN(Vector128<float> a, Vector128<float> b) =>
        Sse41.BlendVariable(Sse.Max(a, b), a, Sse.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector256<float> MaxNaN(Vector256<float> a, Vector256<float> b) =>
        Avx.BlendVariable(Avx.Max(a, b), a, Avx.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector128<double> MaxNaN(Vector128<double> a, Vector128<double> b) =>
        Sse41.BlendVariable(Sse2.Max(a, b), a, Sse2.CompareUnordered(a, a));
    [MethodImpl(Inline)]
    public static Vector256<double> MaxNaN(Vector256<double> a, Vector256<double> b) =>
        Avx.BlendVariable(Avx.Max(a, b), a, Avx.CompareUnordered(a, a));

    [MethodImpl(Inline)]
    public static Vector128<float> Select(Vector128<int> m, Vector128<float> a, Vector128<float> b) =>
        Sse41.BlendVariable(b, a, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector128<int> Select(Vector128<int> m, Vector128<int> a, Vector128<int> b) =>
        Sse41.BlendVariable(b.AsSingle(), a.AsSingle(), m.AsSingle()).AsInt32();
    [MethodImpl(Inline)]
    public static Vector128<double> Select(Vector128<long> m, Vector128<double> a, Vector128<double> b) =>
        Sse41.BlendVariable(b, a, m.AsDouble());
    [MethodImpl(Inline)]
    public static Vector128<long> Select(Vector128<long> m, Vector128<long> a, Vector128<long> b) =>
        Sse41.BlendVariable(b.AsDouble(), a.AsDouble(), m.AsDouble()).AsInt64();
    [MethodImpl(Inline)]
    public static Vector256<float> Select(Vector256<int> m, Vector256<float> a, Vector256<float> b) =>
        Avx.BlendVariable(b, a, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector256<int> Select(Vector256<int> m, Vector256<int> a, Vector256<int> b) =>
        Avx.BlendVariable(b.AsSingle(), a.AsSingle(), m.AsSingle()).AsInt32();
    [MethodImpl(Inline)]
    public static Vector256<double> Select(Vector256<long> m, Vector256<double> a, Vector256<double> b) =>
        Avx.BlendVariable(b, a, m.AsDouble());
    [MethodImpl(Inline)]
    public static Vector256<long> Select(Vector256<long> m, Vector256<long> a, Vector256<long> b) =>
        Avx.BlendVariable(b.AsDouble(), a.AsDouble(), m.AsDouble()).AsInt64();

    // Counts outside the width give zeros (the sign for Sar), which is what the instructions do with unsigned counts.
    [MethodImpl(Inline)]
    public static Vector128<int> Shl(Vector128<int> a, Vector128<int> n) =>
        Avx2.ShiftLeftLogicalVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector256<int> Shl(Vector256<int> a, Vector256<int> n) =>
        Avx2.ShiftLeftLogicalVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector128<long> Shl(Vector128<long> a, Vector128<long> n) =>
        Avx2.ShiftLeftLogicalVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector256<long> Shl(Vector256<long> a, Vector256<long> n) =>
        Avx2.ShiftLeftLogicalVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector128<int> Shr(Vector128<int> a, Vector128<int> n) =>
        Avx2.ShiftRightLogicalVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector256<int> Shr(Vector256<int> a, Vector256<int> n) =>
        Avx2.ShiftRightLogicalVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector128<long> Shr(Vector128<long> a, Vector128<long> n) =>
        Avx2.ShiftRightLogicalVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector256<long> Shr(Vector256<long> a, Vector256<long> n) =>
        Avx2.ShiftRightLogicalVariable(a, n.AsUInt64());
    [MethodImpl(Inline)]
    public static Vector128<int> Sar(Vector128<int> a, Vector128<int> n) =>
        Avx2.ShiftRightArithmeticVariable(a, n.AsUInt32());
    [MethodImpl(Inline)]
    public static Vector256<int> Sar(Vector256<int> a, Vector256<int> n) =>
        Avx2.ShiftRightArithmeticVariable(a, n.AsUInt32());

    [MethodImpl(Inline)] public static Vector256<double> ToF64Wide(Vector128<float> a) => Avx.ConvertToVector256Double(a);
    [MethodImpl(Inline)] public static Vector128<float> ToF32(Vector256<double> a) => Avx.ConvertToVector128Single(a);
    [MethodImpl(Inline)] public static Vector256<long> ToI64Wide(Vector128<int> a) => Avx2.ConvertToVector256Int64(a);
    [MethodImpl(Inline)]
    public static Vector128<int> ToI32(Vector256<long> a) =>
        Avx2.PermuteVar8x32(a.AsInt32(), Vector256.Create(0, 2, 4, 6, 0, 0, 0, 0)).GetLower();
    [MethodImpl(Inline)] public static Vector128<double> ToF64(Vector128<int> a) => Sse2.ConvertToVector128Double(a);
    [MethodImpl(Inline)] public static Vector256<double> ToF64Wide(Vector128<int> a) => Avx.ConvertToVector256Double(a);

    // cvttpd gives int.MinValue for what does not fit: limit first, then give 0 for NaN.
    [MethodImpl(Inline)]
    public static Vector128<int> ToI32(Vector128<double> a) => Sse2.ConvertToVector128Int32WithTruncation(
        Sse2.And(Sse2.Max(Vector128.Create((double)int.MinValue), Sse2.Min(Vector128.Create((double)int.MaxValue), a)),
            Sse2.CompareOrdered(a, a)));
    [MethodImpl(Inline)]
    public static Vector128<int> ToI32(Vector256<double> a) => Avx.ConvertToVector128Int32WithTruncation(
        Avx.And(Avx.Max(Vector256.Create((double)int.MinValue), Avx.Min(Vector256.Create((double)int.MaxValue), a)),
            Avx.CompareOrdered(a, a)));

    [MethodImpl(Inline)] public static Vector256<int> LoadU8x8(nint p) => Avx2.ConvertToVector256Int32((byte*)p);
    [MethodImpl(Inline)] public static Vector256<int> LoadI8x8(nint p) => Avx2.ConvertToVector256Int32((sbyte*)p);
    [MethodImpl(Inline)] public static Vector256<int> LoadU16x8(nint p) => Avx2.ConvertToVector256Int32((ushort*)p);
    [MethodImpl(Inline)] public static Vector256<int> LoadI16x8(nint p) => Avx2.ConvertToVector256Int32((short*)p);

    [MethodImpl(Inline)]
    public static Vector128<float> MaskLoadF32(nint p, Vector128<int> m) =>
        Avx.MaskLoad((float*)p, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector256<float> MaskLoadF32(nint p, Vector256<int> m) =>
        Avx.MaskLoad((float*)p, m.AsSingle());
    [MethodImpl(Inline)]
    public static Vector256<double> MaskLoadF64(nint p, Vector256<long> m) =>
        Avx.MaskLoad((double*)p, m.AsDouble());
    [MethodImpl(Inline)] public static Vector128<int> MaskLoadI32(nint p, Vector128<int> m) => Avx2.MaskLoad((int*)p, m);
    [MethodImpl(Inline)] public static Vector256<int> MaskLoadI32(nint p, Vector256<int> m) => Avx2.MaskLoad((int*)p, m);
    [MethodImpl(Inline)] public static Vector256<long> MaskLoadI64(nint p, Vector256<long> m) => Avx2.MaskLoad((long*)p, m);
    [MethodImpl(Inline)]
    public static void MaskStoreF32(Vector128<float> a, nint p, Vector128<int> m) =>
        Avx.MaskStore((float*)p, m.AsSingle(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreF32(Vector256<float> a, nint p, Vector256<int> m) =>
        Avx.MaskStore((float*)p, m.AsSingle(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreF64(Vector256<double> a, nint p, Vector256<long> m) =>
        Avx.MaskStore((double*)p, m.AsDouble(), a);
    [MethodImpl(Inline)]
    public static void MaskStoreI32(Vector128<int> a, nint p, Vector128<int> m) =>
        Avx2.MaskStore((int*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI32(Vector256<int> a, nint p, Vector256<int> m) =>
        Avx2.MaskStore((int*)p, m, a);
    [MethodImpl(Inline)]
    public static void MaskStoreI64(Vector256<long> a, nint p, Vector256<long> m) =>
        Avx2.MaskStore((long*)p, m, a);

    [MethodImpl(Inline)]
    public static Vector128<float> GatherWhereF32(nint p, Vector128<int> i, Vector128<int> m) =>
        Avx2.GatherMaskVector128(default, (float*)p, i, m.AsSingle(), 4);
    [MethodImpl(Inline)]
    public static Vector256<float> GatherWhereF32(nint p, Vector256<int> i, Vector256<int> m) =>
        Avx2.GatherMaskVector256(default, (float*)p, i, m.AsSingle(), 4);
    [MethodImpl(Inline)]
    public static Vector512<float> GatherWhereF32(nint p, Vector512<int> i, Vector512<int> m) =>
        Vector512.Create(GatherWhereF32(p, i.GetLower(), m.GetLower()), GatherWhereF32(p, i.GetUpper(), m.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector128<int> GatherWhereI32(nint p, Vector128<int> i, Vector128<int> m) =>
        Avx2.GatherMaskVector128(default, (int*)p, i, m, 4);
    [MethodImpl(Inline)]
    public static Vector256<int> GatherWhereI32(nint p, Vector256<int> i, Vector256<int> m) =>
        Avx2.GatherMaskVector256(default, (int*)p, i, m, 4);
    [MethodImpl(Inline)]
    public static Vector512<int> GatherWhereI32(nint p, Vector512<int> i, Vector512<int> m) =>
        Vector512.Create(GatherWhereI32(p, i.GetLower(), m.GetLower()), GatherWhereI32(p, i.GetUpper(), m.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector128<float> GatherF32(nint p, Vector128<int> i) =>
        Avx2.GatherVector128((float*)p, i, 4);
    [MethodImpl(Inline)]
    public static Vector256<float> GatherF32(nint p, Vector256<int> i) =>
        Avx2.GatherVector256((float*)p, i, 4);
    [MethodImpl(Inline)]
    public static Vector512<float> GatherF32(nint p, Vector512<int> i) =>
        Vector512.Create(GatherF32(p, i.GetLower()), GatherF32(p, i.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector128<float> GatherF32(nint p, Vector256<long> i) =>
        Avx2.GatherVector128((float*)p, i, 4);
    [MethodImpl(Inline)]
    public static Vector256<float> GatherF32(nint p, Vector512<long> i) =>
        Vector256.Create(GatherF32(p, i.GetLower()), GatherF32(p, i.GetUpper()));
    [MethodImpl(Inline)] public static Vector128<int> GatherI32(nint p, Vector128<int> i) => Avx2.GatherVector128((int*)p, i, 4);
    [MethodImpl(Inline)] public static Vector256<int> GatherI32(nint p, Vector256<int> i) => Avx2.GatherVector256((int*)p, i, 4);
    [MethodImpl(Inline)]
    public static Vector512<int> GatherI32(nint p, Vector512<int> i) =>
        Vector512.Create(GatherI32(p, i.GetLower()), GatherI32(p, i.GetUpper()));
    [MethodImpl(Inline)] public static Vector128<int> GatherI32(nint p, Vector256<long> i) => Avx2.GatherVector128((int*)p, i, 4);
    [MethodImpl(Inline)]
    public static Vector256<int> GatherI32(nint p, Vector512<long> i) =>
        Vector256.Create(GatherI32(p, i.GetLower()), GatherI32(p, i.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector256<double> GatherF64(nint p, Vector128<int> i) =>
        Avx2.GatherVector256((double*)p, i, 8);
    [MethodImpl(Inline)]
    public static Vector512<double> GatherF64(nint p, Vector256<int> i) =>
        Vector512.Create(GatherF64(p, i.GetLower()), GatherF64(p, i.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector256<double> GatherF64(nint p, Vector256<long> i) =>
        Avx2.GatherVector256((double*)p, i, 8);
    [MethodImpl(Inline)]
    public static Vector512<double> GatherF64(nint p, Vector512<long> i) =>
        Vector512.Create(GatherF64(p, i.GetLower()), GatherF64(p, i.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector256<long> GatherI64(nint p, Vector128<int> i) =>
        Avx2.GatherVector256((long*)p, i, 8);
    [MethodImpl(Inline)]
    public static Vector512<long> GatherI64(nint p, Vector256<int> i) =>
        Vector512.Create(GatherI64(p, i.GetLower()), GatherI64(p, i.GetUpper()));
    [MethodImpl(Inline)]
    public static Vector256<long> GatherI64(nint p, Vector256<long> i) =>
        Avx2.GatherVector256((long*)p, i, 8);
    [MethodImpl(Inline)]
    public static Vector512<long> GatherI64(nint p, Vector512<long> i) =>
        Vector512.Create(GatherI64(p, i.GetLower()), GatherI64(p, i.GetUpper()));

    [MethodImpl(Inline)] public static void Prefetch(nint p) => Sse.Prefetch0((void*)p);
    [MethodImpl(Inline)] public static void PrefetchFar(nint p) => Sse.Prefetch1((void*)p);
    [MethodImpl(Inline)] public static void Fence() => Sse.StoreFence();
}
