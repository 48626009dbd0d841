using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>Copies parts of operands into the panels that micro-kernels read: for each inner index, elements side by
/// side.</summary>
/// <remarks>Elements are 4 or 8 bytes wide; only their width matters. Strides are in bytes.</remarks>
static unsafe class Packing
{
    /// <summary>Bytes behind a packed area that <see cref="Transpose"/> and <see cref="CopyRows"/> may overwrite.</summary>
    public const int SlackBytes = 128;

    /// <summary><c>to[k][i] = from[i][k]</c>: rows with contiguous inner index into a panel.</summary>
    /// <param name="isa">The path.</param>
    /// <param name="elementBytes">4 or 8.</param>
    /// <param name="from">The first element.</param>
    /// <param name="fromStride">From row to row.</param>
    /// <param name="rows">How many.</param>
    /// <param name="inner">How many elements of each.</param>
    /// <param name="to">The panel.</param>
    /// <param name="toStride">From one inner index to the next, at least rows * elementBytes.</param>
    public static void Transpose(Isa isa, int elementBytes, byte* from, long fromStride, long rows, long inner, byte* to,
        long toStride)
    {
        if (elementBytes == 8)
        {
            Scalar<long>(from, fromStride, 8, rows, inner, to, toStride);
            return;
        }
        int group = isa == Isa.Avx512 ? 16 : 4;
        for (long row = 0; row < rows; row += group)
        {
            byte* source = from + row * fromStride, target = to + row * 4;
            int here = (int)Math.Min(group, rows - row);
            // Stores are a whole vector wide: they may run into padding, or into the next inner index when that is written later.
            bool fits = here == group || (row + group) * 4 <= toStride || row == 0 && toStride == rows * 4;
            if (!fits) Scalar<int>(source, fromStride, 4, here, inner, target, toStride);
            else if (isa == Isa.Avx512) Transpose16(source, fromStride, here, inner, target, toStride);
            else Transpose4(source, fromStride, here, inner, target, toStride);
        }
    }

    /// <summary><c>to[k][j] = from[k][j]</c>: contiguous columns into a panel.</summary>
    /// <param name="isa">The path.</param>
    /// <param name="from">The first element.</param>
    /// <param name="fromStride">From one inner index to the next.</param>
    /// <param name="inner">How many.</param>
    /// <param name="bytes">Bytes of columns for each.</param>
    /// <param name="to">The panel.</param>
    /// <param name="toStride">From one inner index to the next.</param>
    /// <param name="isEnd">The last row ends the matrix, or what lies behind the panel is written already: nothing behind it is
    /// read or written.</param>
    public static void CopyRows(Isa isa, byte* from, long fromStride, long inner, long bytes, byte* to, long toStride,
        bool isEnd = true)
    {
        if (isa == Isa.Avx512 && bytes % 64 == 0) CopyVectors<Vector512<byte>>(from, fromStride, inner, bytes, to, toStride);
        else if (isa != Isa.Portable && bytes % 32 == 0)
            CopyVectors<Vector256<byte>>(from, fromStride, inner, bytes, to, toStride);
        else if (bytes % 16 == 0) CopyVectors<Vector128<byte>>(from, fromStride, inner, bytes, to, toStride);
        else if (bytes <= 64 && toStride == bytes && fromStride >= 64)
        {
            // Narrow panels: whole vectors, each overwriting the surplus of the one before.
            int width = isa == Isa.Avx512 ? 64 : isa == Isa.Avx2 ? 32 : 16;
            long reach = (bytes + width - 1) / width * width;
            long exact = isEnd ? Math.Min(inner, (reach + bytes - 1) / bytes) : 0;
            for (long k = exact; k < inner; k++, from += fromStride, to += toStride)
                for (long i = 0; i < reach; i += width)
                {
                    if (width == 64) Vector512.Load(from + i).Store(to + i);
                    else if (width == 32) Vector256.Load(from + i).Store(to + i);
                    else Vector128.Load(from + i).Store(to + i);
                }
            for (; exact > 0; exact--, from += fromStride, to += toStride) Unsafe.CopyBlockUnaligned(to, from, (uint)bytes);
        }
        else
        {
            for (long k = 0; k < inner; k++) Unsafe.CopyBlockUnaligned(to + k * toStride, from + k * fromStride, (uint)bytes);
        }
    }

