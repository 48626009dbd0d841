using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>A part of an operand on its way into a panel: free indices (rows of the left operand, columns of the right) by inner indices.</summary>
/// <param name="Data">The first element.</param>
/// <param name="DType">Element type in memory.</param>
/// <param name="FreeStride">Elements from one free index to the next.</param>
/// <param name="InnerStride">Elements from one inner index to the next.</param>
unsafe readonly record struct PanelSource(nint Data, DType DType, long FreeStride, long InnerStride)
{
    /// <summary>The part that begins at these indices.</summary>
    public PanelSource At(long free, long inner) => this with { Data = Data + (nint)((free * FreeStride + inner * InnerStride) * DType.Bytes) };
}

/// <summary>Brings operands into the order in which tiles are loaded. 512-bit vectors throughout: a machine with tiles has them.</summary>
/// <remarks>
/// A tile of the left operand has a free index per row; one of the right has a group of inner indices per row. So an operand whose
/// inner index is contiguous is copied for the left and transposed for the right, and one whose free index is contiguous is
/// interleaved for the right, and interleaved and transposed for the left. Float32 is rounded to bfloat16 on the way, to nearest, ties to even.
/// </remarks>
static unsafe class TilePacking
{
    /// <summary>Bytes of a staging area for so many steps of a panel.</summary>
    public static long StagingBytes(long steps) => Tiles.PanelSide * steps * Tiles.RowBytes + 128;

    /// <summary>Packs a panel.</summary>
    /// <param name="source">Its first element; of the product's type, float32 for a product of bfloat16.</param>
    /// <param name="free">Free indices, at most 32.</param>
    /// <param name="inner">Inner indices.</param>
    /// <param name="steps">Steps of the panel, at least as many as the inner indices fill; the rest becomes zero.</param>
    /// <param name="tiles">Tiles side by side, 1 or 2.</param>
    /// <param name="isLeft">The panel is for the left operand.</param>
    /// <param name="elementBytes">2 for bfloat16, 1 for bytes.</param>
    /// <param name="staging"><see cref="StagingBytes"/> of scratch memory.</param>
    /// <param name="to">The panel, aligned to 64 bytes.</param>
    public static void Pack(PanelSource source, long free, long inner, long steps, int tiles, bool isLeft, int elementBytes, byte* staging, byte* to)
    {
        bool isByFree = source.FreeStride == 1 && source.InnerStride != 1;
        if (source.DType.Bytes != elementBytes) source = Rounded(source, free, inner, isByFree, staging);
        else if (source.InnerStride != 1 && !isByFree) source = Gathered(source, free, inner, elementBytes, staging);
        byte* from = (byte*)source.Data;
        long freeBytes = source.FreeStride * elementBytes, innerBytes = source.InnerStride * elementBytes;
        if (isByFree)
        {
            if (elementBytes == 2) InterleavePairs(from, innerBytes, free, inner, steps, tiles, to);
            else InterleaveFours(from, innerBytes, free, inner, steps, tiles, to);
            if (isLeft)
                for (long tile = 0; tile < steps * tiles; tile++) Transpose(to + tile * Tiles.Bytes, Tiles.RowBytes, Tiles.Side, to + tile * Tiles.Bytes);
        }
        else if (isLeft) CopyRows(from, freeBytes, free, inner * elementBytes, steps, tiles, to);
        else TransposeRows(from, freeBytes, free, inner * elementBytes, steps, tiles, to);
    }

