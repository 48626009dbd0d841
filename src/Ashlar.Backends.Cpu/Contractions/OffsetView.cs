using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>One axis of an operand.</summary>
/// <param name="Count">How many steps.</param>
/// <param name="Stride">Elements from one to the next.</param>
readonly record struct AxisStep(long Count, long Stride);

/// <summary>An operand whose elements lie at the sum of two offsets: one of its free index, one of its inner index.</summary>
/// <remarks>
/// Windows of an image are one, though no two strides say where they lie: the free index counts positions, the inner one channels
/// and members of a window. So a convolution is a product whose panels are packed from the image itself.
/// </remarks>
/// <param name="Free">Axes of the free index (rows of the left operand, columns of the right), outermost first.</param>
/// <param name="Inner">Axes of the inner index.</param>
/// <param name="Elements">Elements of the whole buffer from <see cref="ContractionCall"/>'s first one on, none of which lies
/// beyond it.</param>
sealed unsafe record OffsetView(AxisStep[] Free, AxisStep[] Inner, long Elements)
{
    /// <summary>Whether elements that follow each other in memory follow each other along the inner index; else along the free
    /// one.</summary>
    public bool RunsInside { get; } = LengthOf(Inner) > 2 * LengthOf(Free);

    // Elements that follow each other: the innermost axes that have one step between them, as long as that is 1; half as good
    // where it is 2.
    static long LengthOf(AxisStep[] axes)
    {
        long length = 1, stride = 0;
        foreach (var axis in axes.Reverse())
        {
            if (axis.Count == 1) continue;
            if (stride == 0) stride = axis.Stride;
            else if (axis.Stride != stride * length) break;
            length *= axis.Count;
        }
        return stride switch { 1 => length, 2 => Math.Max(1, length / 2), _ => 1 };
    }

    /// <summary>The offsets of indices that follow each other.</summary>
    public static void Write(AxisStep[] axes, long first, long count, long* offsets)
    {
        long* at = stackalloc long[axes.Length + 1];
        long offset = 0;
        for (int axis = axes.Length - 1; axis >= 0; axis--)
        {
            (first, at[axis]) = Math.DivRem(first, axes[axis].Count);
            offset += at[axis] * axes[axis].Stride;
        }
        for (long i = 0; i < count; i++)
        {
            offsets[i] = offset;
            for (int axis = axes.Length - 1; axis >= 0; axis--)
            {
                offset += axes[axis].Stride;
                if (++at[axis] < axes[axis].Count) break;
                offset -= at[axis] * axes[axis].Stride;
                at[axis] = 0;
            }
        }
    }
}

/// <summary>Elements that lie at even steps.</summary>
/// <param name="Start">Which index the first one has.</param>
/// <param name="Count">How many.</param>
/// <param name="Offset">Where the first one lies.</param>
/// <param name="Step">Elements from one to the next.</param>
readonly unsafe record struct OffsetRun(long Start, long Count, long Offset, long Step)
{
    /// <summary>Cuts offsets into runs.</summary>
    /// <returns>How many; at most <paramref name="count"/>.</returns>
    public static int Write(long* offsets, long count, OffsetRun* runs)
    {
        int found = 0;
        for (long i = 0; i < count;)
        {
            long step = i + 1 < count ? offsets[i + 1] - offsets[i] : 1, end = i + 1;
            // Steps that vectors can make; others go one by one, and the next may begin a run.
            if (step is 1 or 2)
                while (end < count && offsets[end] - offsets[end - 1] == step) end++;
            else step = 1;
            if (end - i == 1) step = 1;
            runs[found++] = new(i, end - i, offsets[i], step);
            i = end;
        }
        return found;
    }
}

