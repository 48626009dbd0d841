using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Vec.Emit;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Sums and extremes of sixteen lanes for each of many rows: sixteen rows at once, four steps that halve.</summary>
/// <remarks>Lane i meets lane i + 8, then i + 4, i + 2, i + 1, as in <see cref="Vec.VecBuilder.Reduce"/>: the same
/// numbers.</remarks>
static unsafe class RowFolds
{
    /// <summary>Rows that are folded at once, and lanes of a row.</summary>
    public const int Rows = 16;

    /// <summary>From one row to the next.</summary>
    public const int RowBytes = 64;

    /// <summary>What joins two vectors.</summary>
    interface IJoin
    {
        static abstract Vector512<float> Of(Vector512<float> a, Vector512<float> b);
    }

    readonly struct Added : IJoin
    {
        public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => a + b;
    }

    readonly struct Greater : IJoin
    {
        public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Avx512Lanes.MaxNaN(a, b);
    }

    readonly struct Lesser : IJoin
    {
        public static Vector512<float> Of(Vector512<float> a, Vector512<float> b) => Avx512Lanes.MinNaN(a, b);
    }

    /// <summary>Sums.</summary>
    /// <param name="from">Rows of sixteen float32.</param>
    /// <param name="to">A number for each row.</param>
    /// <param name="rows">A multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sum(nint from, nint to, long rows) => All<Added>((float*)from, (float*)to, rows);

    /// <summary>The greatest; NaN where one is.</summary>
    /// <inheritdoc cref="Sum"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Max(nint from, nint to, long rows) => All<Greater>((float*)from, (float*)to, rows);

    /// <summary>The least; NaN where one is.</summary>
    /// <inheritdoc cref="Sum"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Min(nint from, nint to, long rows) => All<Lesser>((float*)from, (float*)to, rows);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void All<T>(float* from, float* to, long rows) where T : IJoin
    {
        for (float* end = to + rows; to < end; from += Rows * Rows, to += Rows)
        {
            Vector512<float> a = Four<T>(from), b = Four<T>(from + 4 * Rows), c = Four<T>(from + 8 * Rows),
                d = Four<T>(from + 12 * Rows);
            // Lanes 0 and 1 of a block with its lanes 2 and 3; then the two that are left.
            Vector512<float> ab = T.Of(Avx512F.Shuffle(a, b, 0b01_00_01_00), Avx512F.Shuffle(a, b, 0b11_10_11_10)),
                cd = T.Of(Avx512F.Shuffle(c, d, 0b01_00_01_00), Avx512F.Shuffle(c, d, 0b11_10_11_10));
            var all = T.Of(Avx512F.Shuffle(ab, cd, 0b10_00_10_00), Avx512F.Shuffle(ab, cd, 0b11_01_11_01));
            // Block k holds rows k, 4 + k, 8 + k and 12 + k.
            Avx512F.PermuteVar16x32(all, Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)).Store(to);
        }
    }

    // Four rows, four lanes left of each: one row to a block of 128 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Four<T>(float* from) where T : IJoin
    {
        Vector512<float> a = Two<T>(from), b = Two<T>(from + 2 * Rows);
        return T.Of(Avx512F.Shuffle4x128(a, b, 0b10_00_10_00), Avx512F.Shuffle4x128(a, b, 0b11_01_11_01));
    }

    // Two rows, eight lanes left of each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Two<T>(float* from) where T : IJoin
    {
        Vector512<float> a = Vector512.Load(from), b = Vector512.Load(from + Rows);
        return T.Of(Avx512F.Shuffle4x128(a, b, 0b01_00_01_00), Avx512F.Shuffle4x128(a, b, 0b11_10_11_10));
    }
}
