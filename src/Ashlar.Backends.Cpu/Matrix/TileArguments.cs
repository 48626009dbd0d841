using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>What a tile kernel works on: a run of products of two panels. The kernel changes it.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct TileArguments
{
    public long A;             // panel of the left operand
    public long B;             // panel of the right operand
    public long C;             // sums, rows of 32-bit elements
    public long AStep;         // bytes to the next panel of the run; 0 stays
    public long BStep;
    public long CStep;
    public long CStride;       // bytes from one row of sums to the next
    public long CTile;         // 16 of these
    public long Steps;         // of the inner axis, at least 1
    public long Count;         // products of the run, at least 1
    public long Ahead;         // rows to prefetch: a line of each per step
    public long AheadStride;   // bytes from one such row to the next
    public long AheadStep;     // bytes to the rows that the next product prefetches
    public long Result;        // where the sums will go: rows to prefetch, two per step
    public long ResultStride;  // bytes from one such row to the next
    public long ResultStep;    // bytes to where the sums of the next product go
    public long LeftAhead;     // what else to prefetch: lines that follow each other

    /// <summary>The run fetches the panel of the right operand that comes next: some lines of it per step, and now what it has no
    /// steps for.</summary>
    /// <param name="next">The panel, packed.</param>
    /// <param name="nextSteps">Its steps.</param>
    /// <param name="steps">Steps of this run.</param>
    /// <param name="count">Products of this run.</param>
    /// <returns>Lines per step, for the kernel's key.</returns>
    public int FetchRight(byte* next, long nextSteps, long steps, long count)
    {
        const long lines = Tiles.StepBytes / Tiles.RowBytes;
        long each = Math.Min(MatrixBlocking.Over(lines, count), TileKernelKey.MostAhead);
        (Ahead, AheadStride) = ((long)next, steps * Tiles.RowBytes);
        AheadStep = each * AheadStride;
        // With few row panels memory is the limit, so the rest may as well come first.
        long bytes = nextSteps * Tiles.StepBytes, covered = each * count * AheadStride;
        if (covered < bytes) Fetch(next + covered, bytes - covered);
        return (int)each;
    }

    /// <summary>The last product of each run fetches where its sums will go, or what an epilogue writes for them.</summary>
    /// <param name="view">The result.</param>
    /// <param name="first">The place of the first of the sums.</param>
    /// <returns>Lines of each row, for the kernel's key; none where there is nothing to fetch.</returns>
    public int FetchResult(in MatrixView view, byte* first)
    {
        if (view.Data == 0 || view.ColumnStride != 1) return 0;
        (Result, ResultStride) = ((long)first, view.RowStride * view.DType.Bytes);
        return Math.Clamp(Tiles.PanelSide * view.DType.Bytes / Tiles.RowBytes, 1, TileKernelKey.MostResultLines);
    }

    /// <summary>Fetches memory into the second cache, from four places in turn, as each page is prefetched by itself.</summary>
    public static void Fetch(byte* from, long bytes)
    {
        long quarter = (bytes / 4 + 63) / 64 * 64;
        for (byte* end = from + quarter; from < end; from += 64)
        {
            Sse.Prefetch1(from);
            Sse.Prefetch1(from + quarter);
            Sse.Prefetch1(from + 2 * quarter);
            Sse.Prefetch1(from + 3 * quarter);
        }
    }
}
