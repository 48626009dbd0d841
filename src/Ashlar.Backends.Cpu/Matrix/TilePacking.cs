using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>A part of an operand on its way into a panel: free indices (rows of the left operand, columns of the right) by inner
/// indices.</summary>
/// <param name="Data">The first element.</param>
/// <param name="DType">Element type in memory.</param>
/// <param name="FreeStride">Elements from one free index to the next.</param>
/// <param name="InnerStride">Elements from one inner index to the next.</param>
unsafe readonly record struct PanelSource(nint Data, DType DType, long FreeStride, long InnerStride)
{
    /// <summary>The part that begins at these indices.</summary>
    public PanelSource At(long free, long inner) => this with
    {
        Data = Data + (nint)((free * FreeStride + inner * InnerStride) * DType.Bytes),
    };
}

/// <summary>Brings operands into the order in which tiles are loaded. 512-bit vectors throughout: a machine with tiles has
/// them.</summary>
/// <remarks>
/// A tile of the left operand has a free index per row; one of the right has a group of inner indices per row. So an operand
/// whose inner index is contiguous is copied for the left and transposed for the right, and one whose free index is contiguous is
/// interleaved for the right, and interleaved and transposed for the left. Float32 is rounded to bfloat16 on the way, to nearest,
/// ties to even.
/// </remarks>
static unsafe class TilePacking
{
    const long MostFree = 512;

    // Lines that are written whole still come from memory first: those of the third row from here are fetched.
    const int RowsAhead = 3 * Tiles.RowBytes;

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
    public static void Pack(PanelSource source, long free, long inner, long steps, int tiles, bool isLeft, int elementBytes,
        byte* staging, byte* to)
    {
        bool isByFree = source.FreeStride == 1 && source.InnerStride != 1;
        if (isByFree && tiles == 2)
        {
            if (elementBytes == 2) InterleavePairs(source, free, inner, steps, staging, to, 0);
            else InterleaveFours(source, free, inner, steps, to, 0);
            for (byte* tile = to, end = isLeft ? to + steps * Tiles.StepBytes : to; tile < end; tile += Tiles.Bytes)
                Transpose(tile, Tiles.RowBytes, Tiles.Side, tile);
            return;
        }
        if (source.DType.Bytes != elementBytes) source = Rounded(source, free, inner, staging);
        else if (source.InnerStride != 1) source = Gathered(source, free, inner, elementBytes, staging);
        byte* from = (byte*)source.Data;
        long stride = source.FreeStride * elementBytes;
        if (isLeft) CopyRows(from, stride, free, inner * elementBytes, steps, tiles, to);
        else TransposeRows(from, stride, free, inner * elementBytes, steps, tiles, to);
    }

    /// <summary>Packs panels of two tiles side by side.</summary>
    /// <param name="free">Free indices, any number.</param>
    /// <param name="panelBytes">From one panel to the next.</param>
    /// <remarks>
    /// Where the free index is contiguous, rows are read as wide as they are: a panel by itself would read one line of each,
    /// which no hardware prefetcher follows, at a quarter of the speed.
    /// </remarks>
    public static void PackAll(PanelSource source, long free, long inner, long steps, bool isLeft, int elementBytes,
        byte* staging, byte* to, long panelBytes)
    {
        bool isByFree = source.FreeStride == 1 && source.InnerStride != 1;
        if (isByFree && free > MostFree)
        {
            // Two rows of float32 on their way fit the smallest staging area then.
            for (long at = 0; at < free; at += MostFree, to += MostFree / Tiles.PanelSide * panelBytes)
                PackAll(source.At(at, 0), Math.Min(MostFree, free - at), inner, steps, isLeft, elementBytes, staging,
                    to, panelBytes);
            return;
        }
        if (isByFree && free > Tiles.PanelSide)
        {
            if (elementBytes == 2) InterleavePairs(source, free, inner, steps, staging, to, panelBytes);
            else InterleaveFours(source, free, inner, steps, to, panelBytes);
            if (!isLeft) return;
            for (long panel = 0; panel * Tiles.PanelSide < free; panel++)
                for (byte* tile = to + panel * panelBytes, end = tile + steps * Tiles.StepBytes; tile < end; tile += Tiles.Bytes)
                    Transpose(tile, Tiles.RowBytes, Tiles.Side, tile);
            return;
        }
        for (long at = 0; at < free; at += Tiles.PanelSide, to += panelBytes)
            Pack(source.At(at, 0), Math.Min(Tiles.PanelSide, free - at), inner, steps, 2, isLeft, elementBytes, staging, to);
    }