/// <summary>Packs operands that are <see cref="OffsetView"/>s. Elements are 2, 4 or 8 bytes wide.</summary>
static unsafe class OffsetPacking
{
    /// <summary><c>to[k][j] = from[inner[k] + free[j]]</c>, in the order of k and then j. Up to <see cref="Packing.SlackBytes"/>
    /// behind each row are overwritten before the next one.</summary>
    /// <param name="isa">The path.</param>
    /// <param name="elementBytes">4 or 8.</param>
    /// <param name="from">Where offset 0 lies.</param>
    /// <param name="end">Where the buffer ends.</param>
    /// <param name="inner">Offsets of the inner indices.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="runs">The free indices.</param>
    /// <param name="runCount">How many runs.</param>
    /// <param name="to">The panel.</param>
    /// <param name="toStride">Bytes from one inner index to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AcrossRuns(Isa isa, int elementBytes, byte* from, byte* end, long* inner, long count, OffsetRun* runs,
        int runCount, byte* to, long toStride)
    {
        bool isWide = isa == Isa.Avx512;
        if (isWide && runCount == 1 && runs->Step == 1 && runs->Count * elementBytes == 128)
        {
            // The usual panel of a wide image: two vectors of one run.
            byte* row = from + runs->Offset * elementBytes;
            for (long k = 0; k < count; k++, to += toStride)
            {
                byte* source = row + inner[k] * elementBytes;
                Vector512<byte> first = Vector512.Load(source), second = Vector512.Load(source + 64);
                first.Store(to);
                second.Store(to + 64);
            }
            return;
        }
        for (long k = 0; k < count; k++, to += toStride)
        {
            byte* row = from + inner[k] * elementBytes;
            for (int r = 0; r < runCount; r++)
            {
                byte* source = row + runs[r].Offset * elementBytes, target = to + runs[r].Start * elementBytes;
                if (runs[r].Step == 1) Copy(isWide, source, end, runs[r].Count * elementBytes, target);
                else if (elementBytes == 4 && isWide) Evens((float*)source, (float*)end, runs[r].Count, (float*)target);
                else if (elementBytes == 4) Strided((int*)source, runs[r].Step, runs[r].Count, (int*)target);
                else Strided((long*)source, runs[r].Step, runs[r].Count, (long*)target);
            }
        }
    }

    /// <summary><c>to[k] = from[k]</c> for inner indices in runs: one row of an operand whose inner index is contiguous. Up to 63
    /// bytes behind it are overwritten.</summary>
    public static void AlongRuns(Isa isa, int elementBytes, byte* from, byte* end, OffsetRun* runs, int runCount, byte* to)
    {
        bool isWide = isa == Isa.Avx512;
        for (int r = 0; r < runCount; r++)
        {
            byte* source = from + runs[r].Offset * elementBytes, target = to + runs[r].Start * elementBytes;
            if (runs[r].Step == 1) Copy(isWide, source, end, runs[r].Count * elementBytes, target);
            else if (elementBytes == 4 && isWide) Evens((float*)source, (float*)end, runs[r].Count, (float*)target);
            else if (elementBytes == 4) Strided((int*)source, runs[r].Step, runs[r].Count, (int*)target);
            else if (elementBytes == 8) Strided((long*)source, runs[r].Step, runs[r].Count, (long*)target);
            else Strided((short*)source, runs[r].Step, runs[r].Count, (short*)target);
        }
    }

    // Whole vectors, as far as the buffer reaches: what they bring beyond the run is overwritten by the next one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Copy(bool isWide, byte* from, byte* end, long bytes, byte* to)
    {
        long i = 0;
        if (isWide)
            for (; i < bytes && from + i + 64 <= end; i += 64) Vector512.Load(from + i).Store(to + i);
        else
            for (; i < bytes && from + i + 16 <= end; i += 16) Vector128.Load(from + i).Store(to + i);
        if (i < bytes) Unsafe.CopyBlockUnaligned(to + i, from + i, (uint)(bytes - i));
    }

    // Every other element. The second load begins at the 15th, so that it ends with the last one that is wanted.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Evens(float* from, float* end, long count, float* to)
    {
        var order = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
        long i = 0;
        for (; i < count && from + 2 * i + 31 <= end; i += 16)
            Avx512F.PermuteVar16x32x2(Vector512.Load(from + 2 * i), order, Vector512.Load(from + 2 * i + 15)).Store(to + i);
        for (; i < count; i++) to[i] = from[2 * i];
    }

    static void Strided<T>(T* from, long step, long count, T* to) where T : unmanaged
    {
        for (long i = 0; i < count; i++) to[i] = from[i * step];
    }
}

/// <summary>Room for the offsets of a block of the inner axis.</summary>
readonly unsafe struct OperandOffsets(byte* memory)
{
    const int Most = (int)Blocking.MostInner + 8;

    public const int Bytes = Most * (sizeof(long) + 4 * sizeof(long));

    /// <summary>One per inner index.</summary>
    public long* Inner => (long*)memory;

    /// <summary>The same in runs, where the view's runs lie inside.</summary>
    public OffsetRun* Runs => (OffsetRun*)(memory + Most * sizeof(long));

    /// <summary>Writes them.</summary>
    /// <returns>How many runs there are.</returns>
    public int Begin(OffsetView view, long first, long count)
    {
        OffsetView.Write(view.Inner, first, count, Inner);
        return view.RunsInside ? OffsetRun.Write(Inner, count, Runs) : 0;
    }
}

/// <summary>Room for the offsets that an item works with.</summary>
readonly unsafe struct ItemOffsets(byte* memory)
{
    const int MostFree = 256;                          // columns or rows of a panel

    public const int Bytes = 2 * OperandOffsets.Bytes + MostFree * (sizeof(long) + 4 * sizeof(long));

    public OperandOffsets Left => new(memory);

    public OperandOffsets Right => new(memory + OperandOffsets.Bytes);

    /// <summary>One per free index of a panel.</summary>
    public long* Free => (long*)(memory + 2 * OperandOffsets.Bytes);

    /// <summary>The same in runs.</summary>
    public OffsetRun* FreeRuns => (OffsetRun*)(memory + 2 * OperandOffsets.Bytes + MostFree * sizeof(long));
}
