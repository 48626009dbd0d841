using System.Runtime.CompilerServices;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>Products within kernels that are whole panels by whole panels, whose operands are read where they lie: what
/// <see cref="TileDots"/> finds out at each call is known when the code is made.</summary>
/// <remarks>Such a call takes a microsecond or two, of which finding out took a tenth.</remarks>
static unsafe class WholeDots
{
    /// <summary>Whether rows of the left operand can be read where they lie: every step is 64 contiguous bytes of them, and they
    /// are not in the same few sets of the first cache.</summary>
    /// <param name="product">What multiplies it.</param>
    /// <param name="left">Its type in memory.</param>
    /// <param name="rowStride">Elements from one row to the next.</param>
    /// <param name="innerStride">Elements from one inner index to the next.</param>
    /// <param name="inner">Inner indices.</param>
    public static bool Takes(TileProduct product, DType left, long rowStride, long innerStride, long inner) =>
        left.Bytes == product.ElementBytes && innerStride == 1 && inner > 0 && inner * left.Bytes % Tiles.RowBytes == 0
        && rowStride * left.Bytes % TileDots.CrowdedStride != 0;

    /// <summary>The address of the code that multiplies.</summary>
    /// <param name="product">What it multiplies.</param>
    /// <param name="adds">It adds to the sums; else it replaces them.</param>
    public static long KernelOf(TileProduct product, bool adds) => (long)TileDotKernels.Get(product, adds);

    /// <summary>Multiplies panels of 32 rows by packed panels of 32 columns.</summary>
    /// <param name="target">The first sum.</param>
    /// <param name="targetStride">Bytes from one row of sums to the next.</param>
    /// <param name="left">The first element of the left operand.</param>
    /// <param name="leftStride">Bytes from one row to the next.</param>
    /// <param name="right">The first packed panel.</param>
    /// <param name="rightPanel">Bytes from one panel to the next.</param>
    /// <param name="rowPanels">How many panels of rows, at least 1.</param>
    /// <param name="columnPanels">How many panels of columns, at least 1.</param>
    /// <param name="steps">Steps of the inner axis, at least 1.</param>
    /// <param name="kernel">From <see cref="KernelOf"/>.</param>
    [SkipLocalsInit]
    public static void Multiply(nint target, long targetStride, nint left, long leftStride, nint right, long rightPanel,
        long rowPanels, long columnPanels, long steps, long kernel)
    {
        TileDotArguments block;
        block.A = left;
        block.AStride = leftStride;
        block.ATile = Tiles.Side * leftStride;
        block.AStep = Tiles.RowBytes;
        block.APanel = Tiles.PanelSide * leftStride;
        block.B = right;
        block.BPanel = rightPanel;
        block.C = target;
        block.CStride = targetStride;
        block.Steps = steps;
        block.RowPanels = rowPanels;
        block.ColumnPanels = columnPanels;
        // A garbage collection waits for the microseconds that this takes.
        ((delegate* unmanaged[SuppressGCTransition]<TileDotArguments*, void>)kernel)(&block);
    }
}