    /// <summary>Packs a panel of the left operand from rows that lie anywhere.</summary>
    /// <param name="rows">Where each begins; inner indices are contiguous.</param>
    /// <param name="count">How many, at most 32.</param>
    /// <param name="type">Their type in memory: the product's, or float32 for a product of bfloat16.</param>
    /// <param name="inner">Inner indices.</param>
    /// <param name="steps">Steps of the panel; what the inner indices do not fill becomes zero.</param>
    /// <param name="tiles">Tiles side by side, 1 or 2.</param>
    /// <param name="elementBytes">2 for bfloat16, 1 for bytes.</param>
    /// <param name="to">The panel, aligned to 64 bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackRows(nint* rows, int count, DType type, long inner, long steps, int tiles, int elementBytes, byte* to)
    {
        long step = tiles * Tiles.Bytes, elements = Tiles.RowBytes / elementBytes, whole = inner / elements, rest = inner
            - whole * elements;
        int sourceBytes = type.Bytes == elementBytes ? Tiles.RowBytes : 2 * Tiles.RowBytes;
        byte* padded = stackalloc byte[2 * Tiles.RowBytes];
        for (int i = 0; i < count; i++)
        {
            byte* from = (byte*)rows[i], target = to + i * Tiles.RowBytes, ahead = (byte*)rows[Math.Min(i + 2, count - 1)];
            if (sourceBytes == Tiles.RowBytes)
                for (long s = 0; s < whole; s++, from += Tiles.RowBytes, ahead += Tiles.RowBytes, target += step)
                {
                    Sse.Prefetch0(ahead);
                    Sse.Prefetch0(target + RowsAhead);
                    Vector512.Load(from).StoreAligned(target);
                }
            else
                for (long s = 0; s < whole; s++, from += 2 * Tiles.RowBytes, ahead += 2 * Tiles.RowBytes, target += step)
                {
                    Sse.Prefetch0(ahead);
                    Sse.Prefetch0(ahead + Tiles.RowBytes);
                    Sse.Prefetch0(target + RowsAhead);
                    Rounded((float*)from).StoreAligned((ushort*)target);
                }
            if (whole == steps) continue;
            new Span<byte>(padded, 2 * Tiles.RowBytes).Clear();
            Unsafe.CopyBlockUnaligned(padded, from, (uint)(rest * type.Bytes));
            (sourceBytes == Tiles.RowBytes ? Vector512.Load(padded) : Rounded((float*)padded).AsByte()).StoreAligned(target);
            for (long s = whole + 1; s < steps; s++) Vector512<byte>.Zero.StoreAligned(target += step);
        }
        for (long s = 0; s < steps && count < tiles * Tiles.Side; s++)
            Clear(to + s * step + count * Tiles.RowBytes, step - count * Tiles.RowBytes);
    }

    /// <summary>Rounds to bfloat16: nearest, ties to even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Round(float* from, ushort* to, long count)
    {
        long i = 0;
        for (; i + 32 <= count; i += 32) Rounded(from + i).Store(to + i);
        for (; i < count; i++) to[i] = ((BFloat16)from[i]).Bits;
    }

