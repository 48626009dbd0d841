using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>The products within kernels: one block of rows by one block of columns, on the tile unit.</summary>
/// <remarks>
/// Generated code calls <see cref="Multiply"/> where a tile program has a dot. Operands are packed each time into memory of the calling
/// thread; blocks are small, so all of that stays in the nearest caches. Whole panels add to the sums in place; ragged ones are
/// computed beside them.
/// </remarks>
static unsafe class TileDots
{
    const int InnerAtOnce = 1024;   // inner indices of one packing: panels of both operands stay in the second cache

    [ThreadStatic]
    static Memory? memory;

    /// <summary>What a call multiplies, as one number: generated code passes integers only.</summary>
    /// <param name="product">The types that are multiplied.</param>
    /// <param name="left">Type of the left operand in memory: the product's, or float32 to be rounded to bfloat16.</param>
    /// <param name="right">Type of the right operand in memory, likewise.</param>
    /// <param name="replaces">The sums begin at zero; else they are added to the target.</param>
    public static long KindOf(TileProduct product, DType left, DType right, bool replaces) =>
        (long)product | (long)left << 8 | (long)right << 16 | (replaces ? 1L << 24 : 0);

    /// <summary><c>target[i, j] += sum over k of left[i, k] * right[k, j]</c>, or <c>=</c>. Strides are in elements.</summary>
    public static void Multiply(nint target, long targetStride, nint left, long leftRow, long leftInner, nint right, long rightColumn, long rightInner,
        long rows, long columns, long inner, long kind)
    {
        if (rows <= 0 || columns <= 0) return;
        bool adds = kind >> 24 == 0;
        if (inner <= 0)
        {
            for (long i = 0; i < rows && !adds; i++) new Span<int>((int*)target + i * targetStride, (int)columns).Clear();
            return;
        }
        var product = (TileProduct)(kind & 255);
        var (leftType, rightType) = ((DType)(kind >> 8 & 255), (DType)(kind >> 16 & 255));
        long steps = Tiles.Steps(Math.Min(inner, InnerAtOnce), product.ElementBytes), panelBytes = steps * Tiles.StepBytes;
        long rowPanels = (rows + Tiles.PanelSide - 1) / Tiles.PanelSide, columnPanels = (columns + Tiles.PanelSide - 1) / Tiles.PanelSide;
        const long sumBytes = Tiles.PanelSide * Tiles.PanelSide * 4;
        byte* sums = (memory ??= new()).Of(sumBytes + (rowPanels + columnPanels) * panelBytes + TilePacking.StagingBytes(steps));
        byte* packedLeft = sums + sumBytes, packedRight = packedLeft + rowPanels * panelBytes, staging = packedRight + columnPanels * panelBytes;

        TileKernels.Configure();
        for (long k = 0; k < inner; k += InnerAtOnce, adds = true)
        {
            long here = Math.Min(InnerAtOnce, inner - k), used = Tiles.Steps(here, product.ElementBytes);
            TilePacking.PackAll(new PanelSource(left, leftType, leftRow, leftInner).At(0, k), rows, here, used, isLeft: true, product.ElementBytes, staging, packedLeft, panelBytes);
            TilePacking.PackAll(new PanelSource(right, rightType, rightColumn, rightInner).At(0, k), columns, here, used, isLeft: false, product.ElementBytes, staging, packedRight, panelBytes);
            long wholeRows = rows / Tiles.PanelSide;
            for (long panel = 0; panel < columnPanels; panel++)
            {
                byte* packed = packedRight + panel * panelBytes, to = (byte*)target + panel * Tiles.PanelSide * 4;
                long wide = Math.Min(Tiles.PanelSide, columns - panel * Tiles.PanelSide);
                long direct = wide == Tiles.PanelSide ? wholeRows : 0;
                if (direct > 0) Run(product, packedLeft, packed, to, panelBytes, targetStride * 4, used, direct, adds);
                for (long row = direct; row < rowPanels; row++)
                {
                    Run(product, packedLeft + row * panelBytes, packed, sums, panelBytes, Tiles.PanelSide * 4, used, 1, adds: false);
                    byte* place = to + row * Tiles.PanelSide * targetStride * 4;
                    long high = Math.Min(Tiles.PanelSide, rows - row * Tiles.PanelSide);
                    if (adds) Add(product, sums, high, wide, place, targetStride);
                    else
                        for (long i = 0; i < high; i++) new Span<int>((int*)sums + i * Tiles.PanelSide, (int)wide).CopyTo(new((int*)place + i * targetStride, (int)wide));
                }
            }
        }
        TileKernels.Release();
    }

    static void Run(TileProduct product, byte* left, byte* right, byte* sums, long panelBytes, long strideBytes, long steps, long count, bool adds)
    {
        var arguments = new TileArguments
        {
            A = (long)left,
            B = (long)right,
            C = (long)sums,
            AStep = panelBytes,
            CStep = Tiles.PanelSide * strideBytes,
            CStride = strideBytes,
            CTile = Tiles.Side * strideBytes,
            Steps = steps,
            Count = count,
        };
        TileKernels.Get(new(product, 2, LeftMoves: true, adds, Ahead: 0))(&arguments);
    }

    // Sums that were computed beside their place.
    static void Add(TileProduct product, byte* from, long rows, long columns, byte* to, long stride)
    {
        for (long i = 0; i < rows; i++, from += Tiles.PanelSide * 4, to += stride * 4)
        {
            long j = 0;
            for (; j + 16 <= columns; j += 16)
            {
                if (product == TileProduct.BF16) (Vector512.Load((float*)to + j) + Vector512.Load((float*)from + j)).Store((float*)to + j);
                else (Vector512.Load((int*)to + j) + Vector512.Load((int*)from + j)).Store((int*)to + j);
            }
            for (; j < columns; j++)
            {
                if (product == TileProduct.BF16) ((float*)to)[j] += ((float*)from)[j];
                else ((int*)to)[j] += ((int*)from)[j];
            }
        }
    }

    /// <summary>Scratch memory of one thread: grows to the largest dot that the thread computes, and goes with the thread.</summary>
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
