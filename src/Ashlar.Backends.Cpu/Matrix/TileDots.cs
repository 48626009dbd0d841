using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>The products within kernels: one block of rows by one block of columns, on the tile unit.</summary>
/// <remarks>
/// Generated code calls <see cref="Multiply"/> where a tile program has a dot. Rows of the left operand are read where they lie
/// if they can be; the right operand has been packed for the whole kernel beforehand (<see cref="Pack"/>), or is packed here into
/// memory of the calling thread. Whole panels add to the sums in place; ragged ones are computed beside them.
/// </remarks>
static unsafe class TileDots
{
    const int InnerAtOnce = 1024;   // inner indices of one packing: panels of both operands stay in the second cache
    const long Replaces = 1 << 24, RightIsPacked = 1 << 25;

    // Rows this far apart lie in the same few sets of the first cache: such a left operand is copied.
    public const long CrowdedStride = 2048;

    [ThreadStatic]
    static Memory? memory;

    /// <summary>What a call multiplies, as one number: generated code passes integers only.</summary>
    /// <param name="product">The types that are multiplied.</param>
    /// <param name="left">Type of the left operand in memory: the product's, or float32 to be rounded to bfloat16.</param>
    /// <param name="right">Type of the right operand in memory, likewise.</param>
    /// <param name="replaces">The sums begin at zero; else they are added to the target.</param>
    /// <param name="rightIsPacked">The right operand is panels that <see cref="Pack"/> made.</param>
    public static long KindOf(TileProduct product, DType left, DType right, bool replaces, bool rightIsPacked = false) =>
        (long)product | (long)left << 8 | (long)right << 16 | (replaces ? Replaces : 0) | (rightIsPacked ? RightIsPacked : 0);

    /// <summary>Packs a block of a right operand: all its columns, panel after panel.</summary>
    /// <param name="from">The first element.</param>
    /// <param name="columnStride">Elements from one column to the next.</param>
    /// <param name="innerStride">Elements from one inner index to the next.</param>
    /// <param name="columns">How many; the last panel is padded with zeros.</param>
    /// <param name="inner">How many; the rest of the steps becomes zero.</param>
    /// <param name="steps">Steps of each panel.</param>
    /// <param name="to">The first panel, aligned to 64 bytes.</param>
    /// <param name="kind">From <see cref="KindOf"/>.</param>
    public static void Pack(nint from, long columnStride, long innerStride, long columns, long inner, long steps,
        nint to, long kind)
    {
        if (columns <= 0 || inner <= 0) return;
        byte* staging = (memory ??= new()).Of(TilePacking.StagingBytes(steps));
        TilePacking.PackAll(new((nint)from, (DType)(kind >> 16 & 255), columnStride, innerStride), columns, inner, steps,
            isLeft: false,
            ((TileProduct)(kind & 255)).ElementBytes, staging, (byte*)to, steps * Tiles.StepBytes);
    }

