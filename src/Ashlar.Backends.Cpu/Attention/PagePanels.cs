using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Products with panels of cache pages on the vectors, and what brings numbers into the form of panels.</summary>
/// <remarks>
/// Lanes are the 32 columns of a panel, so no sum runs across lanes. Four rows at a time share what is loaded of a panel. A
/// vector of 512 bits is two or four registers on narrower paths.
/// </remarks>
static unsafe class PagePanels
{
    /// <summary>Bytes of a step of 32 inner indices of a panel of bfloat16.</summary>
    public const int StepBytes = PageLayout.Panel * PageLayout.Panel * 2;

    const int TileBytes = StepBytes / 2;
    const uint UpperHalf = 0xFFFF_0000;

    /// <summary><c>sums[r, 0..32) = left[r, :] * panel[:, 0..32)</c>, or <c>+=</c>.</summary>
    /// <param name="dtype">float32 or bfloat16, of the panel.</param>
    /// <param name="left">Rows of <paramref name="inner"/> numbers.</param>
    /// <param name="leftStride">Numbers from one row to the next.</param>
    /// <param name="inner">Inner indices; for bfloat16 a multiple of 32.</param>
    /// <param name="ahead">What is wanted next.</param>
    public static void Multiply(DType dtype, float* left, long leftStride, byte* panel, int inner, float* sums, long sumStride,
        int rows, bool adds, ref FetchAhead ahead)
    {
        int row = 0;
        if (dtype == DType.Float32)
        {
            for (; row + 4 <= rows; row += 4)
                Four32(left + row * leftStride, leftStride, (float*)panel, inner, sums + row * sumStride, sumStride, adds,
                    ref ahead);
            for (; row < rows; row++)
                One32(left + row * leftStride, (float*)panel, inner, sums + row * sumStride, adds, ref ahead);
        }
        else
        {
            for (; row + 4 <= rows; row += 4)
                Four16(left + row * leftStride, leftStride, panel, inner, sums + row * sumStride, sumStride, adds, ref ahead);
            for (; row < rows; row++) One16(left + row * leftStride, panel, inner, sums + row * sumStride, adds, ref ahead);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Four32(float* a, long stride, float* panel, int inner, float* sums, long sumStride, bool adds,
        ref FetchAhead ahead)
    {
        float* b = a + stride, c = b + stride, d = c + stride;
        Vector512<float> a0, a1, b0, b1, c0, c1, d0, d1;
        var next = ahead;
        a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = Vector512<float>.Zero;
        for (int k = 0; k < inner; k++, panel += PageLayout.Panel)
        {
            next.Two();
            var left = Vector512.Load(panel);
            var right = Vector512.Load(panel + 16);
            var x = Vector512.Create(a[k]);
            a0 = Vector512.FusedMultiplyAdd(x, left, a0);
            a1 = Vector512.FusedMultiplyAdd(x, right, a1);
            x = Vector512.Create(b[k]);
            b0 = Vector512.FusedMultiplyAdd(x, left, b0);
            b1 = Vector512.FusedMultiplyAdd(x, right, b1);
            x = Vector512.Create(c[k]);
            c0 = Vector512.FusedMultiplyAdd(x, left, c0);
            c1 = Vector512.FusedMultiplyAdd(x, right, c1);
            x = Vector512.Create(d[k]);
            d0 = Vector512.FusedMultiplyAdd(x, left, d0);
            d1 = Vector512.FusedMultiplyAdd(x, right, d1);
        }
        ahead = next;
        Finish(sums, a0, a1, adds);
        Finish(sums + sumStride, b0, b1, adds);
        Finish(sums + 2 * sumStride, c0, c1, adds);
        Finish(sums + 3 * sumStride, d0, d1, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void One32(float* a, float* panel, int inner, float* sums, bool adds, ref FetchAhead ahead)
    {
        Vector512<float> a0, a1;
        var next = ahead;
        a0 = a1 = Vector512<float>.Zero;
        for (int k = 0; k < inner; k++, panel += PageLayout.Panel)
        {
            next.Two();
            var x = Vector512.Create(a[k]);
            a0 = Vector512.FusedMultiplyAdd(x, Vector512.Load(panel), a0);
            a1 = Vector512.FusedMultiplyAdd(x, Vector512.Load(panel + 16), a1);
        }
        ahead = next;
        Finish(sums, a0, a1, adds);
    }

    // The upper half of each 32-bit lane is the odd inner index, the lower half the even one; a bfloat16 is the upper half of a
    // float32.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Four16(float* a, long stride, byte* panel, int inner, float* sums, long sumStride, bool adds,
        ref FetchAhead ahead)
    {
        float* b = a + stride, c = b + stride, d = c + stride;
        Vector512<float> a0, a1, b0, b1, c0, c1, d0, d1;
        var next = ahead;
        a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = Vector512<float>.Zero;
        for (int step = 0; step < inner; step += PageLayout.Panel, panel += StepBytes)
            for (int k = step; k < step + PageLayout.Panel; k += 2)
            {
                next.Two();
                byte* at = panel + (k - step) * 32;
                var pair0 = Vector512.Load((uint*)at);
                var pair1 = Vector512.Load((uint*)(at + TileBytes));
                var even0 = (pair0 << 16).AsSingle();
                var even1 = (pair1 << 16).AsSingle();
                var odd0 = (pair0 & Vector512.Create(UpperHalf)).AsSingle();
                var odd1 = (pair1 & Vector512.Create(UpperHalf)).AsSingle();
                var x = Vector512.Create(a[k]);
                var y = Vector512.Create(a[k + 1]);
                a0 = Vector512.FusedMultiplyAdd(y, odd0, Vector512.FusedMultiplyAdd(x, even0, a0));
                a1 = Vector512.FusedMultiplyAdd(y, odd1, Vector512.FusedMultiplyAdd(x, even1, a1));
                x = Vector512.Create(b[k]);
                y = Vector512.Create(b[k + 1]);
                b0 = Vector512.FusedMultiplyAdd(y, odd0, Vector512.FusedMultiplyAdd(x, even0, b0));
                b1 = Vector512.FusedMultiplyAdd(y, odd1, Vector512.FusedMultiplyAdd(x, even1, b1));
                x = Vector512.Create(c[k]);
                y = Vector512.Create(c[k + 1]);
                c0 = Vector512.FusedMultiplyAdd(y, odd0, Vector512.FusedMultiplyAdd(x, even0, c0));
                c1 = Vector512.FusedMultiplyAdd(y, odd1, Vector512.FusedMultiplyAdd(x, even1, c1));
                x = Vector512.Create(d[k]);
                y = Vector512.Create(d[k + 1]);
                d0 = Vector512.FusedMultiplyAdd(y, odd0, Vector512.FusedMultiplyAdd(x, even0, d0));
                d1 = Vector512.FusedMultiplyAdd(y, odd1, Vector512.FusedMultiplyAdd(x, even1, d1));
            }
        ahead = next;
        Finish(sums, a0, a1, adds);
        Finish(sums + sumStride, b0, b1, adds);
        Finish(sums + 2 * sumStride, c0, c1, adds);
        Finish(sums + 3 * sumStride, d0, d1, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void One16(float* a, byte* panel, int inner, float* sums, bool adds, ref FetchAhead ahead)
    {
        Vector512<float> a0, a1;
        var next = ahead;
        a0 = a1 = Vector512<float>.Zero;
        for (int step = 0; step < inner; step += PageLayout.Panel, panel += StepBytes)
            for (int k = step; k < step + PageLayout.Panel; k += 2)
            {
                next.Two();
                byte* at = panel + (k - step) * 32;
                var pair0 = Vector512.Load((uint*)at);
                var pair1 = Vector512.Load((uint*)(at + TileBytes));
                var x = Vector512.Create(a[k]);
                var y = Vector512.Create(a[k + 1]);
                a0 = Vector512.FusedMultiplyAdd(x, (pair0 << 16).AsSingle(), a0);
                a1 = Vector512.FusedMultiplyAdd(x, (pair1 << 16).AsSingle(), a1);
                a0 = Vector512.FusedMultiplyAdd(y, (pair0 & Vector512.Create(UpperHalf)).AsSingle(), a0);
                a1 = Vector512.FusedMultiplyAdd(y, (pair1 & Vector512.Create(UpperHalf)).AsSingle(), a1);
            }
        ahead = next;
        Finish(sums, a0, a1, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Finish(float* sums, Vector512<float> first, Vector512<float> second, bool adds)
    {
        if (adds)
        {
            first += Vector512.Load(sums);
            second += Vector512.Load(sums + 16);
        }
        first.Store(sums);
        second.Store(sums + 16);
    }

    /// <summary>Bytes of a panel as bfloat16, which holds them exactly.</summary>
    /// <param name="count">Numbers, a multiple of 32.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(sbyte* from, byte* to, long count)
    {
        for (long i = 0; i < count; i += 32, to += 64)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(from + i));
            var pairs = Vector512.Create(low, high).AsInt32();
            var even = Vector512.ConvertToSingle((pairs << 16) >> 16).AsUInt32() >> 16;
            var odd = Vector512.ConvertToSingle(pairs >> 16).AsUInt32() & Vector512.Create(UpperHalf);
            (even | odd).Store((uint*)to);
        }
    }

    /// <summary>Sixteen float32 as the bits of bfloat16, rounded to the nearest, ties to even. Some NaN become
    /// numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Round(Vector512<float> x)
    {
        var bits = x.AsUInt32();
        return (bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One)) >> 16;
    }

    /// <summary>Thirty-two float32 as bfloat16, rounded to the nearest, ties to even; a NaN stays one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ushort> Brain(Vector512<float> low, Vector512<float> high) =>
        Vector512.Narrow(Safe(low), Safe(high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> Safe(Vector512<float> x) =>
        Vector512.ConditionalSelect(Vector512.IsNaN(x).AsUInt32(), Vector512.Create(0x7FC0u), Round(x));

    /// <summary>Makes numbers minus infinity, by whole vectors: they are loaded as vectors right after.</summary>
    /// <param name="numbers">The first of all.</param>
    /// <param name="from">The first that changes.</param>
    /// <param name="to">Behind the last that changes.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Hide(float* numbers, int from, int to)
    {
        for (int i = from / 16 * 16; i < to; i += 16)
        {
            var place = Vector512<int>.Indices + Vector512.Create(i);
            var changes = Vector512.GreaterThanOrEqual(place, Vector512.Create(from))
                & Vector512.LessThan(place, Vector512.Create(to));
            Vector512.ConditionalSelect(changes.AsSingle(), Vector512.Create(float.NegativeInfinity), Vector512.Load(numbers + i))
                .Store(numbers + i);
        }
    }

    /// <summary>The largest of some numbers, or any of them if one is no number.</summary>
    /// <param name="numbers">The first.</param>
    /// <param name="count">How many: a multiple of 32.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max(float* numbers, int count)
    {
        Vector512<float> a = Vector512.Load(numbers), b = Vector512.Load(numbers + 16);
        for (int i = 32; i < count; i += 32)
        {
            a = Vector512.MaxNative(a, Vector512.Load(numbers + i));
            b = Vector512.MaxNative(b, Vector512.Load(numbers + i + 16));
        }
        a = Vector512.MaxNative(a, b);
        var eight = Vector256.MaxNative(a.GetLower(), a.GetUpper());
        var four = Vector128.MaxNative(eight.GetLower(), eight.GetUpper());
        return MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
    }

    /// <summary>The exponential of numbers up to 0, within 2 ULP; 0 below -87, a NaN of a NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // e^x = 2^n e^r with |r| <= ln 2 / 2; ln 2 in two parts, so that r is exact.
        var clamped = Vector512.MaxNative(Vector512.Create(-87f), x);   // of a NaN the second: it stays
        var n = Vector512.Round(clamped * Vector512.Create(1.44269504f));
        var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), clamped);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        var p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        p = Vector512.FusedMultiplyAdd(p, r * r, r + Vector512<float>.One);
        var scaled = Avx512F.IsSupported
            ? Avx512F.Scale(p, n)
            : p * (Vector512.ConvertToInt32Native(n) + Vector512.Create(127) << 23).AsSingle();
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87f)), Vector512<float>.Zero, scaled);
    }
}