    /// <summary>Any strides: <c>to[k][i] = from[i][k]</c>, one element at a time.</summary>
    public static void Gather(int elementBytes, byte* from, long rowStride, long innerStride, long rows, long inner, byte* to,
        long toStride)
    {
        if (elementBytes == 8) Scalar<long>(from, rowStride, innerStride, rows, inner, to, toStride);
        else Scalar<int>(from, rowStride, innerStride, rows, inner, to, toStride);
    }

    /// <summary>Zeros in columns [first, end) of every inner index.</summary>
    public static void Clear(byte* to, long toStride, long inner, long first, long end)
    {
        if (end <= first) return;
        for (long k = 0; k < inner; k++) Unsafe.InitBlockUnaligned(to + k * toStride + first, 0, (uint)(end - first));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scalar<T>(byte* from, long rowStride, long innerStride, long rows, long inner, byte* to, long toStride)
        where T : unmanaged
    {
        for (long k = 0; k < inner; k++)
            for (long i = 0; i < rows; i++)
                ((T*)(to + k * toStride))[i] = *(T*)(from + i * rowStride + k * innerStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void CopyVectors<T>(byte* from, long fromStride, long inner, long bytes, byte* to, long toStride) where T : unmanaged
    {
        for (long k = 0; k < inner; k++)
            for (long i = 0; i < bytes; i += sizeof(T)) *(T*)(to + k * toStride + i) = *(T*)(from + k * fromStride + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Transpose4(byte* from, long fromStride, int rows, long inner, byte* to, long toStride)
    {
        byte* row1 = rows > 1 ? from + fromStride : from, row2 = rows > 2 ? row1 + fromStride : from, row3 = rows > 3 ? row2
            + fromStride : from;
        long k = 0;
        for (; k + 4 <= inner; k += 4, to += 4 * toStride)
        {
            Vector128<int> a = Vector128.Load((int*)from + k), b = Vector128.Load((int*)row1 + k),
                c = Vector128.Load((int*)row2 + k), d = Vector128.Load((int*)row3 + k);
            Vector128<int> ab0 = FirstPairs(a, b), ab1 = LastPairs(a, b), cd0 = FirstPairs(c, d), cd1 = LastPairs(c, d);
            Lower(ab0, cd0).Store((int*)to);
            Upper(ab0, cd0).Store((int*)(to + toStride));
            Lower(ab1, cd1).Store((int*)(to + 2 * toStride));
            Upper(ab1, cd1).Store((int*)(to + 3 * toStride));
        }
        Scalar<int>(from + 4 * k, fromStride, 4, rows, inner - k, to, toStride);

        static Vector128<int> FirstPairs(Vector128<int> a, Vector128<int> b) => Even(
            Vector128.Shuffle(a, Vector128.Create(0, 0, 1, 1)), Vector128.Shuffle(b, Vector128.Create(0, 0, 1, 1)));
        static Vector128<int> LastPairs(Vector128<int> a, Vector128<int> b) => Even(
            Vector128.Shuffle(a, Vector128.Create(2, 2, 3, 3)), Vector128.Shuffle(b, Vector128.Create(2, 2, 3, 3)));
        static Vector128<int> Even(Vector128<int> a, Vector128<int> b) =>
            Vector128.ConditionalSelect(Vector128.Create(-1, 0, -1, 0), a, b);
        static Vector128<int> Lower(Vector128<int> a, Vector128<int> b) => Vector128.Create(a.GetLower(), b.GetLower());
        static Vector128<int> Upper(Vector128<int> a, Vector128<int> b) => Vector128.Create(a.GetUpper(), b.GetUpper());
    }

    static void Transpose16(byte* from, long fromStride, int rows, long inner, byte* to, long toStride)
    {
        long k = 0;
        for (; k + 16 <= inner; k += 16, to += 16 * toStride) Block16(from + 4 * k, fromStride, rows, to, toStride);
        Scalar<int>(from + 4 * k, fromStride, 4, rows, inner - k, to, toStride);
    }

    /// <summary>16 x 16 groups of four bytes: row i becomes column i. AVX-512. May work in place, for it reads all before it
    /// writes.</summary>
    /// <param name="from">The first row.</param>
    /// <param name="fromStride">Bytes from one row to the next.</param>
    /// <param name="rows">How many there are, 1 to 16; the others count as zeros.</param>
    /// <param name="to">Where the first column goes.</param>
    /// <param name="toStride">Bytes from one column to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Block16(byte* from, long fromStride, int rows, byte* to, long toStride)
    {
        // In registers: pairs, quads, then 128-bit lanes twice.
        byte* p = from;
        var zero = Vector512<float>.Zero;
        var r0 = Vector512.Load((float*)p);
        var r1 = rows > 1 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r2 = rows > 2 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r3 = rows > 3 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r4 = rows > 4 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r5 = rows > 5 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r6 = rows > 6 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r7 = rows > 7 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r8 = rows > 8 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r9 = rows > 9 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r10 = rows > 10 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r11 = rows > 11 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r12 = rows > 12 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r13 = rows > 13 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r14 = rows > 14 ? Vector512.Load((float*)(p += fromStride)) : zero;
        var r15 = rows > 15 ? Vector512.Load((float*)(p += fromStride)) : zero;

        (r0, r1) = Pairs(r0, r1); (r2, r3) = Pairs(r2, r3); (r4, r5) = Pairs(r4, r5); (r6, r7) = Pairs(r6, r7);
        (r8, r9) = Pairs(r8, r9); (r10, r11) = Pairs(r10, r11); (r12, r13) = Pairs(r12, r13); (r14, r15) = Pairs(r14, r15);

        (r0, r2) = Quads(r0, r2); (r1, r3) = Quads(r1, r3); (r4, r6) = Quads(r4, r6); (r5, r7) = Quads(r5, r7);
        (r8, r10) = Quads(r8, r10); (r9, r11) = Quads(r9, r11); (r12, r14) = Quads(r12, r14); (r13, r15) = Quads(r13, r15);

        // Registers r0, r2, r1, r3 hold inner indices 0, 1, 2, 3 of each lane of four, for rows 0 to 3; likewise the others.
        (r0, r4) = Lanes(r0, r4); (r2, r6) = Lanes(r2, r6); (r1, r5) = Lanes(r1, r5); (r3, r7) = Lanes(r3, r7);
        (r8, r12) = Lanes(r8, r12); (r10, r14) = Lanes(r10, r14); (r9, r13) = Lanes(r9, r13); (r11, r15) = Lanes(r11, r15);

        (r0, r8) = Lanes(r0, r8); (r2, r10) = Lanes(r2, r10); (r1, r9) = Lanes(r1, r9); (r3, r11) = Lanes(r3, r11);
        (r4, r12) = Lanes(r4, r12); (r6, r14) = Lanes(r6, r14); (r5, r13) = Lanes(r5, r13); (r7, r15) = Lanes(r7, r15);

        byte* t = to;
        r0.Store((float*)t); r2.Store((float*)(t += toStride)); r1.Store((float*)(t += toStride));
        r3.Store((float*)(t += toStride));
        r4.Store((float*)(t += toStride)); r6.Store((float*)(t += toStride)); r5.Store((float*)(t += toStride));
        r7.Store((float*)(t += toStride));
        r8.Store((float*)(t += toStride)); r10.Store((float*)(t += toStride)); r9.Store((float*)(t += toStride));
        r11.Store((float*)(t += toStride));
        r12.Store((float*)(t += toStride)); r14.Store((float*)(t += toStride)); r13.Store((float*)(t += toStride));
        r15.Store((float*)(t += toStride));

        static (Vector512<float>, Vector512<float>) Pairs(Vector512<float> a, Vector512<float> b) =>
            (Avx512F.UnpackLow(a, b), Avx512F.UnpackHigh(a, b));
        static (Vector512<float>, Vector512<float>) Quads(Vector512<float> a, Vector512<float> b) =>
            (Avx512F.UnpackLow(a.AsDouble(), b.AsDouble()).AsSingle(), Avx512F.UnpackHigh(a.AsDouble(), b.AsDouble()).AsSingle());
        static (Vector512<float>, Vector512<float>) Lanes(Vector512<float> a, Vector512<float> b) =>
            (Avx512F.Shuffle4x128(a, b, 0x88), Avx512F.Shuffle4x128(a, b, 0xdd));
    }
}
