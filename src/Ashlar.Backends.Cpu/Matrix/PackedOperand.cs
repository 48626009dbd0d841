using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>The packed form of a right operand, such as weights that many products use: tiles in the order in which they are
/// loaded.</summary>
/// <remarks>
/// Blocks of the inner axis, as <see cref="MatrixBlocking.InnerBlocksOf"/> cuts it; of each, panels of 32 columns; of each, steps
/// of 64 bytes of inner indices; of each step two tiles of 16 columns. A tile holds 16 rows, one per group of inner indices (two
/// bfloat16 or four bytes), of 16 columns. Ragged edges are zero. An item of a product so reads one contiguous part per inner
/// block: panels a large power of two apart would share few sets of the second cache.
/// </remarks>
static unsafe class PackedOperand
{
    /// <summary>Bytes of the packed form of [inner, columns].</summary>
    public static long Bytes(TileProduct product, long inner, long columns) =>
        MatrixBlocking.Over(columns, Tiles.PanelSide) * Tiles.Steps(inner, product.ElementBytes) * Tiles.StepBytes;

    /// <summary>Packs a matrix.</summary>
    /// <param name="product">Which product it is the right operand of.</param>
    /// <param name="matrix">[inner, columns], of the product's type, or float32 for a product of bfloat16.</param>
    /// <param name="to"><see cref="Bytes"/> bytes, aligned to 64.</param>
    /// <param name="workers">Who may help.</param>
    public static void Pack(TileProduct product, MatrixView matrix, long inner, long columns, byte* to, Workers workers)
    {
        long steps = Tiles.Steps(inner, product.ElementBytes), panels = MatrixBlocking.Over(columns, Tiles.PanelSide);
        var (blocks, each) = MatrixBlocking.InnerBlocksOf(steps);
        long elements = Tiles.RowBytes / product.ElementBytes;
        const long columnsAtOnce = MatrixBlocking.MostColumns;
        workers.Run((worker, count) =>
        {
            var (first, end) = EvenRange.Of(Math.Min(columns, panels * Tiles.PanelSide), worker, count, columnsAtOnce);
            byte[] staging = GC.AllocateUninitializedArray<byte>((int)TilePacking.StagingBytes(each), pinned: true);
            fixed (byte* stage = staging)
                for (long block = 0; block < blocks && steps > 0; block++)
                {
                    long step0 = block * each, here = Math.Min(each, steps - step0);
                    for (long column = first; column < end; column += columnsAtOnce)
                    {
                        var source = new PanelSource(matrix.Data, matrix.DType, matrix.ColumnStride, matrix.RowStride)
                            .At(column, step0 * elements);
                        TilePacking.PackAll(source, Math.Min(columnsAtOnce, end - column),
                            Math.Min(here * elements, inner - step0 * elements), here, isLeft: false,
                            product.ElementBytes, stage, to + (panels * step0 + column / Tiles.PanelSide * here)
                                * Tiles.StepBytes, here * Tiles.StepBytes);
                    }
                }
        });
    }
}