    /// <summary><c>target[i, j] += sum over k of left[i, k] * right[k, j]</c>, or <c>=</c>. Strides are in elements.</summary>
    /// <remarks>The calling code has made the tile registers ready (<see cref="TileKernels.Configure"/>). Of packed panels
    /// <paramref name="rightColumn"/> is the bytes from one panel to the next.</remarks>
    public static void Multiply(nint target, long targetStride, nint left, long leftRow, long leftInner, nint right,
        long rightColumn, long rightInner,
        long rows, long columns, long inner, long kind)
    {
        if (rows <= 0 || columns <= 0) return;
        bool adds = (kind & Replaces) == 0, isPacked = (kind & RightIsPacked) != 0;
        if (inner <= 0)
        {
            for (long i = 0; i < rows && !adds; i++) new Span<int>((int*)target + i * targetStride, (int)columns).Clear();
            return;
        }
        var product = (TileProduct)(kind & 255);
        var (leftType, rightType) = ((DType)(kind >> 8 & 255), (DType)(kind >> 16 & 255));
        int bytes = product.ElementBytes;
        long most = isPacked ? inner : InnerAtOnce, steps = Tiles.Steps(Math.Min(inner, most), bytes),
            panelBytes = steps * Tiles.StepBytes;
        long rowPanels = (rows + Tiles.PanelSide - 1) / Tiles.PanelSide,
            columnPanels = (columns + Tiles.PanelSide - 1) / Tiles.PanelSide;
        long wholeRows = rows / Tiles.PanelSide, wholeColumns = columns / Tiles.PanelSide;
        // Whole panels of rows are read where they lie, when every step is 64 bytes of them.
        bool isDirect = leftType.Bytes == bytes && leftInner == 1 && inner * bytes % Tiles.RowBytes == 0
            && leftRow * bytes % CrowdedStride != 0;
        long copied = isDirect ? rowPanels - wholeRows : rowPanels;
        const long sumBytes = Tiles.PanelSide * Tiles.PanelSide * 4;
        byte* sums = (memory ??= new()).Of(sumBytes + (copied + (isPacked ? 0 : columnPanels)) * panelBytes
            + TilePacking.StagingBytes(steps));
        byte* packedLeft = sums + sumBytes, packedRight = packedLeft + copied * panelBytes, staging = packedRight
            + (isPacked ? 0 : columnPanels) * panelBytes;
        long rightPanel = isPacked ? rightColumn : panelBytes;
        if (isPacked) packedRight = (byte*)right;

        for (long k = 0; k < inner; k += most, adds = true)
        {
            long here = Math.Min(most, inner - k), used = Tiles.Steps(here, bytes);
            var source = new PanelSource(left, leftType, leftRow, leftInner).At(0, k);
            long first = rowPanels - copied;
            if (copied > 0)
                TilePacking.PackAll(source.At(first * Tiles.PanelSide, 0), rows - first * Tiles.PanelSide, here, used,
                    isLeft: true, bytes, staging, packedLeft, panelBytes);
            if (!isPacked)
                TilePacking.PackAll(new PanelSource(right, rightType, rightColumn, rightInner).At(0, k), columns, here, used,
                    isLeft: false, bytes, staging, packedRight, panelBytes);
            var block = new TileDotArguments { BPanel = rightPanel, Steps = used };
            if (wholeRows > 0 && wholeColumns > 0)
            {
                Left(ref block, 0);
                block.B = (long)packedRight;
                block.C = target;
                block.CStride = targetStride * 4;
                block.RowPanels = wholeRows;
                block.ColumnPanels = wholeColumns;
                TileDotKernels.Get(product, adds)(&block);
            }
            // What is left at the right and at the bottom is computed beside its place.
            for (long row = 0; row < rowPanels; row++)
                for (long panel = row < wholeRows ? wholeColumns : 0; panel < columnPanels; panel++)
                {
                    Left(ref block, row);
                    block.B = (long)(packedRight + panel * rightPanel);
                    block.C = (long)sums;
                    block.CStride = Tiles.PanelSide * 4;
                    block.RowPanels = block.ColumnPanels = 1;
                    TileDotKernels.Get(product, adds: false)(&block);
                    byte* place = (byte*)target + (row * targetStride + panel) * Tiles.PanelSide * 4;
                    long high = Math.Min(Tiles.PanelSide, rows - row * Tiles.PanelSide),
                        wide = Math.Min(Tiles.PanelSide, columns - panel * Tiles.PanelSide);
                    if (adds) Add(product, sums, high, wide, place, targetStride);
                    else
                        for (long i = 0; i < high; i++)
                            new Span<int>((int*)sums + i * Tiles.PanelSide, (int)wide)
                                .CopyTo(new((int*)place + i * targetStride, (int)wide));
                }

            void Left(ref TileDotArguments block, long row)
            {
                bool lies = row < first;
                long stride = leftRow * bytes;
                block.A = lies
                    ? source.Data + (nint)(row * Tiles.PanelSide * stride)
                    : (long)(packedLeft + (row - first) * panelBytes);
                block.AStride = lies ? stride : Tiles.RowBytes;
                block.ATile = lies ? Tiles.Side * stride : Tiles.Bytes;
                block.AStep = lies ? Tiles.RowBytes : Tiles.StepBytes;
                block.APanel = lies ? Tiles.PanelSide * stride : panelBytes;
            }
        }
    }

    // Sums that were computed beside their place.
    static void Add(TileProduct product, byte* from, long rows, long columns, byte* to, long stride)
    {
        for (long i = 0; i < rows; i++, from += Tiles.PanelSide * 4, to += stride * 4)
        {
            long j = 0;
            for (; j + 16 <= columns; j += 16)
            {
                if (product == TileProduct.BF16)
                    (Vector512.Load((float*)to + j) + Vector512.Load((float*)from + j)).Store((float*)to + j);
                else (Vector512.Load((int*)to + j) + Vector512.Load((int*)from + j)).Store((int*)to + j);
            }
            for (; j < columns; j++)
            {
                if (product == TileProduct.BF16) ((float*)to)[j] += ((float*)from)[j];
                else ((int*)to)[j] += ((int*)from)[j];
            }
        }
    }

    /// <summary>Scratch memory of one thread: grows to the largest dot that the thread computes, and goes with the
    /// thread.</summary>
    sealed class Memory
    {
        void* data;
        long bytes;

        ~Memory() => NativeMemory.AlignedFree(data);

        public byte* Of(long needed)
        {
            if (needed > bytes)
            {
                NativeMemory.AlignedFree(data);
                data = NativeMemory.AlignedAlloc((nuint)needed, 64);
                bytes = needed;
            }
            return (byte*)data;
        }
    }
}