    /// <summary>Rounds to bfloat16: nearest, ties to even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(float* from, ushort* to, long count)
    {
        var upper = Vector512.Create((ushort)1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63);
        long i = 0;
        for (; i + 32 <= count; i += 32)
            Avx512BW.PermuteVar32x16x2(Nearest(Vector512.Load(from + i)).AsUInt16(), upper, Nearest(Vector512.Load(from + i + 16)).AsUInt16()).Store(to + i);
        for (; i < count; i++) to[i] = ((BFloat16)from[i]).Bits;

        static Vector512<uint> Nearest(Vector512<float> value)
        {
            var bits = value.AsUInt32();
            var rounded = bits + Vector512.Create(0x7fffu) + (bits >>> 16 & Vector512<uint>.One);
            return Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), rounded, bits | Vector512.Create(0x400000u));
        }
    }

    static PanelSource Rounded(PanelSource source, long free, long inner, bool isByFree, byte* staging)
    {
        var from = (float*)source.Data;
        var to = (ushort*)staging;
        if (isByFree)
        {
            for (long k = 0; k < inner; k++) Round(from + k * source.InnerStride, to + k * Tiles.PanelSide, free);
            return new((nint)to, DType.BFloat16, 1, Tiles.PanelSide);
        }
        for (long i = 0; i < free; i++)
        {
            if (source.InnerStride == 1) Round(from + i * source.FreeStride, to + i * inner, inner);
            else
                for (long k = 0; k < inner; k++) to[i * inner + k] = ((BFloat16)from[i * source.FreeStride + k * source.InnerStride]).Bits;
        }
        return new((nint)to, DType.BFloat16, inner, 1);
    }

    static PanelSource Gathered(PanelSource source, long free, long inner, int elementBytes, byte* staging)
    {
        for (long i = 0; i < free; i++)
            for (long k = 0; k < inner; k++)
            {
                long at = i * source.FreeStride + k * source.InnerStride;
                if (elementBytes == 2) ((ushort*)staging)[i * inner + k] = ((ushort*)source.Data)[at];
                else staging[i * inner + k] = ((byte*)source.Data)[at];
            }
        return source with { Data = (nint)staging, FreeStride = inner, InnerStride = 1 };
    }

    /// <summary>Rows of contiguous inner indices, 64 bytes of each per step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void CopyRows(byte* from, long stride, long rows, long bytes, long steps, int tiles, byte* to)
    {
        long whole = bytes / Tiles.RowBytes, step = tiles * Tiles.Bytes, fours = whole & -4;
        for (long s = 0; s < fours; s += 4)
        {
            byte* source = from + s * Tiles.RowBytes, target = to + s * step;
            for (long i = 0; i < rows; i++, source += stride, target += Tiles.RowBytes)
            {
                var (a, b, c, d) = (Vector512.Load(source), Vector512.Load(source + 64), Vector512.Load(source + 128), Vector512.Load(source + 192));
                a.StoreAligned(target);
                b.StoreAligned(target + step);
                c.StoreAligned(target + 2 * step);
                d.StoreAligned(target + 3 * step);
            }
        }
        for (long s = fours; s < whole; s++)
            for (long i = 0; i < rows; i++) Vector512.Load(from + i * stride + s * Tiles.RowBytes).StoreAligned(to + s * step + i * Tiles.RowBytes);
        if (whole < steps)
        {
            for (long i = 0; i < rows; i++) Rest(from + i * stride + whole * Tiles.RowBytes, bytes - whole * Tiles.RowBytes).StoreAligned(to + whole * step + i * Tiles.RowBytes);
            for (long s = whole + 1; s < steps; s++) Clear(to + s * step, rows * Tiles.RowBytes);
        }
        for (long s = 0; s < steps && rows < tiles * Tiles.Side; s++) Clear(to + s * step + rows * Tiles.RowBytes, step - rows * Tiles.RowBytes);
    }

    /// <summary>Rows of contiguous inner indices, a column of groups for each.</summary>
    static void TransposeRows(byte* from, long stride, long rows, long bytes, long steps, int tiles, byte* to)
    {
        long whole = bytes / Tiles.RowBytes;
        byte* rest = stackalloc byte[Tiles.Bytes];
        for (int tile = 0; tile < tiles; tile++)
        {
            int here = (int)Math.Clamp(rows - tile * Tiles.Side, 0, Tiles.Side);
            byte* source = from + tile * Tiles.Side * stride, target = to + tile * Tiles.Bytes;
            for (long s = 0; s < steps; s++, target += tiles * Tiles.Bytes)
            {
                if (here == 0 || s > whole) Clear(target, Tiles.Bytes);
                else if (s < whole) Transpose(source + s * Tiles.RowBytes, stride, here, target);
                else
                {
                    for (int i = 0; i < here; i++) Rest(source + i * stride + s * Tiles.RowBytes, bytes - whole * Tiles.RowBytes).Store(rest + i * Tiles.RowBytes);
                    Transpose(rest, Tiles.RowBytes, here, target);
                }
            }
        }
    }

    /// <summary>Two rows of contiguous free indices at a time, bfloat16 by bfloat16: groups of two inner indices.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void InterleavePairs(byte* from, long stride, long free, long inner, long steps, int tiles, byte* to)
    {
        var first = Vector512.Create(0ul, 1, 8, 9, 2, 3, 10, 11);
        var second = Vector512.Create(4ul, 5, 12, 13, 6, 7, 14, 15);
        long groups = (inner + 1) / 2, all = steps * Tiles.Side, freeBytes = free * 2;
        for (long g = 0; g < groups; g++)
        {
            byte* row = from + 2 * g * stride, target = to + g / Tiles.Side * tiles * Tiles.Bytes + g % Tiles.Side * Tiles.RowBytes;
            bool hasBoth = 2 * g + 1 < inner;
            Vector512<ushort> a, b;
            if (freeBytes == 64) (a, b) = (Vector512.Load((ushort*)row), hasBoth ? Vector512.Load((ushort*)(row + stride)) : default);
            else (a, b) = (Rest(row, freeBytes).AsUInt16(), hasBoth ? Rest(row + stride, freeBytes).AsUInt16() : default);
            var low = Avx512BW.UnpackLow(a, b).AsUInt64();
            var high = Avx512BW.UnpackHigh(a, b).AsUInt64();
            Avx512F.PermuteVar8x64x2(low, first, high).AsByte().StoreAligned(target);
            if (tiles == 2) Avx512F.PermuteVar8x64x2(low, second, high).AsByte().StoreAligned(target + Tiles.Bytes);
        }
        ClearGroups(groups, all, tiles, to);
    }

    /// <summary>Four rows of contiguous free indices at a time, byte by byte: groups of four inner indices.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void InterleaveFours(byte* from, long stride, long free, long inner, long steps, int tiles, byte* to)
    {
        long groups = (inner + 3) / 4, all = steps * Tiles.Side;
        for (long g = 0; g < groups; g++)
        {
            byte* row = from + 4 * g * stride, target = to + g / Tiles.Side * tiles * Tiles.Bytes + g % Tiles.Side * Tiles.RowBytes;
            long here = inner - 4 * g;
            Vector256<byte> a = Row(row, free), b = here > 1 ? Row(row + stride, free) : default;
            Vector256<byte> c = here > 2 ? Row(row + 2 * stride, free) : default, d = here > 3 ? Row(row + 3 * stride, free) : default;
            Vector256<ushort> ab0 = Avx2.UnpackLow(a, b).AsUInt16(), ab1 = Avx2.UnpackHigh(a, b).AsUInt16();
            Vector256<ushort> cd0 = Avx2.UnpackLow(c, d).AsUInt16(), cd1 = Avx2.UnpackHigh(c, d).AsUInt16();
            // Each lane of 128 bits holds four columns: 0, 4, 8, 12 in the lower lanes, 16 and on in the upper ones.
            Vector256<ushort> q0 = Avx2.UnpackLow(ab0, cd0), q1 = Avx2.UnpackHigh(ab0, cd0), q2 = Avx2.UnpackLow(ab1, cd1), q3 = Avx2.UnpackHigh(ab1, cd1);
            Avx2.Permute2x128(q0, q1, 0x20).AsByte().StoreAligned(target);
            Avx2.Permute2x128(q2, q3, 0x20).AsByte().StoreAligned(target + 32);
            if (tiles == 1) continue;
            Avx2.Permute2x128(q0, q1, 0x31).AsByte().StoreAligned(target + Tiles.Bytes);
            Avx2.Permute2x128(q2, q3, 0x31).AsByte().StoreAligned(target + Tiles.Bytes + 32);
        }
        ClearGroups(groups, all, tiles, to);

        static Vector256<byte> Row(byte* row, long free) => free == 32 ? Vector256.Load(row) : Rest(row, free).GetLower();
    }

    static void ClearGroups(long first, long end, int tiles, byte* to)
    {
        for (long g = first; g < end; g++)
        {
            byte* target = to + g / Tiles.Side * tiles * Tiles.Bytes + g % Tiles.Side * Tiles.RowBytes;
            Vector512<byte>.Zero.StoreAligned(target);
            if (tiles == 2) Vector512<byte>.Zero.StoreAligned(target + Tiles.Bytes);
        }
    }

    /// <summary>Fewer than 64 bytes, zeros behind; reads nothing else.</summary>
    static Vector512<byte> Rest(byte* from, long bytes)
    {
        byte* whole = stackalloc byte[64];
        Vector512<byte>.Zero.Store(whole);
        Unsafe.CopyBlockUnaligned(whole, from, (uint)bytes);
        return Vector512.Load(whole);
    }

    static void Clear(byte* to, long bytes)
    {
        for (long i = 0; i < bytes; i += 64) Vector512<byte>.Zero.StoreAligned(to + i);
    }

    /// <summary>16 x 16 groups of four bytes: row i becomes column i. May work in place, for it reads all before it writes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Transpose(byte* from, long stride, int rows, byte* to)
    {
        var zero = Vector512<float>.Zero;
        byte* p = from;
        var r0 = Vector512.Load((float*)p);
        var r1 = rows > 1 ? Vector512.Load((float*)(p += stride)) : zero;
        var r2 = rows > 2 ? Vector512.Load((float*)(p += stride)) : zero;
        var r3 = rows > 3 ? Vector512.Load((float*)(p += stride)) : zero;
        var r4 = rows > 4 ? Vector512.Load((float*)(p += stride)) : zero;
        var r5 = rows > 5 ? Vector512.Load((float*)(p += stride)) : zero;
        var r6 = rows > 6 ? Vector512.Load((float*)(p += stride)) : zero;
        var r7 = rows > 7 ? Vector512.Load((float*)(p += stride)) : zero;
        var r8 = rows > 8 ? Vector512.Load((float*)(p += stride)) : zero;
        var r9 = rows > 9 ? Vector512.Load((float*)(p += stride)) : zero;
        var r10 = rows > 10 ? Vector512.Load((float*)(p += stride)) : zero;
        var r11 = rows > 11 ? Vector512.Load((float*)(p += stride)) : zero;
        var r12 = rows > 12 ? Vector512.Load((float*)(p += stride)) : zero;
        var r13 = rows > 13 ? Vector512.Load((float*)(p += stride)) : zero;
        var r14 = rows > 14 ? Vector512.Load((float*)(p += stride)) : zero;
        var r15 = rows > 15 ? Vector512.Load((float*)(p += stride)) : zero;

        (r0, r1) = Pairs(r0, r1); (r2, r3) = Pairs(r2, r3); (r4, r5) = Pairs(r4, r5); (r6, r7) = Pairs(r6, r7);
        (r8, r9) = Pairs(r8, r9); (r10, r11) = Pairs(r10, r11); (r12, r13) = Pairs(r12, r13); (r14, r15) = Pairs(r14, r15);

        (r0, r2) = Quads(r0, r2); (r1, r3) = Quads(r1, r3); (r4, r6) = Quads(r4, r6); (r5, r7) = Quads(r5, r7);
        (r8, r10) = Quads(r8, r10); (r9, r11) = Quads(r9, r11); (r12, r14) = Quads(r12, r14); (r13, r15) = Quads(r13, r15);

        // Registers r0, r2, r1, r3 hold groups 0, 1, 2, 3 of each lane of four, for rows 0 to 3; likewise the others.
        (r0, r4) = Lanes(r0, r4); (r2, r6) = Lanes(r2, r6); (r1, r5) = Lanes(r1, r5); (r3, r7) = Lanes(r3, r7);
        (r8, r12) = Lanes(r8, r12); (r10, r14) = Lanes(r10, r14); (r9, r13) = Lanes(r9, r13); (r11, r15) = Lanes(r11, r15);

        (r0, r8) = Lanes(r0, r8); (r2, r10) = Lanes(r2, r10); (r1, r9) = Lanes(r1, r9); (r3, r11) = Lanes(r3, r11);
        (r4, r12) = Lanes(r4, r12); (r6, r14) = Lanes(r6, r14); (r5, r13) = Lanes(r5, r13); (r7, r15) = Lanes(r7, r15);

        var t = (float*)to;
        r0.StoreAligned(t); r2.StoreAligned(t + 16); r1.StoreAligned(t + 32); r3.StoreAligned(t + 48);
        r4.StoreAligned(t + 64); r6.StoreAligned(t + 80); r5.StoreAligned(t + 96); r7.StoreAligned(t + 112);
        r8.StoreAligned(t + 128); r10.StoreAligned(t + 144); r9.StoreAligned(t + 160); r11.StoreAligned(t + 176);
        r12.StoreAligned(t + 192); r14.StoreAligned(t + 208); r13.StoreAligned(t + 224); r15.StoreAligned(t + 240);

        static (Vector512<float>, Vector512<float>) Pairs(Vector512<float> a, Vector512<float> b) => (Avx512F.UnpackLow(a, b), Avx512F.UnpackHigh(a, b));
        static (Vector512<float>, Vector512<float>) Quads(Vector512<float> a, Vector512<float> b) =>
            (Avx512F.UnpackLow(a.AsDouble(), b.AsDouble()).AsSingle(), Avx512F.UnpackHigh(a.AsDouble(), b.AsDouble()).AsSingle());
        static (Vector512<float>, Vector512<float>) Lanes(Vector512<float> a, Vector512<float> b) =>
            (Avx512F.Shuffle4x128(a, b, 0x88), Avx512F.Shuffle4x128(a, b, 0xdd));
    }
}