    /// <summary>32 numbers rounded to bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ushort> Rounded(float* from)
    {
        var upper = Vector512.Create((ushort)1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43,
            45, 47, 49, 51, 53, 55, 57, 59, 61, 63);
        return Avx512BW.PermuteVar32x16x2(Nearest(Vector512.Load(from)).AsUInt16(), upper,
            Nearest(Vector512.Load(from + 16)).AsUInt16());

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static Vector512<uint> Nearest(Vector512<float> value)
        {
            var bits = value.AsUInt32();
            var rounded = bits + Vector512.Create(0x7fffu) + (bits >>> 16 & Vector512<uint>.One);
            return Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), rounded,
                bits | Vector512.Create(0x400000u));
        }
    }

    static PanelSource Rounded(PanelSource source, long free, long inner, byte* staging)
    {
        var from = (float*)source.Data;
        var to = (ushort*)staging;
        for (long i = 0; i < free; i++)
        {
            if (source.InnerStride == 1) Round(from + i * source.FreeStride, to + i * inner, inner);
            else
                for (long k = 0; k < inner; k++)
                    to[i * inner + k] = ((BFloat16)from[i * source.FreeStride + k * source.InnerStride]).Bits;
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
                var (a, b, c, d) = (Vector512.Load(source), Vector512.Load(source + 64), Vector512.Load(source + 128),
                    Vector512.Load(source + 192));
                FetchTargets(target + RowsAhead, step);
                a.StoreAligned(target);
                b.StoreAligned(target + step);
                c.StoreAligned(target + 2 * step);
                d.StoreAligned(target + 3 * step);
            }
        }
        for (long s = fours; s < whole; s++)
            for (long i = 0; i < rows; i++)
                Vector512.Load(from + i * stride + s * Tiles.RowBytes).StoreAligned(to + s * step + i * Tiles.RowBytes);
        if (whole < steps)
        {
            for (long i = 0; i < rows; i++)
                Rest(from + i * stride + whole * Tiles.RowBytes, bytes - whole * Tiles.RowBytes)
                    .StoreAligned(to + whole * step + i * Tiles.RowBytes);
            for (long s = whole + 1; s < steps; s++) Clear(to + s * step, rows * Tiles.RowBytes);
        }
        for (long s = 0; s < steps && rows < tiles * Tiles.Side; s++)
            Clear(to + s * step + rows * Tiles.RowBytes, step - rows * Tiles.RowBytes);
    }

    // One line of each of four places.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void FetchTargets(byte* first, long apart)
    {
        Sse.Prefetch0(first);
        Sse.Prefetch0(first + apart);
        Sse.Prefetch0(first + 2 * apart);
        Sse.Prefetch0(first + 3 * apart);
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
                    for (int i = 0; i < here; i++)
                        Rest(source + i * stride + s * Tiles.RowBytes, bytes - whole * Tiles.RowBytes)
                            .Store(rest + i * Tiles.RowBytes);
                    Transpose(rest, Tiles.RowBytes, here, target);
                }
            }
        }
    }

    /// <summary>Two rows of contiguous free indices at a time, bfloat16 by bfloat16: groups of two inner indices.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void InterleavePairs(PanelSource source, long free, long inner, long steps, byte* staging, byte* to, long panelBytes)
    {
        long stride = source.InnerStride * source.DType.Bytes, fours = free / (4 * Tiles.PanelSide) * 4;
        if (source.DType == DType.Float32) fours = 0;
        for (long step = 0; step < steps; step++, to += Tiles.StepBytes)
        {
            long inner0 = step * 2 * Tiles.Side, here = Math.Clamp(inner - inner0, 0, 2 * Tiles.Side), groups = (here + 1) / 2;
            byte* rows = (byte*)source.Data + inner0 * stride;
            // Four panels at a time: 256 bytes of each row, and few enough lines being written for the prefetcher to follow.
            bool isWhole = here == 2 * Tiles.Side;
            if (isWhole)
                for (long p = 0; p < fours; p += 4)
                {
                    byte* first = rows + p * 64, target = to + p * panelBytes;
                    byte* ahead = first + (inner - inner0 >= 4 * Tiles.Side ? 2 * Tiles.Side * stride : 0);
                    for (int g = 0; g < Tiles.Side; g++, first += 2 * stride, ahead += 2 * stride, target += Tiles.RowBytes)
                    {
                        byte* second = first + stride;
                        Fetch(ahead);
                        Fetch(ahead + stride);
                        FetchTargets(target + RowsAhead, panelBytes);
                        FetchTargets(target + RowsAhead + Tiles.Bytes, panelBytes);
                        StorePairs(Vector512.Load((ushort*)first), Vector512.Load((ushort*)second), target);
                        StorePairs(Vector512.Load((ushort*)(first + 64)), Vector512.Load((ushort*)(second + 64)),
                            target + panelBytes);
                        StorePairs(Vector512.Load((ushort*)(first + 128)), Vector512.Load((ushort*)(second + 128)),
                            target + 2 * panelBytes);
                        StorePairs(Vector512.Load((ushort*)(first + 192)), Vector512.Load((ushort*)(second + 192)),
                            target + 3 * panelBytes);
                    }
                }
            long done = isWhole ? fours * Tiles.PanelSide : 0;
            if (done < free)
                for (long g = 0; g < groups; g++)
                {
                    byte* first = rows + 2 * g * stride, second = 2 * g + 1 < here ? first + stride : null;
                    Pairs(source.DType, first, second, done, free, staging,
                        to + done / Tiles.PanelSide * panelBytes + g * Tiles.RowBytes, panelBytes);
                }
            if (groups < Tiles.Side)
                for (long at = 0; at < free; at += Tiles.PanelSide)
                    for (long g = groups; g < Tiles.Side; g++)
                        StorePairs(default, default, to + at / Tiles.PanelSide * panelBytes + g * Tiles.RowBytes);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Fetch(byte* line)
        {
            Sse.Prefetch1(line);
            Sse.Prefetch1(line + 64);
            Sse.Prefetch1(line + 128);
            Sse.Prefetch1(line + 192);
        }
    }

    /// <summary>One group of free indices [at, end): two rows, or one and zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pairs(DType type, byte* first, byte* second, long at, long end, byte* staging, byte* to, long panelBytes)
    {
        if (type == DType.Float32)
        {
            byte* rounded = staging + (end + 31) / 32 * 64;
            Round((float*)first, (ushort*)staging, end);
            if (second != null) Round((float*)second, (ushort*)rounded, end);
            first = staging;
            if (second != null) second = rounded;
        }
        for (; at + Tiles.PanelSide <= end; at += Tiles.PanelSide, to += panelBytes)
            StorePairs(Vector512.Load((ushort*)first + at), second == null ? default : Vector512.Load((ushort*)second + at), to);
        if (at < end)
            StorePairs(Rest(first + 2 * at, 2 * (end - at)).AsUInt16(),
                second == null ? default : Rest(second + 2 * at, 2 * (end - at)).AsUInt16(), to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StorePairs(Vector512<ushort> a, Vector512<ushort> b, byte* to)
    {
        var low = Avx512BW.UnpackLow(a, b).AsUInt64();
        var high = Avx512BW.UnpackHigh(a, b).AsUInt64();
        Avx512F.PermuteVar8x64x2(low, Vector512.Create(0ul, 1, 8, 9, 2, 3, 10, 11), high).AsByte().StoreAligned(to);
        Avx512F.PermuteVar8x64x2(low, Vector512.Create(4ul, 5, 12, 13, 6, 7, 14, 15), high).AsByte()
            .StoreAligned(to + Tiles.Bytes);
    }

    /// <summary>Four rows of contiguous free indices at a time, byte by byte: groups of four inner indices.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void InterleaveFours(PanelSource source, long free, long inner, long steps, byte* to, long panelBytes)
    {
        long groups = (inner + 3) / 4, stride = source.InnerStride, whole = free / Tiles.PanelSide, rest = free % Tiles.PanelSide;
        for (long g = 0; g < groups; g++)
        {
            byte* row = (byte*)source.Data + 4 * g * stride, target = to + g / Tiles.Side * Tiles.StepBytes
                + g % Tiles.Side * Tiles.RowBytes;
            long here = inner - 4 * g;
            if (here >= 4)
                for (long p = 0; p < whole; p++, row += 32, target += panelBytes)
                    StoreFours(Vector256.Load(row), Vector256.Load(row + stride), Vector256.Load(row + 2 * stride),
                        Vector256.Load(row + 3 * stride), target);
            else
                for (long p = 0; p < whole; p++, row += 32, target += panelBytes)
                    StoreFours(Vector256.Load(row), here > 1 ? Vector256.Load(row + stride) : default,
                        here > 2 ? Vector256.Load(row + 2 * stride) : default, default, target);
            if (rest > 0)
                StoreFours(Rest(row, rest).GetLower(), here > 1 ? Rest(row + stride, rest).GetLower() : default,
                    here > 2 ? Rest(row + 2 * stride, rest).GetLower() : default,
                    here > 3 ? Rest(row + 3 * stride, rest).GetLower() : default, target);
        }
        for (; free > 0; free -= Tiles.PanelSide, to += panelBytes) ClearGroups(groups, steps * Tiles.Side, to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreFours(Vector256<byte> a, Vector256<byte> b, Vector256<byte> c, Vector256<byte> d, byte* to)
    {
        Vector256<ushort> ab0 = Avx2.UnpackLow(a, b).AsUInt16(), ab1 = Avx2.UnpackHigh(a, b).AsUInt16();
        Vector256<ushort> cd0 = Avx2.UnpackLow(c, d).AsUInt16(), cd1 = Avx2.UnpackHigh(c, d).AsUInt16();
        // Each lane of 128 bits holds four columns: 0, 4, 8, 12 in the lower lanes, 16 and on in the upper ones.
        Vector256<ushort> q0 = Avx2.UnpackLow(ab0, cd0), q1 = Avx2.UnpackHigh(ab0, cd0), q2 = Avx2.UnpackLow(ab1, cd1),
            q3 = Avx2.UnpackHigh(ab1, cd1);
        Avx2.Permute2x128(q0, q1, 0x20).AsByte().StoreAligned(to);
        Avx2.Permute2x128(q2, q3, 0x20).AsByte().StoreAligned(to + 32);
        Avx2.Permute2x128(q0, q1, 0x31).AsByte().StoreAligned(to + Tiles.Bytes);
        Avx2.Permute2x128(q2, q3, 0x31).AsByte().StoreAligned(to + Tiles.Bytes + 32);
    }

    static void ClearGroups(long first, long end, byte* to)
    {
        for (long g = first; g < end; g++)
        {
            byte* target = to + g / Tiles.Side * Tiles.StepBytes + g % Tiles.Side * Tiles.RowBytes;
            Vector512<byte>.Zero.StoreAligned(target);
            Vector512<byte>.Zero.StoreAligned(target + Tiles.Bytes);
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

    /// <summary>16 x 16 groups of four bytes into a tile: row i becomes column i. May work in place.</summary>
    static void Transpose(byte* from, long stride, int rows, byte* to) => Packing.Block16(from, stride, rows, to, Tiles.RowBytes);
}
